r"""Take every literal and comment out of SQL text; keep the shape of the statement and its identifiers.

One pass of one regular expression over the lexical elements of Snowflake SQL: strings with ``''`` and ``\`` escapes,
``$$`` strings, numbers, ``--``, ``//`` and ``/* */`` comments, stage and file paths, quoted identifiers. Strings become
``'?'`` (``'s3://?'`` where they name a cloud location), numbers ``?``, comments ``/*?*/``, paths ``/?``. What does not lex, ends
inside a literal or does not begin like SQL is not scrubbed at all: :func:`scrub` returns None and the caller hashes the text.
``evidence.snapshot.sqlshape`` then reads what is left.

>>> scrub("select * from p where ssn = '123-45-6789' and age > 44 -- Jane Roe")
"select * from p where ssn = '?' and age > ? /*?*/"
"""

import re
from typing import Final

from evidence.snapshot import phi
from evidence.snapshot.words import column_words

STRING: Final = "'?'"
NUMBER: Final = "?"
COMMENT: Final = "/*?*/"
HEADING: Final = '"?"'
_PLACEHOLDER: Final = {"number": NUMBER, "comment": COMMENT, "end": ""}
_MAX_IDENTIFIER = 255  # characters; Snowflake, Identifier requirements
_NAME = r'(?:(?:[A-Za-z0-9_]|\$(?!\$))+|"(?:[^"\n]|"")*+")'
# A literal that touches a word was read from the middle of another one: LIKE 'a' ESCAPE '\', O'Brien. These words may touch it.
_TOUCHING = "as|in|is|on|or|and|like|then|else|when|date|time|ilike|select|interval|timestamp|timestamp_ltz|timestamp_ntz|timestamp_tz|[xb]"
_TOUCHED = "|".join(rf"(?<=\b{word})" for word in _TOUCHING.split("|"))
_BEFORE = rf"(?:(?<![A-Za-z0-9_$'\"])|(?i:{_TOUCHED}))"
_AFTER = r"(?:(?![A-Za-z0-9_$'\"])|(?=(?i:and|as|or|then|else|end|from|where)\b))"
# One match is a run of words and marks that stay, then one element that may not (or the end of the text).
_TOKEN = re.compile(
    rf"""
    (?P<run>(?:[A-Za-z_][A-Za-z0-9_]*+(?:\$(?!\$)[A-Za-z0-9_]*+)*+ | [\s,.()=<>+:;%|&^~!?\[\]{{}}]++
        | \*(?!/) | -(?!-) | /(?![/*]) | \$[A-Za-z0-9_]++(?!\$))*+)
    (?:
      (?P<string>{_BEFORE}(?:'(?:(?P<cloud>(?i:s3(?:gov|china)?|gcs|azure|https?)://))?(?:[^'\\]|''|\\(?s:.))*+' | (?>\$\$(?s:.*?)\$\$)){_AFTER})
    | (?P<number>[0-9](?:[eE][+-](?=[0-9])|[A-Za-z0-9_.]|\$(?!\$))*+(?!['"]))
    | (?P<quoted>{_BEFORE}"(?:[^"\n]|"")*+"{_AFTER})
    | (?P<uri>(?<=:)//(?:[^\s'";]|;(?=[^\s'"]))*+)(?!['"])
    | (?P<comment>--[^\n]*+ | //[^\n]*+ | /\*(?s:.*?)\*/)
    | (?P<stage>@(?:~|%?{_NAME}(?:\.%?{_NAME})*+))
      (?P<path>/(?:[^\s;,()'"]|;(?=[^\s'"])|,(?=[^\s'"@])(?!\w+\s*=>)|\((?!\s*\w+\s*=>)[^\s()'"]*+\))*+)?(?=[\s;,()]|\Z)
    | (?P<end>\Z)
    | (?P<odd>(?s:.))
    )
    """,
    re.VERBOSE | re.ASCII,
)
_SCHEME = re.compile(r"\b(?:file|s3|s3gov|s3china|gcs|azure|https?|snow):\Z", re.IGNORECASE)
_REMARK = re.compile(r"\$\$|--|/\*|[^/]//")  # another element touches the path: where it ends is anybody's guess
_BEGINS = re.compile(
    r"""(?:\s|/\*\?\*/|\()*
    (alter|analyze|async|await|begin|call|case|comment|commit|copy|create|declare|delete|desc|describe|drop|end|execute
    |exists|explain|for|get|grant|if|insert|let|list|loop|ls|merge|move|put|remove|rename|repeat|return|revoke|rm|rollback
    |select|set|show|start|table|truncate|undrop|unset|update|use|values|while|with)\b""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
# Quoted identifiers. A name of an object follows one of these words or stands beside a dot.
_OBJECT = re.compile(
    r"""(?:\.\s*|\b(?:from|join|into|update|overwrite|table|view|schema|database|role|user|warehouse|stage|on|to|use|exists|clone|with
    |policy|procedure|function|task|stream|pipe|share|tag|integration|sequence|alert|monitor|secret|rule|column)\s+)\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_JSON_PATH = re.compile(r"""(?<!:):\s*(?:[\w$]+|"[^"]*")?(?:\.(?:[\w$]+|"[^"]*")|\[[^\]]*\])*\.?\Z""")
_PLAIN = re.compile(r"[A-Za-z0-9_$]*[A-Za-z][A-Za-z0-9_$]*", re.ASCII)
_READABLE = re.compile(r"(?:[^\W\d]|[0-9 $.&/()%#,+-])*[^\W\d_](?:[^\W\d]|[0-9 $.&/()%#,+-])*")


class _OddTextError(Exception):
    """The text is not SQL as we know it."""


def scrub(text: str, *, statement: bool = True) -> str | None:
    """Return ``text`` without literals and comments, or None if it cannot be done safely.

    ``statement`` demands a leading SQL verb; pass False for expressions such as a column's default.
    """
    try:
        out = _TOKEN.sub(_replace, text)
    except _OddTextError:
        return None
    return None if statement and not _BEGINS.match(out) else out


def _replace(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    run = match["run"]
    if kind == "string":
        scheme = match["cloud"]
        return f"{run}'{scheme}?'" if scheme else run + STRING
    fixed = _PLACEHOLDER.get(kind)
    if fixed is not None:
        return run + fixed
    if kind == "quoted":
        return run + _quoted(match["quoted"], match.string, *match.span("quoted"))
    if kind == "stage":
        return run + match["stage"]
    if kind == "path" and not _REMARK.search(match["path"]):
        return run + match["stage"] + "/?"
    if kind == "uri" and _SCHEME.search(run) and not _REMARK.search(match["uri"], 2):
        return run + "//?"
    raise _OddTextError


def _quoted(name: str, text: str, start: int, end: int) -> str:
    """Keep a quoted identifier, unless it looks like data: the detector hits, or it is no name and no heading.

    People write ``name = "Jane Roe"`` and mean a string; the statement fails to compile but its text is recorded. Comparisons are
    ``sqlshape``'s; here a name of several words stays where an object is named, or when all its words are those of headings.
    """
    body = name[1:-1]
    if len(body) > _MAX_IDENTIFIER:
        raise _OddTextError
    if _PLAIN.fullmatch(body):
        return HEADING if phi.hit(name) else name
    if not _READABLE.fullmatch(body) or phi.hit(name):
        return HEADING
    before = max(0, start - 200)
    in_json = _JSON_PATH.search(text, before, start)
    if not in_json and (text[end : end + 1] == "." or _OBJECT.search(text, before, start)):
        return name
    words = re.findall(r"[^\W_]+", body)
    return name if all(word.lower() in column_words() for word in words) else HEADING
