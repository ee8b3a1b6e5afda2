"""Overlays: what a profile, the organisation and the account set otherwise than the library, each in turn, the last one wins.

Each may set parameters inside their bounds, a severity, or switch a control off until a date; always with a reason, and who changed
what is kept in :attr:`Control.changes`. The *configuration* is the outcome as one object: it is sealed with what was assessed by it.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, get_args

from evidence.control.model import Change, Control, Layer, Library, Severity, Value, grade
from evidence.errors import ControlError
from evidence.snapshot import canonical

FORMAT: Final = "evidence-configuration-v1"
UNKNOWN: Final = "max_unknown_nights"
PROFILE, ORGANISATION, ACCOUNT = "profile", "organisation", "account"
FILES: Final[Mapping[str, str]] = {
    PROFILE: "profile.toml",
    ORGANISATION: "organisation.toml",
    ACCOUNT: "overlay.toml",
}  # in a packet
_HEAD: Final = frozenset({"controls", "title", "about"})
_MAY: Final = ("reason", "requested_by", "by", "on", "parameters", "severity", "enabled", "until")


def apply_layers(controls: Mapping[str, Control], layers: Sequence[Layer]) -> dict[str, Control]:
    """Return ``controls`` with every layer applied in order. Raises ``ControlError`` for anything a layer may not change."""
    changed = dict(controls)
    for layer in layers:
        for key in sorted(set(layer.body) - _HEAD):
            raise ControlError(
                f"overlay: {layer.name}: unknown key {key}",
                fix="only [controls.<id>] tables, title and about stand in an overlay",
            )
        for name, change in layer.body.get("controls", {}).items():
            if name not in controls:
                raise ControlError(
                    f"overlay: {layer.name}: no control {name!r}", fix="`evidence controls list` names them"
                )
            changed[name] = _overlaid(changed[name], change, layer)
    return changed


def within(layers: Sequence[Layer], names: Collection[str]) -> list[Layer]:
    """Return ``layers`` as far as they speak of ``names``: a packet holds the controls of its report only."""
    found = []
    for layer in layers:
        kept = {name: each for name, each in layer.body.get("controls", {}).items() if name in names}
        found.append(Layer(layer.name, {**layer.body, "controls": kept}, layer.sha256))
    return found


def configuration(library: Library) -> bytes:
    """Return what is in force, whole: every control's version, severity and parameters, and who changed what."""
    return canonical.encode(
        {
            "format": FORMAT,
            "library": {"version": library.version, "sha256": library.sha256},
            "layers": [{"name": layer.name, "sha256": layer.sha256} for layer in library.layers],
            "settings": {name: _plain(value) for name, value in sorted(library.settings.items())},
            **({} if library.max_unknown_nights is None else {UNKNOWN: library.max_unknown_nights}),
            "controls": {
                control.id: {
                    "version": control.version,
                    "content_sha256": control.content_sha256,
                    "severity": control.severity,
                    "disabled_until": control.disabled_until.isoformat() if control.disabled_until else None,
                    "parameters": control.effective,
                    "changes": [_spelled(change) for change in control.changes],
                }
                for control in library.controls.values()
            },
        }
    )


def sealed_unknown(
    assessments: Sequence[Mapping[str, Any]], configurations: Mapping[str, Mapping[str, Any]]
) -> int | None:
    """Return how many nights of a period may be not assessed, as sealed for the last of its ``assessments`` that says it.

    ``configurations`` by digest. None: they are of a release that sealed no such number.
    """
    named = [configurations.get(str(each.get("configuration", "")), {}) for each in assessments]
    said = [int(each[UNKNOWN]) for each in named if UNKNOWN in each]
    return said[-1] if said else None


def _spelled(change: Change) -> dict[str, Any]:
    body = change.model_dump(mode="json")
    return body if change.requested_by else {name: value for name, value in body.items() if name != "requested_by"}


def _overlaid(control: Control, change: Mapping[str, Any], layer: Layer) -> Control:
    where = f"overlay: {layer.name}: controls.{control.id}"
    for key in sorted(set(change) - set(_MAY)):
        raise ControlError(f"{where}: {key} cannot be changed by an overlay", fix=f"may be set: {', '.join(_MAY)}")
    if not str(change.get("reason", "")).strip():
        raise ControlError(f"{where}: no reason", fix="say why, who agreed and when")
    names = [change.get(who, "") for who in ("by", "requested_by")]
    if type(change.get("on", dt.date.min)) is not dt.date or not all(isinstance(name, str) for name in names):
        raise ControlError(f"{where}: `on` is a date, `by` and `requested_by` are names", fix="write on = 2026-01-31")
    update: dict[str, Any] = {"values": {**control.values, **_values(control, change, where)}}
    if "severity" in change:
        if change["severity"] not in get_args(Severity):
            raise ControlError(
                f"{where}: severity {change['severity']!r}", fix=f"one of {', '.join(get_args(Severity))}"
            )
        update["severity"] = change["severity"]
    if "enabled" in change or "until" in change:
        update |= _enabled(change, where)
    said = tuple(_changes(control, control.model_copy(update=update), change, layer))
    return control.model_copy(update={**update, "changes": (*control.changes, *said)})


def _values(control: Control, change: Mapping[str, Any], where: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in change.get("parameters", {}).items():
        if name not in control.parameters:
            raise ControlError(
                f"{where}: no parameter {name}", fix=f"parameters: {', '.join(control.parameters) or 'none'}"
            )
        try:
            found[name] = control.parameters[name].check(value)
        except ValueError as exc:
            raise ControlError(f"{where}: {name}: {exc}", fix="stay inside the control's bounds") from exc
    return found


def _enabled(change: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Switch off until a date, or on again what an earlier layer switched off."""
    if change.get("enabled") is True and "until" not in change:
        return {"disabled_until": None, "disabled_reason": ""}
    until = change.get("until")
    if type(until) is not dt.date or change.get("enabled") is not False:
        raise ControlError(
            f"{where}: enabled = false needs until = <date>", fix="a control is off for a time, not for ever"
        )
    return {"disabled_until": until, "disabled_reason": str(change["reason"])}


def _changes(before: Control, after: Control, change: Mapping[str, Any], layer: Layer) -> Iterator[Change]:
    """Yield what differs now; a value that an overlay repeats is no change."""
    who = {name: change.get(name, "") for name in ("requested_by", "by")}
    said = {"layer": layer.name, "reason": str(change["reason"]), **who, "on": change.get("on")}
    for name in change.get("parameters", {}):
        old, new = before.effective[name], after.effective[name]
        if old != new:
            yield Change(what=name, before=old, after=new, direction=direction_of(before, name, old, new), **said)
    if before.severity != after.severity:
        rise = grade(after.severity) < grade(before.severity)
        yield Change(
            what="severity",
            before=before.severity,
            after=after.severity,
            direction="tighter" if rise else "looser",
            **said,
        )
    if before.disabled_until != after.disabled_until:
        old, new = (each.disabled_until.isoformat() if each.disabled_until else None for each in (before, after))
        longer = new is not None and (old is None or new > old)
        yield Change(what="disabled until", before=old, after=new, direction="looser" if longer else "tighter", **said)


def direction_of(control: Control, name: str, old: Any, new: Any) -> Literal["tighter", "looser", "other"]:
    """Return which way a parameter goes from ``old`` to ``new``; ``other`` where it states none. Raises ``ValueError`` for no value of it."""
    parameter = control.parameters[name]
    was, now = parameter.check(old), parameter.check(new)
    if parameter.looser(now, was):
        return "looser"
    return "tighter" if parameter.looser(was, now) else "other"


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value
