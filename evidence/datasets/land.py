"""Raw batches -> private Parquet parts, by one contract: conform, count, set aside, treat, digest, spool.

Memory holds one slice of a batch and one row group, whatever the window's size. Before ``treat`` nothing is written; what is set
aside is written by ``evidence.datasets.quarantine``, which keeps no value that was not checked.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from evidence.datasets.conform import Bad, Conformed, Drift, conform
from evidence.datasets.contract import Contract
from evidence.datasets.quarantine import Quarantine
from evidence.datasets.totals import TotalsTaker
from evidence.datasets.treat import decoded, treat
from evidence.snapshot.model import Part, Totals, Window
from evidence.snapshot.redact import Redactor
from evidence.snapshot.rows import RowsDigest, slices
from evidence.snapshot.spool import PartWriter

_SLICE_ROWS = 32_768
_SLICE_BYTES = 16 << 20
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Landed:
    """What one read became. Part paths are relative to the spool folder.

    ``totals`` are taken over every row that arrived, before treatment; ``totals.rows`` is ``landed + quarantined``.
    """

    parts: tuple[Part, ...]
    quarantine: tuple[Part, ...]
    totals: Totals
    landed: int
    quarantined: int
    quarantine_reasons: Mapping[str, int]
    treated: Mapping[str, Mapping[str, int]]
    drift: Mapping[str, tuple[str, ...]]
    rows_digest: str


def land(
    batches: Iterable[pa.RecordBatch],
    rejected: Iterable[tuple[str, str]],
    contract: Contract,
    window: Window,
    spool: Path,
    redactor: Redactor,
) -> Landed:
    """Land everything ``batches`` and ``rejected`` give into ``spool`` (a folder of mode 0700).

    Events outside ``window`` are set aside (``outside-window``), as are rows with a value that does not fit its column.
    Errors of the source pass through; the open file is closed and the caller removes the folder.
    """
    landing = _Landing(contract, window, spool, redactor)
    try:
        for batch in batches:
            if not batch.num_rows:  # a header: an empty window has columns too, and drift shows in them
                conform(batch, contract, landing.drift)
            for part in slices(batch, _SLICE_ROWS, _SLICE_BYTES):
                landing.take(part)
        for text, reason in rejected:
            landing.aside.reject(text, reason)
        return landing.result()
    except BaseException:
        landing.abort()
        raise
    finally:
        landing.taker.close()


class _Landing:
    """The state of one landing."""

    def __init__(self, contract: Contract, window: Window, spool: Path, redactor: Redactor) -> None:
        self.contract, self.redactor = contract, redactor
        self.start, self.end = ((edge - _EPOCH) // _MICROSECOND for edge in (window.start, window.end))
        order = [name.lower() for name in (contract.watermark, *contract.key) if name]
        self.writer = PartWriter(spool, "part", contract.landed_schema, order)
        self.aside = Quarantine(contract, spool, redactor)
        self.taker = TotalsTaker(contract, spool)
        self.digest = RowsDigest()
        self.drift = Drift()
        self.counts: dict[str, Counter[str]] = {}
        self.unfit: set[str] = set()

    def take(self, batch: pa.RecordBatch) -> None:
        """Land one slice."""
        conformed = conform(batch, self.contract, self.drift)
        self.taker.update(conformed.batch)
        bad = self._bad(conformed)
        good = conformed.batch
        if bad:
            self.aside.add(batch, conformed.batch, bad)
            keep = np.ones(batch.num_rows, dtype=bool)
            keep[list(bad)] = False
            good = good.filter(pa.array(keep))
        if good.num_rows:
            treated = treat(good, self.contract, self.redactor, self.counts, conformed.read)
            self.digest.update(treated)
            self.writer.write(decoded(treated, self.contract.landed_schema))

    def _bad(self, conformed: Conformed) -> dict[int, Bad]:
        bad = dict(conformed.bad)
        self.unfit |= conformed.unfit
        if self.contract.kind == "event":
            name = self.contract.watermark.lower()
            column = conformed.batch.column(name)
            moments = column.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy()
            for row in np.flatnonzero((moments < self.start) | (moments >= self.end)).tolist():
                reason = "outside-window" if column[row].is_valid else "no-watermark"
                bad.setdefault(row, Bad(name, reason))
        return bad

    def result(self) -> Landed:
        """Close the files and say what happened."""
        for name, times in self.drift.dropped.items():
            self.counts.setdefault(name, Counter())["dropped"] += times
        missing = self.drift.missing
        totals = self.taker.totals(missing=missing, unfit=self.unfit)
        quarantine = self.aside.close()
        return Landed(
            parts=self.writer.close(),
            quarantine=quarantine,
            totals=Totals(self.taker.rows + self.aside.rejected, totals.distinct_keys, totals.columns),
            landed=self.digest.rows,
            quarantined=self.aside.rows,
            quarantine_reasons=dict(sorted(self.aside.reasons.items())),
            treated={name: dict(sorted(tally.items())) for name, tally in sorted(self.counts.items()) if tally},
            drift=self._drift(),
            rows_digest=self.digest.hexdigest(),
        )

    def _drift(self) -> dict[str, tuple[str, ...]]:
        found = self.drift.to_receipt()
        if self.contract.unique_key and (twice := self.taker.repeated_keys):
            found["repeated_keys"] = (str(twice),)
        return found

    def abort(self) -> None:
        """Close open files after an error."""
        self.writer.abort()
        self.aside.abort()
