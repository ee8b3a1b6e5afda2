"""The examples of docs/formats are test vectors."""

import re
from pathlib import Path

from evidence.snapshot.manifest import Manifest

FORMATS = Path(__file__).parent.parent / "docs" / "formats"


def test_the_manifest_example_is_what_the_writer_writes():
    (example,) = re.findall(r"```json\n(\{.*\})\n```", (FORMATS / "manifest.md").read_text())
    manifest = Manifest.from_bytes(example.encode())
    assert manifest.to_bytes() == example.encode()
    assert manifest.key.dataset == "snowflake.login_history"
