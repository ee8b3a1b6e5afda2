"""The ``terraform`` source: state and plan documents in dated folders (``docs/formats/terraform.md``).

A document is parsed, its rows are taken, and it is let go: no value of it is kept in an object that lives longer.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.datasets.contract import Contract
from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import Statement, Totals, Window
from evidence.sources import exact
from evidence.sources.claims import Claims, read_claims
from evidence.sources.dated import DatedFolders
from evidence.sources.decode import Reject
from evidence.sources.files import UNRECOGNISED
from evidence.sources.protocol import UNPROVEN, Reading
from evidence.sources.reading import RowsReading
from evidence.sources.terraform_rows import Document, read_document
from evidence.sources.tree import TreeFile, open_plain, walk

PRODUCT = "terraform"
ENDINGS = (".json", ".tfstate")
MAX_BYTES = 64 * 2**20  # parsed whole: several times that in memory
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class TerraformSource:
    """A folder of ``state/date=D/`` and ``plan/date=D/``, one document per workspace."""

    live = False

    def __init__(
        self, name: str, root: Path, *, contracts: Mapping[str, Contract], clock: Callable[[], dt.datetime]
    ) -> None:
        self.name = name
        self._folders = DatedFolders(root, (key for key in contracts if key.startswith(f"{PRODUCT}.")), clock)

    def datasets(self) -> Sequence[str]:
        """Datasets that have a dated folder, and ``files.unrecognised`` if files stand outside the layout."""
        return self._folders.datasets()

    def nights(self, contract: Contract) -> Sequence[dt.date]:
        """Nights that have a folder, in order."""
        return self._folders.nights(contract.name)

    def read(self, contract: Contract, window: Window) -> Reading:
        """Read one night. Raises ``SourceUnavailableError`` if the folder is gone or empty, and what the exporter claims."""
        if contract.name == UNRECOGNISED:
            return self._folders.strays(contract)
        name = self._folders.folder(self.name, contract.name, window.night)
        folder = self._folders.root / name
        claims = read_claims(folder, name, contract.name, window.night)
        if isinstance(claims, Claims):
            claims.refuse(name)
        files = list(walk(folder))
        if not files:
            raise SourceUnavailableError(
                f"{name}: no document", fix="write `terraform show -json` of each workspace into the folder"
            )
        return _read(contract, window, name, files, claims)

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(slots=True)
class TerraformReading(RowsReading):
    """Rows of one night. ``unproven`` says why the folder cannot be taken for whole: then no totals are stated."""

    unproven: Sequence[str] = ()

    @property
    def totals(self) -> Totals | None:  # type: ignore[override]
        """The claimed totals, else those of a second walk of each document."""
        return None if self.unproven else self.stated


def _read(
    contract: Contract, window: Window, name: str, files: Sequence[TreeFile], claims: Claims | str | None
) -> TerraformReading:
    kind = contract.name.partition(".")[2]
    rejects = [Reject("", claims)] if isinstance(claims, str) else []
    claimed = claims if isinstance(claims, Claims) else None
    reading = TerraformReading(contract, [], rejects)
    rows, planned, counted = [], [], len(rejects)
    facts = _commit(claimed)
    for file in files:
        try:
            document, digest = _parsed(kind, file)
        except ValueError as exc:
            rejects.append(Reject("", f"{name}/{file.label}: {exc}"))
            counted += 1
            continue
        rows += [{"document": file.name, **facts, **row} for row in document.rows]
        rejects += [Reject("", f"{name}/{file.label}: {reason}") for reason in document.rejects]
        counted += 1 + document.counted + document.apart
        planned.append(document.planned_at)
        reading.statements = [
            *reading.statements,
            Statement(f"read {name}/{file.name} sha256:{digest}", rows=len(document.rows)),
        ]
    reading.rows, reading.stated = rows, _totals(claimed, contract, counted)
    reading.system = {"product": "Terraform", **(claimed.facts() if claimed else {})}
    reading.as_of = _moment(claimed, planned, window)
    reading.unproven = _unproven(claimed, len(files))
    reading.notes = [
        f"{len(files)} documents; moments are claims of the exporter or of the plan",
        *(f"{UNPROVEN}{lack}" for lack in reading.unproven),
    ]
    return reading


def _parsed(kind: str, file: TreeFile) -> tuple[Document, str]:
    """Return what a file holds and its SHA-256. Raises ``ValueError`` that quotes nothing of it."""
    if file.refusal:
        raise ValueError(file.refusal)
    if not file.name.lower().endswith(ENDINGS):
        raise ValueError("no .json or .tfstate file")
    if file.size > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    try:
        with open_plain(file) as stream:
            body = stream.read(MAX_BYTES)
    except OSError as exc:
        raise ValueError(f"cannot be read: {exc.strerror}") from None
    return read_document(kind, exact.loads(body.removeprefix(b"\xef\xbb\xbf"))), hashlib.sha256(body).hexdigest()


def _totals(claims: Claims | None, contract: Contract, counted: int) -> Totals:
    return claims.totals.totals(contract) if claims and claims.totals else Totals(counted)


def _moment(
    claims: Claims | None, planned: Sequence[dt.datetime | None], window: Window
) -> tuple[dt.datetime, bool] | None:
    """Return the claimed moment, else the earliest of the plans' own; ``None`` if it is not of this night."""
    own = [moment for moment in planned if moment is not None]
    moment = claims.as_of if claims and claims.as_of else min(own) if own and len(own) == len(planned) else None
    return (moment, True) if moment is not None and window.start <= moment < window.end else None


def _unproven(claims: Claims | None, documents: int) -> list[str]:
    if claims is not None and claims.status == "incomplete":
        return [f"the exporter reports incomplete: {claims.reason or 'no reason given'}"]
    if claims is None or claims.documents is None:
        return ["how many workspaces there are is not stated (documents)"]
    return [] if claims.documents == documents else [f"{claims.documents} documents are stated, {documents} are there"]


def _commit(claims: Claims | None) -> dict[str, str | None]:
    """Return the commit and branch that the exporter names: a claim, like everything in it."""
    system = claims.system if claims else {}
    commit = system.get("commit", "")
    return {"commit_sha": commit if _COMMIT.match(commit) else None, "branch": system.get("branch")}
