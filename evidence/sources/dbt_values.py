"""Values of dbt artifacts, taken leniently: what has another shape than the one looked for is not there (NULL)."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evidence.sources.moment import parse_moment

Row = dict[str, Any]
LEFT_OUT = "?"  # stands for project code or free text that is not carried over
_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:")
_SHA = re.compile(r"[0-9a-f]{7,64}\Z")
_PLAIN = re.compile(r'[\w.$":\[\]() ,|/%+-]{1,300}\Z')  # names, calls and paths: no quoted literal, no comment


def mapping(value: Any) -> Mapping[str, Any]:
    """Return ``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """Spell a scalar; lists and objects are none."""
    if value is None or isinstance(value, dict | list):
        return None
    return str(value)


def texts(value: Any) -> list[str] | None:
    """Return the scalars of a list; a text alone is a list of one."""
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value if not isinstance(item, dict | list)] if isinstance(value, list) else None


def flag(value: Any) -> bool | None:
    """Return a JSON boolean; anything else is none."""
    return value if isinstance(value, bool) else None


def integer(value: Any) -> int | None:
    """Return a JSON integer; anything else is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> str | None:
    """Spell a JSON number with the digits it has."""
    return None if value is None or isinstance(value, bool | dict | list) else str(value)


def moment(value: Any) -> dt.datetime | None:
    """Parse a moment; dbt writes UTC, with or without saying so."""
    return parse_moment(value, zone=dt.UTC) if isinstance(value, str) else None


def relative(value: Any) -> str | None:
    """Keep a project-relative path with forward slashes; an absolute one names a person's machine and is dropped."""
    if not isinstance(value, str) or not value or _ABSOLUTE.match(value):
        return None
    return value.replace("\\", "/")


def plain(value: Any) -> Any:
    """Keep a name, a reference, a number or a list of them; ``?`` where a literal could stand (an SQL expression)."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if not isinstance(value, str) or (_PLAIN.match(value) and "--" not in value and "/*" not in value):
        return value
    return LEFT_OUT


def described(value: Any) -> bool:
    """Say whether a description says anything: a keyed text no longer shows that."""
    return bool(isinstance(value, str) and value.strip())


def git_sha(env: Mapping[str, Any]) -> str | None:
    """Return the commit if the run was given one as DBT_ENV_CUSTOM_ENV_…: dbt itself records none."""
    for value in _named(env, ("GIT_SHA", "COMMIT_SHA", "GITHUB_SHA")):
        return value.lower() if _SHA.match(value.lower()) else None
    return None


def env_target(env: Mapping[str, Any]) -> str | None:
    """Return the target if the run was given its name as DBT_ENV_CUSTOM_ENV_…DBT_TARGET: ``args`` names only a ``--target``."""
    return next(_named(env, ("DBT_TARGET", "TARGET_NAME")), None)


def _named(env: Mapping[str, Any], endings: tuple[str, ...]) -> Iterator[str]:
    found: Iterable[str] = (name for name in sorted(env) if name.upper().endswith(endings))
    yield from (env[name] for name in found if isinstance(env[name], str) and env[name])
