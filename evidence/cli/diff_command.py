"""``evidence diff``: what drifted between two captures."""

import datetime as dt
from typing import Annotated, Any, Final

import typer

from evidence import diff as verb
from evidence.cli import output
from evidence.cli.assess_command import reader_of
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, now
from evidence.errors import UsageError

EXAMPLES: Final = (
    "evidence -w work diff snowflake.users --from 2026-07-13 --to 2026-07-14",
    "evidence -w work diff snowflake.grants_to_roles --from 2026-07-01 --to 2026-07-31 --json",
)


def diff(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A state dataset, as `evidence status` names it.")],
    start: Annotated[str, typer.Option("--from", help="The earlier night, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option("--to", help="The later night, YYYY-MM-DD.")],
    source: Annotated[str | None, typer.Option(help="Only this source; default: every source of the dataset.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to print per source.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print all as JSON.")] = False,
) -> None:
    """Compare two complete captures on the columns that do not move by themselves."""
    workspace = Workspace.open(context.obj)
    contract = workspace.contracts.get(dataset)
    if contract is None:
        raise UsageError(f"no dataset {dataset!r}", fix="`evidence status` lists the datasets")
    reader = reader_of(workspace, now())
    sources = [source] if source else reader.sources(dataset)
    if not sources:
        raise UsageError(f"no source holds {dataset}", fix="configure a source that has it, then collect")
    nights = parse_night(start), parse_night(end)
    drifts = [verb.diff(reader, contract, name, *nights) for name in sources]
    if json:
        output.as_json([_spell(drift) for drift in drifts])
        return
    for drift in drifts:
        _show(drift, limit)


def _show(drift: verb.Drift, limit: int) -> None:
    counts = {word: sum(c.word == word for c in drift.changes) for word in ("added", "removed", "changed")}
    title = f"{drift.source} {drift.dataset}: {drift.rows[0]:,} rows on {drift.nights[0]}, {drift.rows[1]:,} on {drift.nights[1]}"
    output.say(f"{title}; " + ", ".join(f"{count} {word}" for word, count in counts.items()))
    if drift.changes:
        output.table("", ["what", "item", "column", "before", "after"], list(_lines(drift, limit)))
    if len(drift.changes) > limit:
        output.say(f"first {limit} of {len(drift.changes)} differences; --limit or --json shows more")
    for name, reason in sorted(drift.left_out.items()):
        output.say(f"  not compared: {name} ({reason})")


def _lines(drift: verb.Drift, limit: int) -> list[list[object]]:
    lines: list[list[object]] = []
    for change in drift.changes[:limit]:
        item = _item(change)
        for at, name in enumerate(change.columns or [""]):
            values = ((change.before or {}).get(name), (change.after or {}).get(name)) if name else ("", "")
            lines.append([change.word if at == 0 else "", item if at == 0 else "", name, *values])
    return lines


def _item(change: verb.Change) -> str:
    """The key, and the name people know the thing by where the key is only a number."""
    row = change.after or change.before or {}
    known = {} if "name" in change.key or not row.get("name") else {"name": row["name"]}
    return " ".join(str(value) for value in {**known, **change.key}.values())


def _spell(drift: verb.Drift) -> dict[str, Any]:
    return {
        "source": drift.source,
        "dataset": drift.dataset,
        "from": drift.nights[0],
        "to": drift.nights[1],
        "rows": {"from": drift.rows[0], "to": drift.rows[1]},
        "changes": [
            {
                "what": c.word,
                "key": _plain(c.key),
                "columns": c.columns,
                "before": _plain(c.before),
                "after": _plain(c.after),
            }
            for c in drift.changes
        ],
        "not_compared": dict(drift.left_out),
    }


def _plain(row: verb.Row | None) -> dict[str, Any] | None:
    """Times in ISO form, which JSON has no type for; all else as sealed."""
    return None if row is None else {k: v.isoformat() if isinstance(v, dt.datetime) else v for k, v in row.items()}
