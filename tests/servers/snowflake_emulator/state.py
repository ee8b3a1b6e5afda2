"""What the account is like right now: people, sessions, clock, misbehaviour to act out, and the log of what was asked."""

import datetime as dt
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

FACTS = {
    "CURRENT_ACCOUNT": "XY12345",
    "CURRENT_ACCOUNT_NAME": "TESTACCT",
    "CURRENT_ORGANIZATION_NAME": "EXAMPLEORG",
    "CURRENT_REGION": "AWS_US_EAST_1",
    "CURRENT_VERSION": "10.38.1",
    "CURRENT_SECONDARY_ROLES": '{"roles":"","value":""}',
    "CURRENT_WAREHOUSE": "EVIDENCE_WH",
}
DEFAULT_PARAMETERS = {"ROWS_PER_RESULTSET": "0", "TIMEZONE": "America/Los_Angeles", "JSON_INDENT": "2"}


@dataclass
class Person:
    """Who may log in, and by what."""

    password: str | None = None
    public_keys: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


@dataclass
class Rule:
    """Misbehaviour: statements that match ``match`` get ``action`` for ``times`` times, after ``skip`` spared ones.

    Logins match ``login <USER>``, renewals ``renewal``, chunks ``chunk``.

    Actions: ``error`` (code, sqlstate, message), ``expire`` (the session token stops working), ``poll`` (answer only
    after ``polls`` polls), ``delay`` (seconds), ``unavailable`` (HTTP 503), ``late-row`` (a row arrives after the
    answer was computed), ``cut`` (only the first ``rows`` rows, and everything says that this is all).

    Actions on the finished answer (:mod:`trouble`): ``answer`` (``status`` and ``message`` of type ``media`` instead),
    ``without`` (the fields of the data named in ``message`` are missing), ``announce`` (``rows`` more than there are),
    ``empty`` (a chunk without its rows), ``corrupt-gzip``, ``corrupt-arrow`` (a chunk's bytes), ``short`` (half of the
    body, then the end), ``reset`` (half of the body, then TCP RST), ``drip`` (the body in pieces over ``seconds``),
    ``stall`` (half of the body, then nothing for ``seconds``).
    """

    match: str
    action: str
    times: int = 1_000_000
    code: str = "002003"
    sqlstate: str = "42S02"
    message: str = ""
    polls: int = 2
    seconds: float = 0.0
    skip: int = 0
    rows: int = 1
    status: int = 200
    media: str = "text/html"

    def take(self, text: str) -> bool:
        """Say whether this rule is for ``text``, and use up one of its times if so."""
        if self.times <= 0 or not re.search(self.match, text, re.IGNORECASE | re.DOTALL):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Session:
    """One login."""

    number: int
    user: str
    role: str
    parameters: dict[str, str]
    connection: Any
    master: str
    warehouse: str = ""


@dataclass
class Account:
    """All of the state. Handlers run in one event loop; statements run in threads, hence the lock."""

    name: str = "TESTACCT"
    people: dict[str, Person] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    masters: dict[str, Session] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=lambda: dict(FACTS))
    parameters: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_PARAMETERS))
    grants: dict[str, list[list[str]]] = field(default_factory=dict)  # role -> [privilege, kind of object, its name]
    locked: dict[str, str] = field(default_factory=dict)
    forced_role: str = ""
    clock: dt.datetime | None = None
    chunk_rows: int = 50_000
    first_rows: int = 1_000
    chunks: dict[str, bytes] = field(default_factory=dict)
    pending: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)  # tokens given out and credentials seen: what no log may hold
    lock: threading.Lock = field(default_factory=threading.Lock)

    def in_force(self, session: Session) -> dict[str, str]:
        """Return the parameters of a session: its own before the account's, except those the account has locked."""
        return {**self.parameters, **session.parameters, **self.locked}

    def now(self) -> dt.datetime:
        """Return the account's clock: the chosen moment, else the machine's."""
        return self.clock or dt.datetime.now(dt.UTC)

    def record(self, kind: str, **facts: Any) -> dict[str, Any]:
        """Add a line to the log and return it, so that the outcome can be added."""
        entry = {"kind": kind, **facts}
        self.log.append(entry)
        return entry

    def rule(self, text: str, *actions: str) -> Rule | None:
        """Return the first rule with one of ``actions`` that takes ``text``."""
        return next((rule for rule in self.rules if rule.action in actions and rule.take(text)), None)

    def open(self, session: Session) -> str:
        """Give ``session`` a new token."""
        token = secrets.token_urlsafe(24)
        self.secrets += [token, session.master]
        self.sessions[token] = session
        self.masters[session.master] = session
        return token

    def reset(self) -> None:
        """Forget misbehaviour and log; people, sessions and data stay."""
        self.rules.clear()
        self.log.clear()
        self.secrets.clear()
        self.chunks.clear()
        self.clock = None
        self.grants = {}
        self.chunk_rows, self.first_rows = 50_000, 1_000
        self.facts = dict(FACTS)
        self.parameters = dict(DEFAULT_PARAMETERS)
        self.locked, self.forced_role = {}, ""
