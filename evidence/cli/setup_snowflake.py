"""``evidence setup snowflake``: what an administrator grants, generated from the enabled datasets, and whether a role holds no more."""

from typing import Annotated

import typer

from evidence.cli import output
from evidence.cli.workspace import Workspace, choice_of
from evidence.config import PublishConfig, SnowflakeLoginConfig, SnowflakeSourceConfig
from evidence.datasets.contract import Connection, Contract
from evidence.errors import ConfigError, SourceDeniedError, UsageError, worst
from evidence.ops.external import snowflake as external
from evidence.ops.script import script as ops_script
from evidence.sources.snowflake_rights import Held, Identity, beyond, needs, script
from evidence.sources.snowflake_texts import calls, documented, statements


def snowflake(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Which source; default: the only one of kind snowflake.")] = None,
    texts: Annotated[bool, typer.Option("--statements", help="Print every SQL text that can be sent.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Sign in and say what the roles hold beyond this.")] = False,
    ops: Annotated[
        bool, typer.Option("--ops", help="Print the schema, tables and grants of the mirror instead.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Print roles, users, warehouse and exactly the grants that the enabled datasets need; change nothing."""
    workspace = Workspace.open(context.obj)
    if ops:
        return _print_ops(workspace, json=json)
    name, section = chosen_source(workspace, source)
    contracts = contracts_of(workspace, name, section)
    if texts:
        return _print_statements(contracts, json=json)
    if check:
        return _check(workspace, name, section, contracts, json=json)
    elevated = identity(section.elevated, "EVIDENCE_ELEVATED") if section.elevated else None
    text = script(name, contracts, identity(section, "EVIDENCE_COLLECTOR"), elevated)
    output.as_json({"source": name, "script": text}) if json else print(text, end="")
    return 0


def _print_ops(workspace: Workspace, *, json: bool) -> int:
    settings = workspace.config.publish or PublishConfig(connection="publisher")
    text = ops_script(settings.into)
    url = workspace.config.store.url
    if url.startswith("s3://"):  # elsewhere Snowflake cannot read it
        schemas = {name: contract.landed_schema for name, contract in workspace.contracts.items()}
        text += "\n" + external(schemas, url, settings.into)
    output.as_json({"schema": settings.into, "script": text}) if json else print(text, end="")
    return 0


def chosen_source(workspace: Workspace, source: str | None) -> tuple[str, SnowflakeSourceConfig]:
    """Return the source that is meant. Raises ``UsageError`` if there is none or several."""
    found = {
        name: section
        for name, section in workspace.config.sources.items()
        if isinstance(section, SnowflakeSourceConfig) and source in {None, name}
    }
    if len(found) != 1:
        known = (
            ", ".join(n for n, s in workspace.config.sources.items() if isinstance(s, SnowflakeSourceConfig)) or "none"
        )
        raise UsageError("say which source is meant", fix=f"--source NAME; of kind snowflake: {known}")
    return next(iter(found.items()))


def contracts_of(workspace: Workspace, name: str, section: SnowflakeSourceConfig) -> list[Contract]:
    """Return the contracts that the source reads with the sign-ins it has."""
    return [workspace.contracts[dataset] for dataset in choice_of(workspace, name, section).datasets]


def identity(section: SnowflakeLoginConfig, user: str) -> Identity:
    """A connection of connections.toml keeps its user there: the default name stands for it."""
    return Identity(section.user or user, section.role, section.warehouse, section.timeout_seconds)


def _print_statements(contracts: list[Contract], *, json: bool) -> int:
    found = statements(contracts)
    called = sorted({name for texts in found.values() for text in texts for name in calls(text)})
    pages = documented()["functions"]
    if json:
        output.as_json({"statements": found, "functions": {name: pages.get(name, "") for name in called}})
        return 0
    for dataset, texts in found.items():
        print(f"-- {dataset}")
        for text in texts:
            print(f"{text};")
        print()
    print("-- functions called, each with its page")
    for name in called:
        print(f"--   {name}: {pages.get(name, 'not documented')}")
    return 0


def _check(
    workspace: Workspace, name: str, section: SnowflakeSourceConfig, contracts: list[Contract], *, json: bool
) -> int:
    """Ask Snowflake what each role holds. Exit 3: it holds more; 5: it lacks something."""
    rows: list[tuple[str, str, str, str]] = []
    logins: list[tuple[Connection, SnowflakeLoginConfig | None]] = [("base", section), ("elevated", section.elevated)]
    try:
        for connection, login in logins:
            if login is not None:
                surplus, lacking = _beyond(workspace, name, connection, login, contracts)
                rows += [(connection, login.role, "surplus", str(held)) for held in surplus]
                rows += [(connection, login.role, "lacking", str(held)) for held in lacking]
    finally:
        workspace.close()
    if json:
        output.as_json([dict(zip(("connection", "role", "finding", "grant"), row, strict=True)) for row in rows])
    elif rows:
        output.table("", ["connection", "role", "finding", "grant"], rows)
    else:
        output.say(f"{name}: each role holds what the enabled datasets need, and no more")
    codes = {"surplus": ConfigError.exit_code, "lacking": SourceDeniedError.exit_code}
    return worst(codes[row[2]] for row in rows)


def _beyond(
    workspace: Workspace, name: str, connection: Connection, login: SnowflakeLoginConfig, contracts: list[Contract]
) -> tuple[list[Held], list[Held]]:
    from evidence.sources.snowflake import SnowflakeSource

    source = workspace.source(name)
    if not isinstance(source, SnowflakeSource):
        raise ConfigError(f"source {name} is not of kind snowflake", fix="--source names one that is")
    held = [Held(*row) for row in source.held(connection)]
    needed = needs(contracts, connection)
    return beyond(held, needed, identity(login, ""))
