"""Build ``verify.pyz``: the verifier in one file, for Python 3.11 or later with cryptography and asn1crypto.

    python scripts/verifier.py [dist/verify.pyz]

Takes exactly the modules that ``evidence.verifier`` imports, directly or not, and refuses to build when one of them needs
anything beyond the standard library and those two packages. Same sources, same bytes: members sorted, stored, dated 1980.
"""

import ast
import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
START = "evidence.verifier"
ALLOWED = frozenset({"asn1crypto", "cryptography"})
SHEBANG = b"#!/usr/bin/env python3\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
MAIN = """import sys

if sys.version_info < (3, 11):
    sys.stderr.write("verify.pyz needs Python 3.11 or later\\n")
    sys.exit(3)
try:
    import asn1crypto
    import cryptography
except ImportError as missing:
    sys.stderr.write("verify.pyz needs cryptography and asn1crypto: %s\\n" % missing)
    sys.stderr.write("  to fix: python3 -m pip install cryptography asn1crypto\\n")
    sys.exit(3)
from evidence.verifier import main

sys.exit(main())
"""


def file_of(module: str) -> Path | None:
    """The source of a module of ours, None when there is none of that name (then it is a name inside a module)."""
    path = ROOT.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def imported(source: str) -> Iterator[str]:
    """Every module that may be imported when the code runs, inside functions too; not what only type checkers read."""
    tree = ast.parse(source)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SystemExit(f"relative import of {node.module}")
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def collect() -> dict[str, Path]:
    """Name in the archive -> source of every module that the verifier can load."""
    found: dict[str, Path] = {}
    waiting = [START]
    while waiting:
        module = waiting.pop()
        path = file_of(module)
        if path is None:
            continue
        name = path.relative_to(ROOT).as_posix()
        if name in found:
            continue
        found[name] = path
        waiting += [module.rpartition(".")[0]] if "." in module else []
        for wanted in imported(path.read_text()):
            top = wanted.partition(".")[0]
            if top == "evidence":
                waiting.append(wanted)
            elif top not in sys.stdlib_module_names and top not in ALLOWED:
                raise SystemExit(f"{name} imports {wanted}: the verifier may use only {', '.join(sorted(ALLOWED))}")
    return found


def build(target: Path) -> str:
    """Write the archive; return its hex SHA-256."""
    members = {name: path.read_bytes() for name, path in collect().items()}
    members["__main__.py"] = MAIN.encode()
    members["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        out.write(SHEBANG)
        with zipfile.ZipFile(out, "w", compression=zipfile.ZIP_STORED) as archive:
            for name, body in sorted(members.items()):
                info = zipfile.ZipInfo(name, EPOCH)
                info.create_system = 3
                info.external_attr = 0o100644 << 16
                archive.writestr(info, body)
    target.chmod(0o755)
    return hashlib.sha256(target.read_bytes()).hexdigest()


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "verify.pyz"
    print(f"{build(path)}  {path}")
