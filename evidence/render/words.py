"""Sentences that can be said in another wording. Pure.

:func:`_` and :func:`ngettext` mark a message, as gettext does, and return its English at once: a :class:`Phrase` is that text, and
remembers what it was made of. Whatever prints it may ask :class:`Words` to say it otherwise; whatever does not (JSON, OSCAL, logs)
has English. So no function that makes a sentence needs to know the language.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from gettext import NullTranslations
from typing import Any, Final, Self

from evidence.render.text import number

Values = Mapping[str, object]


class Phrase(str):
    """English text that knows its message. With ``parts`` it is those, one after the other, with the text between them."""

    __slots__ = ("amount", "message", "parts", "plural", "values")
    message: str
    plural: str
    amount: int
    values: Values
    parts: tuple[str, ...]

    @classmethod
    def of(cls, message: str, plural: str = "", count: int = 1, values: Values | None = None) -> Self:
        """Return the English of ``message``, or of ``plural`` unless ``count`` is one; ``values`` fill its ``{names}``."""
        values = values or {}
        text = plural if plural and count != 1 else message
        made = cls(text.format(**values) if values else text)
        made.message, made.plural, made.amount, made.values, made.parts = message, plural, count, values, ()
        return made

    @classmethod
    def joined(cls, parts: Iterable[str]) -> Self:
        """Return ``parts`` as one text."""
        parts = tuple(parts)
        made = cls("".join(parts))
        made.message, made.plural, made.amount, made.values, made.parts = "", "", 1, {}, parts
        return made


def _(message: str, **values: object) -> Phrase:
    """Mark a message; ``values`` fill its ``{names}``."""
    return Phrase.of(message, values=values)


def ngettext(one: str, many: str, count: int, **values: object) -> Phrase:
    """Mark a message that depends on a number, which is ``{n}`` in it."""
    return Phrase.of(one, many, count, {"n": number(count), **values})


def N_(message: str) -> str:  # noqa: N802 - gettext's own name
    """Mark a message that is data here; :meth:`Words.say` knows it by its English."""
    return message


def join(between: str, parts: Iterable[str]) -> Phrase:
    """Join as ``str.join`` does; each part keeps its message."""
    found: list[str] = []
    for part in parts:
        found += [between, part] if found else [part]
    return Phrase.joined(found)


_DIGITS: Final = 18  # of a count; what is longer is none
CONCLUSIONS: Final = (
    N_("no exceptions noted"),
    N_("exceptions noted"),
    N_("not assessed"),
    N_("not applicable"),
)
_CONCLUDED: Final = (  # the spellings of a sealed conclusion (evidence.control.period, evidence.control.coverage)
    N_("no exceptions noted"),
    N_("exceptions noted ({n})"),
    N_("not applicable ({why})"),
    N_("not assessed: before coverage"),
    N_("not assessed: nothing recorded by the source, and no signed statement that it did not occur"),
    N_("not assessed: {n} of {all} nights"),
    N_("not assessed: {n} of {all} primary control"),
    N_("not assessed: {n} of {all} primary controls"),
    N_("not assessed: no finding for the period"),
    N_("no conclusion on {n} of {all} part"),
    N_("no conclusion on {n} of {all} parts"),
    N_("no conclusion: supporting evidence only"),
    N_("no conclusion: needs a signed statement"),
    N_("no conclusion: rests on the provider's report"),
    N_("no conclusion: uncovered"),
)
_SPELLINGS: Final = tuple(
    (message, re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*)", re.escape(message)), re.DOTALL))
    for message in _CONCLUDED
)


VOCABULARY: Final = (  # words of findings and registers that pages print; there they are data
    *(N_("critical"), N_("high"), N_("medium"), N_("low")),
    *(N_("primary"), N_("supporting"), N_("manual"), N_("inherited"), N_("none")),
    *(N_("required"), N_("addressable"), N_("Exceptions"), N_("Review items"), N_("exceptions"), N_("review items")),
    *(N_("kept"), N_("decided late"), N_("pending"), N_("expired"), N_("removal shown"), N_("removal due later")),
    *(N_("removal overdue"), N_("removal not shown"), N_("reopened")),
    *(
        N_("missing evidence"),
        N_("denied"),
        N_("incomplete"),
        N_("unavailable"),
        N_("stale"),
        N_("edition"),
        N_("empty"),
    ),
    *(N_("before coverage"), N_("disabled"), N_("pending review"), N_("control error"), N_("none: nothing was sealed")),
    *(N_("no earlier packet of this report is in the log"),),
)


def concluded(sealed: str) -> str:
    """Return a sealed conclusion as the message it was spelled from; another text as it is."""
    for message, spelling in _SPELLINGS:
        if found := spelling.fullmatch(sealed):
            return Phrase.of(message, values={name: _counted(name, value) for name, value in found.groupdict().items()})
    first, both, rest = sealed.partition("; not assessed: ")
    return join("; ", [concluded(first), concluded(f"not assessed: {rest}")]) if both else sealed


def _counted(name: str, value: str) -> str:
    """Spell a count as pages do; it is sealed without separators. Anything else stays as it is."""
    counts = name in {"n", "all"} and len(value) <= _DIGITS and value.isascii() and value.isdigit()
    return number(int(value)) if counts else value


@dataclass(frozen=True, slots=True)
class Words:
    """A wording: what it says for the catalogue's messages. The default says everything in the product's own English.

    ``file`` and ``sha256`` name it in the packet, ``changed`` of ``total`` messages are its own. ``conclusions`` are the product's words
    for a conclusion with those of this wording: the packet prints both.
    """

    language: str = "en"
    file: str = ""
    sha256: str = ""
    changed: int = 0
    total: int = 0
    conclusions: tuple[tuple[str, str], ...] = ()
    translations: NullTranslations = field(default_factory=NullTranslations, compare=False, repr=False)

    @property
    def own(self) -> bool:
        """Whether anything is worded otherwise than by the product."""
        return bool(self.file)

    def say(self, value: Any) -> Any:
        """Return a phrase in this wording. Anything else stays: a value that reads like a message is none."""
        if not self.file or not isinstance(value, Phrase):
            return value
        if value.parts:
            return "".join(self.say(part) for part in value.parts)
        values = {name: self.say(each) for name, each in value.values.items()}
        if value.plural:
            text = self.translations.ngettext(value.message, value.plural, value.amount)
        else:
            text = self.translations.gettext(value.message)
        return text.format(**values) if values else text

    def word(self, value: str) -> Any:
        """Return a word of findings, registers or reports in this wording (``VOCABULARY``, conclusions); for those alone."""
        said = concluded(value)
        return self.say(said if isinstance(said, Phrase) else _(said)) if said else said

    def among(self, messages: Iterable[str]) -> dict[str, str]:
        """Return what stands for each of ``messages`` that is said otherwise; for the script of the page, which looks it up itself."""
        return {message: said for message in messages if (said := self.of(message)) is not None}

    def of(self, message: str) -> str | None:
        """Return what stands for ``message`` here; None if that is the product's own."""
        said = self.translations.gettext(message) if self.file else message
        return None if said == message else said


ENGLISH: Final = Words()
