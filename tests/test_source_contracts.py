import datetime as dt
import json
import os
import subprocess

import pytest

from evidence.datasets.conform import Drift, conform
from evidence.datasets.load import load_contracts
from evidence.errors import ConfigError, SourceDeniedError, SourceUnavailableError
from evidence.snapshot.model import Window
from evidence.sources.contracts import ContractsSource
from evidence.sources.product import qualified
from tests.contracts.source import SourceSuite

CONTRACTS = load_contracts()
PRODUCTS = CONTRACTS["contracts.products"]
NOW = dt.datetime(2026, 10, 2, 4, tzinfo=dt.UTC)
TONIGHT = dt.date(2026, 10, 1)

PUBLIC = """\
name: orders_core
domain_database: CARRIER_COMMERCE
owners: [data-commerce@carrier.example]
classification: PHI-pseudonymous
legal_basis: treatment_operations
retention_policy: {bronze: 30d, platinum: 5y}
security_controls:
  masking_policy: MASK_EMAIL
  row_access_policy: ORDER_REGION
  network_policy: INTERNAL_ONLY_V1
  roles_allowed: [ANALYST_PHI, DATA_SCI_COMMERCE]
interfaces:
  tables: [CARRIER_COMMERCE.PLATINUM.ORDERS]
  shares: [carrier_share]
quality_slo: {freshness_p95: "<=10m"}
"""
FULL = """\
name: members
version: 2
owners: [a@carrier.example, b@carrier.example]
classification: PHI
security_controls: {roles_allowed: [MEMBER_READER], system_parents: SYSADMIN}
inherited_by: [MEMBER_ADMIN]
interfaces:
  tables:
    - name: carrier.platinum."Members"
      row_access_policy: BY_PLAN
      roles_allowed: []
      columns:
        - {name: ssn, class: SSN, masking_policy: MASK_SSN}
        - {name: '"Mixed"', class: NAME}
  views: [CARRIER.PLATINUM.V]
"""


def put(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def source(root):
    return ContractsSource("contracts", root, clock=lambda: NOW)


def read(root, night=TONIGHT):
    reading = source(root).read(PRODUCTS, Window(night, "state"))
    (batch,) = reading.batches
    return reading, batch.to_pylist(), [reason for _, reason in reading.rejected]


class TestLive(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, tmp_path):
        put(tmp_path, "a.yaml", PUBLIC)
        put(tmp_path, "deep/b.yml", FULL)
        put(tmp_path, "broken.yaml", "name: [")
        return source(tmp_path)


class TestHistory(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, tmp_path):
        for night in ("2026-07-01", "2026-07-02"):
            put(tmp_path, f"date={night}/a.yaml", PUBLIC)
        claim(tmp_path, "2026-07-01", as_of="2026-07-02T03:00:00Z")
        return source(tmp_path)


def claim(root, night, **members):
    body = {"format": "evidence-export-v1", "dataset": "contracts.products", "night": night, **members}
    put(root, f"date={night}/_export.json", json.dumps(body))


def test_the_public_shape(tmp_path):
    put(tmp_path, "a.yaml", PUBLIC)
    reading, (table, share), reasons = read(tmp_path)
    assert reasons == []
    assert reading.as_of == (NOW, False)
    place = ("CARRIER_COMMERCE", "PLATINUM", "ORDERS", None)
    assert tuple(table[key] for key in ("database_name", "schema_name", "object_name", "column_name")) == place
    assert (table["masking_policy"], table["row_access_policy"]) == ("MASK_EMAIL", "ORDER_REGION")
    assert table["roles_allowed"] == ["ANALYST_PHI", "DATA_SCI_COMMERCE"]
    assert table["inherited_by"] is None  # not stated, which is not "nobody"
    assert json.loads(table["retention_policy"]) == {"bronze": "30d", "platinum": "5y"}
    assert (share["interface"], share["object_name"], share["database_name"]) == ("share", "CARRIER_SHARE", None)
    assert (table["file"], table["commit_sha"]) == ("a.yaml", None)


def test_the_fuller_shape(tmp_path):
    put(tmp_path, "b.yml", FULL)
    _, (own, ssn, mixed, view), reasons = read(tmp_path)
    assert reasons == []
    assert (own["version"], own["owner"]) == ("2", "a@carrier.example, b@carrier.example")
    assert (own["database_name"], own["object_name"]) == ("CARRIER", "Members")
    assert own["roles_allowed"] == []  # stated: nobody; never widened by the product's list
    assert view["roles_allowed"] == ["MEMBER_READER"]
    assert (own["inherited_by"], own["system_parents"]) == (["MEMBER_ADMIN"], ["SYSADMIN"])
    assert (ssn["column_name"], ssn["column_class"], ssn["masking_policy"]) == ("SSN", "SSN", "MASK_SSN")
    assert (mixed["column_name"], mixed["masking_policy"]) == ("Mixed", None)
    assert {own["row_access_policy"], ssn["row_access_policy"]} == {"BY_PLAN"}


def test_rows_fit_the_dataset(tmp_path):
    put(tmp_path, "a.yaml", PUBLIC)
    put(tmp_path, "b.yml", FULL)
    (batch,) = source(tmp_path).read(PRODUCTS, Window(TONIGHT, "state")).batches
    drift = Drift()
    assert conform(batch, PRODUCTS, drift).bad == {}
    assert not drift.to_receipt()


BROKEN = {
    "unclosed": ("name: [", "not YAML that we read"),
    "tag": ("name: !!python/object/apply:os.system ['true']\n", "not YAML"),
    "aliases": ("a: &a [x, x]\nb: [*a, *a]\n", "line 2: aliases"),
    "key twice": ("name: a\nowners: [o]\nname: b\n", "line 3: a key stands twice"),
    "deep": ("[" * 60 + "]" * 60, "nested too deeply"),
    "latin": (b"name: \xff\n", "not UTF-8"),
    "nul": (b"name: a\0b\n", "not YAML"),
    "empty": ("", "document"),
    "list": ("- 1\n", "document"),
    "two documents": (PUBLIC + "---\n" + FULL, "not YAML"),
    "no owner": (PUBLIC.replace("owners: [data-commerce@carrier.example]\n", ""), "owners"),
    "no class": (PUBLIC.replace("classification: PHI-pseudonymous\n", ""), "classification"),
    "misspelled key": (PUBLIC.replace("roles_allowed", "roles_alowed"), "security_controls.roles_alowed"),
    "misspelled column key": (FULL.replace("masking_policy: MASK_SSN", "mask: MASK_SSN"), "columns.0.mask"),
    "two parts": (PUBLIC.replace("CARRIER_COMMERCE.PLATINUM.ORDERS", "PLATINUM.ORDERS"), "DATABASE.SCHEMA.NAME"),
    "wrong type": (PUBLIC.replace("name: orders_core", "name: {first: Jane Doe}"), "name"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_file_that_is_no_contract_is_counted_by_name(tmp_path, fault):
    text, pattern = BROKEN[fault]
    put(tmp_path, "good.yaml", FULL)
    put(tmp_path, "z/bad.yaml", text)
    reading, rows, reasons = read(tmp_path)
    assert len(rows) == 4
    assert len(reasons) == 1
    assert reasons[0].startswith("z/bad.yaml: ")
    assert pattern in reasons[0]
    assert "Jane" not in reasons[0]
    assert reading.totals.rows == 5


def test_one_product_in_two_files_is_a_contradiction(tmp_path):
    put(tmp_path, "a.yaml", PUBLIC)
    put(tmp_path, "b.yaml", PUBLIC)
    _, rows, reasons = read(tmp_path)
    assert len(rows) == 2
    assert reasons == ["b.yaml: the product of a.yaml once more"]


def test_no_contract_is_not_an_empty_dataset(tmp_path):
    put(tmp_path, "README.md", "hello")
    with pytest.raises(SourceUnavailableError, match="no contract"):
        read(tmp_path)
    with pytest.raises(SourceUnavailableError, match="no such folder"):
        read(tmp_path / "nowhere")


def test_links_are_refused(tmp_path):
    outside = put(tmp_path, "outside/a.yaml", PUBLIC)
    put(tmp_path, "in/b.yaml", FULL)
    (tmp_path / "in/a.yaml").symlink_to(outside)
    (tmp_path / "in/more").symlink_to(outside.parent)
    _, rows, reasons = read(tmp_path / "in")
    assert len(rows) == 4
    assert [reason.partition(":")[0] for reason in reasons] == ["a.yaml", "more"]


@pytest.mark.parametrize(
    ("members", "known", "faults"),
    [
        ({"as_of": "2026-07-02T03:00:00Z"}, True, 0),
        ({"as_of": "2026-07-01T03:00:00Z"}, False, 0),
        ({}, False, 0),
        ({"as_of": "yesterday"}, False, 1),
        ({"as_of": "2026-07-02T03:00:00Z", "status": "incomplete"}, True, 1),
    ],
)
def test_history_has_the_moment_it_claims(tmp_path, members, known, faults):
    put(tmp_path, "date=2026-07-01/a.yaml", PUBLIC)
    claim(tmp_path, "2026-07-01", **members)
    reading, rows, reasons = read(tmp_path, dt.date(2026, 7, 1))
    assert len(rows) == 2
    assert len(reasons) == faults
    assert reading.as_of == ((dt.datetime(2026, 7, 2, 3, tzinfo=dt.UTC), True) if known else None)


def test_history_states_totals_and_refusals(tmp_path):
    put(tmp_path, "date=2026-07-01/a.yaml", PUBLIC)
    claim(tmp_path, "2026-07-01", as_of="2026-07-02T03:00:00Z", totals={"rows": 9})
    assert read(tmp_path, dt.date(2026, 7, 1))[0].totals.rows == 9
    claim(tmp_path, "2026-07-01", status="denied", reason="no access to the repository")
    with pytest.raises(SourceDeniedError, match="no access"):
        read(tmp_path, dt.date(2026, 7, 1))


def test_history_may_state_the_commit_that_last_changed_a_file(tmp_path):
    put(tmp_path, "date=2026-07-01/a.yaml", PUBLIC)
    put(tmp_path, "date=2026-07-01/b.yaml", PUBLIC.replace("name: ", "name: other_", 1))
    stated = {"commit": "1f2e", "author": "Ines", "committed_at": "2026-06-30T10:00:00Z"}
    claim(tmp_path, "2026-07-01", as_of="2026-07-02T03:00:00Z", files={"a.yaml": stated})
    reading, rows, reasons = read(tmp_path, dt.date(2026, 7, 1))
    assert reasons == []
    known = {(row["file"], row["commit_sha"], row.get("file_commit_sha"), row.get("file_author")) for row in rows}
    assert known == {("date=2026-07-01/a.yaml", None, "1f2e", "Ines"), ("date=2026-07-01/b.yaml", None, None, None)}
    assert {row["file_committed_at"] for row in rows if row.get("file_commit_sha")} == {
        dt.datetime(2026, 6, 30, 10, tzinfo=dt.UTC)
    }
    assert reading.notes == ["2 contract files", "the commits that last changed them are the exporter's words"]


def git(folder, *words):
    command = [
        "git",
        "-C",
        str(folder),
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t.example",
        "-c",
        "commit.gpgsign=false",
        *words,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_row_names_the_commit_only_if_the_commit_holds_the_file(tmp_path):
    git(tmp_path, "init", "-q")
    put(tmp_path, "products/a.yaml", PUBLIC)
    put(tmp_path, "products/b.yaml", FULL)
    put(tmp_path, ".gitignore", "ignored.yaml\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    commit = git(tmp_path, "rev-parse", "HEAD")
    put(tmp_path, "products/b.yaml", FULL.replace("version: 2", "version: 3"))
    put(tmp_path, "products/new.yaml", PUBLIC.replace("orders_core", "new"))
    put(tmp_path, "products/ignored.yaml", PUBLIC.replace("orders_core", "ignored"))
    reading, rows, _ = read(tmp_path / "products")
    assert {row["file"]: row["commit_sha"] for row in rows} == {
        "a.yaml": commit,
        "b.yaml": None,
        "new.yaml": None,
        "ignored.yaml": None,
    }
    assert reading.system["commit"] == commit


def test_a_hostile_repository_runs_nothing(tmp_path):
    git(tmp_path, "init", "-q")
    put(tmp_path, "a.yaml", PUBLIC)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    witness = tmp_path / "witness"
    hook = put(tmp_path, ".git/evil.sh", f"#!/bin/sh\ntouch {witness}\n")
    hook.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(hook))
    read(tmp_path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.b.c", ("A", "B", "C")),
        ('"a".B."c ""d"" .e"', ("a", "B", 'c "d" .e')),
        ("a.b", None),
        ("a.b.c.d", None),
        ("a.b.c.", None),
        ("a..c", None),
        ("a.b.c d", None),
        ("", None),
    ],
)
def test_names_resolve_as_snowflake_resolves_them(text, parts):
    if parts is None:
        with pytest.raises(ValueError, match=r"DATABASE\.SCHEMA\.NAME"):
            qualified(text)
    else:
        assert qualified(text) == parts


# --- the whole contract, and its history in git --------------------------------------------------------------------

WHOLE = (
    PUBLIC
    + """\
criticality: high
limited_data_set: false
deidentification: {method: expert, document: DOC-7, expires: 2027-03-31}
cost: {monthly_cap_usd: 1200, tags: {cost_center: CC-123, env: prod}}
lineage: {sources: ["kafka:orders.v1"], transforms: ["dbt:STG_ORDERS"]}
collectors: [{name: orders_events_v1, key: order_id}]
audit_evidence: [{access_history: enabled}]
deprecation: {replaces: orders_core_v2, sunset: 2026-03-31, 7: x}
"""
)


def test_every_section_is_a_column(tmp_path):
    put(tmp_path, "a.yaml", WHOLE)
    _, (table, _), reasons = read(tmp_path)
    assert reasons == []
    sections = {
        key: json.loads(table[key]) for key in ("cost", "lineage", "deprecation", "quality_slo", "deidentification")
    }
    assert sections["cost"]["monthly_cap_usd"] == 1200
    assert sections["deprecation"] == {"replaces": "orders_core_v2", "sunset": "2026-03-31", "7": "x"}
    assert sections["deidentification"]["expires"] == "2027-03-31"
    assert sections["quality_slo"] == {"freshness_p95": "<=10m"}
    assert (table["criticality"], table["limited_data_set"], table["deidentified"]) == ("high", False, None)
    assert table["owners"] == ["data-commerce@carrier.example"]
    assert json.loads(table["interfaces"])["shares"] == ["carrier_share"]
    assert json.loads(table["security_controls"])["network_policy"] == "INTERNAL_ONLY_V1"
    assert json.loads(table["collectors"])[0]["key"] == "order_id"
    assert table["domain_database"] == "CARRIER_COMMERCE"
    assert len(table["file_sha256"]) == 64


@pytest.mark.parametrize(
    ("said", "deidentified", "limited"),
    [
        ("de-identified", True, None),
        ("Limited data set", None, True),
        ("limited_data_set", None, True),
        ("PHI", None, None),
    ],
)
def test_the_classification_says_what_kind_of_data_set(tmp_path, said, deidentified, limited):
    put(tmp_path, "a.yaml", PUBLIC.replace("PHI-pseudonymous", f'"{said}"'))
    _, (table, _), _ = read(tmp_path)
    assert (table["deidentified"], table["limited_data_set"]) == (deidentified, limited)


def test_columns_state_their_type(tmp_path):
    put(tmp_path, "b.yml", FULL.replace("class: SSN,", "class: SSN, type: 'VARCHAR(11)',"))
    _, (_, ssn, mixed, _), _ = read(tmp_path)
    assert (ssn["column_type"], mixed["column_type"]) == ("VARCHAR(11)", None)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (PUBLIC + "cost: {cap: .nan}\n", "cost"),
        (PUBLIC + "cost: {cap: !!binary aGVsbG8=}\n", "cost"),
        (PUBLIC.replace('quality_slo: {freshness_p95: "<=10m"}', "quality_slo: fresh"), "quality_slo"),
        (PUBLIC + "limited_data_set: perhaps\n", "limited_data_set"),
        (PUBLIC[: PUBLIC.index("  tables")], "interfaces"),
        (PUBLIC[: PUBLIC.index("  tables")].rstrip() + " {}\n", "interfaces: names no table"),
    ],
)
def test_a_section_that_cannot_be_read_is_counted(tmp_path, text, pattern):
    put(tmp_path, "bad.yaml", text)
    put(tmp_path, "good.yml", FULL)
    _, rows, reasons = read(tmp_path)
    assert len(rows) == 4
    assert [pattern in reason and reason.startswith("bad.yaml: ") for reason in reasons] == [True]


def commit(repository, text, when, name="products/a.yaml", **more):
    put(repository, name, text)
    git(repository, "add", ".")
    stamp = f"{when} +0000"
    command = [
        "git",
        "-C",
        str(repository),
        "-c",
        "user.name=t",
        "-c",
        f"user.email={more.get('author', 't@t.example')}",
    ]
    subprocess.run(
        [*command, "commit", "-q", "-m", "x"],
        check=True,
        env={"PATH": os.defpath, "GIT_COMMITTER_DATE": stamp, "GIT_AUTHOR_DATE": stamp, "HOME": str(repository)},
    )
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    """Three states of one contract on main, the last two on one day; another branch; a changed working tree."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    first = commit(folder, PUBLIC + "version: 1\n", "2026-09-01 10:00:00", author="ada@c.example")
    second = commit(folder, PUBLIC + "version: 2\n", "2026-09-20 10:00:00")
    third = commit(folder, PUBLIC + "version: 3\n", "2026-09-20 18:00:00", author="bob@c.example")
    commit(folder, FULL, "2026-09-25 09:00:00", "products/b.yml")
    git(folder, "checkout", "-q", "-b", "feature")
    commit(folder, PUBLIC + "version: 9\n", "2026-09-26 09:00:00")
    put(folder, "products/a.yaml", PUBLIC + "version: 10\n")
    return folder, (first, second, third)


def branch_source(folder, **more):
    return ContractsSource("contracts", folder, clock=lambda: NOW, branch="main", folder="products", **more)


def product_rows(opened, night):
    reading = opened.read(PRODUCTS, Window(night, "state"))
    (batch,) = reading.batches
    return reading, {row["product"]: row for row in batch.to_pylist()}


class TestBranch(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, repository):
        return branch_source(repository[0])


class TestBranchHistory(SourceSuite):
    @pytest.fixture
    def contracts(self):
        return CONTRACTS

    @pytest.fixture
    def source(self, repository):
        return branch_source(repository[0], history=True)


@pytest.mark.parametrize("bare", [False, True])
def test_the_branch_is_read_whatever_the_working_tree_says(repository, tmp_path, bare):
    folder, (_, _, third) = repository
    if bare:
        git(tmp_path, "clone", "-q", "--bare", str(folder), "bare.git")
        folder = tmp_path / "bare.git"
    reading, products = product_rows(branch_source(folder), TONIGHT)
    orders = products["orders_core"]
    assert set(products) == {"orders_core", "members"}
    assert (orders["version"], orders["file"], orders["file_commit_sha"]) == ("3", "a.yaml", third)
    assert (orders["file_author"], orders["commit_sha"]) == ("bob@c.example", reading.system["commit"])
    assert orders["file_authored_at"] == dt.datetime(2026, 9, 20, 18, tzinfo=dt.UTC)
    assert reading.as_of == (NOW, False)


def test_history_gives_each_night_its_commit(repository):
    folder, (first, _, _) = repository
    opened = branch_source(folder, history=True)
    nights = opened.nights(PRODUCTS)
    assert (nights[0], nights[-1], len(nights)) == (dt.date(2026, 9, 1), TONIGHT, 31)
    versions = {}
    for night in nights:
        reading, products = product_rows(opened, night)
        versions[night.day if night.month == 9 else 31] = products["orders_core"]["version"]
        moment, claimed = reading.as_of
        assert claimed is (night != TONIGHT)
        assert moment == (NOW if night == TONIGHT else Window(night, "state").start)
    assert [versions[day] for day in (1, 19, 20, 31)] == ["1", "1", "3", "3"]
    _, products = product_rows(opened, dt.date(2026, 9, 10))
    assert (products["orders_core"]["commit_sha"], set(products)) == (first, {"orders_core"})
    with pytest.raises(SourceUnavailableError):
        product_rows(opened, dt.date(2026, 8, 1))


def test_links_and_broken_files_of_a_commit_are_counted(repository):
    folder, _ = repository
    git(folder, "checkout", "-q", "-f", "main")
    (folder / "products/link.yaml").symlink_to("/etc/hostname")
    put(folder, "products/_draft/x.yaml", PUBLIC)
    commit(folder, "name: [", "2026-09-28 09:00:00", "products/broken.yaml")
    reading, products = product_rows(branch_source(folder), TONIGHT)
    assert set(products) == {"orders_core", "members"}
    assert [reason.partition(":")[0] for _, reason in reading.rejected] == ["broken.yaml", "link.yaml"]


def test_a_time_that_runs_backwards_is_said(repository):
    folder, _ = repository
    git(folder, "checkout", "-q", "-f", "main")
    commit(folder, PUBLIC + "version: 4\n", "2020-01-01 09:00:00")
    reading, products = product_rows(branch_source(folder), TONIGHT)
    assert products["orders_core"]["version"] == "4"
    assert "commit times run backwards on this branch" in reading.notes


def test_a_cut_history_an_unknown_branch_and_no_repository_are_refused(repository, tmp_path):
    folder, _ = repository
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "main", folder.as_uri(), "shallow")
    for path, branch in [(tmp_path / "shallow", "main"), (folder, "gone"), (folder, "--output=x"), (tmp_path, "main")]:
        opened = ContractsSource("contracts", path, clock=lambda: NOW, branch=branch)
        with pytest.raises(SourceUnavailableError) as caught:
            opened.read(PRODUCTS, Window(TONIGHT, "state"))
        assert caught.value.fix
    with pytest.raises(ConfigError):
        ContractsSource("contracts", folder, clock=lambda: NOW, history=True)


def test_a_branch_of_a_hostile_repository_runs_nothing_and_shows_no_substitute(repository, tmp_path):
    folder, (first, _, third) = repository
    witness = tmp_path / "witness"
    script = put(tmp_path, "evil.sh", f"#!/bin/sh\ntouch {witness}\ncat\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external", "core.sshCommand", "filter.x.smudge"):
        git(folder, "config", key, str(script))
    git(folder, "config", "log.showSignature", "true")
    put(folder, ".git/info/attributes", "* filter=x diff=x\n")
    tip = git(folder, "rev-parse", "main")
    git(folder, "replace", tip, first)
    git(folder, "replace", third, first)
    reading, products = product_rows(branch_source(folder), TONIGHT)
    assert reading.system["commit"] == tip
    assert products["orders_core"]["version"] == "3"
    assert not witness.exists()


def test_a_checkout_names_the_last_change_of_each_file(repository):
    folder, _ = repository
    git(folder, "checkout", "-q", "-f", "main")
    _, rows, _ = read(folder / "products")
    changed = {row["file"]: row["file_author"] for row in rows}
    assert changed == {"a.yaml": "bob@c.example", "b.yml": "t@t.example"}
