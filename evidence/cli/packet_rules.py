"""Before a packet: what it would show as used is what its nights were judged by; otherwise its own re-performance fails.

The same that ``verify --reperform`` looks at, early and in the words of who can mend it. A night that no assessment names is passed over.
"""

import dataclasses
import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from evidence.assess import StoreReader
from evidence.bag.findings import canonical_night
from evidence.cli import output
from evidence.cli.period import Period
from evidence.cli.workspace import Workspace
from evidence.control.change import in_force
from evidence.control.engine import assess_night
from evidence.control.gate import registers_needed
from evidence.control.overlay import sealed_unknown
from evidence.control.result import NightFinding
from evidence.errors import PacketRefusedError
from evidence.snapshot import canonical
from evidence.store.index import Index

DECIDED: Final = ("dispositions", "waivers", "reviewers")  # what people decided about findings, and who may
_SHOWN: Final = 3


def check_rules(
    workspace: Workspace, period: Period, controls: Collection[str], found: Mapping[dt.date, Sequence[NightFinding]]
) -> None:
    """Raise ``PacketRefusedError`` unless content, overlays, settings and registers in use make ``found`` of ``period`` again.

    Where a register is another than a night was judged with, that night is judged once more: most rows begin later.
    """
    rules = _Rules(workspace, period)
    faults = [*rules.content(controls), *rules.overlays(), *rules.unknown_nights(), *rules.registers(controls, found)]
    if faults:
        more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise PacketRefusedError(
            f"{period.label} was not assessed by what is in use now: {'; '.join(faults[:_SHOWN])}{more}",
            fix=f"put back what was in use, or evidence assess --period {period.label} to judge it by what is",
        )


@dataclasses.dataclass
class _Rules:
    """What the assessments of a period name."""

    workspace: Workspace
    period: Period
    _indexes: dict[int, Index] = dataclasses.field(default_factory=dict)  # by log size: nights of one run share it

    @cached_property
    def assessments(self) -> dict[dt.date, Mapping[str, Any]]:
        """The highest assessment of each night that has one."""
        entries = {night: self.workspace.index.assessment(night) for night in self.period.nights}
        return {night: self._object(each[1].object) for night, each in entries.items() if each is not None}

    @cached_property
    def configurations(self) -> dict[str, Mapping[str, Any]]:
        """Every configuration of the log by its digest: a packet exhibits them all."""
        return {e.key: self._object(e.object) for _, e in self.workspace.index.of_type("configuration")}

    def content(self, controls: Collection[str]) -> Iterator[str]:
        """Controls whose content is that of no night."""
        names = {str(each.get("configuration", "")) for each in self.assessments.values()}
        moved = [in_force(self.workspace.library, said)[1] for n, said in self.configurations.items() if n in names]
        for name in sorted(frozenset[str]().union(*moved).intersection(*moved) & set(controls)):
            yield f"the content of {name} is that of no night"

    def overlays(self) -> Iterator[str]:
        """Overlays that no assessment has sealed."""
        sealed = {layer["sha256"] for said in self.configurations.values() for layer in said["layers"]}
        for layer in self.workspace.library.layers if self.configurations else ():
            if layer.sha256 not in sealed:
                yield f"no assessment was made with the {layer.name} overlay as it is"

    def unknown_nights(self) -> Iterator[str]:
        """How many nights may lack an assessment, where it is another number than was sealed for the last night."""
        mine = self.workspace.config.assess.max_unknown_nights
        sealed = sealed_unknown(list(self.assessments.values()), self.configurations)
        if sealed is not None and sealed != mine:
            yield f"[assess] max_unknown_nights is {mine}, and was {sealed} for the last night"

    def registers(self, controls: Collection[str], found: Mapping[dt.date, Sequence[NightFinding]]) -> Iterator[str]:
        """Findings that come out otherwise with the registers as they are."""
        library = self.workspace.library
        read = {name for each in controls for name in registers_needed(library, library.controls[each])} | {*DECIDED}
        mine = self.workspace.registers.digests
        for night, assessment in self.assessments.items():
            others = sorted(name for name in read if assessment["registers"].get(name) != mine.get(name))
            if others:
                output.console(err=True).print(f"packet: {night} once more, with {', '.join(others)} as it is now")
                for name in self._otherwise(night, assessment, controls, found[night]):
                    yield f"{name} on {night} comes out otherwise with the registers as they are ({', '.join(others)})"

    def _otherwise(
        self, night: dt.date, assessment: Mapping[str, Any], controls: Collection[str], found: Sequence[NightFinding]
    ) -> Iterator[str]:
        library, moved = self.workspace.library, frozenset[str]()
        said = self.configurations.get(str(assessment.get("configuration", "")))
        if said is not None:
            library, moved = in_force(library, said)
        known_at, size = canonical.parse_time(assessment["known_at"]), assessment["log_size"]
        reader = StoreReader(
            self.workspace.store, self._index(size), library.contracts, self.workspace.datasets_asked(), known_at,
            earlier=self._index(assessment.get("earlier_log_size", size)),
        )  # fmt: skip
        names = sorted(set(controls) - moved)
        again = assess_night(
            library, self.workspace.registers, reader, night, known_at=known_at, controls=names, engine=self.workspace.engine
        )  # fmt: skip
        mine = {each.control: _result(each) for each in again}
        yield from (each.control for each in found if each.control in mine and _result(each) != mine[each.control])

    def _index(self, size: int) -> Index:
        if size not in self._indexes:
            self._indexes[size] = Index.at(self.workspace.log, size)
        return self._indexes[size]

    def _object(self, ref: Any) -> Mapping[str, Any]:
        value: Mapping[str, Any] = canonical.decode(self.workspace.store.get(ref.path, sha256=ref.sha256))
        return value


def _result(finding: NightFinding) -> Mapping[str, Any]:
    """Return the finding without what it says of an earlier rule."""
    return canonical_night(dataclasses.replace(finding, replaced=None).to_json())
