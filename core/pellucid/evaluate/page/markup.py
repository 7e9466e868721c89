"""Markup that cannot be broken by what it holds: all text is escaped but what is markup already.

>>> tag("td", "a < b", tag("b", "c"), title='"')
'<td title="&quot;">a &lt; b<b>c</b></td>'
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pellucid.printable import printable


class Markup(str):
    """Text that is markup; only `tag` and `joined` make it."""

    __slots__ = ()


def tag(name: str, *children: str | Iterable[str], **attributes: str | float | None) -> Markup:
    """Return an element; ``class_`` and ``data_x`` are the attributes ``class`` and ``data-x``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str | Iterable[str]]) -> Markup:
    """Return all of some texts, escaped where they are none of ours."""
    found = []
    for child in children:
        if isinstance(child, Markup):
            found.append(str(child))
        elif isinstance(child, str):
            found.append(escape(printable(child)))
        else:
            found.append(joined(child))
    return Markup("".join(found))


def name_of(text: str) -> Markup:
    """Return a name that others chose: it turns no writing around it, and breaks after slashes."""
    parts = printable(text).split("/")
    return tag("bdi", joined([parts[0]]), *(joined([Markup("/<wbr>"), it]) for it in parts[1:]))
