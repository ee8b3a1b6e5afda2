"""What Snowflake's error codes mean to an operator: denied, not in this edition, gone for now.

Codes: SQL error codes and login codes as the server sends them (002003 is 2003 in the connector's ``errno``).
"""

import re
from typing import Any, Final

from evidence.datasets.contract import Contract
from evidence.errors import ConfigError, SourceDeniedError, SourceEditionError, SourceError, SourceUnavailableError

NOT_VISIBLE: Final = frozenset({2003, 2043})  # object does not exist or not authorized
NO_PRIVILEGE: Final = frozenset({3001, 3003, 3005, 3540, 3541})
NO_WAREHOUSE: Final = frozenset({606})
SUSPENDED: Final = ("resource monitor", "suspended")  # words in a warehouse's refusal; the codes are not documented
MISCONFIGURED: Final = frozenset({251001, 251005, 251006, 251007, 251017})  # the connector's own, before any request
LOGIN_REFUSED: Final = frozenset(
    {390100, 390101, 390102, 390103, 390106, 390107, 390138, 390144, 390303, 390318, 394300}
)
ROLE_REFUSED: Final = frozenset({390186, 390189, 390317})
NETWORK_REFUSED: Final = frozenset({390420, 390422})
SESSION_GONE: Final = frozenset({390104, 390110, 390111, 390112, 390114, 390115, 390195})
CHUNK_LOST: Final = 252005  # the connector's own: a part of the answer could not be fetched or read
TIMED_OUT: Final = 14  # the connector's own: its wait for the statement is over
NOT_PROTOCOL: Final = ("Invalid Snowflake response", "Missing response field")  # the connector's own words
QUOTED: Final = re.compile("[\"'].*[\"']|[\"'].*", re.DOTALL)  # from the first quote to the last, or to the end
PERMANENT_STATES: Final = ("42", "22", "0A")  # SQLSTATE classes that another try does not change


LATER: Final = "try again later; `evidence doctor` shows what answers"
NOT_THE_SERVICE: Final = (
    "try again; if it stays, look for a proxy between this machine and Snowflake, and at host and port"
)


def errno_of(exc: BaseException) -> int:
    """Return the server's code, or -1 if the error has none."""
    number = getattr(exc, "errno", None)
    return number if isinstance(number, int) else -1


def code_of(exc: BaseException) -> str:
    """Return how a receipt names an error: the server's code, or the connector's class where there is none."""
    number = errno_of(exc)
    return f"{number:06d}" if number >= 0 else type(exc).__name__


def is_transient(exc: BaseException) -> bool:
    """Say whether another try may help: the network, the service, a lost session; not a refusal, not a wrong statement."""
    if errno_of(exc) in SESSION_GONE:
        return True
    if _is_suspended(_said(exc)):
        return False
    return isinstance(explain(exc, "", None, ""), SourceUnavailableError) and not _is_statement_error(exc)


def explain(exc: BaseException, doing: str, contract: Contract | None, role: str) -> SourceError | ConfigError:
    """Turn an error of the connector into ours. ``doing`` names the statement or step; no row values are in it."""
    number, state = errno_of(exc), str(getattr(exc, "sqlstate", "") or "")
    said = _said(exc)
    message = f"{doing}: {said}"
    if number in MISCONFIGURED or "Configuration error" in said:
        return ConfigError(message, fix="correct the Snowflake section of evidence.toml or connections.toml")
    if state == "0A000" or "unsupported feature" in said.lower():
        needed = f"; {contract.name} is documented for {contract.edition}" if contract else ""
        return SourceEditionError(message, fix=f"the account's edition does not offer this{needed}")
    fix = _fix(number, state, contract, role)
    if fix:
        return SourceDeniedError(message, fix=fix)
    return SourceUnavailableError(message, fix=_remedy(number, said))


def _fix(number: int, state: str, contract: Contract | None, role: str) -> str:
    """Say what lifts a refusal; empty if the error is none."""
    to = role or "<role>"
    if number in NOT_VISIBLE | NO_PRIVILEGE or state in {"42S02", "42501"}:
        return grant(contract, role)
    if number in NO_WAREHOUSE:
        return f"GRANT USAGE ON WAREHOUSE <warehouse> TO ROLE {to}"
    if number in LOGIN_REFUSED:
        return (
            "check the credential: DESC USER shows the fingerprint of the registered public key;"
            " a key pair is also refused when this machine's clock is wrong"
        )
    if number in ROLE_REFUSED:
        return f"GRANT ROLE {to} TO USER <user>"
    if number in NETWORK_REFUSED:
        return "add this machine's address to the network policy of the user"
    return ""


def _remedy(number: int, said: str) -> str:
    """Say what to look at when the service gave no answer, or none that can be used."""
    if _is_suspended(said):
        return "SHOW WAREHOUSES and SHOW RESOURCE MONITORS say why; ALTER WAREHOUSE … RESUME, or raise the quota"
    if number == CHUNK_LOST:
        return "try again; large answers come from cloud storage: SYSTEM$ALLOWLIST() names the hosts to let through"
    if number == TIMED_OUT or "nothing arrived for" in said:
        return "try again later; raise timeout_seconds of this source if the account is slow"
    return NOT_THE_SERVICE if any(words in said for words in NOT_PROTOCOL) else LATER


def _is_suspended(said: str) -> bool:
    return "arehouse" in said and any(words in said for words in SUSPENDED)


def grant(contract: Contract | None, role: str) -> str:
    """Return the statement that gives the missing right."""
    to = f"TO ROLE {role or '<role>'}"
    if contract is None:
        return f"grant the role what it reads {to}"
    ways = [f"GRANT DATABASE ROLE SNOWFLAKE.{name} {to}" for name in contract.roles]
    ways += [f"GRANT APPLICATION ROLE SNOWFLAKE.{name} {to}" for name in contract.application_roles]
    if ways:
        return " or ".join(ways)
    if contract.grants:
        return "; ".join(f"GRANT {privilege.replace('{', '<').replace('}', '>')} {to}" for privilege in contract.grants)
    return f"{contract.object} shows what the role has a privilege on: GRANT USAGE on the object {to}"


def _is_statement_error(exc: BaseException) -> bool:
    return str(getattr(exc, "sqlstate", "") or "").startswith(PERMANENT_STATES)


def _said(exc: BaseException) -> str:
    """The server's first words. A message can quote a statement; ours hold no values, so 300 characters are safe.

    Data exceptions (SQLSTATE class 22) quote the value that did not fit: what stands in quotes is left out.
    """
    text: Any = getattr(exc, "raw_msg", None) or str(exc)
    if str(getattr(exc, "sqlstate", "") or "").startswith("22") and not _is_suspended(str(text)):
        text = QUOTED.sub("'…'", str(text))
    number = errno_of(exc)
    return f"{number:06d}: {' '.join(str(text).split())[:300]}" if number >= 0 else " ".join(str(text).split())[:300]
