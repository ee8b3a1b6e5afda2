"""``[assess] engine = "snowflake"``: nights judged in a session of the publisher's, what cannot be said there judged here."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from evidence import assess as verb
from evidence.cli.publish_command import schema_of
from evidence.cli.workspace import Workspace, connect_named
from evidence.control.pushdown.night import assess_pushed
from evidence.control.pushdown.remote import SESSION, Remote
from evidence.control.result import NightFinding
from evidence.errors import ConfigError, SourceUnavailableError

_TIMEOUT: Final = 900  # seconds of one statement


def in_snowflake(
    workspace: Workspace, reader: verb.StoreReader, nights: Sequence[dt.date], engines: dict[dt.date, Mapping[str, Any]]
) -> Iterator[verb.Judged]:
    """Yield each night as it was judged; ``engines`` says what ran where. Raises ``ConfigError``, ``SourceUnavailableError``."""
    settings = workspace.config.publish
    if settings is None:
        raise ConfigError(
            'assess.engine = "snowflake" runs where [publish] writes',
            fix="set [publish] connection and into = DATABASE.SCHEMA, unquoted",
        )
    schema = schema_of(settings).upper()
    views = schema if workspace.config.assess.rows == "external" else ""
    try:
        connection = connect_named(settings.connection, _TIMEOUT, SESSION)
    except Exception as exc:  # noqa: BLE001 - the connector's messages may hold host and user
        raise SourceUnavailableError(
            f"no session in {settings.connection}: {type(exc).__name__}", fix="evidence doctor looks at the connection"
        ) from None
    with closing(connection):
        remote = Remote(connection.cursor(), schema, workspace.engine)

        def elsewhere(night: dt.date, controls: Sequence[str]) -> tuple[list[NightFinding], Mapping[str, Any]]:
            library, registers, known_at = workspace.library, workspace.registers, reader.known_at
            findings, judged = assess_pushed(
                library, registers, reader, night,
                known_at=known_at, controls=controls, engine=workspace.engine, remote=remote, views=views,
            )  # fmt: skip
            return findings, judged.to_json()

        yield from verb.judge_elsewhere(workspace.library, nights, elsewhere, engines)
