"""``evidence gate``: what a pull request makes worse, before it is merged."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import pyarrow as pa
import typer

from evidence import __version__
from evidence import gate as verb
from evidence.cli import output
from evidence.cli.assess_command import reader_of
from evidence.cli.gate_masks import with_masks
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, new_id, now
from evidence.collect import Task, collect
from evidence.config import ContractsSourceConfig, DbtSourceConfig
from evidence.control.evidence import part_rows
from evidence.control.gate import requirements
from evidence.control.model import SEVERITIES
from evidence.control.result import Observation
from evidence.control.worse import Weighed, chosen, later_of
from evidence.errors import EXIT_NOT_ASSESSED, EXIT_NOT_SATISFIED, ControlError, UsageError, worst
from evidence.render.sarif import Places, sarif
from evidence.snapshot.model import DAY, Window, start_of
from evidence.snapshot.redact import Redactor
from evidence.sources.contracts import DATASET as CONTRACTS
from evidence.sources.contracts import ContractsSource
from evidence.sources.dbt_manifest import DATASETS as MANIFEST
from evidence.sources.protocol import Source
from evidence.sources.pull_request import manifest_source

EXAMPLES: Final = (
    "evidence -w work gate --manifest target/manifest.json --contracts contracts",
    "evidence -w work gate --manifest target/manifest.json --fail-on critical --sarif gate.sarif",
    "evidence -w work gate --manifest target/manifest.json --commit abc1234 --seal",
)

_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
_NO_SECRET = b"evidence gate"  # no row of the pull request is kept: the same change gives the same digests everywhere
_RANK = {"worse": EXIT_NOT_SATISFIED, "not-assessed": EXIT_NOT_ASSESSED, "look": EXIT_NOT_ASSESSED}
_WORDS = {"worse": "worse", "not-assessed": "not assessed", "look": "to be looked at", "no-worse": "no worse"}


def gate(
    context: typer.Context,
    manifest: Annotated[
        Path, typer.Option(help="manifest.json of the pull request, parsed for the production target.")
    ],
    contracts: Annotated[
        Path | None, typer.Option(help="Folder of its data-product contracts; without it those of last night.")
    ] = None,
    night: Annotated[
        str | None, typer.Option(help="Night to compare with, YYYY-MM-DD; default the last assessed.")
    ] = None,
    max_age_days: Annotated[int, typer.Option(help="How old the last assessed night may be.", min=1)] = 3,
    control: Annotated[list[str] | None, typer.Option(help="Only this control; may be repeated.")] = None,
    fail_on: Annotated[str, typer.Option(help="Exit 7 or 8 from this severity up: low … critical.")] = "low",
    everything: Annotated[bool, typer.Option("--all", help="Fail on everything, not only on what is new.")] = False,
    accept_removed: Annotated[
        bool, typer.Option("--accept-removed", help="Items that leave the population were looked at and may go.")
    ] = False,
    commit: Annotated[str, typer.Option(help="Commit of the pull request, in hex; said in what is sealed.")] = "",
    do_seal: Annotated[bool, typer.Option("--seal", help="Seal what was seen and found as change evidence.")] = False,
    dbt_source: Annotated[str, typer.Option(help="The dbt source it will be collected by, if there are several.")] = "",
    contracts_source: Annotated[str, typer.Option(help="The same for contracts.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    sarif_file: Annotated[Path | None, typer.Option("--sarif", help="Also write SARIF 2.1.0 to this file.")] = None,
) -> int:
    """Test a pull request's manifest and contracts against last night's evidence; fail on what it makes worse.

    Exit code 7: something is worse. 8: not concluded (evidence is missing, a file cannot be read, or a person must look). 0: neither.
    """
    if fail_on not in SEVERITIES:
        raise UsageError(f"no severity {fail_on!r}", fix=f"one of {', '.join(SEVERITIES)}")
    if commit and not _COMMIT.match(commit):
        raise UsageError(f"--commit {commit!r} is no commit", fix="give its hash: 7 to 64 lower-case hex digits")
    if do_seal and not commit:
        raise UsageError("change evidence names its commit", fix="--commit HASH")
    workspace = Workspace.open(context.obj)
    try:
        names = chosen(workspace.library, workspace.config.gate.controls, workspace.config.gate.without, control or ())
        later_of(workspace.library.gate_later, workspace.library)
        chosen_night, refusal = _night(workspace, night, max_age_days)
        if chosen_night is None:
            return _refused(refusal, json=json, sarif_file=sarif_file)
        sources = _sources(workspace, manifest, contracts, dbt_source, contracts_source)
        needed = {
            need.dataset for name in names for need in requirements(workspace.library, workspace.library.control(name))
        }
        known_at = min(now(), Window(chosen_night, "state").end)  # what was new then is judged, not how late we ask
        reader = reader_of(workspace, known_at)
        proposed = list(_landed(workspace, sources, needed | {verb.NODES}, chosen_night))
        judged = verb.judge(
            workspace.library,
            workspace.registers,
            reader,
            proposed,
            chosen_night,
            workspace.engine,
            known_at=known_at,
            controls=names,
            everything=everything,
        )
        if not control:
            judged = with_masks(workspace, judged, manifest, proposed, reader)
        code = _exit_code(judged, fail_on, accept_removed=accept_removed)
        found = _as_json(workspace, judged, commit, code, accept_removed=accept_removed)
        if do_seal:
            with workspace.lease():
                facts = {
                    key: found[key] for key in ("commit", "assessment", "left_out", "accepted_removed", "exit_code")
                }
                entry = verb.seal(workspace.log, workspace.library, workspace.registers, judged, facts, new_id())
                found["sealed"] = entry.key if entry else "the same is sealed already"
            output.undelivered(workspace.log.undelivered)
    finally:
        workspace.close()
    if sarif_file is not None:
        places = _places(proposed, manifest, contracts)
        sarif_file.write_text(sarif(judged.weighed, places, _notices(judged), version=__version__))
    if json:
        output.as_json(found)
    else:
        _show(judged, found, accept_removed=accept_removed)
    return code


def _night(workspace: Workspace, text: str | None, max_age_days: int) -> tuple[dt.date | None, str]:
    """Return the night to compare with, or why there is none."""
    nights = workspace.index.assessed_nights()
    if text:
        night = parse_night(text)
        if night in nights:
            return night, ""
        return (
            None,
            f"the night {night} is not assessed: run `evidence assess --date {night}` where evidence is collected",
        )
    if not nights:
        return None, "no night is assessed yet: nothing to compare with"
    last = nights[-1]
    age = (now() - (start_of(last) + DAY)) // DAY
    if age > max_age_days:
        return None, f"the last assessed night is {last}, {age} days ago; name it with --night to use it all the same"
    return last, ""


def _sources(
    workspace: Workspace, manifest: Path, contracts: Path | None, dbt_source: str, contracts_source: str
) -> list[tuple[Source, Sequence[str]]]:
    name = _named(workspace, DbtSourceConfig, verb.NODES, dbt_source, "--dbt-source")
    found: list[tuple[Source, Sequence[str]]] = [(manifest_source(name, manifest, now), MANIFEST)]
    if contracts is not None:
        name = _named(workspace, ContractsSourceConfig, CONTRACTS, contracts_source, "--contracts-source")
        found.append((ContractsSource(name, contracts, clock=now), (CONTRACTS,)))
    return found


def _named(workspace: Workspace, kind: type, dataset: str, given: str, option: str) -> str:
    """Return the source whose place the pull request takes: the items of both must have the same names."""
    sections = workspace.config.sources
    known = sorted(
        {name for name, section in sections.items() if isinstance(section, kind)}
        | set(workspace.index.sources_of(dataset))
    )
    if given:
        if given not in known:
            raise UsageError(f"no source {given!r} holds {dataset}", fix=f"known: {', '.join(known) or 'none'}")
        return given
    if len(known) != 1:
        raise UsageError(
            f"{len(known)} sources hold {dataset}", fix=f"{option} NAME, one of: {', '.join(known) or 'none'}"
        )
    return known[0]


def _landed(
    workspace: Workspace, sources: Sequence[tuple[Source, Sequence[str]]], needed: set[str], night: dt.date
) -> Iterator[verb.Proposed]:
    """Read and land as collecting does, in a private folder that is gone afterwards."""
    redactor = Redactor(hashlib.sha256(_NO_SECRET).digest(), "gate")
    with workspace.scratch("gate") as folder:
        for source, datasets in sources:
            for dataset in (each for each in datasets if each in needed):
                contract = workspace.contracts[dataset]
                task = Task(source, contract, Window(night, contract.kind))
                item = collect(task, redactor, folder / f"{source.name}-{dataset}", now, attempts=1)
                schema = contract.landed_schema
                tables = [part_rows((item.spool / part.path).read_bytes(), schema.names, schema) for part in item.parts]
                rows = pa.concat_tables(tables) if tables else schema.empty_table()
                yield verb.Proposed(source.name, dataset, item.receipt, rows)


def _exit_code(judged: verb.Judged, fail_on: str, *, accept_removed: bool) -> int:
    codes = [EXIT_NOT_ASSESSED] if judged.broken else []
    for each in judged.weighed:
        if each.finding.reason == "control-error":
            codes.append(ControlError.exit_code)
        if SEVERITIES.index(each.control.severity) >= SEVERITIES.index(fail_on):
            codes.append(_RANK.get(_outcome(each, accept_removed=accept_removed), 0))
    return worst(codes)


def _outcome(each: Weighed, *, accept_removed: bool) -> str:
    return "no-worse" if accept_removed and each.outcome == "look" and not each.look else each.outcome


def _refused(why: str, *, json: bool, sarif_file: Path | None) -> int:
    """Nothing can be compared: say so in every form that was asked for."""
    if sarif_file is not None:
        sarif_file.write_text(sarif((), Places({}), [why], version=__version__))
    if json:
        output.as_json({"not_assessed": why, "controls": [], "exit_code": EXIT_NOT_ASSESSED})
    else:
        output.say(f"not assessed: {why}")
    return EXIT_NOT_ASSESSED


def _notices(judged: verb.Judged) -> list[str]:
    unread = [f"{dataset} of the pull request is not whole: {why}" for dataset, why in judged.broken]
    return unread + [f"{each.control.id} is not assessed: {each.unknown}" for each in judged.weighed if each.unknown]


def _as_json(
    workspace: Workspace, judged: verb.Judged, commit: str, code: int, *, accept_removed: bool
) -> dict[str, Any]:
    assessment = workspace.index.assessment(judged.night)
    return {
        "commit": commit,
        "night": judged.night.isoformat(),
        "log_size": workspace.index.size,
        "assessment": {"key": assessment[1].key, "sha256": assessment[1].object.sha256}
        if assessment and assessment[1].object
        else None,
        "inputs": [
            {
                "source": each.source,
                "dataset": each.dataset,
                "status": each.receipt.status,
                "rows": each.receipt.landed,
                "read": [statement.text for statement in each.receipt.statements],
                "notes": list(each.receipt.notes),
            }
            for each in judged.proposed
        ],
        "left_out": sorted(workspace.config.gate.without),
        "not_whole": [{"dataset": dataset, "why": why} for dataset, why in judged.broken],
        "accepted_removed": accept_removed,
        "controls": [each.to_json() for each in judged.weighed],
        "exit_code": code,
    }


def _show(judged: verb.Judged, found: dict[str, Any], *, accept_removed: bool) -> None:
    output.say(f"against the night {judged.night}, log size {found['log_size']}")
    for dataset, why in judged.broken:
        output.say(f"not whole: {dataset} of the pull request: {why}")
    output.table(
        "",
        ["control", "severity", "outcome", "worse", "to look at", "removed", "after the merge", "known", "ended", "why"],
        [
            [
                each.control.id, each.control.severity, _WORDS[_outcome(each, accept_removed=accept_removed)], len(each.worse) or "",
                len(each.look) or "", len(each.removed) or "", len(each.later) or "", len(each.known) or "", each.gone or "", each.unknown[:120],
            ]
            for each in judged.weighed
        ],
    )  # fmt: skip
    for name in found["left_out"]:
        output.say(f"left out by evidence.toml: {name}")
    for each in judged.weighed:
        for word, seen in (("worse", each.worse), ("look at", each.look), ("after the merge", each.later)):
            for observation in seen:
                output.say(f"{word}: {each.control.id} {observation.item}: {_said(each, observation)}")
        for item in each.removed:
            output.say(
                f"removed: {each.control.id} {item}: no longer tested" + (" (accepted)" if accept_removed else "")
            )
    if "sealed" in found:
        output.say(f"sealed: {found['sealed']}")


def _said(each: Weighed, observation: Observation) -> str:
    reason = each.control.reasons.get(observation.reason, observation.reason)
    return f"{reason} Seen: {observation.observed}. Expected: {observation.expected}."


def _places(proposed: Sequence[verb.Proposed], manifest: Path, contracts: Path | None) -> Places:
    """Return where items are written down: files of the dbt project and of the contracts, relative to the working directory."""
    files: dict[str, str] = {}
    for each in proposed:
        if each.dataset == CONTRACTS and contracts is not None:
            for row in each.rows.select(["product", "database_name", "schema_name", "object_name", "file"]).to_pylist():
                path = _below(contracts, row["file"])
                files.setdefault(str(row["product"]), path)
                files.setdefault(_relation(row["database_name"], row["schema_name"], row["object_name"]), path)
    project = manifest.parent.parent if manifest.parent.name == "target" else manifest.parent
    for each in proposed:
        if each.dataset == verb.NODES:
            columns = ["unique_id", "database", "schema", "alias", "name", "original_file_path"]
            for row in each.rows.select(columns).to_pylist():
                if row["original_file_path"]:
                    path = _below(project, row["original_file_path"])
                    files[row["unique_id"]] = path
                    files[_relation(row["database"], row["schema"], row["alias"] or row["name"])] = path
    return Places(files)


def _relation(*parts: str | None) -> str:
    return ".".join(str(part or "?").upper() for part in parts)


def _below(folder: Path, name: str) -> str:
    path = folder / name
    return (path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path).as_posix()
