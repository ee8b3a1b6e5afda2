"""Local definitions of ``data/oscal.json``: an objective per requirement, an activity per control. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from evidence.render.inputs import Catalogue, Content, ControlText
from evidence.render.oscal_words import identify, line, markup, prop, props

CONTROLS: Final = "data/controls/"
OBJECTIVE: Final = (
    "The primary controls mapped to this requirement, and to what stands below it, note no exceptions in the period. "
    "A sum of findings, never a conclusion on the requirement itself."
)


def objective_id(token: str) -> str:
    """Return the id of the objective of the requirement that is called ``token``."""
    return f"{token}_obj"


def objectives(content: Content, ids: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield an objective of our own for every requirement; ``ids`` are the tokens of requirements by framework."""
    for catalogue in catalogues(content, ids):
        for each in catalogue.requirements:
            token = ids[catalogue.id][each.id]
            yield {
                "control-id": token,
                "description": markup(each.title),
                "props": props({"framework": catalogue.id, "requirement": each.id, "citation": each.citation}),
                "parts": [
                    {"id": objective_id(token), "name": "objective", "title": line(each.title), "prose": OBJECTIVE}
                ],
            }


def catalogues(content: Content, ids: Mapping[str, Any]) -> list[Catalogue]:
    """Return the catalogues of the report, in the packet's order."""
    return [each for each in content.catalogues if each.id in ids]


def activity(
    content: Content, text: ControlText, ids: Mapping[str, Mapping[str, str]], digests: Mapping[str, str]
) -> dict[str, Any]:
    """Return a control as used: what it states, tests and with which SQL, and the requirements it counts for."""
    mapped = [
        (ids[m.framework][m.requirement], m)
        for m in text.maps
        if m.framework in ids and m.requirement in ids[m.framework] and not m.refused
    ]
    primary = sorted({token for token, m in mapped if m.strength == "primary"})
    steps = (
        ("population.sql", "The items in scope are listed."),
        ("control.sql", "Each item is tested; anything else than the passing case, unknown values included, fails."),
    )
    return {
        "uuid": identify("activity", content.packet_id, text.id),
        "title": line(f"{text.id}: {text.title}"),
        "description": markup(f"{text.statement}\n\n{text.test}"),
        "props": [
            *props({
                "control": text.id,
                "control-version": text.version,
                "content-sha256": text.content_sha256,
                "severity": text.severity,
                "frequency": text.frequency,
            }),
            *(prop("parameter", f"{p.name} = {p.value}") for p in text.parameters),
            *(prop("supporting", token) for token in sorted({t for t, m in mapped if m.strength == "supporting"})),
        ],
        "steps": [
            {
                "uuid": identify("step", content.packet_id, text.id, name),
                "description": said,
                "props": props({"sha256": digests.get(f"{CONTROLS}{text.id}/{name}", "")}),
                "links": [{"href": f"controls/{text.id}/{name}", "rel": "reference", "media-type": "text/plain"}],
            }
            for name, said in steps
            if f"{CONTROLS}{text.id}/{name}" in digests
        ],
        **({"related-controls": {"control-selections": [{"include-controls": selected(primary)}]}} if primary else {}),
    }  # fmt: skip


def selected(names: list[str]) -> list[dict[str, str]]:
    """Return a selection of requirements by their tokens."""
    return [{"control-id": name} for name in names]
