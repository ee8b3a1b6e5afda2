"""Write ``controls/frameworks/*.json`` from the research catalogues; run again when those change.

``python scripts/frameworks_from_catalogues.py CATALOGUES`` reads ``hipaa.json``, ``soc2.json`` and ``crosswalk.json`` from the
folder and takes over ids, citations, titles and relations. Gists of HIPAA entries are written by hand and live in the
file this script writes: it keeps them, and fails for an entry without one. Regulation text is read to compare, never to copy: a gist
that shares five words in a row with it fails too.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "controls" / "frameworks"
KEYS = ("id", "citation", "title", "level", "gist", "parent", "requirement", "evidence_mode", "category")
OVERLAP = 5  # words in a row that count as taken over
HIPAA_HEAD = {
    "sources": [
        "45 CFR Part 164 (ids, citations and titles)",
        "Appendix A to Subpart C of Part 164 (which specifications are required and which addressable)",
    ],
    "note": "Titles are shortened and gists are in our own words. The text of the regulation is not part of this file; the gist is "
    "no substitute for it.",
    "basis": "Paragraphs as numbered after the Omnibus Rule of January 2013 (78 FR 5566).",
    "regulatory_status": [
        "The Security Rule proposal of January 2025 (RIN 0945-AA22) was still a proposal when last looked up in July 2026.",
        "Nothing of that proposal is in here. Look it up again before a release.",
        "The reproductive-health amendments of April 2024 were set aside by a court in June 2025. Nothing of them is in here.",
        "Public Law 116-321 (2021): security practices shown over twelve months count when penalties are weighed.",
    ],
}


def words(text: str) -> list[str]:
    """Return the words of ``text`` in lower case, without marks."""
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text: str) -> set[tuple[str, ...]]:
    """Return every run of ``OVERLAP`` words."""
    found = words(text)
    return {tuple(found[at : at + OVERLAP]) for at in range(len(found) - OVERLAP + 1)}


def hipaa(source: Mapping[str, Any], gists: Mapping[str, str]) -> dict[str, Any]:
    """Return the catalogue with our gists. Raises ``ValueError`` that names every entry without one or too near the text."""
    official = set().union(*(runs(entry["text"] or "") for entry in source["entries"]))
    missing = [entry["id"] for entry in source["entries"] if not gists.get(entry["id"])]
    near = [entry["id"] for entry in source["entries"] if runs(gists.get(entry["id"], "")) & official]
    if missing or near:
        raise ValueError(f"no gist: {missing}; too near the text: {near}")
    entries = [
        entry | {"gist": gists[entry["id"]], "category": entry.get("safeguard") or entry["rule"]}
        for entry in source["entries"]
    ]
    head = {key: source[key] for key in ("framework", "name", "catalog_version")}
    return head | HIPAA_HEAD | {"entries": list(_kept(entries))}


def soc2(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the catalogue. Raises ``ValueError`` if official text has slipped in."""
    if any(entry.get("text") for entry in source["entries"]):
        raise ValueError("soc2: criteria text is not ours to ship")
    head = {key: value for key, value in source.items() if key != "entries"}
    return head | {"entries": list(_kept(source["entries"]))}


def crosswalk(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the relations between frameworks; which control speaks to what is said by the controls themselves."""
    basis = {key: value for key, value in source["basis"].items() if key != "controls"}
    lists = {
        name: [{key: value for key, value in row.items() if key != "controls"} for row in source[name]]
        for name in ("hipaa", "soc2", "cis_snowflake")
    }
    return {"crosswalk_version": source["crosswalk_version"], "basis": basis, **lists}


def _kept(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return ({key: entry.get(key) for key in KEYS} for entry in entries)


def _write(name: str, body: Mapping[str, Any]) -> None:
    lists = {
        key: value for key, value in body.items() if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    parts = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in body.items()
        if key not in lists
    ]
    for key, rows in lists.items():
        lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in rows)
        parts.append(f"  {json.dumps(key)}: [\n{lines}\n  ]")
    (TARGET / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main(folder: Path) -> None:
    """Read the catalogues in ``folder`` and write ours."""
    source = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("hipaa", "soc2", "crosswalk")}
    ours = json.loads((TARGET / "hipaa.json").read_text())
    gists = {entry["id"]: entry["gist"] for entry in ours["entries"]}
    _write("hipaa", hipaa(source["hipaa"], gists))
    _write("soc2", soc2(source["soc2"]))
    _write("crosswalk", crosswalk(source["crosswalk"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
