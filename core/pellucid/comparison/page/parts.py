"""What the pages of comparisons are made of: the frame, sections and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pellucid.evaluate.page import Markup, joined, name_of, tag
from pellucid.gallery import read_template


def filled(
    *,
    title: str,
    heading: Iterable[str],
    counts: str,
    verdict: Iterable[str],
    notes: Iterable[str],
    sections: Iterable[Markup],
    provenance: Iterable[tuple[str, str]],
    files: str,
) -> bytes:
    """Return a page, UTF-8; what stands for a text is escaped, what is `Markup` already is not."""
    template = read_template(
        "pellucid.comparison.page", "comparison.html", "evaluation.css", ("evaluation.js",),
        look="pellucid.evaluate.page",
    )  # fmt: skip
    facts = [(tag("dt", name), tag("dd", name_of(value))) for name, value in provenance if value]
    gaps = {
        "title": joined([title]),
        "heading": joined(heading),
        "counts": joined([counts]),
        "verdict": tag("ul", (tag("li", it) for it in verdict)),
        "notes": joined(tag("p", it, class_="note") for it in notes),
        "sections": joined(sections),
        "provenance": tag("dl", *facts, class_="facts"),
        "files": joined([files]),
    }
    return template.filled(**{name: it.encode() for name, it in gaps.items()})


def section(title: str, *children: str | Iterable[str]) -> Markup:
    """Return a section with its heading."""
    return tag("section", tag("h2", title), *children)


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
