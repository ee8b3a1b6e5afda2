"""``evidence init``: a new workspace with its keys, store and trust fingerprint; with ``--demo`` also a health carrier."""

import secrets
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from evidence import __version__, config
from evidence.cli import output
from evidence.cli.init_choices import Choices, checked, rendered
from evidence.cli.init_questions import questions
from evidence.cli.workspace import Workspace, now
from evidence.control.definition import load_library
from evidence.errors import ConfigError, UsageError
from evidence.signing.certificate import certificate_pem, key_pem, make_demo_authority
from evidence.signing.keys import HmacKey, NoteKey, write_secret
from evidence.snapshot.canonical import sha256_hex
from evidence.store.log import Log
from evidence.store.promise import seal_promise
from evidence.store.retention import FLOOR_DAYS

if TYPE_CHECKING:
    from evidence.demo.judges import Judges

EXAMPLES: Final = (
    "evidence init work",
    "evidence init work --demo --size week",
    'evidence init work --entity "Example Health Plan" --exports exports',
    'evidence init work --entity "Example Health Plan" --account ACME-PROD --store s3://acme-evidence/prod --retention-mode GOVERNANCE',
)

TRUST = "trust"  # what is carried outside: the log's verifier key and the packet root certificate


def init(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Where to make the workspace.")] = Path(),
    demo: Annotated[bool, typer.Option("--demo", help="Fill it with a generated health carrier for 2026-Q3.")] = False,
    size: Annotated[
        str, typer.Option(help="Size of the demo: full, month, week, small, or none (you bring the exports).")
    ] = "full",
    entity: Annotated[str, typer.Option(help="Name printed on covers.")] = "",
    system: Annotated[str, typer.Option(help="Name of the system in scope.")] = Choices.system,
    store: Annotated[str, typer.Option(help="file:DIR or s3://bucket/prefix.")] = Choices.store,
    retention_mode: Annotated[str, typer.Option(help="GOVERNANCE or COMPLIANCE; s3: only.")] = "",
    retention_days: Annotated[int, typer.Option(help="How long evidence is kept; s3: only.", min=1)] = Choices.days,
    endpoint_url: Annotated[str, typer.Option(help="S3 endpoint, if not AWS's own.")] = "",
    region: Annotated[str, typer.Option(help="Region of the bucket.")] = "",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="With COMPLIANCE: yes, nobody can shorten these locks.")
    ] = False,
    exports: Annotated[
        str, typer.Option(metavar="DIR", help="Source: a folder of exports of the views (docs/formats/export.md).")
    ] = "",
    account: Annotated[str, typer.Option(help="Source: a Snowflake account, as ORGANIZATION-ACCOUNT.")] = "",
    user: Annotated[str, typer.Option(help="Its user of TYPE = SERVICE.")] = Choices.user,
    role: Annotated[str, typer.Option(help="The user's role.")] = Choices.role,
    private_key: Annotated[
        str, typer.Option(metavar="REFERENCE", help="The user's key: env:NAME, file:PATH or aws-sm:NAME.")
    ] = Choices.private_key,
    profile: Annotated[str, typer.Option(help="phi-business-critical or standard-edition.")] = "",
    alert: Annotated[
        str, typer.Option(metavar="REFERENCE", help="Who is told: where an apprise address lies, as env:NAME.")
    ] = "",
    no_input: Annotated[bool, typer.Option("--no-input", help="Ask nothing, even on a terminal.")] = False,
) -> None:
    """Make a workspace: configuration, registers, keys and an empty store. Prints what to carry outside as trust.

    Without options, on a terminal, it asks. Secrets are only ever named by reference.
    """
    if (directory / config.FILE_NAME).exists():
        raise ConfigError(f"{directory / config.FILE_NAME} exists", fix="choose an empty directory")
    if exports and account:
        raise UsageError("--exports and --account: one source at a time", fix="add the other as a section later")
    if not account and (user, role, private_key) != (Choices.user, Choices.role, Choices.private_key):
        raise UsageError("--user, --role and --private-key are of a Snowflake account", fix="say which: --account")
    if not no_input and _is_asking(context):
        chosen = questions(directory)
    else:
        chosen = Choices(
            entity=entity or ("Fernhollow Health Plan (demo)" if demo else "Your organisation"),
            system=system,
            store=store,
            mode=retention_mode,
            days=retention_days,
            endpoint_url=endpoint_url,
            region=region,
            confirm=confirm,
            source="files" if exports else "snowflake" if account else "",
            exports=exports,
            account=account,
            user=user,
            role=role,
            private_key=private_key,
            profile=profile,
            alert=alert,
        )  # fmt: skip
    if chosen.days < FLOOR_DAYS and not demo:
        raise UsageError(
            f"--retention-days {chosen.days} is less than six years (45 CFR 164.316(b)(2)(i)): {FLOOR_DAYS} days",
            fix=f"{FLOOR_DAYS} or more; a demonstration keeps less: --demo --size none",
        )
    chosen = checked(chosen, directory)
    body = rendered(chosen, directory, demo=demo)
    directory.mkdir(parents=True, exist_ok=True)
    _skeleton(directory, body)
    origin = _keys(directory, chosen.entity)
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
    output.say(f"Next: evidence -w {shlex.quote(str(directory))} doctor")


def _is_asking(context: typer.Context) -> bool:
    """Questions need a person on both ends, and are for who gave no option: one that is given says that the rest is meant too."""
    given = [
        name
        for name in context.params
        if name != "directory" and (found := context.get_parameter_source(name)) and found.name != "DEFAULT"
    ]
    return not given and sys.stdin.isatty() and sys.stdout.isatty()


def _skeleton(directory: Path, body: str) -> None:
    """Copy the workspace files and write evidence.toml."""
    source = config.content_root() / "templates" / "workspace"
    for path in sorted(source.rglob("*.toml")):
        target = directory / path.relative_to(source)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (directory / config.FILE_NAME).write_text(body, encoding="utf-8")


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
