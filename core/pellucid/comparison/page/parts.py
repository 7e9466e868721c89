"""The tables of the pages of comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pellucid.evaluate.page import Markup, name_of, tag


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, label: str, kind: str = "plain"
) -> Markup:
    """Return a table that scrolls by itself; the first cell of a row is its heading."""
    head = tag("tr", (tag("th", it, scope="col") for it in heads))
    body = [
        tag("tr", tag("th", _cell(first), scope="row"), (tag("td", _cell(it)) for it in rest))
        for first, *rest in rows
    ]
    made = tag("table", tag("thead", head), tag("tbody", body), class_=kind)
    return tag("div", made, class_="wide", tabindex=0, role="region", aria_label=label)


def _cell(text: str) -> str:
    return text if isinstance(text, Markup) else name_of(text)
