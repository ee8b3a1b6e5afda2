"""Validation material that a packet carries: revocation lists as their issuers signed them, below ``data/validation/``."""

from collections.abc import Iterator
from typing import Final

from evidence.bag.files import BagFiles, read
from evidence.errors import EvidenceError

FOLDER: Final = "data/validation/"
SUFFIX: Final = ".crl"
MAX_LISTS: Final = 32  # one per certificate of two chains, and room
MAX_BYTES: Final = 16 << 20


def list_name(sha256: str) -> str:
    """Return the name below ``data/`` of the list with that digest."""
    return f"{FOLDER.removeprefix('data/')}{sha256[:16]}{SUFFIX}"


def carried_lists(files: BagFiles) -> Iterator[bytes]:
    """Yield the carried lists, DER; what cannot be read is a fault of the digests, and no list."""
    names = [name for name in files.names() if name.startswith(FOLDER) and name.endswith(SUFFIX)]
    for name in names[:MAX_LISTS]:
        try:
            yield read(files, name, limit=MAX_BYTES)
        except (EvidenceError, OSError, ValueError):
            continue
