"""How to sign in to an account, and what is fixed about every session.

Snowflake Python connector 5.x; what each option does there was tried against the test server
(``docs/decisions/0030-snowflake-connector.md``).
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from evidence.errors import ConfigError

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
DETECTION: Final = "SNOWFLAKE_DISABLE_PLATFORM_DETECTION"
PINNED: Final[Mapping[str, str | int | bool]] = {
    "TIMEZONE": "UTC",  # TIMESTAMP_LTZ is shown in the session's zone
    "JSON_INDENT": 0,  # VARIANT text without layout
    "STRICT_JSON_OUTPUT": True,  # no `undefined` inside arrays
    "ROWS_PER_RESULTSET": 0,  # an account default would cut every result silently
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,  # SHOW columns are lower case and quoted
    "USE_CACHED_RESULT": False,  # a re-count must count again
    "CLIENT_TELEMETRY_ENABLED": False,
}


@dataclass(frozen=True, slots=True)
class Login:
    """One account and one credential; secrets are values here and never shown.

    Give ``connection`` (a name in connections.toml), or ``account`` and ``user`` with one of ``private_key`` (PEM or
    DER bytes), ``private_key_file``, ``password``, ``token`` (OAuth or programmatic access token, by
    ``authenticator``) or ``workload_identity`` (the connector's ``workload_identity_*`` options, without prefix).
    ``host``, ``port`` and ``protocol`` are for PrivateLink and tests; plain http goes to this machine only.
    """

    account: str = ""
    user: str = ""
    role: str = ""
    warehouse: str = ""
    authenticator: str = ""
    private_key: bytes | None = field(default=None, repr=False)
    private_key_file: Path | None = None
    private_key_passphrase: bytes | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    workload_identity: Mapping[str, str] = field(default_factory=dict)
    connection: str = ""
    connections_file: Path | None = None
    host: str = ""
    port: int = 443
    protocol: str = "https"
    timeout_seconds: int = 900
    login_timeout_seconds: int = 60
    attempts: int = 6  # of one HTTP request, within the timeouts

    def __post_init__(self) -> None:
        if self.protocol == "http" and self.host not in LOOPBACK:
            raise ConfigError(
                f"protocol http to {self.host or 'an account'} would send credentials in the clear",
                fix="use https; http is for servers on this machine",
            )
        if not self.connection and not (self.account and self.user):
            raise ConfigError(
                "a Snowflake source needs account and user, or the name of a connection",
                fix="set account and user, or connection, in evidence.toml",
            )
        if not self.connection and not self._credential():
            raise ConfigError(
                f"no credential for {self.user} at {self.account}",
                fix="set one of private_key, password, token or workload_identity_provider in evidence.toml",
            )

    def options(self, run: str) -> dict[str, Any]:
        """Return the keyword arguments of ``snowflake.connector.connect``; ``run`` names the run in QUERY_TAG."""
        place: dict[str, Any] = {"role": self.role, "warehouse": self.warehouse}
        if self.connection:
            place |= {"connection_name": self.connection, "connections_file_path": self.connections_file}
        else:
            place |= {"account": self.account, "user": self.user, **self._credential()}
        if self.host:
            place |= {"host": self.host, "port": self.port, "protocol": self.protocol}
        return {name: value for name, value in place.items() if value not in {"", None}} | {
            "secondary_roles": "NONE",
            "paramstyle": "qmark",
            "session_parameters": {
                **PINNED,
                "QUERY_TAG": f"evidence/{run}",
                "STATEMENT_TIMEOUT_IN_SECONDS": self.timeout_seconds,
                "CLIENT_RESULT_CHUNK_SIZE": 48,  # MB, the least there is; default 160
            },
            "login_timeout": min(self.login_timeout_seconds, self.timeout_seconds),
            "request_timeout": min(self.login_timeout_seconds, self.timeout_seconds),
            "query_timeout": self.timeout_seconds,
            "retry_max_attempts": self.attempts,
            "client_prefetch_threads": 1,  # one chunk ahead; a second costs 90 MB and brings no speed
            "client_memory_limit": 256,  # MB of chunks fetched ahead
            "client_store_temporary_credential": False,
            "enable_server_session_keep_alive_auto_detection": False,  # log out when closed; None warns
            "client_session_keep_alive": False,
        }

    def _credential(self) -> dict[str, Any]:
        key = _read(self.private_key_file) if self.private_key_file is not None else self.private_key
        if key is not None:
            return {"authenticator": "SNOWFLAKE_JWT", "private_key": _der(key, self.private_key_passphrase)}
        if self.token is not None:
            return {"authenticator": self.authenticator or "PROGRAMMATIC_ACCESS_TOKEN", "token": self.token}
        if self.workload_identity:
            options = {f"workload_identity_{name}": value for name, value in self.workload_identity.items()}
            return {"authenticator": "WORKLOAD_IDENTITY", **options}
        if self.password is not None:
            return {"password": self.password} | ({"authenticator": self.authenticator} if self.authenticator else {})
        return {}


def turn_platform_detection_off(variables: MutableMapping[str, str]) -> None:
    """Set the variable that keeps the connector from asking cloud metadata addresses where it runs.

    ``variables`` are the process's own, handed in by the command line before the connector is first imported.
    """
    variables.setdefault(DETECTION, "true")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise ConfigError(f"cannot read the private key {file}: {exc.strerror}", fix="check private_key_file") from exc


def _der(body: bytes, passphrase: bytes | None) -> bytes:
    """Return a private key as PKCS#8 DER, which every connector takes. Raises ``ConfigError`` without key material."""
    from cryptography.hazmat.primitives import serialization

    secret = passphrase.strip() if passphrase else None
    read = serialization.load_pem_private_key if b"-----BEGIN" in body else serialization.load_der_private_key
    try:
        key = read(body, password=secret)
    except (ValueError, TypeError) as exc:
        raise ConfigError(
            "the private key cannot be read: wrong passphrase, or not a PEM or DER private key",
            fix="check private_key and private_key_passphrase in evidence.toml",
        ) from exc
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
