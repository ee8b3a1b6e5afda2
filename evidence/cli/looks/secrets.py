"""Every secret that the configuration refers to: a variable that is set, a file that nobody else may use, a secret that may be read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evidence.cli.workspace import Workspace
from evidence.config import Config
from evidence.doctor import NETWORK, Examination, Line, fail, ok, warn
from evidence.errors import ConfigError
from evidence.secret import MANAGER, others

ELSEWHERE: Final = frozenset({"packet.key", "packet.key_passphrase"})  # a collector's host need not hold them


def looks(workspace: Workspace) -> list[Examination]:
    """Return one look for each reference."""
    by_ref: dict[str, list[str]] = {}
    for setting, ref in workspace.config.secrets():
        by_ref.setdefault(ref, []).append(setting)
    return [
        Examination(
            f"secret {', '.join(settings)}",
            lambda ref=ref, settings=settings: _secret(workspace.config, ref, settings),  # type: ignore[misc]  # bound defaults
            seconds=NETWORK if ref.startswith(MANAGER) else 0,
        )
        for ref, settings in by_ref.items()
    ]


def _secret(config: Config, ref: str, settings: list[str]) -> Iterator[Line]:
    what = f"secret {', '.join(settings)}"
    try:
        body = config.secret(ref)
    except ConfigError as error:
        if set(settings) <= ELSEWHERE:
            yield warn(what, f"{error}; packets are made elsewhere", error.fix)
        else:
            yield fail(what, str(error), error.fix, error.exit_code)
        return
    if not body.strip():
        yield fail(what, f"{ref} is empty", f"put the secret there, or leave {settings[0]} out")
    elif ref.startswith("file:"):
        yield from _file(what, ref, config.path(ref))
    else:
        yield ok(what, f"{ref} is set")


def _file(what: str, ref: str, file: Path) -> Iterator[Line]:
    mode = others(file)
    if mode:
        mount = "; a mounted secret: defaultMode 0400 and runAsUser, or env:NAME"
        yield fail(what, f"{ref} has mode {mode}: others may use it", f"chmod 600 {file}{mount}")
        return
    folder = file.resolve().parent
    if folder.stat().st_mode & 0o022:
        yield fail(what, f"others may replace {ref}: its folder can be written by them", f"chmod go-w {folder}")
        return
    yield ok(what, f"{ref}, for its owner alone")


def same(config: Config) -> Iterator[tuple[str, str]]:
    """Yield pairs of settings that hold the same bytes although they are for different things; what cannot be read is passed over."""
    names = [("log.key", config.log.key), ("redaction.key", config.redaction.key), ("packet.key", config.packet.key)]
    held: dict[bytes, str] = {}
    for setting, ref in names:
        body = b"ref " + ref.encode()
        if ref.startswith(("env:", "file:", MANAGER)):
            try:
                body = config.secret(ref)
            except ConfigError:
                continue
        if body in held:
            yield held[body], setting
        held.setdefault(body, setting)
