"""Write docs/engines.md: which controls and facts are said in Snowflake, and why the others are not. From content, without a session."""

import datetime as dt
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from evidence.control.cases import NIGHT
from evidence.control.definition import load_library
from evidence.control.engine import Engine
from evidence.control.made import MadeEvidence, registers_of
from evidence.control.model import Library
from evidence.control.night import Night
from evidence.control.pushdown.refusal import RefusedError
from evidence.control.pushdown.remote import shown_schema
from evidence.control.pushdown.transpile import constructs, transpile
from evidence.control.windows import Tables
from evidence.snapshot.model import DAY, start_of

PAGE = "docs/engines.md"
HEAD = """# Engines

DuckDB judges on this machine, locked down, over verified copies: it is the reference, and what a packet's re-performance uses. Past one machine `[assess] engine = "snowflake"` runs a control's two
statements in a session of `[publish] connection`, in temporary tables of `[publish] into`; counts, the items' fingerprint and what did not pass come back. Same controls, same findings.

- **Allowed, not forbidden.** `evidence/control/pushdown/constructs.toml` lists what control SQL may say to be sent, why it means the same in both, and the pages of both that say so. Anything else is refused by name, and the control
  is judged by DuckDB, on this machine, as always. A construct whose documentation leaves a case open (letters with several mappings, numbers beyond 64 bits) stops the statement there, and DuckDB judges the control. So it is with whatever Snowflake refuses, such as a subquery it cannot correlate.
- **What the emulator proves.** Tests compare findings byte for byte on DuckDB and on an emulator, for the cases of every control below. The emulator is DuckDB behind a translator: that proves the round trip of the text, not what Snowflake's own
  planner does with it. The meaning rests on the documentation of both engines, and on re-performance: whoever recomputes the packet does it in DuckDB, and a finding that differs fails.
- **Facts** are computed in DuckDB and loaded: they rest on state, which is small.
- **Evidence** is loaded into the session (`rows = "loaded"`), or read by the views over [exactly the sealed files](formats/files.md) (`rows = "external"`). Views are asked for the manifests the night reads, by digest; unless they show as many rows as are sealed, the
  control is not assessed. Load the newest list first. The schema must have no default collation.
- **On record.** The night's [assessment](formats/findings.md) names the engine, the SHA-256 of each statement, and which controls were judged here and why. Findings have no such key: they are the same.
- If the session cannot be had or breaks, nothing is sealed and the command ends with exit code 4.
- Not built, for reasons: judging ACCOUNT_USAGE live, and unloading large windows on Snowflake's side ([0209](decisions/0209-nothing-is-unloaded-on-snowflakes-side.md)).

Written by `scripts/engines_page.py`; a test holds it to the content.
"""


def judged(library: Library) -> tuple[dict[str, str], dict[str, str]]:
    """Return why the statements of each control, and of each fact, are refused; empty: they are not. Facts are computed here all the same."""
    refused: dict[str, str] = {}
    moment = start_of(NIGHT) + DAY + dt.timedelta(hours=3)
    made = MadeEvidence(library.contracts, NIGHT, moment, {name: [] for name in library.contracts})
    controls = [library.controls[name] for name in sorted(library.controls)]
    with Engine(threads=1) as engine:

        def select(sql: str, tables: Tables, room: str = "") -> pa.Table:
            if sql not in refused:
                refused[sql] = _why(sql, tables)
            return engine.select(sql, tables, room)

        night = Night(library, registers_of({}, NIGHT), made, NIGHT, moment, select, controls, made.look)
        for control in controls:
            night.results(control, night.population(control))
        for name in library.facts:
            night.fact(name)
    both = {each.id: refused[each.population_sql] or refused[each.control_sql] for each in controls}
    return both, {name: refused[library.facts[name].sql] for name in sorted(library.facts)}


def _why(sql: str, tables: Tables) -> str:
    try:
        transpile(sql, {name: shown_schema(given) for name, given in tables.items()}, lambda name: name)
    except RefusedError as exc:
        return f"{exc.construct}: {exc.why}"
    return ""


def page(library: Library) -> str:
    """Return the page."""
    return "\n".join((HEAD, *_lists(*judged(library)), *_constructs())) + "\n"


def _lists(controls: Mapping[str, str], facts_: Mapping[str, str]) -> list[str]:
    pushed = [name for name, why in controls.items() if not why]
    lines = [
        f"## Controls said in Snowflake ({len(pushed)} of {len(controls)})",
        "",
        ", ".join(f"`{name}`" for name in pushed),
        "",
    ]
    reasons = Counter(why.partition(":")[0] for why in controls.values() if why)
    lines += [
        "## Controls judged here",
        "",
        "By what their SQL needs: "
        + ", ".join(f"{name} ({n})" for name, n in sorted(reasons.items(), key=lambda r: (-r[1], r[0])))
        + ".",
        "",
    ]
    lines += ["| control | first refused |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(why)} |" for name, why in controls.items() if why]
    said = [name for name, why in facts_.items() if not why]
    lines += [
        "",
        "## Facts",
        "",
        "All are computed here. Could be said there: " + (", ".join(f"`{name}`" for name in said) or "none") + ".",
        "",
        "| fact | first refused |",
        "|---|---|",
    ]
    return [*lines, *(f"| `{name}` | {_cell(why)} |" for name, why in facts_.items() if why), ""]


def _constructs() -> list[str]:
    lines = ["## What may be said", "", "| construct | means the same because |", "|---|---|"]
    return [
        *lines,
        *(
            f"| `{_cell(found['said'])}` | {_cell(found['same'])} |"
            for found in constructs().values()
            if "same" in found
        ),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    root = Path(__file__).parent.parent
    (root / PAGE).write_text(page(load_library([root / "controls"], None)))
    sys.stdout.write(f"{PAGE}\n")
