"""The content that a packet says was used, against what the log has sealed: registers, and what was in force.

Whoever may seal a packet without the log's key could show other registers or overlays beside genuine findings. Called with a bag
whose exhibits were verified.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from evidence.bag.exhibit import ENTRY, ROOT, exhibit_folders
from evidence.bag.files import BagFiles, read, sha256_of
from evidence.snapshot.entry import Entry

CONTROLS: Final = "data/controls/"
REGISTERS: Final = CONTROLS + "registers/"


def unsealed_registers(files: BagFiles, digests: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (file, what is wrong) of each register that is not, as content, one that the packet exhibits as sealed.

    ``digests`` maps a register's name to the SHA-256 of its content: comments and layout of the file are not part of it.
    """
    sealed: dict[str, set[str]] = {}
    for folder in exhibit_folders(files):
        if folder.startswith(f"{ROOT}_register/"):
            entry = Entry.from_bytes(read(files, f"{folder}/{ENTRY}"))
            if entry.object is not None:
                sealed.setdefault(str(entry.body.get("register")), set()).add(entry.object.sha256)
    for name, digest in sorted(digests.items()):
        if digest not in sealed.get(name, ()):
            yield f"{REGISTERS}{name}.toml", "the register is not one that was sealed in the log"


def unsealed_layers(
    files: BagFiles, names: Mapping[str, str], configurations: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield the same of each overlay; ``names`` maps a layer to its file, ``configurations`` are those the packet exhibits."""
    for layer, file in names.items():
        if CONTROLS + file not in files.names():
            continue
        sealed = {
            each["sha256"]
            for said in configurations
            for each in said["layers"]
            if each["name"].partition(" ")[0] == layer
        }
        if sha256_of(files, CONTROLS + file) not in sealed:
            yield CONTROLS + file, "the overlay is not one that was in force on a night of the packet"
