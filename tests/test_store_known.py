"""What is known of a log from an earlier run: the same answers as without it, never more calls, and nothing false believed."""

import contextlib
import datetime as dt
import json
import os
import random
from collections import Counter

import pytest
from fakes.memory_store import MemoryAnchor, Spy
from fakes.sealed_store import KEY

from evidence.errors import StoreConflictError, VerificationError
from evidence.signing.keys import NoteKey
from evidence.snapshot.entry import Entry, ObjectRef
from evidence.snapshot.model import DAY
from evidence.store import keeping
from evidence.store.check import check_store
from evidence.store.index import Index
from evidence.store.keeping import KeptIndex
from evidence.store.known import row_key
from evidence.store.log import Log
from evidence.store.rows import MemoryPages, Rows
from evidence.tlog.note import open_note, sign_note

FIRST = dt.date(2026, 1, 1)
TYPES = ("snapshot", "recount", "assessment", "pipeline", "alert", "coverage", "register", "disposal", "hold", "check")
REF = ObjectRef("x", "0" * 64, 1)


def night_of(number, datasets=20, *, chance=None):
    """The entries of one night: windows, a record of the pipeline, an alert, the assessment; with ``chance`` also rarer ones."""
    night, size = FIRST + DAY * number, 1 + number * (datasets + 3)
    for each in range(datasets):
        body = {"status": "complete", "finality": "settled", "kind": "state", "landed": each}
        yield Entry("snapshot", f"prod/snowflake.d{each}/{night}/0", REF, body)
    if chance is not None:
        yield from _rare(night, number, chance)
    yield Entry("pipeline", f"{night}/{number:032x}", REF, {"night": f"{night}", "at": f"{night}T02:00:00.000Z"})
    yield Entry("alert", f"{number + 1:06d}", REF, {})
    late = chance.randrange(4) == 0 if chance else False
    facts = {"night": f"{night}", "revision": 0, "log_size": 0 if late else size + 999, "open_reviews": 0}
    yield Entry("assessment", f"{night}/0", REF, facts)


def _rare(night, number, chance):
    for each in range(3):
        dataset = chance.randrange(20)
        back = night - DAY * (1 + 10 * number + each)  # backfilled, each once
        yield Entry("snapshot", f"prod/snowflake.d{dataset}/{back}/0", REF, {"status": "denied", "kind": "state"})
    yield Entry("snapshot", f"aws/aws.d{number}/{night}/0", REF, {"status": "complete", "kind": "event"})
    yield Entry("recount", f"prod/snowflake.d1/{night}/0/1", None, {"result": "stable"})
    yield Entry("recount", f"prod/snowflake.d1/{night}/0/2", None, {"result": "fewer"})
    yield Entry("recount", f"prod/snowflake.d2/{night}/0", None, {"result": "stable"})
    yield Entry("snapshot", f"prod/snowflake.d3/{night}/1", REF, {"status": "complete", "kind": "state"})
    yield Entry("coverage", f"s{number}/{night}", None, {"source": f"s{number}", "start": f"{night}"})
    yield Entry("register", f"waivers/{number}", REF, {"register": "waivers"})
    if number % 5 == 0:
        yield Entry("disposal", f"prod/x/{number}", None, {"entries": [number * 3, number * 7]})


def sealed(nights, *, chance=None, log=None, first=0):
    log = log or Log.init(Spy(), KEY, anchors=[MemoryAnchor()])
    for number in range(first, first + nights):
        entries = list(night_of(number, chance=chance))
        log.append(lambda _, entries=entries: entries)
    return log


def opened(log, kept=None, *, signer=KEY):
    log.store.asked.clear()
    return Log.open(log.store, signer=signer, anchors=log._anchors, index=kept)


def answers(index, nights):
    """Everything an index says."""
    days = [FIRST + DAY * n for n in range(-20, nights + 2)]
    places = [("prod", "snowflake.d1"), ("prod", "snowflake.d3"), ("aws", "aws.d7"), ("none", "none")]
    snapshots = list(index.snapshots())
    return {
        "size": index.size,
        "windows": set(index.windows()),
        "since": set(index.windows(FIRST + DAY * 5)),
        "snapshots": snapshots,
        "every": list(index.every_revision()),
        "latest": [index.latest(*place, day) for place in places for day in days],
        "datasets": index.datasets(),
        "sources": [index.sources_of(f"snowflake.d{n}") for n in range(22)] + [index.sources_of("aws.d7")],
        "newest": [index.newest(day) for day in days],
        "nights": index.nights(),
        "recounts": [index.recounts(each) for each in snapshots],
        "disposed": [index.disposed(each) for each in snapshots],
        "coverage": [index.coverage_start(f"s{n}", kind) for n in range(nights) for kind in ("event", "state")],
        "assessment": [index.assessment(day) for day in days],
        "assessments": [index.assessments(day) for day in days],
        "assessed": [index.assessed_nights(day) for day in days],
        "assessed before": [index.assessed_before(day) for day in days],
        "pipelines": [index.pipelines(day) for day in days],
        "recorded before": [index.recorded_before(day) for day in days],
        "of type": [index.of_type(each) for each in TYPES],
        "last": [index.last(each) for each in TYPES],
        "find": [index.find("register", f"waivers/{n}") for n in range(-1, nights + 1)],
    }


def waiting(index):
    """What ``evidence assess`` makes of ``waiting``."""
    found = []
    for night in index.waiting():
        last = index.newest(night)
        if last is not None:
            last = max(last, *(number for number, _ in index.pipelines(night)), 0)
            assessment = index.assessment(night)
            if assessment is None or assessment[1].body["log_size"] <= last or assessment[1].body["open_reviews"]:
                found.append(night)
    return found


def says(log):
    """Everything a log says, proofs included."""
    names = [log.name(number) for number in range(log.size)]
    ends = [size for size in (1, 100, 256, 300, 513, log.size - 1) if size < log.size]
    return {
        "tip": (log.size, log.checkpoint, log.keys.current),
        "raw": [log.raw(number) for number in range(log.size)],
        "names": names,
        "find": [log.find(*name) for name in names] + [log.find("snapshot", "a/b/2026-01-01/0"), log.find("x", "y")],
        "types": [(list(log.numbers(each)), log.last(each)) for each in (*TYPES, "told")],
        "inclusion": [log._history.tree.inclusion(number, log.size) for number in range(0, log.size, 17)],
        "consistency": [log._history.tree.consistency(size, log.size) for size in ends],
        "roots": [log._history.tree.root(size) for size in range(0, log.size, 13)],
    }


@pytest.mark.parametrize("seed", range(3))
def test_with_and_without_what_was_kept_everything_is_the_same(tmp_path, seed):
    chance = random.Random(seed)
    log, kept, nights = None, KeptIndex(tmp_path, KEY), 0
    for _ in range(4):
        more = chance.randrange(11, 20)
        log = sealed(more, chance=chance, log=log, first=nights)
        nights += more
        opened(log, kept)
        plain, again = opened(log), opened(log, kept)
        assert again.known is not None
        assert again.known.size == log.size // 256 * 256
        assert says(again) == says(plain)
        expected = answers(Index.of(entry for _, entry in plain.entries()), nights)
        for index in (Index().catch_up(plain), Index().catch_up(again), Index.at(again, again.size)):
            found = answers(index, nights)
            assert {name: found[name] for name in found} == expected
            assert waiting(index) == waiting(Index().catch_up(plain))
    early = log.size // 3
    assert answers(Index.at(again, early), nights) == answers(Index.at(plain, early), nights)
    behind = KeptIndex(tmp_path, KEY)
    sealed(9, chance=chance, log=log, first=nights)  # the kept index is of before
    assert says(opened(log, behind)) == says(opened(log))


def test_a_night_asks_the_store_as_often_whatever_is_behind_it(tmp_path):
    """Reads of the store, of kept pages and of old bundles by a night's work, counted; sizes with an equally long tail."""
    seen = {}
    for nights in (64, 320):  # 23 entries to a night: the rest after the last bundle is as long
        log, kept = sealed(nights), KeptIndex(tmp_path / str(nights), KEY)
        opened(log, kept)
        pages, get = [], kept._pages.get
        kept._pages.get = lambda digest, pages=pages, get=get: pages.append(digest) or get(digest)
        again = opened(log, kept)
        index = Index().catch_up(again)
        last = FIRST + DAY * (nights - 1)
        for each in range(20):
            index.latest("prod", f"snowflake.d{each}", last)
        assert (index.waiting()[-1:], index.assessed_before(last), index.last("pipeline")[0] > 0) == (
            [last], last - DAY, True)  # fmt: skip
        list(index.snapshots(last - 35 * DAY))
        sealed(1, log=again, first=nights)
        counts = Counter(path.partition("/")[2].rpartition("/")[0] or path for path in log.store.asked)
        assert again.size > nights * 23
        seen[nights] = counts, len(set(pages))
        assert len(pages) == len(set(pages)), "a page is read once"
    (few, few_pages), (many, many_pages) = seen.values()
    assert many == few
    assert many_pages <= few_pages + 4, "a level more, at most, on each way down"


def linked(page):
    page.rename(page.with_name(f"{page.name}.real"))
    page.symlink_to(f"{page.name}.real")


def piped(path):
    path.unlink()
    os.mkfifo(path)


def leaf(page):
    return json.loads(page.read_bytes())[0] == 0


SPOILS = {  # done to the head, or to each page
    "head gone": ("head", lambda path: path.unlink()),
    "head empty": ("head", lambda path: path.write_bytes(b"")),
    "head of chance": ("head", lambda path: path.write_bytes(os.urandom(300))),
    "head of another size": ("head", lambda path: path.write_text(path.read_text().replace("\n512\n", "\n256\n"))),
    "head a pipe": ("head", piped),
    "pages gone": ("page", lambda path: path.unlink()),
    "pages cut": ("page", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "pages of another": ("page", lambda path: path.write_bytes(b'[0,["snapshot"],[1]]')),
    "pages pipes": ("page", piped),
    "pages links": ("page", linked),
    "leaves gone": ("page", lambda path: path.unlink() if leaf(path) else None),
}


@pytest.mark.parametrize("what", SPOILS)
def test_whatever_is_wrong_with_it_the_log_says_the_same_and_it_is_kept_anew(tmp_path, what):
    log, kept = sealed(30), KeptIndex(tmp_path, KEY)
    opened(log, kept)
    expected = says(opened(log)), answers(Index().catch_up(opened(log)), 30)
    name, spoil = SPOILS[what]
    for path in sorted(tmp_path.rglob("head" if name == "head" else "pages/*")):
        spoil(path)
    again = opened(log, kept)
    assert (says(again), answers(Index().catch_up(again), 30)) == expected
    opened(log, kept)
    assert opened(log, kept).known is not None, "kept anew"


def test_one_that_is_signed_by_another_key_or_of_another_log_is_not_believed(tmp_path):
    """A thief of the folder has no key; the right key over another history does not fit to the store's root."""
    log, other = sealed(30), sealed(30, chance=random.Random(7))
    mine, theirs = KeptIndex(tmp_path / "mine", KEY), KeptIndex(tmp_path / "theirs", KEY)
    expected = says(opened(log))
    opened(log, mine)
    opened(other, theirs)
    (head,), (foreign,) = (tmp_path / "mine").rglob("head"), (tmp_path / "theirs").rglob("head")
    text = open_note(head.read_text(), [log.verifier]).text
    head.write_text(sign_note(text, NoteKey(KEY.name, b"\x07" * 32)))
    assert opened(log, mine).known is None
    for page in foreign.parent.joinpath("pages").iterdir():
        head.parent.joinpath("pages", page.name).write_bytes(page.read_bytes())
    head.write_bytes(foreign.read_bytes())
    again = opened(log, mine)
    assert again.known is None
    assert says(again) == expected


def hiding(log, kept, folder, signer):
    """Rewrite what is kept so that it leaves a sealed window out, signed by ``signer``; return the window's key."""
    hidden = f"prod/snowflake.d1/{FIRST}/0"
    known = opened(log, kept).known
    rows, _, _ = known.rows.changed({row_key("snapshot", hidden): None})
    (head,) = folder.rglob("head")
    text = open_note(head.read_text(), [log.verifier]).text.replace(known.rows.root, rows.root)
    head.write_text(sign_note(text, signer))
    return hidden


def test_rows_that_leave_an_entry_out_need_the_key(tmp_path):
    """What only the signature stands against: a folder whose pages are all whole and hide a sealed window."""
    log, kept = sealed(30), KeptIndex(tmp_path, KEY)
    opened(log, kept)
    hidden = hiding(log, kept, tmp_path, NoteKey(KEY.name, b"\x07" * 32))
    again = opened(log, kept)
    assert again.find("snapshot", hidden) is not None
    with pytest.raises(StoreConflictError, match="already sealed"):
        again.append(lambda _: [Entry("snapshot", hidden, REF, {})])


def test_a_thief_of_the_key_can_deceive_a_run_by_it_and_not_a_verification(tmp_path):
    log, kept = sealed(30), KeptIndex(tmp_path, KEY)
    opened(log, kept)
    hidden = hiding(log, kept, tmp_path, KEY)
    again = opened(log, kept)
    assert again.find("snapshot", hidden) is None
    again.append(lambda _: [Entry("snapshot", hidden, REF, {})])
    found = [check.detail for check in check_store(log.store, trust=KEY.vkey) if check.step == "log"]
    assert ["stands twice" in each for each in found] == [True]


def test_an_older_one_means_that_more_is_read_and_the_rest_is_found(tmp_path):
    log, kept = sealed(30), KeptIndex(tmp_path, KEY)
    opened(log, kept)
    (head,) = tmp_path.rglob("head")
    before = head.read_bytes()
    sealed(60, log=log, first=30)
    opened(log, kept)
    head.write_bytes(before)
    again = opened(log, kept)
    assert again.known.size == 512
    assert says(again) == says(opened(log))


def test_bundles_in_the_store_that_are_altered_or_gone_are_found_or_read_elsewhere(tmp_path):
    log, kept = sealed(40), KeptIndex(tmp_path, KEY)
    opened(log, kept)
    body = log.store.objects["log/entries/001"]
    log.store.objects["log/entries/001"] = body.replace(b"snowflake.d1/", b"snowflake.dl/")
    again = opened(log, kept)
    with pytest.raises(VerificationError, match="differs from what was sealed"):
        again.entry(300)
    del log.store.objects["log/entries/001"]
    again = opened(log, kept)
    assert again.raw(300) in body
    assert again.known is None


def test_runs_at_once_and_one_that_dies_half_way_leave_it_whole(tmp_path, monkeypatch):
    log, kept = sealed(30), KeptIndex(tmp_path, KEY)
    opened(log, kept)
    early = opened(log, kept)  # a run that began with the pages of now
    for number in range(30, 90, 10):
        sealed(10, log=log, first=number)
        opened(log, kept)
    index = Index().catch_up(early)
    assert answers(index, 30) == answers(Index.at(opened(log), early.size), 30)
    sealed(30, log=log, first=90)
    real = type(kept._pages).put
    for dies_at in range(1, 12, 2):
        count = []

        def put(digest, body, count=count, dies_at=dies_at, real=real):
            count.append(digest)
            if len(count) == dies_at:
                raise KeyboardInterrupt
            real(kept._pages, digest, body)

        monkeypatch.setattr(kept._pages, "put", put)
        with contextlib.suppress(KeyboardInterrupt):
            opened(log, kept)
        monkeypatch.undo()
        assert says(opened(log, None)) == says(Log.open(log.store, signer=KEY, anchors=log._anchors, index=kept))


def test_pages_that_nothing_needs_are_removed_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_ROUNDS", 3)
    log, kept = sealed(12), KeptIndex(tmp_path, KEY)
    for number in range(12, 12 * 20, 12):  # each completes a bundle
        sealed(12, log=log, first=number)
        opened(log, kept)
    known = opened(log, kept).known
    assert says(opened(log, kept)) == says(opened(log))
    list(known.rows.under(""))
    live, there = set(known.rows._read), {page.name for page in tmp_path.rglob("pages/*")}
    assert live <= there
    assert len(there) < len(live) + 3 * 16


def test_a_folder_that_cannot_be_written_costs_the_shortcut_alone(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    log = sealed(30)
    assert says(opened(log, KeptIndex(tmp_path / "file", KEY))) == says(opened(log))
    strange = sealed(12)
    strange.append(lambda _: [Entry("snapshot", "no night", REF, {}), *night_of(700)])
    sealed(20, log=strange, first=12)
    assert opened(strange, KeptIndex(tmp_path / "kept", KEY)).known is None
    assert opened(strange, KeptIndex(tmp_path / "kept", KEY)).known is None


def test_rows_are_a_sorted_map():
    chance, rows, expected = random.Random(1), Rows(MemoryPages()), {}
    names = [f"{chance.randrange(5)}\0{chance.randrange(3000)}/{'é' * chance.randrange(3)}" for _ in range(4000)]
    for _ in range(30):
        new = {chance.choice(names): chance.choice([None, chance.randrange(99), "x"]) for _ in range(200)}
        rows, _, _ = rows.changed(new)
        expected = {key: value for key, value in {**expected, **new}.items() if value is not None}
        assert list(rows.under("")) == sorted(expected.items())
        for key in chance.sample(names, 20):
            assert rows.get(key) == expected.get(key)
            assert rows.below(key) == max(((k, v) for k, v in expected.items() if k < key), default=None)
            assert list(rows.under(key[:4])) == sorted((k, v) for k, v in expected.items() if k.startswith(key[:4]))
    empty, _, _ = rows.changed(dict.fromkeys(expected))
    assert (empty.root, list(empty.under("")), empty.get("x"), empty.below("x")) == ("", [], None, None)
