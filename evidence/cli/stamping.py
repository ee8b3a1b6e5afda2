"""Time-stamping the log's checkpoint after a run's commits: never in the way of collecting, never silent."""

from typing import Final

from evidence.cli import output
from evidence.cli.workspace import Workspace
from evidence.errors import EvidenceError
from evidence.signing.timestamp import response_der
from evidence.store.stamps import stamp_checkpoint

DONE: Final = "stamped"


def stamp_log(workspace: Workspace) -> str:
    """Stamp the tip if an authority is configured: ``stamped``, empty without authorities, else why there is no stamp.

    What was committed stays committed; the next run's stamp covers it too.
    """
    settings = workspace.config.log
    try:
        authorities = workspace.authorities(settings.tsa, settings.tsa_roots)
        if not authorities:
            return ""
        stamp_checkpoint(workspace.log, lambda checkpoint: response_der(authorities.stamp(checkpoint)))
        for url, why in authorities.passed_over.items():
            output.console(err=True).print(f"time-stamp authority passed over: {url}: {why}")
    except (EvidenceError, OSError) as exc:
        return f"not time-stamped, the next run tries again: {exc}"
    return DONE
