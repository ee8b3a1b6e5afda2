"""Commands run in this process, as their users read them."""

import contextlib
import io
import json

from evidence.cli.app import run


def evidence(*arguments, code=0):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        got = run([str(a) for a in arguments])
    assert got == code, f"{arguments} ended with {got}\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue() + err.getvalue()


def said(*arguments, code=0):
    return json.loads(evidence(*arguments, "--json", code=code))
