"""``evidence controls``: what is tested, how, and whether the content is sound."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from evidence.cli import output
from evidence.cli.workspace import Workspace, library_of, now
from evidence.control.cases import run_cases
from evidence.control.coverage import Claim, Covered, claims_of, cover, tally
from evidence.control.factcases import run_fact_cases
from evidence.control.lint import lint_library
from evidence.control.lock import LOCK, renewed, roots
from evidence.control.model import Library
from evidence.control.mutants import KINDS, Kind
from evidence.control.mutation import Score, score_control, score_fact
from evidence.control.overlay import configuration
from evidence.errors import ControlError, UsageError
from evidence.snapshot.canonical import sha256_hex

EXAMPLES: Final = {
    "list": (
        "evidence controls list",
        "evidence -w work controls list --json",
    ),
    "show": ("evidence controls show identity-mfa-humans",),
    "coverage": (
        "evidence controls coverage",
        "evidence controls coverage --framework hipaa",
    ),
    "import-text": ("evidence -w work controls import-text hipaa.csv --framework hipaa --edition 2024",),
    "lint": (
        "evidence -w work controls lint",
        "evidence -w work controls lint org-my-control",
    ),
    "lock": ("evidence -w work controls lock",),
    "test": (
        "evidence controls test identity-mfa-humans",
        "evidence -w work controls test --mutants",
    ),
}

app = typer.Typer(help="List, show, lint and test controls.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list")
def list_controls(context: typer.Context, json: Json = False) -> None:
    """List every control with what it maps to."""
    library = library_of(context.obj)
    rows: list[dict[str, Any]] = [
        {
            "control": control.id, "version": control.version, "severity": control.severity, "mode": control.mode,
            "title": control.title,
            "primary": [f"{m.framework} {m.requirement}" for m in control.maps if m.strength == "primary"],
            "parameters": control.effective, "changes": [change.model_dump(mode="json") for change in control.changes],
        }
        for control in library.controls.values()
    ]  # fmt: skip
    if json:
        output.as_json(rows)
        return
    layers = " < ".join(["library", *(layer.name for layer in library.layers)])
    output.table(
        f"library {library.version}, {len(rows)} controls; {layers}; configuration {sha256_hex(configuration(library))}",
        ["control", "version", "severity", "mode", "title", "primary for", "changed"],
        [
            [
                *(r[k] for k in ("control", "version", "severity", "mode", "title")),
                ", ".join(r["primary"]),
                _changed(r["changes"]),
            ]
            for r in rows
        ],
    )


def _changed(changes: list[dict[str, Any]]) -> str:
    return ", ".join(f"{each['what']} {each['direction']} by {each['layer']}" for each in changes)


@app.command("show")
def show(context: typer.Context, control: str, json: Json = False) -> None:
    """Show one control whole: text, parameters, SQL."""
    library = library_of(context.obj)
    found = library.controls.get(control)
    if found is None:
        raise UsageError(f"no control {control!r}", fix="`evidence controls list` names them")
    if json:
        output.as_json(found.model_dump(mode="json"))
        return
    output.pairs({
        "control": f"{found.id} {found.version}", "title": found.title, "severity": found.severity, "mode": found.mode,
        "statement": found.statement, "test": found.test, "sha256": found.content_sha256,
    })  # fmt: skip
    for name, parameter in found.parameters.items():
        value = found.effective[name]
        default = parameter.check(parameter.default)
        plain = list(default) if isinstance(default, tuple) else default
        output.say(f"parameter {name} = {value}{'' if value == plain else f', library {plain}'}  ({parameter.about})")
    for change in found.changes:
        who = f" {change.by}" if change.by else ""
        when = f" on {change.on}" if change.on else ""
        output.say(
            f"changed by {change.layer}{who}{when}: {change.what} {change.before} to {change.after}, {change.direction}: {change.reason}"
        )
    for name, text in (("population.sql", found.population_sql), ("control.sql", found.control_sql)):
        output.say(f"\n-- {name}\n{text.rstrip()}")


@app.command("coverage")
def coverage(
    context: typer.Context,
    framework: Annotated[str | None, typer.Option(help="Only this framework: hipaa, soc2 or one of your own.")] = None,
    json: Json = False,
) -> None:
    """Show for each requirement what covers it: primary, supporting, manual, inherited or nothing."""
    library = library_of(context.obj)
    if framework and framework not in library.frameworks:
        raise UsageError(f"no framework {framework!r}", fix=f"frameworks: {', '.join(sorted(library.frameworks))}")
    found = {
        name: cover(library.frameworks[name].entries, claims_of(library, name, night=now().date()))
        for name in ([framework] if framework else sorted(library.frameworks))
    }
    if json:
        output.as_json(
            {name: {"requirements": [_spelled(c) for c in rows], "count": tally(rows)} for name, rows in found.items()}
        )
        return
    for name, rows in found.items():
        _print_coverage(library, name, rows)


def _print_coverage(library: Library, name: str, rows: tuple[Covered, ...]) -> None:
    titles = library.frameworks[name].requirements
    counts = tally(rows)
    output.table(
        f"{name}: {sum(counts.values())} requirements, " + ", ".join(f"{n} {word}" for word, n in counts.items()),
        ["requirement", "title", "coverage", "primary", "supporting"],
        [
            [each.requirement, titles[each.requirement].title, each.coverage, *map(_named, _counted(each))]
            for each in rows
        ],
    )
    for each in rows:
        for claim in each.refused:
            output.say(f"not counted: {each.requirement} by {claim.control} ({claim.strength}): {claim.refused}")


def _counted(covered: Covered) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    return covered.counted("primary"), covered.counted("supporting")


def _named(claims: tuple[Claim, ...]) -> str:
    return ", ".join(claim.control for claim in claims)


def _spelled(covered: Covered) -> dict[str, object]:
    return {
        "requirement": covered.requirement,
        "coverage": covered.coverage,
        "primary": [c.control for c in covered.counted("primary")],
        "supporting": [c.control for c in covered.counted("supporting")],
        "not_counted": [{"control": c.control, "strength": c.strength, "why": c.refused} for c in covered.refused],
        "parts": dict(covered.parts),
    }


@app.command("import-text")
def import_text(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="eCFR XML (.xml), or text you have a licence for (.csv, .toml, .json).")],
    framework: Annotated[str, typer.Option(help="The framework it is the text of.")] = "hipaa",
    edition: Annotated[str, typer.Option(help="Edition or date of the text; an XML file may state its own.")] = "",
    note: Annotated[str, typer.Option(help="Where it is from and by what right you keep it.")] = "",
    json: Json = False,
) -> None:
    """Add official requirement text to this workspace: sealed with its source, printed in packets beside our own gist."""
    from evidence.cli.official_text import bring

    workspace = Workspace.open(context.obj)
    found = bring(workspace, file, framework, edition, note)
    output.undelivered(workspace.log.undelivered)
    if json:
        output.as_json(found)
        return
    output.say(
        f"{found['requirements']} of {found['of']} requirements of {framework} have text, from {found['file']} (sha256 {found['file_sha256']})"
    )
    if found["without"]:
        output.say(f"without text: {', '.join(found['without'])}")
    output.say(f"sealed: {found['sealed']}")


@app.command("lint")
def lint(
    context: typer.Context,
    controls: Annotated[list[str] | None, typer.Argument(help="Only these, and the facts they rest on.")] = None,
    json: Json = False,
) -> int:
    """Check every control, fact and mapping; exit 3 if anything is wrong."""
    problems = lint_library(library_of(context.obj), controls or ())
    if json:
        output.as_json([str(problem) for problem in problems])
    else:
        for problem in problems:
            output.say(str(problem))
        output.say(f"{len(problems)} problems")
    return ControlError.exit_code if problems else 0


@app.command("lock")
def lock(
    context: typer.Context,
    amend: Annotated[
        bool, typer.Option("--amend", help="Also where the version is unchanged: content that nothing ever carried.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the version and content digest of each control and fact to lock.toml beside them."""
    library = library_of(context.obj)
    new = {root: renewed(root, library, amend=amend) for root in roots(library)}
    for root, (text, changes) in new.items():
        if changes:
            (root / LOCK).write_text(text)
    found = [(root / LOCK, each) for root, (_, changes) in new.items() for each in changes]
    if json:
        output.as_json([{"file": str(path), "kind": each.kind, "name": each.name} for path, each in found])
        return
    for path, each in found:
        output.say(f"{path}: {each.kind}.{each.name}")
    output.say(f"{len(found)} lines renewed")


@app.command("test")
def run_all(
    context: typer.Context,
    control: Annotated[str | None, typer.Argument(help="Only this control, or fact.NAME.")] = None,
    mutants: Annotated[bool, typer.Option("--mutants", help="Change the SQL bit by bit: do the cases notice?")] = False,
    json: Json = False,
) -> int:
    """Run the cases of every control and fact; exit 3 if one does not come out as written."""
    library = library_of(context.obj)
    controls, facts = _chosen(library, control)
    if mutants:
        return _mutants(library, controls, facts, json=json)
    results = [result for name in controls for result in run_cases(library, name)]
    results += [result for name in facts for result in run_fact_cases(library, name)]
    failed = [result for result in results if not result.ok]
    if json:
        output.as_json([{"control": r.control, "case": r.case, "ok": r.ok, "detail": r.detail} for r in results])
    else:
        for result in failed:
            output.say(f"{result.control} {result.case}: {result.detail}")
        output.say(f"{len(results) - len(failed)} cases as written, {len(failed)} not")
    return ControlError.exit_code if failed else 0


def _chosen(library: Library, name: str | None) -> tuple[list[str], list[str]]:
    """Return the controls and facts that are meant."""
    if name is None:
        return list(library.controls), list(library.facts)
    fact = name.removeprefix("fact.")
    return ([], [fact]) if name.startswith("fact.") and fact in library.facts else ([name], [])


def _mutants(library: Library, controls: list[str], facts: list[str], *, json: bool) -> int:
    """Print what no case notices; exit 3 if a change of verdict is among it that is not known to change nothing."""
    with output.progress("mutants", 2 * len(controls) + len(facts)) as step:
        scores = [score for name in controls for score in score_control(library, name, step=step)]
        scores += [score_fact(library, name, step=step) for name in facts]
    if json:
        output.as_json([_as_json(score) for score in scores])
    else:
        for score in scores:
            for mutant in score.unnoticed:
                output.say(f"{score.file}: {mutant.kind}: {mutant.what}")
        for kind in KINDS:
            output.say(_sum(scores, kind))
    accused = any(mutant.kind == "verdict" for score in scores for mutant in score.unnoticed)
    return ControlError.exit_code if accused else 0


def _sum(scores: list[Score], kind: Kind) -> str:
    made, same, lost = (
        sum(mutant.kind == kind for score in scores for mutant in getattr(score, part))
        for part in ("made", "equivalent", "unnoticed")
    )
    return f"{kind}: {made} mutants, {made - same - lost} noticed, {same} known to change nothing, {lost} not noticed"


def _as_json(score: Score) -> dict[str, object]:
    return {
        "file": score.file,
        "made": {kind: sum(mutant.kind == kind for mutant in score.made) for kind in KINDS},
        **{
            part: [{"kind": mutant.kind, "what": mutant.what} for mutant in getattr(score, part)]
            for part in ("equivalent", "unnoticed")
        },
    }
