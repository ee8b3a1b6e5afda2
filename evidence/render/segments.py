"""The sentences of a template, found in Jinja's token stream: what a catalogue lists and a wording replaces.

Nothing is marked in a template, so that nothing can be forgotten (decision 0191). A message is a run of text, inline elements and
printed expressions between two block elements, Jinja blocks or, in a text file, blank lines. In it an expression is ``{name}``, an
inline element ``<a>…</a>`` without its attributes; literal ``<code>`` stays as it is. The values of attributes that people hear or see
(``aria-label`` …) are messages too.
"""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import Any, Final, Literal

from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from evidence.render.frame import FRAME

Translate = Callable[[int, str], str | None]  # line and message -> what stands in its place; None: the template's own

_INLINE: Final = frozenset({"a", "strong", "em", "code", "span"})
_SEEN: Final = re.compile(r'\s(?:aria-label|data-title|data-label|title|alt)="')
_TAG: Final = re.compile(r"</?([a-zA-Z!][\w-]*)")
_LITERAL: Final = re.compile(r'<(code|span)(?: class="mono")?>([^<>]+)</\1>')
_OPAQUE: Final = frozenset({"pre", "style", "script"})
_WITHIN: Final = frozenset({"ref", "severity", "badge", "word"})  # macros that make part of a sentence
_NOT_NAMES: Final = frozenset({"n", "day", "short", "length", "upper", "join", "sum", "attribute", "said", "ticks",
        "strftime", "if", "else", "c", "_", "ngettext"})  # fmt: skip
_COMMAND: Final = re.compile(r" {7,}\S")  # a line of a text file that is typed, not read
_MARK: Final = re.compile(r"#+ |\d+\. |- ")
_MARKED: Final = re.compile(r"""\b_\(("(?:[^"\\]|\\.)*")""")
_WIDTH: Final = 130  # of a line of a text file

Kind = Literal["text", "value", "tag", "kept", "edge"]


@dataclass(slots=True)
class Piece:
    """A part of a template: its ``tokens``, and its form in a message. ``edge`` parts messages; ``pair`` is the matching tag's place."""

    kind: Kind
    tokens: list[Token]
    shown: str = ""


def rewrite(tokens: Iterable[Token], translate: Translate, *, html: bool) -> Iterator[Token]:
    """Yield the tokens of a template with each message replaced by what ``translate`` has for it."""
    run: list[Piece] = []
    for piece in [*_pieces(tokens, _Html() if html else _Plain()), Piece("edge", [])]:
        if piece.kind == "edge":
            yield from _flushed(run, translate, html=html)
            run = []
            yield from piece.tokens
        else:
            run.append(piece)


def speaking(translate: Translate) -> type[Extension]:
    """Return a Jinja extension that renders templates in the words of ``translate``; ``.html.j2`` as HTML, others as text."""

    class Speaking(Extension):
        def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
            return rewrite(stream, translate, html=(stream.name or "").endswith(".html.j2"))

    return Speaking


def messages(environment: Environment, source: str, name: str) -> list[tuple[int, str]]:
    """Return line and message of every sentence of a template."""
    found: list[tuple[int, str]] = []

    def note(line: int, message: str) -> None:
        found.append((line, message))

    environment.overlay(extensions=[speaking(note)]).parse(source, name)
    return found


def script_messages(script: str) -> list[str]:
    """Return the messages that the page's script marks, ``_("…")`` with double quotes."""
    return sorted({json.loads(found) for found in _MARKED.findall(script)})


class _Html:
    """Splits the data of an HTML template. ``mode`` is where the reader stands."""

    def __init__(self) -> None:
        self.mode: Literal["text", "tag", "inline", "seen", "opaque"] = "text"
        self.tag: list[Token] = []
        self.opaque = ""

    def data(self, token: Token) -> Iterator[Piece]:
        text, at = token.value, 0
        while at < len(text):
            at, *made = getattr(self, f"_{self.mode}")(token, at)
            yield from made

    def value(self, tokens: list[Token]) -> Piece | None:
        """Return the piece of an expression; None inside an inline tag, which is one piece by itself."""
        match self.mode:
            case "inline":
                self.tag += tokens
                return None
            case "tag" | "opaque":
                return Piece("edge", tokens)
        return _value(tokens)

    def block(self, tokens: list[Token]) -> Piece:
        """Return the piece of a Jinja block. An inline tag that has one is no part of a sentence."""
        if self.mode == "inline":
            tokens, self.tag, self.mode = [*self.tag, *tokens], [], "tag"
        return Piece("edge", tokens)

    def _text(self, token: Token, at: int) -> tuple[Any, ...]:
        text = token.value
        found = _TAG.search(text, at)
        if found is None or found.start() > at:
            end = found.start() if found else len(text)
            return end, _text_piece(token, text[at:end])
        if literal := _LITERAL.match(text, at):
            shown = f"<code>{unescape(literal.group(2))}</code>"  # both are set alike
            return literal.end(), Piece("kept", [_data(token, literal.group())], shown)
        name = found.group(1)
        if name in _INLINE:
            self.mode = "inline"
            return (at,)
        if name in _OPAQUE and text[at + 1] != "/":
            self.mode, self.opaque = "opaque", f"</{name}>"
        else:
            self.mode = "tag"
        return (at,)

    def _inline(self, token: Token, at: int) -> tuple[Any, ...]:
        end = token.value.find(">", at) + 1 or len(token.value)
        self.tag.append(_data(token, token.value[at:end]))
        if token.value[end - 1] != ">":
            return (end,)
        tokens, self.tag, self.mode = self.tag, [], "text"
        name = _TAG.match(tokens[0].value)
        assert name
        closing = tokens[0].value.startswith("</")
        return end, Piece("tag", tokens, f"<{'/' if closing else ''}{name.group(1)}>")

    def _tag(self, token: Token, at: int) -> tuple[Any, ...]:
        close = token.value.find(">", at)
        if seen := _SEEN.search(token.value, at, close if close >= 0 else len(token.value)):
            self.mode = "seen"
            return seen.end(), Piece("edge", [_data(token, token.value[at : seen.end()])])
        end = close + 1 or len(token.value)
        if close >= 0:
            self.mode = "text"
        return end, Piece("edge", [_data(token, token.value[at:end])])

    def _seen(self, token: Token, at: int) -> tuple[Any, ...]:
        end = token.value.find('"', at)
        if end < 0:
            return len(token.value), _text_piece(token, token.value[at:])
        self.mode = "tag"
        made = [_text_piece(token, token.value[at:end])] if end > at else []
        return end + 1, *made, Piece("edge", [_data(token, '"')])

    def _opaque(self, token: Token, at: int) -> tuple[Any, ...]:
        close = token.value.find(self.opaque, at)
        end = close + len(self.opaque) if close >= 0 else len(token.value)
        if close >= 0:
            self.mode = "text"
        return end, Piece("edge", [_data(token, token.value[at:end])])


class _Plain:
    """Splits the data of a text file: paragraphs, without their marks, and lines that are commands."""

    def data(self, token: Token) -> Iterator[Piece]:
        text = ""
        for line in token.value.splitlines(keepends=True):
            if line.strip() and not _COMMAND.match(line):
                text += line
                continue
            yield from [_text_piece(token, text)] if text else []
            text = ""
            yield Piece("edge", [_data(token, line)])
        yield from [_text_piece(token, text)] if text else []

    def value(self, tokens: list[Token]) -> Piece:
        return _value(tokens)

    def block(self, tokens: list[Token]) -> Piece:
        return Piece("edge", tokens)


def _pieces(tokens: Iterable[Token], reader: _Html | _Plain) -> Iterator[Piece]:
    group: list[Token] = []
    for token in tokens:
        if token.type == "data":
            yield from reader.data(token)
            continue
        group.append(token)
        if token.type == "variable_end":
            piece = reader.value(group)
            yield from [piece] if piece else []
            group = []
        elif token.type == "block_end":
            yield reader.block(group)
            group = []
    yield Piece("edge", group)


def _value(tokens: list[Token]) -> Piece:
    """A macro that draws blocks parts messages; any other expression is a value in one."""
    inner = [token for token in tokens[1:-1] if token.type != "whitespace"]
    kinds = [token.type for token in inner[:4]]
    local = kinds[:2] == ["name", "lparen"] and inner[0].value not in {"_", "ngettext"}
    imported = kinds == ["name", "dot", "name", "lparen"] and inner[0].value in {"part", "tests"}
    if local or (imported and inner[2].value not in _WITHIN):
        return Piece("edge", tokens)
    names = [t.value for t in inner if t.type == "name" and t.value not in _NOT_NAMES]
    return Piece("value", tokens, f"{{{names[-1] if names else 'value'}}}")


def _text_piece(token: Token, text: str) -> Piece:
    return Piece("text", [_data(token, text)], text)


def _data(token: Token, text: str) -> Token:
    return Token(token.lineno, "data", text)


def _flushed(run: Sequence[Piece], translate: Translate, *, html: bool) -> Iterator[Token]:
    """Yield the tokens of a run that no edge parts; tags without their other half part it."""
    pairs = _pairs(run)
    chunk: list[Piece] = []
    for place, piece in enumerate(run):
        if piece.kind == "tag" and place not in pairs:
            yield from _said(chunk, translate, html=html)
            yield from piece.tokens
            chunk = []
        else:
            chunk.append(piece)
    yield from _said(chunk, translate, html=html)


def _pairs(run: Sequence[Piece]) -> dict[int, int]:
    """Return the place of the other half for each tag that has one."""
    still: list[int] = []
    pairs: dict[int, int] = {}
    for place, piece in enumerate(run):
        if piece.kind != "tag":
            continue
        if not piece.shown.startswith("</"):
            still.append(place)
        elif still and run[still[-1]].shown == "<" + piece.shown[2:]:
            pairs[place] = still.pop()
            pairs[pairs[place]] = place
    return pairs


def _said(chunk: list[Piece], translate: Translate, *, html: bool) -> Iterator[Token]:
    """Yield the tokens of one message, or of a run without any word."""
    head, middle, tail = _trimmed(_folded(chunk))
    clean = unescape if html else str
    if any(char.isalpha() for piece in middle if piece.kind == "text" for char in clean(piece.shown)):
        named = _named(middle)
        message = _squeezed("".join(clean(p.shown) if p.kind == "text" else p.shown for p in named))
        said = translate(middle[0].tokens[0].lineno, message)
        if said is not None:
            for piece in head:
                yield from piece.tokens
            yield from _put(said, named) if html else _filled(said, named, head)
            for piece in tail:
                yield from piece.tokens
            return
    for piece in chunk:
        yield from piece.tokens


def _folded(chunk: list[Piece]) -> list[Piece]:
    """An element around nothing but one value is a value."""
    found: list[Piece] = []
    for piece in chunk:
        found.append(piece)
        if len(found) >= 3 and [p.kind for p in found[-3:]] == ["tag", "value", "tag"]:
            opening, value, closing = found[-3:]
            if closing.shown == "</" + opening.shown[1:]:
                found[-3:] = [Piece("value", [*opening.tokens, *value.tokens, *closing.tokens], value.shown)]
    return found


def _trimmed(chunk: list[Piece]) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Part space, marks and elements around the whole from a message."""
    head: list[Piece] = []
    tail: list[Piece] = []
    middle = list(chunk)
    while middle:
        first, last = middle[0], middle[-1]
        if first.kind == "text" and (edge := _edge(first.shown)):
            head.append(_text_piece(first.tokens[0], first.shown[:edge]))
            middle[:1] = [_text_piece(first.tokens[0], first.shown[edge:])] if edge < len(first.shown) else []
        elif last.kind == "text" and last.shown != (bare := last.shown.rstrip(" \n\t")):
            tail.insert(0, _text_piece(last.tokens[0], last.shown[len(bare) :]))
            middle[-1:] = [_text_piece(last.tokens[0], bare)] if bare else []
        elif first.kind == "tag" and _pairs(middle).get(0) == len(middle) - 1:
            head.append(middle.pop(0))
            tail.insert(0, middle.pop())
        else:
            break
    return head, middle, tail


def _edge(text: str) -> int:
    """Return where the words of a text begin, after space and the mark of a heading or list."""
    at = len(text) - len(text.lstrip(" \n\t"))
    mark = _MARK.match(text, at)
    return mark.end() if mark else at


def _named(chunk: Sequence[Piece]) -> list[Piece]:
    """Give different expressions different names."""
    taken: dict[str, list[str]] = {}
    found = []
    for piece in chunk:
        if piece.kind == "value":
            source = " ".join(str(token.value) for token in piece.tokens)
            known = taken.setdefault(piece.shown, [])
            if source not in known:
                known.append(source)
            place = known.index(source)
            piece = Piece("value", piece.tokens, f"{piece.shown[:-1]}{place + 1 if place else ''}}}")  # noqa: PLW2901
        found.append(piece)
    return found


def _squeezed(text: str) -> str:
    return re.sub(r"[ \n\t]+", " ", text)


def _put(said: str, chunk: Sequence[Piece]) -> Iterator[Token]:
    """Yield the tokens of a translation: its words escaped, everything else from the template, in the translation's order."""
    waiting = {shown: [p for p in chunk if p.shown == shown] for shown in {p.shown for p in chunk if p.kind != "text"}}
    line, at = chunk[0].tokens[0].lineno, 0
    for found in FRAME.finditer(said):
        yield Token(line, "data", escape(said[at : found.start()]))
        at = found.end()
        left = waiting[found.group()]
        yield from (left.pop(0) if len(left) > 1 else left[0]).tokens
    yield Token(line, "data", escape(said[at:]))


def _filled(said: str, chunk: Sequence[Piece], head: Sequence[Piece]) -> Iterator[Token]:
    """Yield a translation as a paragraph of a text file. It can add no line of its own, so no command either."""
    before = "".join(piece.shown for piece in head).rpartition("\n")[2]
    values = {piece.shown: piece.tokens for piece in chunk if piece.kind == "value"}
    words = textwrap.fill(
        _squeezed(said), _WIDTH, initial_indent=before, subsequent_indent=" " * len(before), break_long_words=False, break_on_hyphens=False
    )[len(before) :]  # fmt: skip
    line, at = chunk[0].tokens[0].lineno, 0
    for found in re.finditer(r"\{\w*\}", words):
        yield Token(line, "data", words[at : found.start()])
        yield from values.get(found.group(), [Token(line, "data", found.group())])
        at = found.end()
    yield Token(line, "data", words[at:])
