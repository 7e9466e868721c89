"""The words that speak most for a class, and most against it, over many texts."""

from __future__ import annotations

from pellucid.model import Array
from pellucid.visualize.colormaps import AGAINST, FOR
from pellucid.visualize.overview.charts import LINE, Sheet, instances_text, names_width
from pellucid.visualize.overview.numbers import WORDS, Overview
from pellucid.visualize.panel import FAINT, MARGIN
from pellucid.visualize.text_layout import width_of

MOST = 15
"""Words that are shown on either side."""

_ROW, _BAR, _PLOT = 26, 16, 320


def top_words(overview: Overview, key: str) -> list[tuple[str, int, float]]:
    """Return words, how often each occurs, and what it contributed to a text on average.

    They are those that contributed most for the class, then those against it, the least first.
    """
    totals = overview.totals[key]
    means = [
        (word, int(count), total / totals.count) for word, (count, total, _) in totals.words.items()
    ]
    ordered = sorted(means, key=lambda it: (-it[2], it[0]))
    plus = [it for it in ordered[:MOST] if it[2] > 0]
    minus = [it for it in ordered[-MOST:] if it[2] < 0]
    return [*plus, *minus]


def words(overview: Overview, key: str, called: str) -> Array | None:
    """Return a bar for each of the top words of a class; None where there are no words."""
    rows = top_words(overview, key)
    if not rows:
        return None
    totals = overview.totals[key]
    counts = [f"{count:,}×" for _, count, _ in rows]
    numbers = [f"{mean:+.3g}" for *_, mean in rows]
    names = names_width([word for word, *_ in rows])
    often = max(width_of(it, 12) for it in counts) + 10
    left = MARGIN + names + often + 12
    beyond = max(width_of(it, 12) for it in numbers) + 10
    low, high = min(0.0, *(it[2] for it in rows)), max(0.0, *(it[2] for it in rows))
    scale = _PLOT / ((high - low) or 1.0)
    lines = [
        f"what each word adds to a text on average, over {instances_text(totals.count)}; "
        "green: for, pink: against"
    ]
    if totals.forgotten:
        lines.append(
            f"of more than {2 * WORDS:,} words, those that counted least were forgotten on the "
            "way, so that some may be counted too low"
        )
    width = left + beyond + _PLOT + beyond + MARGIN
    sheet = Sheet(width, _ROW * len(rows), f"The words that count most for {called}", lines)
    zero = left + beyond - round(low * scale)
    sheet.pen.line([(zero, sheet.top), (zero, sheet.top + _ROW * len(rows))], fill=LINE)
    for i, (word, _, mean) in enumerate(rows):
        middle = sheet.top + _ROW * i + _ROW // 2
        sheet.text((MARGIN + names, middle), word, anchor="rm", width=names)
        sheet.text((MARGIN + names + often, middle), counts[i], anchor="rm", ink=FAINT, size=12)
        end = left + beyond + round((mean - low) * scale)
        near, far = min(zero, end), max(zero, end)
        color = FOR if mean >= 0 else AGAINST
        box = [near, middle - _BAR // 2, max(far, near + 1), middle + _BAR // 2]
        sheet.pen.rectangle(box, fill=color)
        if mean >= 0:
            sheet.text((far + 6, middle), numbers[i], anchor="lm", ink=color, size=12)
        else:
            sheet.text((near - 6, middle), numbers[i], anchor="rm", ink=color, size=12)
    return sheet.pixels
