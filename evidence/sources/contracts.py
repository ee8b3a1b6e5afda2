"""The ``contracts`` source: data-product contracts in YAML (``docs/formats/product-contract.md``).

Three ways to read them. The folder as it stands is captured now, with the git commit of each unchanged file. Folders ``date=D/``
beside it make it a history instead: each is the state of night D, with the moment its ``_export.json`` claims. With
``branch``, files are read from the commit that the branch stands at, or with ``history`` stood at at the end of each night.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError, SourceUnavailableError
from evidence.snapshot.model import DAY, Statement, Window
from evidence.sources.claims import ClaimedFile, Claims, read_claims
from evidence.sources.decode import Reject
from evidence.sources.git import Blob, Branch, Checkout, Commit, checkout, current, last_changes
from evidence.sources.product import Product, Row, parse_product, rows
from evidence.sources.protocol import Reading
from evidence.sources.reading import RowsReading
from evidence.sources.safe_yaml import load_yaml
from evidence.sources.tree import LABEL_LENGTH, TreeFile, night_of, open_plain, walk

DATASET = "contracts.products"
ENDINGS = (".yaml", ".yml")
MAX_BYTES = 2**20
HISTORY_NIGHTS = 365
_FILE_MODES = {"100644", "100755"}  # not 120000, a link, nor 160000, a submodule


@dataclass(frozen=True, slots=True)
class ContractFile:
    """One file that may hold a contract: its name below the folder, how to get its bytes, what is known of it."""

    name: str
    body: Callable[[], bytes]
    facts: Mapping[str, Any]


class ContractsSource:
    """A folder of contracts, or a branch of a repository that holds them. ``clock`` is the moment of a live capture."""

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        clock: Callable[[], dt.datetime],
        branch: str = "",
        folder: str = "",
        history: bool = False,
    ) -> None:
        if (folder or history) and not branch:
            raise ConfigError(
                f"sources.{name}: folder and history are read from a branch", fix="name the branch, such as origin/main"
            )
        self.name = name
        self._path = path
        self._clock = clock
        self._branch = Branch(path, branch, folder) if branch else None
        self._history = history
        self._parsed: dict[str, Product] = {}  # by SHA-256: nights of a history share most files

    @property
    def live(self) -> bool:
        """False if past nights can be read: from dated folders or from the commits of a branch."""
        return not self._history if self._branch else not self._dated

    def datasets(self) -> Sequence[str]:
        """``contracts.products``."""
        return [DATASET]

    def nights(self, contract: Contract) -> Sequence[dt.date] | None:  # noqa: ARG002 - one dataset
        """Nights of the dated folders or of the branch's history, or ``None``: ask for tonight."""
        if self._branch:
            return self._past_nights() if self._history else None
        return sorted(self._dated) or None

    def read(self, contract: Contract, window: Window) -> Reading:
        """Read one night. Raises ``SourceUnavailableError`` if the folder is gone, or holds no contract."""
        if self._branch:
            return self._from_branch(contract, self._branch, window)
        if self.live:
            git = checkout(self._path)
            reading = self._read(contract, _checked_out(self._path, git), "the folder")
            reading.system, reading.notes = _system(git.commit), _notes(git, reading.statements)
            reading.as_of = self._clock(), False
            return reading
        folder = self._dated.get(window.night)
        if folder is None:
            raise SourceUnavailableError(
                f"{self.name}: no folder date={window.night}", fix="export this night's contracts"
            )
        claims = read_claims(folder, folder.name, DATASET, window.night)
        if isinstance(claims, Claims):
            claims.refuse(folder.name)
        stated = claims.files if isinstance(claims, Claims) else {}
        reading = self._read(contract, _plain_files(folder, folder.name + "/", stated), folder.name)
        reading.system, reading.notes = _system(""), _notes(Checkout("", frozenset()), reading.statements)
        if stated:
            reading.notes = [reading.notes[0], "the commits that last changed them are the exporter's words"]
        return _claimed(reading, claims, window)

    def close(self) -> None:
        """Nothing is held open."""

    @cached_property
    def _dated(self) -> dict[dt.date, Path]:
        found = {}
        for folder in sorted(self._path.glob("date=*")):
            night = night_of(folder.name)
            if night is not None and folder.is_dir() and not folder.is_symlink():
                found[night] = folder
        return found

    @cached_property
    def _commits(self) -> Sequence[Commit]:
        return self._branch.commits() if self._branch else ()

    def _past_nights(self) -> Sequence[dt.date]:
        """Return the nights since the branch's first commit, at most a year of them; tonight is the last."""
        last = Window.of_capture(self._clock()).night
        oldest = min(commit.committed_at for commit in self._commits).date()
        first = min(max(oldest, last - HISTORY_NIGHTS * DAY), last)
        return [first + number * DAY for number in range((last - first).days + 1)]

    def _from_branch(self, contract: Contract, branch: Branch, window: Window) -> Reading:
        """Read the commit of one night: tonight's is the tip as it stands, a past one goes by the commits' own times."""
        now = self._clock()
        tonight = not self._history or window.start <= now < window.end
        commits = self._commits
        commit = commits[0] if tonight else current(commits, window.start)
        if commit is None:
            raise SourceUnavailableError(
                f"{self.name}: the branch has no commit before the end of {window.night}",
                fix="ask for nights since the first commit",
            )
        reading = self._read(contract, _committed(branch, commit), f"commit {commit.sha}")
        reading.system = _system(commit.sha)
        reading.as_of = (now, False) if tonight else (window.start, True)
        reading.notes = [
            f"{len(reading.statements)} contract files at commit {commit.sha}, as this clone knows the branch; nothing was fetched",
            *([] if tonight else ["which commit was current is told by the commits' own times"]),
            *(["commit times run backwards on this branch"] if _backwards(commits) else []),
        ]
        return reading

    def _read(self, contract: Contract, files: Iterable[ContractFile], where: str) -> RowsReading:
        found: list[Row] = []
        rejects: list[Reject] = []
        statements: list[Statement] = []
        owners: dict[str, str] = {}
        for file in files:
            try:
                body = file.body()
                digest = hashlib.sha256(body).hexdigest()
                product = self._parsed.get(digest) or parse_product(load_yaml(body))
                self._parsed[digest] = product
                if product.name in owners:
                    raise ValueError(f"the product of {owners[product.name]} once more")  # noqa: TRY301 - one way out
                mine = list(rows(product, {"file": file.name, "file_sha256": digest, **file.facts}))
            except ValueError as exc:
                rejects.append(Reject("", f"{_label(file.name)}: {exc}"))
                continue
            owners[product.name] = file.name
            found += mine
            statements.append(Statement(f"read {file.name} sha256:{digest}", rows=len(mine)))
        if not found and not rejects:
            raise SourceUnavailableError(
                f"{self.name}: no contract (.yaml, .yml) in {where}",
                fix="point the source's path at the folder that holds the data-product contracts",
            )
        return RowsReading(contract, found, rejects, statements)


def _plain_files(folder: Path, prefix: str, stated: Mapping[str, ClaimedFile]) -> Iterator[ContractFile]:
    for file in _yaml_files(folder):
        facts = _claimed_change(stated.get(file.name))
        yield ContractFile(prefix + file.name, partial(_body, file), {"commit_sha": None, **facts})


def _claimed_change(change: ClaimedFile | None) -> dict[str, Any]:
    if change is None:
        return {}
    return {
        "file_commit_sha": change.commit,
        "file_author": change.author,
        "file_authored_at": change.authored_at,
        "file_committed_at": change.committed_at,
    }


def _checked_out(folder: Path, git: Checkout) -> Iterator[ContractFile]:
    """Yield the files of a working tree; one that differs from the commit belongs to none."""
    changes = last_changes(folder, git.commit) if git.commit else {}
    for file in _yaml_files(folder):
        unchanged = bool(git.commit) and file.name not in git.changed
        facts = _history_of(changes.get(file.name)) if unchanged else {}
        yield ContractFile(file.name, partial(_body, file), {"commit_sha": git.commit if unchanged else None, **facts})


def _committed(branch: Branch, commit: Commit) -> Iterator[ContractFile]:
    """Yield the files of a commit, with the rules of a folder: bookkeeping is passed over, links are refused."""
    changes = branch.last_changes(commit)
    for blob in sorted(branch.files(commit), key=lambda blob: blob.path):
        parts = blob.path.split("/")
        if any(part.startswith((".", "_")) for part in parts):
            continue
        if blob.path.lower().endswith(ENDINGS) or (blob.mode not in _FILE_MODES and "." not in parts[-1]):
            facts = {
                "commit_sha": commit.sha,
                "committed_at": commit.committed_at,
                **_history_of(changes.get(blob.path)),
            }
            yield ContractFile(blob.path, partial(_blob_body, branch, blob), facts)


def _blob_body(branch: Branch, blob: Blob) -> bytes:
    if blob.mode not in _FILE_MODES:
        raise ValueError(
            "a symbolic link or a repository inside the repository; contracts are read from real files only"
        )
    if blob.size > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    return branch.body(blob)


def _history_of(change: Commit | None) -> dict[str, Any]:
    if change is None:
        return {}
    return {
        "file_commit_sha": change.sha,
        "file_author": change.author,
        "file_authored_at": change.authored_at,
        "file_committed_at": change.committed_at,
    }


def _backwards(commits: Sequence[Commit]) -> bool:
    """Say whether a later commit claims an earlier time than the one before it."""
    return any(later.committed_at < earlier.committed_at for later, earlier in pairwise(commits))


def _label(name: str) -> str:
    return name if len(name) <= LABEL_LENGTH else "…" + name[1 - LABEL_LENGTH :]


def _claimed(reading: RowsReading, claims: Claims | str | None, window: Window) -> RowsReading:
    """Add what ``_export.json`` says: the moment, if the night's window holds it."""
    if isinstance(claims, str):
        reading.rejects = [*reading.rejects, Reject("", claims)]
    elif claims and claims.as_of and window.start <= claims.as_of < window.end:
        reading.as_of = claims.as_of, True
        reading.system = {**claims.system, **reading.system}
        reading.stated = claims.totals.totals(reading.contract) if claims.totals else None
        if claims.status != "complete":
            reading.rejects = [*reading.rejects, Reject("", f"the exporter reports {claims.status}")]
    else:
        reading.notes = [*reading.notes, "as_of is not stated, or lies outside the window of this night"]
    return reading


def _yaml_files(folder: Path) -> Iterator[TreeFile]:
    """Yield what may hold contracts; a link without an ending may be a folder of them and is refused by the reader."""
    for file in walk(folder):
        if file.name.lower().endswith(ENDINGS) or (file.refusal and "." not in file.parts[-1]):
            yield file


def _body(file: TreeFile) -> bytes:
    """Return the bytes of a file. Raises ``ValueError``."""
    if file.refusal:
        raise ValueError(file.refusal)
    if file.size > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    try:
        with open_plain(file) as stream:
            return stream.read(MAX_BYTES)
    except OSError as exc:
        raise ValueError(f"cannot be read: {exc.strerror}") from None


def _system(commit: str) -> dict[str, str]:
    return {"product": "data-product contracts", **({"commit": commit} if commit else {})}


def _notes(git: Checkout, statements: Sequence[Statement]) -> list[str]:
    files = f"{len(statements)} contract files"
    if not git.commit:
        return [files, "no git commit is known for them"]
    return [f"{files} at commit {git.commit}; a file without commit_sha differs from it"]
