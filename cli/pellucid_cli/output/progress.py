"""How far a long command has come, for those who watch it on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pellucid_cli.options.shared import Console


@contextmanager
def counted(doing: str, console: Console) -> Iterator[Callable[[], None]]:
    """Show a count, of what is not known how much there is; it goes up at each call."""
    # Not a bar that is disabled: before Rich 14.3, one writes an empty line where it ends.
    if not console.progress:
        yield lambda: None
        return
    from rich.console import Console as RichConsole
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(doing), MofNCompleteColumn(), TimeElapsedColumn())
    terminal = RichConsole(stderr=True)
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda: bar.advance(task)
