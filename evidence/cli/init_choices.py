"""What ``evidence init`` is told, by options or by answers, each part checked before anything is written; and evidence.toml made of it."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import jinja2
from pydantic import TypeAdapter, ValidationError

from evidence import config
from evidence.cli.workspace import now
from evidence.errors import ConfigError, UsageError
from evidence.store.open import open_store

KINDS: Final = ("files", "snowflake")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")  # S3 User Guide, "Bucket naming rules"
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
REFERENCE: Final = "env:NAME, file:PATH or aws-sm:NAME; the secret itself is written nowhere"


@dataclass(frozen=True)  # no slots: the defaults are read from the class
class Choices:
    """All that evidence.toml says of a new workspace. ``source`` is "" where none is named; secrets are references."""

    entity: str = ""
    system: str = "Member analytics platform"
    store: str = "file:store"
    mode: str = ""
    days: int = 2557
    endpoint_url: str = ""
    region: str = ""
    confirm: bool = False
    source: str = ""
    exports: str = ""
    account: str = ""
    user: str = "EVIDENCE_COLLECTOR"
    role: str = "EVIDENCE_COLLECTOR"
    private_key: str = "file:keys/snowflake.p8"
    profile: str = ""
    alert: str = ""


def checked(choices: Choices, directory: Path) -> Choices:
    """Return the choices with paths as evidence.toml spells them. Raises ``UsageError`` or ``ConfigError`` for the first that cannot be."""
    for name in ("entity", "system", "endpoint_url", "region", "user", "role"):
        text(getattr(choices, name))
    if choices.source == "snowflake":
        account(choices.account)
        reference(choices.private_key)
    if choices.alert:
        reference(choices.alert)
    profile(choices.profile)
    open_place(choices)
    return replace(choices, exports=exports(choices.exports, directory) if choices.source == "files" else "")


def text(value: str) -> str:
    """Return one line of text."""
    if _CONTROL.search(value):
        raise UsageError("that holds a control character", fix="write one line of plain text")
    return value


def named(value: str) -> str:
    """Return a text that is not empty."""
    if not text(value).strip():
        raise UsageError("that is empty", fix="it is printed on every cover")
    return value.strip()


def account(value: str) -> str:
    """Return a Snowflake account identifier."""
    if not _ACCOUNT.fullmatch(value) or value.lower().endswith(".snowflakecomputing.com"):
        raise UsageError(
            f"{value!r} is no account identifier" if value else "the account is missing",
            fix="write it as ORGANIZATION-ACCOUNT or xy12345.us-east-1, without https:// and .snowflakecomputing.com",
        )
    return value


def reference(value: str) -> str:
    """Return a reference to a secret. What is none is not repeated: it may be the secret."""
    try:
        return str(TypeAdapter(config.SecretRef).validate_python(value))
    except ValidationError:
        raise UsageError("that is no reference to a secret", fix=f"write {REFERENCE}") from None


def profiles() -> list[str]:
    """Return the names of the profiles that are shipped."""
    return sorted(path.stem for path in (config.content_root() / "controls" / "profiles").glob("*.toml"))


def profile(value: str) -> str:
    """Return the name of a shipped profile, or nothing."""
    if value and value not in profiles():
        raise UsageError(f"no profile {value!r}", fix=f"there are: {', '.join(profiles())}")
    return value


def exports(value: str, directory: Path) -> str:
    """Return the folder of exports as evidence.toml spells it: relative inside the workspace, else absolute."""
    if not value:
        return "exports"
    folder = Path(text(value)).expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}", fix="docs/formats/export.md says what lies in it")
    home = directory.resolve()
    return str(folder.relative_to(home)) if folder.is_relative_to(home) else str(folder)


def lock(choices: Choices) -> None:
    """Raise ``UsageError`` where the store's address names no place, or the lock does not fit it."""
    url, mode, days = text(choices.store), choices.mode, choices.days
    if not url.startswith("s3://"):
        if mode:
            raise UsageError(f"--retention-mode {mode} on {url}: a folder keeps no retention", fix="use an s3:// store")
        if not url.startswith("file:") or url == "file:":
            raise UsageError(f"{url!r} is no store", fix="write file:DIR or s3://bucket/prefix")
        return
    if not _BUCKET.fullmatch(url):
        raise UsageError(f"{url!r} names no bucket", fix="write s3://bucket/prefix")
    if mode not in {"GOVERNANCE", "COMPLIANCE"}:
        raise UsageError(
            f"{url} needs a lock: --retention-mode {mode or 'is missing'}",
            fix="GOVERNANCE while you try, COMPLIANCE when you mean it",
        )
    if mode == "COMPLIANCE" and not choices.confirm:
        raise UsageError(
            f"COMPLIANCE locks of {days} days cannot be shortened or removed by anybody, the root account included",
            fix="try with --retention-mode GOVERNANCE and few days; then --confirm",
        )


def open_place(choices: Choices) -> None:
    """Open the store that is meant. Raises ``UsageError`` for a lock that does not fit, ``StoreError`` or ``ConfigError`` for what does not work."""
    lock(choices)
    if not choices.store.startswith("s3://"):
        return
    made = open_store(
        choices.store,
        base=Path(),
        clock=now,
        mode=choices.mode,
        retention_days=choices.days,
        endpoint_url=choices.endpoint_url,
        region=choices.region,
    )
    if not made.writable:
        raise ConfigError(
            f"{choices.store} cannot create a name exactly once", fix="use a server with conditional writes"
        )


def rendered(choices: Choices, directory: Path, *, demo: bool) -> str:
    """Return the text of evidence.toml. Raises ``ConfigError`` if it would not be read."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(config.content_root() / "templates" / "workspace"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # TOML, not HTML
    )
    environment.filters["toml"] = quoted
    body = environment.get_template("evidence.toml.j2").render(chosen=choices, demo=demo)
    config.parse(body.encode(), directory / config.FILE_NAME)
    return body


def quoted(value: Any) -> str:
    """Spell a text as a TOML basic string: as JSON does, which escapes all that TOML 1.0 asks for but DEL."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
