"""What happened about a review, and when: why it is shown for a period, which quarters have none, and its signatures. Pure."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence

from evidence.cli.period import Period
from evidence.control.register import Registers, Row
from evidence.render.campaign import Acts, Signature
from evidence.render.words import Phrase, _, join, ngettext
from evidence.review.course import Said, in_force_when_due, signature_faults, standing_signatures
from evidence.snapshot.model import DAY


def acts_of(
    period: Period,
    said: Sequence[Said],
    signed: Iterable[dt.date],
    nights: Iterable[dt.date],
    due: dt.date,
    execute_days: int,
) -> Acts:
    """Return what of the review of one quarter lies in ``period``: ``nights`` are those of its sealed lists, ``due`` its own day."""

    def inside(day: dt.date | None) -> bool:
        return day is not None and period.start <= day <= period.end

    return Acts(
        listed=sum(map(inside, nights)),
        decided=sum(inside(each.row["decided_at"].date()) for each in said),
        replacing=sum(inside(each.then["decided_at"].date()) for each in said if each.then is not None),
        signed=sum(map(inside, signed)),
        removals_due=sum(inside(in_force_when_due(each, execute_days)) for each in said),
        review_due=inside(due),
    )


def without_review(period: Period, performed: Collection[dt.date], due_days: int) -> Iterator[tuple[dt.date, Phrase]]:
    """Yield the quarters that end in the period or whose review falls due in it, and the one it ends in, where there is no review."""
    end = quarter_end(period.start - due_days * DAY)
    while end <= quarter_end(period.end):
        due = end + due_days * DAY
        if end not in performed and due >= period.start:
            yield end, _due_words(due, period.end)
        end = quarter_end(end + DAY)


def quarter_end(day: dt.date) -> dt.date:
    """Return the last day of the quarter that ``day`` lies in."""
    month = (day.month + 2) // 3 * 3
    return dt.date(day.year + month // 12, month % 12 + 1, 1) - DAY


def signatures_of(registers: Registers, quarter: dt.date, due_days: int, signed: Sequence[Row]) -> Iterator[Signature]:
    """Yield the signatures by scope and part, each with what is wrong with it and which one stands for its part."""
    faults = [(row, signature_faults(registers, row, quarter)) for row in signed]
    stands = standing_signatures(faults)
    names = ("scope", "part", "parts", "reviewer", "listed", "decided", "signed_at")
    for row, wrong in sorted(faults, key=lambda each: (each[0]["scope"], each[0]["part"], each[0]["signed_at"])):
        best = stands[row["scope"], row["part"]]
        late = (row["signed_at"].date() - quarter).days - due_days
        said = [
            *wrong,
            *([_late_words(late)] if late > 0 else []),
            *([] if row is best else [_other_words(row, best)]),
        ]
        fault = join("; ", said) if said else ""
        yield Signature(**{name: row[name] for name in names}, fault=fault, stands=row is best)


def _late_words(days: int) -> Phrase:
    return ngettext("signed {n} day after the day it was due", "signed {n} days after the day it was due", days)


def _other_words(row: Row, best: Row) -> Phrase:
    day, by = best["signed_at"].date(), best["reviewer"]
    if best["signed_at"] > row["signed_at"]:
        return _("replaced by the signature of {by}, {day}", by=by, day=day)
    return _("the signature of {by}, {day}, stands for this part", by=by, day=day)


def _due_words(due: dt.date, end: dt.date) -> Phrase:
    if due > end:
        return _("its review is due by {due}, after the period's end: not tested here", due=due)
    return _(
        "its review was due by {due}, and up to the period's end nothing was listed, decided or signed. Whether it had to be is for access-review-signoff",
        due=due,
    )
