"""Step 9 of a packet: its findings are those that were sealed, and rest on nothing that is not exhibited."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from evidence.bag.exhibit import Exhibit, inputs_of
from evidence.bag.files import BagFiles
from evidence.bag.findings import FINDINGS, canonical_night, read_findings
from evidence.snapshot import canonical
from evidence.snapshot.check import Check, from_faults

_STEP: Final = "findings"


def check_findings(files: BagFiles, exhibits: Mapping[str, Exhibit]) -> Iterator[Check]:
    """Check inputs, nights and periods of ``data/findings.json`` against the verified ``exhibits``."""
    yield from from_faults(_STEP, "every input is exhibited", lambda: _inputs(files, exhibits), FINDINGS)
    yield from from_faults(
        _STEP, "every night finding is sealed in the log", lambda: _nights(files, exhibits), FINDINGS
    )


def _inputs(files: BagFiles, exhibits: Mapping[str, Exhibit]) -> Iterator[tuple[str, str]]:
    known = inputs_of(exhibits)
    for night in read_findings(files).nights():
        for item in night["inputs"]:
            facts = (item["status"], item["rows"], item["rows_digest"])
            if facts not in known.get((item["source"], item["dataset"], item["night"]), set()):
                where = f"{item['source']} {item['dataset']} {item['night']}"
                yield FINDINGS, f"{night['control']} of {night['night']} rests on {where}, which is not exhibited"


def _nights(files: BagFiles, exhibits: Mapping[str, Exhibit]) -> Iterator[tuple[str, str]]:
    """Each night finding equals, in canonical form, one that an exhibited assessment sealed; and the strips agree."""
    sealed = _sealed(exhibits)
    findings = read_findings(files)
    statuses: dict[tuple[str, str], str] = {}
    for night in findings.nights():
        key = (night["control"], night["night"])
        statuses[key] = night["status"]
        if sealed.get(key, (0, ""))[1] != canonical.sha256_hex(canonical.encode(night)):
            yield FINDINGS, f"{key[0]} of {key[1]} is not the finding that was sealed"
    for period in findings.periods():
        yield from ((FINDINGS, fault) for fault in _period_faults(period, statuses, set(sealed)))


def _sealed(exhibits: Mapping[str, Exhibit]) -> dict[tuple[str, str], tuple[int, str]]:
    """Return (control, night) -> log index and SHA-256 of the canonical bytes of the finding that was sealed last."""
    sealed: dict[tuple[str, str], tuple[int, str]] = {}
    for exhibit in exhibits.values():
        if exhibit.entry.type != "assessment":
            continue
        for finding in canonical.decode(exhibit.body, what=exhibit.folder)["findings"]:
            key = (finding["control"], finding["night"])
            value = (exhibit.index, canonical.sha256_hex(canonical.encode(canonical_night(finding))))
            sealed[key] = max(sealed.get(key, value), value)
    return sealed


def _period_faults(
    period: Mapping[str, Any], statuses: Mapping[tuple[str, str], str], sealed: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """No sealed night is left out, the strip says what the nights say, and a failed night is not concluded away."""
    control, strip = period["control"], period["strip"]
    for name, night in sorted(sealed):
        if name == control and period["start"] <= night <= period["end"] and (name, night) not in statuses:
            yield f"{control} of {night} was sealed but is left out"
    for night, status in strip.items():
        if statuses.get((control, night), "not-assessed") != status:
            yield f"{control}: the strip says {status} for {night}, the night finding does not"
    found = {status for (name, night), status in statuses.items() if name == control}
    if "not-satisfied" in found and period["status"] != "not-satisfied":
        yield f"{control} has nights with exceptions, the period says {period['status']}"
    if period["status"] == "satisfied" and "satisfied" not in found:
        yield f"{control} is satisfied over the period without one satisfied night"
