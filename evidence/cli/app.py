"""The typer application: options shared by all commands, and the one place where errors become exit codes.

Only the command that was asked for is imported, with what it needs; help and usage errors import all.
"""

import re
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from evidence import __version__
from evidence.errors import EvidenceError

COMMANDS: Final = (
    "init",
    "doctor",
    "run",
    "schedule",
    "collect",
    "status",
    "assess",
    "packet",
    "approve",
    "handover",
    "verify",
    "check",
    "publish",
    "query",
    "diff",
    "compare",
    "respond",
    "gate",
    "sample",
)
GROUPS: Final = (
    "controls",
    "review",
    "access-review",
    "waive",
    "attest",
    "setup",
    "hold",
    "keys",
    "retention",
    "export",
    "requests",
)
EVERY: Final = (*COMMANDS, *GROUPS)
EXAMPLES: Final = (
    "evidence init work",
    "evidence -w work collect",
    "evidence -w work assess",
    "evidence -w work packet quarterly-hipaa --period 2026-Q3",
)
_WIDTH: Final = 74  # of a terminal of 80 columns, less what help is indented by and the sign that a line goes on
_WORD: Final = r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+"
_UNITS: Final = re.compile(rf"-{{1,2}}[a-z][a-z-]*(?: (?!-){_WORD})?|{_WORD}")  # an option stays with its value


def application(names: Iterable[str] = EVERY) -> typer.Typer:
    """Return the application with these commands: ``evidence.cli.<name>_command`` (``_`` for ``-``) holds ``<name>``, of a group ``app``.

    ``EXAMPLES`` of the module end its help: lines of a command, of a group a mapping from subcommand to lines.
    """
    app = typer.Typer(
        name="evidence",
        help="Compliance evidence as code: collect, seal, assess, packet, verify.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True, epilog=epilog(EXAMPLES))(root)
    for name in names:
        module = import_module(f"evidence.cli.{name.replace('-', '_')}_command")
        if name in GROUPS:
            _end_helps(module.app, module.EXAMPLES)
            app.add_typer(module.app, name=name, epilog=epilog([lines[0] for lines in module.EXAMPLES.values()]))
        else:
            app.command(name, epilog=epilog(module.EXAMPLES))(getattr(module, name))
    return app


def _end_helps(group: typer.Typer, examples: Mapping[str, Sequence[str]]) -> None:
    for info in group.registered_commands:
        name = info.name or getattr(info.callback, "__name__", "").replace("_", "-")
        info.epilog = epilog(examples.get(name, ()))


def epilog(lines: Sequence[str]) -> str | None:
    r"""Return the end of a help page: the lines under each other, long ones broken before an option. ``\b`` has click wrap none of them."""
    return "\b\nExamples:\n" + "\n".join(map(_broken, lines)) if lines else None


def _broken(line: str) -> str:
    rows, row = [], " "
    for part in _UNITS.findall(line):
        if len(row) + len(part) > _WIDTH and row.strip():
            rows.append(f"{row} \\")
            row = "     "
        row += f" {part}"
    return "\n".join([*rows, row])


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
    """Run the command line and exit with the code of the outcome. A crash leaves no memory image: it would hold every secret."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. Expected failures print message and fix; bugs keep their traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = typer.main.get_command(application(_asked(arguments)))
    try:
        result = command.main(args=list(arguments), prog_name="evidence", standalone_mode=False)
    except EvidenceError as error:
        from evidence.cli.output import show_error

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


def _asked(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the command that is named; none for the version, all of them where help is asked for or nothing is."""
    rest = iter(arguments)
    for word in rest:
        if word in {"-w", "--workspace"}:
            next(rest, None)
        elif not word.startswith("-"):
            return (word,) if word in EVERY else EVERY
        elif word == "--version" and next(rest, None) is None:
            return ()
        elif not word.startswith("--workspace="):
            return EVERY
    return EVERY
