"""``data/oscal.json``: the packet's findings as OSCAL assessment results (docs/formats/oscal.md). Pure, streamed.

A control is an *activity*, its finding for the period an *observation*; each exception is an observation too, up to the
report's cap, and exceptions of one reason are a *risk*. A requirement has an objective of our own, that its primary controls
note no exceptions, and a *finding* on that. *satisfied* is said of an objective that was tested and holds, of nothing else:
what could not be assessed is ``not-satisfied`` for the reason ``other`` ("other than satisfied", NIST SP 800-53A), what was
never reviewed has no finding and is listed as excluded.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from evidence.render.inputs import Content
from evidence.render.matrix import MatrixRow, matrices
from evidence.render.oscal_observed import Observed, observations
from evidence.render.oscal_plan import CONTROLS, activity, catalogues, objective_id, objectives, selected
from evidence.render.oscal_risks import risks
from evidence.render.oscal_words import (
    OSCAL_VERSION,
    identify,
    latest,
    line,
    markup,
    moment,
    plain,
    prop,
    props,
    tokens,
)
from evidence.render.text import number
from evidence.snapshot.model import DAY

_STATES: Final = {"satisfied": "pass", "not-satisfied": "fail", "not-assessed": "other"}  # -> reason
_NO_CLOCK: Final = (
    "Evidence, not an opinion. Written without a clock: last-modified is the end of the period or the last capture tested, "
    "whichever is later."
)


def assessment_results(content: Content, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the document; lists that grow with the evidence are iterators, to be encoded once.

    ``digests`` are the SHA-256 of the packet's files by name, those of findings and evidence at least.
    """
    ids = {c.id: tokens(c) for c in content.catalogues if c.id in content.report.frameworks}
    seen = Observed.of(content, digests)
    results = _result(content, seen, ids)
    return {
        "assessment-results": {
            "uuid": identify("results", content.packet_id),
            "metadata": _metadata(content, seen),
            "import-ap": {
                "href": "#" + _plan_id(content),
                "remarks": "No OSCAL plan: the controls as used are the plan.",
            },
            "local-definitions": {
                "objectives-and-methods": objectives(content, ids),
                "activities": (activity(content, each, ids, digests) for each in content.controls),
            },
            "results": iter([results]),
            "back-matter": {"resources": _resources(content, seen, digests)},
        }
    }


def _metadata(content: Content, seen: Observed) -> dict[str, Any]:
    found = content.marks
    marked = [f"{' / '.join(found)}: "] if found else []
    gaps = [f"Left out, {number(len(content.omissions))}:", *content.omissions] if content.omissions else []
    entity = identify("party", content.entity)
    return {
        "title": line("".join([*marked, content.report.title, ", ", content.period])),
        "last-modified": latest((seen.collected(text.id) for text in content.controls), moment(content.end + DAY)),
        "version": "1",
        "oscal-version": OSCAL_VERSION,
        "document-ids": [{"identifier": content.packet_id}],
        "props": [
            *props({
                "packet": content.packet_id,
                "prepared-by": content.prepared_by,
                "log-origin": content.log.origin,
                "log-size": content.log.size,
                "checkpoint-sha256": content.log.checkpoint_sha256,
            }),
            *(prop("mark", mark) for mark in found),
        ],
        "roles": [{"id": "assessed-entity", "title": "Assessed entity"}],
        "parties": [{"uuid": entity, "type": "organization", "name": plain(content.entity)}],
        "responsible-parties": [{"role-id": "assessed-entity", "party-uuids": [entity]}],
        "remarks": markup("\n\n".join([_NO_CLOCK, *gaps])),
    }  # fmt: skip


def _plan_id(content: Content) -> str:
    return identify("plan", content.packet_id)


def _result(content: Content, seen: Observed, ids: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    rows = {m.catalogue.id: [r for r in m.rows if r.covered.coverage] for m in matrices(content)}
    exceptions = [len(finding.exceptions) for finding in seen.findings.values()]
    listed = sum(min(count, content.report.export_rows) for count in exceptions)
    return {
        "uuid": identify("result", content.packet_id),
        "title": line(f"{content.report.title}, {content.period}"),
        "description": markup(f"{content.system_name}, night by night, {content.start} to {content.end} (UTC)."),
        "start": moment(content.start),
        "end": moment(content.end + DAY),
        "props": props({
            "controls": len(seen.findings),
            **{status: sum(f.status == status for f in seen.findings.values()) for status in (*_STATES, "not-applicable")},
            "exceptions": sum(exceptions),
            "exceptions-listed": listed,
            "reviews": sum(len(finding.reviews) for finding in seen.findings.values()),
        }),
        "local-definitions": _assets(content, seen),
        "reviewed-controls": _reviewed(content, ids, rows),
        "observations": observations(content, seen),
        "risks": risks(content, seen),
        "findings": (
            _finding(content, seen, catalogue, row, ids[catalogue])
            for catalogue, found in rows.items()
            for row in found
            if row.covered.rollup in _STATES
        ),
        "remarks": markup("\n\n".join(_remarks(content, listed, sum(exceptions)))),
    }  # fmt: skip


def _remarks(content: Content, listed: int, total: int) -> Iterator[str]:
    if listed < total:
        yield (
            f"{number(listed)} of {number(total)} exceptions are listed, at most {number(content.report.export_rows)} of each "
            f"control; all are in data/findings.csv, SHA-256 {content.findings_csv_sha256}. Every count is of all."
        )
    yield (
        "A finding is on an objective of this document, that the primary controls note no exceptions; it is never a "
        "conclusion on the requirement. not-satisfied for the reason other means not assessed. Requirements without a finding "
        "are listed as excluded: no control that counts concludes on them, or they do not apply."
    )
    yield from (f"Not shown by this evidence: {spot}" for spot in content.blind_spots)


def _assets(content: Content, seen: Observed) -> dict[str, Any]:
    name, _, version = content.tool.partition(" ")
    return {
        "components": [
            {
                "uuid": identify("system", content.entity, content.system_name),
                "type": "this-system",
                "title": line(content.system_name),
                "description": "The system in scope, as management describes it; not tested.",
                "status": {"state": "other"},
            }
        ],
        "assessment-assets": {
            "components": [
                {
                    "uuid": seen.tool_id,
                    "type": "software",
                    "title": line(name),
                    "description": "Reads the systems of record, seals what it read and runs the controls over it.",
                    "props": props({"version": version}),
                    "status": {"state": "operational"},
                }
            ],
            "assessment-platforms": [
                {
                    "uuid": identify("platform", content.packet_id),
                    "title": line(content.tool),
                    "uses-components": [{"component-uuid": seen.tool_id}],
                }
            ],
        },
    }


def _reviewed(
    content: Content, ids: Mapping[str, Mapping[str, str]], rows: Mapping[str, list[MatrixRow]]
) -> dict[str, Any]:
    """Requirements that have a finding are included; the rest of each framework is named as excluded: all, in the answer to one request."""
    selections: list[dict[str, Any]] = []
    for catalogue in catalogues(content, ids):
        found = rows.get(catalogue.id, ())  # the answer to one request has no matrix
        concluded = {row.requirement.id for row in found if row.covered.rollup in _STATES}
        names = ids[catalogue.id]
        included = [names[each.id] for each in catalogue.requirements if each.id in concluded]
        chosen: dict[str, Any] = {"include-controls": selected(included)} if included else {"include-all": {}}
        excluded = [names[each.id] for each in catalogue.requirements if each.id not in concluded]
        selections.append({
            "description": line(f"{catalogue.name}, {catalogue.version}"),
            "props": props({"framework": catalogue.id, "requirements": len(included), "excluded": len(excluded)}),
            **chosen,
            "exclude-controls": selected(excluded),
        })  # fmt: skip
    nothing = {"include-all": {}, "remarks": "The report names no framework: the controls stand as activities."}
    return {"control-selections": selections or [nothing]}


def _finding(
    content: Content, seen: Observed, framework: str, row: MatrixRow, names: Mapping[str, str]
) -> dict[str, Any]:
    word = str(row.covered.rollup)
    token = names[row.requirement.id]
    controls = seen.concluding(framework, row.requirement.id)
    return {
        "uuid": identify("finding", content.packet_id, framework, row.requirement.id),
        "title": line(f"{row.requirement.citation} {row.requirement.title}"),
        "description": markup(f"{row.covered.conclusion}."),
        "props": props({
            "framework": framework,
            "requirement": row.requirement.id,
            "status": word,
            "coverage": row.covered.coverage,
        }),
        "target": {
            "type": "objective-id",
            "target-id": objective_id(token),
            "status": {
                "state": "satisfied" if word == "satisfied" else "not-satisfied",
                "reason": _STATES[word],
                "remarks": markup(row.covered.conclusion),
            },
        },
        "related-observations": [{"observation-uuid": seen.observation_id(each)} for each in controls],
        "related-risks": [{"risk-uuid": seen.risk_id(c, reason)} for c in controls for reason in seen.reasons(c)],
    }  # fmt: skip


def _resources(content: Content, seen: Observed, digests: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the controls as used, findings, the log's checkpoint, then each exhibit, every file with its SHA-256."""
    yield {
        "uuid": _plan_id(content),
        "title": "Controls, facts, registers and configuration as used",
        "rlinks": [_file(name, digests[name]) for name in sorted(digests) if name.startswith(CONTROLS)]
        or [{"href": "controls/"}],
    }
    for name in ("data/findings.json", "data/findings.csv", "data/log/checkpoint", "data/log/key"):
        if name in digests:
            short = name.removeprefix("data/")
            yield {
                "uuid": identify("file", content.packet_id, name),
                "title": short,
                "rlinks": [_file(name, digests[name])],
            }
    yield from seen.exhibits()


def _file(name: str, sha256: str) -> dict[str, Any]:
    return {"href": name.removeprefix("data/"), "hashes": [{"algorithm": "SHA-256", "value": sha256}]}
