"""Step 8 of a packet: each exhibit is in the log under the signed checkpoint, and no file below ``data/evidence`` is loose."""

from collections.abc import Iterator, Mapping
from typing import Final

from evidence.bag.chain import Chain
from evidence.bag.exhibit import REFERENCED, Exhibit, exhibit_folders, read_exhibit, read_referenced, unaccounted
from evidence.bag.files import BagFiles
from evidence.snapshot.check import FAULTS, Check, failed, proved, said, unmade

_STEP: Final = "exhibits"


class Exhibits:
    """The exhibits of a bag; :meth:`check` fills ``verified``, by folder. ``hashed`` are digests computed already, by name."""

    def __init__(self, files: BagFiles, chain: Chain, hashed: Mapping[str, str] | None = None) -> None:
        self.verified: dict[str, Exhibit] = {}
        self._files, self._chain, self._hashed = files, chain, hashed or {}
        self._known: set[str] = set()

    def check(self) -> Iterator[Check]:
        """Verify every exhibit; a failed check names the folder or the loose file."""
        try:
            referenced = read_referenced(self._files)
        except FAULTS as exc:
            yield failed(_STEP, said(exc), REFERENCED)
            return
        faults = 0
        for fault in self._faults(referenced):
            faults += 1
            yield fault
        if not faults:
            detail = f"{len(self.verified)} exhibits are in the log under the signed checkpoint"
            yield proved(_STEP, detail, "data/evidence")
        absent = sum(1 for exhibit in self.verified.values() if not exhibit.carried)
        if absent:
            detail = f"the rows of {absent} exhibits are referenced by digest only: check them in the store"
            yield unmade(_STEP, detail, REFERENCED)

    def _faults(self, referenced: frozenset[str]) -> Iterator[Check]:
        below: dict[str, set[str]] = {}  # looked up once: a packet of nothing but faults must not cost its square
        for name in self._files.names():
            below.setdefault(name.rpartition("/")[0], set()).add(name)
        for folder in exhibit_folders(self._files):
            try:
                self._read(folder, referenced)
            except FAULTS as exc:
                self._known |= below.get(folder, set())
                yield failed(_STEP, said(exc), folder)
        for name in unaccounted(self._files, self._known):
            yield failed(_STEP, "belongs to no exhibit: nothing ties it to the log", name)
        for folder in sorted(referenced - set(self.verified)):
            yield failed(_STEP, "is referenced but has no manifest", folder)

    def _read(self, folder: str, referenced: frozenset[str]) -> None:
        chain = self._chain
        self.verified[folder], names = read_exhibit(
            self._files, folder, chain.keys, chain.signed, referenced, self._hashed
        )
        self._known |= names
