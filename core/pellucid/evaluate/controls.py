"""Maps that know nothing of the model: what is not better than these explains nothing.

Edges look like an explanation, as Adebayo et al. showed (arXiv 1810.03292), and subjects of photos
stand in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pellucid.evaluate.subject import Kind, Picture, Subject
from pellucid.model import Array

BLUR_SHARE = 0.035
"""The standard deviation of the blurred edges, as a share of the longer side."""

RANDOM = "random"


def controls_of(subject: Subject) -> dict[str, Array]:
    """Return the controls of an instance: name → a number for each of its elements, [p]."""
    return {name: make(subject) for name, make in CONTROLS[subject.kind].items()}


def _random(subject: Subject) -> Array:
    return subject.generator().random(subject.count)


def _edges(subject: Subject) -> Array:
    return _sobel(subject).ravel()


def _edges_blurred(subject: Subject) -> Array:
    from scipy.ndimage import gaussian_filter

    edges = _sobel(subject)
    return np.asarray(gaussian_filter(edges, BLUR_SHARE * max(edges.shape))).ravel()


def _sobel(subject: Subject) -> Array:
    from scipy.ndimage import sobel

    picture = _picture(subject)
    gray = picture.gray(subject.game.x[picture.feature][0])
    return np.asarray(np.hypot(sobel(gray, axis=0), sobel(gray, axis=1)))


def _centre(subject: Subject) -> Array:
    height, width = _picture(subject).size
    down, across = np.indices((height, width), np.float64)
    return -np.hypot(down - (height - 1) / 2, across - (width - 1) / 2).ravel()


def _difference(subject: Subject) -> Array:
    values = {}
    for name in subject.game.players.owners:
        x, start = subject.game.x[name][0], subject.game.baseline[name][0]
        kind = np.asarray(x).dtype.kind  # the numbers of words are names
        numbers = kind == "f" or (kind in "iu" and subject.kind is not Kind.TEXT)
        values[name] = (
            np.abs(np.asarray(x, np.float64) - start)
            if numbers
            else np.asarray(x != start, np.float64)
        )
    return subject.elements(values)


def _first(subject: Subject) -> Array:
    return -np.arange(subject.count, dtype=np.float64)


def _picture(subject: Subject) -> Picture:
    assert subject.picture is not None, "only pictures have these controls"
    return subject.picture


_OF_NUMBERS: Mapping[str, Callable[[Subject], Array]] = {
    RANDOM: _random,
    "difference": _difference,
    "first": _first,
}
CONTROLS: Mapping[Kind, Mapping[str, Callable[[Subject], Array]]] = {
    Kind.PICTURE: {
        RANDOM: _random,
        "edges": _edges,
        "edges-blurred": _edges_blurred,
        "centre": _centre,
    },
    Kind.TABLE: _OF_NUMBERS,
    Kind.TEXT: _OF_NUMBERS,
}

SAID: Mapping[str, tuple[str, str]] = {
    RANDOM: ("random", "random numbers"),
    "edges": ("edges", "the edges of the picture (Sobel)"),
    "edges-blurred": ("blurred edges", "the edges of the picture, blurred by 3.5 % of its side"),
    "centre": ("the centre", "nearness to the middle of the picture"),
    "difference": ("the difference", "how far each element is from the baseline"),
    "first": ("the order", "the order of the elements, the first ahead"),
}
"""What each is called in a sentence, and what it is."""
