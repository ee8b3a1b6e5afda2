"""The access review: who holds what, as a list; a workbook filled in and read back; decisions that the sign-off control judges."""

import dataclasses
import datetime as dt
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from evidence.cli.access_review import csv_of
from evidence.control.definition import load_library
from evidence.control.engine import Engine, assess_night
from evidence.control.factcases import run_fact_cases
from evidence.control.made import MadeEvidence, registers_of
from evidence.control.register import Registers, load_registers
from evidence.control.registration import append_rows
from evidence.errors import IncompleteSnapshotError, MalformedError, UsageError
from evidence.review import answers as reading
from evidence.review.answers import list_digest, read_answers
from evidence.review.decisions import counting, decided_rows, news, reviewer_of, signature, standings
from evidence.review.held import Used, held_on, last_used, review_library
from evidence.review.listing import keyed, list_of, period_end
from evidence.review.support import support_of
from evidence.review.workbook import COLUMNS, DECIDE, write_workbook
from evidence.snapshot import canonical

CONTROLS = Path(__file__).parent.parent / "controls"
DAY = dt.timedelta(days=1)
NIGHT, LATER = dt.date(2026, 7, 1), dt.date(2026, 8, 20)
OLD = "2026-01-01T00:00:00Z"
DECIDED = dt.datetime(2026, 7, 20, 8, tzinfo=dt.UTC)
PEOPLE = [
    {"person": name, "logins": logins, "reports_to": above, "may_sign": ["access_review"], "approved_by": "CISO",
     "approved_on": dt.date(2026, 1, 1), "expires": dt.date(2027, 1, 1)}
    for name, logins, above in (("ann", ["ANN"], ["BOSS"]), ("bob", ["BOB"], []))
]  # fmt: skip


def moment(text):
    return dt.datetime.fromisoformat(text)


def grant(user, role, made=OLD, **more):
    return {"grantee_name": user, "role": role, "created_on": moment(made), **more}


GRANTS = [grant("ANN", "READER"), grant("BOSS", "READER"), grant("EVE", "=HYPERLINK(1)"), grant("EVE", "ACCOUNTADMIN")]


def evidence(grants=GRANTS, night=NIGHT, privileges=("SELECT", "INSERT"), **more):
    users = sorted({row["grantee_name"] for row in GRANTS} | {"IDLE"})
    rows = {
        "snowflake.users": [{"name": name} for name in users],
        "snowflake.roles": [{"name": name} for name in ("READER", "=HYPERLINK(1)", "ACCOUNTADMIN", "PUBLIC")],
        "snowflake.grants_to_users": grants,
        "snowflake.grants_to_roles": [
            {"privilege": name, "granted_on": "TABLE", "name": "M", "table_catalog": "D", "table_schema": "S",
             "granted_to": "ROLE", "grantee_name": "READER"}
            for name in privileges
        ],
        "snowflake.future_grants": [
            {"privilege": "SELECT", "grant_on": "TABLE", "name": "D.S.<TABLE>", "grant_to": "ROLE", "grantee_name": "PUBLIC"}
        ],
        "snowflake.tables": [], "snowflake.columns": [], "snowflake.tag_references": [], "contracts.products": [], "dbt.nodes": [],
        **more,
    }  # fmt: skip
    captured = dt.datetime.combine(night, dt.time(3), dt.UTC) + dt.timedelta(days=1)
    return MadeEvidence(LIBRARY.contracts, night, captured, rows)


LIBRARY = review_library(load_library([CONTROLS]), CONTROLS)
REGISTERS = registers_of({"reviewers": PEOPLE, "service_accounts": []}, NIGHT)


@pytest.fixture(scope="module")
def engine():
    with Engine(threads=1) as made:
        yield made


@pytest.fixture
def held(engine):
    return lambda made: held_on(LIBRARY, REGISTERS, made, made.night, engine)


def listed(now, before=None):
    position = {each.input.manifest_sha256: place for place, each in enumerate(now.sealed)}
    value = list_of(
        now, before, Used(1, {}, frozenset()), entity={"name": "Acme", "system": "Lake"}, library={"version": "1", "sha256": "0" * 64},
        latency=dt.timedelta(minutes=120), position=position, sheets=support_of(now),
    )  # fmt: skip
    return value, canonical.sha256_hex(canonical.encode(value))


@pytest.fixture
def book(held, tmp_path):
    now = held(evidence())
    sealed, digest = listed(now)
    path = tmp_path / "review.xlsx"
    write_workbook(path, sealed, digest, support_of(now), ["ann", "bob"])
    return path, sealed, digest


def fill(path, say):
    """Open the workbook as a person would, let ``say`` change it, and save it again."""
    opened = openpyxl.load_workbook(path)
    sheet = opened[DECIDE]
    rows = {
        (line[2].value, line[3].value): dict(zip(COLUMNS, line, strict=True)) for line in sheet.iter_rows(min_row=2)
    }
    say(rows, sheet)
    opened.save(path)


def everything(rows, _sheet):
    for row in rows.values():
        row["Decision"].value = "keep"


@pytest.mark.parametrize("name", ["review_rows", "review_reach", "review_contents"])
def test_the_examples_of_what_is_listed(name):
    results = run_fact_cases(LIBRARY, name)
    assert results
    assert [each for each in results if not each.ok] == []


@pytest.mark.parametrize(
    "fault", ["missing", "denied", "unavailable", "incomplete", "stale", "empty", "quarantined", "pending"]
)
@pytest.mark.parametrize("dataset", ["snowflake.grants_to_users", "snowflake.future_grants"])
def test_no_list_without_all_of_who_holds_what(held, dataset, fault):
    with pytest.raises(IncompleteSnapshotError, match=dataset):
        held(evidence().with_fault(dataset, fault))


def test_no_list_that_leaves_an_account_out(held):
    only_users = evidence(**{"snowflake.users": [{"name": "ANN"}, {"name": "ZOE", "source": "second"}]})
    with pytest.raises(IncompleteSnapshotError, match="grants_to_users of second is not collected"):
        held(only_users)
    late = dataclasses.replace(evidence([*GRANTS, grant("ANN", "READER", source="second")]), covered={"second": LATER})
    with pytest.raises(IncompleteSnapshotError, match="second"):
        held(late)


def test_missing_word_on_phi_is_said_and_not_taken_for_none(held):
    sealed, _ = listed(held(evidence().with_fault("snowflake.tag_references", "denied")))
    assert "tag_references" in sealed["phi"]
    assert {row["phi"] for row in sealed["rows"]} == {"not known"}


def test_a_list_says_what_is_in_it_and_what_changed(held):
    first = held(evidence([*GRANTS, grant("LEFT", "READER")], privileges=("SELECT",)))
    again = [grant("ANN", "READER", made="2026-08-01T00:00:00Z"), *GRANTS[1:], grant("NEW", "READER")]
    now = held(evidence(again, night=LATER))
    sealed, digest = listed(now, first)
    assert (sealed, digest) == listed(now, first)
    change = {(row["holder"], row["access"]): row["change"] for row in sealed["rows"]}
    assert change["ANN", "READER"] == "granted anew"
    assert change["BOSS", "READER"] == "unchanged"
    assert change["NEW", "READER"] == "new"
    assert change["role READER", "its own privileges"] == "1 more, 0 gone"
    assert [row["holder"] for row in sealed["gone"]] == ["LEFT"]
    assert sealed["population"] == len(sealed["rows"]) == 7
    assert sealed["rows"][0]["access"] == "ACCOUNTADMIN"  # the grave first
    assert sealed["period_end"] == "2026-06-30"
    assert sealed["listed_at"] == "2026-08-21T01:00:00.000000Z"  # the capture, less what the views lag behind
    assert period_end(dt.date(2026, 6, 30)) == dt.date(2026, 6, 30)
    assert period_end(dt.date(2026, 6, 29)) == dt.date(2026, 3, 31)


def test_two_rows_that_look_alike_are_refused():
    row = {"source": "s", "kind": "role of a user", "holder_kind": "USER", "role_kind": "ROLE", "access": "R"}
    keyed([{**row, "holder": "A\u202e"}, {**row, "holder": "A"}])  # told apart by what cannot be seen
    with pytest.raises(MalformedError, match="two rows"):
        keyed([{**row, "holder": None}, {**row, "holder": "unknown user"}])


def test_last_use_is_known_only_where_all_nights_are():
    used_by = {"user_name": "ANN", "role_name": "READER"}
    queries = [
        {**used_by, "start_time": moment(f"{night}T09:00:00Z"), "night": night} for night in (NIGHT - DAY, NIGHT)
    ]
    made = dataclasses.replace(evidence(), rows_by_dataset={"snowflake.query_history": queries})

    def said(made, nights=2):
        used = last_used(LIBRARY, made, ["snowflake", "second"], NIGHT, nights)
        return [
            used.said(*place)
            for place in (("snowflake", None, "READER"), ("snowflake", "EVE", "READER"), ("second", "EVE", "READER"))
        ]

    assert said(made) == ["2026-07-01", "not in 2 nights", "not known"]
    assert said(made, 3) == ["2026-07-01", "not known", "not known"]  # a night without rows may be a matter of rights
    assert said(made.with_fault("snowflake.query_history", "denied")) == ["2026-06-30", "not known", "not known"]
    assert said(dataclasses.replace(made, covered={"snowflake": NIGHT}))[1] == "not known"


def test_a_workbook_comes_back_as_it_was_filled_in(book):
    path, sealed, digest = book

    def say(rows, _sheet):
        everything(rows, _sheet)
        rows["EVE", "ACCOUNTADMIN"]["Decision"].value = " Revoke "
        rows["EVE", "=HYPERLINK(1)"]["Decision"].value = "change"
        rows["EVE", "=HYPERLINK(1)"]["Note"].value = "a smaller role\ninstead"
        rows["EVE", "=HYPERLINK(1)"]["Date"].value = dt.date(2026, 7, 19)
        rows["BOSS", "READER"]["Decision"].value = None

    assert [opened.cell(2, 4).data_type for opened in [openpyxl.load_workbook(path)[DECIDE]]] == ["s"]
    fill(path, say)
    assert list_digest(path) == digest
    answers = {
        (row["holder"], row["access"]): each
        for row, each in zip(sealed["rows"], read_answers(path, sealed["rows"]), strict=True)
    }
    assert answers["EVE", "ACCOUNTADMIN"].decision == "revoke"
    changed = answers["EVE", "=HYPERLINK(1)"]
    assert (changed.decision, changed.note, changed.on) == ("change", "a smaller role instead", dt.date(2026, 7, 19))
    assert answers["BOSS", "READER"].decision == ""


def test_no_cell_is_a_formula(book, held, tmp_path):
    path, sealed, digest = book
    write_workbook(tmp_path / "again.xlsx", sealed, digest, support_of(held(evidence())), ["ann", "bob"])
    assert (tmp_path / "again.xlsx").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/")]
    assert any("=HYPERLINK(1)" in sheet for sheet in sheets)
    assert not any("<f>" in sheet or "<hyperlink" in sheet for sheet in sheets)
    assert b",'=HYPERLINK(1)," in csv_of(sealed)


def test_text_that_the_library_would_take_for_markup_stays_text(book, tmp_path):
    """XlsxWriter writes ``<r>…</r>`` into a sheet as it is when it writes row by row."""
    _, sealed, digest = book
    attack = (
        '<r><t>x</t></r></is></c><c r="Z9"><f>HYPERLINK("http://h")</f></c><c r="Z8" t="inlineStr"><is><r><t>y</t></r>'
    )
    rows = [{**row, "access": attack} for row in sealed["rows"]]
    path = tmp_path / "attack.xlsx"
    write_workbook(path, {**sealed, "rows": rows}, digest, {"Effective roles": [[attack] * 8]}, [])
    with zipfile.ZipFile(path) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/")]
    assert not any("<f>" in sheet for sheet in sheets)
    assert openpyxl.load_workbook(path)[DECIDE].cell(2, COLUMNS.index("Access") + 1).value == f"{attack} "
    assert list(read_answers(path, rows))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows, _: setattr(rows["EVE", "ACCOUNTADMIN"]["Holder"], "value", "ADAM"), "Holder was edited"),
        (lambda rows, _: setattr(rows["EVE", "ACCOUNTADMIN"]["Gravest"], "value", ""), "Gravest was edited"),
        (lambda rows, _: setattr(rows["EVE", "ACCOUNTADMIN"]["Decision"], "value", "=A1"), "Decision is a formula"),
        (lambda rows, _: setattr(rows["EVE", "ACCOUNTADMIN"]["Decision"], "value", "maybe"), "'maybe' is no decision"),
        (lambda rows, _: setattr(rows["EVE", "ACCOUNTADMIN"]["Decision"], "value", "change"), "needs a note"),
        (lambda rows, _: setattr(rows["EVE", "ACCOUNTADMIN"]["Date"], "value", "soon"), "'soon' is no date"),
        (lambda rows, _: setattr(rows["EVE", "ACCOUNTADMIN"]["Note"], "value", "member 457-55-5462 called"), "ssn"),
        (lambda _, sheet: sheet.delete_rows(2), "EVE / ACCOUNTADMIN was removed"),
        (lambda _, sheet: sheet.append(["x"] * len(COLUMNS)), "is no row of the list"),
        (lambda _, sheet: sheet.append([cell.value for cell in sheet[2]]), "stands twice"),
        (lambda _, sheet: sheet.delete_cols(5), "the columns"),
        (lambda _, sheet: setattr(sheet, "title", "Other"), "has no sheet"),
    ],
)
def test_what_is_not_as_it_was_exported_is_refused_by_name(book, spoil, said):
    path, sealed, _ = book
    fill(path, spoil)
    with pytest.raises(UsageError, match=said):
        read_answers(path, sealed["rows"])


def test_hostile_files_are_refused(book, tmp_path, monkeypatch):
    path, sealed, _ = book
    with zipfile.ZipFile(path) as parts:
        bodies = {name: parts.read(name) for name in parts.namelist()}

    def spoiled(change):
        hostile = tmp_path / "hostile.xlsx"
        with zipfile.ZipFile(hostile, "w", zipfile.ZIP_DEFLATED) as parts:
            for name, body in {**bodies, **change}.items():
                parts.writestr(name, body)
        return hostile

    sheet = "xl/worksheets/sheet2.xml"
    monkeypatch.setattr(reading, "MAX_UNPACKED", 32 << 20)
    typed = bodies[sheet].replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet', 1)
    for change, said in (
        ({"xl/media/zeros.bin": bytes(33 << 20)}, "unpacks to more"),
        ({f"xl/{number}.xml": b"<x/>" for number in range(600)}, "parts"),
        ({sheet: typed}, "no spreadsheet"),
        ({sheet: bodies[sheet][:500]}, "cannot be read"),
    ):
        with pytest.raises(UsageError, match=said):
            read_answers(spoiled(change), sealed["rows"])
    far = spoiled({sheet: bodies[sheet].replace(b'<row r="2"', b'<row r="999999999"', 1)})
    with pytest.raises(UsageError, match="was removed"):
        read_answers(far, sealed["rows"])
    (tmp_path / "text.xlsx").write_text("no workbook")
    with pytest.raises(UsageError, match="cannot be read"):
        list_digest(tmp_path / "text.xlsx")


def decide(book, say, person):
    path, sealed, digest = book
    fill(path, say)
    return decided_rows(
        sealed, digest, read_answers(path, sealed["rows"]), reviewer_of(REGISTERS, person, DECIDED.date()), DECIDED
    )


def test_nobody_decides_on_himself_on_a_superior_or_for_another(book):
    with pytest.raises(UsageError, match="ANN / READER is about the reviewer") as refused:
        decide(book, everything, "ann")
    assert "BOSS / READER" in str(refused.value)
    with pytest.raises(UsageError, match="may not review"):
        reviewer_of(REGISTERS, "eve", DECIDED.date())

    def by_bob(rows, _):
        rows["ANN", "READER"]["Reviewer"].value = rows["BOSS", "READER"]["Reviewer"].value = "bob"

    rows, others = decide(book, by_bob, "ann")
    assert others == 2
    assert {row["holder"] for row in rows} == {"EVE", "role READER", "role PUBLIC"}


def test_a_date_before_the_list_is_refused(book):
    def early(rows, _):
        rows["EVE", "ACCOUNTADMIN"]["Decision"].value = "keep"
        rows["EVE", "ACCOUNTADMIN"]["Date"].value = dt.date(2026, 6, 1)

    with pytest.raises(UsageError, match="before the list"):
        decide(book, early, "bob")


def test_exported_decided_signed_judged_and_closed_only_when_gone(book, held, tmp_path):
    """The whole loop over the registers that ``access-review-signoff`` reads."""
    _, sealed, digest = book

    def say(rows, _):
        everything(rows, _)
        rows["EVE", "ACCOUNTADMIN"]["Decision"].value = "revoke"

    rows, _ = decide(book, say, "bob")
    folder = tmp_path / "registers"
    append_rows(folder, "reviewers", PEOPLE)
    append_rows(folder, "access_decisions", rows)
    append_rows(folder, "access_reviews", [signature(sealed, digest, "bob", "bob", DECIDED, len(rows), 1)])
    registers = load_registers(folder)
    decisions = counting(registers, sealed, digest)
    assert len(decisions) == sealed["population"]
    assert news(rows, decisions) == []  # importing twice adds nothing
    then = held(evidence())

    def stand(made):
        return {
            each.row["holder"]: each
            for each in standings(sealed, decisions, then, held(made))
            if each.decision["decision"] == "remove"
        }

    def judged(made):
        library = load_library(
            [CONTROLS],
            {"controls": {CONTROL: {"parameters": {"scopes": ["snowflake"]}, "reason": "one scope is made here"}}},
        )
        known = Registers({**registers.rows})
        [finding] = assess_night(library, known, made, made.night, known_at=made.captured_at, controls=[CONTROL])
        return finding.status, {each.item.partition("/")[2]: each.reason for each in finding.exceptions}

    assert stand(evidence(night=dt.date(2026, 7, 15)))["EVE"].state == "waiting"
    still = stand(evidence(night=LATER))["EVE"]
    assert (still.state, still.days) == ("open", 31)
    assert judged(evidence(night=LATER)) == ("not-satisfied", {"EVE -> ACCOUNTADMIN": "not-removed"})
    gone = GRANTS[:-1]
    assert stand(evidence(gone, night=LATER))["EVE"].state == "closed"
    assert judged(evidence(gone, night=LATER))[0] == "satisfied"
    back = [*gone, grant("EVE", "ACCOUNTADMIN", made="2026-08-01T00:00:00Z")]
    assert stand(evidence(back, night=LATER))["EVE"].state == "reopened"


CONTROL = "access-review-signoff"


def test_a_roles_own_privileges_are_closed_by_what_is_gone(book, held):
    _, sealed, _digest = book

    def say(rows, _):
        rows["role READER", "its own privileges"]["Decision"].value = "change"
        rows["role READER", "its own privileges"]["Note"].value = "reading is enough"

    ((row,), _) = decide(book, say, "bob")
    decision = {row["row"]: {**row, "decided_at": row["decided_at"].replace(tzinfo=None)}}

    def stand(asked, privileges):
        decision[row["row"]]["asked"] = asked
        made = evidence(night=LATER, privileges=privileges)
        return next(each.state for each in standings(sealed, decision, held(evidence()), held(made)) if each.decision)

    assert stand("change", ("SELECT", "INSERT", "DELETE")) == "open"
    assert stand("change", ("SELECT",)) == "closed"
    assert stand("revoke", ("SELECT",)) == "open"
    assert stand("revoke", ("REFERENCES",)) == "closed"


def test_a_decision_that_does_not_count_is_not_counted(book):
    _, sealed, digest = book
    rows, _ = decide(book, everything, "bob")
    plain = [{**row, "decided_at": row["decided_at"].replace(tzinfo=None)} for row in rows]
    people = [dict(row) for row in REGISTERS.rows["reviewers"]]

    def count(changes=(), by=people):
        spoiled = [{**row, **dict(changes)} for row in plain]
        return len(counting(Registers({"reviewers": tuple(by), "access_decisions": tuple(spoiled)}), sealed, digest))

    assert count() == sealed["population"]
    assert count({"list_sha256": "0" * 64}) == 0
    assert count({"access": "OTHER"}) == 0
    assert count({"reviewer": "eve"}) == 0
    assert count({"reviewer": "ann"}) == sealed["population"] - 2  # herself and her superior
    assert count(by=[{**each, "expires": DECIDED.date()} for each in people]) == 0
    json.dumps(sealed)
