"""Everything a packet is made of, gathered from a workspace: verified bytes and proofs in, plain values out.

Exhibits are every snapshot that a finding of the period rests on, every other snapshot of the same datasets in the
period (so that a refused or broken night is shown too), the assessments and the registers as used.
"""

import dataclasses
import datetime as dt
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from evidence import __version__
from evidence.assess import sealed_findings
from evidence.bag.rotations import Handover
from evidence.cli.assess_command import periods_of
from evidence.cli.official_text import texts_of
from evidence.cli.packet_beside import Beside
from evidence.cli.packet_choice import check_period, controls_of
from evidence.cli.packet_history import TRENDS, before_of, measured_of, series_files
from evidence.cli.packet_looks import looks_of
from evidence.cli.packet_night import night_facts
from evidence.cli.packet_parameters import parameters_of
from evidence.cli.packet_request import answering, registers_carried
from evidence.cli.packet_review import reviews_of
from evidence.cli.packet_rules import check_rules
from evidence.cli.period import Period
from evidence.cli.workspace import Workspace
from evidence.control.coverage import refusal
from evidence.control.definition import Control, Fact, Library
from evidence.control.framework import Framework
from evidence.control.gate import registers_needed, requirements
from evidence.control.overlay import FILES
from evidence.control.register import Registers, Row
from evidence.control.requests import Request
from evidence.control.result import NightFinding, PeriodFinding
from evidence.packet import ExhibitInput, PacketInputs
from evidence.render.campaign import blind_spots
from evidence.render.inputs import Catalogue, ControlText, Mapped, Response
from evidence.render.report import Report
from evidence.snapshot import canonical
from evidence.snapshot.entry import RECORDS, SealedEntry
from evidence.snapshot.manifest import Manifest
from evidence.snapshot.model import Kind
from evidence.store.log import Log
from evidence.tlog.rotation import TYPE as ROTATION

_CARRIED = ("facts/*.toml", "facts/*.sql", "frameworks/*.json")
EFFECTIVE = "effective.json"  # what re-performance needs beside content and evidence

_CONCLUDED: Final = {"ops.findings", "ops.items"}


def gather(
    workspace: Workspace, report: Report, period: Period, scratch: Path, request: Request | None = None
) -> PacketInputs:
    """Return the inputs of a packet over ``period``; ``scratch`` is a private folder for verified copies of parts.

    With a ``request`` only the controls that answer it, and what they rest on. Raises ``UsageError`` if the report has none of them,
    names what the library does not have, or cannot be of the period.
    """
    library = workspace.library
    workspace.index.catch_up(workspace.log)  # what was sealed for this packet is exhibited in it
    check_period(report, period)
    mapped = controls_of(library, report)
    if request is not None:
        mapped, report = answering(library, report, mapped, request)
    mapped |= _compensating(workspace, mapped)
    registers = registers_carried(workspace, mapped, request)
    found = {
        night: [f for f in sealed_findings(workspace.store, workspace.index, night) if f.control in mapped]
        for night in period.nights
    }
    check_rules(workspace, period, mapped, found)
    periods = {
        finding.control: finding
        for finding in periods_of(workspace, found, period.start, period.end)
        if finding.control in mapped
    }
    config = workspace.config
    system = config.workspace / "system.toml"
    owners = workspace.owners

    def text_of(name: str) -> ControlText:
        owner = owners.of(name, Path(library.controls[name].folder).parent.name, period.end)
        return _control_text(library, library.controls[name], periods.get(name), owner)

    described = tomllib.loads(system.read_text()) if system.is_file() else None
    nights = [finding for night in period.nights for finding in found[night]]
    shown = reviews_of(workspace, period) if "review" in report.sections else None
    night = night_facts(workspace, period.end, mapped) if report.brief else None
    beside = Beside.of(workspace, shown, night)
    return PacketInputs(
        report=report,
        entity=config.entity.name,
        system_name=config.entity.system,
        period=period.label,
        start=period.start,
        end=period.end,
        prepared_by=config.packet.prepared_by,
        tool=f"evidence {__version__}",
        controls=[text_of(name) for name in sorted(mapped)],
        periods=list(periods.values()),
        nights=nights,
        catalogues=[_catalogue(workspace, each, report) for each in library.frameworks.values()],
        exhibits=list(_exhibits(workspace, report, period, nights, scratch, registers, beside)),
        log_key=workspace.verifier,
        checkpoint=workspace.log.checkpoint,
        previous=_previous(workspace, report),
        rotations=list(_rotations(workspace.log)),
        revocation_lists=workspace.revocation_lists,
        system=described or None,
        content_files=_content_files(workspace, period, registers),
        exhibit_limit=0
        if "referenced" in (config.packet.exhibits, report.exhibits)
        else config.packet.exhibit_limit_mb << 20,
        demo=config.demo,
        responses=[each for each in _responses(workspace.registers) if each.control in mapped],
        request=request,
        before=before_of(workspace, report, period),
        measured=measured_of(workspace, found, mapped) if "trends" in report.sections else [],
        review=shown.review if shown else None,
        blind_spots=blind_spots(shown.review) if shown else (),
        night=night,
        looks=looks_of(config),
    )


def _catalogue(workspace: Workspace, framework: Framework, report: Report) -> Catalogue:
    """Return the catalogue, with the official text that this workspace brought, if it did."""
    found = Catalogue.from_json(framework.model_dump(mode="json"))
    texts = texts_of(workspace, found.id) if found.id in report.frameworks else None
    if texts is None:
        return found
    edition = f", {texts.edition}" if texts.edition else ""
    note = f"; {texts.note}" if texts.note else ""
    said = f"{texts.file}{edition}, SHA-256 {texts.file_sha256}, imported at {texts.imported_at}{note}"
    rows = tuple(dataclasses.replace(each, text=texts.texts.get(each.id, "")) for each in found.requirements)
    return dataclasses.replace(found, requirements=rows, text_from=said)


def _responses(registers: Registers) -> Iterator[Response]:
    """Yield the last answer to each exception."""
    names = [field.name for field in dataclasses.fields(Response)]
    last: dict[tuple[str, str, str], Row] = {}
    for row in sorted(registers.rows.get("responses", ()), key=lambda row: row["recorded_at"]):
        last[row["control"], row["item"], row["reason"]] = row
    for _, row in sorted(last.items()):
        yield Response(**{name: row[name] for name in names})


def _compensating(workspace: Workspace, controls: set[str]) -> set[str]:
    """Return what makes up for waived items of ``controls``: whoever checks a waiver needs its finding too."""
    rows = workspace.registers.rows.get("waivers", ())
    named = {row["compensating_control"] for row in rows if row["control"] in controls}
    return named & workspace.library.controls.keys()


def _previous(workspace: Workspace, report: Report) -> tuple[str, str] | None:
    """Return the checkpoint of the last packet of this report, and the proof that the log only grew since."""
    sizes = [e.body["log_size"] for _, e in workspace.index.of_type("packet") if e.body["report"] == report.name]
    if not sizes:
        return None
    return workspace.log.checkpoint_at(sizes[-1]), workspace.log.consistency(sizes[-1]).to_text()


def _rotations(log: Log) -> Iterator[Handover]:
    for index, _ in log.entries(ROTATION):
        yield Handover(log.raw(index), log.proof(index, index + 1).to_text(), log.consistency(index + 1).to_text())


def _control_text(library: Library, control: Control, finding: PeriodFinding | None, owner: str) -> ControlText:
    folder = Path(control.folder)
    return ControlText(
        id=control.id,
        version=control.version,
        family=folder.parent.name,
        title=control.title,
        statement=control.statement,
        test=control.test,
        severity=control.severity,
        mode=control.mode,
        frequency=control.frequency,
        content_sha256=control.content_sha256,
        population_sql=control.population_sql,
        control_sql=control.control_sql,
        datasets=tuple(sorted(_datasets(library, control))),
        parameters=parameters_of(library, control),
        reasons=dict(control.reasons),
        maps=tuple(Mapped(m.framework, m.requirement, m.strength, refusal(control, m, finding)) for m in control.maps),
        remediation=control.remediation,
        false_positives=control.false_positives,
        files={name: (folder / name).read_bytes() for name in ("control.toml", "population.sql", "control.sql")},
        owner=owner,
        registers=registers_needed(library, control),
        judges_findings=any(each.table in _CONCLUDED for each in control.ops),
        optional=frozenset(each.dataset for each in requirements(library, control) if each.optional),
    )


def _datasets(library: Library, control: Control) -> set[str]:
    """Datasets a control reads, through its facts too."""
    readers: list[Control | Fact] = [control, *library.facts_of(control)]
    return {evidence.dataset for reader in readers for evidence in reader.evidence}


def _content_files(workspace: Workspace, period: Period, carried: frozenset[str]) -> dict[str, bytes]:
    """Library files, facts, registers and overlay as used: what re-performance runs on."""
    roots = workspace.control_folders
    files = {"library.toml": (roots[0] / "library.toml").read_bytes()}
    for path in (path for root in roots for kind in _CARRIED for path in sorted(root.glob(kind))):
        files[f"{path.parent.name}/{path.name}"] = path.read_bytes()
    registers = workspace.config.path(workspace.config.assess.registers)
    for path in (path for path in sorted(registers.glob("*.toml")) if path.stem in carried):
        files[f"registers/{path.name}"] = path.read_bytes()
    for name, path in workspace.overlays:
        if path.is_file():
            files[FILES[name.partition(" ")[0]]] = path.read_bytes()
    files |= {f"{TRENDS}/{path.name}": path.read_bytes() for path in series_files(workspace)}
    files[EFFECTIVE] = canonical.encode(
        {
            "format": "evidence-effective-v1",
            "period": {"start": period.start.isoformat(), "end": period.end.isoformat()},
            "max_unknown_nights": workspace.config.assess.max_unknown_nights,
            "sources": {name: sorted(found) for name, found in workspace.datasets_asked().items()},
            "coverage_by_kind": {kind: _coverage(workspace, kind) for kind in get_args(Kind)},
            "profile": workspace.config.assess.profile,
            "families": {c.id: Path(c.folder).parent.name for c in workspace.library.controls.values()},
        }
    )
    return files


def _coverage(workspace: Workspace, kind: Kind) -> dict[str, str]:
    names = {*workspace.config.sources, *(source for source, _, _ in workspace.index.windows())}
    starts = {name: workspace.index.coverage_start(name, kind) for name in sorted(names)}
    return {name: start.isoformat() for name, start in starts.items() if start is not None}


def _exhibits(
    workspace: Workspace,
    report: Report,
    period: Period,
    findings: list[NightFinding],
    scratch: Path,
    registers: frozenset[str],
    beside: Beside,
) -> Iterator[ExhibitInput]:
    chosen: dict[int, SealedEntry] = {}
    used = {i.manifest_sha256 for f in findings for i in f.inputs} | beside.manifests
    read = beside.datasets.union(*(_read(workspace.library, f) for f in findings))
    datasets = {i.dataset for f in findings for i in f.inputs}
    for sealed in workspace.index.every_revision():
        if sealed.manifest.sha256 in used:
            chosen[sealed.index] = sealed
    for sealed in workspace.index.snapshots(period.start):
        if sealed.key.dataset in datasets and period.start <= sealed.key.night <= period.end:
            chosen[sealed.index] = sealed
    for _, sealed in sorted(chosen.items()):
        yield _snapshot(workspace, sealed, scratch, rows=sealed.key.dataset in read)
    others = [workspace.index.assessment(night) for night in period.nights]
    named = [each for kind in RECORDS for each in workspace.log.entries(kind)]
    others += [o for o in named if o[1].object and o[1].object.sha256 in used]
    others += beside.objects
    content = [each for each in workspace.index.of_type("register") if each[1].body["register"] in registers]
    content += workspace.index.of_type("configuration")
    printed = {
        f"{name}/{canonical.sha256_hex(texts.to_bytes())}"
        for name in report.frameworks
        if (texts := texts_of(workspace, name))
    }
    content += [each for each in workspace.index.of_type("text") if each[1].key in printed]
    distinct = {o[0]: o[1] for o in [*others, *content] if o}
    for index, entry in sorted(distinct.items()):
        if entry.object is not None:
            body = workspace.store.get(entry.object.path, sha256=entry.object.sha256)
            yield ExhibitInput(workspace.log.raw(index), index, workspace.log.proof(index).to_text(), body)


def _read(library: Library, finding: NightFinding) -> set[str]:
    """Datasets whose rows a finding rests on; of others it looked at the receipt only."""
    control = library.controls.get(finding.control)
    known = {need.dataset for need in requirements(library, control)} if control else None
    return {i.dataset for i in finding.inputs if known is None or i.dataset in known}


def _snapshot(workspace: Workspace, sealed: SealedEntry, scratch: Path, *, rows: bool) -> ExhibitInput:
    log = workspace.log
    body = workspace.store.get(sealed.manifest.path, sha256=sealed.manifest.sha256)
    manifest = Manifest.from_bytes(body)
    parts = {}
    for part in (*manifest.parts, *manifest.quarantine) if rows else ():
        copy = scratch / part.sha256
        if not copy.exists():
            copy.write_bytes(workspace.store.get(part.path, sha256=part.sha256))
        parts[part.path] = copy
    return ExhibitInput(
        entry=log.raw(sealed.index),
        index=sealed.index,
        proof=log.proof(sealed.index).to_text(),
        body=body,
        parts=parts,
        settled=workspace.index.settled(sealed),
        rows=rows,
        carried=sealed.key.dataset not in workspace.config.packet.restricted,
    )


def nights_without_assessment(workspace: Workspace, period: Period) -> list[dt.date]:
    """Nights of the period that were never assessed."""
    return [night for night in period.nights if workspace.index.assessment(night) is None]
