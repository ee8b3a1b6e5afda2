"""Write ``templates/packet.pot``, the catalogue of a packet's texts: ``python scripts/catalogue.py``; with ``--check`` only say if it is stale."""

import sys
from pathlib import Path

from evidence.render.catalogue import FILE, catalogue, pot

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Write the file, or compare it."""
    path, body = ROOT / "templates" / FILE, pot(catalogue(ROOT, ROOT / "evidence"))
    if "--check" in sys.argv[1:]:
        return 0 if path.is_file() and path.read_bytes() == body else 1
    path.write_bytes(body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
