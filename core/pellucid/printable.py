r"""Text that others wrote, such as names of files, features and classes, as it can be printed.

A name may hold newlines, escape sequences for terminals, marks that turn the direction of writing,
and bytes that are no text. They are written as ``\n``, ``\x1b``, ``\u202e`` and ``\xff``, as
``printf '%b'`` takes them. Whatever leaves the program for people goes through here.

>>> printable("a\nb\x1b[31m\u202e.png")
'a\\nb\\x1b[31m\\u202e.png'
"""

from __future__ import annotations

import re

BEYOND = (
    r"\x7f-\x9f"  # more control codes, "C1"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of direction
    r"\u2028\u2029\ufeff\ufff9-\ufffb\ufffe\uffff"  # ends of lines, and what XML cannot hold
    r"\ud800-\udfff"  # halves of pairs: in names of files, bytes that are no UTF-8
)
"""What JSON has in its strings as it is, and no terminal should see: the inside of a class."""
ODD = rf"\x00-\x1f{BEYOND}"
"""What cannot be printed, as the inside of a class of regular expressions."""

_ODD = re.compile(f"[{ODD}]")
_HALVES = re.compile(r"[\ud800-\udfff]")
_LETTERS = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def printable(text: str) -> str:
    """Return a text on one line, whose every character can be printed and written as UTF-8."""
    return _ODD.sub(escaped, text)


def encodable(text: str) -> str:
    """Return a text that can be written as UTF-8: in JSON, all else is escaped already."""
    return _HALVES.sub(escaped, text)


def escaped(found: re.Match[str]) -> str:
    """Return the escape for a character."""
    letter, number = found[0], ord(found[0])
    if letter in _LETTERS:
        return _LETTERS[letter]
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8, as Python's file names carry it
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}"
