"""Trust material as it lies in files: verifier keys of logs and certificates of packet roots, sorted by what they are."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.errors import UsageError

MAX_BYTES: Final = 1 << 20  # a bundle of certificates has a few KiB; a checkpoint with 16 signatures has less
LIMITS: Final = {".crl": 16 << 20}  # lists of large public authorities have a few MiB


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """What the caller carried outside: verifier keys (one line of text each) and certificates (PEM).

    ``authorities`` judge time and nothing else, ``people`` approvals and nothing else. ``lists`` are revocation lists, PEM or DER. ``roles`` maps each role to the names of its files, for saying so.
    """

    vkeys: tuple[str, ...]
    certificates: tuple[bytes, ...]
    authorities: tuple[bytes, ...]
    roles: Mapping[str, Sequence[str]]
    lists: tuple[bytes, ...] = ()
    people: tuple[bytes, ...] = ()


def load_trust(paths: Sequence[Path]) -> TrustFiles:
    """Read files, and the files of folders, of trust material.

    Raises ``UsageError`` for none, for one that cannot be read and for one that is neither a key nor a certificate.
    """
    try:
        files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    except OSError as exc:
        raise UsageError(f"the trust folder cannot be read: {exc}", fix="give a folder or file you may read") from exc
    if not files:
        raise UsageError("nothing to trust was given", fix="--trust DIR with what `evidence init` put into trust/")
    return sort_trust((str(file), read_small(file, LIMITS.get(file.suffix, MAX_BYTES))) for file in files)


def sort_trust(bodies: Iterable[tuple[str, bytes]]) -> TrustFiles:
    """Sort (name, bytes) by what they are; raise ``UsageError`` naming one that is neither.

    A certificate judges time, and nothing else, if its file is named ``tsa`` or ``tsa-…``: a root does not say of itself
    what it is for, and an authority that stamps for anybody must not vouch for packets. One in ``people`` or ``people-…`` vouches
    for people who approve, and for nothing else.
    """
    vkeys: list[str] = []
    certificates: list[bytes] = []
    authorities: list[bytes] = []
    lists: list[bytes] = []
    people: list[bytes] = []
    roles: dict[str, list[str]] = {}
    for name, body in bodies:
        file = Path(name)
        if body.lstrip().startswith(b"-----BEGIN CERTIFICATE"):
            word = file.stem.partition("-")[0]
            {"tsa": authorities, "people": people}.get(word, certificates).append(body)
            role = {"tsa": "time-stamps", "people": "approvals"}.get(word, "seals of packets")
        elif file.suffix == ".crl" or body.lstrip().startswith(b"-----BEGIN X509 CRL"):
            lists.append(body)
            role = "revocation"
        elif body.count(b"+") >= 2 and body.isascii():
            vkeys.append(body.decode().strip())
            role = "co-signatures of witnesses" if body.rpartition(b"+")[2].startswith(b"B") else "logs"
        else:
            raise UsageError(
                f"{name} is neither a verifier key nor a certificate", fix="give log.vkey, a PEM file or a list as .crl"
            )
        roles.setdefault(role, []).append(file.name)
    return TrustFiles(tuple(vkeys), tuple(certificates), tuple(authorities), roles, tuple(lists), tuple(people))


def read_moment(text: str | None) -> dt.datetime | None:
    """Return the moment of an ISO 8601 date or time, UTC where it names no offset; raise ``UsageError``.

    A date means its end: what was valid during the day is.
    """
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as exc:
        raise UsageError(f"{text!r} is no time", fix="write 2026-10-06 or 2026-10-06T09:30:00Z") from exc
    if len(text) <= len("2026-10-06"):
        moment += dt.timedelta(days=1, seconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def read_checkpoint(path: Path | None) -> str | None:
    """Return the text of a kept checkpoint, None for no path; raise ``UsageError`` for one that cannot be read."""
    if path is None:
        return None
    try:
        return read_small(path).decode()
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path} is not a checkpoint", fix="give the file with the signed checkpoint") from exc


def read_small(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a plain file of at most ``limit`` bytes, 1 MiB by default; raise ``UsageError``."""
    try:
        if not path.is_file():
            raise UsageError(f"{path} is not a file", fix="give a file that exists")
        with path.open("rb") as handle:
            body = handle.read(limit + 1)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc}", fix="give a file you may read") from exc
    if len(body) > limit:
        raise UsageError(f"{path} has over {limit} bytes", fix="give a key, a certificate or a checkpoint")
    return body
