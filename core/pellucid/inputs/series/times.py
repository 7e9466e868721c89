"""When each step of a series was: numbers, or dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from math import isfinite
from typing import Any

import numpy as np

from pellucid.errors import InstanceError
from pellucid.notices import Notice, Where

TIME = "time"
"""Under what the times of an instance are kept, whatever their column is called."""

# Months are as regular as weeks.
_REGULAR = 1.25


def read_times(cells: Sequence[object], title: str, places: Sequence[Where]) -> dict[str, Any]:
    """Return times as JSON keeps them: of which `column`, `at` which numbers, whether `dates`.

    Durations are seconds, and dates seconds since 1970, in UTC unless they say otherwise; `places`
    tells where each cell is. Raises InstanceError for one that is no time.
    """
    dates = _number(cells[0]) is None  # as the first is, so are all
    found = [(_date if dates else _number)(cell) for cell in cells]
    for cell, at, place in zip(cells, found, places, strict=True):
        if at is None:
            text = "" if cell is None else str(cell).strip()
            said = f'holds no time, but "{text[:40]}"' if text else "is empty"
            raise InstanceError(
                f"column '{title}' {said}",
                where=place,
                hint="times are numbers, or dates as 2024-05-01 or 2024-05-01 12:30:00",
            )
    return {"column": title, "at": found, "dates": dates}


def times_notes(times: Mapping[str, Any], where: Where) -> Iterator[Notice]:
    """Yield what is odd about times: that they do not increase, or are irregular."""
    title = times["column"]
    with np.errstate(over="ignore"):
        steps = np.diff(np.asarray(times["at"], np.float64))
    if not len(steps):
        return
    if steps.min() <= 0:
        row = int(np.argmax(steps <= 0)) + 2
        yield Notice(
            f"column '{title}' does not increase in row {row}: the steps are taken in the order of "
            "the rows, and drawn by their numbers",
            where,
        )
    elif steps.max() > _REGULAR * steps.min():
        unit = " s" if times["dates"] else ""
        yield Notice(
            f"column '{title}' is irregular, with steps from {steps.min():.4g} to "
            f"{steps.max():.4g}{unit}, of which the model is told nothing",
            where,
        )


def _number(cell: object) -> float | None:
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if isfinite(value) else None


def _date(cell: object) -> float | None:
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell.strip().replace("Z", "+00:00"))
        except ValueError:
            return None
    if isinstance(cell, date) and not isinstance(cell, datetime):
        cell = datetime(cell.year, cell.month, cell.day)
    if not isinstance(cell, datetime):
        return None
    return (cell if cell.tzinfo else cell.replace(tzinfo=timezone.utc)).timestamp()
