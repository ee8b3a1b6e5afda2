"""The packet's findings in formats other tools read, OSCAL, OCSF, Parquet, a workbook, and the tables of its sections. Pure: values in, pieces of files out."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from evidence.render.inputs import Content
from evidence.render.jsonstream import encoded
from evidence.render.nightly import night_file
from evidence.render.ocsf import compliance_findings
from evidence.render.oscal import assessment_results
from evidence.render.records import SCHEMA, records, write_parquet
from evidence.render.reviewbook import review_files
from evidence.render.workbook import write_book
from evidence.render.worksheets import heading, tables

_BLOCK: Final = 1 << 20
_LIBRARIES: Final = ("pyarrow", "xlsxwriter")


def exported(content: Content, digests: Mapping[str, str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield (name below ``data/``, pieces of its bytes); ``digests`` are those of findings and evidence, by payload name.

    How long the files are depends on controls, nights and the report's ``export_rows``, not on the number of exceptions.
    """
    digests = dict(digests)  # what is added to the bag meanwhile is not referred to
    yield "oscal.json", encoded(assessment_results(content, digests))
    yield "ocsf.json", encoded(compliance_findings(content, digests))
    yield from night_file(content)
    yield from review_files(content)


def tabled(content: Content, scratch: Path | None = None) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the files that hold every exception; they are written row by row in a private folder below ``scratch``, which needs room."""
    yield "findings.parquet", _drawn(scratch, lambda path: write_parquet(path, records(content.periods), SCHEMA))
    yield "packet.xlsx", _drawn(scratch, lambda path: write_book(path, heading(content), tables(content)))


def engines() -> dict[str, str]:
    """Return the versions that the bytes of these files depend on, besides zlib's."""
    return {name: version(name) for name in _LIBRARIES}


def _drawn(scratch: Path | None, write: Callable[[Path], object]) -> Iterator[bytes]:
    """Yield the bytes of what ``write`` writes to a path of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=".export-", dir=scratch) as folder:
        path = Path(folder) / "file"
        write(path)
        with path.open("rb") as made:
            while block := made.read(_BLOCK):
                yield block
