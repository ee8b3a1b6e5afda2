"""Write docs/registers.md from the shapes: ``python scripts/registers_page.py``; a test compares the page with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evidence.control.register import SHAPES, Shape

PAGE: Final = Path(__file__).parents[1] / "docs" / "registers.md"
HEAD: Final = """# Registers, by name

Made by `scripts/registers_page.py` from `evidence/control/registers/*.toml`; [formats/registers.md](formats/registers.md) says how the files work. A column with `?` may be left out; `date` is a TOML date, `moment` a TOML time with its
offset, `texts` a list of texts. The key is what makes a row the same row again.
"""


def page() -> str:
    """Return the page's text."""
    return "\n".join([HEAD, *(line for name in SHAPES for line in _register(name, SHAPES[name]))])


def _register(name: str, shape: Shape) -> Iterator[str]:
    yield f"## {name}.toml\n\n{shape.about}\n"
    yield "| column | kind |\n|---|---|"
    for column, kind in shape.columns.items():
        choices = f": {', '.join(f'`{each}`' for each in shape.choices[column])}" if column in shape.choices else ""
        yield f"| `{column}` | {kind}{choices} |"
    yield f"\nKey: {', '.join(f'`{column}`' for column in shape.key)}\n"


if __name__ == "__main__":
    PAGE.write_text(page())
