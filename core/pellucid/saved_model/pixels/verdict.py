"""From what a graph does to the pixels to the range, and the order of channels, that it wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pellucid.saved_model.pixels.normalization import Statistics
from pellucid.saved_model.pixels.view import View
from pellucid.saved_model.pixels.walk import End

Order: TypeAlias = Literal["rgb", "bgr"]
Range: TypeAlias = tuple[float, float]

UNIT: Range = (0.0, 1.0)
SIGNED: Range = (-1.0, 1.0)
BYTES: Range = (0.0, 255.0)
_DEEP: Range = (0.0, 65535.0)

# Means of ImageNet's red, green and blue; those of Caffe's networks, divided by 255, are the same
# to 0.002.
_IMAGENET = (0.485, 0.456, 0.406)
_SAME_MEAN = 0.012
_SMALL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The range of the pixels, the order of the channels where it shows, and why."""

    span: Range | None
    order: Order | None
    reason: str
    where: str


@dataclass(frozen=True, slots=True)
class _Map:
    """``scale · pixel + offset`` of a position: the pixel that becomes 0, and the scale."""

    scale: float
    offset: float

    @property
    def zero(self) -> float:
        return -self.offset / self.scale

    def share(self, span: Range) -> float:
        """Return where in a range the pixel that becomes 0 lies: 0 is its least, 1 its greatest."""
        return (self.zero - span[0]) / (span[1] - span[0])

    def width(self, span: Range) -> float:
        """Return how far apart the ends of a range are afterwards."""
        return abs(self.scale) * (span[1] - span[0])


def verdict_of(end: End) -> Verdict | None:
    """Return what the way to one end says, its last steps first, or None."""
    for view in end.view.steps():
        found = _of_view(view)
        if found is not None:
            return found
        if view.statistic and not _is_identity(_maps(view)):
            return None  # the data that it has seen had no range that is known here
    return None if end.statistics is None else _of_normalization(end.view, end.statistics)


def _of_view(view: View) -> Verdict | None:
    if not view.where:
        return None
    if view.least is not None and view.greatest is not None:
        for span in (UNIT, SIGNED, BYTES):
            if _near((view.least, view.greatest), span, 0.02 * (span[1] - span[0])):
                return _verdict(view, span, "keeps pixels within {}")
    maps = _maps(view)
    if not maps or _is_identity(maps):
        return None
    if view.statistic:
        zeros, deviations = [it.zero for it in maps], [1 / abs(it.scale) for it in maps]
        seen = range_of_statistics(zeros, deviations)
        return None if seen is None else _verdict(view, seen, _standardizes(zeros, deviations))
    usual = _span_of_literals(maps, learned=view.learned)
    return None if usual is None else _verdict(view, usual, _sentence(maps, usual))


def _of_normalization(view: View, statistics: Statistics) -> Verdict | None:
    """Return what a batch normalization that comes first says of the input."""
    maps = _maps(view)
    means, deviations = statistics.mean, statistics.deviation
    if len(maps) == 1:
        maps = maps * len(means)
    if len(maps) != len(means) or not maps:
        return None
    pairs = list(zip(means, deviations, maps, strict=True))
    if all(abs(mean) < 0.01 and abs(sd - 1) < 0.01 for mean, sd, _ in pairs):
        return None  # not trained
    zeros = [(mean - it.offset) / it.scale for mean, _, it in pairs]
    spread = [sd / abs(it.scale) for _, sd, it in pairs]
    span = range_of_statistics(zeros, spread)
    if span is None:
        return None
    source = view.source if len(view.source) == len(means) else tuple(range(len(means)))
    order = _order(zeros, source, span)
    reason = _standardizes(zeros, spread).format("")
    return Verdict(
        span=span, order=order, reason=f"'{statistics.where}' {reason}", where=statistics.where
    )


def range_of_statistics(means: Sequence[float], deviations: Sequence[float]) -> Range | None:
    """Return the smallest range that data with these means and deviations can lie in.

    No data between a and b have a variance above (b − mean)(mean − a) (Bhatia and Davis, 2000).
    """
    pairs = list(zip(means, deviations, strict=True))
    brightest = max(mean + 2 * sd for mean, sd in pairs)
    for span in (UNIT, SIGNED, BYTES):
        low, high = span
        slack = 0.02 * (high - low)
        fits = all(
            low - slack <= mean <= high + slack
            and sd * sd <= 1.1 * (high - mean) * (mean - low) + slack * slack
            for mean, sd in pairs
        )
        if fits:
            # Data that use less than a third of it are pictures of some other range.
            return span if brightest >= low + (high - low) / 3 else None
    return None


def _span_of_literals(maps: Sequence[_Map], *, learned: bool) -> Range | None:
    if all(abs(it.offset) < 1e-6 + 1e-4 * abs(it.scale) for it in maps):
        return _span_of_gains([abs(it.scale) for it in maps], learned=learned)
    for span in (UNIT, SIGNED, BYTES, _DEEP):
        if all(_is_usual(it, span, learned=learned) for it in maps):
            return span
    if learned:
        # Trainable numbers say nothing of the input, unless they are those that everybody writes.
        known = [it for it in (UNIT, BYTES) if _order([m.zero for m in maps], (0, 1, 2), it)]
        return known[0] if known and len(maps) == 3 else None
    for span in (UNIT, BYTES):
        if all(_is_standardization(it, span) for it in maps):
            return span
    return None


def _span_of_gains(gains: Sequence[float], *, learned: bool) -> Range | None:
    """Return the range that products alone tell of."""

    def every(low: float, high: float) -> bool:
        return all(low <= it <= high for it in gains)

    if every(1 / 256.5, 1 / 254.5) or every(1 / 128.5, 1 / 127):
        return BYTES
    if every(254.5, 256.5):
        return UNIT
    if every(0.98 / 65535, 1.02 / 65535):
        return _DEEP
    return BYTES if every(0.2 / 255, 8 / 255) and not learned else None


def _is_usual(it: _Map, span: Range, *, learned: bool) -> bool:
    """Whether a range becomes one of those that networks are fed: 1, 2 or 255 wide, about 0."""
    share = it.share(span)
    at_end = min(abs(share), abs(share - 1)) < 0.011
    centred = abs(share - 0.5) < 0.02
    if span == SIGNED:
        return at_end and _any_near(it.width(span), (1.0, 255.0))
    if at_end and abs(abs(it.scale) - 1) < 0.01:
        # x alone, or turned over: 1 − x, 255 − x.
        return it.scale < 0 and abs(share - 1) < 0.011
    if at_end or centred:
        return _any_near(it.width(span), (1.0, 2.0, 255.0))
    about = 0.1 < share < 0.8 and not learned
    return about and _any_near(it.width(span), (1.0, 2.0, 255.0))


def _is_standardization(it: _Map, span: Range) -> bool:
    share, deviation = it.share(span), 1 / it.width(span)
    possible = deviation * deviation <= 1.1 * share * (1 - share)
    return 0.02 < share < 0.98 and 0.05 < deviation < 0.6 and possible


def _any_near(width: float, usual: Sequence[float]) -> bool:
    return any(abs(width - it) <= 0.025 * it for it in usual)


def _maps(view: View) -> list[_Map]:
    if any(abs(it) < _SMALL for it in view.scale):
        return []
    if view.scattered and len(set(view.scale)) == 1:
        return [_Map(view.scale[0], sum(view.offset) / len(view.offset))]  # of a mean picture
    return [_Map(a, b) for a, b in zip(view.scale, view.offset, strict=True)]


def _is_identity(maps: Sequence[_Map]) -> bool:
    return all(abs(abs(it.scale) - 1) < 0.01 and abs(it.offset) < 0.01 for it in maps)


def _order(means: Sequence[float], source: Sequence[int], span: Range) -> Order | None:
    """Return the order of the channels of the input, where their means are those of ImageNet."""
    if len(means) != 3 or sorted(source) != [0, 1, 2]:
        return None
    by_channel = [0.0, 0.0, 0.0]
    for mean, channel in zip(means, source, strict=True):
        by_channel[channel] = (mean - span[0]) / (span[1] - span[0])
    if _near(by_channel, _IMAGENET, _SAME_MEAN):
        return "rgb"
    return "bgr" if _near(by_channel, _IMAGENET[::-1], _SAME_MEAN) else None


def _near(found: Sequence[float], known: Sequence[float], slack: float) -> bool:
    return all(abs(a - b) <= slack for a, b in zip(found, known, strict=True))


def _verdict(view: View, span: Range, sentence: str) -> Verdict:
    maps = _maps(view)
    order = None if view.scattered else _order([it.zero for it in maps], view.source, span)
    reason = f"'{view.where}' {sentence.format(range_text(span))}"
    return Verdict(span=span, order=order, reason=reason, where=view.where)


def _sentence(maps: Sequence[_Map], span: Range) -> str:
    first = maps[0]
    if any(it != first for it in maps):
        return _standardizes([it.zero for it in maps], [1 / abs(it.scale) for it in maps])
    ends = sorted(first.scale * it + first.offset for it in span)
    return "maps {} to " + range_text((ends[0], ends[1]))


def _standardizes(means: Sequence[float], deviations: Sequence[float]) -> str:
    if len(means) > 4:
        return f"standardizes pixels whose mean is {sum(means) / len(means):.4g}"
    if all(abs(it - 1) < 0.01 for it in deviations):
        return f"subtracts the mean {_numbers(means)}"
    return f"standardizes with mean {_numbers(means)} and deviation {_numbers(deviations)}"


def _numbers(values: Sequence[float]) -> str:
    if len(set(values)) == 1:
        return f"{values[0]:.4g}"
    return "(" + ", ".join(f"{it:.4g}" for it in values) + ")"


def range_text(span: Range) -> str:
    """Write a range as ``0..255``."""
    return "..".join(f"{round(it, 3):g}" for it in span)
