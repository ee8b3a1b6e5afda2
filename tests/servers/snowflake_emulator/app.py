"""The routes of the account, as the connectors call them."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.servers.snowflake_emulator import control, login, queries
from tests.servers.snowflake_emulator.engine import Engine
from tests.servers.snowflake_emulator.state import Account
from tests.servers.snowflake_emulator.trouble import Wired
from tests.servers.snowflake_emulator.wire import success


async def other(request: Request) -> JSONResponse:
    """Telemetry, heartbeats, query contexts: say yes, and note it."""
    request.app.state.account.record("other", method=request.method, path=request.url.path)
    return success({})


def build(data: Path, scratch: Path) -> Wired:
    """Return the application over the export folder ``data``; ``scratch`` is an empty directory of our own."""
    app = Starlette(
        routes=[
            Route("/session/v1/login-request", login.login, methods=["POST"]),
            Route("/session/token-request", login.renew, methods=["POST"]),
            Route("/session", login.leave, methods=["POST"]),
            Route("/queries/v1/query-request", queries.query, methods=["POST"]),
            Route("/queries/{query_id}/result", queries.poll),
            Route("/chunk/{name}", queries.chunk),
            *control.ROUTES,
            Route("/{path:path}", other, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
    )
    app.state.account = Account()
    app.state.engine = Engine(data, scratch)
    return Wired(app)
