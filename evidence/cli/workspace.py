"""A workspace opened for a command: configuration in, the objects that verbs take as arguments out."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from ulid import ULID

from evidence import __version__
from evidence.cli.standing import lists_of
from evidence.config import (
    FILE_NAME,
    AwsSourceConfig,
    Config,
    DbtSourceConfig,
    SnowflakeElevatedConfig,
    SnowflakeLoginConfig,
    SnowflakeSourceConfig,
    SourceConfig,
    WitnessConfig,
    content_root,
    load,
    prepare_environment,
)
from evidence.control.definition import Library, load_layers, load_library
from evidence.control.engine import Engine
from evidence.control.overlay import ACCOUNT, ORGANISATION, PROFILE
from evidence.control.owners import Owners, load_owners
from evidence.control.register import Registers, load_registers
from evidence.datasets.contract import Contract
from evidence.datasets.landings import Landings
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, EvidenceError, MalformedError, UsageError
from evidence.signing import pkcs11
from evidence.signing.certificate import load_certificates
from evidence.signing.keys import NoteKey, PublicNoteKey, load_hmac_key, load_note_key
from evidence.signing.tsa import Authorities
from evidence.snapshot.redact import Redactor
from evidence.sources.open import open_source
from evidence.sources.protocol import Source
from evidence.store.anchor import Destination, FileAnchor
from evidence.store.destination import open_destination
from evidence.store.index import Index
from evidence.store.keeping import KeptIndex
from evidence.store.kept import KeptBundles
from evidence.store.lease import Lease
from evidence.store.log import Log
from evidence.store.objects import ObjectStore
from evidence.store.open import open_store
from evidence.store.promise import check_promise
from evidence.store.retention import RetainingStore
from evidence.store.telling import DeliveryNotes, Witness
from evidence.store.witness import HttpWitness
from evidence.tlog.cosignature import parse_cosigner
from evidence.tlog.note import Verifier

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from evidence.sources.snowflake_datasets import Choice
    from evidence.sources.snowflake_login import Login


Clock = Callable[[], dt.datetime]


def now() -> dt.datetime:
    """The clock of the command line: UTC."""
    return dt.datetime.now(dt.UTC)


def new_id() -> str:
    """Return a fresh ULID."""
    return str(ULID())


class Keeping(TypedDict, total=False):
    """Arguments of ``Log`` about retention."""

    retention_days: int
    clock: Callable[[], dt.datetime]


@dataclass
class Workspace:
    """Everything a command opens, each part on first use."""

    config: Config
    path: Path
    clock: Clock = field(default_factory=lambda: now)
    confirmed: bool = False  # locks that cannot be undone were agreed to in this command
    _sources: dict[str, Source] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> "Workspace":
        """Read ``evidence.toml`` of ``path``."""
        prepare_environment()
        return cls(load(path), path)

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Contracts of every dataset."""
        return load_contracts()

    @cached_property
    def store(self) -> ObjectStore:
        """The object store."""
        settings = self.config.store
        if unknown := sorted(set(self.config.packet.restricted) - self.contracts.keys()):
            raise ConfigError(
                f"[packet] restricted names unknown datasets: {', '.join(unknown)}", fix="see docs/datasets.md"
            )
        if unknown := sorted(set(self.config.retention) - self.contracts.keys()):
            raise ConfigError(f"retention: no dataset {', '.join(unknown)}", fix="docs/datasets.md lists every dataset")
        return open_store(
            settings.url,
            base=self.config.workspace,
            clock=self.clock,
            mode=settings.retention_mode,
            retention_days=settings.retention_days,
            endpoint_url=settings.endpoint_url,
            region=settings.region,
            kms_key_id=settings.kms_key_id,
            retention=self.config.retention,
            owner=settings.bucket_owner,
        )

    @cached_property
    def log(self) -> Log:
        """The log, opened for appending; the tip was checked against the anchors, the configured retention against the sealed one."""
        far = self.config.store.url.startswith("s3://")
        folder = self.config.workspace / ".evidence"
        kept = KeptBundles(folder / "bundles", self.verifier) if far else None
        log = Log.open(
            self.store,
            signer=self.log_key,
            anchors=self.anchors,
            destinations=self.destinations,
            notes=self.delivery_notes,
            kept=kept,
            index=KeptIndex(folder / "index", self.log_key),
            **self.keeping,
        )
        check_promise(log, confirmed=self.confirmed)
        return log

    @property
    def keeping(self) -> Keeping:
        """How long what the log writes is kept, and by which clock; nothing where the store keeps no retention."""
        if not isinstance(self.store, RetainingStore):
            return {}
        return {"retention_days": self.store.rule.longest, "clock": self.clock}

    @property
    def delivery_notes(self) -> DeliveryNotes:
        """Which place got which checkpoint, as far as this machine knows."""
        return DeliveryNotes(self.config.workspace / ".evidence" / "deliveries.json")

    @property
    def destinations(self) -> Sequence[Destination | Witness]:
        """Further places that every new checkpoint is sent to, witnesses last."""
        settings = self.config.log
        return [*map(self.destination, settings.checkpoints), *map(self.witness, settings.witnesses)]

    def destination(self, ref: str) -> Destination:
        """Return the place of checkpoints behind one reference. Raises ``ConfigError``."""
        place = {"endpoint_url": self.config.store.endpoint_url, "region": self.config.store.region}
        return open_destination(ref, path=self.config.path, secret=self.config.secret, connect=connect_named, **place)

    def witness(self, section: WitnessConfig) -> Witness:
        """Return one witness. Raises ``ConfigError``."""
        return _witness(section, self.config.secret)

    @property
    def anchors(self) -> Sequence[FileAnchor]:
        """Where the signer remembers the last checkpoint."""
        for ref in self.config.log.anchors:
            if not ref.startswith("file:"):
                raise ConfigError(f"log.anchors: {ref!r} is no anchor", fix="write file:PATH")
        return [FileAnchor(self.config.path(ref)) for ref in self.config.log.anchors]

    @cached_property
    def index(self) -> Index:
        """What the log says, by identity."""
        return Index().catch_up(self.log)

    @property
    def verifier(self) -> Verifier:
        """The collector's public key."""
        return Verifier(self.log_key.name, self.log_key.public_key)

    @cached_property
    def log_key(self) -> NoteKey | PublicNoteKey:
        """The collector's signing key."""
        return self.log_key_of(self.config.log.key)

    def log_key_of(self, ref: str, name: str = "") -> NoteKey | PublicNoteKey:
        """Return the log key behind ``ref``: a file, a variable, or a key in a PKCS#11 token."""
        settings = self.config.log
        name = name or settings.name
        if ref.startswith(pkcs11.PREFIX):
            return pkcs11.TokenNoteKey(ref, self.pin(settings.key_passphrase), name)
        return load_note_key(ref, self.config.secret, name=name)

    def pin(self, ref: str | None) -> str | None:
        """Return the PIN or passphrase a reference points to, without the line end of its file."""
        return self.config.secret(ref).decode().rstrip("\r\n") if ref else None

    @cached_property
    def redactor(self) -> Redactor:
        """What treats scrubbed and keyed columns."""
        key = load_hmac_key(self.config.redaction.key, self.config.secret)
        return Redactor(key.secret, key.key_id, mode=self.config.redaction.query_text)

    @cached_property
    def landings(self) -> Landings:
        """What the last landing of each dataset became."""
        return Landings()

    @cached_property
    def library(self) -> Library:
        """Controls of the product and of the workspace, with profile, organisation and account applied in this order."""
        library = load_library(self.control_folders, load_layers(self.overlays))
        return replace(library, max_unknown_nights=self.config.assess.max_unknown_nights)

    @property
    def owners(self) -> Owners:
        """Who answers for controls. Raises ``ConfigError`` for a control or family that is not there."""
        families = {name: Path(control.folder).parent.name for name, control in self.library.controls.items()}
        return load_owners(self.config.workspace, families)

    @property
    def overlays(self) -> list[tuple[str, Path]]:
        """Name and file of each overlay, in the order they apply. Raises ``ConfigError`` for a profile that is not there."""
        settings, found = self.config.assess, []
        if settings.profile:
            places = [folder / "profiles" / f"{settings.profile}.toml" for folder in self.control_folders]
            there = [path for path in places if path.is_file()]
            if not there:
                known = sorted(
                    {path.stem for folder in self.control_folders for path in folder.glob("profiles/*.toml")}
                )
                raise ConfigError(
                    f"assess.profile: no profile {settings.profile!r}", fix=f"profiles: {', '.join(known)}"
                )
            found.append((f"{PROFILE} {settings.profile}", there[0]))
        found.append((ORGANISATION, self.config.path(settings.organisation)))
        return [*found, (ACCOUNT, self.config.path(settings.overlay))]

    @property
    def control_folders(self) -> list[Path]:
        """The product's controls first, then the workspace's own."""
        return [content_root() / "controls", *(self.config.path(folder) for folder in self.config.assess.controls)]

    @cached_property
    def registers(self) -> Registers:
        """The workspace's registers."""
        return load_registers(self.config.path(self.config.assess.registers))

    @cached_property
    def engine(self) -> Engine:
        """The locked SQL engine, kept from night to night. One thread: several nights are judged in several processes."""
        return Engine(threads=1)

    def source(self, name: str) -> Source:
        """Open a configured source by name."""
        if name not in self.config.sources:
            known = ", ".join(sorted(self.config.sources)) or "none"
            raise UsageError(f"no source {name!r} in evidence.toml", fix=f"configured: {known}")
        if name not in self._sources:
            self._sources[name] = self._open_source(name, self.config.sources[name])
        return self._sources[name]

    def _open_source(self, name: str, section: SourceConfig) -> Source:
        if isinstance(section, SnowflakeSourceConfig):
            return _open_snowflake(name, section, self)
        if isinstance(section, AwsSourceConfig):
            words = section.model_dump(exclude={"kind"}) | {"run": new_id()}
            return open_source("aws", name, contracts=self.contracts, clock=self.clock, settings=words)
        settings = section.model_dump(exclude={"kind", "datasets"}, exclude_unset=True)
        if isinstance(section, DbtSourceConfig):
            settings |= _dbt_place(section, self.config)
        else:
            settings["path"] = self.config.path(section.path)
        if "mappings" in settings:
            settings["mappings"] = [ref if ":" in ref else str(self.config.path(ref)) for ref in settings["mappings"]]
        return open_source(section.kind, name, contracts=self.contracts, clock=self.clock, settings=settings)

    def datasets_asked(self) -> dict[str, Sequence[str]]:
        """Source name -> datasets it is configured to be asked for, without connecting anywhere."""
        return {name: self.datasets_of(name) for name in self.config.sources}

    def wanted(self, name: str) -> Sequence[str]:
        """Return the datasets that a source's section names; none: all it holds. Raises ``ConfigError`` for one without a contract."""
        wanted = self.config.sources[name].datasets
        unknown = sorted(set(wanted) - self.contracts.keys())
        if unknown:
            raise ConfigError(
                f"sources.{name}.datasets: no dataset {', '.join(unknown)}", fix="docs/datasets.md lists every dataset"
            )
        return wanted

    def datasets_of(self, name: str) -> Sequence[str]:
        """Return what one source is asked for. Raises ``EvidenceError``.

        Whatever a third party's source raises is said as its failure, without a message that may quote rows.
        """
        wanted = self.wanted(name)
        try:
            every = self.source(name).datasets()
        except EvidenceError:
            raise
        except Exception as exc:  # noqa: BLE001 - third-party sources may raise anything
            raise EvidenceError(
                f"source {name} does not say what it holds: {type(exc).__name__}", fix="report it to whoever wrote it"
            ) from None
        return [dataset for dataset in every if dataset in wanted] if wanted else every

    def not_captured(self, name: str) -> Mapping[str, str]:
        """Return dataset -> why source ``name`` is not asked for it, where the source says so."""
        said = getattr(self.source(name), "not_captured", None)
        return said() if said is not None else {}

    @property
    def stamp(self) -> dict[str, str]:
        """What receipts say of the collector."""
        return {"version": __version__, "config_sha256": self.config.sha256}

    def authorities(self, urls: Sequence[str], roots: Sequence[str]) -> Authorities:
        """Time-stamp authorities of a section; false when none is configured. Raises ``ConfigError``."""
        certificates: list[Certificate] = []
        for name in roots:
            try:
                certificates += load_certificates(self.config.path(name).read_bytes(), f"tsa_roots {name}")
            except OSError as exc:
                raise ConfigError(
                    f"cannot read {name} of tsa_roots: {exc.strerror}",
                    fix="save the authority's root certificate there",
                ) from exc
        return Authorities(urls, certificates, self.clock)

    @property
    def revocation_lists(self) -> Sequence[bytes]:
        """The lists that packets carry, DER, each once, from files and configured addresses. Raises ``ConfigError``."""
        return lists_of(self.config)

    def lease(self) -> Lease:
        """The advisory lease of this workspace's collector."""
        folder = self.config.workspace / ".evidence"
        folder.mkdir(mode=0o700, exist_ok=True)
        return Lease(folder / "lease")

    @contextmanager
    def spool(self) -> Iterator[Path]:
        """A private directory for rows on their way to the store. Under the lease only: leftovers of a crash go first."""
        shutil.rmtree(self.config.workspace / ".evidence" / "spool", ignore_errors=True)
        with self.scratch("spool") as path:
            yield path

    @contextmanager
    def scratch(self, purpose: str) -> Iterator[Path]:
        """A private directory of this command, removed afterwards."""
        root = self.config.workspace / ".evidence" / purpose
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=root))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Close the sources and the engine. What a source raises here concerns nothing that was read."""
        if "engine" in self.__dict__:
            self.engine.close()
        for source in self._sources.values():
            with suppress(Exception):
                source.close()


def _witness(section: WitnessConfig, secret: Callable[[str], bytes]) -> HttpWitness:
    url = secret(section.url).decode().strip() if section.url.startswith("env:") else section.url
    try:
        return HttpWitness(url, parse_cosigner(secret(section.key).decode().strip()))
    except (MalformedError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"log.witnesses: {section.key} is no witness's key", fix="save the line its operator publishes there"
        ) from exc


def connect_named(name: str, timeout_seconds: int = 20, parameters: Mapping[str, str] | None = None) -> Any:
    """Open a connection of connections.toml to write by: short times, few tries; ``parameters`` of the session."""
    import snowflake.connector

    from evidence.sources.snowflake_login import Login

    login = Login(connection=name, timeout_seconds=timeout_seconds, login_timeout_seconds=10, attempts=2)
    options = login.options(f"publish-{new_id()}")
    options["session_parameters"] = {**options.get("session_parameters", {}), **(parameters or {})}
    return snowflake.connector.connect(**options)


def choice_of(workspace: Workspace, name: str, section: SnowflakeSourceConfig) -> "Choice":
    """Return which datasets a Snowflake source reads with the sign-ins it has."""
    from evidence.sources.snowflake_datasets import choose

    elevated = section.elevated is not None
    return choose(name, workspace.contracts, section.datasets, organization=section.organization, elevated=elevated)


def _open_snowflake(name: str, section: SnowflakeSourceConfig, workspace: Workspace) -> Source:
    from evidence.sources.snowflake import SnowflakeSource

    choice = choice_of(workspace, name, section)
    return SnowflakeSource(
        name,
        _login(section, workspace.config),
        choice.datasets,
        run=new_id(),
        clock=workspace.clock,
        edition=section.edition,
        elevated=_login(_above(section, section.elevated), workspace.config) if section.elevated else None,
        left_out=choice.left_out,
        contracts=workspace.contracts,
    )


def _above(section: SnowflakeSourceConfig, elevated: SnowflakeElevatedConfig) -> SnowflakeElevatedConfig:
    """Return the elevated sign-in with the place of the first one where it names none; a named connection has its own."""
    if elevated.connection:
        return elevated
    place = ("account", "host", "port", "protocol", "timeout_seconds")
    unset = [key for key in place if key not in elevated.model_fields_set or getattr(elevated, key) == ""]
    return elevated.model_copy(update={key: getattr(section, key) for key in unset})


def _login(section: SnowflakeLoginConfig, config: Config) -> "Login":
    from evidence.sources.snowflake_login import Login

    def secret(ref: str | None) -> bytes | None:
        return config.secret(ref) if ref else None

    def text(ref: str | None) -> str | None:
        value = secret(ref)
        return value.decode().strip() if value is not None else None

    def stated(key: str) -> bool:
        """A named connection has its own role and warehouse unless this file names others."""
        return not section.connection or key in section.model_fields_set

    provider = section.workload_identity_provider
    return Login(
        account=section.account,
        user=section.user,
        role=section.role if stated("role") else "",
        warehouse=section.warehouse if stated("warehouse") else "",
        authenticator=section.authenticator,
        private_key=secret(section.private_key),
        private_key_passphrase=secret(section.private_key_passphrase),
        password=text(section.password),
        token=text(section.token),
        workload_identity={"provider": provider} if provider else {},
        connection=section.connection,
        host=section.host,
        port=section.port,
        protocol=section.protocol,
        timeout_seconds=section.timeout_seconds,
    )


def _dbt_place(section: DbtSourceConfig, config: Config) -> dict[str, Any]:
    """Return where the artifacts are: a resolved folder, an S3 prefix as it is, or dbt Cloud with a way to its token."""
    if section.cloud is None:
        return {"path": section.path if section.path.startswith("s3://") else config.path(section.path)}
    token = section.cloud.token
    return {"cloud": section.cloud.model_dump() | {"token": lambda: config.secret(token).decode().strip()}}


def library_of(path: Path) -> Library:
    """Return the library a workspace uses, or the product's own where there is no workspace."""
    if (path / FILE_NAME).exists():
        return Workspace.open(path).library
    return load_library([content_root() / "controls"], None)
