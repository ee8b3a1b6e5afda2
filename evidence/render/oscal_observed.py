"""Observations of ``data/oscal.json``: what each control found, on which evidence, and its exceptions. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self

from evidence.control.coverage import RELIABILITY
from evidence.control.longlist import columns
from evidence.control.result import Interval, NightFinding, PeriodFinding
from evidence.render.inputs import Content, ControlText, SnapshotFact
from evidence.render.oscal_words import identify, latest, line, markup, moment, prop, props
from evidence.render.text import number
from evidence.snapshot.model import DAY

_EVIDENCE: Final = "data/evidence/"
_SEALED: Final = ("/manifest.json", "/object.json")
_BY_PEOPLE: Final = "records."  # datasets of documents and lists that people keep: examined, not tested


@dataclass(frozen=True, slots=True)
class Tally:
    """Exceptions of one reason: all of them, those open on the last night tested, those a waiver accepted on some night."""

    total: int
    open: int
    waived: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What the document refers to over and over: findings, nights and counts by control, exhibits by digest, claims by requirement."""

    packet: str
    owner: tuple[str, str]
    tool_id: str
    findings: Mapping[str, PeriodFinding]
    nights: Mapping[str, Sequence[NightFinding]]
    tallies: Mapping[str, Mapping[str, Tally]]
    facts: Mapping[str, SnapshotFact]
    files: Mapping[str, str]  # SHA-256 -> name of the sealed object in the packet
    claims: Mapping[tuple[str, str], tuple[str, ...]]

    @classmethod
    def of(cls, content: Content, digests: Mapping[str, str]) -> Self:
        """Look everything up once."""
        used = {finding.control: finding for finding in content.periods}
        findings = {text.id: used[text.id] for text in content.controls}
        nights: dict[str, list[NightFinding]] = {control: [] for control in findings}
        for night in content.nights:
            if night.control in nights:
                nights[night.control].append(night)
        return cls(
            packet=content.packet_id,
            owner=(content.entity, content.system_name),
            tool_id=identify("tool", content.tool),
            findings=findings,
            nights=nights,
            tallies={control: _tallies(finding.exceptions) for control, finding in findings.items()},
            facts={fact.manifest_sha256: fact for fact in content.snapshots},
            files={d: n for n, d in sorted(digests.items()) if n.startswith(_EVIDENCE) and n.endswith(_SEALED)},
            claims=_claims(content),
        )

    def observation_id(self, control: str) -> str:
        """Return the id of the observation of a control over the period."""
        return identify("observation", self.packet, control)

    def exception_id(self, control: str, interval: Interval) -> str:
        """Return the id of the observation of one exception."""
        return identify("exception", self.packet, control, interval.item, interval.reason, interval.first_seen)

    def risk_id(self, control: str, reason: str) -> str:
        """Return the id of the risk: the same in every packet of this system, so that it can be followed up."""
        return identify("risk", *self.owner, control, reason)

    def reasons(self, control: str) -> list[str]:
        """Return the reasons of the control's exceptions, sorted."""
        return sorted(self.tallies[control])

    def concluding(self, framework: str, requirement: str) -> tuple[str, ...]:
        """Return the controls that a requirement's word is made of: its primary ones, and those of what stands below."""
        return self.claims.get((framework, requirement), ())

    def inputs(self, control: str) -> dict[str, str]:
        """Return the evidence a control was tested on: SHA-256 of the sealed object -> what it is."""
        return {
            i.manifest_sha256: f"{i.source} {i.dataset}, night {i.night}, revision {i.revision}"
            for night in self.nights[control]
            for i in night.inputs
        }

    def collected(self, control: str) -> str:
        """Return when the last of the control's evidence was captured; for events alone, the end of the last night."""
        times = (self.facts[each].as_of for each in self.inputs(control) if each in self.facts)
        return latest(times, moment(self.findings[control].end + DAY))

    def exhibits(self) -> Iterator[dict[str, Any]]:
        """Yield a resource per sealed object that a control was tested on and that the packet carries, by name."""
        used = {sha256 for control in self.nights for sha256 in self.inputs(control)}
        for sha256, name in sorted(self.files.items(), key=lambda pair: pair[1]):
            if sha256 in used:
                yield self._resource(sha256, name.removeprefix("data/"))

    def _resource(self, sha256: str, name: str) -> dict[str, Any]:
        fact = self.facts.get(sha256)
        known = (
            {
                "receipt-status": fact.status,
                "rows": fact.landed,
                "rows-digest": fact.rows_digest,
                "log-index": fact.log_index,
            }
            if fact
            else {}
        )
        return {
            "uuid": self.exhibit_id(sha256),
            "title": line(name.removeprefix("evidence/").rpartition("/")[0]),
            "props": props(known),
            "rlinks": [{"href": name, "hashes": [{"algorithm": "SHA-256", "value": sha256}]}],
        }

    def exhibit_id(self, sha256: str) -> str:
        """Return the id of a sealed object."""
        return identify("exhibit", sha256)


def _tallies(exceptions: Sequence[Interval]) -> dict[str, Tally]:
    noted = columns(exceptions, "reason", "open", "waivers")
    counts = Counter((reason, still, bool(waivers)) for reason, still, waivers in noted)
    found: dict[str, Tally] = {}
    for (reason, still, waived), count in counts.items():
        sofar = found.get(reason, Tally(0, 0, 0))
        found[reason] = Tally(sofar.total + count, sofar.open + count * still, sofar.waived + count * waived)
    return found


def _claims(content: Content) -> dict[tuple[str, str], tuple[str, ...]]:
    """Every primary mapping, refused ones too as in the matrix, at its requirement and at all above."""
    above = {(c.id, r.id): r.parent for c in content.catalogues for r in c.requirements}
    found: dict[tuple[str, str], set[str]] = {}
    for text in content.controls:
        for mapped in text.maps:
            place = (mapped.framework, mapped.requirement)
            counts = mapped.strength == "primary" and text.id not in RELIABILITY
            while counts and place in above and text.id not in found.setdefault(place, set()):
                found[place].add(text.id)
                place = (mapped.framework, above[place])
    return {place: tuple(sorted(controls)) for place, controls in found.items()}


def observations(content: Content, seen: Observed) -> Iterator[dict[str, Any]]:
    """Yield an observation per control, each followed by its exceptions up to the cap."""
    system = identify("system", *seen.owner)
    for text in content.controls:
        finding = seen.findings[text.id]
        common = {
            "methods": _methods(text, finding),
            "origins": [{"actors": [{"type": "tool", "actor-uuid": seen.tool_id}]}],
            "subjects": [{"subject-uuid": system, "type": "component"}],
            "collected": seen.collected(text.id),
        }
        yield _of_control(content, seen, text, finding) | common | {"relevant-evidence": _evidence(seen, text.id)}
        for interval in islice(finding.exceptions, content.report.export_rows):
            yield _of_exception(seen, text, interval) | common


def _methods(text: ControlText, finding: PeriodFinding) -> list[str]:
    """Rows of platforms are tested, what people keep is examined; where no night was concluded nothing was done."""
    if not finding.satisfied + finding.not_satisfied:
        return ["UNKNOWN"]
    kept = any(name.startswith(_BY_PEOPLE) for name in text.datasets) or not text.datasets
    tested = any(not name.startswith(_BY_PEOPLE) for name in text.datasets)
    return ["EXAMINE"] * kept + ["TEST"] * tested


def _of_control(content: Content, seen: Observed, text: ControlText, finding: PeriodFinding) -> dict[str, Any]:
    total = len(finding.exceptions)
    listed = min(total, content.report.export_rows)
    cut = f" {number(listed)} of {number(total)} exceptions are listed here, all in data/findings.csv."
    return {
        "uuid": seen.observation_id(text.id),
        "title": line(f"{text.id}: {text.title}"),
        "description": markup(f"{finding.conclusion}.") + (cut if listed < total else ""),
        "props": [
            *props({
                "control": text.id,
                "status": finding.status,
                "nights-expected": finding.expected,
                "nights-satisfied": finding.satisfied,
                "nights-not-satisfied": finding.not_satisfied,
                "nights-not-assessed": finding.not_assessed,
                "nights-not-applicable": finding.not_applicable,
                "nights-before-coverage": finding.before_coverage,
                "tested-items": finding.tested_items,
                "exceptions": total,
                "exceptions-open": sum(each.open for each in seen.tallies[text.id].values()),
                "exceptions-waived": sum(each.waived for each in seen.tallies[text.id].values()),
                "exceptions-listed": listed,
                "reviews": len(finding.reviews),
            }),
            *(prop("not-assessed", night, remarks=markup(why)) for night, why in sorted(finding.unknown.items())),
            *(prop("rule-changed", each.night) for each in finding.changes),
        ],
        "types": ["control-objective"],
    }  # fmt: skip


def _evidence(seen: Observed, control: str) -> Iterator[dict[str, Any]]:
    for sha256, what in seen.inputs(control).items():
        if sha256 in seen.files:
            yield {"href": f"#{seen.exhibit_id(sha256)}", "description": markup(what)}
        else:
            yield {"description": markup(f"{what}: not in the packet"), "props": props({"sha256": sha256})}


def _of_exception(seen: Observed, text: ControlText, interval: Interval) -> dict[str, Any]:
    return {
        "uuid": seen.exception_id(text.id, interval),
        "title": line(f"Exception of {text.id}"),
        "description": markup(text.reasons.get(interval.reason, interval.reason)),
        "props": [
            prop("item", interval.item),
            prop("reason", interval.reason),
            *props({
                "control": text.id,
                "first-seen": interval.first_seen,
                "last-seen": interval.last_seen,
                "nights": interval.nights,
                "open": interval.open,
                "days-open": interval.days_open,
                "remediated-on": interval.remediated_on,
                "observed": interval.observed,
                "expected": interval.expected,
                "waived-nights": interval.waived_nights,
            }),
            *(prop("waiver", name) for name in interval.waivers),
        ],
        "types": ["finding"],
    }  # fmt: skip
