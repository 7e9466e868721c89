"""Metrics of pictures: ROAD, and the information curves SIC and AIC.

ROAD (arXiv 2202.00449) is deletion by another filling: pixels that go are not black, which would
give away where they were, but what their neighbours have, by a system of linear equations, with a
little noise. The numbers are means over the best 10, 20, … 90 %.

SIC and AIC (arXiv 1906.02825): a picture that is blurred but for the best pixels, more and more of
them. Across goes the information in it, the size of a lossless WebP, up the score (SIC) or whether
the label is right (AIC); both from 0 for the blurred picture to 1 for the whole one, and never
falling. The number is the area below.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, features

from pellucid.evaluate.metrics.filling import filled
from pellucid.evaluate.metrics.triangles import blurred
from pellucid.evaluate.subject import Picture, Subject, best_first
from pellucid.evaluate.trial import HIGHER, LOWER, Found, Measure, Metric, Settings, Trial
from pellucid.model import Array

ROAD, ROAD_KEPT, SIC, AIC = "road", "road_kept", "sic", "aic"
SHARES = tuple(share / 10 for share in range(1, 10))
NOISE = 0.01
"""That of what is filled in, as a share of the range from black to white."""
THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75)
"""The shares of the pixels that are restored: those of PAIR's example."""
SEEN = 0.01
"""The share of the pixels that the blurred picture is made of."""
POINTS = 100
EFFORT = 100
"""That of compression, as PAIR's: 75 takes a third of the time, and moves an area by up to .02."""
TOGETHER = 16


def best_pixels(values: Array, size: tuple[int, int], share: float) -> Array:
    """Return which pixels are the best share of a map [p], bool [h, w]."""
    chosen = np.zeros(len(values), bool)
    chosen[best_first(values)[: int(share * len(values) + 1e-9)]] = True
    return chosen.reshape(size)


def information(pixels: Array) -> int:
    """Return the size of a picture as a lossless WebP, in bytes."""
    file = io.BytesIO()
    gray = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(gray).save(file, "WEBP", lossless=True, quality=EFFORT)
    return len(file.getvalue())


def information_curve(sizes: Array, scores: Array) -> Array:
    """Return the curve on 101 points, of pictures from the blurred one to the whole one, [m] each.

    Scores never fall along it. The whole picture must have more information than the blurred one,
    and a higher score.
    """
    across = np.clip((sizes - sizes[0]) / (sizes[-1] - sizes[0]), 0, 1)[1:-1]
    up = np.clip((scores - scores[0]) / (scores[-1] - scores[0]), 0, 1)[1:-1]
    across = np.concatenate([across, [0, 1]])
    up = np.concatenate([np.maximum.accumulate(up), [0, 1]])
    order = np.argsort(across, kind="stable")
    curve = np.interp(np.linspace(0, 1, POINTS, endpoint=False), across[order], up[order])
    return np.append(curve, 1.0)


def median_area(curves: Array) -> float:
    """Return the area under the median of information curves [n, 101], which is PAIR's number."""
    middle = np.median(curves, axis=0)
    return float(np.mean(middle[:-1] + middle[1:]) / 2)


def _judge_road(trial: Trial, settings: Settings) -> Found:
    found, subject = Found(), trial.subject
    picture, planes = _planes(subject)
    spread = NOISE * (picture.high - picture.low)
    for name, values in trial.maps.items():
        generator = subject.generator("road")  # the same noise for all candidates
        rows = []
        for share in SHARES:
            gone = best_pixels(values, picture.size, share)
            noise = spread * generator.normal(size=(int(gone.sum()), planes.shape[2]))
            rows.append(filled(planes, gone, noise) if gone.any() else planes)
        outputs = _asked(subject, picture, np.stack(rows))
        scores = outputs[:, subject.target]
        kept = outputs.argmax(axis=1) == subject.target
        found.put(ROAD, name, float(scores.mean()))
        found.put(ROAD_KEPT, name, float(kept.mean()))
        found.curve(ROAD, name, scores)
        found.curve(ROAD_KEPT, name, kept.astype(float))
    return found


def _judge_information(trial: Trial, settings: Settings) -> Found:
    found, subject = Found(), trial.subject
    picture, planes = _planes(subject)
    whole = _pixels(picture, planes)
    count = whole.shape[0] * whole.shape[1]
    seen = np.zeros(count, bool)
    seen[subject.generator("blur").choice(count, int(count * SEEN), replace=False)] = True
    seen = seen.reshape(picture.size)
    ends = np.stack([blurred(whole, seen), whole])
    sizes = [information(it) for it in ends]
    at_ends = _asked(subject, picture, _unit(picture, ends))
    kinds = {SIC: at_ends[:, subject.target], AIC: _right(at_ends, subject.target)}
    reasons = {metric: _no_way(sizes, scores) for metric, scores in kinds.items()}
    for metric, reason in reasons.items():
        if reason:
            found.lacks(metric, "", reason)
    for name, values in trial.maps.items() if not all(reasons.values()) else ():
        at, outputs = _restored(subject, whole, seen, values)
        between = {SIC: outputs[:, subject.target], AIC: _right(outputs, subject.target)}
        for metric, (low, high) in kinds.items():
            if not reasons[metric]:
                scores = np.array([low, *between[metric], high])
                curve = information_curve(np.array([sizes[0], *at, sizes[1]], float), scores)
                found.put(metric, name, float(np.mean(curve[:-1] + curve[1:]) / 2))
                found.curve(metric, name, curve)
    return found


def _restored(
    subject: Subject, whole: Array, seen: Array, values: Array
) -> tuple[list[int], Array]:
    """Return the sizes of the blurred pictures with the best pixels of a map [p], and all outputs.

    A map in patches has the same best pixels at several shares: these are one picture.
    """
    picture, _ = _planes(subject)
    shown = np.stack([values >= np.quantile(values, 1 - it) for it in THRESHOLDS])
    # Each is a part of the next one: those with as many pixels are the same.
    _, first, place = np.unique(shown.sum(axis=1), return_index=True, return_inverse=True)
    rows = [blurred(whole, it.reshape(picture.size) | seen) for it in shown[first]]
    outputs = _asked(subject, picture, _unit(picture, np.stack(rows)))
    sizes = [information(it) for it in rows]
    return [sizes[number] for number in place.tolist()], outputs[place]


def _no_way(sizes: list[int], scores: Array) -> str:
    """Return why there is no way from the blurred picture to the whole one, "" if there is."""
    if sizes[1] <= sizes[0]:
        return "the blurred picture has as much information as the whole one"
    return "" if scores[1] > scores[0] else "the blurred picture is as good as the whole one"


def _right(outputs: Array, target: int) -> Array:
    return np.asarray(outputs.argmax(axis=1) == target, float)


def _planes(subject: Subject) -> tuple[Picture, Array]:
    assert subject.picture is not None
    return subject.picture, subject.picture.planes(subject.game.x[subject.picture.feature][0])


def _pixels(picture: Picture, planes: Array) -> Array:
    share = (planes - picture.low) / (picture.high - picture.low)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _unit(picture: Picture, pixels: Array) -> Array:
    return picture.low + pixels / 255 * (picture.high - picture.low)


def _asked(subject: Subject, picture: Picture, rows: Array) -> Array:
    """Return all outputs of pictures [r, h, w, c], a few at a time: [r, k]."""
    tensor = subject.game.x[picture.feature]
    parts = []
    for start in range(0, len(rows), TOGETHER):
        some = picture.tensors(rows[start : start + TOGETHER], tensor.shape[1:])
        if tensor.dtype.kind in "iu":  # noise leads out of the range, where bytes begin anew
            bounds = np.iinfo(tensor.dtype)
            some = np.clip(np.rint(some), bounds.min, bounds.max)
        x = {picture.feature: some.astype(tensor.dtype)}
        parts.append(subject.scores_of(x))
    return np.concatenate(parts)


def _no_picture(trial: Trial) -> str:
    return "" if trial.subject.picture else "it is for pictures"


def _no_information(trial: Trial) -> str:
    picture = trial.subject.picture
    if picture is None:
        return "it is for pictures"
    planes = picture.planes(trial.subject.game.x[picture.feature][0])
    if planes.shape[2] not in (1, 3):
        return f"a picture of {planes.shape[2]} channels has no size as a WebP"
    return "" if features.check("webp") else "this Pillow was built without WebP"


_FILLED = (
    "The filling follows the pixels that are left, and a subject whose outline is left is filled "
    "with its own colour."
)
_BLURRED = (
    "Blurred pictures are not what the model was trained on, and what is compressed well need not "
    "be what is understood."
)
ROAD_FILLED = Measure(
    metrics=(
        Metric(
            name=ROAD,
            title="ROAD",
            better=LOWER,
            means="The mean score while the best 10, 20, … 90 % of the pixels are filled in from "
            "their neighbours, with a little noise.",
            cannot=_FILLED,
        ),
        Metric(
            name=ROAD_KEPT,
            title="ROAD, label kept",
            better=LOWER,
            means="The share of these pictures of which the label is still the highest.",
            cannot=_FILLED,
        ),
    ),
    judge=_judge_road,
    refuses=_no_picture,
)
INFORMATION = Measure(
    metrics=(
        Metric(
            name=SIC,
            title="SIC",
            better=HIGHER,
            means="The score of a blurred picture while its best pixels are restored, over the "
            "information in it: the area under that curve, from 0 to 1.",
            cannot=_BLURRED,
        ),
        Metric(
            name=AIC,
            title="AIC",
            better=HIGHER,
            means="The same curve of whether the label is right.",
            cannot=_BLURRED,
        ),
    ),
    judge=_judge_information,
    refuses=_no_information,
)
