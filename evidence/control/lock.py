"""The lock of a library: ``lock.toml`` beside the controls holds the version and content digest of each control and fact.

One version names one content: a packet prints both, and a reader may take the version for the whole. So content that moved under
an unchanged version is refused by lint, and by the renewal of the lock too, unless no release ever carried it (``amend``).
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evidence.control.model import Control, Fact, Library
from evidence.errors import ControlError

LOCK: Final = "lock.toml"
RENEW: Final = "evidence controls lock"
_KINDS: Final = ("controls", "facts")
_HEAD: Final = (
    f"# Version and content digest of each control and fact; `{RENEW}` writes it (docs/formats/control.md).\n"
)


@dataclass(frozen=True, slots=True)
class Locked:
    """One line of a lock."""

    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What differs from a lock. ``refused``: the same or a lower version stands over other content; else renewing is enough."""

    kind: str
    name: str
    message: str
    refused: bool


Lines = dict[tuple[str, str], Locked]


def roots(library: Library) -> tuple[Path, ...]:
    """Return the directories the library was read from, as far as they hold a control or a fact."""
    found = [Path(control.folder).parents[1] for control in library.controls.values()]
    found += [Path(fact.folder).parent for fact in library.facts.values()]
    return tuple(sorted(set(found)))


def lines(library: Library, root: Path) -> Lines:
    """Return what a lock of ``root`` would hold now."""
    controls = [each for each in library.controls.values() if Path(each.folder).parents[1] == root]
    facts = [each for each in library.facts.values() if Path(each.folder).parent == root]
    return {
        **{("controls", each.id): _locked(each) for each in controls},
        **{("facts", each.name): _locked(each) for each in facts},
    }


def read(root: Path) -> Lines | None:
    """Return the lock of ``root``, None where there is none. Raises ``ControlError`` naming the file."""
    path = root / LOCK
    if not path.exists():
        return None
    try:
        body = tomllib.loads(path.read_text())
        return {(kind, name): _line(each) for kind, name, each in _entries(body)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ControlError(f"{path}: {exc!r}", fix=f"restore it, or remove it and run `{RENEW}`") from exc


def moved(locked: Lines, now: Lines) -> Iterator[Moved]:
    """Yield every difference, controls first, by name."""
    for key in sorted(locked.keys() | now.keys()):
        before, after = locked.get(key), now.get(key)
        if before != after:
            yield _moved(*key, before, after)


def spell(found: Lines) -> str:
    """Return the file's text: one line each, sorted, so that two branches merge."""
    parts = [_HEAD]
    for kind in _KINDS:
        parts.append(f"\n[{kind}]\n")
        parts += [
            f'{name} = {{ version = "{each.version}", sha256 = "{each.sha256}" }}\n'
            for (where, name), each in sorted(found.items())
            if where == kind
        ]
    return "".join(parts)


def renewed(root: Path, library: Library, *, amend: bool = False) -> tuple[str, list[Moved]]:
    """Return the new text of ``root``'s lock and what it changes. Raises ``ControlError`` for content under an old version."""
    now = lines(library, root)
    changes = list(moved(read(root) or {}, now))
    refused = [each for each in changes if each.refused]
    if refused and not amend:
        raise ControlError(
            "; ".join(f"{each.name}: {each.message}" for each in refused),
            fix=f"raise the version of each; `{RENEW} --amend` only where no release and no sealed night carried the old content",
        )
    return spell(now), changes


def _moved(kind: str, name: str, before: Locked | None, after: Locked | None) -> Moved:
    renew = f"run `{RENEW}`"
    if after is None:
        return Moved(kind, name, f"is locked and no longer there; {renew}", refused=False)
    if before is None:
        return Moved(kind, name, f"is not in the lock; {renew}", refused=False)
    if before.version == after.version:
        return Moved(
            kind, name, f"content moved under version {after.version}; raise the version, then {renew}", refused=True
        )
    if _number(before.version) > _number(after.version):
        return Moved(
            kind, name, f"version {after.version} is lower than the locked {before.version}; raise it", refused=True
        )
    return Moved(kind, name, f"version {after.version} is not locked yet ({before.version} is); {renew}", refused=False)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _locked(each: Control | Fact) -> Locked:
    return Locked(each.version, each.content_sha256)


def _entries(body: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    strange = sorted(set(body) - set(_KINDS))
    if strange:
        raise ValueError(f"unknown key {strange[0]}")
    return ((kind, name, each) for kind in _KINDS for name, each in body.get(kind, {}).items())


def _line(each: Mapping[str, Any]) -> Locked:
    line = Locked(**each)
    _number(line.version)
    return line
