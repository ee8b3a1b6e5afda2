"""``_export.json``: what an exporter claims about one folder (``docs/formats/export.md``)."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from evidence.datasets.contract import Contract
from evidence.errors import SourceDeniedError, SourceEditionError, SourceUnavailableError
from evidence.snapshot.model import ColumnTotals, Statement, Status, Totals
from evidence.sources import exact
from evidence.sources.moment import parse_moment
from evidence.sources.tree import TreeFile, open_plain

FILE = "_export.json"
FORMAT = "evidence-export-v1"
MAX_BYTES = 4 * 2**20


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClaimedColumn(_Model):
    """Totals of one column; what is absent is not compared."""

    non_null: int | None = None
    length_sum: int | None = None
    value_sum: int | None = None


class ClaimedTotals(_Model):
    """The exporter's own count of the window."""

    rows: int
    distinct_keys: int | None = None
    columns: Mapping[str, ClaimedColumn] = {}

    def totals(self, contract: Contract) -> Totals:
        """Return them under the contract's spelling of the columns."""
        named = {}
        for name, claim in self.columns.items():
            column = contract.by_name.get(name.lower())
            named[column.name if column else name] = ColumnTotals(claim.non_null, claim.length_sum, claim.value_sum)
        return Totals(self.rows, self.distinct_keys, named)


class ClaimedStatement(_Model):
    """One statement the exporter ran."""

    text: str
    rows: int | None = None
    query_id: str | None = None


class Claims(_Model):
    """The whole file. Moments are ISO 8601 with a zone."""

    format: Literal["evidence-export-v1"]
    dataset: str
    night: dt.date
    exported_at: dt.datetime | None = None
    as_of: dt.datetime | None = None
    status: Status = "complete"
    reason: str = ""
    system: Mapping[str, str] = {}
    totals: ClaimedTotals | None = None
    statements: tuple[ClaimedStatement, ...] = ()

    @field_validator("exported_at", "as_of", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> dt.datetime | None:
        if value is None:
            return None
        moment = parse_moment(value) if isinstance(value, str) else None
        if moment is None:
            raise ValueError("no ISO 8601 moment with a zone")
        return moment.astimezone(dt.UTC)

    def refuse(self, where: str) -> None:
        """Raise the error that a claimed refusal stands for; do nothing for ``complete`` and ``incomplete``."""
        message = f"{where}: the exporter reports {self.status}: {self.reason or 'no reason given'}"
        match self.status:
            case "denied":
                raise SourceDeniedError(message, fix="grant the exporter the read it names and export again")
            case "edition":
                raise SourceEditionError(message, fix="the account's edition has no such view; disable the dataset")
            case "unavailable":
                raise SourceUnavailableError(message, fix="export this night again")

    def sent(self) -> list[Statement]:
        """Return the statements as claimed."""
        return [Statement(item.text, query_id=item.query_id, rows=item.rows) for item in self.statements]


def read_claims(folder: Path, name: str, dataset: str, night: dt.date) -> Claims | str | None:
    """Return the claims of ``folder``, ``None`` if it makes none, or what is wrong with them.

    ``name`` is the folder's name for messages. Claims about another dataset or night are wrong.
    """
    where = f"{name}/{FILE}"
    try:
        body = _body(folder / FILE, where)
        if body is None:
            return None
        claims = Claims.model_validate(exact.loads(body))
    except OSError as exc:
        return f"{where}: cannot be read: {exc.strerror}"
    except ValidationError as exc:
        return f"{where}: " + "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
    except ValueError as exc:
        return f"{where}: {exc}"
    if (claims.dataset, claims.night) != (dataset, night):
        return f"{where}: speaks of another dataset or night than its folder"
    return claims


def _body(path: Path, where: str) -> bytes | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if status.st_size > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    file = TreeFile(path, where, status.st_size, dt.datetime.fromtimestamp(status.st_mtime, dt.UTC))
    with open_plain(file) as stream:
        return stream.read(MAX_BYTES)
