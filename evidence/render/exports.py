"""The packet's findings in formats other tools read, OSCAL and OCSF, and the tables of its sections. Pure: values in, pieces of files out."""

from collections.abc import Iterator, Mapping

from evidence.render.inputs import Content
from evidence.render.jsonstream import encoded
from evidence.render.nightly import night_file
from evidence.render.ocsf import compliance_findings
from evidence.render.oscal import assessment_results
from evidence.render.reviewbook import review_files


def exported(content: Content, digests: Mapping[str, str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield (name below ``data/``, pieces of its bytes); ``digests`` are those of findings and evidence, by payload name.

    How long the files are depends on controls, nights and the report's ``export_rows``, not on the number of exceptions.
    """
    digests = dict(digests)  # what is added to the bag meanwhile is not referred to
    yield "oscal.json", encoded(assessment_results(content, digests))
    yield "ocsf.json", encoded(compliance_findings(content, digests))
    yield from night_file(content)
    yield from review_files(content)
