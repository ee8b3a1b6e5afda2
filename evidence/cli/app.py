"""The typer application: options shared by all commands, and the one place where errors become exit codes."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from evidence import __version__
from evidence.cli.assess_command import assess
from evidence.cli.collect_command import collect
from evidence.cli.controls_command import app as controls
from evidence.cli.diff_command import diff
from evidence.cli.doctor_command import doctor
from evidence.cli.hold_command import app as hold
from evidence.cli.init_command import init
from evidence.cli.keys_command import app as keys
from evidence.cli.output import show_error
from evidence.cli.packet_command import packet
from evidence.cli.query_command import query
from evidence.cli.retention_command import app as retention
from evidence.cli.setup_command import app as setup
from evidence.cli.status_command import status
from evidence.cli.verify_command import verify
from evidence.errors import EvidenceError

app = typer.Typer(
    name="evidence",
    help="Compliance evidence as code: collect, seal, assess, packet, verify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (init, doctor, collect, status, assess, packet, verify, query, diff):
    app.command(command.__name__)(command)
app.add_typer(controls, name="controls")
app.add_typer(setup, name="setup")
app.add_typer(hold, name="hold")
app.add_typer(keys, name="keys")
app.add_typer(retention, name="retention")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", envvar="EVIDENCE_WORKSPACE", help="Directory of evidence.toml.")
    ] = Path(),
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Collect, seal, assess, packet, verify."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    context.obj = workspace


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code of the outcome."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. Expected failures print message and fix; bugs keep their traceback."""
    command = typer.main.get_command(app)
    try:
        result = command.main(args=arguments, prog_name="evidence", standalone_mode=False)
    except EvidenceError as error:
        show_error(error)
        return error.exit_code
    except typer.Abort:
        return 130
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # click's own usage errors
            error.show()
            return int(error.exit_code)
        raise
    return result if isinstance(result, int) else 0
