"""The PHI detector: a second net over text that was scrubbed, and over free text; never over keys or typed columns.

It knows identifiers of 45 CFR 164.514(b)(2)(i) that have a shape: social security, record, member and card numbers,
provider ids, e-mail, telephone, dates of birth. Names have no shape: a silent detector proves nothing.
"""

import re
from collections.abc import Callable, Iterator

_MBI = "[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-?[AC-HJKMNP-RT-Y]{2}[0-9]{2}"
_SHAPES = re.compile(
    rf"""
      (?P<email>(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+)
    | (?P<record>(?:mrn|medical[\W_]?record|member|subscriber|patient|claim|policy[\W_]?no)[\W_]{{0,3}}
        (?:id|no|num|number)?[\W_]{{0,3}}[a-z]{{0,3}}[0-9]{{4,}})
    | (?P<birth>(?:dob|birth[a-z]*)[\W_]{{0,8}}(?:date)?[\W_]{{0,3}}[0-9]{{1,4}}[-/_.]?[0-9]{{1,2}}[-/_.]?[0-9]{{1,4}})
    | (?P<old_date>(?<![0-9])(?:19[0-9]{{2}}[-/_.][0-9]{{1,2}}[-/_.][0-9]{{1,2}}
        |[0-9]{{1,2}}[-/_.][0-9]{{1,2}}[-/_.]19[0-9]{{2}})(?![0-9]))
    | (?P<mbi>(?<![A-Za-z0-9]){_MBI}(?![A-Za-z0-9]))
    | (?P<ssn>(?<![0-9])[0-9]{{3}}[- _.]?[0-9]{{2}}[- _.]?[0-9]{{4}}(?![0-9]))
    | (?P<npi>(?<![0-9])[12][0-9]{{9}}(?![0-9]))
    | (?P<phone>(?<![0-9])(?:\+?1[ .-]?)?\(?[2-9][0-9]{{2}}\)?[ .-][0-9]{{3}}[ .-][0-9]{{4}}(?![0-9]))
    | (?P<card>(?<![0-9-])[0-9](?:[ -]?[0-9]){{12,18}}(?![0-9-]))
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ANY = re.compile("[0-9@]")


def hit(text: str) -> str | None:
    """Name the first kind of identifier found in ``text`` (``ssn``, ``email`` …), or None.

    UUIDs are looked away from first: their digits say nothing and they are in every invocation id.
    """
    if not _ANY.search(text) or not _SHAPES.search(text):
        return None
    return next(_kinds(_UUID.sub(" ", text)), None)


def _kinds(text: str) -> Iterator[str]:
    position = 0
    while match := _SHAPES.search(text, position):
        kind = match.lastgroup or ""
        confirm = _CONFIRM.get(kind)
        if confirm is None or confirm("".join(filter(str.isdigit, match[0]))):
            yield kind
        position = match.start() + 1


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    doubled = (int(d) * (1 + n % 2) for n, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _provider(digits: str) -> bool:
    """A national provider identifier: Luhn over the prefix 80840 and the number (45 CFR 162.406, CMS check digit)."""
    return _luhn("80840" + digits)


_CONFIRM: dict[str, Callable[[str], bool]] = {"card": _luhn, "npi": _provider}
