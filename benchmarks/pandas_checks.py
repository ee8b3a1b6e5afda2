"""A dozen checks in pandas and by controls: ``python -m benchmarks.pandas_checks [ROWS ...]``, by default 300,000 queries and as many accesses.

*Pandas*: each night's sealed parts are read by ``read_parquet`` (the columns needed, Arrow types, the night before where a check looks back), then
merges, groupbys and exploded lists of objects. *Controls*: the twelve controls below on the same nights by the engine, parts hashed against the log
before they are read. Either runs in a process of its own and says the population and what did not pass, control by control and night by night: where
the two differ, the benchmark is an error.

Given to pandas and not measured there: which files are evidence, parameters and registers as they are in force, and the columns that are declared to
hold PHI, which are the engine's own fact (from tags, contracts and dbt); the engine works all of it out inside its time. Not in pandas: what was observed
and expected of each item, reasons, waivers and reviews. Nights on which a source refused what a control needs are not compared: it says so, where pandas
counts what it was not shown. A size is rows over three nights.
"""

import datetime as dt
import ipaddress
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

try:
    from benchmarks import common
except ImportError:
    import common

from benchmarks import quarter

DEFAULT = (300_000,)
NIGHTS = 3


# --- what both are asked, and what pandas is given -----------------------------------------------------------------------------------------------------


def by_controls(folder: str, nights: str):
    """Judge the twelve controls on every night; nothing is sealed."""
    from evidence.cli.assess_command import reader_of
    from evidence.cli.workspace import Workspace
    from evidence.control.engine import assess_night

    workspace = Workspace.open(Path(folder))

    def run():
        counts, moment = {}, workspace.clock()
        reader = reader_of(workspace, moment)
        for night in quarter.nights_of(int(nights)):
            found = assess_night(
                workspace.library, workspace.registers, reader, night, known_at=moment, controls=list(CHECKS), engine=workspace.engine
            )  # fmt: skip
            counts[str(night)] = {each.control: counted(each) for each in found}
        workspace.close()
        return {"counts": counts}

    return run


def counted(finding):
    """Return the population and what did not pass; None where evidence was refused or missing and nothing was tested."""
    refused = finding.status == "not-assessed" and not finding.population
    return None if refused else [finding.population, finding.population - finding.passed]


def by_pandas(given: str):
    """Answer the same from what ``give`` wrote."""
    import pandas as pd  # noqa: F401 - loaded before it is measured, as the engine is

    nights = json.loads((Path(given) / "given.json").read_text())

    def run():
        counts = {}
        frames: dict[tuple[str, str, tuple[str, ...]], object] = {}
        for night, said in nights.items():
            one = Night(night, said, frames)
            counts[night] = {name: list(check(one)) for name, check in CHECKS.items()}
            for old in [key for key in frames if key[0] != night]:
                del frames[old]
        return {"counts": counts}

    return run


def give(made: Path, nights: int, out: Path) -> Path:
    """Write for pandas what no sealed file of a dataset says."""
    from evidence.cli.assess_command import reader_of
    from evidence.cli.workspace import Workspace
    from evidence.control.night import Night as Judged

    workspace = Workspace.open(made)
    reader = reader_of(workspace, workspace.clock())
    controls = [workspace.library.control(name) for name in CHECKS]
    datasets = {
        each.dataset
        for one in controls
        for each in (*one.evidence, *(e for f in workspace.library.facts_of(one) for e in f.evidence))
    }
    wanted, files = quarter.nights_of(nights), {}
    for night in wanted:
        judged = Judged(
            workspace.library, workspace.registers, reader, night, reader.known_at, workspace.engine.select, controls
        )
        registers = {
            name: workspace.registers.effective(name, night).to_pylist()
            for name in ("service_accounts", "break_glass", "human_key_allow", "network")
        }
        found = {
            name: [one for source in reader.sources(name) if (one := reader.snapshot(source, name, night))]
            for name in sorted(datasets)
        }
        files[str(night)] = {
            "parts": {
                name: [
                    [each.input.source, str(workspace.path / "store" / part.path)]
                    for each in sealed
                    for part in reader.manifest(workspace.index.latest(each.input.source, name, night)).parts
                ]
                for name, sealed in found.items()
            },
            "captured": {
                name: max(each.captured_at for each in sealed).isoformat()
                for name, sealed in found.items()
                if sealed and sealed[0].captured_at
            },
            "registers": registers,
            "parameters": {one.id: dict(one.effective) for one in controls},
            "platform_users": workspace.library.settings["platform_users"],
            "phi": [row for row in judged.fact("phi_columns").to_pylist() if row["state"] == "declared"],
        }
    for night, before in zip(wanted[1:], wanted, strict=False):
        files[str(night)]["before"] = files[str(before)]["parts"]
    workspace.close()
    out.mkdir(parents=True, exist_ok=True)
    (out / "given.json").write_text(json.dumps(files, default=str))
    return out


# --- the checks, as somebody writes them who knows pandas ----------------------------------------------------------------------------------------------


@dataclass
class Night:
    """One night: its frames, and what is given of it."""

    night: str
    said: dict
    frames: dict = field(default_factory=dict)
    made: dict = field(default_factory=dict)  # what several checks share is worked out once

    @property
    def date(self) -> dt.date:
        return dt.date.fromisoformat(self.night)

    def read(self, dataset: str, columns: tuple[str, ...], back: int = 0):
        """Return the columns of the night, with ``back`` those of the night before too."""
        import pandas as pd

        whole = [self._one(self.night, self.said["parts"], dataset, columns)]
        if back and "before" in self.said:
            whole.insert(0, self._one(str(self.date - dt.timedelta(days=1)), self.said["before"], dataset, columns))
        return pd.concat(whole, ignore_index=True) if len(whole) > 1 else whole[0]

    def _one(self, night: str, parts: dict, dataset: str, columns: tuple[str, ...]):
        import pandas as pd

        key = (night, dataset, columns)
        if key not in self.frames:
            found = [
                pd.read_parquet(path, columns=list(columns), dtype_backend="pyarrow", partitioning=None).assign(
                    source=source
                )
                for source, path in parts[dataset]
            ]
            whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*columns, "source"])
            self.frames[key] = whole.assign(night=dt.date.fromisoformat(night))
        return self.frames[key]

    def as_of(self, *datasets: str):
        import pandas as pd

        return max(pd.Timestamp(self.said["captured"][name]) for name in datasets)

    def parameters(self, control: str) -> dict:
        return self.said["parameters"][control]

    def registered(self, register: str, column: str = "user", **where: str) -> set[str]:
        rows = self.said["registers"][register]
        return {row[column] for row in rows if all(row[name] == value for name, value in where.items())}


def yes(series):
    """A flag that is not known is none."""
    return series.fillna(value=False).astype(bool)


def users(one: Night):
    if "users" not in one.made:
        one.made["users"] = _users(one)
    return one.made["users"].copy()


def _users(one: Night):
    names = ("name", "type", "disabled", "deleted_on", "expires_at", "created_on", "has_password", "has_mfa", "ext_authn_duo", "bypass_mfa_until", "has_rsa_public_key", "has_workload_identity", "has_pat", "last_success_login")  # fmt: skip
    u = one.read("snowflake.users", names).copy()
    u["type"] = u["type"].str.upper()
    u["registered"] = u["name"].isin(one.registered("service_accounts"))
    u["live"] = u["deleted_on"].isna()
    u["active"] = (
        u["live"]
        & (u["disabled"].str.lower() != "true").fillna(value=True)
        & (u["expires_at"].isna() | yes(u["expires_at"] > one.as_of("snowflake.users")))
    )
    own = u["name"].isin(one.said["platform_users"]) & ~yes(u["has_password"]) & ~yes(u["has_rsa_public_key"])
    u["kind"] = "human"
    u.loc[u["type"].isin(["SERVICE", "LEGACY_SERVICE"]) | u["registered"], "kind"] = "service"
    u.loc[u["type"].isin(["SNOWFLAKE_SERVICE", "SERVICE_AGENT"]) | own, "kind"] = "platform"
    return u


LOGINS = ("event_id", "event_timestamp", "event_type", "user_name", "client_ip", "client_private_link_id", "first_authentication_factor", "second_authentication_factor", "is_success", "error_code", "login_details")  # fmt: skip


def mfa_at_login(one: Night):
    import pandas as pd

    p, u, h = one.parameters("identity-mfa-at-login"), users(one), one.read("snowflake.login_history", LOGINS)
    machine = (
        (u["type"].eq("SERVICE").fillna(value=False) | u["kind"].eq("platform")).groupby([u["source"], u["name"]]).all()
    )
    machines = machine[machine].reset_index()[["source", "name"]].rename(columns={"name": "user_name"})
    h = h[
        h["event_type"].fillna("LOGIN").str.upper().eq("LOGIN")
        & h["is_success"].str.upper().ne("NO").fillna(value=True)
        & ~h["client_ip"].isin(p["ignore_client_ips"])
    ]
    h = h.merge(machines, on=["source", "user_name"], how="left", indicator=True).query("_merge == 'left_only'")
    h = h.assign(
        factor=h["first_authentication_factor"].str.upper(),
        single=h["second_authentication_factor"].str.strip().fillna("").eq(""),
        unclear=h["is_success"].str.upper().ne("YES").fillna(value=True),
    )
    ways = h.groupby(["source", "user_name", "factor"], dropna=False)[["single", "unclear"]].sum().reset_index()
    keys = {(row["user"], row["kind"]) for row in one.said["registers"]["human_key_allow"]}
    kinds = dict.fromkeys(p["key_factors"], "KEYPAIR") | dict.fromkeys(p["token_factors"], "PAT")
    allowed = pd.Series(
        [(user, kinds.get(factor)) in keys for user, factor in zip(ways["user_name"], ways["factor"], strict=True)],
        dtype=bool,
    )
    fine = (
        ways["factor"].isin(p["federated_factors"])
        | (ways["factor"].eq("PASSWORD").fillna(value=False) & ways["single"].eq(0))
        | allowed
    )
    return len(ways), int((~(fine & ways["unclear"].eq(0) & ways["user_name"].notna())).sum())


def bruteforce(one: Night):
    import pandas as pd

    p, a = one.parameters("monitor-bruteforce"), one.read("snowflake.login_history", LOGINS, back=1)
    sources = set(a["source"])
    a = a[a["event_type"].fillna("LOGIN").str.upper().eq("LOGIN")].copy()
    a["client_ip"] = a["client_ip"].fillna("unknown")
    a["success"] = a["is_success"].str.upper().eq("YES")
    a["failed"] = ~yes(a["success"]) & ~a["error_code"].isin(p["ignore_error_codes"])
    warned = a["login_details"].str.contains("malicious_ip_protection_info").fillna(value=False).astype(bool)
    told = a.loc[warned, "login_details"].map(lambda text: json.loads(text).get("malicious_ip_protection_info"))
    a["flagged"] = False
    a.loc[told[told.notna()].index, "flagged"] = True
    tonight = a["night"] == one.date
    midnight, window, after = (
        pd.Timestamp(one.date, tz="UTC"),
        pd.Timedelta(minutes=p["window_minutes"]),
        pd.Timedelta(minutes=p["success_minutes"]),
    )
    near = tonight | yes(a["event_timestamp"] > midnight - window - after)
    undated = tonight & a["event_timestamp"].isna()
    of_users = a[((a["failed"] & near) | undated) & a["user_name"].notna()]
    of_places = a[(a["failed"] & near) | (a["flagged"] & tonight)]
    population = {(s, "user", who) for s, who in zip(of_users["source"], of_users["user_name"], strict=True)}
    population |= {(s, "ip", who) for s, who in zip(of_places["source"], of_places["client_ip"], strict=True)}
    population |= {(s, "unknown", "") for s in sources}

    hits = {(s, "user", who) for s, who in zip(a.loc[undated, "source"], a.loc[undated, "user_name"], strict=True)}
    failed = a[a["failed"]].sort_values(["event_timestamp", "event_id"])
    known = failed[failed["user_name"].notna()]
    first = known.groupby(["source", "user_name"])["event_timestamp"].shift(p["n_user"] - 1)
    bursts = known[yes(first >= known["event_timestamp"] - window)]
    hits |= {
        (s, "user", who)
        for s, who, night in zip(bursts["source"], bursts["user_name"], bursts["night"], strict=True)
        if night == one.date
    }
    signed = a.loc[yes(a["success"]) & tonight, ["source", "user_name", "event_timestamp"]]
    followed = bursts[["source", "user_name", "event_timestamp"]].merge(
        signed, on=["source", "user_name"], suffixes=("", "_after")
    )
    soon = followed["event_timestamp_after"].sub(followed["event_timestamp"]).between(pd.Timedelta(0), after)
    hits |= {
        (s, "user", who) for s, who in zip(followed.loc[soon, "source"], followed.loc[soon, "user_name"], strict=True)
    }
    many = failed.groupby(["source", "client_ip"])["user_name"].nunique()
    for s, ip in many[many >= p["n_spray"]].index:
        there = failed[failed["source"].eq(s) & failed["client_ip"].eq(ip) & failed["event_timestamp"].notna()]
        late = there[there["night"] == one.date]
        if any(
            there.loc[there["event_timestamp"].between(at - window, at), "user_name"].nunique() >= p["n_spray"]
            for at in late["event_timestamp"].unique()
        ):
            hits.add((s, "ip", ip))
    for at, said in told[told.notna()].items():
        harmless = str(said.get("riskClassification", "")).upper() in {"NONE", "LOW", "SAFE"} and not str(
            said.get("result", "BLOCK")
        ).upper().startswith("BLOCK")
        if a.loc[at, "night"] == one.date and not harmless:
            hits.add((a.loc[at, "source"], "ip", a.loc[at, "client_ip"]))
    last = failed[failed["night"] == one.date]
    unnamed = last[last["user_name"].isna()].groupby("source").size()
    hits |= {(s, "unknown", "") for s, count in unnamed.items() if count >= p["n_unknown"]}
    unclear = last[last["event_timestamp"].isna() | last["success"].isna()]
    hits |= {(s, "user", who) for s, who in zip(unclear["source"], unclear["user_name"], strict=True)}
    hits |= {(s, "ip", who) for s, who in zip(unclear["source"], unclear["client_ip"], strict=True)}
    return len(population), len(population & hits)


def private_logins(one: Night):
    p, h = one.parameters("network-private-logins"), one.read("snowflake.login_history", LOGINS)
    h = h[h["is_success"].str.upper().ne("NO").fillna(value=True)]
    ways = h.assign(address=h["client_ip"].where(h["client_private_link_id"].isna()))[
        ["source", "user_name", "client_private_link_id", "address"]
    ].drop_duplicates()
    addresses = ways["address"].dropna().unique()
    rows = one.said["registers"]["network"]
    ranges = [
        (ipaddress.ip_network(row["entry"], strict=False))
        for row in rows
        if row["kind"] == "saas" or (p["mode"] == "ip" and row["kind"] == "cidr")
    ]
    inside = {"INTERNAL_SNOWFLAKE_IP", "0.0.0.0"}
    inside |= {text for text in addresses if _address(text) and any(_address(text) in each for each in ranges)}
    endpoints = {row["entry"] for row in rows if row["kind"] == "vpce"}
    return len(ways), int((~(ways["client_private_link_id"].isin(endpoints) | ways["address"].isin(inside))).sum())


def _address(text: str):
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None


def dormant(one: Night):
    import pandas as pd

    p, u, as_of = one.parameters("identity-dormant"), users(one), one.as_of("snowflake.users")
    limit = u["kind"].eq("service").map({True: p["service_max_idle_days"], False: p["max_idle_days"]})
    u["oldest"] = as_of - pd.to_timedelta(limit.astype("int64"), unit="D")
    u = u[u["active"] & u["kind"].ne("platform") & (u["created_on"].isna() | yes(u["created_on"] < u["oldest"]))]
    h, q = one.read("snowflake.login_history", LOGINS), one.read("snowflake.query_history", QUERIES)
    h = h[yes(h["is_success"].str.upper().eq("YES"))]
    last = pd.concat([
        h.groupby(["source", "user_name"])["event_timestamp"].max(),
        q.groupby(["source", "user_name"])["start_time"].max(),
        u.groupby(["source", "name"])["last_success_login"].max().rename_axis(["source", "user_name"]),
    ]).groupby(level=[0, 1]).max()  # fmt: skip
    u = u.merge(last.rename("last_use"), how="left", left_on=["source", "name"], right_index=True)
    used = yes(u["last_use"] >= u["oldest"]) | u["name"].isin(one.registered("break_glass"))
    return len(u), int((~used).sum())


def mfa_humans(one: Night):
    import pandas as pd

    p, u = one.parameters("identity-mfa-humans"), users(one)
    as_of = one.as_of("snowflake.users", "snowflake.credentials")
    c = one.read("snowflake.credentials", CREDENTIALS)
    c = c[c["domain"].str.upper().eq("MFA_METHOD").fillna(value=False)]
    pending = c["status"].str.upper().eq("PENDING").groupby([c["source"], c["user_name"]]).all()
    u = u[u["kind"].eq("human") & u["active"] & u["has_password"].ne(other=False).fillna(value=True)].merge(
        pending.rename("pending"), how="left", left_on=["source", "name"], right_index=True
    )
    waits = yes(u["pending"]) & ~yes(u["ext_authn_duo"]) & (not p["count_pending"])
    fresh = yes(u["created_on"].between(as_of - pd.Timedelta(hours=p["grace_hours"]), as_of, inclusive="right"))
    fine = fresh | (yes(u["has_mfa"]) & ~waits & ~yes(u["bypass_mfa_until"] > as_of))
    return len(u), int((~fine).sum())


def service_keypair(one: Night):
    p, u, h = one.parameters("identity-service-keypair"), users(one), one.read("snowflake.login_history", LOGINS)
    u = u[u["live"]]
    absent = one.registered("service_accounts") - set(u["name"])
    u = u[u["type"].isin(["SERVICE", "LEGACY_SERVICE"]) | u["registered"]]
    h = h[
        yes(h["first_authentication_factor"].str.upper().eq("PASSWORD"))
        & h["is_success"].str.upper().ne("NO").fillna(value=True)
    ]
    passwords = u.merge(
        h[["source", "user_name"]].drop_duplicates(),
        how="left",
        left_on=["source", "name"],
        right_on=["source", "user_name"],
    )["user_name"].notna()
    keyed = (yes(u["has_rsa_public_key"]) & ("KEYPAIR" in p["allowed_auth"])) | (
        yes(u["has_workload_identity"]) & ("WORKLOAD_IDENTITY" in p["allowed_auth"])
    )
    fine = (
        yes(u["type"].eq("SERVICE"))
        & ~yes(u["has_password"])
        & keyed
        & (p["allow_pat"] | yes(u["has_pat"].eq(other=False)))
        & u["registered"]
        & ~passwords.to_numpy()
    )
    return len(u) + len(absent), int((~fine).sum()) + len(absent)


CREDENTIALS = (
    "credential_id",
    "user_name",
    "domain",
    "type",
    "status",
    "created_on",
    "expiration_date",
    "additional_details",
)


def credential_age(one: Night):
    import pandas as pd

    p, u = one.parameters("identity-credential-age"), users(one)
    as_of = one.as_of("snowflake.users", "snowflake.credentials")
    c = one.read("snowflake.credentials", CREDENTIALS)
    c = c[
        c["type"].str.upper().isin(["KEYPAIR", "PAT"]) & ~c["status"].str.upper().isin(["EXPIRED", "DISABLED"])
    ].copy()
    c["type"] = c["type"].str.upper()
    usable = u.groupby("name")["active"].any()
    unlisted = 0
    for kind, flag in (("KEYPAIR", "has_rsa_public_key"), ("PAT", "has_pat")):
        unlisted += int(
            (
                u["active"]
                & u["kind"].ne("platform")
                & yes(u[flag])
                & ~u["name"].isin(c.loc[c["type"].eq(kind), "user_name"])
            ).sum()
        )
    c = c[c["user_name"].map(usable).fillna(value=True).astype(bool)]
    settled = c["type"].eq("KEYPAIR") & yes(c["created_on"] < as_of - pd.Timedelta(days=p["overlap_days"]))
    keys = settled.groupby(c["user_name"]).transform("sum")
    young = yes(c["created_on"] >= as_of - pd.Timedelta(days=p["key_max_days"])) & keys.lt(2)
    details = c["additional_details"].map(lambda text: json.loads(text) if isinstance(text, str) else {})
    role = (
        details.map(lambda said: str(said.get("ROLE_RESTRICTION") or "").strip())
        .astype("string[pyarrow]")
        .str.fullmatch(r'\["[^"]+"\]|[^\[\]{}",]+')
    )
    bypass = details.map(lambda said: str(said.get("MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT") or 0) != "0")
    short = yes(c["expiration_date"] <= c["created_on"] + pd.Timedelta(days=p["pat_max_days"]))
    token = (
        c["user_name"].isin(one.registered("human_key_allow", kind="PAT")) & short & yes(role) & ~bypass.astype(bool)
    )
    fine = (c["type"].eq("KEYPAIR") & young) | (c["type"].eq("PAT") & token)
    return len(c) + unlisted, int((~fine).sum()) + unlisted


def auto_suspend(one: Night):
    import pandas as pd

    p = one.parameters("cost-auto-suspend")
    w = one.read("snowflake.warehouses", WAREHOUSES)
    w = w[~w["name"].str.startswith("SYSTEM$")]
    t = one.read("snowflake.warehouse_parameters", ("warehouse_name", "key", "value")).query(
        "key == 'STATEMENT_TIMEOUT_IN_SECONDS'"
    )
    w = w.merge(
        t[["source", "warehouse_name", "value"]],
        how="left",
        left_on=["source", "name"],
        right_on=["source", "warehouse_name"],
    )
    idle = w["name"].isin(p["batch_warehouses"]).map({True: p["batch_idle_seconds"], False: p["max_idle_seconds"]})
    timeout = pd.to_numeric(w["value"], errors="coerce")
    fine = (
        yes(w["auto_suspend"].between(1, idle))
        & yes(w["auto_resume"].str.lower().eq("true"))
        & yes(timeout.between(1, p["max_statement_seconds"]))
        & yes(w["max_cluster_count"] <= p["max_clusters"])
    )
    return len(w), int((~fine).sum())


WAREHOUSES = ("name", "auto_suspend", "auto_resume", "max_cluster_count", "resource_monitor")


def resource_monitor(one: Night):
    import pandas as pd

    p = one.parameters("cost-resource-monitor")
    m = one.read(
        "snowflake.resource_monitors_show",
        ("name", "credit_quota", "level", "notify_at", "suspend_at", "suspend_immediately_at"),
    )
    w = one.read("snowflake.warehouses", WAREHOUSES)
    account = m[yes(m["level"].str.upper().eq("ACCOUNT"))].set_index("source")["name"]
    w = w[~w["name"].str.startswith("SYSTEM$")].copy()
    own = w["resource_monitor"].str.lower().ne("null")
    shared = w["resource_monitor"].notna() & (
        w["name"].isin(p["shared_warehouses"]) | (not p["require_warehouse_level"])
    )
    w["monitor"] = w["resource_monitor"].where(yes(own), w["source"].map(account).where(shared))
    if p["require_account_level"]:
        more = pd.DataFrame({"source": w["source"].unique()})
        w = pd.concat([w, more.assign(monitor=more["source"].map(account))], ignore_index=True)
    w = w[["source", "monitor"]].merge(m, how="left", left_on=["source", "monitor"], right_on=["source", "name"])
    first = {
        each: pd.to_numeric(w[each].astype("string[pyarrow]").str.extract(r"(\d+)")[0])
        for each in ("suspend_at", "suspend_immediately_at")
    }
    suspend = pd.concat(first, axis=1).min(axis=1)
    notify = (
        w["notify_at"]
        .map(lambda text: min(map(int, re.findall(r"\d+", text)), default=None) if isinstance(text, str) else None)
        .astype("float64")
    )
    fine = (
        yes(pd.to_numeric(w["credit_quota"], errors="coerce") > 0)
        & (suspend <= p["max_suspend"])
        & (notify <= p["max_notify"])
        & (notify < suspend)
    )
    return len(w), int((~yes(fine)).sum())


QUERIES = (
    "query_id",
    "query_type",
    "query_text",
    "user_name",
    "user_type",
    "role_name",
    "execution_status",
    "start_time",
    "rows_written_to_result",
)
ACCESSES = ("query_id", "query_start_time", "user_name", "base_objects_accessed", "direct_objects_accessed")


def phi_reads(one: Night):
    """A row for each statement that ended tonight and each object with declared PHI it read; whether the statement names the object."""
    import pandas as pd

    if "phi reads" in one.made:
        return one.made["phi reads"]
    phi = pd.DataFrame(
        one.said["phi"], columns=["database_name", "schema_name", "object_name", "column_name", "table_id", "column_id"]
    )
    phi["path"] = phi["database_name"] + "." + phi["schema_name"] + "." + phi["object_name"]
    spelled = {row.path: row.path for row in phi.itertuples()} | {
        str(row.table_id): row.path for row in phi.itertuples() if row.table_id
    }
    marks = (
        pd.concat(
            [
                phi[["path", "column_name"]].set_axis(["path", "mark"], axis=1),
                phi[["path", "column_id"]].astype(str).set_axis(["path", "mark"], axis=1),
            ]
        )
        .dropna()
        .drop_duplicates()
    )
    bare = set(phi.loc[phi["column_name"].isna(), "path"])

    a = one.read("snowflake.access_history", ACCESSES, back=1)
    ended = (
        one.read("snowflake.query_history", QUERIES, back=1)[["source", "query_id", "night"]]
        .drop_duplicates()
        .rename(columns={"night": "ended"})
    )
    a = a.merge(ended, on=["source", "query_id"], how="left")
    judged = a["ended"].where(a["ended"].notna(), a["night"].map(lambda night: night + dt.timedelta(days=1)))
    a = a[judged == one.date].reset_index(drop=True)

    def objects(column: str):
        o = a[column].explode().dropna()
        return pd.DataFrame(
            {
                "n": o.index,
                "object_id": o.struct.field("object_id").to_numpy(),
                "object_name": o.struct.field("object_name").to_numpy(),
                "columns": o.struct.field("columns").array,
            }
        )

    def touched(o):
        o = o.assign(path=o["object_name"].map(spelled).where(lambda s: s.notna(), o["object_id"].map(spelled)))
        o = o[o["path"].notna()]
        named = o[["n", "path"]].drop_duplicates()
        c = o.set_index(["n", "path"])["columns"].explode()
        whole = c[c.isna()].index.to_frame(index=False)
        c = c.dropna()
        seen = c.index.to_frame(index=False)
        seen = pd.concat([seen.assign(mark=c.struct.field(each).to_numpy()) for each in ("column_name", "column_id")])
        hits = pd.concat(
            [seen.merge(marks, on=["path", "mark"])[["n", "path"]], seen[seen["path"].isin(bare)][["n", "path"]], whole]
        ).drop_duplicates()
        return hits, named

    base, direct = objects("base_objects_accessed"), objects("direct_objects_accessed")
    cut = base[yes(base["object_id"].eq("-1")) | yes(base["object_name"].eq("TRUNCATED"))]["n"]
    unsure = set(cut) | set(a.index[a["base_objects_accessed"].isna()])
    (below, _), (above, named) = touched(base), touched(direct)
    reads = pd.concat([below, above[~above["n"].isin(below["n"])]])
    reads = reads[~reads["n"].isin(unsure)].merge(named.assign(named=True), on=["n", "path"], how="left")
    reads = pd.concat([reads, pd.DataFrame({"n": sorted(unsure), "path": None, "named": False})], ignore_index=True)
    whole = reads.merge(a[["source", "query_id", "query_start_time", "user_name"]], left_on="n", right_index=True)
    u = users(one)
    machine = u["kind"].ne("human").groupby([u["source"], u["name"]]).all()
    services = set(machine[machine].index)
    whole = whole[[key not in services for key in zip(whole["source"], whole["user_name"], strict=True)]]
    one.made["phi reads"] = whole
    return whole


def bulk_read(one: Night):
    p, q = one.parameters("data-phi-bulk-read"), one.read("snowflake.query_history", QUERIES, back=1)
    s = phi_reads(one)[["source", "user_name", "query_id", "query_start_time"]].drop_duplicates()
    got = q.groupby(["source", "query_id"])["rows_written_to_result"].max()
    s = s.merge(got.rename("got"), how="left", left_on=["source", "query_id"], right_index=True)
    hour = s["query_start_time"].dt.hour
    s["off"] = s["got"].where(yes((hour >= p["off_from"]) | (hour < p["off_to"])))
    s["told"] = s["got"].notna() & s["query_start_time"].notna()
    r = s.groupby(["source", "user_name"], dropna=False).agg(
        got=("got", "sum"), off=("off", "sum"), told=("told", "all")
    )
    others = r.groupby("source")["got"].transform("sum") - r["got"]
    peers = r.groupby("source")["got"].transform("size") - 1
    above = r["got"].gt(p["peer_floor"]) & peers.ge(p["min_peers"]) & (r["got"] * peers > p["peer_factor"] * others)
    hit = r["got"].gt(p["abs_rows"]) | r["off"].gt(p["off_rows"]) | above | ~r["told"]
    return len(r), int(yes(hit).sum())


def select_star(one: Night):
    p, q = one.parameters("data-select-star"), one.read("snowflake.query_history", QUERIES, back=1)
    s = phi_reads(one)
    s = s[yes(s["named"])].merge(
        q[["source", "query_id", "query_type", "query_text", "rows_written_to_result"]],
        on=["source", "query_id"],
        how="left",
    )
    s = s[s["query_type"].str.upper().fillna("SELECT").eq("SELECT")]
    c = one.read("snowflake.columns", ("table_catalog", "table_schema", "table_name", "column_name", "deleted"))
    c = c[c["deleted"].isna()]
    widths = (
        c.groupby(["source", c["table_catalog"] + "." + c["table_schema"] + "." + c["table_name"]])
        .size()
        .rename("width")
        .rename_axis(["source", "path"])
    )
    a = one.read("snowflake.access_history", ACCESSES, back=1)
    a = (
        a[a["query_id"].isin(s["query_id"])]
        .set_index(["source", "query_id"])["base_objects_accessed"]
        .explode()
        .dropna()
    )
    touched = a.index.to_frame(index=False).assign(
        path=a.struct.field("object_name").to_numpy(), touched=a.struct.field("columns").list.len().to_numpy()
    )
    touched = touched.groupby(["source", "query_id", "path"])["touched"].max()
    s = s.merge(touched, how="left", left_on=["source", "query_id", "path"], right_index=True).merge(
        widths, how="left", left_on=["source", "path"], right_index=True
    )
    small = yes(s["rows_written_to_result"] <= p["row_limit"])
    star = s["query_text"].str.contains(
        r'(?is)^[\s(]*SELECT\s+(?:DISTINCT\s+|ALL\s+|TOP\s+\S+\s+)?(?:[\w"$]+\.)*\*', regex=True
    )
    wide = (s["touched"] * 100 >= s["width"] * p["wide_pct"]).where(
        s["touched"].notna() & s["width"].notna(), other=True
    )
    s["fine"] = small | (~star.fillna(value=True).astype(bool) & ~wide.astype(bool))
    items = s.groupby(["source", "user_name", "path"], dropna=False)["fine"].all()
    return len(items), int((~items).sum())


WATCHED = r"(?:MASKING|ROW\s+ACCESS|AGGREGATION|PROJECTION|JOIN|AUTHENTICATION|PASSWORD|SESSION|NETWORK)\s+(?:POLICY|POLICIES|RULE)|\bUNSET\s+MASKING|\b(?:SET|UNSET|WITH|CREATE|REPLACE|ALTER|DROP|UNDROP|EXISTS)\s+TAG\b|\bINTEGRATION\b|\bSHARE\b|\b(?:ALTER|CREATE)\s+ACCOUNT\b|^\s*(?:GRANT|REVOKE)\b|\b(?:CREATE|ALTER|DROP|REPLACE)\s+(?:USER|ROLE|DATABASE\s+ROLE)\b|NETWORK_POLICY"
REMOVES = r"\b(?:UNSET|DROP)\s+(?:ALL\s+)?(?:MASKING|ROW\s+ACCESS|AGGREGATION|PROJECTION|JOIN|AUTHENTICATION|PASSWORD|SESSION)\s+(?:POLICY|POLICIES)|\bDROP\s+ALL\s+ROW\s+ACCESS|\bUNSET\s+(?:TAG|NETWORK_POLICY|MASKING)|\bDROP\s+TAG\b"


def privileged_changes(one: Night):
    import pandas as pd

    p, q = one.parameters("monitor-privileged-changes"), one.read("snowflake.query_history", QUERIES)
    kind = q["query_type"].str.upper()
    q = q[~kind.isin(p["plain_types"]) & ~yes(q["execution_status"].str.upper().str.startswith("FAIL"))]
    q = q.sort_values(["start_time", "query_text"]).drop_duplicates(["source", "query_id"])
    kind, text = q["query_type"].str.upper(), q["query_text"].str.upper()
    watched = (
        yes(kind.str.contains(r"^(?:GRANT|REVOKE)|USER|ROLE|INTEGRATION|NETWORK|POLICY|TAG|SHARE|ACCOUNT"))
        | yes(text.str.contains(WATCHED))
        | (text.isna() & kind.fillna("UNKNOWN").eq("UNKNOWN"))
    )
    q, text = q[watched], text[watched]
    minutes = pd.Timedelta(minutes=p["match_minutes"])
    r = one.read("records.ci_runs", ("kind", "started_at", "completed_at"))
    r = r[r["kind"].eq("deploy")] if len(r) else r
    i = one.read("dbt.invocations", ("target_name", "invocation_started_at", "generated_at"))
    i = i[i["target_name"].isin(p["targets"])]
    runs = [(a, b if pd.notna(b) else a + minutes) for a, b in zip(r["started_at"], r["completed_at"], strict=True)]
    runs += list(zip(i["invocation_started_at"], i["generated_at"], strict=True))
    in_run = pd.Series(data=False, index=q.index)
    for starts, ends in runs:
        in_run |= yes(q["start_time"].between(starts, ends))
    t = one.read(
        "records.tickets",
        ("type", "status", "requester", "user_name", "approver", "approved_at", "window_start", "window_end"),
    )
    t = t[
        t["type"].isin(["change", "break_glass", "access", "access_removal"])
        & t["status"].isin(["approved", "in_progress", "resolved", "closed"])
    ]
    covered = pd.Series(data=False, index=q.index)
    for each in t.itertuples():
        if (
            pd.notna(each.approver)
            and pd.notna(each.requester)
            and each.approver.upper() not in {each.requester.upper(), str(each.user_name).upper()}
        ):
            starts = (
                each.window_start
                if pd.notna(each.window_start) and each.window_start > each.approved_at
                else each.approved_at
            )
            ends = each.window_end if pd.notna(each.window_end) else each.approved_at + minutes
            who = each.user_name if pd.notna(each.user_name) else each.requester
            covered |= yes(q["user_name"].str.upper().eq(who.upper())) & yes(q["start_time"].between(starts, ends))
    pairs = {(row["user"], row["role"]) for row in one.said["registers"]["service_accounts"]}
    known = pd.Series(
        [pair in pairs for pair in zip(q["user_name"], q["role_name"], strict=True)], index=q.index, dtype=bool
    )
    deployer = known & yes(q["user_type"].str.upper().eq("SERVICE")) & q["role_name"].isin(p["deployer_roles"])
    removes = yes(text.str.contains(REMOVES))
    fine = q["query_id"].notna() & ((deployer & in_run) | (~removes & covered))
    return len(q), int((~fine).sum())


CHECKS: dict[str, Callable[[Night], tuple[int, int]]] = {
    "identity-mfa-at-login": mfa_at_login,
    "monitor-bruteforce": bruteforce,
    "network-private-logins": private_logins,
    "identity-dormant": dormant,
    "identity-mfa-humans": mfa_humans,
    "identity-service-keypair": service_keypair,
    "identity-credential-age": credential_age,
    "cost-auto-suspend": auto_suspend,
    "cost-resource-monitor": resource_monitor,
    "data-phi-bulk-read": bulk_read,
    "data-select-star": select_star,
    "monitor-privileged-changes": privileged_changes,
}


# --- measured ------------------------------------------------------------------------------------------------------------------------------------------


def run(sizes, rounds, folder: Path | None = None):
    """Return rows of seconds and memory for each size."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="evidence-bench-") as scratch:
            made = quarter.make(folder or Path(scratch), NIGHTS, size)
            rows += _measured(made, give(made, NIGHTS, Path(scratch) / "given"), size, rounds)
    return rows


def _measured(made: Path, given: Path, size: int, rounds: int):
    actions = {
        "pandas": lambda: common.apart("pandas_checks", "by_pandas", given),
        "controls": lambda: common.apart("pandas_checks", "by_controls", made, NIGHTS),
    }
    found = common.in_turn(actions, rounds)
    compare(*(runs[-1].notes["counts"] for runs in found.values()))
    named = {
        f"twelve checks, {name}, {size:,} + {size:,}": [_short(run) for run in runs] for name, runs in found.items()
    }
    base = next(iter(named))
    wall = common.rows_of("pandas", {f"{name}, wall": runs for name, runs in named.items()}, f"{base}, wall", of="wall")
    return [*common.rows_of("pandas", named, base), *wall, *common.peaks_of("pandas", named)]


def compare(mine, theirs):
    """Raise where a control's population, or what did not pass of it, differs on any night on which it was tested."""
    other = [
        f"{night} {name}: pandas {mine[night][name]}, controls {theirs[night][name]}"
        for night in theirs
        for name in CHECKS
        if theirs[night][name] is not None and list(mine[night][name]) != list(theirs[night][name])
    ]
    if other:
        raise RuntimeError("counts differ:\n" + "\n".join(other))


def _short(run: common.Took) -> common.Took:
    counts = [count for night in run.notes["counts"].values() for count in night.values()]
    items, failed = (sum(count[which] for count in counts if count) for which in (0, 1))
    return replace(run, notes={"items": items, "not passed": failed, "not tested": counts.count(None)})


if __name__ == "__main__":
    common.alone(run, DEFAULT, __doc__)
