"""What a packet is rendered from: plain values, no store, no clock, no keys.

``docs/formats/packet.md`` says where each comes from. Everything printed as fact about evidence comes from receipts and log
entries; everything from ``system.toml`` is printed as management's description, not tested.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from evidence.control.measure import Measured
from evidence.control.requests import Request
from evidence.control.result import NightFinding, PeriodFinding
from evidence.errors import ConfigError
from evidence.render.looks import PLAIN, Looks
from evidence.render.report import Report
from evidence.render.words import Words, _

if TYPE_CHECKING:  # they show values of this module
    from evidence.render.campaign import AccessReview
    from evidence.render.nightly import NightFacts

Strength = Literal["primary", "supporting"]
DEMO: Final = "DEMONSTRATION KEYS"  # one machine holds all keys of the workspace


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of a framework catalogue. ``gist`` is our own sentence; regulation text never ships."""

    id: str
    citation: str
    title: str
    gist: str = ""
    level: str = ""
    requirement: str = ""  # required, addressable or empty
    evidence_mode: str = ""
    parent: str = ""
    text: str = ""  # official text that the workspace brought; never the product's


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A framework: ``id`` is what controls map to, ``modes`` explains the evidence modes."""

    id: str
    name: str
    version: str
    requirements: tuple[Requirement, ...]
    modes: Mapping[str, str] = field(default_factory=dict)
    text_from: str = ""  # where the official text is from, if there is any

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Parse a file of ``controls/frameworks``; keys not printed are ignored. Raises ``ConfigError``."""
        names = ("id", "citation", "title", "gist", "level", "requirement", "evidence_mode", "parent")
        try:
            entries = tuple(Requirement(**{n: str(e.get(n) or "") for n in names}) for e in body["entries"])
            return cls(
                body["framework"], body["name"], str(body["catalog_version"]), entries, body.get("evidence_modes", {})
            )
        except (KeyError, TypeError, AttributeError) as exc:
            raise ConfigError(f"framework catalogue is malformed: {exc!r}", fix="see controls/frameworks") from exc


@dataclass(frozen=True, slots=True)
class Parameter:
    """A control parameter as used. It deviates when ``value`` is not the library's ``default``."""

    name: str
    value: str
    default: str
    stricter: str = ""
    about: str = ""
    why: str = ""  # reason and approver of a deviation, from the overlay
    shown: str = ""  # the value for reading, where it is spelled otherwise: ids of requirements by their framework
    default_shown: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A control's mapping to one requirement; ``refused`` says why it does not count in the period, else it is empty."""

    framework: str
    requirement: str
    strength: Strength
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ControlText:
    """A control definition as evaluated, in the words of ``docs/formats/control.md``.

    ``files`` are the bytes below ``data/controls/<id>/`` (control.toml, SQL, facts it used). ``owner`` is who answers for it in
    management's words, empty where nobody is named. ``optional`` are the datasets that can only turn a failure into a pass;
    ``registers`` are read beside them; ``judges_findings`` says that its items are findings of other controls.
    """

    id: str
    version: str
    family: str
    title: str
    statement: str
    test: str
    severity: str
    mode: str
    frequency: str
    content_sha256: str
    population_sql: str
    control_sql: str
    datasets: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    maps: tuple[Mapped, ...] = ()
    remediation: str = ""
    false_positives: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    owner: str = ""
    optional: frozenset[str] = frozenset()
    registers: tuple[str, ...] = ()
    judges_findings: bool = False

    @property
    def lasting(self) -> bool:
        """True if what fails is a state, that can be mended; an event is its nights' own."""
        return self.mode == "state"


@dataclass(frozen=True, slots=True)
class RecordFact:
    """One of the store's own records in the bag (an assessment, a check of the store, a record of the pipeline): its folder and log entry.

    ``judged_at`` is the moment, ISO text, at which an assessment judged its night; empty for the others.
    """

    sha256: str
    folder: str
    log_index: int
    judged_at: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotFact:
    """One sealed snapshot as its receipt and log entry state it. Times are ISO text, counts are rows."""

    source: str
    dataset: str
    night: dt.date
    revision: int
    status: str
    finality: str
    log_index: int
    manifest_sha256: str
    rows_digest: str
    landed: int
    quarantined: int = 0
    source_rows: int | None = None
    differences: int = 0
    masked: int = 0
    as_of: str = ""
    as_of_claimed: bool = False
    reason: str = ""

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], manifest_sha256: str, log_index: int) -> Self:
        """Take the facts from a manifest's JSON."""
        receipt = manifest["receipt"]
        treated = receipt.get("treated", {}).values()
        return cls(
            source=manifest["source"],
            dataset=manifest["dataset"],
            night=dt.date.fromisoformat(manifest["night"]),
            revision=manifest["revision"],
            status=receipt["status"],
            finality=receipt["finality"],
            log_index=log_index,
            manifest_sha256=manifest_sha256,
            rows_digest=receipt.get("rows_digest", ""),
            landed=receipt["landed"],
            quarantined=receipt["quarantined"],
            source_rows=(receipt.get("source_totals") or {}).get("rows"),
            differences=len(receipt.get("differences", [])),
            masked=sum(n for counts in treated for what, n in counts.items() if what != "kept"),
            as_of=receipt.get("as_of", ""),
            as_of_claimed=bool(receipt.get("as_of_claimed")),
            reason=receipt.get("reason", ""),
        )


@dataclass(frozen=True, slots=True)
class LogState:
    """The checkpoint a packet was made at: origin, size, root (base64) and the signed note's SHA-256."""

    origin: str
    size: int
    root: str
    checkpoint_sha256: str


@dataclass(frozen=True, slots=True)
class Seal:
    """Who seals the packet: certificate subject and SHA-256. ``demo``: keys of a demonstration workspace.

    ``stamp`` is the file beside the signature that proves the time; empty: no authority is asked.
    """

    subject: str
    certificate_sha256: str
    demo: bool
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """Management's answer to an exception, in management's words."""

    control: str
    item: str
    reason: str
    cause: str
    effect: str
    action: str
    owner: str
    due: dt.date
    signed_by: str


@dataclass(frozen=True, slots=True)
class Before:
    """The packet before this one: its period and findings as sealed then. ``missing`` says in words why there is nothing to compare."""

    packet: str = ""
    start: dt.date = dt.date.min
    end: dt.date = dt.date.min
    periods: tuple[PeriodFinding, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)  # of the controls, on their last night
    removed: tuple[str, ...] = ()  # controls that are in the library no more
    missing: str = ""


NOT_LOOKED_FOR: Final = Before(missing=_("an earlier packet was not looked for"))


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a packet prints. ``system`` is the parsed ``system.toml``, None when absent (then it is a draft)."""

    packet_id: str
    report: Report
    entity: str
    system_name: str
    period: str
    start: dt.date
    end: dt.date
    prepared_by: str
    tool: str  # name and version
    controls: tuple[ControlText, ...]
    periods: tuple[PeriodFinding, ...]
    nights: tuple[NightFinding, ...]
    snapshots: tuple[SnapshotFact, ...]
    catalogues: tuple[Catalogue, ...]
    log: LogState
    seal: Seal
    system: Mapping[str, Any] | None = None
    blind_spots: tuple[str, ...] = ()
    omissions: tuple[str, ...] = ()  # non-empty: PROVISIONAL on every page
    findings_csv_sha256: str = ""
    findings_csv_rows: int = 0
    responses: tuple[Response, ...] = ()
    request: Request | None = None  # the packet holds the answer to this request and nothing else
    review: "AccessReview | None" = None  # of a report with the section review
    night: "NightFacts | None" = None  # of a report with the section night
    unconcluded: tuple[
        ControlText, ...
    ] = ()  # without a finding, in a packet with omissions: their requirements stay unknown

    before: Before = NOT_LOOKED_FOR
    measured: tuple[Measured, ...] = ()
    looks: Looks = PLAIN
    records: tuple[RecordFact, ...] = ()  # the store's own, beside the snapshots

    @property
    def words(self) -> Words:
        """The wording of the pages."""
        return self.looks.words

    @property
    def marks(self) -> tuple[str, ...]:
        """What every page and file is marked with; nothing where all is in place."""
        held = {
            "PROVISIONAL": bool(self.omissions),
            DEMO: self.seal.demo,
            "DRAFT": self.system is None,
        }
        return tuple(mark for mark, holds in held.items() if holds)
