"""A rule that changed inside the period, as printed: the old and the new one side by side on the night of the change. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence.control.replaced import Observation, Result, Setting
from evidence.control.result import PeriodFinding, RuleChange
from evidence.render.text import number, parameter_shown, reason_once
from evidence.render.words import N_, _, join

_WAYS: Final = {"tighter": N_("{what}, tighter"), "looser": N_("{what}, looser"), "other": N_("{what}, otherwise")}
_NOBODY: Final = _("not recorded")


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change. ``rows`` are name, old and new; ``said`` who asked for what, and why; the rest are (item, reason)
    that one rule alone notes.
    """

    night: str
    before: str
    how: str
    rows: tuple[tuple[str, str, str], ...]
    said: tuple[tuple[str, str], ...]
    only_old: tuple[tuple[str, str], ...]
    only_new: tuple[tuple[str, str], ...]


def changes(finding: PeriodFinding) -> tuple[ChangeView, ...]:
    """Return every change of the period, in order of nights."""
    return tuple(_view(change) for change in finding.changes)


def _view(change: RuleChange) -> ChangeView:
    replaced, old, new = change.replaced, change.replaced.result, change.result
    rows = [
        (_(_WAYS[each.direction], what=each.what), _text(each.before), _text(each.after)) for each in replaced.settings
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
        return _("The old rule's result of {night} is {missing}.", night=change.night, missing=replaced.missing)
    if replaced.revision is not None:
        return _(
            "The old rule's result is assessment {revision} of {night}, sealed while it was in force.",
            revision=replaced.revision,
            night=change.night,
        )
    return _("Both rules ran on the same evidence of {night}.", night=change.night)


def _results(old: Result | None, new: Result, missing: str) -> Iterator[tuple[str, str, str]]:
    for name, of in (
        (_("Result"), _word),
        (_("Items tested"), _tested),
        (_("Exceptions"), _exceptions),
        (_("To be reviewed"), _reviews),
    ):
        yield name, of(old) if old else (_("not available") if missing else ""), of(new)


def _word(result: Result) -> str:
    words = {
        "satisfied": _("no exceptions noted"),
        "not-satisfied": _("exceptions noted ({n})", n=number(len(result.exceptions))),
        "not-assessed": _("not assessed"),
        "not-applicable": _("not applicable"),
    }
    why = [reason_once(result.reason)] if result.status == "not-assessed" and result.reason else []
    return join(": ", [words[result.status], *why])


def _tested(result: Result) -> str:
    return number(result.population)


def _exceptions(result: Result) -> str:
    return number(len(result.exceptions))


def _reviews(result: Result) -> str:
    return number(len(result.reviews))


def _items(one: Result, other: Result | None) -> tuple[tuple[str, str], ...]:
    """Return what ``one`` notes and ``other`` does not, with the reason."""

    def noted(found: Sequence[Observation]) -> set[tuple[str, str]]:
        return {(each.item, each.reason) for each in found}

    mine = noted((*one.exceptions, *one.reviews))
    theirs = noted((*other.exceptions, *other.reviews)) if other else set()
    return tuple(sorted(mine - theirs))


def _said(setting: Setting) -> str:
    """Say why, who asked and who approved; what nobody wrote down is said too."""
    if setting.what == "content":
        return _(
            "The control's own text or SQL, a fact or a setting of the library is another; its change record is the library's."
        )
    by = setting.by or _NOBODY
    return _(
        "{reason}. Requested by: {requested_by}. Approved by: {approved_by}.",
        reason=join(
            "",
            [
                setting.reason or _("no reason recorded"),
                _(" (overlay: {layer})", layer=setting.layer) if setting.layer else "",
            ],
        ),
        requested_by=setting.requested_by or _NOBODY,
        approved_by=_("{name} on {day}", name=by, day=setting.on) if setting.by and setting.on else by,
    )


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return "empty" if isinstance(value, list | tuple) and not value else parameter_shown(value)
