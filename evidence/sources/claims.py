"""``_export.json``: what an exporter claims about one folder (``docs/formats/export.md``)."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from evidence.datasets.contract import Contract
from evidence.errors import SourceDeniedError, SourceEditionError, SourceUnavailableError
from evidence.snapshot.model import DAY, ColumnTotals, Statement, Status, Totals, Window, start_of
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


def _zoned(value: Any) -> dt.datetime | None:
    if value is None:
        return None
    moment = parse_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise ValueError("no ISO 8601 moment with a zone")
    return moment.astimezone(dt.UTC)


Moment = Annotated[dt.datetime | None, BeforeValidator(_zoned)]


class ClaimedSpan(_Model):
    """What the records of an export cover: all that existed or changed in ``[start, end)``."""

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is None or self.end is None or self.start > self.end:
            raise ValueError("start and end are needed, in order")
        return self


class ClaimedFile(_Model):
    """The commit that last changed a file of the folder, for exporters that read it from git."""

    commit: str
    author: str | None = None
    authored_at: Moment = None
    committed_at: Moment = None


class Claims(_Model):
    """The whole file. Moments are ISO 8601 with a zone."""

    format: Literal["evidence-export-v1"]
    dataset: str
    night: dt.date
    exported_at: Moment = None
    exported_by: str = ""
    as_of: Moment = None
    covers: ClaimedSpan | None = None
    documents: int | None = None
    files: Mapping[str, ClaimedFile] = {}
    status: Status = "complete"
    reason: str = ""
    system: Mapping[str, str] = {}
    totals: ClaimedTotals | None = None
    statements: tuple[ClaimedStatement, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return what a receipt says of the system: the exporter's words."""
        span = (
            {}
            if self.covers is None
            else {"covers_start": _spelled(self.covers.start), "covers_end": _spelled(self.covers.end)}
        )
        who = {"exported_by": self.exported_by} if self.exported_by else {}
        return {**self.system, **who, **span}

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


def reach_problems(claims: Claims | None, window: Window) -> list[str]:
    """Say why the records do not reach over the night of ``window``: an export of changes covers a span, and says which."""
    if claims is None or claims.covers is None or claims.covers.end is None:
        return ["the span that the records cover is not stated (covers)"]
    return ["covers ends before the night does"] if claims.covers.end < start_of(window.night) + DAY else []


def _spelled(moment: dt.datetime | None) -> str:
    return moment.isoformat() if moment else ""


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
