"""The access reviews of a period, from sealed lists, registers and captures, as a packet shows them.

Decisions count as ``access-review-signoff`` counts them: the last one on a row, by a person registered for access reviews that
day, who is neither the holder nor reports to him.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evidence.cli.access_review import GRANTS, Reviewing, SealedList
from evidence.cli.period import Period
from evidence.cli.workspace import Workspace
from evidence.control.register import Row
from evidence.errors import EvidenceError
from evidence.render.campaign import AccessReview, Campaign, Reviewed, SetAside, Signature, State
from evidence.review.decisions import KEEP, entitled, own, standings
from evidence.review.held import Held
from evidence.review.listing import identity_of, of_user
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
    """Return the reviews performed in ``period``, with the quarters whose review lies after it."""
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
        self.found.review = AccessReview(tuple(campaigns), tuple(self._pending(performed)))
        return self.found

    def _performed(self) -> set[dt.date]:
        """Return the quarters that anything was done about in the period: listed, decided or signed."""
        start = dt.datetime.combine(self.period.start, dt.time())
        acts = [(row["period_end"], row["decided_at"]) for row in self.decisions]
        acts += [(row["period_end"], row["signed_at"]) for row in self.signatures]
        done = {quarter for quarter, moment in acts if start <= moment < self.cutoff}
        nights = ((entry.body["period_end"], entry.body["night"]) for _, entry in self.lists)
        return done | {dt.date.fromisoformat(q) for q, n in nights if n >= self.period.start.isoformat()}

    def _pending(self, performed: Sequence[dt.date]) -> Iterator[tuple[dt.date, str]]:
        """Yield the quarters that end in the period, and the one it lies in, where nothing was done about them yet."""
        end = _quarter_end(self.period.start)
        while end <= _quarter_end(self.period.end):
            if end not in performed:
                due = end + self.due_days * DAY
                over = f"the quarter is over on {end}" if end > self.period.end else f"the quarter was over on {end}"
                yield end, f"{over}, its review is due by {due}, after the period's end: not tested here"
            end = _quarter_end(end + DAY)

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
        counted, aside = self._count(decisions, listed, lambda row: row["row"])
        night = dt.date.fromisoformat(body["night"])
        then, gap = self._held(night)
        found = {}
        if then is not None and self.later is not None:
            found = {each.row["row"]: each for each in standings(body, counted, then, self.later)}
        rows = []
        for row in body["rows"]:
            decision, standing = counted.get(row["row"]), found.get(row["row"])
            state, why = self._state(quarter, decision, standing.state if standing else "waiting", gap or self.gap)
            rows.append(self._row(row, decision, state, (standing.why if standing else "") or why))
        return self._campaign(
            quarter,
            rows,
            aside,
            decisions,
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

        def place(row: Mapping[str, Any]) -> tuple[str, str, str]:
            return row["system"], row["holder"], row["access"]

        listed = {
            place(row): {"system": row["system"], "kind": _ROLE, "holder": row["holder"], "access": row["access"]}
            for row in decisions
            if row["decided_at"] < self.cutoff
        }
        counted, aside = self._count(decisions, listed, place)
        now = {}
        if self.later is not None:
            spelled = ((identity_of(row), row) for row in self.later.rows)
            now = {(i[0], i[2], i[3]): row for i, row in spelled if of_user({"kind": i[1]})}
        rows = []
        for key, row in sorted(listed.items()):
            decision = counted.get(key)
            standing, why = self._still(decision, now.get(key)) if decision else ("", "")
            state, otherwise = self._state(quarter, decision, standing, self.gap)
            rows.append(self._row(row, decision, state, why or otherwise))
        return self._campaign(quarter, rows, aside, decisions, lists=lists)

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

    def _count(
        self, decisions: Iterable[Row], listed: Mapping[Any, Mapping[str, Any]], place: Any
    ) -> tuple[dict[Any, Row], list[SetAside]]:
        """Return the last decision on each row if it counts, and every decision that does not, with the reason."""
        counted: dict[Any, Row] = {}
        aside: list[SetAside] = []
        for row in decisions:
            if row["decided_at"] >= self.cutoff:
                continue
            item = listed.get(place(row))
            why = "it names no row of the list" if item is None else self._fault(row, item)
            if why:
                names = ("system", "holder", "access", "decision", "reviewer", "decided_at")
                aside.append(SetAside(**{name: row[name] for name in names}, why=why))
                counted.pop(place(row), None)
            else:
                counted[place(row)] = row
        return counted, aside

    def _fault(self, decision: Row, item: Mapping[str, Any]) -> str:
        if any(decision[name] != item[name] for name in ("system", "holder", "access")):
            return "it names another access than the row of the list"
        reviewer = entitled(self.workspace.registers, decision["reviewer"], decision["decided_at"].date())
        if reviewer is None:
            return "the reviewer was not registered for access reviews that day"
        return "the reviewer is the holder or reports to the holder" if own(reviewer, item) else ""

    def _state(self, quarter: dt.date, decision: Row | None, standing: str, gap: str) -> tuple[State, str]:
        if decision is None:
            due = quarter + self.due_days * DAY
            return ("expired" if due <= self.period.end else "pending"), f"decision due by {due}"
        if decision["decision"] == KEEP:
            return "kept", ""
        later = self._due(decision) > self.period.end
        match standing:
            case "closed":
                return "removal shown", ""
            case "reopened":
                return "reopened", ""
            case "open":
                return ("removal due later" if later else "removal overdue"), ""
        return ("removal due later" if later else "removal not shown"), gap or "no capture after the decision"

    def _due(self, decision: Row) -> dt.date:
        due: dt.date = decision["decided_at"].date() + self.execute_days * DAY
        return due

    def _row(self, listed: Mapping[str, Any], decision: Row | None, state: State, why: str) -> Reviewed:
        if decision is None:
            return Reviewed(listed, state, why=why)
        return Reviewed(
            listed=listed,
            state=state,
            decision=decision["decision"],
            asked=decision["asked"] or "",
            reviewer=decision["reviewer"],
            decided_at=decision["decided_at"],
            decided_on=decision["decided_on"],
            note=decision["note"] or "",
            due=None if decision["decision"] == KEEP else self._due(decision),
            why=why,
        )

    def _campaign(
        self,
        quarter: dt.date,
        rows: Sequence[Reviewed],
        aside: Sequence[SetAside],
        decisions: Sequence[Row],
        **more: Any,
    ) -> Campaign:
        signed = [s for s in self.signatures if s["period_end"] == quarter and s["signed_at"] < self.cutoff]
        if more.get("list_sha256"):
            signed = [s for s in signed if s["scope"] != "snowflake" or s["list_sha256"] == more["list_sha256"]]
        return Campaign(
            quarter=quarter,
            due=quarter + self.due_days * DAY,
            execute_days=self.execute_days,
            rows=tuple(rows),
            set_aside=tuple(aside),
            signatures=tuple(self._signature(quarter, each) for each in signed),
            looked_at=self.later.night if self.later else None,
            gap=self.gap,
            later=sum(row["decided_at"] >= self.cutoff for row in decisions),
            **more,
        )

    def _signature(self, quarter: dt.date, row: Row) -> Signature:
        faults = {
            "the signer was not registered for access reviews that day": entitled(
                self.workspace.registers, row["reviewer"], row["signed_at"].date()
            )
            is None,
            "signed before the quarter was over": row["signed_at"].date() <= quarter,
            "what was signed is not the list": row["signed_sha256"] != row["list_sha256"],
            "rows without a decision": row["decided"] < row["listed"],
        }
        names = ("scope", "part", "parts", "reviewer", "listed", "decided", "signed_at")
        return Signature(
            **{name: row[name] for name in names},
            fault="; ".join(words for words, holds in faults.items() if holds),
        )

    def _last_capture(self) -> tuple[Held | None, str]:
        """Return what is held on the last night of the period that is whole, and why a later one is not looked at."""
        nights = {night for _, dataset, night in self.workspace.index.windows() if dataset == GRANTS}
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


def _quarter_end(day: dt.date) -> dt.date:
    month = (day.month + 2) // 3 * 3
    return dt.date(day.year + month // 12, month % 12 + 1, 1) - DAY
