"""The direction rule of docs/architecture.md: nouns never import verbs, formats import nothing, verify stays small."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "evidence"
NOUNS = {
    "tlog": set(),
    "snapshot": set(),
    "signing": set(),
    "datasets": {"snapshot"},
    "store": {"snapshot", "tlog"},
    "bag": {"snapshot", "tlog"},
    "sources": {"snapshot", "datasets"},
    "control": {"snapshot", "datasets"},
    "alert": {"control", "snapshot", "store"},
    "ops": {"control", "snapshot"},
    "render": {"control", "snapshot"},
    "review": {"control", "render", "snapshot"},
    "demo": {"datasets", "snapshot"},
    "terraform": {"datasets", "sources", "store"},
}
VERIFY_MAY = {"bag", "signing", "snapshot", "store", "tlog"}
MAY_IMPORT_VERBS = {"schedule", "reperform", "verifier", "notebook", "cli"}
MAY_IMPORT_CONFIG = {"cli", "doctor", "schedule"}
HEAVY = {"boto3", "duckdb", "weasyprint", "snowflake", "pyhanko", "pkcs11", "openpyxl", "xlsxwriter"}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py"))


def part_of(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(path):
    """Yield (imported module, at module top) of every import in the file."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield name, node in tree.body


def ours(path):
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] == "evidence" and len(parts) > 1 and parts[1] not in {"errors", "__version__", part_of(path)}:
            yield parts[1]


def test_direction():
    verbs = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "errors", "config", "secret"}
    for path in modules():
        part, seen = part_of(path), set(ours(path))
        assert "cli" not in seen or part == "__main__", f"{path}: nobody imports the command line"
        if part in NOUNS:
            assert seen <= NOUNS[part], f"{path}: {part} may import {sorted(NOUNS[part])} only"
        if part == "verify":
            assert seen <= VERIFY_MAY
        if part in verbs and part not in MAY_IMPORT_VERBS:
            assert not seen & verbs, f"{path}: verbs do not call verbs"
        if "config" in seen:
            assert part in MAY_IMPORT_CONFIG, path


def test_heavy_libraries_are_imported_where_used():
    for path in modules():
        top = {name.split(".")[0] for name, at_top in imports(path) if at_top}
        assert not top & HEAVY, path


def test_verify_loads_no_engine_source_or_signer():
    heavy = sorted(HEAVY | {"pyarrow", "pandas", "orjson", "pydantic"})
    code = f"import sys, evidence.verify; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_only_config_and_the_command_line_read_the_environment():
    for path in modules():
        if part_of(path) not in {"config", "cli"}:
            text = path.read_text()
            assert "os.environ" not in text, path
            assert "os.getenv" not in text, path
