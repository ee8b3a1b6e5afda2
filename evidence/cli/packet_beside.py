"""What a packet exhibits beside the evidence of its findings."""

from dataclasses import dataclass

from evidence.cli.packet_review import Shown
from evidence.cli.workspace import Workspace
from evidence.render.nightly import NightFacts
from evidence.snapshot.entry import Entry
from evidence.snapshot.model import DAY


@dataclass(frozen=True, slots=True)
class Beside:
    """Captures and lists of reviews, the assessment of the night before: manifests by digest, their datasets, other sealed objects."""

    manifests: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    objects: tuple[tuple[int, Entry], ...] = ()

    @classmethod
    def of(cls, workspace: Workspace, shown: Shown | None, night: NightFacts | None) -> "Beside":
        """Return what the sections of a packet rest on."""
        if shown is not None:
            return cls(frozenset(shown.manifests), frozenset(shown.datasets), tuple(shown.lists))
        before = workspace.index.assessment(night.night - DAY) if night else None
        return cls(objects=(before,) if before else ())
