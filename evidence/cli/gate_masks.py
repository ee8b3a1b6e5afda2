"""``evidence gate`` and the project's own masking: the pull request's manifest against ``[gate.masking]``."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence import gate as verb
from evidence.cli.workspace import Workspace
from evidence.control import masks
from evidence.control.evidence import EvidenceReader
from evidence.control.result import NightFinding, Observation
from evidence.control.worse import Weighed
from evidence.sources.contracts import DATASET as CONTRACTS

_COLUMNS = ("database_name", "schema_name", "object_name", "column_name", "column_class", "masking_policy", "interface")


def with_masks(
    workspace: Workspace, judged: verb.Judged, manifest: Path, proposed: Sequence[verb.Proposed], base: EvidenceReader
) -> verb.Judged:
    """Return ``judged`` with what the manifest shows of masking; as it is where the workspace declares none.

    Nothing of last night tells what was masked then: every column is judged, not only new ones.
    """
    config = workspace.config.gate.masking
    if config is None:
        return judged
    masking = masks.Masking(config.macros, config.hooks)
    control = masks.control_of(workspace.library)
    blank = NightFinding(
        control.id, control.version, control.content_sha256, judged.night, "not-assessed", control.severity
    )
    unknown = ""
    items: list[str] = []
    seen: list[Observation] = []
    try:
        value = json.loads(manifest.read_bytes())
        lost = masks.missing(value, masking)
        if lost:
            unknown = f"the manifest has no macro {', '.join(lost)}, which [gate.masking] names"
        named = _texts(workspace.library.settings.get("phi_words", ()))
        declared = set(_declared(workspace, proposed, base, judged))
        source = next(each.source for each in proposed if each.dataset == verb.NODES)
        items, seen = masks.examine(value, masking, named, declared, source)
    except (OSError, ValueError, AttributeError, TypeError) as exc:
        unknown = f"{manifest.name} cannot be read: {exc}"
    finding = masks.finding_of(control, blank, items, seen)
    finding = dataclasses.replace(finding, parameters={"macros": list(masking.macros), "hooks": list(masking.hooks)})
    if unknown:
        finding = dataclasses.replace(
            finding, status="not-satisfied" if finding.exceptions else "not-assessed", detail=unknown
        )
    found = Weighed(control, finding, blank, worse=finding.exceptions, look=finding.reviews, unknown=unknown)
    return dataclasses.replace(judged, weighed=(*judged.weighed, found))


def _declared(
    workspace: Workspace, proposed: Sequence[verb.Proposed], base: EvidenceReader, judged: verb.Judged
) -> Iterator[masks.Place]:
    """Yield the columns that contracts call PHI: the pull request's contracts, else those of the night."""
    not_phi = _texts(workspace.library.settings.get("not_phi_classes", ()))
    for row in _contracts(proposed, base, judged):
        kind = str(row["column_class"] or "").strip().lower()
        parts = [row[name] for name in _COLUMNS[:4]]
        if all(parts) and row["interface"] != "share" and (kind or row["masking_policy"]) and kind not in not_phi:
            yield (str(parts[0]).upper(), str(parts[1]).upper(), str(parts[2]).upper(), str(parts[3]).upper())


def _contracts(
    proposed: Sequence[verb.Proposed], base: EvidenceReader, judged: verb.Judged
) -> Iterator[Mapping[str, Any]]:
    brought = [each for each in proposed if each.dataset == CONTRACTS]
    for each in brought:
        yield from each.rows.select(list(_COLUMNS)).to_pylist()
    for source in base.sources(CONTRACTS) if not brought else ():
        sealed = base.snapshot(source, CONTRACTS, judged.night)
        if sealed is not None and sealed.input.status == "complete":
            yield from base.rows(sealed, _COLUMNS).to_pylist()


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, tuple | list) else [str(value)]
