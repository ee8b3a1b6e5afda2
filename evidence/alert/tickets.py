"""Tickets: a condition opens one, what happens to it is written under it, and it is closed when the condition is over.

A ticket carries a mark made of the log's origin and the condition's key. It is looked for before one is opened, so that a message sent twice opens
one ticket. The services' own pages are named at each of them.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

from evidence.alert.condition import Condition
from evidence.alert.ledger import Alert
from evidence.errors import StoreError
from evidence.store.posting import Poster

URGENCY: Final = {"critical": "1", "high": "2", "medium": "3", "low": "3"}  # ServiceNow: 1 high, 2 medium, 3 low


@dataclass(frozen=True, slots=True)
class Ticket:
    """An open ticket: ``id`` as the service addresses it, ``name`` as people do."""

    id: str
    name: str


class Tracker(Protocol):
    """A service that keeps tickets. Every method raises ``StoreError`` for any other answer than the one it needs."""

    def find(self, mark: str) -> Ticket | None:
        """Return the open ticket with that mark."""

    def open(self, condition: Condition, mark: str) -> Ticket:
        """Open one."""

    def write(self, ticket: Ticket, words: str) -> None:
        """Write under a ticket."""

    def close(self, ticket: Ticket, words: str) -> None:
        """Close it with a last word."""


class TicketTarget:
    """See :class:`evidence.alert.ledger.Target`: conditions of ``kinds`` are tickets of ``tracker``."""

    def __init__(self, name: str, tracker: Tracker, severity: str, kinds: Collection[str], origin: str) -> None:
        self.name, self.severity = name, severity
        self._tracker, self._kinds, self._origin = tracker, frozenset(kinds), origin

    def send(self, alert: Alert) -> Mapping[str, str]:
        """Open, go on with or close a ticket for each change; return which ticket each condition has."""
        tickets: dict[str, str] = {}
        for each in alert.begun:
            if each.kind in self._kinds:
                ticket = self._tracker.find(self._mark(each))
                if ticket is None:
                    ticket = self._tracker.open(each, self._mark(each))
                else:
                    self._tracker.write(ticket, f"Alert {alert.id}: {each.summary}")
                tickets[each.key] = ticket.name
        for each in alert.ended:
            if each.kind in self._kinds and (ticket := self._tracker.find(self._mark(each))):
                self._tracker.close(
                    ticket, f"Alert {alert.id} of {alert.at:%Y-%m-%d %H:%M} UTC: over. It was: {each.summary}"
                )

        return tickets

    def _mark(self, condition: Condition) -> str:
        """Return at most 50 characters, as labels may have: ``evidence-failing-1f0c…``."""
        digest = hashlib.sha256(f"{self._origin}\n{condition.key}".encode()).hexdigest()
        return f"evidence-{condition.kind}-{digest[:16]}"


class _Service:
    """JSON over one address; what it answers is never printed, it may hold what others wrote."""

    def __init__(self, url: str, secret: str, key: str) -> None:
        self._poster = Poster(url.rstrip("/"), key)
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": _header(secret),
        }

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, wanted: Collection[int]) -> Any:
        sent = json.dumps(body).encode() if body is not None else None
        answer = self._poster.call(method, path, sent, self._headers)
        if answer.status not in wanted:
            fix = "check address, account and project of the ticket target" if answer.status < 500 else ""
            raise StoreError(f"{self._poster.where} answered {answer.status} to {method}", fix=fix)
        try:
            return json.loads(answer.body) if answer.body else {}
        except ValueError:
            raise StoreError(f"{self._poster.where} answered no JSON to {method}") from None


def _header(secret: str) -> str:
    """``user:password`` is Basic (RFC 7617), anything else a Bearer token (RFC 6750)."""
    if ":" in secret:
        return f"Basic {base64.b64encode(secret.encode()).decode()}"
    return f"Bearer {secret}"


def _text(condition: Condition) -> str:
    return f"{condition.summary}\n\nFirst step: {condition.fix}" if condition.fix else condition.summary


class ServiceNow(_Service):
    """Incidents by the Table API (ServiceNow, "Table API"): found by ``correlation_id``, resolved with a close code."""

    _TABLE: Final = "/api/now/table/incident"

    def __init__(
        self, url: str, secret: str, key: str, *, group: str = "", close_code: str = "Solution provided"
    ) -> None:
        super().__init__(url, secret, key)
        self._group, self._close_code = group, close_code

    def find(self, mark: str) -> Ticket | None:
        """See :class:`Tracker`."""
        query = quote(f"correlation_id={mark}^active=true")
        fields = "sysparm_fields=sys_id,number&sysparm_limit=1"
        found = self._ask("GET", f"{self._TABLE}?sysparm_query={query}&{fields}", wanted={200})["result"]
        return Ticket(found[0]["sys_id"], found[0]["number"]) if found else None

    def open(self, condition: Condition, mark: str) -> Ticket:
        """See :class:`Tracker`."""
        body = {
            "short_description": condition.summary[:160],
            "description": _text(condition),
            "correlation_id": mark,
            "correlation_display": "evidence",
            "urgency": URGENCY[condition.severity],
            "impact": URGENCY[condition.severity],
            **({"assignment_group": self._group} if self._group else {}),
        }
        made = self._ask("POST", self._TABLE, body, wanted={201})["result"]
        return Ticket(made["sys_id"], made["number"])

    def write(self, ticket: Ticket, words: str) -> None:
        """See :class:`Tracker`."""
        self._ask("PATCH", f"{self._TABLE}/{ticket.id}", {"work_notes": words}, wanted={200})

    def close(self, ticket: Ticket, words: str) -> None:
        """See :class:`Tracker`. State 6 is *Resolved*."""
        body = {"state": "6", "close_code": self._close_code, "close_notes": words}
        self._ask("PATCH", f"{self._TABLE}/{ticket.id}", body, wanted={200})


class Jira(_Service):
    """Issues by the REST API, version 2 for its plain text; Jira Cloud searches under version 3 (Atlassian, "Issue search")."""

    def __init__(
        self, url: str, secret: str, key: str, *, project: str, issue_type: str = "Task", cloud: bool = True
    ) -> None:
        super().__init__(url, secret, key)
        self._project, self._type = project, issue_type
        self._search = "/rest/api/3/search/jql" if cloud else "/rest/api/2/search"

    def find(self, mark: str) -> Ticket | None:
        """See :class:`Tracker`. Open: the status is not of the category *done*."""
        jql = quote(
            f'project = "{self._project}" AND labels = "{mark}" AND statusCategory != Done ORDER BY created ASC'
        )
        found = self._ask("GET", f"{self._search}?jql={jql}&fields=key&maxResults=1", wanted={200})["issues"]
        return Ticket(found[0]["key"], found[0]["key"]) if found else None

    def open(self, condition: Condition, mark: str) -> Ticket:
        """See :class:`Tracker`."""
        fields = {
            "project": {"key": self._project},
            "issuetype": {"name": self._type},
            "summary": condition.summary[:250],
            "description": _text(condition),
            "labels": ["evidence", mark],
        }
        made = self._ask("POST", "/rest/api/2/issue", {"fields": fields}, wanted={201})
        return Ticket(made["key"], made["key"])

    def write(self, ticket: Ticket, words: str) -> None:
        """See :class:`Tracker`."""
        self._ask("POST", f"/rest/api/2/issue/{ticket.id}/comment", {"body": words}, wanted={201})

    def close(self, ticket: Ticket, words: str) -> None:
        """See :class:`Tracker`: by the first transition into a status of the category *done*."""
        self.write(ticket, words)
        path = f"/rest/api/2/issue/{ticket.id}/transitions"
        ways = self._ask("GET", path, wanted={200})["transitions"]
        done = [way["id"] for way in ways if way["to"]["statusCategory"]["key"] == "done"]
        if not done:
            raise StoreError(
                f"{self._poster.where}: {ticket.name} has no transition to done", fix="let the account close issues"
            )
        self._ask("POST", path, {"transition": {"id": done[0]}}, wanted={204})


class GitHub(_Service):
    """Issues of one repository (GitHub, "REST API endpoints for issues"), found by label."""

    def __init__(self, url: str, secret: str, key: str, *, repository: str) -> None:
        super().__init__(url or "https://api.github.com", secret, key)
        self._headers |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._issues = f"/repos/{repository}/issues"

    def find(self, mark: str) -> Ticket | None:
        """See :class:`Tracker`."""
        found = self._ask("GET", f"{self._issues}?labels={quote(mark)}&state=open&per_page=1", wanted={200})
        return Ticket(str(found[0]["number"]), f"#{found[0]['number']}") if found else None

    def open(self, condition: Condition, mark: str) -> Ticket:
        """See :class:`Tracker`."""
        body = {"title": condition.summary[:250], "body": _text(condition), "labels": ["evidence", mark]}
        made = self._ask("POST", self._issues, body, wanted={201})
        return Ticket(str(made["number"]), f"#{made['number']}")

    def write(self, ticket: Ticket, words: str) -> None:
        """See :class:`Tracker`."""
        self._ask("POST", f"{self._issues}/{ticket.id}/comments", {"body": words}, wanted={201})

    def close(self, ticket: Ticket, words: str) -> None:
        """See :class:`Tracker`."""
        self.write(ticket, words)
        self._ask(
            "PATCH", f"{self._issues}/{ticket.id}", {"state": "closed", "state_reason": "completed"}, wanted={200}
        )
