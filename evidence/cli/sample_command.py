"""``evidence sample``: items of a control's population for a person to look at, drawn so that anybody can draw them again."""

import dataclasses
import datetime as dt
import secrets
from typing import Annotated, Any, Final

import typer

from evidence.cli import output
from evidence.cli.assess_command import reader_of
from evidence.cli.period import parse_night, parse_period
from evidence.cli.tested import items_tested, tested_on
from evidence.cli.workspace import Workspace, new_id, now
from evidence.control.sampling import NightPopulation, Policy, Sample, draw, draw_period, load_policies
from evidence.errors import UsageError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.store.sealing import append_new, put_object

EXAMPLES: Final = (
    "evidence -w work sample identity-mfa-humans --night 2026-07-14",
    "evidence -w work sample change-record --period 2026-Q3 --seed 7 --json",
)

FORMAT = "evidence-sample-v1"
_CONTROL = "The control whose population is sampled."


def sample(
    context: typer.Context,
    control: Annotated[str, typer.Argument(help=_CONTROL)],
    night: Annotated[str | None, typer.Option(help="One night, YYYY-MM-DD.")] = None,
    period: Annotated[str | None, typer.Option(help="All nights of a period, for example 2026-Q3.")] = None,
    policy: Annotated[str, typer.Option(help="A policy of controls/sampling.toml.")] = "small",
    seed: Annotated[str, typer.Option(help="Any text, best from the auditor; default: a random one, printed.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Draw a sample of the population that was tested on a night or in a period, and seal what was drawn, from what, and how."""
    workspace = Workspace.open(context.obj)
    if (night is None) == (period is None):
        raise UsageError("a night or a period", fix="--night 2026-07-01, or --period 2026-Q3")
    policies = load_policies(*workspace.control_folders)
    if policy not in policies:
        raise UsageError(f"no sampling policy {policy!r}", fix=f"policies: {', '.join(sorted(policies))}")
    workspace.library.control(control)
    chosen, seed = policies[policy], seed or secrets.token_hex(16)
    try:
        if night is not None:
            drawn, said = _of_night(workspace, control, parse_night(night), (policy, chosen, seed))
        else:
            drawn, said = _of_period(workspace, control, str(period), (policy, chosen, seed))
    finally:
        workspace.close()
    rule = chosen.model_dump(mode="json", exclude_none=True)
    body = {"format": FORMAT, "control": control, **said, "rule": rule, **drawn.to_json()}
    _seal(workspace, body)
    if json:
        output.as_json(body)
    else:
        _show(body, chosen.about)


def _show(body: dict[str, Any], about: str) -> None:
    output.pairs(
        {"population": f"{body['population']} items, {body['fingerprint']}", "policy": about, "seed": body["seed"]}
    )
    if "nights" in body:
        output.say(f"{len(body['nights'])} nights tested, {len(body['not_tested'])} not: nothing is drawn from these")
        for day, why in body["not_tested"].items():
            output.say(f"not tested: {day}: {why}")
    for item in body["items"]:
        output.say(item)


Choice = tuple[str, Policy, str]  # name, policy, seed


def _of_night(workspace: Workspace, control: str, night: dt.date, choice: Choice) -> tuple[Sample, dict[str, Any]]:
    name, policy, seed = choice
    tested = tested_on(workspace, control, night)
    if tested is None or not tested.fingerprint:
        raise UsageError(f"{control} tested nothing on {night}", fix=f"evidence assess --date {night} says why")
    items = items_tested(workspace, reader_of(workspace, now()), tested)
    return draw(items, tested.fingerprint, policy, name, seed), {"night": night.isoformat()}


def _of_period(workspace: Workspace, control: str, period: str, choice: Choice) -> tuple[Sample, dict[str, Any]]:
    name, policy, seed = choice
    span = parse_period(period)
    found = {night: tested_on(workspace, control, night) for night in span.nights}
    whole = {night.isoformat(): each for night, each in found.items() if each is not None and each.fingerprint}
    if not whole:
        raise UsageError(f"{control} tested nothing in {period}", fix=f"evidence assess --period {period} says why")
    nights = [NightPopulation(night, each.population, each.fingerprint) for night, each in whole.items()]
    reader = reader_of(workspace, now())
    drawn = draw_period(nights, lambda night: items_tested(workspace, reader, whole[night]), policy, name, seed)
    said = {
        "period": {"start": span.start.isoformat(), "end": span.end.isoformat()},
        "nights": [dataclasses.asdict(each) for each in nights],
        "not_tested": {
            night.isoformat(): f"{each.reason}: {each.detail}" if each else "never assessed"
            for night, each in found.items()
            if night.isoformat() not in whole
        },
    }
    return drawn, said


def _seal(workspace: Workspace, body: dict[str, Any]) -> None:
    span = body.get("period")
    place = f"{span['start']}..{span['end']}" if span else body["night"]
    key = f"{body['control']}/{place}/{new_id()}"
    names = ("control", "night", "period", "policy", "seed", "population", "fingerprint")
    facts = {name: body[name] for name in names if name in body}
    with workspace.lease():
        ref = put_object(workspace.store, f"samples/{key}.json", canonical.encode(body))
        append_new(workspace.log, [Entry("sample", key, ref, {**facts, "drawn": len(body["items"])})])
