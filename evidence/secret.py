"""Where secrets lie: in a variable, in a file, in AWS Secrets Manager. Values are returned and never shown, logged or passed on a command line.

A file that others may read is used all the same, and said once per process (``docs/decisions/0195-secrets-by-reference.md``);
``evidence doctor`` fails it. AWS Secrets Manager is asked with ``GetSecretValue`` alone; credentials come from the SDK's own chain.
"""

import json
import logging
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from evidence.errors import ConfigError

PREFIXES: Final = ("env:", "file:", "aws-sm:")
MANAGER: Final = "aws-sm:"
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SAID: set[Path] = set()
_FIXES: Final = {
    "AccessDeniedException": "allow secretsmanager:GetSecretValue on this secret, and kms:Decrypt on the key that encrypts it",
    "ResourceNotFoundException": "correct the name or ARN, and the region (an ARN names its own)",
    "DecryptionFailure": "allow kms:Decrypt on the key that encrypts the secret",
    "InvalidRequestException": "the secret is marked for deletion: restore it, or name another one",
}


def read(ref: str, variables: Mapping[str, str], path: Callable[[str], Path]) -> bytes:
    """Return what ``ref`` points to. Raises ``ConfigError`` that names the reference, never the value."""
    if ref.startswith("env:"):
        value = variables.get(ref[4:])
        if value is None:
            raise ConfigError(f"{ref} is not set", fix=f"set the environment variable {ref[4:]}")
        return value.encode()
    if ref.startswith(MANAGER):
        return from_manager(ref)
    file = path(ref)
    try:
        body = file.read_bytes()
        mode = others(file)
    except OSError as exc:
        raise ConfigError(
            f"cannot read {ref}: {exc.strerror}", fix="create the key with `evidence init`, or point the key to it"
        ) from exc
    if mode and file not in _SAID:
        _SAID.add(file)
        logging.getLogger("evidence").warning(
            "%s may be read or changed by others (mode %s): chmod 600 %s", ref, mode, file
        )
    return body


def others(file: Path) -> str:
    """Return the mode of a file that group or others may use, such as ``0644``; empty if they may not. Raises ``OSError``."""
    mode = stat.S_IMODE(file.stat().st_mode)
    return f"{mode:04o}" if mode & OTHERS else ""


def from_manager(ref: str) -> bytes:
    """Return a secret of AWS Secrets Manager, or one member of it where it is a JSON object. Raises ``ConfigError``."""
    from botocore.exceptions import BotoCoreError, ClientError

    name, _, member = ref.removeprefix(MANAGER).partition("#")
    try:
        answer = _client(name).get_secret_value(SecretId=name)
    except ClientError as exc:
        code = str(exc.response.get("Error", {}).get("Code", "unknown"))
        fix = _FIXES.get(code, "look the code up in the AWS Secrets Manager API reference, or try again later")
        raise ConfigError(f"{ref}: secretsmanager:GetSecretValue: {code}", fix=fix) from None
    except BotoCoreError as exc:
        fix = "check credentials, region and network, then try again"
        raise ConfigError(f"{ref}: AWS Secrets Manager gave no answer: {type(exc).__name__}", fix=fix) from None
    body: bytes = answer["SecretString"].encode() if "SecretString" in answer else bytes(answer["SecretBinary"])
    return _member(ref, body, member) if member else body


def _member(ref: str, body: bytes, member: str) -> bytes:
    try:
        value = json.loads(body)[member]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, str):
        fix = "name a member of the JSON object after #, or leave # out for the whole secret"
        raise ConfigError(f"{ref}: the secret is no JSON object with a text {member!r}", fix=fix)
    return value.encode()


def _client(name: str) -> Any:
    """An ARN names its region (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME); else the SDK's own configuration does."""
    import boto3
    from botocore.config import Config

    region = name.split(":")[3] if name.startswith("arn:") and name.count(":") >= 6 else None
    bounds = Config(connect_timeout=10, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})
    return boto3.client("secretsmanager", region_name=region, config=bounds)
