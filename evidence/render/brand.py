"""An entity's marks on its packets: logo, two accent colours, a short name, a line of confidentiality. Pure (decision 0192).

A logo is shown as an image (``data:`` in ``<img>``), so that nothing in it runs; an SVG must hold shapes alone all the same. Accents must
be readable: a contrast of 4.5 to 1 with every ground they stand on (WCAG 2.2, 1.4.3). The colours of results carry meaning and are nobody's.
"""

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from evidence.errors import ConfigError
from evidence.render.text import escape_invisible, forbidden_words
from evidence.snapshot.canonical import sha256_hex

MOST: Final = 256 << 10  # bytes of a logo
_SIDE: Final = (16, 4096)  # pixels
_FLAT: Final = 12  # times as wide as high, or as high as wide, at most
_READABLE: Final = 4.5  # to 1
_LIGHT: Final = ("#ffffff", "#f5f7f9", "#eef2f6")  # --paper, --pale, --band of common.css
_DARK: Final = ("#1a222a", "#222c36", "#12181e")  # the same of screen.css, and its body
_HEX: Final = re.compile(r"#[0-9a-f]{6}\Z")
_SVG: Final = "{http://www.w3.org/2000/svg}"
_SHAPES: Final = frozenset(  # no gradients: WeasyPrint 70 loses them where a drawing is scaled
    {
        *("svg", "g", "defs", "clipPath", "title", "desc"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    }
)
_LOCAL: Final = re.compile(r"url\(#[\w.-]+\)\Z")
_LENGTH: Final = re.compile(r"\d+(\.\d+)?(px)?\Z")
_KEY: Final = "[packet.brand]"


@dataclass(frozen=True, slots=True)
class Brand:
    """What is checked and shown. Colours are ``#rrggbb``, empty: the product's; ``accent_dark`` is for the dark page on a screen."""

    logo: bytes = b""
    logo_type: str = ""  # png or svg
    accent: str = ""
    accent_dark: str = ""
    short_name: str = ""
    confidentiality: str = ""

    @property
    def source(self) -> str:
        """The logo as the address of an image; empty without one."""
        kind = {"svg": "svg+xml"}.get(self.logo_type, self.logo_type)
        return f"data:image/{kind};base64,{base64.b64encode(self.logo).decode()}" if self.logo else ""

    @property
    def logo_file(self) -> str:
        """The logo's name below ``data/``."""
        return f"brand/logo.{self.logo_type}" if self.logo else ""

    def style(self, *, screen: bool) -> str:
        """Return the rules that set the accents, after the product's own."""
        found = f":root{{--accent:{self.accent}}}\n" if self.accent else ""
        if screen and (self.accent or self.accent_dark):
            dark = (
                self.accent_dark or "#8fc1ee"
            )  # screen.css has it; a rule for the light page must not reach the dark one
            found += f"@media screen and (prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}\n"
        if not screen and self.confidentiality:
            found += "@page{@bottom-center{content:string(note);font:400 7.5pt Inter;color:#5a6675}}\n"
        return found

    def to_json(self) -> dict[str, str]:
        """Return what ``render.json`` says of it."""
        names = ("accent", "accent_dark", "short_name", "confidentiality")
        found = {name: value for name in names if (value := getattr(self, name))}
        return {**found, **({"logo_sha256": sha256_hex(self.logo)} if self.logo else {})}


NO_BRAND: Final = Brand()


def check(brand: Brand, templates: Path) -> Brand:
    """Return ``brand``. Raises ``ConfigError`` naming the key, what is wrong with its value, and what is allowed."""
    for key, value, grounds in (
        ("accent", brand.accent, _LIGHT),
        ("accent_dark", brand.accent_dark, _DARK),
    ):
        if value:
            _check_colour(key, value, grounds)
    for key, value, most in (("short_name", brand.short_name, 40), ("confidentiality", brand.confidentiality, 80)):
        if len(value) > most or escape_invisible(value) != value or "\n" in value or "\t" in value:
            raise ConfigError(f"{_KEY} {key} is not one line of {most} visible characters", fix="shorten it")
        if lint := next(forbidden_words(value.replace("<", "&lt;"), templates), ""):
            raise ConfigError(
                f"{_KEY} {key} says what a packet must not: {lint}", fix="templates/words.toml has what to say instead"
            )
    if brand.logo:
        _check_logo(brand)
    return brand


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two ``#rrggbb`` colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _check_colour(key: str, value: str, grounds: tuple[str, ...]) -> None:
    if not _HEX.match(value):
        raise ConfigError(
            f"{_KEY} {key} = {value!r} is no colour", fix='write it as six digits, "#1f4e79", small letters'
        )
    worst = min(grounds, key=lambda ground: contrast(value, ground))
    ratio = contrast(value, worst)
    if ratio < _READABLE:
        which = "darker" if grounds is _LIGHT else "lighter"
        raise ConfigError(
            f"{_KEY} {key} = {value!r} cannot be read on {worst}: its contrast is {int(ratio * 100) / 100:.2f} to 1, text needs {_READABLE}",
            fix=f"choose a {which} one; WCAG 2.2 1.4.3",
        )


def _check_logo(brand: Brand) -> None:
    if len(brand.logo) > MOST:
        raise ConfigError(f"{_KEY} logo has {len(brand.logo)} bytes", fix=f"{MOST} at most")
    faults = _svg_faults(brand.logo) if brand.logo_type == "svg" else _png_faults(brand.logo)
    if found := next(faults, ""):
        raise ConfigError(
            f"{_KEY} logo {found}", fix="a PNG, or an SVG of plain shapes: letters as paths, no gradient, style or link"
        )


def _png_faults(body: bytes) -> Iterator[str]:
    from PIL import Image, ImageFile

    # WeasyPrint turns this on for its whole process: half a picture would then be a picture here
    lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with Image.open(io.BytesIO(body), formats=["PNG"]) as image:
            width, height = image.size
            if not all(_SIDE[0] <= side <= _SIDE[1] for side in (width, height)):
                yield f"is {width} by {height} pixels: {_SIDE[0]} to {_SIDE[1]} each way"
                return
            yield from _shape_faults(width, height)
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        yield f"is no PNG: {exc}"
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def _shape_faults(width: float, height: float) -> Iterator[str]:
    if max(width, height) > _FLAT * min(width, height):
        yield f"is {width:g} by {height:g}: one side at most {_FLAT} times the other"


def _svg_faults(body: bytes) -> Iterator[str]:
    """Yield what an SVG has that is not a shape. Without a document type there is no entity, so its parser reads nothing else."""
    try:
        text = body.decode("utf-8")
        if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL) or "<?xml-stylesheet" in text:
            yield "has a document type, an entity or a style sheet"
            return
        root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities: seen above
    except (UnicodeDecodeError, ET.ParseError, ValueError) as exc:
        yield f"is no SVG in UTF-8: {exc}"
        return
    if root.tag != f"{_SVG}svg":
        yield "is no SVG"
    for element in root.iter():
        name = element.tag.removeprefix(_SVG)
        if name not in _SHAPES:
            yield f"has an element <{name[:40]}>"
        yield from (fault for key, value in element.attrib.items() if (fault := _attribute_fault(key, value)))
    if not all(_LENGTH.match(root.get(side, "")) for side in ("width", "height")):
        yield "has no width and height in pixels: paper and screen would size it otherwise"
        return
    if not re.fullmatch(r"\s*(-?[\d.]+[\s,]+){2}[\d.]+[\s,]+[\d.]+\s*", root.get("viewBox", "")):
        yield "has no viewBox"
    width, height = (float(root.get(side, "").removesuffix("px")) for side in ("width", "height"))
    if not width or not height:
        yield "has no size"
    else:
        yield from _shape_faults(width, height)


def _attribute_fault(key: str, value: str) -> str:
    name = key.rpartition("}")[2].lower()
    if name == "style" or name.startswith("on") or name.endswith("href") or name in {"src", "base"}:
        return f"has an attribute {name}"
    if ("url(" in value.lower() and not _LOCAL.match(value.strip())) or "\\" in value:
        return f"has an address in {name}"
    return ""
