"""The access reviews of a period, from sealed lists, registers and captures, as a packet shows them.

Decisions count as ``access-review-signoff`` counts them: the last one on a row, by a person registered for access reviews that
day, who is neither the holder nor reports to him.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evidence.cli.access_review import GRANTS, Reviewing, SealedList
from evidence.cli.packet_review_acts import acts_of, signatures_of, without_review
from evidence.cli.period import Period
from evidence.cli.workspace import Workspace
from evidence.control.register import Row
from evidence.errors import EvidenceError
from evidence.render.campaign import AccessReview, Acts, Campaign, Replaced, Reviewed, SetAside, State
from evidence.render.words import _
from evidence.review.course import (
    Course,
    Said,
    became,
    course_of,
    fault_of,
    overdue,
    removal_due,
)
from evidence.review.decisions import KEEP, Standing, standings
from evidence.review.held import Held
from evidence.review.listing import SCOPE, identity_of, of_user
from evidence.snapshot.entry import Entry
from evidence.snapshot.model import DAY
from evidence.store.sealing import append_new, register_entries

CONTROL: Final = "access-review-signoff"
REGISTERS: Final = ("access_decisions", "access_reviews", "reviewers")
_TRIES: Final = 5  # nights back from the period's end that are looked at for what is still held
_ROLE: Final = "role of a user"  # what decisions without a list are about


@dataclass(slots=True)
class Shown:
    """The reviews, and what they rest on beside the findings: manifests and datasets of captures, entries of lists."""

    review: AccessReview
    manifests: set[str] = field(default_factory=set)
    datasets: set[str] = field(default_factory=set)
    lists: list[tuple[int, Entry]] = field(default_factory=list)


def seal_decisions(workspace: Workspace) -> None:
    """Commit the registers of reviews as they stand, if the log does not have them: what is shown was sealed before."""
    bodies = {name: body for name, body in workspace.registers.bodies.items() if name in REGISTERS}
    append_new(workspace.log, register_entries(workspace.log, bodies))


def reviews_of(workspace: Workspace, period: Period) -> Shown:
    """Return the reviews that anything happened to in ``period``, with the quarters without one."""
    return _Reviews(workspace, period).shown()


class _Reviews:
    def __init__(self, workspace: Workspace, period: Period) -> None:
        self.workspace, self.period = workspace, period
        self.cutoff = dt.datetime.combine(period.end + DAY, dt.time())
        self.reviewing = Reviewing(workspace, self.cutoff.replace(tzinfo=dt.UTC) + 2 * DAY)
        effective = workspace.library.control(CONTROL).effective
        self.due_days, self.execute_days = int(effective["due_days"]), int(effective["execute_days"])
        rows = workspace.registers.rows
        self.decisions = sorted(rows.get("access_decisions", ()), key=lambda row: row["decided_at"])
        self.signatures = sorted(rows.get("access_reviews", ()), key=lambda row: row["signed_at"])
        self.lists = [
            (index, entry)
            for index, entry in workspace.index.of_type("access-review")
            if dt.date.fromisoformat(entry.body["night"]) <= period.end
        ]
        self.found = Shown(AccessReview((), ()))
        self.later, self.gap = self._last_capture()

    def shown(self) -> Shown:
        performed = sorted(self._performed())
        campaigns = [campaign for quarter in performed for campaign in self._campaigns(quarter)]
        self.found.review = AccessReview(tuple(campaigns), tuple(without_review(self.period, performed, self.due_days)))
        return self.found

    def _performed(self) -> set[dt.date]:
        """Return the quarters about whose review something happened in the period, or a day of it fell there."""
        told = [(row["period_end"], row["decided_at"]) for row in self.decisions]
        told += [(row["period_end"], row["signed_at"]) for row in self.signatures]
        nights = [(entry.body["period_end"], entry.body["night"]) for _, entry in self.lists]
        known = {quarter for quarter, moment in told if moment < self.cutoff}
        known |= {dt.date.fromisoformat(quarter) for quarter, _ in nights}
        return {quarter for quarter in known if self._acts(quarter).any}

    def _acts(self, quarter: dt.date) -> Acts:
        """Return what of the review of a quarter lies in the period."""
        mine = [row for row in self.decisions if row["period_end"] == quarter]
        courses = self._courses(mine, _place, lambda row: {**row, "kind": _ROLE})
        return acts_of(
            self.period,
            [each for course in courses.values() for each in course.said],
            [row["signed_at"].date() for row in self.signatures if row["period_end"] == quarter],
            [
                dt.date.fromisoformat(entry.body["night"])
                for _index, entry in self.lists
                if entry.body["period_end"] == quarter.isoformat()
            ],
            quarter + self.due_days * DAY,
            self.execute_days,
        )

    def _campaigns(self, quarter: dt.date) -> Iterator[Campaign]:
        lists = [
            (index, self.reviewing.list_of(entry.object.sha256))
            for index, entry in self.lists
            if entry.object is not None and entry.body["period_end"] == quarter.isoformat()
        ]
        mine = [row for row in self.decisions if row["period_end"] == quarter]
        decided = {row["list_sha256"] for row in mine}
        chosen = [each for each in lists if each[1].digest in decided] or lists[-1:]
        for index, sealed in chosen:
            self.found.lists += [each for each in self.lists if each[0] == index]
            yield self._listed(
                quarter, index, sealed, [r for r in mine if r["list_sha256"] == sealed.digest], len(lists)
            )
        digests = {each.digest for _, each in chosen}
        rest = [row for row in mine if row["list_sha256"] not in digests]
        if rest or not chosen:
            yield self._unlisted(quarter, rest, len(lists))

    def _listed(
        self, quarter: dt.date, index: int, sealed: SealedList, decisions: Sequence[Row], lists: int
    ) -> Campaign:
        body = sealed.body
        listed = {row["row"]: row for row in body["rows"]}
        courses = self._courses(decisions, lambda row: row["row"], lambda row: listed.get(row["row"]))
        counted = {place: course.counts for place, course in courses.items() if course.counts is not None}
        night = dt.date.fromisoformat(body["night"])
        then, gap = self._held(night)
        found: dict[Any, Standing] = {}
        of_replaced: dict[int, tuple[str, str]] = {}
        if then is not None and self.later is not None:
            found = {each.row["row"]: each for each in standings(body, counted, then, self.later)}
            for row_of, said in _rounds(courses):
                before = standings(
                    {"rows": [listed[place] for place in row_of if place in listed]}, row_of, then, self.later
                )
                of_replaced |= {id(said[each.row["row"]]): (each.state, each.why) for each in before}
        rows = []
        for row in body["rows"]:
            decision, standing = counted.get(row["row"]), found.get(row["row"])
            state, why = self._state(quarter, decision, standing.state if standing else "waiting", gap or self.gap)
            why = (standing.why if standing else "") or why
            rows.append(self._row(row, decision, state, why, courses.get(row["row"])))
        return self._campaign(
            quarter,
            rows,
            list(courses.values()),
            decisions,
            lambda each: of_replaced.get(id(each), ("", "")),
            list_sha256=sealed.digest,
            entry=index,
            night=night,
            listed_at=body["listed_at"],
            fingerprint=body["fingerprint"],
            phi_gap=body["phi"],
            lists=lists,
        )

    def _unlisted(self, quarter: dt.date, decisions: Sequence[Row], lists: int) -> Campaign:
        """A review whose list is not sealed here: its decisions are all that is known of it."""
        listed = {
            _place(row): {"system": row["system"], "kind": _ROLE, "holder": row["holder"], "access": row["access"]}
            for row in decisions
            if row["decided_at"] < self.cutoff
        }
        courses = self._courses(decisions, _place, lambda row: listed.get(_place(row)))
        now = {}
        if self.later is not None:
            spelled = ((identity_of(row), row) for row in self.later.rows)
            now = {(i[0], i[2], i[3]): row for i, row in spelled if of_user({"kind": i[1]})}
        rows = []
        for key, row in sorted(listed.items()):
            decision = courses[key].counts
            standing, why = self._still(decision, now.get(key)) if decision else ("", "")
            state, otherwise = self._state(quarter, decision, standing, self.gap)
            rows.append(self._row(row, decision, state, why or otherwise, courses[key]))
        return self._campaign(
            quarter,
            rows,
            list(courses.values()),
            decisions,
            lambda each: self._still(each.row, now.get(_place(each.row))),
            lists=lists,
        )

    def _still(self, decision: Row, now: Any) -> tuple[str, str]:
        """Say whether the last capture shows a role still held, as ``evidence.review.decisions`` says it of listed rows."""
        decided = decision["decided_at"].replace(tzinfo=dt.UTC)
        seen = self.later.captured.get(decision["system"]) if self.later else None
        if self.later is None or seen is None or seen <= decided:
            return "waiting", ""
        if now is None:
            return "closed", f"not there on {self.later.night}"
        made = now["created_on"]
        if made is not None and made.replace(tzinfo=dt.UTC) > decided:
            return "reopened", f"granted anew on {made.date()}"
        return "open", f"still there on {self.later.night}"

    def _courses(
        self, decisions: Iterable[Row], place: Callable[[Row], Any], item: Callable[[Row], Any]
    ) -> dict[Any, Course]:
        """Return what was said up to the period's end, by place."""
        found: dict[Any, list[Row]] = {}
        for row in decisions:
            if row["decided_at"] < self.cutoff:
                found.setdefault(place(row), []).append(row)
        registers = self.workspace.registers
        return {key: course_of(rows, lambda row: fault_of(registers, row, item(row))) for key, rows in found.items()}

    def _state(self, quarter: dt.date, decision: Row | None, standing: str, gap: str) -> tuple[State, str]:
        if decision is None:
            due = quarter + self.due_days * DAY
            return ("expired" if due <= self.period.end else "pending"), _("decision due by {due}", due=due)
        if decision["decision"] == KEEP:
            return "kept", ""
        later = removal_due(decision, self.execute_days) > self.period.end
        match standing:
            case "closed":
                return "removal shown", ""
            case "reopened":
                return "reopened", ""
            case "open":
                return ("removal due later" if later else "removal overdue"), ""
        return ("removal due later" if later else "removal not shown"), gap or _("no capture after the decision")

    def _row(
        self, listed: Mapping[str, Any], decision: Row | None, state: State, why: str, course: Course | None
    ) -> Reviewed:
        if decision is None or course is None:
            return Reviewed(listed, state, why=why)
        late = course.late(decision["period_end"] + self.due_days * DAY)
        return Reviewed(
            listed=listed,
            state="decided late" if late is not None and state == "kept" else state,
            decision=decision["decision"],
            asked=decision["asked"] or "",
            reviewer=decision["reviewer"],
            decided_at=decision["decided_at"],
            decided_on=decision["decided_on"],
            note=decision["note"] or "",
            due=None if decision["decision"] == KEEP else removal_due(decision, self.execute_days),
            why=why,
            late=None if late is None else late["decided_at"].date(),
        )

    def _campaign(
        self,
        quarter: dt.date,
        rows: Sequence[Reviewed],
        courses: Sequence[Course],
        decisions: Sequence[Row],
        standing: Callable[[Said], tuple[str, str]],
        **more: Any,
    ) -> Campaign:
        signed = [s for s in self.signatures if s["period_end"] == quarter and s["signed_at"] < self.cutoff]
        if more.get("list_sha256"):
            signed = [s for s in signed if s["scope"] != SCOPE or s["list_sha256"] == more["list_sha256"]]
        said = sorted((each for course in courses for each in course.said), key=lambda each: each.row["decided_at"])
        return Campaign(
            quarter=quarter,
            due=quarter + self.due_days * DAY,
            execute_days=self.execute_days,
            rows=tuple(rows),
            set_aside=tuple(SetAside(**_told(each.row), why=each.fault) for each in said if each.fault),
            signatures=tuple(signatures_of(self.workspace.registers, quarter, self.due_days, signed)),
            looked_at=self.later.night if self.later else None,
            gap=self.gap,
            later=sum(row["decided_at"] >= self.cutoff for row in decisions),
            replaced=tuple(self._replaced(each, each.then, *standing(each)) for each in said if each.then is not None),
            acts=self._acts(quarter),
            scope=SCOPE,
            **more,
        )

    def _replaced(self, first: Said, then: Row, standing: str, why: str) -> Replaced:
        return Replaced(
            **_told(first.row),
            then=then["decision"],
            by=then["reviewer"],
            at=then["decided_at"],
            became=became(first, self.execute_days, standing, why),
            overdue=overdue(first, self.execute_days, standing),
        )

    def _last_capture(self) -> tuple[Held | None, str]:
        """Return what is held on the last night of the period that is whole, and why a later one is not looked at."""
        nights = {each.key.night for each in self.workspace.index.snapshots() if each.key.dataset == GRANTS}
        said = ""
        for night in sorted((n for n in nights if n <= self.period.end), reverse=True)[:_TRIES]:
            held, gap = self._held(night)
            if held is not None:
                return held, said
            said = said or gap
        return None, said or "no grants were captured up to the period's end"

    def _held(self, night: dt.date) -> tuple[Held | None, str]:
        try:
            held = self.reviewing.held(night)
        except EvidenceError as exc:
            return None, str(exc)
        self.found.manifests |= {each.input.manifest_sha256 for each in held.sealed}
        self.found.datasets |= {each.input.dataset for each in held.sealed}
        return held, ""


def _place(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["system"], row["holder"], row["access"]


def _told(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("system", "holder", "access", "decision", "reviewer", "decided_at")}


def _rounds(courses: Mapping[Any, Course]) -> Iterator[tuple[dict[Any, Row], dict[Any, Said]]]:
    """Yield decisions that were replaced by row of the list: the first of each row, then the second, so that each has one a round."""
    most = max((len(course.replaced) for course in courses.values()), default=0)
    for number in range(most):
        said = {place: course.replaced[number] for place, course in courses.items() if len(course.replaced) > number}
        yield {place: each.row for place, each in said.items()}, said
