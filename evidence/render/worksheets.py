"""The sheets of ``data/packet.xlsx``: controls, requirements, populations night by night, every finding, evidence. Pure.

Counts are those of ``findings.json``; the sheet of exceptions and reviews is ``findings.csv`` record for record and column for column.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

from evidence.control.coverage import RELIABILITY
from evidence.control.longlist import column
from evidence.control.result import NightFinding, PeriodFinding
from evidence.render.annex import receipts
from evidence.render.chart import nights_of
from evidence.render.inputs import DEMO, Content, ControlText
from evidence.render.matrix import Matrix, MatrixRow, matrices
from evidence.render.records import COLUMNS, count, records
from evidence.render.spreadsheet import Cell
from evidence.render.text import number, reason_once, status_words
from evidence.render.words import _, join
from evidence.render.workbook import Column, Fact, Heading, Table
from evidence.render.worklist import request_table

Row = Sequence[Cell]
FINDINGS: Final = "Exceptions and reviews"
RESTRICTED: Final = _(
    "Prepared for the management of the entity and the readers it names. It describes security arrangements in detail. "
    "Counsel decides on privilege before release."
)
_OMITTED: Final = 200  # lines of the first sheet
_MARKS: Final = {
    "PROVISIONAL": _(
        "This packet was made although evidence is missing or not settled. What is left out stands below."
    ),
    DEMO: _(
        "One machine holds all keys of this workspace and the data is generated. Nothing here is evidence about a real organisation."
    ),
    "DRAFT": _(
        "There is no description of the system by management (system.toml): without it a reader cannot judge the scope."
    ),
}
_CONTROLS: Final = (
    Column(_("Control"), 30), Column(_("Title"), 38, wrap=True), Column(_("Family"), 11), Column(_("Severity"), 10), Column(_("Owner (management's word)"), 20, wrap=True),
    Column(_("Conclusion"), 24, wrap=True, tone=True), Column(_("Nights in the period"), 11), Column(_("Nights tested"), 9), Column(_("Nights not assessed"), 10),
    Column(_("Nights not applicable"), 11), Column(_("Longest run not assessed"), 12), Column(_("Item tests"), 12), Column(_("Exceptions"), 11), Column(_("Open exceptions"), 11),
    Column(_("Awaiting review"), 10), Column(_("Reported as"), 16), Column(_("Version"), 9), Column(_("Statement"), 70, wrap=True),
)  # fmt: skip
_REQUIREMENTS: Final = (
    Column(_("Framework"), 11), Column(_("Requirement"), 20), Column(_("Title"), 36, wrap=True), Column(_("Gist"), 50, wrap=True), Column(_("Level"), 14), Column(_("Required or addressable"), 13),
    Column(_("Coverage"), 12), Column(_("Shown by"), 22, wrap=True), Column(_("For the period"), 26, wrap=True, tone=True), Column(_("Primary controls"), 50, wrap=True),
    Column(_("Supporting controls"), 34, wrap=True), Column(_("Mappings not counted"), 40, wrap=True), Column(_("Coverage of what stands below"), 26, wrap=True),
)  # fmt: skip
_POPULATION: Final = (
    Column(_("Control"), 30), Column(_("Night"), 11), Column(_("Status"), 15, tone=True), Column(_("Population"), 12), Column(_("Passed"), 11), Column(_("Exceptions"), 11),
    Column(_("Awaiting review"), 10), Column(_("Waived"), 8), Column(_("Reason"), 46), Column(_("Inputs"), 8), Column(_("Fingerprint of the population"), 66), Column(_("Version"), 9),
)  # fmt: skip
_FINDINGS: Final = tuple(
    Column(name, width, exact=True) for name, width in zip(COLUMNS, (30, 11, 52, 24, 12, 12, 8, 8, 10, 15, 56, 56), strict=True)
)  # fmt: skip
_RESPONSES: Final = (
    Column(_("Control"), 30), Column(_("Item"), 36), Column(_("Reason"), 20), Column(_("Cause"), 40, wrap=True), Column(_("Effect"), 40, wrap=True), Column(_("Action"), 40, wrap=True),
    Column(_("Owner"), 20), Column(_("Due"), 11), Column(_("Signed by"), 20),
)  # fmt: skip
_EVIDENCE: Final = (
    Column(_("Source"), 14), Column(_("Dataset"), 32), Column(_("Night"), 11), Column(_("Revision"), 8), Column(_("Outcome"), 14), Column(_("Finality"), 11), Column(_("Log entry"), 10),
    Column(_("SHA-256 of the manifest"), 66), Column(_("Rows, as the source counts"), 12), Column(_("Rows landed"), 11), Column(_("Rows in quarantine"), 11), Column(_("Values masked"), 11),
    Column(_("As of"), 28), Column(_("As of is claimed"), 9), Column(_("Reason"), 30), Column(_("Folder in the packet"), 60),
)  # fmt: skip


def heading(content: Content) -> Heading:
    """Return what stands on the first sheet, and on every sheet."""
    return Heading(
        label=content.packet_id,
        title=_(content.report.title),
        created=content.end,
        facts=tuple(_facts(content)),
        notes=tuple(_notes(content)),
        marks=content.marks,
        looks=content.looks,
    )


def tables(content: Content) -> list[Table]:
    """Return the sheets in order. Without rows there is no sheet of responses, of requirements or of a request."""
    findings = {finding.control: finding for finding in content.periods}
    texts = sorted((*content.controls, *content.unconcluded), key=lambda text: (text.family, text.id))
    nights = nights_of(content.start, content.end)
    found = matrices(content)
    sealed, _places = receipts(content)
    made = [
        Table("Controls", _("A row is a control and its conclusion for the period"), _CONTROLS, (_control(t, findings.get(t.id)) for t in texts), len(texts)),
        Table("Requirements", _("A row is an entry of a framework's catalogue; its word sums up findings and is no conclusion on the requirement"),
              _REQUIREMENTS, _requirements(found), sum(len(each.rows) for each in found), 2),
        Table("Population", _("A row is a control on a night: the items it was tested on and what was found"), _POPULATION, _populations(content, nights),
              len(findings) * len(nights), 2),
        Table(FINDINGS, _("A row is an exception or an open review of the period, as data/findings.csv has it"), _FINDINGS, records(content.periods),
              count(content.periods), 3, "record {n} of data/findings.csv"),
        Table("Responses", _("A row is management's answer to an exception, in management's words, not tested"), _RESPONSES, _responses(content),
              len(content.responses), 2, "data/packet.html"),
        request_table([content.request] if content.request else []),
        Table("Evidence", _("A row is a sealed snapshot: what was collected, for which night, under which digest and log entry"), _EVIDENCE,
              ([row[0], row[1], dt.date.fromisoformat(row[2]), *row[3:]] for row in sealed), len(sealed), 3, "the manifest it names"),
    ]  # fmt: skip
    always = {"Controls", "Population", FINDINGS, "Evidence"}
    return [table for table in made if table.count or table.name in always]


def _facts(content: Content) -> Iterator[Fact]:
    log = content.log
    yield _("Packet"), content.packet_id
    yield _("Entity"), content.entity
    yield _("System"), content.system_name
    yield _("Report"), join(". ", [_(content.report.title), _(content.report.subtitle)])
    yield (
        _("Period"),
        _("{period}: {start} to {end}, nights in UTC", period=content.period, start=content.start, end=content.end),
    )
    yield _("Prepared by"), _("{name} (unsigned)", name=content.prepared_by) if content.prepared_by else _("not stated")
    yield _("Made with"), content.tool
    yield _("Log read at"), _("size {n} of {origin}, root {root}", n=number(log.size), origin=log.origin, root=log.root)
    yield (
        "findings.csv",
        _("{n} records, SHA-256 {digest}", n=number(content.findings_csv_rows), digest=content.findings_csv_sha256),
    )
    for mark in content.marks:
        yield mark, _MARKS[mark]
    for line in content.omissions[:_OMITTED]:
        yield _("Left out"), line
    if len(content.omissions) > _OMITTED:
        yield _("Left out"), _("first {n} of {all}", n=_OMITTED, all=number(len(content.omissions)))
    yield _("Restricted use"), RESTRICTED
    yield (
        _("Evidence, not an opinion"),
        _(
            "It states what was tested, on which population, on which nights, and what was found. A conclusion about a requirement belongs to the reader."
        ),
    )


def _notes(content: Content) -> Iterator[Fact]:
    yield (
        _("Seal"),
        _(
            "This workbook is a file of the sealed packet. A copy that was saved again is no longer that file: `evidence verify` of the packet says whether it is."
        ),
    )
    yield (
        _("Values"),
        _(
            "Dates, numbers and true or false are typed. Text is text, whatever it begins with: there is no formula and no link."
        ),
    )
    yield (
        _("Characters"),
        _(
            "Those that nobody sees (control, direction, zero width) stand as {example}. The raw values are in data/findings.csv and "
            "data/findings.parquet.",
            example="\\u{202E}",
        ),
    )
    yield (
        _("Long values"),
        _("A cell holds 32,000 characters. What was cut says so at its end, and where the whole is."),
    )
    yield (
        _("Long tables"),
        _(
            "A sheet holds 1,000,000 rows. What does not fit goes on in a sheet of the same name with a number behind it."
        ),
    )
    yield (
        _("Not assessed"),
        _(
            "Evidence for the night is missing, refused, late, not whole or undecided. It never counts in favour of a control."
        ),
    )
    yield (
        _("Population"),
        _("Every night of the period has a row. No number means that nothing was tested on that night."),
    )
    if content.request is not None:
        yield (
            _("Requirements"),
            _(
                "The answer to one request has no requirement matrix: over a part of the controls every row would read weaker than it is."
            ),
        )


def _control(text: ControlText, finding: PeriodFinding | None) -> Row:
    kept = "reliability" if text.id in RELIABILITY else "control"
    head: tuple[Cell, ...] = (text.id, text.title, text.family, text.severity, text.owner)
    tail: tuple[Cell, ...] = (kept, text.version, text.statement)
    if finding is None:
        return (*head, "not assessed: no finding for the period", *(None,) * 9, *tail)
    return (
        *(*head, finding.conclusion, finding.expected, finding.satisfied + finding.not_satisfied, finding.not_assessed),
        *(finding.not_applicable, finding.longest_gap, finding.tested_items, len(finding.exceptions)),
        *(sum(column(finding.exceptions, "open")), len(finding.reviews), *tail),
    )


def _requirements(found: Sequence[Matrix]) -> Iterator[Row]:
    for matrix in found:
        for row in matrix.rows:
            yield _requirement(matrix, row)


def _requirement(matrix: Matrix, row: MatrixRow) -> Row:
    entry, covered = row.requirement, row.covered
    return (
        *(matrix.catalogue.id, entry.id, entry.title, entry.gist, entry.level, entry.requirement),
        *("heading" if row.heading else covered.coverage, row.mode, covered.conclusion),
        "\n".join(f"{each.control}: {each.conclusion}" for each in row.primary),
        "\n".join(each.control for each in row.supporting),
        "\n".join(f"{each.control}: {each.conclusion}; {each.refused}" for each in covered.refused),
        row.parts,
    )


def _populations(content: Content, nights: Sequence[dt.date]) -> Iterator[Row]:
    """Yield every control on every night, those that nobody assessed too."""
    found = {(night.control, night.night): night for night in content.nights}
    for finding in sorted(content.periods, key=lambda each: each.control):
        for night in nights:
            made = found.get((finding.control, night))
            yield _night(made) if made else _unassessed(finding, night)


def _night(night: NightFinding) -> Row:
    tested = bool(night.fingerprint)
    counts: tuple[Cell, ...] = (
        night.population,
        night.passed,
        len(night.exceptions),
        len(night.reviews),
        len(night.waived),
    )
    return (
        *(night.control, night.night, status_words(night.status), *(counts if tested else (None,) * 5)),
        *(reason_once(": ".join(filter(None, (night.reason, night.detail)))), len(night.inputs), night.fingerprint, night.version),
    )  # fmt: skip


def _unassessed(finding: PeriodFinding, night: dt.date) -> Row:
    status = status_words(finding.strip.get(night.isoformat(), "not-assessed"))
    why = reason_once(finding.unknown.get(night.isoformat(), "no finding of this night"))
    return (finding.control, night, status, *(None,) * 5, why, 0, "", "")


def _responses(content: Content) -> Iterator[Row]:
    for each in content.responses:
        yield (
            *(each.control, each.item, each.reason, each.cause, each.effect, each.action),
            *(each.owner, each.due, each.signed_by),
        )
