"""The AWS operations that may be sent (``aws_operations.toml``), and the guard that refuses every other one."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from evidence.errors import ConfigError, EvidenceError

Refuse = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: the IAM action that allows it and what its error codes mean."""

    name: str  # service:Operation, as the SDK spells them
    action: str
    page: str
    datasets: tuple[str, ...] = ()
    unset: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    login: bool = False  # sent to sign in, not to read
    places: bool = False  # only in places that the configuration names

    @property
    def service(self) -> str:
        """The SDK's service name."""
        return self.name.partition(":")[0]

    @property
    def call(self) -> str:
        """The API operation."""
        return self.name.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and a prefix from which inventory reports may be read: ``s3://bucket/prefix``."""

    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> "Place":
        """Parse ``s3://bucket/prefix``. Raises ``ConfigError``."""
        scheme, _, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket or "*" in rest:
            raise ConfigError(f"inventory: {url!r} is no place for reports", fix="write s3://bucket/prefix")
        return cls(bucket, prefix.strip("/") + "/" if prefix.strip("/") else "")

    def holds(self, bucket: str, key: str) -> bool:
        """Say whether an object or a prefix lies inside."""
        return bucket == self.bucket and key.startswith(self.prefix)


@cache
def load_operations() -> Mapping[str, Operation]:
    """Return the operations by name."""
    return {
        name: Operation(
            name,
            said.pop("action"),
            said.pop("page"),
            tuple(said.pop("datasets", ())),
            frozenset(said.pop("unset", ())),
            frozenset(said.pop("gone", ())),
            **said,
        )
        for name, said in _file()["operations"].items()
    }


@cache
def load_codes() -> Mapping[str, frozenset[str]]:
    """Return error codes by meaning: ``transient``, ``credentials``, ``region``, ``denied``."""
    return {meaning: frozenset(codes) for meaning, codes in _file()["codes"].items()}


def _file() -> dict[str, Any]:
    return tomllib.loads((files("evidence.sources") / "aws_operations.toml").read_text())


def needed(datasets: Iterable[str], *, places: bool = False) -> list[Operation]:
    """Return the operations that reading ``datasets`` sends, signing in left out; with reports if ``places``."""
    wanted = set(datasets)
    return [
        operation
        for operation in load_operations().values()
        if wanted & set(operation.datasets) and (places or not operation.places)
    ]


def guard(places: Iterable[Place] = ()) -> Mapping[str, Refuse]:
    """Return handlers by event name, to be registered on an SDK session before any client is made.

    An operation that is not listed raises ``EvidenceError`` before a request is signed; objects are read inside
    ``places`` only.
    """
    allowed, inside = load_operations(), tuple(places)

    def refuse_unlisted(model: Any, **_: Any) -> None:
        name = f"{model.service_model.service_name}:{model.name}"
        if name not in allowed:
            raise EvidenceError(
                f"{name} was not sent: it is not on the list of read-only operations",
                fix="this is a bug of the collector; report it with the name of the operation",
            )

    def refuse_elsewhere(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        name = f"{model.service_model.service_name}:{model.name}"
        if name in allowed and allowed[name].places:
            key = str(params.get("Key", params.get("Prefix", "")))
            if not any(place.holds(str(params.get("Bucket")), key) for place in inside):
                raise EvidenceError(
                    f"{name} was not sent: the object lies in no place for reports that the configuration names",
                    fix="this is a bug of the collector; report it with the name of the operation",
                )

    return {"before-call": refuse_unlisted, "before-parameter-build": refuse_elsewhere}
