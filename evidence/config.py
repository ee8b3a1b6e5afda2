"""Configuration: ``evidence.toml`` to a frozen ``Config``. The only module that reads the environment.

``config.example.toml`` names every key with its default and reason; a test compares the two. Paths are relative to the
workspace, the directory that holds ``evidence.toml``. Secrets are references: ``env:NAME``, ``file:PATH`` or
``aws-sm:NAME-or-ARN[#json-key]`` (AWS Secrets Manager).
"""

import datetime as dt
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from evidence import secret as secrets
from evidence.errors import ConfigError
from evidence.store.retention import FLOOR_DAYS, RetentionRule

FILE_NAME = "evidence.toml"
_PLACES: Final = r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|aws-sm:[A-Za-z0-9/_+=.@:-]+(#[A-Za-z0-9_.-]+)?"
SecretRef = Annotated[str, Field(pattern=f"^({_PLACES})$")]
LogKeyRef = Annotated[str, Field(pattern=f"^({_PLACES}|pkcs11:.+)$")]
PacketKeyRef = Annotated[str, Field(pattern=f"^({_PLACES}|kms:[A-Za-z0-9:/_-]+|pkcs11:.+)$")]
SourceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EntityConfig(_Section):
    """Who the evidence is about; printed on every cover."""

    name: str
    system: str


class StoreConfig(_Section):
    """Where sealed evidence lives."""

    url: str = "file:store"
    retention_days: Annotated[int, Field(ge=1)] = 2557
    retention_mode: Literal["NONE", "GOVERNANCE", "COMPLIANCE"] = "NONE"
    endpoint_url: str = ""
    region: str = ""
    kms_key_id: str = ""
    bucket_owner: Annotated[str, Field(pattern=r"^([0-9]{12})?$")] = ""


class WitnessConfig(_Section):
    """A witness that co-signs checkpoints: its submission prefix and the file of its key."""

    url: str
    key: SecretRef


class LogConfig(_Section):
    """The transparency log's signing key and where its signer remembers the last checkpoint."""

    key: LogKeyRef = "file:keys/collector.key"
    key_passphrase: SecretRef | None = None
    name: str = ""
    anchors: tuple[str, ...] = ("file:anchors/checkpoint",)
    checkpoints: tuple[str, ...] = ()
    witnesses: tuple[WitnessConfig, ...] = ()
    tsa: tuple[str, ...] = ()
    tsa_roots: tuple[str, ...] = ()


class RedactionConfig(_Section):
    """The key of keyed columns and what happens to query text."""

    key: SecretRef = "file:keys/redaction.key"
    query_text: Literal["scrub", "keyed", "full"] = "scrub"


class FilesSourceConfig(_Section):
    """Exports of the same views, as Parquet, CSV or NDJSON (docs/formats/export.md)."""

    kind: Literal["files"]
    path: str
    datasets: tuple[str, ...] = ()


class DbtCloudConfig(_Section):
    """The dbt Cloud Administrative API: which runs of an account."""

    host: str = "cloud.getdbt.com"
    account_id: int
    project_id: int | None = None
    environment_id: int | None = None
    job_ids: tuple[int, ...] = ()
    token: SecretRef
    lookback_days: Annotated[int, Field(ge=1, le=400)] = 35


class DbtSourceConfig(_Section):
    """dbt artifacts: a folder or an S3 prefix, one sub-folder per invocation, or the runs of dbt Cloud jobs."""

    kind: Literal["dbt"]
    path: str = ""
    cloud: DbtCloudConfig | None = None
    target: str = ""
    endpoint_url: str = ""
    profile: str = ""
    region: str = ""
    datasets: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.path) == (self.cloud is not None):
            raise ValueError("give path or cloud, one of them")
        return self


class ContractsSourceConfig(_Section):
    """Data-product contracts: YAML files in a checkout, in a branch of a git repository, or dated exports."""

    kind: Literal["contracts"]
    path: str
    branch: str = ""
    folder: str = ""
    history: bool = False
    datasets: tuple[str, ...] = ()


class RecordsSourceConfig(_Section):
    """Exports of systems of record: tickets, roster, identity provider, git host, scanners (docs/formats/records.md)."""

    kind: Literal["records"]
    path: str
    mappings: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()


class TerraformSourceConfig(_Section):
    """State and plan documents of Terraform: addresses, types and actions (docs/formats/terraform.md)."""

    kind: Literal["terraform"]
    path: str
    datasets: tuple[str, ...] = ()


class SnowflakeLoginConfig(_Section):
    """How to sign in to an account. Give ``connection`` (a name in connections.toml) or account and user with a credential."""

    account: str = ""
    user: str = ""
    role: str = "EVIDENCE_COLLECTOR"
    warehouse: str = "EVIDENCE_WH"
    connection: str = ""
    authenticator: str = ""
    private_key: SecretRef | None = None
    private_key_passphrase: SecretRef | None = None
    password: SecretRef | None = None
    token: SecretRef | None = None
    workload_identity_provider: str = ""
    host: str = ""
    port: int = 443
    protocol: Literal["https", "http"] = "https"
    timeout_seconds: int = 900


class SnowflakeElevatedConfig(SnowflakeLoginConfig):
    """The second sign-in, for datasets that need more than database roles; account and host are those of the first if not set."""

    role: str = "EVIDENCE_ELEVATED"


class SnowflakeSourceConfig(SnowflakeLoginConfig):
    """One Snowflake account."""

    kind: Literal["snowflake"]
    edition: Literal["", "standard", "enterprise", "business_critical"] = ""
    datasets: tuple[str, ...] = ()
    organization: bool = False
    elevated: SnowflakeElevatedConfig | None = None


class AwsAccountConfig(_Section):
    """One AWS account: the role to assume in it, or no role for the caller's own."""

    role_arn: Annotated[str, Field(pattern=r"^(arn:[a-z-]+:iam::[0-9]{12}:role/.+)?$")] = ""
    external_id: Annotated[str, Field(pattern=r"^([A-Za-z0-9_+=,.@:/-]{2,1224})?$")] = ""
    regions: tuple[str, ...] = ()


class AwsSourceConfig(_Section):
    """AWS accounts and regions. Credentials come from the SDK's own chain, never from here."""

    kind: Literal["aws"]
    accounts: tuple[AwsAccountConfig, ...] = ()
    regions: tuple[str, ...] = ()
    home_region: str = ""
    profile: str = ""
    endpoint_url: str = ""
    retry_mode: Literal["standard", "adaptive"] = "standard"
    attempts: Annotated[int, Field(ge=1, le=20)] = 8
    inventory: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()


SourceConfig = Annotated[
    FilesSourceConfig
    | DbtSourceConfig
    | ContractsSourceConfig
    | RecordsSourceConfig
    | TerraformSourceConfig
    | SnowflakeSourceConfig
    | AwsSourceConfig,
    Field(discriminator="kind"),
]


class CollectConfig(_Section):
    """Which nights are asked for when the command names none."""

    since: dt.date | None = None
    attempts: Annotated[int, Field(ge=1, le=10)] = 3


class AssessConfig(_Section):
    """How a period is judged."""

    max_unknown_nights: Annotated[int, Field(ge=0)] = 0
    registers: str = "registers"
    controls: tuple[str, ...] = ("controls",)
    profile: Annotated[str, Field(pattern=r"^([a-z][a-z0-9-]*)?$")] = ""
    organisation: str = "organisation.toml"
    overlay: str = "overlay.toml"
    engine: Literal["duckdb", "snowflake"] = "duckdb"
    rows: Literal["loaded", "external"] = "loaded"


class MaskingConfig(_Section):
    """How the dbt project masks: macros that return a column masked, and macros that set policies as a post-hook."""

    macros: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()


class GateConfig(_Section):
    """What runs before a merge: beside the library's own list, and what of it does not."""

    controls: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    masking: MaskingConfig | None = None


class BrandConfig(_Section):
    """The entity's marks on its packets (docs/formats/wording.md)."""

    logo: str = ""
    accent: str = ""
    accent_dark: str = ""
    short_name: str = ""
    confidentiality: str = ""


class PacketConfig(_Section):
    """The packet's signing key: another key, another root than the log's."""

    key: PacketKeyRef = "file:keys/packet.pem"
    key_passphrase: SecretRef | None = None
    certificate: str = "keys/packet-certificate.pem"
    chain: tuple[str, ...] = ()
    prepared_by: str = ""
    exhibit_limit_mb: int = 256
    exhibits: Literal["full", "referenced"] = "full"
    restricted: tuple[str, ...] = ()
    crls: tuple[str, ...] = ()
    ocsp: tuple[str, ...] = ()
    pades: Literal["auto", "b-lta"] = "auto"
    attestation: bool = False
    tsa: tuple[str, ...] = ()
    tsa_roots: tuple[str, ...] = ()
    language: str = ""
    wording: str = ""
    brand: BrandConfig = BrandConfig()


class AlertTargetConfig(_Section):
    """Somebody to tell: an apprise address, and how grave a change must be."""

    url: SecretRef
    severity: Literal["low", "medium", "high", "critical"] = "low"


class TicketsConfig(_Section):
    """A service that keeps tickets: its address, a token or user:password, and where in it tickets go."""

    kind: Literal["servicenow", "jira", "github"]
    url: str = ""
    secret: SecretRef
    project: str = ""
    issue_type: str = "Task"
    cloud: bool = True
    group: str = ""
    close_code: str = "Solution provided"
    kinds: tuple[str, ...] = ("failing", "missed-night", "integrity")
    severity: Literal["low", "medium", "high", "critical"] = "high"


class AlertsConfig(_Section):
    """Who is told of changes, and how long before something ends."""

    notice_days: Annotated[int, Field(ge=1, le=365)] = 14
    tickets: dict[SourceName, TicketsConfig] = Field(default_factory=dict)
    targets: dict[SourceName, AlertTargetConfig] = Field(default_factory=dict)


class ScheduleConfig(_Section):
    """When `evidence schedule` runs a night, and when it checks the whole store: five cron fields, in UTC."""

    night: str = "30 2,8,14,20 * * *"
    check: str = "0 5 * * sun"
    jitter_seconds: Annotated[int, Field(ge=0, le=3600)] = 120
    address: str = "127.0.0.1:9464"


class PublishConfig(_Section):
    """The OPS mirror: a connection of connections.toml, not the collector's, and DATABASE.SCHEMA."""

    connection: str
    into: str = "EVIDENCE.OPS"


class Config(_Section):
    """The whole of ``evidence.toml``. ``workspace`` and ``sha256`` are filled in by :func:`load`."""

    entity: EntityConfig
    store: StoreConfig = StoreConfig()
    retention: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    log: LogConfig = LogConfig()
    redaction: RedactionConfig = RedactionConfig()
    collect: CollectConfig = CollectConfig()
    assess: AssessConfig = AssessConfig()
    gate: GateConfig = GateConfig()
    packet: PacketConfig = PacketConfig()
    alerts: AlertsConfig = AlertsConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    publish: PublishConfig | None = None
    sources: dict[SourceName, SourceConfig] = Field(default_factory=dict)
    demo: bool = False

    workspace: Path = Field(default=Path(), exclude=True)
    sha256: str = Field(default="", exclude=True)
    _read: dict[str, bytes] = PrivateAttr(default_factory=dict)  # secrets that were asked for; in no repr, no dump

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        days = self.store.retention_days
        if days < FLOOR_DAYS and not self.demo:
            raise ValueError(
                f"store.retention_days = {days} is less than six years (45 CFR 164.316(b)(2)(i)): set {FLOOR_DAYS} or more; "
                "only a demonstration, demo = true, keeps less"
            )
        try:
            RetentionRule("GOVERNANCE", days, self.retention)
        except ConfigError as exc:
            raise ValueError(f"{exc}; {exc.fix}") from exc
        return self

    @property
    def kept(self) -> RetentionRule:
        """How long what is sealed is kept, whether the store locks it or the owner of a folder sees to it."""
        mode = self.store.retention_mode
        return RetentionRule("GOVERNANCE" if mode == "NONE" else mode, self.store.retention_days, self.retention)

    def path(self, text: str) -> Path:
        """Resolve a path of the configuration against the workspace."""
        return (self.workspace / text.removeprefix("file:")).resolve()

    def secret(self, ref: str) -> bytes:
        """Return what a secret reference points to, asked for once; the value never appears in messages. Raises ``ConfigError``."""
        if ref not in self._read:
            self._read[ref] = secrets.read(ref, os.environ, self.path)
        return self._read[ref]

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Yield setting and reference of every secret that is configured; keys in KMS and tokens, and public keys, are none."""
        found = (pair for pair in _references("", self) if not pair[0].startswith("log.witnesses"))
        yield from ((name, ref) for name, ref in found if ref.startswith(secrets.PREFIXES))
        yield from (("log.checkpoints", ref) for ref in self.log.checkpoints if ref.startswith("env:"))


def load(workspace: Path) -> Config:
    """Read ``evidence.toml`` of ``workspace`` (a directory, or the file itself).

    Raises ``ConfigError`` naming the file and the key.
    """
    file = workspace if workspace.suffix == ".toml" else workspace / FILE_NAME
    try:
        return parse(file.read_bytes(), file)
    except OSError as exc:
        raise ConfigError(
            f"cannot read {file}: {exc.strerror}", fix="make a workspace with `evidence init DIR`"
        ) from exc


def parse(body: bytes, file: Path) -> Config:
    """Return what the bytes of ``file`` say. Raises ``ConfigError`` naming the file and the key."""
    from evidence.snapshot.canonical import sha256_hex

    try:
        value = tomllib.loads(body.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file} does not parse: {exc}", fix="correct the line named above") from exc
    for own in ("workspace", "sha256"):
        value.pop(own, None)
    try:
        return Config.model_validate({**value, "workspace": file.parent.resolve(), "sha256": sha256_hex(body)})
    except ValidationError as exc:
        raise ConfigError(f"{file}: {_first(exc)}", fix="config.example.toml shows every key") from exc


def content_root() -> Path:
    """Return the directory that holds ``controls``, ``templates`` and ``reports``: in the wheel, else the checkout."""
    package = Path(__file__).parent
    installed = package / "content"
    return installed if installed.is_dir() else package.parent


def prepare_environment() -> None:
    """Set what must be in the environment before the Snowflake connector is first imported.

    The connector otherwise asks cloud metadata addresses where it runs (both 4.x and 5.x; the word ``true`` matters).
    """
    os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")


def _references(prefix: str, section: BaseModel) -> Iterator[tuple[str, str]]:
    """Yield (setting, text) of every field that is declared as a reference to a secret."""
    for name, declared in type(section).model_fields.items():
        value: Any = getattr(section, name)
        place = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _references(f"{place}.", value)
        elif isinstance(value, dict):
            for key, each in value.items():
                if isinstance(each, BaseModel):
                    yield from _references(f"{place}.{key}.", each)
        elif isinstance(value, str) and _PLACES in repr(declared):
            yield place, value


def _first(exc: ValidationError) -> str:
    error = exc.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in error["loc"])
    return f"{where}: {error['msg']}" if where else error["msg"].removeprefix("Value error, ")
