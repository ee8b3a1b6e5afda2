"""What people are told: each change once, in order, to everybody, whatever is down meanwhile."""

import datetime as dt
import random

import pytest
from fakes.memory_store import MemoryAnchor, MemoryStore
from fakes.sealed_store import KEY

from evidence.alert.condition import Condition, Seen, of_ends, of_findings, of_windows
from evidence.alert.ledger import Alert, change, note, tell, untold
from evidence.alert.message import body, title
from evidence.control.replaced import Observation
from evidence.control.result import NightFinding, Waived
from evidence.errors import StoreError
from evidence.snapshot.model import DAY
from evidence.store.log import Log
from evidence.verify import verify_store

NIGHT = dt.date(2026, 7, 20)
AT = dt.datetime(2026, 7, 21, 3, tzinfo=dt.UTC)


def finding(status, control="identity-dormant", reason="", exceptions=(), waived=0):
    seen = tuple(Observation(item, "fail", "dormant") for item in exceptions)
    accepted = tuple(Waived(each.item, each.reason, "W1") for each in seen[:waived])
    return NightFinding(
        control, "1.0.0", "0" * 64, NIGHT, status, "high", population=9, exceptions=seen, reason=reason, waived=accepted
    )


def keys(conditions):
    return [each.key for each in conditions]


def fails(*items, waived=0):
    return finding("not-satisfied", exceptions=items or ("ann",), waived=waived)


@pytest.mark.parametrize(
    ("newest_first", "standing", "unknown"),
    [
        ([fails()], ["failing/identity-dormant"], []),
        ([finding("satisfied")], [], []),
        ([finding("not-applicable", reason="disabled")], [], []),
        ([fails("ann", waived=1)], [], []),
        ([fails("ann", "bob", waived=1)], ["failing/identity-dormant"], []),
        # a night that waits says nothing, the one before it does
        ([finding("not-assessed", reason="pending"), fails()], ["failing/identity-dormant"], []),
        ([finding("not-assessed", reason="pending-review"), finding("satisfied")], [], []),
        ([finding("not-assessed", reason="pending")], [], ["failing/identity-dormant", "not-assessed/identity-dormant"]),
        # what cannot be judged has not recovered
        ([finding("not-assessed", reason="denied"), fails()], ["not-assessed/identity-dormant"], ["failing/identity-dormant"]),
    ],
)  # fmt: skip
def test_what_stands_of_a_control(newest_first, standing, unknown):
    seen = of_findings([(NIGHT - DAY * n, [each]) for n, each in enumerate(newest_first)])
    assert (keys(seen.standing), sorted(seen.unknown)) == (standing, unknown)


def test_no_item_is_in_what_people_are_told():
    seen = of_findings([(NIGHT, [fails("patient-4711@example.org")])])
    alert = change(seen, (), 1, AT)
    assert "4711" not in title(alert, "Acme") + body(alert) + str(alert.to_json())


def test_lost_nights_are_one_condition_and_the_newest_read_speaks_for_a_dataset():
    whole, half = {NIGHT - DAY: "complete", NIGHT: "incomplete"}, {NIGHT - DAY: "denied", NIGHT: "complete"}
    lost = {NIGHT - DAY * 2: "missing", NIGHT: "provisional"}
    old = {NIGHT - DAY * 40: "missing", NIGHT - DAY * 39: "denied", NIGHT: "not due"}
    windows = [("a", "x", whole), ("a", "y", half), ("a", "z", lost), ("a", "w", lost), ("b", "old", old)]
    found = list(of_windows(windows, NIGHT + DAY))
    assert keys(found) == ["not-read-whole/a/x", "missed-night/a/2026-07-18"]
    assert "2 datasets" in found[1].summary


def test_ends_are_told_before_and_kept_for_a_while_after():
    ends = [(str(n), f"waiver {n}", NIGHT + DAY * n, "") for n in (-40, -3, 0, 14, 15)]
    assert [each.subject for each in of_ends(ends, NIGHT, 14)] == ["-3", "0", "14"]


def condition(subject, kind="failing", since=NIGHT, severity="high"):
    return Condition(kind, subject, severity, since, f"{subject} {kind}")


def test_a_change_is_what_begins_and_what_ends_and_nothing_else():
    first = change(Seen((condition("a"), condition("b"))), (), 1, AT)
    assert (keys(first.begun), first.ended) == (["failing/a", "failing/b"], ())
    assert change(Seen((condition("a", since=NIGHT + DAY), condition("b"))), first.standing, 2, AT) is None
    assert change(Seen((condition("b"),), frozenset({"failing/a"})), first.standing, 2, AT) is None
    over = change(Seen((condition("b"),)), first.standing, 2, AT)
    assert (over.begun, keys(over.ended), keys(over.standing)) == ((), ["failing/a"], ["failing/b"])


def test_a_lost_night_that_grows_old_is_not_told_as_recovered():
    stood = [condition("a/2026-07-01", "missed-night", NIGHT - DAY * 34), condition("c")]
    later = change(Seen((condition("d"),)), stood, 2, AT + DAY * 20)
    assert (keys(later.begun), keys(later.ended), keys(later.standing)) == (["failing/d"], ["failing/c"], ["failing/d"])
    back = change(Seen((condition("c"),)), stood, 2, AT)
    assert keys(back.ended) == ["missed-night/a/2026-07-01"]


class Inbox:
    def __init__(self, name, severity="low"):
        self.name, self.severity = name, severity
        self.got, self.down = [], False

    def send(self, alert):
        if self.down:
            raise StoreError("the service is down")
        self.got.append(alert)
        return {}


def opened():
    store, anchor = MemoryStore(), MemoryAnchor()
    Log.init(store, KEY, anchors=[anchor])
    return Log.open(store, signer=KEY, anchors=[anchor])


def begun_and_ended(inbox):
    return [(keys(alert.begun), keys(alert.ended)) for alert in inbox.got]


def test_fail_still_failing_recovered_is_two_messages_and_a_target_that_was_down_gets_them_late():
    log = opened()
    mail, pager = Inbox("mail"), Inbox("pager")
    pager.down = True
    nights = [[condition("a")], [condition("a")], [condition("a"), condition("b")], []]
    for number, standing in enumerate(nights):
        note(log, Seen(tuple(standing)), f"run{number}", AT + DAY * number)
        failed = tell(log, [mail, pager], AT + DAY * number)
        assert failed == {"pager": "the service is down"}
    wanted = [(["failing/a"], []), (["failing/b"], []), ([], ["failing/a", "failing/b"])]
    assert begun_and_ended(mail) == wanted
    assert pager.got == []
    pager.down = False
    assert tell(log, [mail, pager], AT + DAY * 5) == {}
    assert begun_and_ended(pager) == wanted == begun_and_ended(mail)
    assert tell(log, [mail, pager], AT + DAY * 6) == {}
    assert begun_and_ended(pager) == wanted == begun_and_ended(mail)
    assert not [check for check in verify_store(log.store, [KEY.vkey]).checks if check.ok is False]


def test_a_new_target_hears_what_stands_and_a_grave_one_only_what_is_grave():
    log = opened()
    note(log, Seen((condition("a"), condition("b", severity="low"))), "r1", AT)
    note(log, Seen((condition("b", severity="low"), condition("c", severity="critical"))), "r2", AT)
    everything, grave = Inbox("everything"), Inbox("grave", "critical")
    tell(log, [everything, grave], AT)
    assert begun_and_ended(everything) == [(["failing/b", "failing/c"], [])]
    assert begun_and_ended(grave) == [(["failing/c"], [])]
    assert untold(log, "everything") == [] == untold(log, "grave")


def test_the_hundredth_night_reads_as_few_entries_as_the_second(monkeypatch):
    log, mail = opened(), Inbox("mail")
    reads = []

    def counted(number, entry=log.entry):
        reads.append(number)
        return entry(number)

    monkeypatch.setattr(Log, "entry", lambda self, number: counted(number))
    spent = []
    for number in range(100):
        reads.clear()
        note(log, Seen((condition(f"c{number}"),)), f"run{number}", AT + DAY * number)
        assert tell(log, [mail], AT + DAY * number) == {}
        spent.append(len(reads))
    assert spent[1] == spent[99] < 10
    assert len(mail.got) == 100


def test_two_hosts_that_see_the_same_change_seal_one_alert():
    log = opened()
    other = Log.open(log.store, signer=KEY, anchors=[])
    seen = Seen((condition("a"),))
    note(log, seen, "here", AT)
    assert note(other, seen, "there", AT) is not None  # it could not know
    assert [entry.key for _, entry in Log.open(log.store, signer=KEY, anchors=[]).entries("alert")] == ["000001"]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_down_every_change_arrives_once_and_in_order(seed):
    """Random changes, outages and restarts: what a target got, replayed, is what stands, and nothing came twice."""
    chance, log = random.Random(seed), opened()
    inboxes = [Inbox("a"), Inbox("b", "low")]
    note(log, Seen((condition("start"),)), "r", AT)
    tell(log, inboxes, AT)
    for number in range(30):
        standing = tuple(condition(f"c{n}") for n in range(6) if chance.random() < 0.4)
        note(log, Seen(standing), f"r{number}", AT + DAY * number)
        for inbox in inboxes:
            inbox.down = chance.random() < 0.5
        tell(log, inboxes, AT)
        if chance.random() < 0.3:
            log = Log.open(log.store, signer=KEY, anchors=[])
    for inbox in inboxes:
        inbox.down = False
    tell(log, inboxes, AT)
    for inbox in inboxes:
        heard = set()
        for alert in inbox.got:
            assert not heard & set(keys(alert.begun))
            assert heard >= set(keys(alert.ended))
            heard = heard - set(keys(alert.ended)) | set(keys(alert.begun))
        assert heard == set(keys(standing))
        assert [alert.id for alert in inbox.got] == sorted({alert.id for alert in inbox.got})


def test_a_message_says_the_gravest_first_and_how_many_are_not_listed():
    many = tuple(condition(f"c{n:03}", severity="low" if n else "critical") for n in range(100))
    alert = Alert("000003", AT, many, (condition("gone"),), many)
    words = body(alert)
    assert words.splitlines()[2] == "[critical] c000 failing"
    assert "First 50 of 101" in words or "First 41 of 101" in words
    assert title(alert, "Acme") == "evidence, Acme: 100 controls newly failing, 1 over"
    assert Alert.from_json(alert.to_json()) == alert
