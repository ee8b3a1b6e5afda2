"""Upper and lower case where both engines must agree: letters that have one simple and one full mapping, the same in every Unicode.

Source: the Unicode Character Database, UnicodeData.txt and SpecialCasing.txt. Neither engine documents what it does with the rest (ß, İ, final ς, letters of later
versions), so a text that has any of them stops the statement there.
"""

from typing import Final


def _plain() -> str:
    """ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic letters whose case goes there and back, one character for one."""
    found = [chr(code) for code in (0x09, 0x0A, 0x0D, *range(0x20, 0x7F))]
    for code in (*range(0xA0, 0x180), *range(0x386, 0x3CF), *range(0x400, 0x482)):
        letter = chr(code)
        other = letter.swapcase()
        if letter in "µſıİĸŉςσΣÿŸ" or len(other) != 1 or other.swapcase() != letter:
            continue
        found.append(letter)
    return "".join(found)


PLAIN: Final = _plain()
