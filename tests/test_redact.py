"""Scrubbing: no literal of the input survives, what cannot be read is hashed, words outside the list leave messages."""

import hmac
import re
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evidence.errors import ConfigError
from evidence.snapshot import phi, sqltext
from evidence.snapshot.redact import REDACTED, Redactor

KEY = b"0123456789abcdef0123456789abcdef"
REDACTOR = Redactor(KEY, "k1")
patient = settings(deadline=None, max_examples=300)
HASH = re.compile(r"hmac:k1:[0-9a-f]{64}\Z")

# Literals are built around a marker that occurs nowhere else, so that a trace of it is a leak.
MARK = "zqx"
inside = st.text(alphabet=string.ascii_letters + string.digits + " '\\\"-/*@.,;()$\n☺é", max_size=12).map(
    lambda t: f"{t}{MARK}{t}"
)
strings = inside.map(lambda t: "'" + t.replace("\\", "\\\\").replace("'", "''") + "'")
escaped = inside.map(lambda t: "'" + t.replace("\\", "\\\\").replace("'", "\\'") + "'")
dollars = inside.filter(lambda t: "$" not in t).map(lambda t: f"$${t}$$")
line_comments = inside.filter(lambda t: "\n" not in t).flatmap(lambda t: st.sampled_from([f"--{t}\n", f"// {t}\n"]))
block_comments = inside.filter(lambda t: "*/" not in t and not t.endswith("*")).map(lambda t: f"/*{t}*/")
numbers = st.sampled_from(["777", "7.77", "0x777", ".777", "7e77", "7.7E-7", "777777777"])
words = st.sampled_from(
    [
        "select",
        "a.b",
        "from",
        "t1",
        "where",
        "=",
        ",",
        "(",
        ")",
        '"My Col"',
        "$1",
        "v:x.y",
        "::int",
        "@stage",
        "->>",
        "-",
        "/",
    ]
)
hidden = st.one_of(
    strings,
    escaped,
    dollars,
    line_comments,
    block_comments,
    numbers,
    st.just("@st/dir_zqx/f.csv"),
    st.just("file:///tmp/zqx.csv"),
)
statements = st.lists(st.one_of(words, hidden), max_size=12).map(lambda parts: "select " + " ".join(parts))


@patient
@given(statements)
def test_no_literal_survives(text):
    out = sqltext.scrub(text)
    assert out is not None, "well-formed statements are scrubbed, not hashed"
    assert MARK not in out
    assert not re.search(r"(?<![\w$])[0-9]|777", out)


@patient
@given(statements)
def test_scrubbing_twice_changes_nothing(text):
    once = sqltext.scrub(text)
    assert sqltext.scrub(once) == once


@patient
@given(st.text(max_size=60))
def test_any_text_is_scrubbed_or_hashed_and_never_raises(text):
    for form in ("statement", "expression", "message", "label"):
        out, outcome = REDACTOR.scrub(text, form)
        assert outcome in {"scrubbed", "kept", "hashed", "phi"}
        assert (outcome in {"hashed", "phi"}) == bool(HASH.match(out))
        if form != "label":
            assert not re.search(r"[0-9]{9}", out) or HASH.match(out)


@patient
@given(st.text(alphabet=string.ascii_letters + " '\"", min_size=1, max_size=40))
def test_messages_keep_listed_words_only(text):
    out, outcome = REDACTOR.scrub(text, "message")
    if outcome == "scrubbed":
        kept = set(re.findall(r"[A-Za-z]+", out.replace("?", " ")))
        allowed = {part for word in REDACTOR._words for part in re.findall(r"[A-Za-z]+", word)}
        assert {word.lower() for word in kept} <= {word.lower() for word in allowed}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 'it''s', 'a\\'b', $$x 'y'$$", "select '?', '?', '?'"),
        ("select 1, -2.5e3, 0xFF, x'AB', .5", "select ?, -?, ?, x'?', .?"),
        ("select t1.c2, $1 from t1 -- Jane\nwhere a = 1", "select t1.c2, $1 from t1 /*?*/\nwhere a = ?"),
        ("PUT file:///tmp/jane.csv @~/in/jane.csv", "PUT file://? @~/?"),
        ("COPY INTO @db.s.st/patient_123.csv FROM t", "COPY INTO @db.s.st/? FROM t"),
        (
            "CREATE USER MERCY\nPASSWORD = '☺☺'\nMUST_CHANGE_PASSWORD = TRUE",
            "CREATE USER MERCY\nPASSWORD = '?'\nMUST_CHANGE_PASSWORD = TRUE",
        ),
        ('select "Member Id" from "t" where a."x y" = b."x y"', 'select "Member Id" from "t" where a."x y" = b."x y"'),
        ('select * from t where name = "Jane Roe"', 'select * from t where name = "?"'),
        ('select "j.roe@example.org" from t', 'select "?" from t'),
        ("select date '1980-02-01', timestamp'2026-01-01'", "select date '?', timestamp'?'"),
    ],
)
def test_statements(text, expected):
    assert REDACTOR.scrub(text) == (expected, "scrubbed")


@pytest.mark.parametrize(
    "text",
    [
        "select 'open", "select $$open", "select /* open", 'select "open', "select `x`", "select a \\ b",
        "select \u2018Jane\u2019", "Jane Roe called", "alter user x set password = hunter2", 'create user x password = "hunter2"',
        "select v://Jane Roe", "123-45-6789",
    ],
)  # fmt: skip
def test_what_does_not_read_as_sql_is_hashed(text):
    out, outcome = REDACTOR.scrub(text)
    assert outcome == "hashed"
    assert out == f"hmac:k1:{hmac.digest(KEY, text.encode(), 'sha256').hex()}"


@pytest.mark.parametrize(
    "text", ["select mrn_1234567 from t", "select x from jane@example.org", "select * from t_123456789"]
)
def test_the_second_net_hashes_what_is_left(text):
    out, outcome = REDACTOR.scrub(text)
    assert outcome == "phi"
    assert HASH.match(out)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INCORRECT_USERNAME_PASSWORD", "INCORRECT_USERNAME_PASSWORD"),
        ("Numeric value 'John Smith' is not recognized", "Numeric value ? is not recognized"),
        (
            "SQL compilation error:\nObject 'A.B' does not exist or not authorized.",
            "SQL compilation error:\nObject ? does not exist or not authorized.",
        ),
        (
            "Database Error in model stg (models/stg.sql)\n  002003 (42S02): SQL compilation error",
            "Database Error in model ? (?\n  002003 (42S02): SQL compilation error",
        ),
        (
            'Duplicate row detected during DML action\nRow Values: [12345, "Jane", Roe]',
            "Duplicate row detected during DML action\nRow Values: [?, ?, ?]",
        ),
        ("Got 3 results, configured to fail if != 0", "Got ? results, configured to fail if != ?"),
    ],
)
def test_messages(text, expected):
    assert REDACTOR.scrub(text, "message") == (expected, "scrubbed")


def test_prose_is_hashed():
    assert REDACTOR.scrub("Jane Roe of Springfield asked for her chart", "message")[1] == "hashed"


def test_labels_stay_unless_the_detector_hits():
    tag = '{"app":"dbt","invocation_id":"01234567-8901-4234-9678-901234567890"}'
    assert REDACTOR.scrub(tag, "label") == (tag, "kept")
    assert REDACTOR.scrub("for jane.roe@example.org", "label")[1] == "phi"


def test_redacted_by_the_source_passes():
    assert REDACTOR.scrub(REDACTED) == (REDACTED, "kept")


def test_modes():
    text = "select 'Jane'"
    assert Redactor(KEY, "k1", mode="full").scrub(text) == (text, "kept")
    assert HASH.match(Redactor(KEY, "k1", mode="keyed").scrub(text)[0])
    assert Redactor(KEY, "k1", mode="full").scrub("Jane Roe was here", "message")[1] == "hashed"


@pytest.mark.parametrize(
    ("key", "key_id", "mode"),
    [(b"", "k1", "scrub"), (KEY[:31], "k1", "scrub"), (KEY, "", "scrub"), (KEY, "a b", "scrub"), (KEY, "k", "none")],
)
def test_no_key_no_collecting(key, key_id, mode):
    with pytest.raises(ConfigError):
        Redactor(key, key_id, mode=mode)


def test_the_key_is_not_shown():
    assert "0123" not in repr(REDACTOR)


@given(st.text(), st.text())
def test_keyed_hashes_tell_texts_apart(one, two):
    assume(one != two)
    assert REDACTOR.keyed(one) != REDACTOR.keyed(two)
    assert HASH.match(REDACTOR.keyed(one))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("123-45-6789", "ssn"), ("t_123456789", "ssn"), ("jane@example.org", "email"), ("MRN: 0012345", "record"), ("member_id=A12345", "record"),
        ("(212) 555-0147", "phone"), ("dob 1980-02-01", "birth"), ("02/01/1980", "old_date"), ("4111 1111 1111 1111", "card"),
        ("1234567893", "npi"), ("1EG4-TE5-MK73", "mbi"),
    ],
)  # fmt: skip
def test_detector_hits(text, kind):
    assert phi.hit(f"x {text} y") == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fct_claims_20260701",
        "4111111111111112",
        "1234567890",
        "run 2026-07-01",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "v1.2.3",
    ],
)
def test_detector_is_silent(text):
    assert phi.hit(text) is None
