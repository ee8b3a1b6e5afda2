"""What ``evidence doctor`` looks at: each module returns its examinations of one workspace, in the order they are shown."""

from collections.abc import Sequence

from evidence.cli.looks import clock, content, keys, mirror, night, secrets, services, sources, store
from evidence.cli.looks.clock import Clocks
from evidence.cli.workspace import Workspace
from evidence.doctor import Examination


def examinations(workspace: Workspace, *, send_test: bool = False) -> Sequence[Examination]:
    """Return every look. With ``send_test`` each alert target gets one message."""
    clocks = Clocks()
    return [
        Examination("configuration", lambda: str(workspace.config.workspace)),
        *secrets.looks(workspace),
        *keys.looks(workspace),
        *store.looks(workspace, clocks),
        *services.looks(workspace, clocks, send_test=send_test),
        *night.looks(workspace),
        *content.looks(workspace),
        *sources.looks(workspace, clocks),
        *mirror.looks(workspace),
        *clock.looks(clocks),
    ]
