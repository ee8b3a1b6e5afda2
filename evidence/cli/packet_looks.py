"""The workspace's wording and branding, read and checked: what a packet looks like, and the files that show it to a stranger."""

from pathlib import Path

from evidence.config import Config, content_root
from evidence.errors import ConfigError
from evidence.render.brand import MOST, NO_BRAND, Brand, check
from evidence.render.looks import PLAIN, Looks
from evidence.render.words import ENGLISH


def looks_of(config: Config) -> Looks:
    """Return the looks of ``[packet]`` language, wording and brand. Raises ``ConfigError`` naming what is refused."""
    templates, packet = content_root() / "templates", config.packet
    if packet.language and not packet.wording:
        raise ConfigError(
            f'[packet] language = "{packet.language}", and no wording',
            fix='name a gettext file: wording = "wording/de.po"',
        )
    words, files = ENGLISH, dict[str, bytes]()
    if packet.wording:
        from evidence.render.wording import load  # Babel is read only where there is a wording

        body = _read(config.path(packet.wording), "[packet] wording")
        words = load(body, packet.wording, packet.language or "en", templates)
        files[f"wording/{words.file}"] = body
    given = packet.brand
    logo = config.path(given.logo) if given.logo else None
    brand = check(
        Brand(
            logo=_read(logo, "[packet.brand] logo") if logo else b"",
            logo_type=_kind(logo) if logo else "",
            accent=given.accent,
            accent_dark=given.accent_dark,
            short_name=given.short_name,
            confidentiality=given.confidentiality,
        ),
        templates,
    )
    if brand.logo:
        files[brand.logo_file] = brand.logo
    return Looks(words, brand, files) if files or brand != NO_BRAND else PLAIN


def _kind(path: Path) -> str:
    kind = path.suffix.lower().removeprefix(".")
    if kind not in {"png", "svg"}:
        raise ConfigError(f"[packet.brand] logo: {path.name} is neither .png nor .svg", fix="convert it")
    return kind


def _read(path: Path, key: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4 * MOST + 1)
    except OSError as exc:
        raise ConfigError(
            f"{key}: cannot read {path}: {exc.strerror}", fix="paths are relative to evidence.toml"
        ) from exc
