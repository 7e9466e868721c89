"""Deletion and insertion (arXiv 1806.07421): the score while elements go, or come, best first.

```python
>>> import numpy as np
>>> stages(10, 4)
array([ 0,  2,  5,  7, 10])
>>> area(np.array([0.0, 1.0, 1.0]))
0.75

```

The baseline takes the place of elements, or they take its place, in equal shares and in the order
of the attribution; equal ones go in reading order. The area is that under the curve of scores, by
the trapezoid rule over equal steps. It rewards a model that is sure of itself, so that it is also
given with the ends of the curve at 0 and 1.

Scattered maps are punished by such curves and patches favoured: a network sees shapes, and a pixel
alone is noise to it. So maps are also judged after they were smoothed, and after they were averaged
over the same patches for all candidates: what is left is where they point, and not their grain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.evaluate.controls import BLUR_SHARE
from pellucid.evaluate.subject import Subject, best_first
from pellucid.evaluate.trial import HIGHER, LOWER, Found, Measure, Metric, Settings, Trial
from pellucid.model import Array

DELETION, INSERTION = "deletion", "insertion"
SMOOTHED, PATCHES = "_smoothed", "_patches"
CHANGED = tuple(f"{kind}{how}" for kind in (DELETION, INSERTION) for how in (SMOOTHED, PATCHES))
"""The metrics of maps that were changed first."""
NO_PICTURE = "only a map of a picture can be smoothed or averaged over patches"
SAME = 1e-9
"""Ends of a curve that are nearer than this are the same: nothing can be normalised by them."""


def stages(count: int, shares: int) -> Array:
    """Return how many of `count` elements are taken after each equal share, [shares + 1]."""
    return np.linspace(0, count, shares + 1, dtype=np.int64)


def area(curve: Array) -> float:
    """Return the area under a curve [m] over 0..1, by the trapezoid rule over equal steps."""
    return float(np.mean(curve[:-1] + curve[1:]) / 2)


def normalised(value: float, start: float, end: float) -> float:
    """Return an area as the share of the way from the lower to the upper end; NaN without one."""
    return (value - start) / (end - start) if abs(end - start) > SAME else float("nan")


def taken(subject: Subject, ranking: Array, shares: int) -> Array:
    """Return which elements the best shares are, bool [shares + 1, p]; `ranking` is [p]."""
    ranked = subject.ranked
    order = ranked[best_first(ranking[ranked])]
    place = np.full(subject.count, len(order))  # what is not ranked is never taken
    place[order] = np.arange(len(order))
    return np.asarray(place < stages(len(order), shares)[:, None])


def curves(subject: Subject, ranking: Array, shares: int) -> tuple[Array, Array]:
    """Return the scores of deletion and of insertion by a ranking, [shares + 1] each."""
    if subject.picture is not None:
        return subject.along(best_first(ranking), stages(subject.count, shares))
    # Where elements are fewer than shares, they go one by one, with lines between: whole ones that
    # wait for their share would make a staircase, and all methods worse than they are.
    count = len(subject.ranked)
    steps = min(shares, count) or 1
    members = taken(subject, ranking, steps)
    worth = subject.worth(np.concatenate([~members, members]))
    at = stages(count, steps) / count if count else np.linspace(0, 1, steps + 1)
    where = np.linspace(0, 1, shares + 1)
    deletion, insertion = (
        np.interp(where, at, it) for it in (worth[: steps + 1], worth[steps + 1 :])
    )
    return deletion, insertion


def smoothed(subject: Subject, values: Array) -> Array:
    """Return a map of a picture, [p], smoothed by 3.5 % of its longer side."""
    from scipy.ndimage import gaussian_filter

    assert subject.picture is not None
    size = subject.picture.size
    blurred = gaussian_filter(values.reshape(size), BLUR_SHARE * max(size))
    return np.asarray(blurred, np.float64).ravel()


def over_patches(subject: Subject, values: Array) -> Array:
    """Return a map of a picture, [p], with the mean of each patch; patches are those of slic."""
    labels = subject.patches.ravel()
    sums = np.bincount(labels, values)
    return np.asarray((sums / np.maximum(np.bincount(labels), 1))[labels])


def _judged(
    change: Callable[[Subject, Array], Array] | None, suffix: str
) -> Callable[[Trial, Settings], Found]:
    def judge(trial: Trial, settings: Settings) -> Found:
        found, subject = Found(), trial.subject
        shares = settings.stages if change is None else settings.changed_stages
        for name, values in trial.maps.items():
            ranking = values if change is None else change(subject, values)
            pair = curves(subject, ranking, shares)
            for kind, curve in zip((DELETION, INSERTION), pair, strict=True):
                metric, value = f"{kind}{suffix}", area(curve)
                found.put(metric, name, value)
                found.curve(metric, name, curve)
                if change is None:
                    share = normalised(value, subject.empty, subject.full)
                    found.put(f"{kind}_normalised", name, share)
        return found

    return judge


def _no_picture(trial: Trial) -> str:
    return "" if trial.subject.picture else NO_PICTURE


_FAR = (
    "Half of what the model is asked about is far from anything it has seen, so that the number is "
    "also one of how it treats such input. Maps in patches do better than scattered ones."
)


def _metrics(suffix: str, title: str, how: str, cannot: str) -> tuple[Metric, ...]:
    return (
        Metric(
            name=f"{DELETION}{suffix}",
            title=f"deletion{title}",
            better=LOWER,
            means="The score while the elements that a map ranks highest are replaced by the "
            f"baseline first: the sooner it falls, the lower is the area under it.{how}",
            cannot=cannot,
        ),
        Metric(
            name=f"{INSERTION}{suffix}",
            title=f"insertion{title}",
            better=HIGHER,
            means="The score while the elements that a map ranks highest are put into the baseline "
            f"first: the sooner it rises, the higher is the area under it.{how}",
            cannot=cannot,
        ),
    )


_ENDS = " It is a share of the way from the baseline's score to the instance's."
_GRAIN = " What is left of a map is where it points, and not how scattered it is."
CURVES = (
    Measure(
        metrics=(
            *_metrics("", "", "", _FAR),
            *_metrics(
                "_normalised",
                ", normalised",
                _ENDS,
                "It is not defined where the baseline's score is the instance's, and large where "
                "they are near each other. What is said of the raw area holds here, too.",
            ),
        ),
        judge=_judged(None, ""),
        usual=True,
    ),
    Measure(
        metrics=_metrics(SMOOTHED, ", smoothed maps", _GRAIN, _FAR),
        judge=_judged(smoothed, SMOOTHED),
        refuses=_no_picture,
    ),
    Measure(
        metrics=_metrics(PATCHES, ", maps over patches", _GRAIN, _FAR),
        judge=_judged(over_patches, PATCHES),
        refuses=_no_picture,
    ),
)
