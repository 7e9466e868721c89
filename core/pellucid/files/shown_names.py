r"""Names of files as text that can be read, written as UTF-8, and turned back into the name.

A name on disk is bytes: it may hold newlines, escape codes and what is no UTF-8. Such bytes are
written as ``\n``, ``\x1b`` and ``\xff``, and a backslash as two, as in ``printf '%b'``.
"""

from __future__ import annotations

import hashlib
import os
import re

from pellucid.printable import ODD, escaped

LONGEST = 200
"""How many bytes of a name are kept; most file systems allow 255."""

_ODD = re.compile(rf"[\\{ODD}]")
_ESCAPED = re.compile(r"\\(?:([\\ntr])|x([0-9a-f]{2})|u([0-9a-f]{4}))")
_BACK = {"\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def shown(name: str) -> str:
    """Return a file's name as printable text; two names never look the same."""
    if os.sep != "/":
        name = name.replace(os.sep, "/")
    return _ODD.sub(lambda found: "\\\\" if found[0] == "\\" else escaped(found), name)


def name_of(text: str) -> str:
    """Return the name that `shown` made this text of."""

    def letter(found: re.Match[str]) -> str:
        if found[1]:
            return _BACK[found[1]]
        if found[3]:
            return chr(int(found[3], 16))
        byte = int(found[2], 16)
        return chr(byte if byte < 0x80 else 0xDC00 + byte)

    return _ESCAPED.sub(letter, text)


def fitting(name: str) -> str:
    """Return a name that leaves room for suffixes: a long one is cut and told apart by a digest."""
    data = name.encode()
    if len(data) <= LONGEST:
        return name
    digest = hashlib.sha256(data).hexdigest()[:12]
    return f"{data[: LONGEST - 13].decode(errors='ignore')}~{digest}"
