"""Write the pictures of a packet that README shows: ``python scripts/pictures.py PACKET`` (a folder or a zip; pdftoppm is needed).

Of the demo: ``sh scripts/demo.sh quarter``, then ``.venv/bin/python scripts/pictures.py build/demo/packets/PKT-…-quarterly-hipaa-….zip``.
Pages are found by their headings in the tagged text, drawn at 1,400 pixels for two, and kept with 256 colours.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from PIL import Image

FOLDER: Final = Path(__file__).parents[1] / "docs" / "pictures"
CONTROLS: Final = (  # the first of them that begins a page; the rule of two changes within the demo's period
    "Dormant logins are disabled",
    "Stored evidence is what was sealed",
    "Readers of a data product are those its contract names",
    "Few, known, reachable administrators",
)
PICTURES: Final = {
    "cover-and-summary.png": (("Evidence packet",), ("Summary",)),
    "strip-and-control.png": (("Nights and controls",), CONTROLS),
}
WIDTH: Final = 1400
_GAP, _COLOURS, _GROUND = 16, 256, "#dfe4e9"


def beginnings(pdf: Path) -> list[list[str]]:
    """Return the first lines of each page below its running head."""
    text = subprocess.run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True).stdout
    return [[line.strip() for line in page.splitlines() if line.strip()][:3] for page in text.split("\f")[:-1]]


def place(pages: list[list[str]], wanted: tuple[str, ...]) -> int:
    """Return the number of the page that begins with the first of ``wanted`` that begins one. Raises ``SystemExit`` if none does."""
    for heading in wanted:
        for number, lines in enumerate(pages, 1):
            if any(line.lower() == heading.lower() for line in lines):
                return number
    raise SystemExit(f"no page begins with {' or '.join(wanted)}: take a quarterly-hipaa packet of the demo")


def drawn(pdf: Path, number: int, width: int, folder: Path) -> Image.Image:
    """Return one page, ``width`` pixels wide."""
    base = folder / f"page-{number}"
    size = ["-scale-to-x", str(width), "-scale-to-y", "-1"]
    subprocess.run(
        ["pdftoppm", "-png", "-singlefile", "-f", str(number), "-l", str(number), *size, pdf, base], check=True
    )
    with Image.open(base.with_suffix(".png")) as page:
        return page.convert("RGB")


def write(pdf: Path, folder: Path = FOLDER) -> list[Path]:
    """Draw every picture from the pages of ``pdf`` and return the files."""
    pages, width = beginnings(pdf), (WIDTH - 3 * _GAP) // 2
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory() as place_of:
        for name, wanted in PICTURES.items():
            sheets = [drawn(pdf, place(pages, headings), width, Path(place_of)) for headings in wanted]
            picture = Image.new("RGB", (WIDTH, sheets[0].height + 2 * _GAP), _GROUND)
            for at, sheet in enumerate(sheets):
                picture.paste(sheet, (_GAP + at * (width + _GAP), _GAP))
            picture.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                folder / name, optimize=True
            )
            made.append(folder / name)
    return made


def main(packet: Path) -> None:
    """Write the pictures of a packet and print their names and sizes."""
    with tempfile.TemporaryDirectory() as unpacked:
        pdf = packet / "data" / "packet.pdf"
        if packet.is_file():
            with zipfile.ZipFile(packet) as bag:
                (inside,) = (name for name in bag.namelist() if name.endswith("/data/packet.pdf"))
                pdf = Path(bag.extract(inside, unpacked))
        for file in write(pdf):
            print(f"{file}  {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
