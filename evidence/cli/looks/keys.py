"""Keys: the log's, the redaction key, the packet's with its certificate and root; that they are different ones."""

import secrets as random
from collections.abc import Iterator
from typing import Final

from evidence.cli.identity import load_identity
from evidence.cli.looks.secrets import same
from evidence.cli.workspace import Workspace
from evidence.doctor import NETWORK, Examination, Line, fail, failed, ok, warn
from evidence.errors import ConfigError, EvidenceError, VerificationError
from evidence.secret import PREFIXES
from evidence.signing.certificate import PacketKey, load_certificates
from evidence.signing.trust import load_trust
from evidence.snapshot.model import DAY

NOTICE: Final = 30 * DAY  # of a certificate's end; a new one takes weeks where an authority issues it
TRUST: Final = "trust"


def looks(workspace: Workspace) -> list[Examination]:
    """Return the looks at keys. Those in KMS, tokens and AWS Secrets Manager are asked for: network."""
    config = workspace.config
    return [
        Examination("log key", lambda: _log_key(workspace), seconds=_reach(config.log.key)),
        Examination(
            "redaction key", lambda: f"key id {workspace.redactor.key_id}", seconds=_reach(config.redaction.key)
        ),
        Examination("packet key", lambda: _packet_key(workspace), seconds=_reach(config.packet.key)),
        Examination("keys apart", lambda: _apart(workspace), seconds=_reach(*_three(workspace))),
    ]


def _three(workspace: Workspace) -> tuple[str, str, str]:
    config = workspace.config
    return config.log.key, config.redaction.key, config.packet.key


def _reach(*refs: str) -> float:
    return 0 if all(ref.startswith(("env:", "file:")) for ref in refs) else NETWORK


def _log_key(workspace: Workspace) -> Iterator[Line]:
    vkey = workspace.log_key.vkey
    if not _is_trusted(workspace, vkey):
        fix = f"echo '{vkey}' > {workspace.config.path(TRUST)}/log.vkey, and carry it outside: verifiers start from it"
        yield warn("log key", f"{vkey} is no key of {TRUST}/", fix)
        return
    yield ok("log key", vkey)


def _is_trusted(workspace: Workspace, vkey: str) -> bool:
    folder = workspace.config.path(TRUST)
    return any(vkey == file.read_text(errors="replace").strip() for file in sorted(folder.glob("*.vkey")))


def _packet_key(workspace: Workspace) -> Iterator[Line]:
    settings = workspace.config.packet
    if settings.key.startswith(PREFIXES):
        try:
            workspace.config.secret(settings.key)
        except ConfigError as error:
            yield warn("packet key", f"{error}; this host collects and makes no packets", error.fix)
            return
    if not workspace.config.path(settings.certificate).is_file() and b"-----BEGIN" in _body(workspace):
        detail = f"no certificate {settings.certificate}"
        yield fail("packet key", detail, "save the signer's certificate there, or correct [packet] certificate")
        return
    key = load_identity(workspace.config, settings)
    yield from _validity(workspace, key)
    yield from _root(workspace, key)


def _body(workspace: Workspace) -> bytes:
    ref = workspace.config.packet.key
    return workspace.config.secret(ref) if ref.startswith(PREFIXES) else b"-----BEGIN"


def _validity(workspace: Workspace, key: PacketKey) -> Iterator[Line]:
    now, what = workspace.clock(), "packet certificate"
    begins, ends = key.certificate.not_valid_before_utc, key.not_after
    renew = "have a new certificate issued for the key and save it as [packet] certificate (docs/runbooks/key-loss.md)"
    if now > ends:
        yield fail(what, f"{key.subject} expired on {ends:%Y-%m-%d}", renew)
    elif now < begins:
        yield fail(
            what, f"{key.subject} is valid from {begins:%Y-%m-%d} on", "check this host's clock, or wait until then"
        )
    elif ends - now < NOTICE:
        yield warn(what, f"{key.subject} ends in {(ends - now).days} days, on {ends:%Y-%m-%d}", renew)
    else:
        yield ok(what, f"{key.subject}, valid until {ends:%Y-%m-%d}")


def _root(workspace: Workspace, key: PacketKey) -> Iterator[Line]:
    """Sign a random text and verify it from the trust folder, as a reader of a packet will."""
    from evidence.signing.cades import sign_detached
    from evidence.signing.cms import verify_detached

    folder, what = workspace.config.path(TRUST), "packet key"
    fix = f"save the root certificate of {key.certificate.issuer.rfc4514_string()} in {folder}, intermediates in [packet] chain"
    try:
        roots = [one for body in load_trust([folder]).certificates for one in load_certificates(body, TRUST)]
    except EvidenceError as error:
        yield fail(what, str(error), error.fix or fix)
        return
    content = random.token_bytes(32)
    at = min(max(workspace.clock(), key.certificate.not_valid_before_utc), key.not_after)
    try:
        verify_detached(sign_detached(content, key, at), content, roots, at)
    except VerificationError as error:
        yield fail(what, f"no reader will verify a packet from {TRUST}/: {error}", fix)
        return
    except EvidenceError as error:
        yield failed(what, error)
        return
    yield ok(what, f"signs, and verifies from {TRUST}/")


def _apart(workspace: Workspace) -> Iterator[Line]:
    pairs = list(same(workspace.config))
    for one, other in pairs:
        yield fail(
            "keys apart",
            f"{one} and {other} are the same key",
            f"make a key of its own for {other}: evidence init in an empty folder makes all three",
        )
    if not pairs:
        yield ok("keys apart", "log, redaction and packet keys differ")
