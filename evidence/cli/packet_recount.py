"""Before a packet: every whole event window of its period is counted once more where a live source still has it.

What was found is sealed like any re-count. A window with other rows than were assessed stops the packet: the findings
must be made again first.
"""

import itertools
import shutil
from contextlib import closing

from evidence import collect as verb
from evidence.cli import output
from evidence.cli.collect_command import Tally, seal_batch
from evidence.cli.collect_workers import Bug, nights_of, read_here
from evidence.cli.period import Period
from evidence.cli.workspace import Workspace
from evidence.errors import ConfigError, PacketRefusedError, SourceError, SourceUnavailableError


def recount(workspace: Workspace, period: Period, *, partial: bool) -> None:
    """Count again and seal. Raises ``PacketRefusedError`` if rows changed, unless ``partial``; a source that does not
    answer is said on standard error: what is sealed stands, and what is provisional is refused anyway.
    """
    tallies = [_recount_source(workspace, name, period) for name in sorted(workspace.config.sources)]
    for tally in tallies:
        for problem in itertools.chain(tally.problems, tally.bugs, [str(tally.failure)] if tally.failure else []):
            output.console(err=True).print(f"packet: {tally.source}: {problem}", markup=False)
    changed = sum(tally.sealed.total() for tally in tallies)
    if changed and not partial:
        raise PacketRefusedError(
            f"{changed} windows of {period.label} have other rows than were assessed",
            fix=f"evidence assess --period {period.label}, then the packet again",
        )


def _recount_source(workspace: Workspace, name: str, period: Period) -> Tally:
    tally = Tally(name)
    try:
        source, index = workspace.source(name), workspace.index.catch_up(workspace.log)
        tasks = verb.plan_recounts(source, workspace.contracts, index, workspace.clock(), period.nights)
        if tasks:
            with closing(source), workspace.lease(), workspace.spool() as spool:
                nights = nights_of(tasks, spool)
                for orders, batch in zip(nights, read_here(workspace, nights, lambda _: None), strict=True):
                    seal_batch(workspace, tally, batch)
                    shutil.rmtree(orders[0].spool.parent, ignore_errors=True)
                    if all(not isinstance(item, Bug) and item.outcome == "unavailable" for item in batch):
                        raise SourceUnavailableError("no answer; the other windows were not asked about")
    except (SourceError, ConfigError) as failure:
        tally.failure = failure
    return tally
