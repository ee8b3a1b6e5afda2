"""The questions of ``evidence init`` on a terminal. A wrong answer is asked for again with the reason; secrets are never asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer

from evidence.cli import init_choices as rules
from evidence.cli.init_choices import Choices
from evidence.errors import EvidenceError, UsageError
from evidence.store.retention import FLOOR_DAYS

NONE: Final = "none"


def questions(directory: Path) -> Choices:
    """Ask what matters and return it, checked; nothing is written before the last answer. Raises ``typer.Abort`` at Ctrl-C or end of input."""
    typer.echo(
        f"A new workspace in {directory.resolve()}. Enter takes what stands in brackets; Ctrl-C leaves nothing.\n"
    )
    said = Choices(
        entity=_ask("Entity, as covers name it", "", rules.named),
        system=_ask("System in scope", Choices.system, rules.named),
    )
    said = _source(said, directory)
    said = _store(said)
    names = (NONE, *rules.profiles())
    chosen = _ask(f"Profile of the controls ({', '.join(names)})", NONE, _one_of(names))
    said = replace(said, profile="" if chosen == NONE else chosen)
    typer.echo("Alerts go to an apprise address (mail, chat, paging), which is a secret: name where it lies.")
    alert = _ask("Alert target, such as env:EVIDENCE_ALERT_URL", NONE, _reference_or_none)
    return replace(said, alert="" if alert == NONE else alert)


def _source(said: Choices, directory: Path) -> Choices:
    kind = _ask(
        "Source (files: exports of the views; snowflake: the account; none)", "files", _one_of((*rules.KINDS, NONE))
    )
    if kind == "files":
        where = _ask("  Folder of exports, empty: exports in the workspace", "", lambda v: v and _folder(v, directory))
        return replace(said, source=kind, exports=where)
    if kind == "snowflake":
        return replace(
            said,
            source=kind,
            account=_ask("  Account, such as ORGANIZATION-ACCOUNT", "", rules.account),
            user=_ask("  User of TYPE = SERVICE", Choices.user, rules.named),
            role=_ask("  Role", Choices.role, rules.named),
            private_key=_ask("  Its private key, by reference", Choices.private_key, rules.reference),
        )
    return said


def _store(said: Choices) -> Choices:
    """Ask where evidence is kept, and again from the address on while the store that is meant does not work."""
    while True:
        url = _ask("Store (file:DIR or s3://bucket/prefix)", Choices.store, rules.text)
        place = replace(said, store=url)
        if url.startswith("s3://"):
            mode = _ask("  Lock, GOVERNANCE or COMPLIANCE", "GOVERNANCE", _one_of(("GOVERNANCE", "COMPLIANCE")))
            days = int(_ask("  Days that each object is locked", str(Choices.days), _days))
            region = _ask("  Region, empty: that of the AWS configuration", "", rules.text)
            endpoint = _ask("  Endpoint, empty: AWS's own", "", rules.text)
            sure = mode != "COMPLIANCE" or _is_meant(days)
            place = replace(place, mode=mode, days=days, region=region, endpoint_url=endpoint, confirm=sure)
        try:
            rules.open_place(place)
        except EvidenceError as error:
            _say(error)
        else:
            return place


def _is_meant(days: int) -> bool:
    typer.echo(f"  Nobody can shorten or remove COMPLIANCE locks of {days} days, the root account included.")
    return typer.confirm("  Is that meant", default=False)


def _ask(text: str, default: str, check: Callable[[str], str]) -> str:
    while True:
        answer = str(typer.prompt(text, default=default, show_default=bool(default))).strip()
        try:
            return check(answer)
        except EvidenceError as error:
            _say(error)


def _say(error: EvidenceError) -> None:
    typer.echo(f"  {error}: {error.fix}" if error.fix else f"  {error}")


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def check(answer: str) -> str:
        found = [word for word in words if word.lower() == answer.lower()]
        if not found:
            raise UsageError(f"{answer!r} is not one of them", fix=f"write {', '.join(words)}")
        return found[0]

    return check


def _days(answer: str) -> str:
    if not answer.isdecimal() or not FLOOR_DAYS <= int(answer) <= 36_500:
        raise UsageError(
            f"{answer!r} is no number of days from {FLOOR_DAYS} on", fix="six years are 2192, seven are 2557"
        )
    return answer


def _folder(answer: str, directory: Path) -> str:
    rules.exports(answer, directory)
    return answer


def _reference_or_none(answer: str) -> str:
    return answer if answer == NONE else rules.reference(answer)
