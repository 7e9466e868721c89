"""Whether a map is one of the model at all: completeness, two seeds, and random weights.

Randomization (arXiv 1810.03292): the weights of the model are drawn anew from the output down, the
first third, two thirds, all of them; a map that stays as it was does not depend on the model.
"""

from __future__ import annotations

import numpy as np

from pellucid.evaluate.subject import Subject
from pellucid.evaluate.trial import (
    HIGHER,
    LOWER,
    RANDOMIZATION,
    Found,
    Measure,
    Metric,
    Settings,
    Trial,
)
from pellucid.model import Array

COMPLETENESS, SEED = "completeness", "seed"
SIMILARITY = f"{RANDOMIZATION}_ssim"


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's correlation of two maps; NaN where one of them is constant."""
    from scipy.stats import rankdata

    a, b = rankdata(first), rankdata(second)
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length else float("nan")


def similarity(first: Array, second: Array) -> float:
    """Return the SSIM of two maps [h, w], each scaled to -1..1 by its largest absolute value."""
    from skimage.metrics import structural_similarity

    pair = [it / (np.abs(it).max() or 1.0) for it in (first, second)]
    side = min(7, *first.shape)
    side -= side % 2 == 0
    if side < 3:
        return float("nan")
    return float(structural_similarity(*pair, data_range=2.0, win_size=side))


def _judge_completeness(trial: Trial, settings: Settings) -> Found:
    found = Found()
    for name in trial.maps:
        if name in trial.errors:
            found.put(COMPLETENESS, name, trial.errors[name])
        elif name not in trial.controls:
            found.lacks(COMPLETENESS, name, "its attributions need not add up to anything")
    return found


def _judge_seed(trial: Trial, settings: Settings) -> Found:
    assert trial.again is not None
    found, ranked = Found(), trial.subject.ranked
    for name in trial.maps:
        if name in trial.controls:
            continue
        plain, other = trial.plain(name), trial.again.seeded(name, settings.seed + 1)
        if other is None:
            found.lacks(SEED, name, "it draws no random numbers")
        elif isinstance(plain, str) or isinstance(other, str):
            found.lacks(SEED, name, next(it for it in (plain, other) if isinstance(it, str)))
        else:
            found.put(SEED, name, rank_correlation(plain[ranked], other[ranked]))
    return found


def _judge_randomization(trial: Trial, settings: Settings) -> Found:
    assert trial.again is not None
    found, subject = Found(), trial.subject
    for name in trial.maps:
        known = name in trial.controls
        values = trial.maps[name] if known else trial.plain(name)
        if isinstance(values, str):
            found.lacks(RANDOMIZATION, name, values)
            continue
        correlations = [1.0]
        last: Array | None = None
        for share in settings.depths:
            other = values if known else trial.again.reinitialised(name, share)
            if isinstance(other, str):
                found.lacks(RANDOMIZATION, name, other)
                last = None
                break
            last = other
            correlations.append(_alike(subject, values, other))
        if last is None:
            continue
        found.put(RANDOMIZATION, name, correlations[-1])
        found.curve(RANDOMIZATION, name, np.array(correlations))
        if subject.picture is not None:
            size = subject.picture.size
            found.put(SIMILARITY, name, similarity(values.reshape(size), last.reshape(size)))
    return found


def _alike(subject: Subject, first: Array, second: Array) -> float:
    """Return the correlation of two maps; a constant one has 1 with itself, and else none."""
    ranked = subject.ranked
    if np.array_equal(first, second):
        return 1.0
    return float(np.nan_to_num(rank_correlation(first[ranked], second[ranked])))


def _alone(trial: Trial) -> str:
    return "" if trial.again is not None else "the instance cannot be explained again"


SANITY = (
    Measure(
        metrics=(
            Metric(
                name=COMPLETENESS,
                title="completeness",
                better=LOWER,
                means="approx_error: how far the attributions are from adding up to what the score "
                "changes between baseline and instance; of sampled methods the standard error.",
                cannot="Attributions may add up and be in the wrong places.",
            ),
        ),
        judge=_judge_completeness,
    ),
    Measure(
        metrics=(
            Metric(
                name=SEED,
                title="two seeds",
                better=HIGHER,
                means="The rank correlation of a method's maps by two random seeds.",
                cannot="It tells whether enough was sampled, and not whether the map is right.",
            ),
        ),
        judge=_judge_seed,
        refuses=_alone,
    ),
    Measure(
        metrics=(
            Metric(
                name=RANDOMIZATION,
                title="randomization",
                better=None,
                means="The rank correlation of a map with that of the same model after all of its "
                "weights were drawn anew. A map that does not change does not depend on the model.",
                cannot="A low number does not make a map right: random numbers have it, too. "
                "Biases and what a loop or a table holds stay as they are.",
            ),
            Metric(
                name=SIMILARITY,
                title="randomization, SSIM",
                better=None,
                means="The structural similarity of the same two maps, as pictures.",
                cannot="Two maps that are black but for a few pixels are similar whatever these "
                "are.",
            ),
        ),
        judge=_judge_randomization,
        refuses=_alone,
    ),
)
