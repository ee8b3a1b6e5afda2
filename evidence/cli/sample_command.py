"""``evidence sample``: items of a control's population for a person to look at, drawn so that anybody can draw them again."""

import datetime as dt
import secrets
from typing import Annotated, Any

import typer

from evidence.assess import sealed_findings
from evidence.cli import output
from evidence.cli.assess_command import reader_of
from evidence.cli.period import parse_night
from evidence.cli.workspace import Workspace, new_id, now
from evidence.control.engine import population_of
from evidence.control.sampling import draw, load_policies
from evidence.errors import UsageError
from evidence.snapshot import canonical
from evidence.snapshot.entry import Entry
from evidence.store.sealing import append_new, put_object

FORMAT = "evidence-sample-v1"


def sample(
    context: typer.Context,
    control: Annotated[str, typer.Argument(help="The control whose population is sampled.")],
    night: Annotated[str, typer.Option(help="The night, YYYY-MM-DD.")],
    policy: Annotated[str, typer.Option(help="A policy of controls/sampling.toml.")] = "small",
    seed: Annotated[str, typer.Option(help="Any text, best from the auditor; default: a random one, printed.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Draw a sample of the population that was tested that night, and seal what was drawn, from what, and how."""
    workspace = Workspace.open(context.obj)
    day = parse_night(night)
    policies = load_policies(*workspace.control_folders)
    if policy not in policies:
        raise UsageError(f"no sampling policy {policy!r}", fix=f"policies: {', '.join(sorted(policies))}")
    items, fingerprint = _population(workspace, control, day)
    drawn = draw(items, fingerprint, policies[policy], policy, seed or secrets.token_hex(16))
    rule = policies[policy].model_dump(mode="json", exclude_none=True)
    body = {"format": FORMAT, "control": control, "night": night, "rule": rule, **drawn.to_json()}
    _seal(workspace, body)
    if json:
        output.as_json(body)
        return
    output.pairs(
        {"population": f"{drawn.population} items, {fingerprint}", "policy": policies[policy].about, "seed": drawn.seed}
    )
    for item in drawn.items:
        output.say(item)


def _population(workspace: Workspace, control: str, night: dt.date) -> tuple[list[str], str]:
    """Return the items that population.sql gives now; they must be the ones that were tested. Raises ``UsageError``."""
    workspace.library.control(control)
    tested = next((f for f in sealed_findings(workspace.store, workspace.index, night) if f.control == control), None)
    if tested is None or not tested.fingerprint:
        raise UsageError(f"{control} tested nothing on {night}", fix=f"evidence assess --date {night} says why")
    items, fingerprint = population_of(
        workspace.library, workspace.registers, reader_of(workspace, now()), night, control, workspace.engine
    )
    if fingerprint != tested.fingerprint:
        raise UsageError(
            f"the population of {control} on {night} is not the one that was tested: evidence or content moved since",
            fix=f"evidence assess --date {night}, then draw",
        )
    return items, fingerprint


def _seal(workspace: Workspace, body: dict[str, Any]) -> None:
    key = f"{body['control']}/{body['night']}/{new_id()}"
    facts = {name: body[name] for name in ("control", "night", "policy", "seed", "population", "fingerprint")}
    with workspace.lease():
        ref = put_object(workspace.store, f"samples/{key}.json", canonical.encode(body))
        append_new(workspace.log, [Entry("sample", key, ref, {**facts, "drawn": len(body["items"])})])
