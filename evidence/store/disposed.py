"""Checking what the log records as disposed: whether it counts, and that whatever is still there of it is unaltered."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from evidence.errors import EvidenceError
from evidence.snapshot.check import Check, failed, proved, unmade
from evidence.snapshot.entry import Entry
from evidence.snapshot.manifest import Manifest
from evidence.store.committed import STEP, fault_of, refs_of
from evidence.store.disposal import Disposals
from evidence.store.history import History
from evidence.store.objects import ObjectStore

_STEP = "disposal"


@dataclass(slots=True)
class _Tally:
    snapshots: int = 0
    gone: int = 0
    there: int = 0
    unknown: int = 0


def check_disposed(
    store: ObjectStore, history: History, disposals: Disposals, named: set[str], folders: set[str]
) -> Iterator[Check]:
    """Check every disposal entry; ``named`` and ``folders`` get what is still there and no leftover.

    A file that is there must be what it was sealed as; one that is gone is said, and no failure. Where the manifest is gone,
    nobody can say of a file beside it what it should be.
    """
    for number, fault in disposals.faults:
        yield failed(_STEP, f"entry {number} does not count: {fault}", f"log entry {number}")
    groups: dict[int, list[int]] = defaultdict(list)
    for index, number in disposals.entries.items():
        groups[number].append(index)
    for number, indexes in sorted(groups.items()):
        disposal, tally = disposals.recorded[number], _Tally()
        subject = f"data/{disposal.source}/{disposal.dataset}/"
        present = set(store.list(subject))
        for index in sorted(indexes):
            yield from _look(store, Entry.from_bytes(history.raw(index)), present, tally, named, folders)
        days = f"{disposal.seen_at:%Y-%m-%d}, kept for {disposal.days} days, no hold stood"
        yield proved(_STEP, f"entry {number}: {tally.snapshots} snapshots seen gone {days}", subject)
        rest = f"{tally.there} still there and whole, {tally.unknown} without a manifest to compare with"
        yield unmade(
            STEP,
            f"disposed, by rule, recorded in entry {number}: {tally.gone} files of {tally.snapshots} snapshots; {rest}",
            subject,
        )


def _look(
    store: ObjectStore, entry: Entry, present: set[str], tally: _Tally, named: set[str], folders: set[str]
) -> Iterator[Check]:
    tally.snapshots += 1
    ref = entry.object
    if ref is None:
        return
    folder = ref.path.rpartition("/")[0]
    refs = [ref]
    if ref.path in present:
        try:
            manifest = Manifest.from_bytes(store.get(ref.path, sha256=ref.sha256))
        except (EvidenceError, OSError) as exc:
            folders.add(folder)
            yield failed(STEP, str(exc), ref.path)
            return
        refs += refs_of(manifest)
    else:
        folders.add(folder)
        tally.unknown += sum(path.startswith(f"{folder}/") for path in present)
    for each in refs:
        named.add(each.path)
        if each.path not in present:
            tally.gone += 1
        elif fault := fault_of(store, each):
            yield failed(STEP, fault, each.path)
        else:
            tally.there += 1
