"""A packet as an in-toto statement (Statement v1, predicate test-result v0.1): its files by digest, its conclusions by name.

::

    {"_type":"https://in-toto.io/Statement/v1",
     "subject":[{"digest":{"sha256":"…"},"name":"PKT-…/data/findings.json"}, …],      every file of the packet, and the zip
     "predicateType":"https://in-toto.io/attestation/test-result/v0.1",
     "predicate":{"result":"FAILED","passedTests":[…],"warnedTests":[…],"failedTests":[…],"configuration":[…], …}}

A control is a test: *satisfied* passed, *not-satisfied* failed, and everything else, *not-assessed* above all, warned. *Passed*
is said of the whole only when every control passed and nothing was left out: losing evidence must not turn into a pass.
Configurations are the control files as used, which the packet carries.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from evidence.bag.bag import MANIFEST, TAGMANIFEST, parse_manifest
from evidence.bag.files import BagFiles, FolderFiles, read, sha256_of
from evidence.bag.findings import read_findings
from evidence.errors import MalformedError
from evidence.snapshot import canonical

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://in-toto.io/attestation/test-result/v0.1"
_LISTS: Final = {"satisfied": "passedTests", "not-satisfied": "failedTests", "not-applicable": ""}
_LIMIT: Final = 64 << 20


def packet_statement(folder: Path, zipped: Path, omissions: Sequence[str]) -> bytes:
    """Return the statement of the packet in ``folder`` and ``zipped``, canonical JSON. Raises ``MalformedError``."""
    files = FolderFiles(folder)
    with zipped.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    subjects = [_resource(f"{folder.name}/{name}", sha256) for name, sha256 in _digests(files)]
    return canonical.encode({
        "_type": STATEMENT,
        "subject": [*subjects, _resource(zipped.name, digest)],
        "predicateType": PREDICATE,
        "predicate": _predicate(files, folder.name, omissions),
    })  # fmt: skip


def _predicate(files: BagFiles, packet: str, omissions: Sequence[str]) -> dict[str, Any]:
    findings = read_findings(files)
    tests: dict[str, set[str]] = {"passedTests": set(), "warnedTests": set(), "failedTests": set()}
    for period in findings.periods():
        where = _LISTS.get(period["status"], "warnedTests")
        if where:
            tests[where].add(period["control"])
    tests["warnedTests"] -= tests["failedTests"]  # the worst part of a split period counts
    tests["passedTests"] -= tests["failedTests"] | tests["warnedTests"]
    doubtful = tests["warnedTests"] or omissions or not tests["passedTests"]
    result = "FAILED" if tests["failedTests"] else "WARNED" if doubtful else "PASSED"
    listed = parse_manifest(read(files, MANIFEST, limit=_LIMIT), MANIFEST)
    configuration = [_resource(f"{packet}/{n}", sha256) for n, sha256 in sorted(listed.items()) if _is_control(n)]
    names = {name: sorted(found) for name, found in tests.items()}
    return {
        "result": result,
        "configuration": configuration,
        **names,
        "period": {"start": findings.start, "end": findings.end},
        "omissions": list(omissions),
    }


def _digests(files: BagFiles) -> Iterator[tuple[str, str]]:
    """Yield (name, hex SHA-256) of every file: the manifests' own words for those they name."""
    named = parse_manifest(read(files, MANIFEST, limit=_LIMIT), MANIFEST)
    named |= parse_manifest(read(files, TAGMANIFEST, limit=_LIMIT), TAGMANIFEST)
    if set(named) - set(files.names()):
        raise MalformedError("the packet lacks files that its manifests name")
    for name in files.names():
        yield name, named.get(name) or sha256_of(files, name)


def _is_control(name: str) -> bool:
    return name.startswith("data/controls/")


def _resource(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}
