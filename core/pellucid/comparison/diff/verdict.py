"""What the numbers say in sentences: the same or not, what moved, and what may be chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from pellucid.comparison.diff.shifts import Shift
from pellucid.comparison.diff.subsets import Subset
from pellucid.evaluate import LEAST, TOO_FEW, Interval

MOST = 3


class Diff(Protocol):
    """What sentences are made of."""

    @property
    def count(self) -> int: ...
    @property
    def same(self) -> bool: ...
    @property
    def measured(self) -> bool: ...
    @property
    def furthest(self) -> tuple[float, float]: ...
    @property
    def instances(self) -> Sequence[Any]: ...
    @property
    def flips(self) -> Sequence[Any]: ...
    @property
    def shifts(self) -> Sequence[Shift]: ...
    @property
    def subsets(self) -> Sequence[Subset]: ...
    @property
    def by_class(self) -> Mapping[str, Sequence[Shift]]: ...
    @property
    def controls(self) -> Sequence[Any]: ...
    def mean(self, name: str) -> Interval:
        """Return the mean of a number."""
        ...

    def more_than(self, control: Any, name: str) -> Interval:
        """Return how much more it differs than a control does."""
        ...


def sentences(found: Diff) -> Iterator[str]:
    """Yield the sentences, the most important first."""
    if not found.count:
        yield "Nothing was compared: no instance was explained by both models."
        return
    if found.same:
        answers, largest = found.furthest
        yield (
            f"The models are the same on {_instances(found.count)}: scores differ by at most "
            f"{answers:.1g}, attributions by {largest:.1g} of the largest."
        )
        return
    yield _flips(found)
    yield from _moved(found)
    yield from _subsets(found)
    yield from _elements(found)
    yield from _beyond_controls(found)
    if found.count < LEAST:
        verb = "is" if found.count == 1 else "are"
        yield f"{_instances(found.count)} {verb} too few to tell a change from chance."
    elif found.count < TOO_FEW:
        yield f"{_instances(found.count)} are few: from {TOO_FEW} on intervals can be relied on."


def _flips(found: Diff) -> str:
    flips = found.flips
    if found.measured:
        return "The answer is a measurement, which has no prediction that flips."
    if not flips:
        return f"No prediction flips, of {found.count:,}."
    ways = Counter((it.first.label, it.second.label) for it in flips).most_common(MOST)
    said = ", ".join(f"'{one}' to '{other}' ({n:,})" for (one, other), n in ways)
    more = " most often" if len({(it.first.label, it.second.label) for it in flips}) > MOST else ""
    verb = "prediction flips" if len(flips) == 1 else "predictions flip"
    return (
        f"{len(flips):,} of {found.count:,} {verb} ({percent(len(flips) / found.count)}),{more} "
        f"{said}."
    )


def _moved(found: Diff) -> Iterator[str]:
    moved = found.mean("moved")
    if moved.mean is not None:
        yield (
            f"{percent(moved.mean)}{_between(moved)} of the attribution lies elsewhere, on average."
        )


def _subsets(found: Diff) -> Iterator[str]:
    """Say whose attribution moved as no other's did, and where: as a shortcut would move it."""
    for it in found.subsets[:MOST]:
        rows = [found.instances[i] for i in it.members]
        labels = Counter(row.first.label for row in rows).most_common(2)
        label, count = labels[0]
        of = f", all '{label}'," if len(labels) == 1 else f", {count:,} '{label}',"
        yield (
            f"{_instances(len(rows))}{of} moved as no other did: {it.element} from "
            f"{percent(it.first)} to {percent(it.second)} of their attribution ({it.apart:.1f} "
            f"standard deviations apart), as by a shortcut; the furthest is {rows[0].name}."
        )


def _elements(found: Diff) -> Iterator[str]:
    """Say which elements grew and fell most, of those that are told from none."""
    sure = [it for it in found.shifts if it.sure]
    if not sure and found.shifts and found.count >= LEAST:
        yield "No element's mean share changed beyond what the choice of instances explains."
    for grew, verb in ((True, "grew"), (False, "fell")):
        some = [it for it in sure if (it.second > it.first) == grew][:MOST]
        if some:
            yield f"What {verb} most: {'; '.join(map(shift_said, some))}."
    known = {it.name for it in sure[: 2 * MOST]}
    for label, shifts in found.by_class.items():
        own = [it for it in shifts if it.sure and it.name not in known][:1]
        if own and _is_large(own[0], shifts):
            yield f"Of '{label}': {shift_said(own[0])}."


def _is_large(shift: Shift, shifts: Sequence[Shift]) -> bool:
    return abs(shift.second - shift.first) >= 0.05 and shift is shifts[0]


def shift_said(it: Shift) -> str:
    """Return a shift in words: ``row 8 of 8, column 8 of 8 from 1 % to 23 % (+20 to +24)``."""
    said = f"{it.name} from {percent(it.first)} to {percent(it.second)}"
    if it.change.low is None or it.change.high is None:
        return said
    return f"{said} ({points(it.change.low)} to {points(it.change.high)})"


def _beyond_controls(found: Diff) -> Iterator[str]:
    """Say whether the model differs more than other trainings of the first one do."""
    if not found.controls:
        yield (
            "Whether another training of the first model would differ as much is not known; "
            "name one as a control."
        )
        return
    for control in found.controls:
        own, more = control.mean("moved"), found.more_than(control, "moved")
        if own.mean is None or more.mean is None:
            continue
        name = control.made.second
        said = f"Of the control {name}, {percent(own.mean)} lies elsewhere"
        if more.sure and more.mean > 0:
            yield f"{said}: the second model moved more, by {_range(more)} points."
        elif more.sure:
            yield f"{said}: the second model moved less, by {_range(more)} points."
        else:
            yield f"{said}: what moved is not told from chance ({_range(more)} points more)."


def percent(share: float) -> str:
    """Return a share in per cent, with the digits that matter."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or not value else f"{value:.2g} %"


def points(change: float) -> str:
    """Return a change of a share in percentage points, with its sign."""
    value = 100 * change
    text = f"{abs(value):.0f}" if abs(value) >= 10 else f"{abs(value):.2g}"
    return f"{'−' if value < 0 else '+'}{text}"


def _between(it: Interval) -> str:
    if it.low is None or it.high is None:
        return ""
    return f" ({percent(max(0.0, it.low))} to {percent(it.high)})"


def _range(it: Interval) -> str:
    if it.low is None or it.high is None:
        return points(it.mean or 0.0)
    return f"{points(it.low)} to {points(it.high)}"


def _instances(count: int) -> str:
    return "1 instance" if count == 1 else f"{count:,} instances"
