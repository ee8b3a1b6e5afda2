"""``evidence init``: a new workspace with its keys, store and trust fingerprint; with ``--demo`` also a health carrier."""

import secrets
import shutil
from pathlib import Path
from typing import Annotated

import jinja2
import typer

from evidence import config
from evidence.cli import output
from evidence.cli.workspace import Workspace, now
from evidence.errors import ConfigError
from evidence.signing.certificate import certificate_pem, key_pem, make_demo_authority
from evidence.signing.keys import HmacKey, NoteKey, write_secret
from evidence.snapshot.canonical import sha256_hex
from evidence.store.log import Log

TRUST = "trust"  # what is carried outside: the log's verifier key and the packet root certificate


def init(
    directory: Annotated[Path, typer.Argument(help="Where to make the workspace.")] = Path(),
    demo: Annotated[bool, typer.Option("--demo", help="Fill it with a generated health carrier for 2026-Q3.")] = False,
    size: Annotated[str, typer.Option(help="Size of the demo: full, small, or none (you bring the exports).")] = "full",
    entity: Annotated[str, typer.Option(help="Name printed on covers.")] = "",
    system: Annotated[str, typer.Option(help="Name of the system in scope.")] = "Member analytics platform",
    store: Annotated[str, typer.Option(help="file:DIR or s3://bucket/prefix.")] = "file:store",
) -> None:
    """Make a workspace: configuration, registers, keys and an empty store. Prints what to carry outside as trust."""
    if (directory / config.FILE_NAME).exists():
        raise ConfigError(f"{directory / config.FILE_NAME} exists", fix="choose an empty directory")
    directory.mkdir(parents=True, exist_ok=True)
    name = entity or ("Fernhollow Health Plan (demo)" if demo else "Your organisation")
    _skeleton(directory, demo=demo, entity=name, system=system, store_url=store)
    origin = _keys(directory, name)
    workspace = Workspace.open(directory)
    if demo and size != "none":
        _fill(directory, size)
    if store.startswith("file:"):
        Log.init(workspace.store, workspace.log_key, anchors=workspace.anchors)
    else:
        settings = workspace.config.store
        Log.init(
            workspace.store,
            workspace.log_key,
            anchors=workspace.anchors,
            retention_days=settings.retention_days,
            clock=now,
        )
    root = (directory / TRUST / "packet-root.pem").read_bytes()
    output.pairs({
        "workspace": directory.resolve(),
        "log origin": origin,
        "log key": (directory / TRUST / "log.vkey").read_text().strip(),
        "packet root": f"sha256 {sha256_hex(root)} (of {TRUST}/packet-root.pem)",
    })  # fmt: skip
    output.say(f"Carry {directory / TRUST} outside, on paper or another system: verifiers start from it.")


def _skeleton(directory: Path, **values: object) -> None:
    """Copy the workspace files; evidence.toml is rendered."""
    source = config.content_root() / "templates" / "workspace"
    for path in sorted(source.rglob("*.toml")):
        target = directory / path.relative_to(source)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(source), undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False,  # noqa: S701  # TOML, not HTML
    )  # fmt: skip
    text = environment.get_template("evidence.toml.j2").render(prepared_by="", **values)
    (directory / config.FILE_NAME).write_text(text)


def _keys(directory: Path, entity: str) -> str:
    """Make collector, redaction and packet keys and the trust folder; return the log's origin."""
    slug = "-".join("".join(c if c.isalnum() else " " for c in entity.lower()).split())
    origin = f"evidence.{slug}/{secrets.token_hex(4)}"
    keys, trust = directory / "keys", directory / TRUST
    keys.mkdir(mode=0o700, exist_ok=True)
    trust.mkdir(exist_ok=True)
    note = NoteKey.generate(origin)
    write_secret(keys / "collector.key", note.to_text())
    write_secret(keys / "redaction.key", HmacKey.generate().to_text())
    packet_key, root = make_demo_authority(entity, now())
    write_secret(keys / "packet.pem", key_pem(packet_key).decode().rstrip("\n"))
    (keys / "packet-certificate.pem").write_bytes(certificate_pem(packet_key.certificate))
    (trust / "packet-root.pem").write_bytes(certificate_pem(root))
    (trust / "log.vkey").write_text(note.vkey + "\n")
    return origin


def _fill(directory: Path, size: str) -> None:
    from evidence.demo import generate, size_named

    with output.progress("generate the demo account", 1) as step:
        generate(directory, size_named(size))
        arrange(directory)
        step(size)


def arrange(directory: Path) -> None:
    """Put what the generator wrote where evidence.toml looks for it."""
    made = directory / "workspace"
    shutil.copytree(made, directory, dirs_exist_ok=True)
    shutil.rmtree(made)
    (directory / "exports" / "dbt").rename(directory / "dbt-artifacts")
    (directory / "exports" / "contracts").rename(directory / "contracts")
