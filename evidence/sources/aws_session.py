"""Sign in to AWS accounts: the caller's own, or others by assumed roles. Every client of a session is guarded.

Credentials come from the SDK's own chain (environment, profile, web identity, instance role) and are never named here.
Retries are the SDK's: ``standard`` or ``adaptive`` mode with a ceiling on attempts (AWS SDKs reference, "Retry behavior").
"""

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from evidence import __version__
from evidence.errors import ConfigError, SourceDeniedError, SourceError, SourceUnavailableError
from evidence.sources.aws_operations import Place, guard, load_codes

if TYPE_CHECKING:
    from botocore.session import Session

Clock = Callable[[], dt.datetime]
Sessions = Callable[[str], "Session"]
RetryMode = Literal["standard", "adaptive"]
HOME_REGION = "us-east-1"  # where global services are asked if no region is configured
SESSION_SECONDS = 3600  # an assumed role's session; it is renewed while a long read lasts


@dataclass(frozen=True, slots=True)
class AccountLogin:
    """How to reach one account: a role to assume, or none for the caller's own; ``regions`` if they differ."""

    role_arn: str = ""
    external_id: str = ""
    regions: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What messages call the account before it is known."""
        return self.role_arn or "the caller's own account"


@dataclass(frozen=True, slots=True)
class Connection:
    """How the SDK connects."""

    profile: str = ""
    endpoint_url: str = ""
    retry_mode: RetryMode = "standard"
    attempts: int = 8
    home_region: str = HOME_REGION
    places: tuple[Place, ...] = ()
    sessions: "Sessions | None" = None  # makes SDK sessions by profile; None: the SDK's own


class Access:
    """One account, signed in. Clients are made once and may be used by several threads."""

    def __init__(
        self, session: "Session", connection: Connection, login: AccountLogin, identity: Mapping[str, Any]
    ) -> None:
        self.login = login
        self.home_region = connection.home_region
        self.account = str(identity["Account"])
        self.caller = str(identity["Arn"])
        self.caller_id = str(identity["UserId"])
        self.offset: float | None = None  # seconds that AWS's clock is ahead of ours
        self._session = session
        self._connection = connection
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str, region: str) -> Any:
        """Return the guarded client of ``service`` in ``region``."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = _client(self._session, self._connection, service, region)
            return self._clients[service, region]

    def close(self) -> None:
        """Close the connections of every client."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()


def sign_in(connection: Connection, login: AccountLogin, run: str, clock: Clock) -> Access:
    """Sign in to one account and ask who we are.

    Raises ``SourceDeniedError`` with the trust or credential to correct, or ``SourceUnavailableError``.
    """
    import botocore.exceptions as sdk

    try:
        session = _guarded(connection, connection.profile)
        if login.role_arn:
            session = _assumed(session, connection, login, run)
        answer = _client(session, connection, "sts", connection.home_region).get_caller_identity()
    except sdk.ProfileNotFound as exc:
        raise SourceDeniedError(
            f"profile {connection.profile!r} is not known to the SDK",
            fix="correct `profile`, or make it with `aws configure`",
        ) from exc
    except (sdk.BotoCoreError, sdk.ClientError) as exc:
        raise refused(exc, "sts:AssumeRole" if login.role_arn else "sts:GetCallerIdentity", login.label) from exc
    access = Access(session, connection, login, answer)
    access.offset = _offset(answer, clock())
    return access


def refused(exc: Exception, operation: str, where: str) -> SourceError:
    """Return the source error for what the SDK raised. Messages of AWS are left out: they may quote what was asked."""
    code = code_of(exc)
    if is_transient(exc):
        return SourceUnavailableError(
            f"{where}: {operation}: {code}", fix="retry later; raise `attempts` if AWS throttles"
        )
    codes = load_codes()
    if code in codes["region"]:
        fix = "enable the region for the account, or leave it out of `regions`"
    elif code in codes["credentials"]:
        fix = "give the collector valid credentials (environment, profile, instance role or web identity)"
    elif operation == "sts:AssumeRole" and code in codes["denied"]:
        fix = "let the role's trust policy name the collector with this external id (evidence setup aws), and the collector assume it"
    elif code in codes["denied"]:
        fix = f"allow {operation} to the collector's role, or lift the policy that denies it (evidence setup aws)"
    else:
        fix = f"look up {code} of {operation} in the AWS API reference"
        return SourceUnavailableError(f"{where}: {operation}: {code}", fix=fix)
    return SourceDeniedError(f"{where}: {operation}: {code}", fix=fix)


def code_of(exc: Exception) -> str:
    """Return AWS's error code, or the name of the SDK's own error."""
    response: Mapping[str, Any] = getattr(exc, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(exc).__name__)


def is_answer(exc: Exception) -> bool:
    """Say whether AWS itself said no; everything else the SDK raises is about us or the line."""
    from botocore.exceptions import ClientError

    return isinstance(exc, ClientError)


def is_transient(exc: Exception) -> bool:
    """Say whether a later try may succeed: throttling, server errors, no connection."""
    import botocore.exceptions as sdk
    from botocore.parsers import ResponseParserError

    if isinstance(exc, sdk.ClientError):
        status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return code_of(exc) in load_codes()["transient"] or status >= 500 or status == 429
    return isinstance(exc, sdk.HTTPClientError | sdk.ConnectionError | sdk.IncompleteReadError | ResponseParserError)


def account_of(arn: str) -> str:
    """Return the account id inside an ARN, or an empty text."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""


def _guarded(connection: Connection, profile: str = "") -> "Session":
    """Return a session whose clients cannot send what is not listed."""
    from botocore.session import Session

    session = connection.sessions(profile) if connection.sessions else Session(profile=profile or None)
    for event, handler in guard(connection.places).items():
        session.register(event, handler)
    return session


def _client(session: "Session", connection: Connection, service: str, region: str) -> Any:
    from botocore.config import Config

    settings = Config(
        retries={"total_max_attempts": connection.attempts, "mode": connection.retry_mode},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=16,
        user_agent_extra=f"evidence/{__version__}",
        s3={"addressing_style": "path"} if connection.endpoint_url else {},
    )
    name: Any = service
    return session.create_client(
        name, region_name=region, endpoint_url=connection.endpoint_url or None, config=settings
    )


def _assumed(base: "Session", connection: Connection, login: AccountLogin, run: str) -> "Session":
    """Return a session of the role, whose credentials renew themselves."""
    from botocore.credentials import RefreshableCredentials

    sts = _client(base, connection, "sts", connection.home_region)
    words = {"RoleArn": login.role_arn, "RoleSessionName": f"evidence-{run}"[:64], "DurationSeconds": SESSION_SECONDS}
    if login.external_id:
        words["ExternalId"] = login.external_id

    def fetch() -> dict[str, str]:
        said = sts.assume_role(**words)["Credentials"]
        return {
            "access_key": said["AccessKeyId"],
            "secret_key": said["SecretAccessKey"],
            "token": said["SessionToken"],
            "expiry_time": said["Expiration"].isoformat(),
        }

    session = _guarded(connection)
    credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "sts-assume-role")
    session._credentials = credentials  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no public way to set refreshing ones
    return session


def _offset(answer: Mapping[str, Any], moment: dt.datetime) -> float | None:
    header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not header:
        return None
    return round((parsedate_to_datetime(header) - moment).total_seconds(), 1)


def check_logins(name: str, logins: Sequence[AccountLogin]) -> None:
    """Raise ``ConfigError`` if two entries lead to one account: its rows would be counted twice."""
    seen: set[str] = set()
    for login in logins:
        account = account_of(login.role_arn)
        if account in seen:
            raise ConfigError(f"sources.{name}: accounts: {login.label} stands twice", fix="keep one entry per account")
        seen.add(account)
