"""``/_emulator/``: what tests read and arrange.

::

    GET  health   {"ready": true}
    GET  log      [{"kind": "login" | "statement" | "chunk" | "poll" | "renewal" | "logout" | "other", …}]
    GET  secrets  what no log may hold: tokens given out, credentials received, signatures and keys of chunks
    POST reset    forget rules, log and clock
    POST people   {"user": "EVIDENCE", "password": …, "public_keys": [pem], "tokens": [text]}
    POST night    {"night": "2026-07-01", "clock": "2026-07-02T03:00:00Z"}   state views show it; the clock stands
                  still there, or at the moment of capture that the export claims
    POST rules    [{"match": regex, "action": …, "times": n, …}]             see state.Rule; "clear": forget them
    POST view     {"view": "USERS", "hide": [column], "add": [column], "empty": false}
    POST account  {"facts": {…}, "parameters": {…}, "locked": {…}, "forced_role": name, "grants": {role: [[privilege, kind, name]]},
                  "chunk_rows": n, "first_rows": n}   locked parameters win over the session's; a forced role over the
                  one asked for
"""

import datetime as dt

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.servers.snowflake_emulator.state import Account, Person, Rule
from tests.servers.snowflake_emulator.wire import CHUNK_HEADERS


async def health(_request: Request) -> JSONResponse:
    return JSONResponse({"ready": True})


async def log(request: Request) -> JSONResponse:
    return JSONResponse(request.app.state.account.log)


async def secrets(request: Request) -> JSONResponse:
    known = [value for name, value in CHUNK_HEADERS.items() if name.endswith("-key")]
    return JSONResponse([*request.app.state.account.secrets, *known])


async def reset(request: Request) -> JSONResponse:
    request.app.state.account.reset()
    return JSONResponse({})


async def people(request: Request) -> JSONResponse:
    account: Account = request.app.state.account
    body = await request.json()
    account.people[body["user"].upper()] = Person(
        body.get("password"), tuple(body.get("public_keys", ())), tuple(body.get("tokens", ()))
    )
    return JSONResponse({})


async def night(request: Request) -> JSONResponse:
    body = await request.json()
    engine = request.app.state.engine
    chosen = dt.date.fromisoformat(body["night"])
    await run_in_threadpool(engine.choose, chosen)
    clock = body.get("clock")
    request.app.state.account.clock = dt.datetime.fromisoformat(clock) if clock else engine.captured_at(chosen)
    return JSONResponse({})


async def rules(request: Request) -> JSONResponse:
    body = await request.json()
    if body == "clear":
        request.app.state.account.rules.clear()
    else:
        request.app.state.account.rules.extend(Rule(**rule) for rule in body)
    return JSONResponse({})


async def view(request: Request) -> JSONResponse:
    body = await request.json()
    await run_in_threadpool(request.app.state.engine.reshape, body.pop("view"), **body)
    return JSONResponse({})


async def account(request: Request) -> JSONResponse:
    state: Account = request.app.state.account
    body = await request.json()
    state.facts.update(body.get("facts", {}))
    state.parameters.update(body.get("parameters", {}))
    state.grants.update(body.get("grants", {}))
    state.locked.update(body.get("locked", {}))
    state.forced_role = body.get("forced_role", state.forced_role)
    state.chunk_rows = body.get("chunk_rows", state.chunk_rows)
    state.first_rows = body.get("first_rows", state.first_rows)
    return JSONResponse({})


ROUTES = [
    Route("/_emulator/health", health),
    Route("/_emulator/log", log),
    Route("/_emulator/secrets", secrets),
    *(
        Route(f"/_emulator/{handler.__name__}", handler, methods=["POST"])
        for handler in (reset, people, night, rules, view, account)
    ),
]
