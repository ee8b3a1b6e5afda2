r"""Take every literal and comment out of SQL text; keep the shape of the statement and its identifiers.

One pass of one regular expression over the lexical elements of Snowflake SQL: strings with ``''`` and ``\`` escapes,
``$$`` strings, numbers, ``--``, ``//`` and ``/* */`` comments, stage and file paths, quoted identifiers. Strings become
``'?'``, numbers ``?``, comments ``/*?*/``, paths ``/?``. What does not lex, ends inside a literal or does not begin like SQL is not
scrubbed at all: :func:`scrub` returns None and the caller hashes the text.

>>> scrub("select * from p where ssn = '123-45-6789' and age > 44 -- Jane Roe")
"select * from p where ssn = '?' and age > ? /*?*/"
"""

import re
from typing import Final

from evidence.snapshot import phi

STRING: Final = "'?'"
NUMBER: Final = "?"
COMMENT: Final = "/*?*/"
_PLACEHOLDER: Final = {"string": STRING, "number": NUMBER, "comment": COMMENT, "end": ""}
_MAX_IDENTIFIER = 255  # characters; Snowflake, Identifier requirements
_NAME = r'(?:[A-Za-z0-9_$]+|"(?:[^"]|"")*+")'
# One match is a run of words and marks that stay, then one element that may not (or the end of the text).
_TOKEN = re.compile(
    rf"""
    (?P<run>(?:[A-Za-z_][A-Za-z0-9_$]*+ | [\s,.()=*<>+:;%|&^~!?\[\]{{}}]++ | -(?!-) | /(?![/*]) | \$(?!\$)[A-Za-z0-9_]*+)*+)
    (?:
      (?P<string>'(?:[^'\\]|''|\\(?s:.))*+' | \$\$(?s:.*?)\$\$)
    | (?P<number>[0-9](?:[eE][+-](?=[0-9])|[A-Za-z0-9_.])*+)
    | (?P<quoted>"(?:[^"]|"")*+")
    | (?P<uri>(?<=:)//[^\s'",;()]*+)
    | (?P<comment>--[^\n]*+ | //[^\n]*+ | /\*(?s:.*?)\*/)
    | (?P<stage>@(?:~|%?{_NAME}(?:\.%?{_NAME})*+)?)(?P<path>/[^\s;,()'"]*+)?
    | (?P<end>\Z)
    | (?P<odd>(?s:.))
    )
    """,
    re.VERBOSE | re.ASCII,
)
_SCHEME = re.compile(r"\b(?:file|s3|s3gov|s3china|gcs|azure|https?|snow):\Z", re.IGNORECASE)
_BEGINS = re.compile(
    r"""(?:\s|/\*\?\*/|\()*
    (alter|analyze|async|await|begin|call|case|comment|commit|copy|create|declare|delete|desc|describe|drop|end|execute
    |exists|explain|for|get|grant|if|insert|let|list|loop|ls|merge|move|put|remove|rename|repeat|return|revoke|rm|rollback
    |select|set|show|start|table|truncate|undrop|unset|update|use|values|while|with)\b""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_COMPARED = re.compile(r"(?:[=<>]|\b(?:i?like|rlike|regexp|contains|in\s*\())\s*\Z", re.IGNORECASE)
# A secret that is not a string literal: CREATE and ALTER statements only, a plain column may be called password.
_BARE_SECRET = re.compile(
    r"\b(?:password|secret_string|(?:oauth_)?client_secret|aws_(?:key_id|secret_key|token)|azure_sas_token|master_key"
    r"|private_key|refresh_token|api_key|token)\s*=\s*(?!'\?'|\?|true\b|false\b)[^\s]",
    re.IGNORECASE,
)


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
    if statement:
        first = _BEGINS.match(out)
        if first is None:
            return None
        if first[1].lower() in {"create", "alter", "copy"} and _BARE_SECRET.search(out):
            return None
    return out


def _replace(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    fixed = _PLACEHOLDER.get(kind)
    if fixed is not None:
        return match["run"] + fixed
    if kind == "quoted":
        return match["run"] + _quoted(match["quoted"], match.string, *match.span("quoted"))
    if kind in {"stage", "path"}:
        return match["run"] + match["stage"] + ("/?" if kind == "path" else "")
    if kind == "uri" and _SCHEME.search(match["run"]):
        return match["run"] + "//?"
    raise _OddTextError


def _quoted(name: str, text: str, start: int, end: int) -> str:
    """Keep a quoted identifier, unless it looks like data: the detector hits, or it is compared like a string.

    People write ``name = "Jane Roe"`` and mean a string; the statement fails to compile but its text is recorded.
    """
    if len(name) - 2 > _MAX_IDENTIFIER:
        raise _OddTextError
    plain = name[1:-1].replace("$", "").replace("_", "").isalnum() and name.isascii()
    qualified = text[end : end + 1] == "."
    compared = not plain and not qualified and _COMPARED.search(text[max(0, start - 12) : start])
    return '"?"' if compared or phi.hit(name) else name
