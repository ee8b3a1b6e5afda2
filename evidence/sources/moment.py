"""Read moments the way exports spell them: ISO 8601, a blank for the T, a blank before the zone, up to nanoseconds."""

import datetime as dt
import re

_SPELLING = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?(?:\d\d)?)?\Z", re.ASCII | re.IGNORECASE
)
_NANOSECONDS = re.compile(r"\d{18,19}\Z", re.ASCII)  # 1973 to 2286


def parse_moment(text: str, *, zone: dt.tzinfo | None = None) -> dt.datetime | None:
    """Return the aware moment, cut to microseconds; ``None`` if it is spelled otherwise.

    ``zone`` is taken for a moment without one; without ``zone`` such a moment is nobody's and gives ``None``.
    """
    found = _SPELLING.match(text.strip())
    if found is None:
        return None
    day, clock, fraction, offset = found.groups()
    try:
        naive = dt.datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}")
        tzinfo = _zone(offset) if offset else zone
    except ValueError:
        return None
    return naive.replace(tzinfo=tzinfo) if tzinfo else None


def from_nanoseconds(text: str) -> dt.datetime | None:
    """Return the moment of an epoch count of nanoseconds, exact to the microsecond; ``None`` if it is none."""
    if not _NANOSECONDS.match(text):
        return None
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(text) // 1000)


def _zone(offset: str) -> dt.tzinfo:
    if offset.upper() in {"Z", "UTC"}:
        return dt.UTC
    digits = offset[1:].replace(":", "")
    delta = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or "0"))
    return dt.timezone(-delta if offset[0] == "-" else delta)
