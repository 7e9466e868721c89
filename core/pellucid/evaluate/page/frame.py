"""The frame of all reports: what follows first, then their sections, then how they were made."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.evaluate.page.markup import Markup, joined, name_of, tag
from pellucid.gallery import read_template


def framed(
    *,
    title: str,
    heading: Iterable[str],
    counts: str,
    verdict: Iterable[str],
    notes: Iterable[str],
    sections: Iterable[str],
    made: Iterable[str],
    files: Iterable[str],
) -> bytes:
    """Return a page, UTF-8; what stands for a text is escaped, what is `Markup` already is not.

    `made` is how it was made, and `files` what lies beside it.
    """
    template = read_template(
        "pellucid.evaluate.page", "report.html", "evaluation.css", ("evaluation.js",)
    )
    gaps = {
        "title": joined([title]),
        "heading": joined(heading),
        "counts": joined([counts]),
        "verdict": tag("ul", (tag("li", it) for it in verdict)),
        "notes": joined(tag("p", it, class_="note") for it in notes),
        "sections": joined(sections),
        "made": joined(made),
        "files": joined(files),
    }
    return template.filled(**{name: it.encode() for name, it in gaps.items()})


def section(title: str, *children: str | Iterable[str]) -> Markup:
    """Return a section with its heading."""
    return tag("section", tag("h2", title), *children)


def facts(found: Iterable[tuple[str, str]]) -> Markup:
    """Return a list of what is known by its names; what is empty is left out."""
    return tag(
        "dl", *((tag("dt", name), tag("dd", name_of(it))) for name, it in found if it),
        class_="facts",
    )  # fmt: skip
