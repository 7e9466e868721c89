"""What a model is fed where it is fed pictures: said once, and tried once where nobody knows.

A network that was trained on bytes sees nothing in pixels of 0..1: its answer is that for a black
picture, whatever is shown. So the first pictures are also asked at other ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Protocol

import numpy as np

from pellucid.errors import InstanceError, ModelError
from pellucid.explain.results import Explanation
from pellucid.metadata import AssumedPixels, PixelSource, range_text
from pellucid.model import Array, Tensors

Range = tuple[float, float]
Say = Callable[[str], None]

OTHERS: tuple[Range, ...] = ((0.0, 255.0), (-1.0, 1.0))
_MOST_PICTURES = 3
# In natural logarithms of probabilities: what a picture changes in an answer that hardly depends on
# it, and the share of the probability that it moves in one that does.
_NOISE, _MOVED = 0.1, 0.25


class Asked(Protocol):
    """A model that answers requests."""

    @property
    def random_ops(self) -> tuple[str, ...]:
        """The ops that make the model answer differently each time."""
        ...

    def preprocess(self, request: Tensors) -> Tensors:
        """Return the inputs of the signature for those of the request."""
        ...

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands for the inputs of the signature."""
        ...

    def predict(self, x: Tensors) -> Array:
        """Return the output in its own shape, [n, …]."""
        ...


class PixelWatch:
    """What is assumed of the pictures of a model, for as long as it is loaded.

    `note` is given a sentence on what is assumed, with the first picture; `warn` one where another
    range seems to be right.
    """

    def __init__(self, assumed: Sequence[AssumedPixels], note: Say, warn: Say) -> None:
        self.assumed = {it.input: it for it in assumed}
        self.note, self.warn = note, warn
        self._said: set[str] = set()
        self._saying = Lock()

    def heard_by(self, note: Say, warn: Say) -> PixelWatch:
        """Return a new watch of the same model that speaks to others."""
        return PixelWatch(tuple(self.assumed.values()), note, warn)

    def document(self) -> dict[str, object]:
        """Return what is assumed as JSON, by input."""
        return {name: it.document() for name, it in self.assumed.items()}

    def explained(
        self,
        model: Asked,
        request: Tensors,
        explanations: Sequence[Explanation],
        pictures: Sequence[Sequence[str]],
    ) -> list[Explanation]:
        """Return explanations that carry what was assumed of their pictures.

        `request` are the rows that were explained, [n, …]; `pictures` names, for each, the inputs
        that were made of pictures.
        """
        for name in dict.fromkeys(name for names in pictures for name in names):
            with self._saying:
                fresh = name in self.assumed and name not in self._said
                self._said.add(name)
            if fresh:
                rows = [row for row, names in enumerate(pictures) if name in names]
                self._say(self.assumed[name], model, request, explanations, rows[:_MOST_PICTURES])
        return [
            replace(it, pixels={k: self.assumed[k].document() for k in names if k in self.assumed})
            for it, names in zip(explanations, pictures, strict=True)
        ]

    def _say(
        self,
        assumed: AssumedPixels,
        model: Asked,
        request: Tensors,
        explanations: Sequence[Explanation],
        rows: Sequence[int],
    ) -> None:
        better = None
        if assumed.source is PixelSource.DEFAULT and not model.random_ops:
            answers = np.stack([explanations[row].prediction for row in rows])
            one = {name: value[list(rows)] for name, value in request.items()}
            better = _better_range(model, one, assumed.input, answers)
        if better is None:
            if assumed.sentence is not None:
                self.note(assumed.sentence)
            return
        self.warn(
            f"input '{assumed.input}': pixels are {range_text(assumed.low, assumed.high)}, since "
            "nothing says otherwise, and the model's answer hardly depends on them; at "
            f"{range_text(*better)} it does: try --pixels {range_text(*better)}"
        )


def _better_range(model: Asked, request: Tensors, name: str, answers: Array) -> Range | None:
    """Ask the same pictures at other ranges, and a black one; at most seven rows in all."""
    unit, count = request[name], len(request[name])
    pixels = [np.zeros_like(unit[:1])]
    pixels += [(low + unit * (high - low)).astype(unit.dtype) for low, high in OTHERS]
    rows = [0, *list(range(count)) * len(OTHERS)]
    asked = {k: v[rows] if len(v) == count else v for k, v in request.items()}
    asked[name] = np.concatenate(pixels)
    try:
        found = model.predict(model.encode(model.preprocess(asked)))
    except (InstanceError, ModelError):
        return None  # what the model refuses there is no news here
    others = {span: found[1 + k * count : 1 + (k + 1) * count] for k, span in enumerate(OTHERS)}
    return better_range(answers, found[:1], others)


def better_range(answers: Array, black: Array, others: Mapping[Range, Array]) -> Range | None:
    """Return the range at which a model sees pictures that it does not see as it was asked.

    `answers` [n, …] are those to the pictures, `black` [1, …] that to a black one, `others` those
    to the same pictures at other ranges. None if the answers differ from that to black, or from
    each other, by more than noise, and where they are no probabilities.
    """
    everything = [np.asarray(it, np.float64).reshape(len(it), -1) for it in others.values()]
    asked, dark = (np.asarray(it, np.float64).reshape(len(it), -1) for it in (answers, black))
    together = np.concatenate([asked, dark, *everything])
    if not np.isfinite(together).all() or together.min() < 0 or together.max() > 1:
        return None
    blind = _distance(asked, dark) < _NOISE or (
        len(asked) > 1 and _distance(asked, asked[:1]) < _NOISE
    )
    if not blind:
        return None
    for span, found in zip(others, everything, strict=True):
        if np.abs(found - dark).max() > _MOVED or np.abs(found - found[:1]).max() > _MOVED:
            return span
    return None


def _distance(one: Array, other: Array) -> float:
    """Return the largest difference of the logarithms of probabilities, both ways."""
    tiny = 1e-30
    logs = [(np.log(np.maximum(it, tiny)), np.log(np.maximum(1 - it, tiny))) for it in (one, other)]
    (yes, no), (yes_too, no_too) = logs
    return float(min(np.abs(yes - yes_too).max(), 30) + min(np.abs(no - no_too).max(), 0))
