"""How far a call has come, for people: a bar in a terminal, or below the cell of a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Advance = Callable[[int], None]


@contextmanager
def progress_bar(total: int, wanted: bool | None, *, several: bool) -> Iterator[Advance]:
    """Show how many of `total` instances are explained; the call of what is yielded adds some.

    By default it is shown where somebody watches, and where there are `several` steps to see; it
    is gone when the block ends.
    """
    shell = _notebook()
    if wanted is None:
        watched = shell or (sys.stderr is not None and sys.stderr.isatty())
        wanted = several and bool(watched)
    if not wanted:
        yield lambda count: None
    elif shell:
        yield from _in_notebook(total)
    else:
        yield from _in_terminal(total)


def _notebook() -> bool:
    """Whether this runs in a notebook: IPython is there already, and talks to a page."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _in_terminal(total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("explaining"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


# Rich's own bar in notebooks needs ipywidgets, and warns where they are not.
def _in_notebook(total: int) -> Iterator[Advance]:
    from IPython.display import HTML, display

    done = 0
    shown: Any = display(HTML(_bar(done, total)), display_id=True)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        shown.update(HTML(_bar(done, total)))

    try:
        yield advance
    finally:
        shown.update(HTML(""))


def _bar(done: int, total: int) -> str:
    return (
        f'<progress value="{done}" max="{total}" style="vertical-align: middle"></progress> '
        f"{done:,} of {total:,} instances explained"
    )
