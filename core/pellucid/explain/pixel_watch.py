"""What a model is fed where it is fed pictures: said once, and tried once where nobody knows.

A network that was trained on bytes sees nothing in pixels of 0..1: its answer is that for a black
picture, whatever is shown. So the first pictures are also asked at other ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Protocol

import numpy as np

from pellucid.errors import InstanceError, ModelError
from pellucid.explain.results import Explanation
from pellucid.metadata import AssumedPixels, PixelSource, range_text
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice, Warn, Where

Range = tuple[float, float]

OTHERS: tuple[Range, ...] = ((0.0, 255.0), (-1.0, 1.0))
_MOST_PICTURES = 2
# In natural logarithms of probabilities: what a picture changes in an answer that hardly depends on
# it, and the share of the probability that it moves in one that does.
_NOISE, _MOVED = 0.15, 0.1
# Of the spread of the scores to a black picture: what others move where a model is blind to them.
_UNMOVED = 0.05


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
    range seems to be right. `doubts` are those, by input, in words for documents.
    """

    def __init__(
        self,
        assumed: Sequence[AssumedPixels],
        note: Warn,
        warn: Warn,
        where: Where = Where(),
        *,
        certain: bool = False,
    ) -> None:
        self._where, self._certain = where, certain
        self.assumed = {it.input: it for it in assumed}
        self.note, self.warn = note, warn
        self.doubts: dict[str, str] = {}
        self._said: set[str] = set()
        self._saying = Lock()

    def heard_by(
        self, note: Warn, warn: Warn, where: Where = Where(), *, certain: bool = False
    ) -> PixelWatch:
        """Return a new watch of the same model that speaks to others, of the model at `where`.

        With `certain`, documents are the same whichever picture was the first: without doubts.
        """
        return PixelWatch(tuple(self.assumed.values()), note, warn, where, certain=certain)

    def say_once(self, notice: Notice) -> None:
        """Note what is worth knowing, unless it was said before."""
        with self._saying:
            fresh = str(notice) not in self._said
            self._said.add(str(notice))
        if fresh:
            self.note(notice)

    def document(self, name: str) -> dict[str, object]:
        """Return what is assumed of an input as JSON, and what speaks against it."""
        doubt = {} if self._certain or name not in self.doubts else {"warning": self.doubts[name]}
        return {**self.assumed[name].document(), **doubt}

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
            replace(
                it, pixels={name: self.document(name) for name in names if name in self.assumed}
            )
            if names
            else it
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
            n = len(explanations)
            one = {k: v[list(rows)] if len(v) == n else v for k, v in request.items()}
            answers = np.stack([explanations[row].prediction for row in rows])
            named = any(label.name is not None for label in explanations[rows[0]].labels)
            better = _asked_elsewhere(model, one, assumed.input, answers, logits=named)
        if better is None:
            if assumed.sentence is not None:
                say = self.warn if assumed.contradicts else self.note
                say(Notice(assumed.sentence, self._where, assumed.hint))
            return
        doubt = (
            f"pixels are {range_text(assumed.low, assumed.high)}, since nothing says otherwise, "
            f"and the model's answer hardly depends on them; at {range_text(*better)} it does"
        )
        self.doubts[assumed.input] = doubt
        hint = Hint("try {pixels:{range}}", range=range_text(*better))
        self.warn(Notice(f"input '{assumed.input}': {doubt}", self._where, hint))


def _asked_elsewhere(
    model: Asked, request: Tensors, name: str, answers: Array, *, logits: bool
) -> Range | None:
    """Ask the same pictures and a negative at other ranges: at most three rows for each range.

    At the range that was taken these are black, the negative, and half of it white, half black: a
    model that sees that much does see pictures.
    """
    unit = np.concatenate([request[name], 1 - request[name][:1]])
    count = len(unit)
    rows = [*range(count - 1), 0]
    scaled = [(low + unit * (high - low)).astype(unit.dtype) for low, high in OTHERS]
    pixels = np.concatenate([np.zeros_like(unit[:1]), unit[-1:], _halves(unit[:1]), *scaled])
    places = [0, 0, 0, *rows * len(OTHERS)]
    asked = {k: v[places] if len(v) == count - 1 else v for k, v in request.items()}
    try:
        found = model.predict(model.encode(model.preprocess({**asked, name: pixels})))
    except (InstanceError, ModelError):
        return None  # what the model refuses there is no news here
    others = {span: found[3 + k * count : 3 + (k + 1) * count] for k, span in enumerate(OTHERS)}
    return better_range(
        np.concatenate([answers, found[1:2]]), found[:1], others, halves=found[2:3], logits=logits
    )


def _halves(like: Array) -> Array:
    """Return a picture of the shape [1, …] whose first half, row by row, is white."""
    flat = np.zeros(like.size, like.dtype)
    flat[: like.size // 2] = 1
    return flat.reshape(like.shape)


def better_range(
    answers: Array,
    black: Array,
    others: Mapping[Range, Array],
    *,
    halves: Array | None = None,
    logits: bool = False,
) -> Range | None:
    """Return the range at which a model sees pictures that it does not see as it was asked.

    `answers` [n, …] are those to the pictures, `black` [1, …] that to a black one, `halves` that to
    one of black and white, and `others` those to the same pictures at other ranges. All are
    probabilities, or `logits` of such; other scores pass for these where no picture moves them.
    None if the answers differ from that to black, or among themselves, by more than noise; among
    themselves that takes three pictures and three classes, since two answers are alike by chance.
    """
    arrays = [answers, black, black if halves is None else halves, *others.values()]
    if any(np.asarray(it).dtype.kind != "f" for it in arrays):
        return None
    flat = [np.asarray(it, np.float64).reshape(len(it), -1) for it in arrays]
    together = np.concatenate(flat)
    classes = together.shape[1]
    if not np.isfinite(together).all():
        return None
    if together.min() < 0 or together.max() > 1:
        if classes < 2 or not (logits or (classes > 2 and _deaf(*flat[:3]))):
            return None
        flat = [_softmax(it) for it in flat]
    asked, dark, drawn, *elsewhere = flat
    several = len(asked) > 2 and classes > 2
    if halves is not None:
        asked = np.concatenate([asked, drawn])
    alike = several and _distance(asked, asked[:1]) < _NOISE
    if _distance(asked, dark) >= _NOISE and not alike:
        return None
    for span, found in zip(others, elsewhere, strict=True):
        if np.abs(found - (found[:1] if alike else dark)).max() > _MOVED:
            return span
    return None


def _distance(one: Array, other: Array) -> float:
    """Return the largest difference of the logarithms of probabilities.

    Where these are not shares of a whole, it is that of their complements, too.
    """
    if one.shape[1] == 1 or np.abs(one.sum(axis=1) - 1).max() > 0.01:
        one, other = (np.concatenate([it, 1 - it], axis=1) for it in (one, other))
    logs = (np.log(np.maximum(it, 1e-30)) for it in (one, other))
    return float(np.abs(np.subtract(*logs)).max())


def _deaf(asked: Array, dark: Array, drawn: Array) -> bool:
    """Whether scores that nobody calls logits are those to black, in their own unit.

    A score of another kind may be small in every unit, but then it is so to black as well.
    """
    moved = np.abs(np.concatenate([asked, drawn]) - dark).max()
    return bool(moved <= _UNMOVED * np.ptp(dark))


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
