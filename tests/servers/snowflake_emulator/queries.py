"""Statements over the protocol: run, refuse, delay, poll, expire, hand out chunks."""

import asyncio
import uuid
from typing import Any

import snowflake.connector.errors
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.servers.snowflake_emulator import answers, wire
from tests.servers.snowflake_emulator.engine import Answer, Engine
from tests.servers.snowflake_emulator.login import bearer
from tests.servers.snowflake_emulator.state import Account, Rule, Session
from tests.servers.snowflake_emulator.trouble import SPOILED, spoil

SELECT_TYPE, SHOW_TYPE = 0x1000, 0x4400
REFUSALS = {  # what an export that says so stands for: code, SQLSTATE, words
    "denied": ("002003", "42S02", "Object does not exist or not authorized."),
    "edition": ("000002", "0A000", "Unsupported feature."),
    "unavailable": ("000604", "57014", "SQL execution canceled."),
}
EXPIRED = ("390112", "Your session has expired. Please login again.")


async def query(request: Request) -> Response:
    """POST /queries/v1/query-request."""
    account: Account = request.app.state.account
    body = await wire.body_of(request)
    sql, bindings = body["sqlText"], body.get("bindings") or {}
    session = account.sessions.get(bearer(request))
    entry = account.record(
        "statement",
        sql=sql,
        bindings=[bindings[key] for key in sorted(bindings, key=int)],
        session=session.number if session else None,
        request_id=request.query_params.get("requestId"),
    )
    rule = account.rule(sql, "error", "expire", "unavailable", "poll", "delay") if session else None
    if session is None or (rule and rule.action == "expire"):
        account.sessions.pop(bearer(request), None)
        entry["outcome"] = EXPIRED[0]
        return wire.failure(*EXPIRED)
    query_id = str(uuid.uuid4())
    entry["query_id"] = query_id
    if rule and rule.action == "unavailable":
        entry["outcome"] = "503"
        return JSONResponse({"message": "try later"}, status_code=503)
    if rule and rule.action == "error":
        entry["outcome"] = rule.code
        return wire.sql_failure(rule.code, rule.sqlstate, rule.message or _not_there(sql), query_id)
    if rule and rule.action == "delay":
        await asyncio.sleep(rule.seconds)
    answer = await run_in_threadpool(_run, request, session, sql, bindings, query_id, entry)
    bad = account.rule(sql, *SPOILED)
    if bad:
        return spoil(bad, answer)
    late = account.rule(sql, "late-row")
    if late:
        await run_in_threadpool(request.app.state.engine.reshape, late.message, late=True)
    if rule and rule.action == "poll":
        account.pending[query_id] = [rule.polls, answer]
        return _still_running(query_id, "333333")
    return answer


async def poll(request: Request) -> Response:
    """GET /queries/{id}/result: still running, or the answer."""
    account: Account = request.app.state.account
    query_id = request.path_params["query_id"]
    waiting = account.pending[query_id]
    account.record("poll", query_id=query_id)
    waiting[0] -= 1
    if waiting[0] > 0:
        return _still_running(query_id, "333334")
    return account.pending.pop(query_id)[1]


async def chunk(request: Request) -> Response:
    """GET /chunk/{name}: gzip'd Arrow, or the trouble that a rule asks for."""
    account: Account = request.app.state.account
    name = request.path_params["name"]
    rule: Rule | None = account.rule("chunk", "unavailable", "delay", *SPOILED)
    account.record(
        "chunk",
        name=name,
        headers={key: value for key, value in request.headers.items() if key in wire.CHUNK_HEADERS},
        outcome="ok" if rule is None else "503" if rule.action == "unavailable" else rule.action,
    )
    if rule and rule.action == "unavailable":
        return Response(b"slow down", status_code=503)
    if rule and rule.action == "delay":
        await asyncio.sleep(rule.seconds)
    headers = {"Content-Encoding": "gzip"}
    answer = Response(account.chunks[name], headers=headers, media_type="application/octet-stream")
    return spoil(rule, answer) if rule and rule.action in SPOILED else answer


def _run(
    request: Request, session: Session, sql: str, bindings: dict[str, Any], query_id: str, entry: dict[str, Any]
) -> Response:
    account: Account = request.app.state.account
    engine: Engine = request.app.state.engine
    meta = {"queryId": query_id, "finalDatabaseName": None, "finalSchemaName": None, "finalRoleName": session.role}
    refused = engine.refusal(sql, bindings)
    if refused:
        code, state, words = REFUSALS[refused]
        entry["outcome"] = code
        return wire.sql_failure(code, state, f"SQL compilation error:\n{words}", query_id)
    try:
        shown = answers.answer(engine, account, session, sql, bindings)
        if shown is not None:
            entry.update(outcome="ok", rows=len(shown[1]))
            return wire.success(wire.rows_result(*shown, {**meta, "statementTypeId": SHOW_TYPE}))
        answer = _limited(account, session, engine.run(account, session, sql, bindings))
        cut = account.rule(sql, "cut")
        answer = Answer(answer.table.slice(0, cut.rows), answer.columns) if cut else answer
        answer = Answer(wire.indent(answer.table, answer.columns, account.in_force(session)), answer.columns)
    except answers.NotFoundError as exc:
        entry["outcome"] = "002003"
        return wire.sql_failure("002003", "02000", f"SQL compilation error:\n{exc}", query_id)
    except snowflake.connector.errors.Error as exc:
        code = f"{exc.errno:06d}"
        entry.update(outcome=code, detail=str(exc.msg))
        return wire.sql_failure(code, exc.sqlstate or "", str(exc.msg), query_id)
    except Exception as exc:  # noqa: BLE001  # what the engine cannot do is answered, and shown in the log
        entry.update(outcome="000603", detail=repr(exc))
        return wire.sql_failure("000603", "XX000", f"emulator: {exc!r}", query_id)
    entry.update(outcome="ok", rows=answer.table.num_rows)
    base = str(request.base_url).rstrip("/")
    meta["statementTypeId"] = SELECT_TYPE
    return wire.success(wire.result(account, base, answer.table, answer.columns, meta))


def _limited(account: Account, session: Session, answer: Answer) -> Answer:
    """Cut the answer as the parameter ROWS_PER_RESULTSET does, silently."""
    limit = int(account.in_force(session)["ROWS_PER_RESULTSET"])
    return Answer(answer.table.slice(0, limit), answer.columns) if limit else answer


def _still_running(query_id: str, code: str) -> JSONResponse:
    data = {
        "getResultUrl": f"/queries/{query_id}/result",
        "queryAbortsAfterSecs": 300,
        "queryId": query_id,
        "progressDesc": None,
    }
    return wire.success(data, code=code)


def _not_there(sql: str) -> str:
    return f"SQL compilation error:\nObject in '{sql[:60]}…' does not exist or not authorized."
