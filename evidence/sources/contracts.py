"""The ``contracts`` source: data-product contracts in YAML (``docs/formats/product-contract.md``).

The folder as it stands is captured now, with the git commit of each unchanged file. Folders ``date=D/`` beside it make it a
history instead: each is the state of night D, with the moment its ``_export.json`` claims.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from evidence.datasets.contract import Contract
from evidence.errors import SourceUnavailableError
from evidence.snapshot.model import Statement, Window
from evidence.sources.claims import Claims, read_claims
from evidence.sources.decode import Reject
from evidence.sources.git import Checkout, checkout
from evidence.sources.product import Product, Row, parse_product, rows
from evidence.sources.protocol import Reading
from evidence.sources.reading import RowsReading
from evidence.sources.tree import TreeFile, night_of, open_plain, walk

DATASET = "contracts.products"
ENDINGS = (".yaml", ".yml")
MAX_BYTES = 2**20
MAX_DEPTH = 40


class ContractsSource:
    """A folder of contracts. ``clock`` is the moment of a live capture."""

    def __init__(self, name: str, folder: Path, *, clock: Callable[[], dt.datetime]) -> None:
        self.name = name
        self._folder = folder
        self._clock = clock
        self._parsed: dict[str, Product] = {}  # by SHA-256: nights of a history share most files

    @property
    def live(self) -> bool:
        """False if there are dated folders."""
        return not self._dated

    def datasets(self) -> Sequence[str]:
        """``contracts.products``."""
        return [DATASET]

    def nights(self, contract: Contract) -> Sequence[dt.date] | None:  # noqa: ARG002 - one dataset
        """Nights of the dated folders, or ``None``: ask for tonight."""
        return sorted(self._dated) or None

    def read(self, contract: Contract, window: Window) -> Reading:
        """Read one night. Raises ``SourceUnavailableError`` if the folder is gone, or holds no contract."""
        if self.live:
            reading = self._read(contract, self._folder, "", checkout(self._folder))
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
        reading = self._read(contract, folder, folder.name + "/", Checkout("", frozenset()))
        return _claimed(reading, claims, window)

    def close(self) -> None:
        """Nothing is held open."""

    @cached_property
    def _dated(self) -> dict[dt.date, Path]:
        found = {}
        for folder in sorted(self._folder.glob("date=*")):
            night = night_of(folder.name)
            if night is not None and folder.is_dir() and not folder.is_symlink():
                found[night] = folder
        return found

    def _read(self, contract: Contract, folder: Path, prefix: str, git: Checkout) -> RowsReading:
        found: list[Row] = []
        rejects: list[Reject] = []
        statements: list[Statement] = []
        owners: dict[str, str] = {}
        for file in _yaml_files(folder):
            name = prefix + file.name
            commit = git.commit if git.commit and file.name not in git.changed else None
            try:
                body, digest = _body(file)
                product = self._parsed.get(digest) or parse_product(_document(body))
                self._parsed[digest] = product
                if product.name in owners:
                    raise ValueError(f"the product of {owners[product.name]} once more")  # noqa: TRY301 - one way out
                mine = list(rows(product, name, commit))
            except ValueError as exc:
                rejects.append(Reject("", f"{prefix}{file.label}: {exc}"))
                continue
            owners[product.name] = name
            found += mine
            statements.append(Statement(f"read {name} sha256:{digest}", rows=len(mine)))
        if not found and not rejects:
            raise SourceUnavailableError(
                f"{self.name}: no contract (.yaml, .yml) in {prefix or 'the folder'}",
                fix="point the source's path at the folder that holds the data-product contracts",
            )
        return RowsReading(contract, found, rejects, statements, _system(git), notes=_notes(git, statements))


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


def _body(file: TreeFile) -> tuple[bytes, str]:
    """Return the bytes of a file and their SHA-256. Raises ``ValueError``."""
    if file.refusal:
        raise ValueError(file.refusal)
    if file.size > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    try:
        with open_plain(file) as stream:
            body = stream.read(MAX_BYTES)
    except OSError as exc:
        raise ValueError(f"cannot be read: {exc.strerror}") from None
    return body, hashlib.sha256(body).hexdigest()


def _document(body: bytes) -> Any:
    """Parse one YAML document without running anything in it. Raises ``ValueError`` that quotes no value."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it was built in: ten times faster
    try:
        text = body.decode("utf-8-sig")
        _check_events(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)  # noqa: S506 - either loader is the safe one
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else "?"
        raise ValueError(f"line {line}: not YAML that we read") from None
    except (yaml.YAMLError, RecursionError):
        raise ValueError("not YAML that we read") from None


def _check_events(events: Iterator[Any]) -> None:
    """Refuse aliases (a few lines can unfold to gigabytes), deep nesting and a key that stands twice."""
    import yaml

    stack: list[tuple[set[str], list[bool]] | None] = []
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"{_line(event)}: aliases are not read")  # noqa: TRY004 - callers catch one kind of error
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        top = stack[-1] if stack else None
        if top is not None:
            _check_key(event, *top)
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((set(), [True]) if isinstance(event, yaml.MappingStartEvent) else None)
            if len(stack) > MAX_DEPTH:
                raise ValueError(f"{_line(event)}: nested too deeply")


def _check_key(event: Any, keys: set[str], turn: list[bool]) -> None:
    """Nodes of a mapping alternate: key, value, key, value."""
    if turn[0] and hasattr(event, "value"):
        if event.value in keys:
            raise ValueError(f"{_line(event)}: a key stands twice")
        keys.add(event.value)
    turn[0] = not turn[0]


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _system(git: Checkout) -> dict[str, str]:
    return {"product": "data-product contracts", **({"commit": git.commit} if git.commit else {})}


def _notes(git: Checkout, statements: Sequence[Statement]) -> list[str]:
    files = f"{len(statements)} contract files"
    if not git.commit:
        return [files, "no git commit is known for them"]
    return [f"{files} at commit {git.commit}; a file without commit_sha differs from it"]
