"""What is asked or told beside the sources: time-stamp authorities, revocation, alert targets, further places of checkpoints."""

import os
import secrets as random
from collections.abc import Iterator, Sequence
from typing import Final

from evidence.cli.identity import load_identity
from evidence.cli.looks.clock import Clocks
from evidence.cli.watch import ticket_target
from evidence.cli.workspace import Workspace
from evidence.doctor import NETWORK, Examination, Line, fail, failed, ok, warn
from evidence.errors import EvidenceError
from evidence.signing.asking import shown
from evidence.signing.certificate import load_certificates
from evidence.signing.ocsp import fetch_list, responses_for
from evidence.signing.revocation import load_list
from evidence.signing.timestamp import claimed_stamp
from evidence.snapshot.model import DAY
from evidence.store.notify import Service

TITLE: Final = "evidence doctor: a test message"
BODY: Final = "Sent by `evidence doctor --send-test`. Nothing is wrong, and nothing is to be done."


def looks(workspace: Workspace, clocks: Clocks, *, send_test: bool) -> list[Examination]:
    """Return the looks at services that are configured, and say which kinds are not."""
    config, packet = workspace.config, workspace.config.packet
    authorities = [(url, section.tsa_roots) for section in (config.log, packet) for url in section.tsa]
    return [
        *(_stamping(workspace, clocks, url, roots) for url, roots in dict.fromkeys(authorities)),
        *(_listed(workspace, name) for name in packet.crls),
        *(_responder(workspace, url) for url in packet.ocsp),
        Examination("alerts", lambda: _alerts(workspace)),
        *(_sending(workspace, name) for name in (sorted(config.alerts.targets) if send_test else ())),
        Examination("checkpoints", lambda: _places(workspace)),
    ]


def _stamping(workspace: Workspace, clocks: Clocks, url: str, roots: Sequence[str]) -> Examination:
    return Examination(f"time-stamps {shown(url)}", lambda: _stamp(workspace, clocks, url, roots), seconds=NETWORK)


def _listed(workspace: Workspace, name: str) -> Examination:
    return Examination(_named(name), lambda: _list(workspace, name), seconds=NETWORK if "://" in name else 0)


def _responder(workspace: Workspace, url: str) -> Examination:
    return Examination(f"OCSP {shown(url)}", lambda: _ocsp(workspace, url), seconds=NETWORK)


def _sending(workspace: Workspace, name: str) -> Examination:
    return Examination(f"alert test {name}", lambda: _send(workspace, name), seconds=NETWORK)


def _named(name: str) -> str:
    return f"revocation list {shown(name) if '://' in name else name}"


def _stamp(workspace: Workspace, clocks: Clocks, url: str, roots: Sequence[str]) -> str:
    """Have a random digest stamped, and verify the token from the configured roots."""
    token = workspace.authorities([url], roots).stamp(random.token_bytes(32))
    at, _ = claimed_stamp(token)
    clocks.note(shown(url), (at - workspace.clock()).total_seconds())
    return f"stamped {at:%Y-%m-%d %H:%M:%S}Z, verified from {', '.join(roots)}"


def _list(workspace: Workspace, name: str) -> Iterator[Line]:
    what, now = _named(name), workspace.clock()
    fix = "save the issuer's current list there, or name the address it is published at"
    try:
        body = fetch_list(name) if "://" in name else workspace.config.path(name).read_bytes()
        one = load_list(body, name)
    except OSError as error:
        yield fail(what, f"cannot read {name}: {error.strerror}", fix)
        return
    ends = one.next_update_utc
    if ends is None:
        yield warn(what, "does not say when the next one is due", fix)
    elif ends < now:
        yield fail(what, f"ended on {ends:%Y-%m-%d %H:%M}Z: it shows nothing of today", fix)
    elif ends - now < DAY:
        yield warn(what, f"ends on {ends:%Y-%m-%d %H:%M}Z", fix)
    else:
        yield ok(what, f"of {one.last_update_utc:%Y-%m-%d}, current until {ends:%Y-%m-%d}")


def _ocsp(workspace: Workspace, url: str) -> str:
    key = load_identity(workspace.config, workspace.config.packet)
    folder = workspace.config.path("trust")
    roots = [one for file in sorted(folder.glob("*.pem")) for one in load_certificates(file.read_bytes(), file.name)]
    answers = responses_for(key, roots, [url], workspace.clock())
    return f"{len(answers)} certificates good"


def _alerts(workspace: Workspace) -> Iterator[Line]:
    targets, tickets = workspace.config.alerts.targets, workspace.config.alerts.tickets
    if not targets and not tickets:
        yield warn(
            "alerts", "nobody is told when a night is missed", '[alerts.targets.on-call] url = "env:EVIDENCE_ALERT_URL"'
        )
    for name, each in sorted(targets.items()):
        what = f"alert target {name}"
        try:
            service = _service(workspace, name)
            service.check()
        except (EvidenceError, UnicodeDecodeError) as error:
            fix = f"put an apprise address into {each.url}, such as mailtos://USER:PASSWORD@HOST?to=ADDRESS"
            detail = str(error) if isinstance(error, EvidenceError) else f"{each.url} is not text"
            yield fail(what, detail, fix)
        else:
            yield ok(what, f"{service.where}, from severity {each.severity} up")

    for name, section in sorted(tickets.items()):
        what = f"tickets {name}"
        try:
            ticket_target(workspace, name, section)
        except EvidenceError as error:
            yield failed(what, error)
        else:
            yield ok(what, f"{section.kind}, from severity {section.severity} up")


def _service(workspace: Workspace, name: str) -> Service:
    url = workspace.config.secret(workspace.config.alerts.targets[name].url).decode().strip()
    return Service(url, f"alerts.targets.{name}")


def _send(workspace: Workspace, name: str) -> str:
    service = _service(workspace, name)
    service.send(TITLE, BODY)
    return f"{service.where} took the test message"


def _places(workspace: Workspace) -> Iterator[Line]:
    log = workspace.config.log
    if not log.checkpoints and not log.witnesses:
        fix = '[log] checkpoints = ["file:/mnt/elsewhere/checkpoint-{size}"]: a place that whoever holds the store cannot write to'
        yield warn("checkpoints", "only the anchors of this host remember the log", fix)
    for number, ref in enumerate(log.checkpoints):
        what = f"checkpoints {number + 1}"
        try:
            place = workspace.destination(ref)
        except EvidenceError as error:
            yield failed(what, error)
            continue
        folder = workspace.config.path(ref).parent if ref.startswith("file:") else None
        if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK)):
            yield fail(what, f"{folder} is no folder that can be written to", f"mkdir -p {folder}, or mount it")
        else:
            yield ok(what, place.where)
    for witness in log.witnesses:
        try:
            workspace.witness(witness)
        except (EvidenceError, OSError) as error:
            yield fail("witness", str(error), getattr(error, "fix", "") or "correct [log] witnesses")
        else:
            yield ok("witness", witness.url if "://" in witness.url else "by reference")
