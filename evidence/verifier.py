"""The front of ``verify.pyz``: ``evidence verify`` for people who have Python, cryptography and asn1crypto and nothing else.

``scripts/verifier.py`` builds the one file from this module and what it imports. Same checks, words and exit codes as
the command; only ``--reperform`` is not offered, because it needs the engine.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evidence import __version__
from evidence.errors import EvidenceError
from evidence.signing.trust import load_trust, read_checkpoint, read_moment
from evidence.snapshot.ahead import cores
from evidence.snapshot.check import Verification
from evidence.verify import verify_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify as the arguments say, print, and return the exit code. Expected failures print message and fix."""
    given = _parser().parse_args(arguments)
    try:
        trust, kept = load_trust(given.trust), read_checkpoint(given.checkpoint)
        result = verify_path(
            given.path,
            certificates=trust.certificates,
            vkeys=trust.vkeys,
            authorities=trust.authorities,
            checkpoint=kept,
            since=given.since,
            mirror=given.mirror,
            jobs=given.jobs,
            lists=trust.lists,
            people=trust.people,
            at=read_moment(given.at_time),
        )
    except EvidenceError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n" + (f"  to fix: {error.fix}\n" if error.fix else ""))
        return error.exit_code
    sys.stdout.write(_as_json(result) if given.json else _as_text(result, explain=given.explain))
    return result.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify.pyz",
        description="Check a packet, a store or one exhibit offline; name the failed step. Exit 10 if anything fails.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "path",
        type=Path,
        metavar="PATH",
        help="a packet (folder or zip), a store folder, or one exhibit's folder or file",
    )
    add(
        "--trust",
        type=Path,
        action="append",
        default=[],
        metavar="FILE|DIR",
        help="trusted key or certificate: the folder `trust`, a .vkey or a .pem file; may be repeated",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="a checkpoint you kept: finds rollback")
    add("--since", action="store_true", help="of a store, check only what was committed after the kept checkpoint")
    add("--mirror", type=Path, metavar="STORE", help="a second copy of the store: says which of the two differs")
    add("--jobs", type=_at_least_one, default=cores(), metavar="N", help="files hashed at a time; by default the cores")
    add("--at-time", metavar="TIME", help="judge certificates as of this time instead of now")
    add("--explain", action="store_true", help="show every check, not only failures")
    add("--json", action="store_true", help="print as JSON")
    add("--version", action="version", version=__version__)
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def _as_json(result: Verification) -> str:
    return json.dumps(result.to_json()["checks"], indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _as_text(result: Verification, *, explain: bool) -> str:
    rows = [("", "step", "what", "subject"), *result.shown(explain=explain)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [
        f"{word:<{widths[0]}}  {step:<{widths[1]}}  {what}  {subject}".rstrip() for word, step, what, subject in rows
    ]
    return "".join(line + "\n" for line in (*lines, result.summary()))


if __name__ == "__main__":
    sys.exit(main())
