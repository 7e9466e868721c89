"""Infidelity and maximal sensitivity (arXiv 1901.09392): what a map says of small changes.

Infidelity: random parts of the instance go to the baseline; what a map gave these parts, added up,
should be what the score loses. A map is scaled by the one factor that suits it best, since a LIME
coefficient and an integrated gradient are not in the same units; the number is the mean of the
squared errors that are left. Parts are squares of a picture, and subsets of columns or words. All
candidates have the same parts, so that the model is asked once.

Maximal sensitivity: the farthest that a map moves, relative to its own length, while the input
moves within a small cube.
"""

from __future__ import annotations

import numpy as np

from pellucid.evaluate.subject import Subject
from pellucid.evaluate.trial import LOWER, Found, Measure, Metric, Settings, Trial
from pellucid.model import Array

INFIDELITY, SENSITIVITY = "infidelity", "max_sensitivity"
PARTS = 100
"""So many random parts are taken away, each alone."""
RADIUS = 0.02
"""How far an input moves, as a share of its range: captum's default."""


def parts(subject: Subject, count: int = PARTS) -> Array:
    """Return which elements are in each random part, bool [count, p]."""
    generator = subject.generator("parts")
    if subject.picture is None:
        chosen = generator.random((count, len(subject.ranked))) < 0.5
        found = np.zeros((count, subject.count), bool)
        found[:, subject.ranked] = chosen
        return found
    height, width = subject.picture.size
    sides = generator.integers(1, max(2, min(height, width) // 2 + 1), count)
    tops = (generator.random(count) * (height - sides + 1)).astype(int)
    lefts = (generator.random(count) * (width - sides + 1)).astype(int)
    down, across = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    inside = (down >= tops[:, None, None]) & (down < (tops + sides)[:, None, None])
    inside = inside & (across >= lefts[:, None, None]) & (across < (lefts + sides)[:, None, None])
    return inside.reshape(count, -1)


def infidelity(claimed: Array, lost: Array) -> float:
    """Return the mean squared error of what a map claims, [m], of what the score lost, [m].

    What is claimed is scaled by the factor that makes the error least.
    """
    squares = float(claimed @ claimed)
    factor = float(claimed @ lost) / squares if squares else 0.0
    return float(np.mean((factor * claimed - lost) ** 2))


def sensitivity(plain: Array, moved: Array) -> float:
    """Return the largest of the distances of maps [m, p] from one [p], relative to its length."""
    length = float(np.linalg.norm(plain)) or 1.0
    return float(np.linalg.norm(moved - plain, axis=1).max()) / length


def moved_inputs(trial: Trial, moves: int) -> dict[str, Array]:
    """Return the inputs that are floating point numbers, each moved a little: [moves, …]."""
    generator = trial.subject.generator("moves")
    found = {}
    for name, value in sorted(trial.request.items()):
        radius = RADIUS * trial.ranges[name]
        step = generator.uniform(-1, 1, (moves, *value.shape)) * radius
        found[name] = np.asarray(value + step, value.dtype)
    return found


def _judge_infidelity(trial: Trial, settings: Settings) -> Found:
    found, subject = Found(), trial.subject
    members = parts(subject)
    lost = subject.full - subject.worth(~members)
    for name, values in trial.maps.items():
        found.put(INFIDELITY, name, infidelity(members @ values, lost))
    return found


def _judge_sensitivity(trial: Trial, settings: Settings) -> Found:
    assert trial.again is not None
    found, inputs = Found(), moved_inputs(trial, settings.moves)
    for name in trial.maps:
        if name in trial.controls:
            continue
        plain, moved = trial.plain(name), trial.again.changed(name, inputs)
        if isinstance(plain, str) or isinstance(moved, str):
            found.lacks(SENSITIVITY, name, next(it for it in (plain, moved) if isinstance(it, str)))
        else:
            found.put(SENSITIVITY, name, sensitivity(plain, moved))
    return found


def _cannot_move(trial: Trial) -> str:
    if trial.again is None:
        return "the instance cannot be explained again"
    return "" if trial.request else "no explained input is of floating point numbers"


PERTURBED = (
    Measure(
        metrics=(
            Metric(
                name=INFIDELITY,
                title="infidelity",
                better=LOWER,
                means="The squared error of what a map claims that the score loses when a random "
                "square, or random columns or words, go to the baseline. The map is scaled by the "
                "factor that suits it best.",
                cannot="It says nothing of a single pixel, and its unit is that of the score, "
                "squared: a model that is sure of itself has larger numbers.",
            ),
        ),
        judge=_judge_infidelity,
    ),
    Measure(
        metrics=(
            Metric(
                name=SENSITIVITY,
                title="max. sensitivity",
                better=LOWER,
                means="How far a map moves at most, relative to its length, while every number of "
                "the input moves by up to 2 % of its range.",
                cannot="A map that ignores the model is not sensitive at all: it tells what is "
                "unstable, and not what is right.",
            ),
        ),
        judge=_judge_sensitivity,
        refuses=_cannot_move,
    ),
)
