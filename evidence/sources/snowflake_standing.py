"""What a session turned out to be, against what was asked for: who we are, where, under which parameters; pure.

A session that would read less than the configured role sees, or whose answers are cut, is not used at all.
"""

import json
from collections.abc import Mapping
from typing import Final

from evidence.errors import SourceDeniedError
from evidence.sources.snowflake_login import PINNED, Login

LARGEST_OFFSET: Final = 60.0  # seconds between the two clocks that are worth a note
CUTS_ANSWERS: Final = "ROWS_PER_RESULTSET"
WANTED: Final[Mapping[str, str]] = {
    name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in PINNED.items()
}


def check(login: Login, context: Mapping[str, str], held: Mapping[str, str]) -> None:
    """Raise ``SourceDeniedError`` if the session has another role than ``login`` names, or cuts its answers.

    ``context`` is what the session says of itself, ``held`` the session parameters that are in force.
    """
    role = context.get("role", "")
    if login.role and not _same(login.role, role):
        raise SourceDeniedError(
            f"login: the session has the role {role or 'none'}, not {login.role}: it may see less, and not show it",
            fix=f"GRANT ROLE {login.role} TO USER {context.get('user', login.user)}; look for what switches the role"
            " (the scope of the token, a session policy)",
        )
    limit = held.get(CUTS_ANSWERS, WANTED[CUTS_ANSWERS])
    if limit != WANTED[CUTS_ANSWERS]:
        raise SourceDeniedError(
            f"login: {CUTS_ANSWERS} is {limit} in the session although 0 was asked for: answers would be cut",
            fix=f"let the user's sessions set it: ALTER USER {context.get('user', login.user)} UNSET {CUTS_ANSWERS}",
        )


def notes(context: Mapping[str, str], held: Mapping[str, str], offset: float) -> tuple[str, ...]:
    """Return what an auditor should know of a session that is used. ``offset`` is server minus ours, in seconds."""
    found = [
        f"session parameter {name} is {held[name]}, asked for {value}"
        for name, value in sorted(WANTED.items())
        if name in held and held[name].lower() != value.lower()
    ]
    hidden = sorted(name for name in WANTED if name not in held)
    if hidden:
        found.append(f"session parameters that the account does not show: {', '.join(hidden)}")
    roles = secondary_roles(context.get("secondary_roles", ""))
    if roles:
        found.append(f"secondary roles are active although none were asked for: {roles}")
    if abs(offset) > LARGEST_OFFSET:
        found.append(f"the account's clock is {offset:+.0f} s from ours")
    return tuple(found)


def secondary_roles(text: str) -> str:
    """Return the active secondary roles in words; ``text`` is what CURRENT_SECONDARY_ROLES() says, JSON."""
    try:
        said = json.loads(text)
        return str(said.get("roles") or said.get("value") or "")
    except (ValueError, AttributeError):
        return text


def _same(asked: str, role: str) -> bool:
    """Compare as Snowflake does: a name is upper case unless it is quoted."""
    return role in {asked, asked.upper(), asked.strip('"')}
