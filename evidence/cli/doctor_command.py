"""``evidence doctor``: what works, what to fix, how."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from evidence.cli import output
from evidence.cli.looks import examinations
from evidence.cli.workspace import Workspace
from evidence.doctor import Line, examine
from evidence.errors import ConfigError, SourceError, UsageError, worst

EXAMPLES: Final = (
    "evidence -w work doctor",
    "evidence -w work doctor --offline secret store",
    "evidence -w work doctor alert --send-test",
    "evidence -w work doctor 'source carrier' --verbose",
)


def doctor(
    context: typer.Context,
    what: Annotated[
        list[str] | None, typer.Argument(help="Only what begins with these words: store, 'source acme', secret …")
    ] = None,
    diagnose: Annotated[
        Path | None,
        typer.Option(help="Write counts and column lists (no data) that settle open questions about Snowflake here."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Skip what needs the network, and say so.")] = False,
    send_test: Annotated[bool, typer.Option("--send-test", help="Send one message to each alert target.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also show each dataset that is well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Look at everything a nightly run needs; each line says ok, warn or fail, and how to fix it. Warnings do not change the exit code."""
    if diagnose is not None:
        return _diagnose(Workspace.open(context.obj), diagnose)
    lines = list(_lines(context, what or (), offline=offline, send_test=send_test))
    if as_json:
        output.as_json([{"what": x.what, "outcome": x.outcome, "detail": x.detail, "fix": x.fix} for x in lines])
    else:
        shown = [x for x in lines if verbose or not x.part or x.outcome != "ok"]
        output.table("", ["", "what", "detail"], [[x.outcome, x.what, x.detail] for x in shown])
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


def _lines(context: typer.Context, asked: Sequence[str], *, offline: bool, send_test: bool) -> Iterator[Line]:
    """Yield every line, as it is known."""
    try:
        workspace = Workspace.open(context.obj)
    except ConfigError as error:
        yield Line("configuration", "fail", str(error), error.fix, error.exit_code)
        return
    every = examinations(workspace, send_test=send_test)
    chosen = [each for each in every if not asked or each.what.startswith(tuple(asked))]
    if not chosen:
        names = ", ".join(dict.fromkeys(each.what for each in every))
        raise UsageError(f"nothing is called {' '.join(asked)}", fix=f"there are: {names}")
    try:
        yield from examine(chosen, offline=offline)
    finally:
        workspace.close()
