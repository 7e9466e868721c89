"""Explanations on the terminal: pictures in half blocks, words on colour, columns as bars.

Of a series there are the bars of its channels, and a line of its totals over time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from pellucid_cli.output.colored_text import lines, on_grounds
from pellucid_cli.streams import line

if TYPE_CHECKING:
    from pellucid import Explanations
    from pellucid.visualize import Drawing, Part, Series, View

WIDEST, HIGHEST = 120, 32
# Terminals that can show a photo.
_COLORS = ("truecolor", "256", "windows")
_FOR, _AGAINST = "#4d9221", "#de77ae"
_BAR = 24
_HEIGHTS = " ▁▂▃▄▅▆▇█"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave a closed pipe to who tells of it; Rich would end the process."""
        raise BrokenPipeError


def preview(sets: Sequence[Explanations], number: int, stem: str, view: View, *, err: bool) -> None:
    """Print what there is to see of an instance, on stdout or, with `err`, on stderr.

    A terminal without colours gets pictures of characters.
    """
    from pellucid.visualize import shown

    console = _Console(file=sys.stderr if err else sys.stdout, soft_wrap=True, highlight=False)
    colors = console.color_system in _COLORS
    for one in shown(sets, number, view):
        # As `Text`: in a plain string Rich takes what stands in brackets for its own markup.
        console.print(Text(line(f"{stem}: {one.title}"), "bold"))
        console.print(Text(lines(one.subtitle), "dim"))
        for drawing in one.drawings(view).values():
            if drawing.empty:
                console.print(Text(line(drawing.empty)))
            for row in _picture(drawing, console.width) if colors else _shaded(drawing):
                console.print(row)
        for text in one.texts():
            console.print(on_grounds(text))
        for drawing in one.series().values():
            for row in _series(drawing.series, console.width):
                console.print(row)
        for row in _bars(one.parts()):
            console.print(row)
        console.print()


def _picture(drawing: Drawing, width: int) -> Iterator[Text]:
    """Yield the picture beside its overlay; a character holds two pixels, one above the other."""
    from pellucid.visualize import half_blocks

    columns = max(1, (min(width, WIDEST) - 2) // 2)
    original, overlay = (
        half_blocks(each, columns, HIGHEST) for each in (drawing.image, drawing.overlay)
    )
    for left, right in zip(original, overlay, strict=True):
        row = Text()
        for half in (left, None, right):
            if half is None:
                row.append("  ")
            for above, below in half or ():
                style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
                row.append("▀", style)
        yield row


def _shaded(drawing: Drawing) -> Iterator[Text]:
    from pellucid.metadata import Polarity
    from pellucid.visualize import character_picture

    polarity = drawing.visualization.polarity or Polarity.POSITIVE
    yield from map(Text, character_picture(drawing.attribution, polarity).split("\n"))


def _series(series: Series, width: int) -> Iterator[Text]:
    """Yield the totals of channels as bars, and those of all together as a line over time."""
    from pellucid.visualize import Part

    if not series.shared_by_channels:
        channels = zip(series.names, series.channel_totals.tolist(), strict=True)
        yield from _bars([Part(name=name, attribution=total) for name, total in channels])
    if series.shared_by_steps:
        return
    shown = series.over_time(max(1, min(width, WIDEST)))
    most = max(map(abs, shown.tolist()), default=0.0) or 1.0
    row = Text()
    for total in shown.tolist():
        height = _HEIGHTS[round((len(_HEIGHTS) - 1) * abs(total) / most)]
        row.append(height, _FOR if total >= 0 else _AGAINST)
    yield row
    yield Text(line(f"over time: {series.axis}"), "dim")


def _bars(parts: Sequence[Part]) -> Iterator[Text]:
    """Yield a line for each column, the largest first."""
    from pellucid.visualize import largest

    rows = largest(parts)
    names = [
        line(f"{part.name} = {part.value}" if part.value is not None else part.name)
        for part in rows
    ]
    most = max((abs(part.attribution) for part in rows), default=0.0)
    for name, part in zip(names, rows, strict=True):
        bar = "█" * round(_BAR * abs(part.attribution) / most) if most else ""
        row = Text(f"{name:>{max(map(len, names))}}  {part.attribution:+9.3g}  ")
        yield row.append(bar, _FOR if part.attribution >= 0 else _AGAINST)
