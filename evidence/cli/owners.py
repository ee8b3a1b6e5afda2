"""``owners.toml`` of a workspace: who answers for a family of controls. Management's word, not tested."""

import datetime as dt
import tomllib
from pathlib import Path

from evidence.errors import ConfigError

FILE = "owners.toml"


def owners_of(workspace: Path, day: dt.date) -> dict[str, str]:
    """Return family -> owner as of ``day``; a hand-over is a later row. Empty without the file; ``ConfigError`` if malformed."""
    path = workspace / FILE
    if not path.is_file():
        return {}
    found: dict[str, tuple[dt.date, str]] = {}
    try:
        for row in tomllib.loads(path.read_text(encoding="utf-8")).get("owners", []):
            family, since = str(row["family"]), row["since"]
            if since <= day and (family not in found or found[family][0] <= since):
                found[family] = (since, str(row["owner"]))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as exc:
        raise ConfigError(f"{FILE}: {exc!r}", fix="each [[owners]] has family, owner and since, a date") from exc
    return {family: owner for family, (_, owner) in found.items()}
