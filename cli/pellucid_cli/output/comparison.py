"""Comparisons to read on a terminal, or by a CI system as JUnit XML."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pellucid.printable import printable

if TYPE_CHECKING:
    from pellucid.comparison import Diff, Parity

WIDTH, MOST = 132, 10


def diff_table(found: Diff) -> str:
    """Return the numbers, the elements that moved most, and what follows, in sentences."""
    from pellucid.comparison import percent, points
    from pellucid.evaluate import cell

    text, console = _console()
    if found.count:
        runs = [found, *found.controls]
        grid = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
        for head in (f"n = {found.count:,}", "B", *(it.made.second for it in found.controls)):
            grid.add_column(printable(head) if head == "B" else Text(printable(head)))
        for name, said in (
            ("flips", "predictions that flip"),
            ("moved", "attribution elsewhere"),
            ("score", "change of the score"),
            ("rank", "rank correlation"),
        ):
            grid.add_row(said, *(cell(it.mean(name)) for it in runs))
        grid.add_row()
        console.print(grid)
    sure = [it for it in found.shifts if it.sure][:MOST]
    if sure:
        grid = Table(box=None, padding=(0, 2, 0, 0))
        for head in ("share of", "A", "B", "points"):
            grid.add_column(head)
        for it in sure:
            ends = [points(end) for end in (it.change.low, it.change.high) if end is not None]
            change = f"{points(it.second - it.first)} [{', '.join(ends)}]"
            grid.add_row(Text(printable(it.name)), percent(it.first), percent(it.second), change)
        grid.add_row()
        console.print(grid)
    for said in (*found.notes, *found.verdict):
        console.print(Text(printable(said)), soft_wrap=True)
    return text.getvalue()


def diff_junit(found: Diff, bounds: Mapping[str, float]) -> str:
    """Return a test for each bound, failed beyond it, and an error for what was not compared."""
    name = f"{found.made.first} and {found.made.second}"
    suite = ElementTree.Element("testsuite", name="pellucid diff", time="0")
    failures = 0
    for key, bound in bounds.items():
        value = found.bound(key)
        case = _case(suite, name, f"{key} is at most {bound:g}")
        said = f"{key} is {value:.4g}"
        if value > bound or not found.count:
            failures += 1
            failure = ElementTree.SubElement(case, "failure", type=key, message=said)
            failure.text = printable("\n".join(found.verdict))
        else:
            ElementTree.SubElement(case, "system-out").text = said
    for it in found.failed:
        case = _case(suite, name, f"{it.name} is compared")
        ElementTree.SubElement(case, "error", type=it.who, message=printable(it.why))
    if not len(suite):
        _case(suite, name, "the models are compared")
    for key, count in (
        ("tests", len(suite)), ("failures", failures), ("errors", len(found.failed)),
        ("skipped", 0),
    ):  # fmt: skip
        suite.set(key, str(count))
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(suite, "unicode")}\n'


def _case(suite: ElementTree.Element, of: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=printable(of), name=printable(name), time="0"
    )


def parity_table(found: Parity) -> str:
    """Return the kinds of fields with their verdicts, and what follows, in sentences."""
    from pellucid.comparison import Verdict
    from pellucid.evaluate import short

    text, console = _console()
    if found.rows:
        grid = Table(box=None, padding=(0, 2, 0, 0))
        grid.add_column(f"n = {len(found.rows):,}")
        for verdict in Verdict:
            grid.add_column(verdict.value, justify="right")
        grid.add_column("largest difference")
        for it in found.kinds:
            far = "" if it.furthest.difference is None else short(it.furthest.difference)
            where = f"{far} at {it.furthest.path}" if far else ""
            counts = [str(it.counts.get(verdict, 0) or "") for verdict in Verdict]
            grid.add_row(it.name, *counts, Text(printable(where)))
        grid.add_row()
        console.print(grid)
    for said in (*found.notes, *found.verdict):
        console.print(Text(printable(said)), soft_wrap=True)
    return text.getvalue()


def _console() -> tuple[io.StringIO, Console]:
    """Return what is written to, wide enough not to cut off a terminal, and what it becomes."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    text = io.StringIO()
    console = Console(
        file=text, force_terminal=terminal or None, width=None if terminal else WIDTH,
        highlight=False,
    )  # fmt: skip
    return text, console
