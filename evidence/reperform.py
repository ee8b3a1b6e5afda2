"""Step 6: compute the findings of a packet again, from its own evidence, content and clock, and compare byte for byte.

``verify`` first: re-performance takes every file of the bag as it stands. Needs the SQL engine. Rows that the packet only references are
read from a store, if one is given: the digests in the packet's manifests say which bytes, so the store is not trusted. Without one
it says "not checked" of controls that read them, never ok; receipts and earlier findings are always in the packet.
"""

import datetime as dt
import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from evidence.bag.content import CONTROLS, unsealed_layers, unsealed_registers
from evidence.bag.exhibit import ROOT, read_referenced
from evidence.bag.files import BagFiles
from evidence.bag.findings import FINDINGS, Findings, canonical_night, findings_pieces, read_findings
from evidence.carried import Carried, Opened, Rules
from evidence.control.definition import Library
from evidence.control.gate import requirements
from evidence.control.overlay import FILES, UNKNOWN, sealed_unknown
from evidence.control.period import assess_period
from evidence.control.register import Registers
from evidence.control.result import NightFinding, streamed
from evidence.errors import EvidenceError
from evidence.snapshot.check import Check, Verification
from evidence.store.objects import ObjectStore
from evidence.workers import in_workers, stretches, worth

STEP = "re-performance"


def reperform(path: Path, open_store: Callable[[], ObjectStore] | None = None, jobs: int = 1) -> Verification:
    """Compute every night and period finding of the (verified) packet at ``path`` again and compare.

    Rows that it only references are read from the store that ``open_store`` opens. With more ``jobs`` than one, nights are computed by as
    many processes, each of which opens packet and store for itself: both are module-level functions and plain values then.
    """
    try:
        with closing(Opened(path, open_store)) as opened:
            checks = tuple(_compare(opened, partial(Opened, path, open_store), jobs))
    except (EvidenceError, OSError, KeyError, ValueError, zipfile.BadZipFile, BrokenProcessPool) as exc:
        checks = (Check(STEP, ok=False, detail=f"cannot be computed: {exc}"),)
    return Verification(path.name, checks)


def _compare(opened: Opened, again: Callable[[], Opened], jobs: int) -> Iterator[Check]:
    files, effective, library, rules = opened.files, opened.effective, opened.library, opened.rules
    sealed, chosen = read_findings(files), opened.chosen()
    concluded = sorted({finding["control"] for finding in sealed.nights()})
    yield from _foreign(files, opened.registers, rules, list(chosen.values()), concluded)
    yield from _unknown_nights(effective[UNKNOWN], sealed_unknown(list(chosen.values()), rules.configurations))
    other = set().union(*(rules.moved(assessment) for assessment in chosen.values())) & set(concluded)
    reach = set[str]() if opened.store is not None else _out_of_reach(files, library, opened.snapshots)
    wanted = [name for name in concluded if name not in reach | other]
    if concluded and not wanted and not other:
        said = "the packet only references its evidence: add --store"
        yield Check(STEP, ok=None, detail=said, subject=ROOT)
        return
    nights = _nights(opened, again, wanted, jobs)
    yield from _night_checks(nights, (f for f in sealed.nights() if f["control"] in wanted))
    yield _whole(library, nights, effective, sealed, None if len(wanted) == len(concluded) else wanted)
    for name in sorted(set(concluded) - set(wanted)):
        why = "its rows are referenced only: add --store"
        if name in other:
            why = "its content changed inside the period, and the packet has only the last"
        yield Check(STEP, ok=None, detail=f"{name}: {why}", subject=ROOT)


def _nights(opened: Opened, again: Callable[[], Opened], wanted: Sequence[str], jobs: int) -> list[NightFinding]:
    """Judge every night of the period, here or by workers where that is worth opening the packet again."""
    nights = list(opened.chosen())
    if not worth(len(nights), jobs):
        return _judged(opened, (nights, wanted))
    orders = [(each, wanted) for each in stretches(nights, jobs)]
    return [finding for found in in_workers(again, _judged, orders, jobs) for finding in found]


def _judged(opened: Opened, order: tuple[Sequence[dt.date], Sequence[str]]) -> list[NightFinding]:
    nights, wanted = order
    return [finding for night in nights for finding in opened.judged(night, wanted)]


def _foreign(
    files: BagFiles,
    registers: Registers,
    rules: Rules,
    assessments: Sequence[Mapping[str, Any]],
    concluded: Sequence[str],
) -> Iterator[Check]:
    """Find content of the packet that no night of it was judged by: it was changed after the log had sealed what was used."""
    faults = list(unsealed_registers(files, registers.digests))
    configurations = list(rules.configurations.values())
    faults += unsealed_layers(files, FILES, configurations) if configurations else ()
    known = [each for each in assessments if each.get("configuration") in rules.configurations]
    always = frozenset[str]().union(*map(rules.moved, known)).intersection(*map(rules.moved, known))
    for name in sorted(always & set(concluded)):
        faults.append((f"{CONTROLS}{name}/", "what the packet shows of this control was in force on no night of it"))
    yield from (Check(STEP, ok=False, detail=words, subject=name) for name, words in faults)


def _unknown_nights(shown: int, sealed: int | None) -> Iterator[Check]:
    """Compare how many nights may lack an assessment with what was sealed for the last night; earlier releases sealed it nowhere."""
    subject = f"{CONTROLS}effective.json"
    if sealed is None and shown:
        yield Check(
            STEP, ok=None, detail=f"no assessment has sealed that {shown} nights may be not assessed", subject=subject
        )
    elif sealed is not None and shown != sealed:
        yield Check(
            STEP,
            ok=False,
            detail=f"{shown} nights may be not assessed, and {sealed} is what was sealed",
            subject=subject,
        )


def _out_of_reach(
    files: BagFiles, library: Library, snapshots: Mapping[tuple[str, str, dt.date], Sequence[Carried]]
) -> set[str]:
    """Return the controls that read rows of a dataset of which the bag only references some."""
    referenced = read_referenced(files)
    datasets = {name for (_, name, _), found in snapshots.items() if any(c.folder in referenced for c in found)}
    return {
        control.id
        for control in library.controls.values()
        if datasets & {requirement.dataset for requirement in requirements(library, control)}
    }


def _night_checks(nights: Sequence[NightFinding], sealed: Iterable[Mapping[str, Any]]) -> Iterator[Check]:
    """One line per finding that differs, and one for all that agree."""
    mine = {(f.control, f.night.isoformat()): f for f in nights}
    count = same = 0
    for finding in sealed:
        control, night = finding["control"], finding["night"]
        again, count = mine.pop((control, night), None), count + 1
        if again is not None and canonical_night(again.to_json()) == finding:
            same += 1
        else:
            yield _differs(control, night)
    yield from (_differs(*key) for key in sorted(mine))
    yield Check(STEP, ok=same == count > 0, detail=f"{same} of {count} night findings computed again, equal")


def _differs(control: str, night: str) -> Check:
    return Check(STEP, ok=False, detail=f"{control} on {night} comes out otherwise", subject=FINDINGS)


def _whole(
    library: Library,
    nights: Sequence[NightFinding],
    effective: Mapping[str, Any],
    sealed: Findings,
    wanted: Sequence[str] | None,
) -> Check:
    """Compare the whole file, or what ``wanted`` names of it; finding by finding, because it may be long."""
    start, end = (dt.date.fromisoformat(effective["period"][edge]) for edge in ("start", "end"))
    by_control: dict[str, list[NightFinding]] = {}
    for finding in nights:
        by_control.setdefault(finding.control, []).append(finding)
    unknown = effective[UNKNOWN]
    periods = (
        assess_period(library.controls[name], found, start, end, max_unknown_nights=unknown)
        for name, found in sorted(by_control.items())
    )
    in_order = sorted(nights, key=lambda f: (f.control, f.night))
    again = findings_pieces(
        start.isoformat(),
        end.isoformat(),
        map(streamed, periods),
        (canonical_night(streamed(finding)) for finding in in_order),
    )
    if wanted is None:
        theirs, what = hashlib.sha256(sealed.body).digest(), "findings.json comes out"
    else:
        kept = ([f for f in part if f["control"] in wanted] for part in (sealed.periods(), sealed.nights()))
        theirs = _digest(findings_pieces(sealed.start, sealed.end, *kept))
        what = "what of findings.json could be computed again comes out"
    same = _digest(again) == theirs
    if unknown:
        what = f"with {unknown} nights not assessed allowed in a control that is satisfied, {what}"
    return Check(STEP, ok=same, detail=f"{what} {'byte for byte' if same else 'otherwise'}", subject=FINDINGS)


def _digest(pieces: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
