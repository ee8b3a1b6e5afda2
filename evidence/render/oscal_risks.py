"""Risks of ``data/oscal.json``: exceptions of one control for one reason, with advice and management's responses. Pure."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from evidence.control.result import PeriodFinding, noted_among
from evidence.render.inputs import Content, ControlText, Response
from evidence.render.oscal_observed import Observed
from evidence.render.oscal_words import identify, line, markup, props
from evidence.render.text import number


def risks(content: Content, seen: Observed) -> Iterator[dict[str, Any]]:
    """Yield a risk per control and reason; a waiver is named with its exception and never closes one."""
    for text in content.controls:
        finding = seen.findings[text.id]
        listed: dict[str, list[str]] = {}
        for each in islice(finding.exceptions, content.report.export_rows):
            listed.setdefault(each.reason, []).append(seen.exception_id(text.id, each))
        answers = _answers(content, finding)
        for reason in seen.reasons(text.id):
            yield _risk(seen, text, reason, listed.get(reason, ()), answers.get(reason, ()))


def _answers(content: Content, finding: PeriodFinding) -> dict[str, list[Response]]:
    """Management's responses to exceptions of this finding, by reason."""
    given = {(r.item, r.reason): r for r in content.responses if r.control == finding.control}
    noted = noted_among(finding.exceptions, given.keys())
    found: dict[str, list[Response]] = {}
    for item, reason in sorted(noted):
        found.setdefault(reason, []).append(given[item, reason])
    return found


def _risk(
    seen: Observed, text: ControlText, reason: str, listed: Sequence[str], answers: Sequence[Response]
) -> dict[str, Any]:
    tally = seen.tallies[text.id][reason]
    about = seen.risk_id(text.id, reason)
    word = "exception" if tally.total == 1 else "exceptions"
    return {
        "uuid": about,
        "title": line(f"{text.id}: {reason}"),
        "description": markup(text.reasons.get(reason, reason)),
        "statement": f"{number(tally.total)} {word} noted in the period, {number(tally.open)} open on the last night tested.",
        "props": props({
            "control": text.id,
            "reason": reason,
            "severity": text.severity,
            "exceptions": tally.total,
            "exceptions-open": tally.open,
            "exceptions-waived": tally.waived,
            "responses": len(answers),
        }),
        "status": "open" if tally.open else "closed",
        "remediations": [*_advice(about, text), *(_response(seen, about, each) for each in answers)],
        "related-observations": [
            {"observation-uuid": each} for each in (seen.observation_id(text.id), *listed)
        ],
    }  # fmt: skip


def _advice(about: str, text: ControlText) -> Iterator[dict[str, Any]]:
    if text.remediation:
        yield {
            "uuid": identify("advice", about),
            "lifecycle": "recommendation",
            "title": "How such an exception is remedied",
            "description": markup(text.remediation),
        }


def _response(seen: Observed, about: str, answer: Response) -> dict[str, Any]:
    party = identify("party", seen.owner[0])
    said = (
        f"Cause: {answer.cause}\n\nEffect considered: {answer.effect}\n\nAction: {answer.action}\n\n"
        f"Owner: {answer.owner}\n\nDue: {answer.due}\n\nSigned by: {answer.signed_by}"
    )
    return {
        "uuid": identify("response", about, answer.item),
        "lifecycle": "planned",
        "title": "Management's response, in management's words, not tested",
        "description": markup(said),
        "props": props({"item": answer.item, "due": answer.due, "owner": answer.owner}),
        "origins": [{"actors": [{"type": "party", "actor-uuid": party}]}],
    }
