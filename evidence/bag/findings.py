"""Canonical findings: what two collections of the same rows must agree on, byte for byte (docs/formats/findings.md).

Works on the JSON spelling, so that ``verify`` and ``reperform`` share it with the writer without the control engine. A packet may
hold a million exceptions: the file is written and read finding by finding, and the bounds of one value
(``canonical.MAX_BYTES``) hold for each finding, not for the file.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from evidence.bag.files import BagFiles, read
from evidence.errors import MalformedError
from evidence.snapshot import canonical
from evidence.snapshot.assessed import canonical_night

__all__ = [
    "FINDINGS",
    "FORMAT",
    "Findings",
    "canonical_findings",
    "canonical_night",
    "findings_pieces",
    "read_findings",
]
FORMAT: Final = "evidence-findings-v1"
FINDINGS: Final = "data/findings.json"
MAX_FILE: Final = 512 << 20  # bytes; a million exceptions take about 270 MiB
MAX_FINDINGS: Final = 400_000  # a quarter of a hundred controls has 9,000
MAX_BRACKETS: Final = 32_000_000  # an exception has two; those inside of texts count too
_HEAD: Final = b'{"format":"' + FORMAT.encode() + b'","nights":['
# From one bracket outside of texts to the next. Possessive: what was read is never read again.
_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+([\[\]{}])', re.DOTALL)
_Json = Mapping[str, Any]


def canonical_findings(start: str, end: str, periods: Iterable[_Json], nights: Iterable[_Json]) -> bytes:
    """Return the bytes of ``data/findings.json``: findings sorted by control and night, no versions, no clocks."""
    return b"".join(
        findings_pieces(
            start, end, sorted(periods, key=_of_period), sorted(map(canonical_night, nights), key=_of_night)
        )
    )


def findings_pieces(start: str, end: str, periods: Iterable[_Json], nights: Iterable[_Json]) -> Iterator[bytes]:
    """Yield the same bytes piece by piece; both lists sorted, nights canonical; exceptions may be iterators.

    Raises ``MalformedError`` if they are not, or if the file would be longer than :func:`read_findings` reads.
    """
    size = 0
    for piece in _written(start, end, periods, nights):
        size += len(piece)
        if size > MAX_FILE:
            raise MalformedError(
                f"{FINDINGS} would have over {MAX_FILE >> 20} MiB",
                fix="take a shorter period, or a report with fewer controls",
            )
        yield piece


def _written(start: str, end: str, periods: Iterable[_Json], nights: Iterable[_Json]) -> Iterator[bytes]:
    yield _HEAD
    yield from _array(nights, _of_night)
    yield b'],"period":' + canonical.encode({"start": start, "end": end}) + b',"periods":['
    yield from _array(periods, _of_period)
    yield b"]}"


def _array(findings: Iterable[_Json], order: Callable[[_Json], tuple[str, str]]) -> Iterator[bytes]:
    before: tuple[str, str] | None = None
    for finding in findings:
        here = order(finding)
        if before is not None:
            if here < before:
                raise MalformedError(f"findings are not sorted: {' '.join(here)} comes after {' '.join(before)}")
            yield b","
        yield from canonical.pieces(finding)
        before = here


def _of_period(finding: _Json) -> tuple[str, str]:
    return finding["control"], finding["start"]


def _of_night(finding: _Json) -> tuple[str, str]:
    return finding["control"], finding["night"]


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of a packet as its file spells them. ``nights`` and ``periods`` parse one finding at a time, each time anew."""

    body: bytes
    start: str
    end: str
    _nights: tuple[tuple[int, int], ...]
    _periods: tuple[tuple[int, int], ...]

    def nights(self) -> Iterator[dict[str, Any]]:
        """Yield each night finding. Raises ``MalformedError`` for one that is not in canonical form."""
        yield from self._parsed(self._nights, "night")

    def periods(self) -> Iterator[dict[str, Any]]:
        """Yield each period finding. Raises ``MalformedError`` for one that is not in canonical form."""
        yield from self._parsed(self._periods, "period")

    def whole(self) -> dict[str, Any]:
        """Return everything as one value: about a kilobyte of memory for each exception."""
        period = {"start": self.start, "end": self.end}
        return {"format": FORMAT, "period": period, "periods": [*self.periods()], "nights": [*self.nights()]}

    def _parsed(self, places: Iterable[tuple[int, int]], kind: str) -> Iterator[dict[str, Any]]:
        for begin, end in places:
            yield canonical.decode(self.body[begin:end], what=f"{FINDINGS}, a {kind} finding")


def read_findings(files: BagFiles) -> Findings:
    """Return ``data/findings.json``; its frame is canonical, its findings are parsed as they are asked for.

    Raises ``MalformedError``.
    """
    body = read(files, FINDINGS, limit=MAX_FILE)
    if not body.startswith(_HEAD):
        raise MalformedError(f"{FINDINGS} has an unknown format or is not in canonical form")
    if body.count(b"{") + body.count(b"[") > MAX_BRACKETS:
        raise MalformedError(f"{FINDINGS} has over {MAX_BRACKETS} values")
    nights, after = _elements(body, len(_HEAD))
    between, rest = b',"period":', body.find(b',"periods":[', after)
    if rest < 0 or not body.startswith(between, after):
        raise MalformedError(f"{FINDINGS} is not in canonical form")
    period = canonical.decode(body[after + len(between) : rest], what=f"{FINDINGS}, period")
    periods, after = _elements(body, rest + len(b',"periods":['))
    edges = [period.get(edge) for edge in ("start", "end")] if isinstance(period, dict) and len(period) == 2 else []
    if body[after:] != b"}" or not edges or not all(isinstance(edge, str) for edge in edges):
        raise MalformedError(f"{FINDINGS} is not in canonical form")
    return Findings(body, period["start"], period["end"], nights, periods)


def _elements(body: bytes, begin: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Return the places of the objects of the array that opens before ``begin``, and the place after its end."""
    found: list[tuple[int, int]] = []
    if body.startswith(b"]", begin):
        return (), begin + 1
    place = begin
    while True:
        if not body.startswith(b"{", place):
            raise MalformedError(f"{FINDINGS} is not in canonical form")
        end = _close(body, place)
        found.append((place, end))
        if len(found) > MAX_FINDINGS:
            raise MalformedError(f"{FINDINGS} has over {MAX_FINDINGS} findings")
        if body.startswith(b"]", end):
            return tuple(found), end + 1
        if not body.startswith(b",", end):
            raise MalformedError(f"{FINDINGS} is not in canonical form")
        place = end + 1


def _close(body: bytes, place: int) -> int:
    """Return the place after the bracket that closes the one at ``place``."""
    depth = 0
    for found in _BRACKET.finditer(body, place):
        depth += 1 if found[1] in b"[{" else -1
        if depth == 0:
            return found.end()
    raise MalformedError(f"{FINDINGS} ends inside a finding")
