"""An evaluation to read on a terminal: candidates by metrics, and below it what follows."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pellucid.printable import printable

if TYPE_CHECKING:
    from pellucid.evaluate import Evaluation, Metric

COLUMNS, WIDTH = 4, 132
"""So many metrics stand side by side."""


def evaluation_table(found: Evaluation, verdict: Sequence[str] | None = None) -> str:
    """Return the table, what was left out of it and why, and sentences: `verdict` or its own."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    text = io.StringIO()
    # Off a terminal: wide enough not to cut.
    width = None if terminal else WIDTH
    console = Console(file=text, force_terminal=terminal or None, width=width, highlight=False)
    have = [it for it in found.metrics if found.values.get(it.name)]
    for start in range(0, len(have), COLUMNS):
        console.print(_grid(found, have[start : start + COLUMNS]))
    for said in (*_left_out(found), *found.notes, *(found.verdict if verdict is None else verdict)):
        console.print(Text(printable(said)), soft_wrap=True)
    return text.getvalue()


def _grid(found: Evaluation, metrics: Sequence[Metric]) -> Table:
    from pellucid.evaluate import cell

    n = len(found.instances)
    grid = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    grid.add_column(f"n = {n}")
    for it in metrics:
        arrow = {"higher": " ↑", "lower": " ↓"}.get(it.better or "", "")
        grid.add_column(f"{it.title}{arrow}")
    best = {it.name: found.best(it.name) for it in metrics}
    for judged in found.candidates:
        cells = [Text(printable(judged.name), "dim" if judged.control else "")]
        for it in metrics:
            mean = found.mean(it.name, judged.name)
            some = f" (n={mean.n})" if 0 < mean.n < n else ""
            bold = "bold" if best[it.name] == judged.name else ""
            cells.append(Text(cell(mean) + some, bold or cells[0].style))
        grid.add_row(*cells)
    grid.add_row()
    return grid


def _left_out(found: Evaluation) -> Iterator[str]:
    """Yield what is not in the table, and why."""
    n = len(found.instances)
    together: dict[tuple[str, str, int], list[str]] = {}
    for it in found.left_out:
        together.setdefault((it.reason, it.candidate, it.count), []).append(it.metric)
    for (reason, candidate, count), metrics in together.items():
        what = ", ".join(part for part in (candidate, *metrics) if part)
        some = "" if count >= n else f" for {count} of {n} instances"
        yield f"left out{some}: {what}: {reason}"
