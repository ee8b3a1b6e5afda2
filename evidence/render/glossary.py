"""The glossary of a packet: each term as its pages use it."""

from typing import Final

from evidence.render.words import _

GLOSSARY: Final = (
    (
        _("control"),
        _("the rule that is tested: statement, population, test, parameters and mappings, under one content digest"),
    ),
    (_("disposition"), _("what a named person judged of a review item, and when it was recorded")),
    (
        _("distinct populations"),
        _("how many different lists of items were tested over the nights: one means that nothing in scope changed"),
    ),
    (_("exception"), _("a population item that failed the test, for one reason, on a run of nights")),
    (
        _("finding"),
        _(
            "the conclusion for a control; over a period: no exceptions noted, exceptions noted, not assessed, or not applicable; "
            "findings.csv lists the exceptions and review items it rests on"
        ),
    ),
    (
        _("gone"),
        _(
            "of a state: a later night was tested without it, which need not mean that it was mended; a night on which nothing was "
            "tested makes none gone"
        ),
    ),
    (
        _("mapping"),
        _(
            "which requirement a control speaks to; an entry that sets terms and asks for nothing to be tested has none and is context only"
        ),
    ),
    (
        _("night D"),
        _(
            "the events of UTC day D and the first capture of current state in the 24 hours after it; a missed night is missing"
        ),
    ),
    (
        _("not assessed"),
        _("evidence for the night is missing, refused, late, incomplete or undecided; it never counts in favour"),
    ),
    (
        _("open"),
        _(
            "an exception of the last night tested; its days run from the night first seen to that night, those of a gone one to the night it was gone"
        ),
    ),
    (_("past"), _("of an event: it is of its own nights, and stays noted")),
    (_("population"), _("every item in scope of a control on one night, with its count and fingerprint")),
    (
        _("primary, supporting"),
        _("the control tests the requirement's own population and operation, or only speaks to part of it"),
    ),
    (
        _("quarantined"),
        _("rows that did not fit the dataset's form: kept apart, counted, and never part of a population"),
    ),
    (
        _("receipt"),
        _("the record of a read: who read what, when, and the totals stated by the source and counted on arrival"),
    ),
    (
        _("review item"),
        _(
            "a hit that a person must judge before the night can be concluded; not judged in time, or judged as no false alarm, it is an exception"
        ),
    ),
    (
        _("snapshot"),
        _("the rows of one dataset for one night, sealed write-once with their receipt and an entry in the log"),
    ),
    (_("waiver"), _("an accepted exception, with its approver and end; the item still counts as an exception")),
)
