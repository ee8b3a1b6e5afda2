"""The parameters of a control as a packet prints them: as used, the library's default, who set them otherwise and why."""

from collections.abc import Mapping
from typing import Any, Final

from evidence.control.definition import Control, Library
from evidence.control.framework import Framework
from evidence.control.model import Change
from evidence.render.inputs import Parameter
from evidence.render.text import known_as, parameter_shown, parameter_text
from evidence.render.words import N_, Phrase, _, join

_WAYS: Final = {
    "tighter": N_("Set tighter in the {layer} overlay{who}. Reason given: {reason}."),
    "looser": N_("Set looser in the {layer} overlay{who}. Reason given: {reason}."),
    "other": N_("Set otherwise in the {layer} overlay{who}. Reason given: {reason}."),
}


def parameters_of(library: Library, control: Control) -> tuple[Parameter, ...]:
    """Return the parameters by name. Ids of requirements stand with the name of their framework, whatever the packet is about."""
    effective: Mapping[str, Any] = control.effective
    return tuple(
        Parameter(
            name,
            parameter_text(effective[name]),
            parameter_text(p.default),
            p.stricter or "",
            p.about,
            join(" ", [set_by(change) for change in control.changes if change.what == name]),
            by_framework(library.frameworks, effective[name]) or parameter_shown(effective[name]),
            by_framework(library.frameworks, p.default) or parameter_shown(p.default),
        )
        for name, p in sorted(control.parameters.items())
    )


def by_framework(frameworks: Mapping[str, Framework], value: object) -> str:
    """Spell a list of requirement ids of more than one framework by framework, ``HIPAA: …; SOC 2: …``; empty for anything else."""
    if not isinstance(value, list | tuple):
        return ""
    known = {name: {entry.id for entry in each.entries} for name, each in sorted(frameworks.items())}
    parts = {name: [each for each in value if each in ids] for name, ids in known.items()}
    found = {name: ids for name, ids in parts.items() if ids}
    if len(found) < 2 or sorted(each for ids in found.values() for each in ids) != sorted(value):
        return ""
    return "; ".join(f"{known_as(name)}: {parameter_text(ids)}" for name, ids in found.items())


def set_by(change: Change) -> Phrase:
    """Say which overlay set a parameter, which way, on whose word and for what reason, as far as that is written there."""
    who = []
    if change.requested_by:
        who.append(_("requested by {name}", name=change.requested_by))
    if change.by:
        who.append(_("approved by {name}", name=change.by))
    if change.on:
        who.append(_("on {day}", day=change.on.isoformat()))
    return _(
        _WAYS[change.direction],
        layer=change.layer,
        who=join("", [" (", join(", ", who), ")"]) if who else "",
        reason=change.reason.rstrip(". "),
    )
