"""The Snowflake emulator itself: it must be strict where Snowflake is, or the source's tests prove nothing."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pyarrow as pa
import pytest

from tests.servers import emulated, tiny_export, venvs

pytest_plugins = ["tests.servers.fixtures"]


def post(account, path, body, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f'Snowflake Token="{token}"'
    url = f"http://127.0.0.1:{account.port}{path}"
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def log_in(account, **parameters):
    data = {"LOGIN_NAME": "evidence", "PASSWORD": "pw", "SESSION_PARAMETERS": parameters}
    return post(account, "/session/v1/login-request?roleName=R", {"data": data})["data"]


def ask(account, token, sql):
    return post(account, "/queries/v1/query-request?requestId=1", {"sqlText": sql}, token)


def test_a_wrong_password_is_refused(account):
    answer = post(account, "/session/v1/login-request", {"data": {"LOGIN_NAME": "evidence", "PASSWORD": "other"}})
    assert (answer["success"], answer["code"]) == (False, "390100")
    assert account.log("login")[-1]["refused"] == "390100"


def test_an_unknown_token_cannot_query(account):
    assert ask(account, "made-up", "SELECT 1")["code"] == "390112"


def test_secrets_are_not_logged(account):
    log_in(account)
    assert '"pw"' not in json.dumps(account.log())


def test_results_come_in_chunks(account):
    account.post("account", {"chunk_rows": 1000, "first_rows": 100})
    token = log_in(account)["token"]
    data = ask(account, token, 'SELECT "EVENT_ID" FROM SNOWFLAKE.ACCOUNT_USAGE.LOGIN_HISTORY')["data"]
    assert data["total"] == 4010
    assert sum(chunk["rowCount"] for chunk in data["chunks"]) == 4010 - 100
    assert data["chunkHeaders"]


def test_rows_per_resultset_cuts_silently_as_the_real_one(account):
    account.post("account", {"parameters": {"ROWS_PER_RESULTSET": "3"}})
    sql = 'SELECT "EVENT_ID" FROM SNOWFLAKE.ACCOUNT_USAGE.LOGIN_HISTORY'
    assert ask(account, log_in(account)["token"], sql)["data"]["total"] == 3
    assert ask(account, log_in(account, ROWS_PER_RESULTSET=0)["token"], sql)["data"]["total"] == 4010


def test_state_views_show_the_chosen_night(account):
    token = log_in(account)["token"]
    sql = 'SELECT "NAME" FROM SNOWFLAKE.ACCOUNT_USAGE.USERS'
    assert ask(account, token, sql)["data"]["total"] == 5
    account.post("night", {"night": "2026-07-02"})
    assert ask(account, token, sql)["data"]["total"] == 4


def test_variant_text_is_laid_out_as_the_session_asks(account):
    sql = 'SELECT "DIRECT_OBJECTS_ACCESSED" AS a FROM SNOWFLAKE.ACCOUNT_USAGE.ACCESS_HISTORY'
    texts = {}
    for width in (0, 2):
        answer = ask(account, log_in(account, JSON_INDENT=width)["token"], sql)["data"]["rowsetBase64"]
        texts[width] = pa.ipc.open_stream(base64.b64decode(answer)).read_all().column(0)[0].as_py()
    assert "\n" not in texts[0]
    assert '[\n  {\n    "objectDomain": "Table"' in texts[2]


def test_an_unknown_view_is_not_found_or_not_authorized(account):
    answer = ask(account, log_in(account)["token"], "SELECT 1 FROM SNOWFLAKE.ACCOUNT_USAGE.NOPE")
    assert (answer["code"], answer["data"]["sqlState"]) == ("002003", "42S02")


def test_hash_agg_is_order_free_and_sees_one_changed_row(account):
    token = log_in(account)["token"]

    def value(where, order=""):
        sql = f'SELECT CAST(HASH_AGG("EVENT_ID", "USER_NAME") AS VARCHAR) AS h FROM (SELECT * FROM SNOWFLAKE.ACCOUNT_USAGE.LOGIN_HISTORY {where} {order})'
        return ask(account, token, sql)["data"]["rowsetBase64"]

    everything = value("")
    assert value("", 'ORDER BY "EVENT_ID" DESC') == everything
    assert value(f'WHERE "EVENT_ID" <> {tiny_export.BIG_ID}') != everything


def test_show_pages_by_name(account):
    token = log_in(account)["token"]
    names = [row[1] for row in ask(account, token, "SHOW DATABASES")["data"]["rowset"]]
    assert names == ["PROD", "SNOWFLAKE"]
    rest = ask(account, token, "SHOW DATABASES LIMIT 10 FROM 'PROD'")["data"]["rowset"]
    assert [row[1] for row in rest] == ["SNOWFLAKE"]


def test_it_listens_on_this_machine_only_and_ends_with_its_parent(tmp_path):
    folder = tiny_export.write(tmp_path / "export")
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', 'tests.servers.snowflake_emulator',"
        f" '--data', {str(folder)!r}], stdout=subprocess.PIPE, text=True); print(p.stdout.readline(), end='')"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code], cwd=emulated.ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    started = json.loads(parent.stdout)
    assert addresses(started["port"]) <= {"0100007F"}
    assert wait_until(lambda: not Path(f"/proc/{started['pid']}").exists() or is_zombie(started["pid"]))


def addresses(port):
    lines = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    local = [line.split()[1].split(":") for line in lines if ":" in line.split()[1] and line.split()[3] == "0A"]
    return {address for address, hexadecimal in local if int(hexadecimal, 16) == port}


def is_zombie(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def wait_until(condition, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


def test_a_server_that_cannot_start_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="did not start"), emulated.run_emulator(tmp_path, life=0, port="not-a-port"):
        pass


@pytest.mark.slow
def test_the_environment_is_made_once_and_never_half(tmp_path, monkeypatch):
    monkeypatch.setattr(venvs, "ROOT", tmp_path)
    monkeypatch.setattr(venvs, "FOLDER", tmp_path / ".venvs")
    (tmp_path / "requirements").mkdir()
    requirements = tmp_path / "requirements" / "nothing.txt"
    requirements.write_text("# no packages\n")
    python = venvs.ensure("nothing")
    made = python.stat().st_ctime_ns
    assert venvs.ensure("nothing").stat().st_ctime_ns == made
    requirements.write_text("this is not a requirement ===\n")
    with pytest.raises(RuntimeError):
        venvs.ensure("nothing")
    folders = [path for path in (tmp_path / ".venvs").iterdir() if path.is_dir()]
    assert folders == [python.parents[1]], "nothing half-made is left"


def test_requirements_name_no_address():
    text = (emulated.ROOT / "requirements" / "emulator.txt").read_text()
    assert "://" not in text
    assert all(line.startswith((" ", "#")) or "==" in line for line in text.splitlines() if line.strip())
    assert os.sep + "root" not in text
