"""When another rule comes into force: both rules on that night's evidence, and each night under what was in force then. Pure.

A rule is a control's version, content and parameters. Parameters can be set back and run again; content that is no longer here cannot,
and then an earlier assessment of the same night may still say what it found. What cannot be had is said (auditor-rules section 5).
"""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from evidence.control.model import Change, Control, Library
from evidence.control.overlay import direction_of
from evidence.control.replaced import Replaced, Setting
from evidence.control.result import NightFinding

NOT_HERE = "not available: this content is no longer here, and no assessment of the night by it is sealed"
NOT_RUN = "not available: the night's assessment does not say what the rule before would have found"
Run = Callable[[Library, Sequence[str]], Sequence[NightFinding]]  # judge these controls on the night


def side_by_side(
    library: Library,
    findings: Sequence[NightFinding],
    before: Sequence[NightFinding],
    run: Run,
    earlier: Callable[[], Sequence[tuple[int, Sequence[NightFinding]]]],
) -> list[NightFinding]:
    """Return a night's ``findings``; those by another rule than in ``before``, the night assessed before it, name what that one finds.

    ``run`` judges the same night by a library; ``earlier`` gives its sealed revisions, oldest first, and is asked only where content moved.
    """
    old = {each.control: each for each in before}
    moved = {f.control: old[f.control] for f in findings if f.control in old and old[f.control].rule != f.rule}
    if not moved:
        return list(findings)
    again = {name: ruled(library.controls[name], last) for name, last in moved.items() if name in library.controls}
    here = {name: control for name, control in again.items() if control is not None}
    ran = {f.control: f for f in run(_with(library, here), sorted(here))} if here else {}
    sealed = earlier() if moved.keys() - here.keys() else ()
    return [
        dataclasses.replace(f, replaced=_replaced(library, f, moved[f.control], ran.get(f.control), sealed))
        if f.control in moved
        else f
        for f in findings
    ]


def repeated(library: Library, findings: Sequence[NightFinding], run: Run) -> dict[str, Replaced]:
    """Return what ``findings`` say that they replaced, by control, with every result that ran on the night's evidence run again."""
    said = {f.control: f.replaced for f in findings if f.replaced is not None}
    again = {
        name: control
        for name, each in said.items()
        if each.result is not None and each.revision is None and name in library.controls
        for control in [ruled(library.controls[name], each)]
        if control is not None
    }
    ran = {f.control: f.result for f in run(_with(library, again), sorted(again))} if again else {}
    return {
        name: dataclasses.replace(each, result=ran.get(name)) if name in again else each for name, each in said.items()
    }


def ruled(control: Control, rule: NightFinding | Replaced) -> Control | None:
    """Return ``control`` with the parameters of ``rule``, None where its content is another."""
    if (control.version, control.content_sha256) != (rule.version, rule.content_sha256):
        return None
    values = {name: control.parameters[name].check(value) for name, value in rule.parameters.items()}
    return control.model_copy(update={"values": values})


def unknown(before: NightFinding, finding: NightFinding) -> Replaced:
    """Return what is known of a change whose night was assessed without looking at the rule before."""
    names = sorted(before.parameters.keys() | finding.parameters.keys())
    pairs = [(name, before.parameters.get(name), finding.parameters.get(name)) for name in names]
    settings = (*_content(before, finding), *(Setting(n, old, new, "other") for n, old, new in pairs if old != new))
    return _of(before, settings, missing=NOT_RUN)


def in_force(library: Library, configuration: Mapping[str, Any]) -> tuple[Library, frozenset[str]]:
    """Return ``library`` as a sealed configuration has it, and the controls whose content it names and ``library`` has not."""
    said = configuration["controls"]
    moved = {
        name
        for name, control in library.controls.items()
        if name not in said or said[name]["content_sha256"] != control.content_sha256
    }
    chosen = {name: _configured(control, said[name]) for name, control in library.controls.items() if name not in moved}
    return _with(library, chosen), frozenset(moved)


def _configured(control: Control, said: Mapping[str, Any]) -> Control:
    changes = tuple(Change.model_validate(each) for each in said["changes"])
    until = dt.date.fromisoformat(said["disabled_until"]) if said["disabled_until"] else None
    reasons = [each.reason for each in changes if each.what == "disabled until" and each.after is not None]
    update = {
        "values": {name: control.parameters[name].check(value) for name, value in said["parameters"].items()},
        "severity": said["severity"],
        "disabled_until": until,
        "disabled_reason": reasons[-1] if until and reasons else "",
        "changes": changes,
    }
    return control.model_copy(update=update)


def _with(library: Library, controls: Mapping[str, Control]) -> Library:
    return dataclasses.replace(library, controls={**library.controls, **controls})


def _replaced(
    library: Library,
    finding: NightFinding,
    last: NightFinding,
    ran: NightFinding | None,
    sealed: Sequence[tuple[int, Sequence[NightFinding]]],
) -> Replaced:
    settings = tuple(_settings(library.controls[finding.control], last, finding))
    if ran is not None:
        return _of(last, settings, result=ran.result)
    for revision, findings in reversed(sealed):
        for each in findings:
            if each.control == finding.control and each.rule == last.rule:
                return _of(last, settings, result=each.result, revision=revision)
    return _of(last, settings, missing=NOT_HERE)


def _of(last: NightFinding, settings: Sequence[Setting], **more: Any) -> Replaced:
    return Replaced(last.night, last.version, last.content_sha256, dict(last.parameters), tuple(settings), **more)


def _settings(control: Control, before: NightFinding, after: NightFinding) -> Iterator[Setting]:
    """Yield what differs between two rules, and who said so where an overlay in force does."""
    yield from _content(before, after)
    for name in sorted(before.parameters.keys() | after.parameters.keys()):
        old, new = before.parameters.get(name), after.parameters.get(name)
        if old == new:
            continue
        try:
            way = direction_of(control, name, old, new)
        except (ValueError, KeyError):  # a parameter of other content
            way = "other"
        said = next((change for change in reversed(control.changes) if change.what == name), None)
        if said is None:
            yield Setting(name, old, new, way, reason="as the library has it; no overlay sets it now")
        else:
            on = said.on.isoformat() if said.on else ""
            yield Setting(name, old, new, way, said.layer, said.reason, said.requested_by, said.by, on)


def _content(before: NightFinding, after: NightFinding) -> Iterator[Setting]:
    if (before.version, before.content_sha256) != (after.version, after.content_sha256):
        old, new = (f"version {each.version}, {each.content_sha256[:16]}…" for each in (before, after))
        yield Setting("content", old, new, "other", layer="library")
