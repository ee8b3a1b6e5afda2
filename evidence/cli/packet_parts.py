"""Parts of a period that different rules judged, and what each changed, as a packet prints them."""

from collections.abc import Iterator, Sequence

from evidence.control.model import Control
from evidence.control.result import Stretch
from evidence.render.inputs import Part


def parts(control: Control, stretches: Sequence[Stretch]) -> Iterator[Part]:
    """Yield the parts of a period, each with what it changed."""
    before: Stretch | None = None
    for each in stretches:
        changes = tuple(_changes(control, before, each)) if before else ()
        yield Part(each.start, each.end, each.nights, each.status, changes)
        before = each


def _changes(control: Control, before: Stretch, after: Stretch) -> Iterator[str]:
    if before.version != after.version:
        yield f"version {before.version} to {after.version}"
    elif before.content_sha256 != after.content_sha256:
        yield "another content under the same version"
    for name in sorted({*before.parameters, *after.parameters}):
        old, new = (each.parameters.get(name) for each in (before, after))
        if old != new:
            yield f"{name}: {spelled(old)} to {spelled(new)}, {_direction(control, name, old, new)}"


def _direction(control: Control, name: str, old: object, new: object) -> str:
    """Say which way a value went; one that the control does not have today went nobody knows where."""
    parameter = control.parameters.get(name)
    try:
        was, now = (parameter.check(value) for value in (old, new)) if parameter else (None, None)
    except ValueError:
        return "changed"
    if parameter is None or was is None or now is None:
        return "changed"
    return "looser" if parameter.looser(now, was) else "tighter" if parameter.looser(was, now) else "changed"


def spelled(value: object) -> str:
    """Return a parameter's value as a packet prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)
