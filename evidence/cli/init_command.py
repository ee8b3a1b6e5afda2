"""``evidence init``: a new workspace with its keys, store and trust fingerprint; with ``--demo`` also a health carrier."""

import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import jinja2
import typer

from evidence import __version__, config
from evidence.cli import output
from evidence.cli.workspace import Workspace, now
from evidence.control.definition import load_library
from evidence.errors import ConfigError, UsageError
from evidence.signing.certificate import certificate_pem, key_pem, make_demo_authority
from evidence.signing.keys import HmacKey, NoteKey, write_secret
from evidence.snapshot.canonical import sha256_hex
from evidence.store.log import Log
from evidence.store.open import open_store
from evidence.store.promise import seal_promise
from evidence.store.retention import FLOOR_DAYS

if TYPE_CHECKING:
    from evidence.demo.judges import Judges

TRUST = "trust"  # what is carried outside: the log's verifier key and the packet root certificate


def init(
    directory: Annotated[Path, typer.Argument(help="Where to make the workspace.")] = Path(),
    demo: Annotated[bool, typer.Option("--demo", help="Fill it with a generated health carrier for 2026-Q3.")] = False,
    size: Annotated[
        str, typer.Option(help="Size of the demo: full, month, small, or none (you bring the exports).")
    ] = "full",
    entity: Annotated[str, typer.Option(help="Name printed on covers.")] = "",
    system: Annotated[str, typer.Option(help="Name of the system in scope.")] = "Member analytics platform",
    store: Annotated[str, typer.Option(help="file:DIR or s3://bucket/prefix.")] = "file:store",
    retention_mode: Annotated[str, typer.Option(help="GOVERNANCE or COMPLIANCE; s3: only.")] = "",
    retention_days: Annotated[int, typer.Option(help="How long evidence is kept; s3: only.", min=1)] = 2557,
    endpoint_url: Annotated[str, typer.Option(help="S3 endpoint, if not AWS's own.")] = "",
    region: Annotated[str, typer.Option(help="Region of the bucket.")] = "",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="With COMPLIANCE: yes, nobody can shorten these locks.")
    ] = False,
) -> None:
    """Make a workspace: configuration, registers, keys and an empty store. Prints what to carry outside as trust."""
    if (directory / config.FILE_NAME).exists():
        raise ConfigError(f"{directory / config.FILE_NAME} exists", fix="choose an empty directory")
    if retention_days < FLOOR_DAYS and not demo:
        raise UsageError(
            f"--retention-days {retention_days} is less than six years (45 CFR 164.316(b)(2)(i)): {FLOOR_DAYS} days",
            fix=f"{FLOOR_DAYS} or more; a demonstration keeps less: --demo --size none",
        )
    place = _place(store, retention_mode, retention_days, endpoint_url, region, confirm=confirm)
    directory.mkdir(parents=True, exist_ok=True)
    name = entity or ("Fernhollow Health Plan (demo)" if demo else "Your organisation")
    _skeleton(directory, demo=demo, entity=name, system=system, **place)
    origin = _keys(directory, name)
    workspace = Workspace.open(directory)
    if demo and size != "none":
        _fill(directory, size)
    seal_promise(Log.init(workspace.store, workspace.log_key, anchors=workspace.anchors, **workspace.keeping))
    root = (directory / TRUST / "packet-root.pem").read_bytes()
    output.pairs({
        "workspace": directory.resolve(),
        "log origin": origin,
        "log key": (directory / TRUST / "log.vkey").read_text().strip(),
        "packet root": f"sha256 {sha256_hex(root)} (of {TRUST}/packet-root.pem)",
    })  # fmt: skip
    output.say(f"Carry {directory / TRUST} outside, on paper or another system: verifiers start from it.")


def _place(url: str, mode: str, days: int, endpoint_url: str, region: str, *, confirm: bool) -> dict[str, object]:
    """Return what the template says of the store. Raises ``UsageError`` before anything is written."""
    if url.startswith("s3://"):
        if mode not in {"GOVERNANCE", "COMPLIANCE"}:
            raise UsageError(
                f"{url} needs a lock: --retention-mode {mode or 'is missing'}",
                fix="GOVERNANCE while you try, COMPLIANCE when you mean it",
            )
        if mode == "COMPLIANCE" and not confirm:
            raise UsageError(
                f"COMPLIANCE locks of {days} days cannot be shortened or removed by anybody, the root account included",
                fix="try with --retention-mode GOVERNANCE and few days; then --confirm",
            )
        made = open_store(
            url, base=Path(), clock=now, mode=mode, retention_days=days, endpoint_url=endpoint_url, region=region
        )
        if not made.writable:
            raise ConfigError(f"{url} cannot create a name exactly once", fix="use a server with conditional writes")
    elif mode:
        raise UsageError(f"--retention-mode {mode} on {url}: a folder keeps no retention", fix="use an s3:// store")
    words = {"endpoint_url": endpoint_url, "region": region}
    return {"store_url": url, "mode": mode or "NONE", "days": days, "place": {k: v for k, v in words.items() if v}}


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
        generate(directory, size_named(size), judges=demo_judges(Workspace.open(directory)))
        arrange(directory)
        step(size)


def demo_judges(workspace: Workspace) -> "Judges":
    """Return what ``workspace`` judges by, for the demo's answer key."""
    from evidence.demo.judges import Judges

    library = workspace.library
    return Judges(
        tool=__version__,
        severities={control.id: control.severity for control in library.controls.values()},
        versions={control.id: control.version for control in library.controls.values()},
        identity=lambda overlay: load_library(workspace.control_folders, overlay).sha256,
    )


def arrange(directory: Path) -> None:
    """Put what the generator wrote where evidence.toml looks for it."""
    made = directory / "workspace"
    shutil.copytree(made, directory, dirs_exist_ok=True)
    shutil.rmtree(made)
    (directory / "exports" / "dbt").rename(directory / "dbt-artifacts")
    (directory / "exports" / "contracts").rename(directory / "contracts")
