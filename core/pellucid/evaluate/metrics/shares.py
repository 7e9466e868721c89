"""What the best shares of a map hold: sufficiency and comprehensiveness, and what is inside a mask.

Sufficiency and comprehensiveness (arXiv 1911.03429) are for texts and columns: how much of the
score is lost with only the best elements, and without them, averaged over the best 1, 5, 10, 20 and
50 %. At least one element is taken, and parts of one are rounded up.
"""

from __future__ import annotations

import math

import numpy as np

from pellucid.evaluate.subject import Subject, best_first
from pellucid.evaluate.trial import HIGHER, LOWER, Found, Measure, Metric, Settings, Trial
from pellucid.model import Array

SUFFICIENCY, COMPREHENSIVENESS = "sufficiency", "comprehensiveness"
INSIDE, POINTING = "inside", "pointing"
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


def best(subject: Subject, values: Array) -> Array:
    """Return which elements are the best shares of a map, bool [shares, p]."""
    ranked = subject.ranked
    order = ranked[best_first(values[ranked])]
    members = np.zeros((len(SHARES), subject.count), bool)
    for row, share in zip(members, SHARES, strict=True):
        row[order[: max(1, math.ceil(share * len(order) - 1e-9))]] = True
    return members


def inside(values: Array, mask: Array) -> tuple[float, float]:
    """Return the share of the positive attribution [h, w] in a mask, and 1 if the maximum is in it.

    A map without anything positive has no share: NaN.
    """
    positive = np.maximum(values, 0)
    total = float(positive.sum())
    share = float(positive[mask].sum()) / total if total else float("nan")
    return share, float(mask.ravel()[np.argmax(values)])


def _judge_shares(trial: Trial, settings: Settings) -> Found:
    found, subject = Found(), trial.subject
    for name, values in trial.maps.items():
        members = best(subject, values)
        worth = subject.worth(np.concatenate([members, ~members]))
        lost = subject.full - worth
        found.put(SUFFICIENCY, name, lost[: len(members)].mean())
        found.put(COMPREHENSIVENESS, name, lost[len(members) :].mean())
    return found


def _judge_inside(trial: Trial, settings: Settings) -> Found:
    found = Found()
    assert trial.mask is not None
    for name, values in trial.maps.items():
        share, hit = inside(values.reshape(trial.mask.shape), trial.mask)
        found.put(INSIDE, name, share)
        found.put(POINTING, name, hit)
    return found


def _no_parts(trial: Trial) -> str:
    return "it is for texts and columns, not for pictures" if trial.subject.picture else ""


def _no_mask(trial: Trial) -> str:
    if trial.subject.picture is None:
        return "a mask is one of a picture"
    return "" if trial.mask is not None else "it needs masks"


IN_SHARES = Measure(
    metrics=(
        Metric(
            name=SUFFICIENCY,
            title="sufficiency",
            better=LOWER,
            means="How much of the score is lost where only the best 1, 5, 10, 20 and 50 % of the "
            "words or columns are there, on average.",
            cannot="A text of few words is not one that the model knows: part of what is lost is "
            "lost to that. With few columns most of the shares are the same one column.",
        ),
        Metric(
            name=COMPREHENSIVENESS,
            title="comprehensiveness",
            better=HIGHER,
            means="How much of the score is lost without the best 1, 5, 10, 20 and 50 % of the "
            "words or columns, on average.",
            cannot="Where the same thing is said twice, taking one of the two away changes "
            "nothing, and both may matter all the same.",
        ),
    ),
    judge=_judge_shares,
    refuses=_no_parts,
)
IN_MASK = Measure(
    metrics=(
        Metric(
            name=INSIDE,
            title="inside the mask",
            better=HIGHER,
            means="The share of the positive attribution that lies on the subject, as its mask "
            "has it.",
            cannot="A model may look at the background, and a map that says so is right: this "
            "judges model and map together.",
        ),
        Metric(
            name=POINTING,
            title="pointing game",
            better=HIGHER,
            means="The share of pictures whose highest attribution lies on the subject.",
            cannot="It is about one pixel of each picture; a large subject is hit by chance.",
        ),
    ),
    judge=_judge_inside,
    refuses=_no_mask,
    masked=True,
)
