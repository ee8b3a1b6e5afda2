"""A rule that changed inside the period, as printed: the old and the new one side by side on the night of the change. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.control.replaced import Observation, Result, Setting
from evidence.control.result import PeriodFinding, RuleChange
from evidence.render.text import number

_WAYS: Final = {"tighter": "tighter", "looser": "looser", "other": "otherwise"}
_NOBODY: Final = "not recorded"


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change. ``rows`` are name, old and new; ``said`` who asked for what, and why; the rest are items that one rule alone notes."""

    night: str
    before: str
    how: str
    rows: tuple[tuple[str, str, str], ...]
    said: tuple[tuple[str, str], ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]


def changes(finding: PeriodFinding) -> tuple[ChangeView, ...]:
    """Return every change of the period, in order of nights."""
    return tuple(_view(change) for change in finding.changes)


def _view(change: RuleChange) -> ChangeView:
    replaced, old, new = change.replaced, change.replaced.result, change.result
    rows = [
        (f"{each.what}, {_WAYS[each.direction]}", _text(each.before), _text(each.after)) for each in replaced.settings
    ]
    return ChangeView(
        night=change.night.isoformat(),
        before=replaced.night.isoformat(),
        how=_how(change),
        rows=(*rows, *_results(old, new, replaced.missing)),
        said=tuple((each.what, _said(each)) for each in replaced.settings),
        only_old=_items(old, new) if old else (),
        only_new=_items(new, old) if old else (),
    )


def _how(change: RuleChange) -> str:
    replaced = change.replaced
    if replaced.result is None:
        return f"The old rule's result of this night is {replaced.missing}."
    if replaced.revision is not None:
        return f"The old rule's result is assessment {replaced.revision} of this night, sealed while it was in force."
    return "Both rules ran on the same evidence of this night."


def _results(old: Result | None, new: Result, missing: str) -> Iterator[tuple[str, str, str]]:
    for name, of in (
        ("Result", _word),
        ("Items tested", _tested),
        ("Exceptions", _exceptions),
        ("To be reviewed", _reviews),
    ):
        yield name, of(old) if old else ("not available" if missing else ""), of(new)


def _word(result: Result) -> str:
    words = {
        "satisfied": "no exceptions noted",
        "not-satisfied": f"exceptions noted ({len(result.exceptions)})",
        "not-assessed": "not assessed",
        "not-applicable": "not applicable",
    }
    why = f": {result.reason}" if result.status == "not-assessed" and result.reason else ""
    return words[result.status] + why


def _tested(result: Result) -> str:
    return number(result.population)


def _exceptions(result: Result) -> str:
    return number(len(result.exceptions))


def _reviews(result: Result) -> str:
    return number(len(result.reviews))


def _items(one: Result, other: Result | None) -> tuple[str, ...]:
    """Return what ``one`` notes and ``other`` does not, with the reason."""

    def noted(found: Sequence[Observation]) -> set[tuple[str, str]]:
        return {(each.item, each.reason) for each in found}

    mine = noted((*one.exceptions, *one.reviews))
    theirs = noted((*other.exceptions, *other.reviews)) if other else set()
    return tuple(f"{item}: {reason}" for item, reason in sorted(mine - theirs))


def _said(setting: Setting) -> str:
    """Say why, who asked and who approved; what nobody wrote down is said too."""
    if setting.what == "content":
        return "The control's own text or SQL, a fact or a setting of the library is another; its change record is the library's."
    by = f"{setting.by}{f' on {setting.on}' if setting.on else ''}" if setting.by else _NOBODY
    where = f" ({setting.layer})" if setting.layer else ""
    return f"{setting.reason or 'no reason recorded'}{where}. Requested by: {setting.requested_by or _NOBODY}. Approved by: {by}."


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    return ", ".join(map(str, value)) or "empty" if isinstance(value, list | tuple) else str(value)
