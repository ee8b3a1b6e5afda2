"""Tiles and entry bundles (C2SP tlog-tiles), full ones of 256 only: they never change once written.

A tile of level L holds 256 hashes of full subtrees of ``256**L`` leaves; a bundle holds 256 entries, each after its
big-endian uint16 length. Both are derived from the commit records.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from evidence.errors import MalformedError
from evidence.tlog.merkle import HASH_BYTES, Tree

WIDTH: Final = 256
HEIGHT: Final = 8  # 2**8 == WIDTH
MAX_ENTRY: Final = 65_535
MAX_PATH: Final = 64  # an index of 64 bits has 34 characters


def tile_path(level: int, index: int) -> str:
    """Return ``log/tile/<level>/<index>``."""
    return f"log/tile/{level}/{_index_path(index)}"


def bundle_path(index: int) -> str:
    """Return ``log/entries/<index>``."""
    return f"log/entries/{_index_path(index)}"


def parse_index(path: str) -> int:
    """Parse the last part of a tile or bundle path, ``x001/x234/067``; raise ``MalformedError``."""
    digits = path.replace("x", "").replace("/", "")
    if len(path) > MAX_PATH or not (digits.isascii() and digits.isdigit()) or _index_path(int(digits)) != path:
        raise MalformedError(f"malformed tile path {path!r}")
    return int(digits)


def completed_by(bundle: int) -> Iterator[tuple[int, int]]:
    """Yield (level, index) of the tiles that become full with the last entry of ``bundle``, level 0 first."""
    level, count = 0, bundle + 1
    while True:
        yield level, count - 1
        if count % WIDTH:
            return
        level, count = level + 1, count // WIDTH


def encode_tile(tree: Tree, level: int, index: int) -> bytes:
    """Return the 8,192 bytes of a full tile of ``tree``."""
    return b"".join(tree.subtree(HEIGHT * level, index * WIDTH + i) for i in range(WIDTH))


def decode_tile(body: bytes) -> tuple[bytes, ...]:
    """Return the 256 hashes of a full tile; raise ``MalformedError``."""
    if len(body) != WIDTH * HASH_BYTES:
        raise MalformedError(f"tile of {len(body)} bytes is not full")
    return tuple(body[i : i + HASH_BYTES] for i in range(0, len(body), HASH_BYTES))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a full bundle."""
    if len(entries) != WIDTH or any(len(entry) > MAX_ENTRY for entry in entries):
        raise MalformedError(f"bundle of {len(entries)} entries is not full, or an entry is over {MAX_ENTRY} bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(body: bytes) -> tuple[bytes, ...]:
    """Return the 256 entries of a full bundle; raise ``MalformedError``."""
    entries: list[bytes] = []
    start = 0
    while start < len(body):
        end = start + 2 + int.from_bytes(body[start : start + 2], "big")
        entries.append(body[start + 2 : end])
        start = end
    if start != len(body) or len(entries) != WIDTH:
        raise MalformedError(f"bundle of {len(entries)} entries in {len(body)} bytes is not full")
    return tuple(entries)


def _index_path(index: int) -> str:
    """Spell 1234067 as ``x001/x234/067``."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))
