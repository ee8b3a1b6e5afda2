"""What is known of a log, kept on this machine from one run to the next, so that opening it reads what is new.

A folder for each log and key: pages named by their SHA-256, and ``head``, a note that names size and root of the log and the page at the
root of the rows, signed by the log's own key. Nothing in the folder is believed without: pages have their digests, ``head`` its signature,
and the hashes it leads to must give, with the entries after it, the root that the store's last commit record is signed for. So whoever may
write there can make a run slower and nothing else; an older ``head`` only means that more is read. Anything wrong is a miss: the log is
read whole and kept anew. What the kept pages replace stays for a while, for runs that began with it.
"""

import base64
import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from evidence.errors import EvidenceError
from evidence.snapshot.model import HEX64
from evidence.store.known import Known, grown
from evidence.store.rows import PageError, Rows
from evidence.tlog import tile
from evidence.tlog.merkle import Tree
from evidence.tlog.note import Signer, Verifier, open_note, sign_note

FORMAT: Final = "evidence-kept-index-v1"
_MAX_PAGE: Final = 16 << 20  # bytes; 128 rows of keys below 64 KiB
_ROUNDS: Final = 64  # heads that a replaced page outlives


class KeptPages:
    """Pages as files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, digest: str) -> bytes:
        """Return the page; raise ``PageError`` if it is not there, whole and a plain file."""
        try:
            body = _plain(self._folder / digest)
        except OSError as exc:
            raise PageError(f"kept page {digest} cannot be read: {exc}") from exc
        if hashlib.sha256(body).hexdigest() != digest:
            raise PageError(f"kept page {digest} has other bytes")
        return body

    def put(self, digest: str, body: bytes) -> None:
        """Keep a page; one that is there may be damaged and is replaced."""
        _replace(self._folder / digest, body)

    def drop(self, digest: str) -> None:
        """Remove a page."""
        (self._folder / digest).unlink(missing_ok=True)


class KeptIndex:
    """Where what is known of one log is kept, below ``root``. Only its signer may keep anything."""

    def __init__(self, root: Path, signer: Signer) -> None:
        self._signer = signer
        self._verifier = Verifier(signer.name, signer.public_key)
        self._folder = root / hashlib.sha256(self._verifier.to_text().encode()).hexdigest()[:32]
        self._pages = KeptPages(self._folder / "pages")

    def load(self, bundle: Callable[[str], bytes]) -> Known | None:
        """Return what is kept, signed but not yet held against the store; None if nothing is kept whole."""
        try:
            text = open_note(_plain(self._folder / "head").decode(), [self._verifier]).text
            _, _, size, root, rows, _ = text.split("\n")
            known = Known(int(size), base64.b64decode(root), Rows(self._pages, rows), bundle, self.forget)
            if text != self._text(known) or known.size <= 0 or known.size % tile.WIDTH:
                return None
            return known if Tree(base=known.size, lower=known.hash_of).root() == known.root else None
        except (OSError, ValueError, EvidenceError):
            return None

    def keep(
        self, known: Known | None, bundles: int, entries: Callable[[int, int], Sequence[bytes]], tree: Tree
    ) -> None:
        """Keep what is known of the first ``bundles`` bundles, all of them proved; ``known`` is what was loaded.

        A folder that cannot be written, an entry of an old form, or a key that does not sign costs the shortcut and nothing else.
        """
        try:
            self._folder.joinpath("pages").mkdir(mode=0o700, parents=True, exist_ok=True)
            size = bundles * tile.WIDTH
            before = known.rows if known else Rows(self._pages)
            rows, gone, made = grown(before, known.size if known else 0, size, entries)
            after = Known(size, tree.root(size), rows, lambda _: b"", self.forget)
            _replace(self._folder / "head", sign_note(self._text(after), self._signer).encode())
            self._sweep(gone, made)
        except (OSError, EvidenceError):  # a key in a token that nobody opened, too: reading a log needs no signature
            return

    def forget(self) -> None:
        """Believe nothing of it from now on: the next run keeps anew."""
        with contextlib.suppress(OSError):
            (self._folder / "head").unlink(missing_ok=True)

    def _text(self, known: Known) -> str:
        """Return what is signed: it has neither the first line nor the number of lines of a checkpoint."""
        lines = (FORMAT, self._verifier.name, str(known.size), base64.b64encode(known.root).decode(), known.rows.root)
        return "".join(f"{line}\n" for line in lines)

    def _sweep(self, gone: set[str], made: set[str]) -> None:
        """Remove the pages that were replaced ``_ROUNDS`` heads ago and not ``made`` again since."""
        path = self._folder / "replaced"
        try:
            rounds = [[str(digest) for digest in each] for each in json.loads(_plain(path))]
        except (OSError, ValueError, TypeError):
            rounds = []
        rounds = [*([digest for digest in each if digest not in made] for each in rounds), sorted(gone)]
        for digest in {digest for each in rounds[:-_ROUNDS] for digest in each}:
            if HEX64.match(digest):
                self._pages.drop(digest)
        _replace(path, json.dumps(rounds[-_ROUNDS:]).encode())


def _plain(path: Path) -> bytes:
    """Return the bytes of a regular file of bounded size; raise ``OSError``."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_PAGE:
            raise OSError(f"{path.name} is no plain file, or too large")
        return file.read(_MAX_PAGE + 1)


def _replace(path: Path, body: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)  # a name of its own: no link waits there
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(body)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
