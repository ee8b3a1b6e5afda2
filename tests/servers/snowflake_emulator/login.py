"""Logging in, renewing and leaving. Codes are those the connectors react to: 390100, 390144, 390112, 390114."""

import base64
import hashlib
import secrets
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.servers.snowflake_emulator.state import Account, Person, Session
from tests.servers.snowflake_emulator.trouble import SPOILED, spoil
from tests.servers.snowflake_emulator.wire import body_of, failure, success

MAX_JWT_SECONDS = 3600  # Snowflake, key-pair authentication: a token is valid for at most one hour
SECRETS = {"PASSWORD", "TOKEN", "PASSCODE"}
SESSION_SECONDS, MASTER_SECONDS = 3600, 14_400


async def login(request: Request) -> Response:
    """POST /session/v1/login-request."""
    account: Account = request.app.state.account
    data = (await body_of(request))["data"]
    user = str(data.get("LOGIN_NAME", "")).upper()
    role = request.query_params.get("roleName", "PUBLIC")
    parameters = {key.upper(): str(value) for key, value in (data.get("SESSION_PARAMETERS") or {}).items()}
    entry = account.record(
        "login",
        user=user,
        role=role,
        authenticator=data.get("AUTHENTICATOR", "SNOWFLAKE"),
        parameters=parameters,
        query=dict(request.query_params),
        fields=sorted(set(data) - SECRETS),
    )
    account.secrets += [str(data[name]) for name in sorted(SECRETS & set(data))]
    rule = account.rule(f"login {user}", "error", "unavailable")
    if rule and rule.action == "unavailable":
        return JSONResponse({"message": "try later"}, status_code=503)
    refused = (rule.code, rule.message) if rule else _refusal(account, account.people.get(user), user, data)
    entry["refused"] = refused[0] if refused else None
    if refused:
        return failure(*refused, data={"nextAction": "RETRY_LOGIN"})
    session = Session(
        number=10**15 + len(account.log),
        user=user,
        role=account.forced_role or role,
        parameters=parameters,
        connection=request.app.state.engine.connect(),
        master=secrets.token_urlsafe(24),
        warehouse=request.query_params.get("warehouse", ""),
    )
    answer = success(_login_data(account, session, account.open(session)))
    bad = account.rule(f"login {user}", *SPOILED)
    return spoil(bad, answer) if bad else answer


def _login_data(account: Account, session: Session, token: str) -> dict[str, Any]:
    merged = account.in_force(session)
    return {
        "token": token,
        "masterToken": session.master,
        "validityInSeconds": SESSION_SECONDS,
        "masterValidityInSeconds": MASTER_SECONDS,
        "displayUserName": session.user,
        "serverVersion": account.facts["CURRENT_VERSION"],
        "firstLogin": False,
        "remMeToken": None,
        "remMeValidityInSeconds": 0,
        "healthCheckInterval": 45,
        "newClientForUpgrade": None,
        "sessionId": session.number,
        "idToken": None,
        "idTokenValidityInSeconds": 0,
        "parameters": [
            {"name": "AUTOCOMMIT", "value": True},
            {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
            {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
            *({"name": name, "value": value} for name, value in sorted(merged.items())),
        ],
        "sessionInfo": {
            "databaseName": None,
            "schemaName": None,
            "warehouseName": session.warehouse or None,
            "roleName": session.role,
        },
    }


def _refusal(account: Account, person: Person | None, user: str, data: dict[str, Any]) -> tuple[str, str] | None:
    """Return (code, message) if the credential is not good, else None."""
    authenticator = str(data.get("AUTHENTICATOR", "SNOWFLAKE")).upper()
    if authenticator == "SNOWFLAKE_JWT":
        problem = _jwt_problem(account, person, user, str(data.get("TOKEN", "")))
        return ("390144", f"JWT token is invalid. [{problem}]") if problem else None
    if authenticator in {"OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"}:
        known = [p for p in account.people.values() if data.get("TOKEN") in p.tokens]
        return None if known else ("390303", "Invalid OAuth access token.")
    if person is None or person.password is None or data.get("PASSWORD") != person.password:
        return "390100", "Incorrect username or password was specified."
    return None


def fingerprint(pem: str) -> str:
    """Return ``SHA256:<base64>`` of a public key, as DESC USER shows it."""
    key = serialization.load_pem_public_key(pem.encode())
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def _jwt_problem(account: Account, person: Person | None, user: str, token: str) -> str | None:
    """Check signature, life and names against every registered key; None if one fits."""
    problem = "no public key is registered for the user"
    for pem in person.public_keys if person else ():
        try:
            key = serialization.load_pem_public_key(pem.encode())
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"] if isinstance(key, rsa.RSAPublicKey) else ["ES256", "ES384"],
                options={"require": ["exp", "iat", "iss", "sub"]},
            )
        except jwt.PyJWTError as exc:
            problem = f"{type(exc).__name__}: {exc}"
            continue
        subject = f"{account.name}.{user}"
        if claims["sub"] != subject or claims["iss"] != f"{subject}.{fingerprint(pem)}":
            problem = f"issuer or subject does not fit: {claims['iss']} {claims['sub']}"
        elif claims["exp"] - claims["iat"] > MAX_JWT_SECONDS:
            problem = "the token lives longer than an hour"
        else:
            return None
    return problem


async def renew(request: Request) -> Response:
    """POST /session/token-request: a new session token for the master token."""
    account: Account = request.app.state.account
    session = account.masters.get(bearer(request))
    rule = account.rule("renewal", "error", "answer")
    account.record("renewal", ok=session is not None and rule is None)
    if rule:
        return failure(rule.code, rule.message) if rule.action == "error" else spoil(rule, success({}))
    if session is None:
        return failure("390114", "Authentication token has expired. The user must authenticate again.")
    return success(
        {
            "sessionToken": account.open(session),
            "validityInSecondsST": SESSION_SECONDS,
            "masterToken": session.master,
            "validityInSecondsMT": MASTER_SECONDS,
            "sessionId": session.number,
        }
    )


async def leave(request: Request) -> JSONResponse:
    """POST /session?delete=true."""
    account: Account = request.app.state.account
    if request.query_params.get("delete"):
        session = account.sessions.pop(bearer(request), None)
        if session is not None:
            account.masters.pop(session.master, None)
        account.record("logout", known=session is not None)
    return success(None)


def bearer(request: Request) -> str:
    """Return the token of the ``Snowflake Token="…"`` header."""
    _, _, token = request.headers.get("authorization", "").partition('Token="')
    return token.rstrip('"')
