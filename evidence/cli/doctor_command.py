"""``evidence doctor``: what works, what to fix, how."""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from evidence.cli import output
from evidence.cli.workspace import Workspace
from evidence.control.lint import lint_library
from evidence.doctor import Examination, Line, examine
from evidence.errors import ConfigError, SourceError, UsageError, worst

LOW_DISK = 2 * 1024**3


def doctor(
    context: typer.Context,
    diagnose: Annotated[
        Path | None,
        typer.Option(help="Write counts and column lists (no data) that settle open questions about Snowflake here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Look at everything a nightly run needs; each line says ok, warn or fail, and how to fix it."""
    if diagnose is not None:
        return _diagnose(Workspace.open(context.obj), diagnose)
    lines = list(_lines(context))
    if as_json:
        output.as_json([{"what": x.what, "outcome": x.outcome, "detail": x.detail, "fix": x.fix} for x in lines])
    else:
        output.table("", ["", "what", "detail"], [[x.outcome, x.what, x.detail] for x in lines])
        for line in lines:
            if line.fix and line.outcome != "ok":
                output.say(f"  to fix {line.what}: {line.fix}")
    return worst(line.exit_code for line in lines)


def _diagnose(workspace: Workspace, file: Path) -> int:
    """Ask every Snowflake source what the documentation leaves open; one that fails is named and does not stop the rest."""
    from evidence.sources.snowflake import SnowflakeSource
    from evidence.sources.snowflake_diagnosis import diagnose

    found, codes = {}, []
    try:
        for name in sorted(workspace.config.sources):
            source = workspace.source(name)
            if not isinstance(source, SnowflakeSource):
                continue
            try:
                found[name] = diagnose(source.session, [workspace.contracts[each] for each in source.datasets()])
            except SourceError as error:
                output.show_error(error)
                codes.append(error.exit_code)
    finally:
        workspace.close()
    if not found and not codes:
        raise UsageError("no Snowflake source is configured", fix="add a [sources.NAME] section with kind = snowflake")
    file.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    output.say(f"{file}: counts and column lists of {len(found)} accounts. Read it before you send it to anyone.")
    return worst(codes)


def _lines(context: typer.Context) -> list[Line]:
    try:
        workspace = Workspace.open(context.obj)
    except ConfigError as error:
        return [Line("configuration", "fail", str(error), error.fix, error.exit_code)]
    sources = [
        Examination(f"source {name}", lambda name=name: _source(workspace, name))  # type: ignore[misc]  # bound default
        for name in sorted(workspace.config.sources)
    ]
    try:
        return list(
            examine([
                Examination("configuration", lambda: str(workspace.config.workspace)),
                Examination("log key", lambda: workspace.log_key.vkey),
                Examination("redaction key", lambda: f"key id {workspace.redactor.key_id}"),
                Examination("store", lambda: _store(workspace)),
                Examination("log and anchors", lambda: f"{workspace.log.size} entries, every anchor agrees"),
                Examination("packet key", lambda: _packet_key(workspace), optional=True),
                Examination("controls", lambda: _controls(workspace)),
                Examination("registers", lambda: f"{len(workspace.registers.digests)} registers"),
                Examination("PDF rendering", _rendering),
                Examination("disk", lambda: _disk(workspace)),
                *sources,
            ])
        )  # fmt: skip
    finally:
        workspace.close()


def _store(workspace: Workspace) -> str:
    if not workspace.store.writable:
        raise ConfigError(f"{workspace.store.url} has no true conditional create", fix="use another server or folder")
    return f"{workspace.store.url}, conditional create works"


def _packet_key(workspace: Workspace) -> str:
    from evidence.cli.packet_command import identity_of

    identity = identity_of(workspace)
    return f"{identity.subject}, valid until {identity.certificate.not_valid_after_utc:%Y-%m-%d}"


def _controls(workspace: Workspace) -> str:
    problems = list(lint_library(workspace.library))
    if problems:
        raise ConfigError(f"{len(problems)} problems, first: {problems[0]}", fix="evidence controls lint")
    return f"library {workspace.library.version}, {len(workspace.library.controls)} controls"


def _rendering() -> str:
    import weasyprint

    return f"WeasyPrint {weasyprint.__version__}"


def _disk(workspace: Workspace) -> str:
    free = shutil.disk_usage(workspace.config.workspace).free
    if free < LOW_DISK:
        raise ConfigError(f"{free / 1024**3:.1f} GiB free", fix="free at least 2 GiB for spool and packets")
    return f"{free / 1024**3:.0f} GiB free"


def _source(workspace: Workspace, name: str) -> str:
    source = workspace.source(name)
    datasets = source.datasets()
    if not datasets:
        raise ConfigError(f"source {name} holds no dataset", fix=f"check the keys under [sources.{name}]")
    left_out = len(workspace.not_captured(name))
    rest = f", {left_out} not captured (evidence status names them)" if left_out else ""
    return f"{workspace.config.sources[name].kind}, {len(datasets)} datasets{rest}"
