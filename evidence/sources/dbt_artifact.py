"""dbt artifacts: which kind, which schema version, when and by which invocation; the rest stays unread.

dbt writes ``{"metadata": {...`` first, so the head of a file says all that an index needs; a file written otherwise is
parsed whole. Unknown kinds and versions are refused aloud: a field may have changed its meaning.
Source of the versions: https://schemas.getdbt.com (dbt reference, "dbt artifacts").
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evidence.sources import exact
from evidence.sources.dbt_file import ArtifactFile, of_tree
from evidence.sources.moment import parse_moment
from evidence.sources.tree import walk

Kind = Literal["manifest", "run-results", "sources", "catalog"]
VERSIONS: dict[str, range] = {
    "manifest": range(1, 13),
    "run-results": range(1, 7),
    "sources": range(1, 4),
    "catalog": range(1, 2),
}
# dbt's own by-products in target/, none of them an artifact with a published schema for evidence
BY_PRODUCTS = frozenset(
    {"graph_summary.json", "semantic_manifest.json", "partial_parse.json", "perf_info.json", "osi_document.json"}
)
# Previews of dbt Fusion wrote a manifest of their own that was never finished or published; later ones write v12
# (dbt reference, "Manifest JSON file"; dbt Fusion upgrade guide, "Manifest compatibility").
FUSION_PREVIEW = ("manifest", 20)
_SCHEMA = re.compile(r"https://schemas\.getdbt\.com/dbt/([a-z-]{1,20})/v(\d{1,3})\.json\Z")
_METADATA = re.compile(r'\A(?:\xef\xbb\xbf)?\s*\{\s*"metadata"\s*:\s*')
_IDENTIFIER = re.compile(r"[\w.:-]{1,100}\Z")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file. ``refusal`` says why its rows cannot be used; then the other fields are what could be learned."""

    file: ArtifactFile
    kind: Kind | None
    version: int
    generated_at: dt.datetime | None
    invocation_id: str
    project: str
    dbt_version: str
    refusal: str = ""

    @property
    def name(self) -> str:
        """The file's name relative to the source's folder."""
        return self.file.name

    @property
    def label(self) -> str:
        """The name for messages."""
        return self.file.label

    @property
    def schema_version(self) -> str:
        """``manifest/v12``."""
        return f"{self.kind}/v{self.version}"


def index(folder: Path) -> Iterator[Artifact]:
    """Yield every JSON file below ``folder`` in order of name, with what its metadata says."""
    for file in walk(folder, skip=(".",)):
        linked = file.refusal and "." not in file.parts[-1]  # may be a folder of artifacts
        if linked or may_be(file.name):
            yield describe(of_tree(file))


def may_be(name: str) -> bool:
    """Say whether a file of this name is looked at: JSON that is none of dbt's by-products."""
    last = name.rpartition("/")[2]
    return last.endswith((".json", ".json.gz")) and last.removesuffix(".gz") not in BY_PRODUCTS


def describe(file: ArtifactFile) -> Artifact:
    """Read the metadata of one file; what is wrong with it stands in ``refusal``."""
    if file.refusal:
        return _refused(file, file.refusal)
    try:
        metadata = _metadata(file)
    except (OSError, EOFError, ValueError, RecursionError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else type(exc).__name__
        return _refused(file, f"cannot be read as JSON: {reason}")
    version = metadata.get("dbt_schema_version")
    if not isinstance(version, str):
        return _refused(file, "no dbt artifact: metadata.dbt_schema_version is missing")
    found = _SCHEMA.match(version)
    if found is None or found[1] not in VERSIONS:
        return _refused(file, "metadata.dbt_schema_version names no artifact we know")
    return _known(file, metadata, found[1], int(found[2]))


def load(artifact: Artifact) -> tuple[dict[str, Any], str]:
    """Return the parsed artifact and the SHA-256 of its bytes. Raises ``ValueError`` with a reason that quotes nothing.

    Fractions become ``Decimal``; a manifest of some megabytes is held only while its rows are made.
    """
    try:
        body = artifact.file.body()
        value = exact.loads(body)
    except (OSError, EOFError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else type(exc).__name__
        raise ValueError(f"cannot be read: {reason}") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - callers catch one kind of error
    return value, hashlib.sha256(body).hexdigest()


def moment_of(artifact: Artifact) -> dt.datetime:
    """Return when it was generated; for a file that does not say, when it last changed."""
    return artifact.generated_at or artifact.file.modified


def _known(file: ArtifactFile, metadata: dict[str, Any], kind: Any, version: int) -> Artifact:
    moment = metadata.get("generated_at")
    # dbt writes UTC; versions before 1.0 could leave the Z out
    generated_at = parse_moment(moment, zone=dt.UTC) if isinstance(moment, str) else None
    refusal = ""
    if version not in VERSIONS[kind]:
        newest = VERSIONS[kind][-1]
        fusion = "; previews of dbt Fusion wrote it, later ones write v12" if (kind, version) == FUSION_PREVIEW else ""
        refusal = f"{file.label}: {kind}/v{version} is not known (v1 to v{newest} are){fusion}"
    elif generated_at is None:
        refusal = f"{file.label}: metadata.generated_at is missing or no moment"
    return Artifact(
        file,
        kind,
        version,
        generated_at.astimezone(dt.UTC) if generated_at else None,
        _identifier(metadata.get("invocation_id")),
        _identifier(metadata.get("project_name")) or _identifier(metadata.get("project_id")),
        _identifier(metadata.get("dbt_version")),
        refusal,
    )


def _refused(file: ArtifactFile, reason: str) -> Artifact:
    """A file whose kind only its name tells, if anything does."""
    stem = file.parts[-1].partition(".")[0].replace("_", "-").lower()
    kinds: tuple[Kind, ...] = ("manifest", "run-results", "sources", "catalog")
    kind = next((kind for kind in kinds if stem == kind), None)
    return Artifact(file, kind, 0, None, "", "", "", f"{file.label}: {reason}")


def _metadata(file: ArtifactFile) -> dict[str, Any]:
    head, whole = file.start()
    text = head.decode("utf-8", "ignore")
    start = _METADATA.match(text)
    if start:
        try:
            found, _ = json.JSONDecoder().raw_decode(text, start.end())
            return found if isinstance(found, dict) else {}
        except ValueError:
            pass  # longer than the head
    value = json.loads(head if whole else file.body())
    found = value.get("metadata") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _identifier(value: Any) -> str:
    """Keep a short plain name; anything else is none of the index's business."""
    return value if isinstance(value, str) and _IDENTIFIER.match(value) else ""
