"""A network that sees nothing in pixels of 0..1 is found by asking; one that does is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pellucid.errors import InstanceError
from pellucid.explain import Explanation, LabelAttribution, PixelWatch
from pellucid.metadata import AssumedPixels, PixelLayout, PixelSource
from pellucid.model import Array, Tensors
from pellucid.notices import Message, Where

SIDE = 8
rng = np.random.default_rng(3)
# The digits of a seven-segment display, as strokes: classes that linear networks tell apart.
CLASSES = (rng.uniform(size=(5, SIDE * SIDE)) > 0.6).astype(np.float64)


def pictures(count: int, seed: int = 0) -> Array:
    """Noisy pictures of the classes, one after the other, 0..1, [n, 8, 8, 1]."""
    drawn = np.random.default_rng(seed)
    clean = CLASSES[np.arange(count) % len(CLASSES)]
    noisy = np.clip(0.8 * clean + drawn.normal(0.05, 0.1, clean.shape), 0, 1)
    return noisy.reshape(-1, SIDE, SIDE, 1).astype(np.float32)


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def sigmoid(scores: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.tanh(scores[:, :1] / 2))


def trained_on(low: float, high: float) -> Callable[[Array], Array]:
    """Scores of the classes: a network of one layer that was trained on pixels of a range.

    Its weights are as large as the range makes them; nothing in it rescales.
    """
    unit = pictures(200, seed=1).reshape(200, -1).astype(np.float64)
    fed = np.c_[low + unit * (high - low), np.ones(200)]
    wanted = 8 * np.eye(len(CLASSES))[np.arange(200) % len(CLASSES)] - 4
    weights, *_ = np.linalg.lstsq(fed, wanted, rcond=None)
    return lambda x: np.c_[x.reshape(len(x), -1), np.ones(len(x))] @ weights


@dataclass
class Asked:
    """A model of pictures that counts what it is asked."""

    answer: Callable[[Array], Array]
    rows: list[int] = field(default_factory=list)
    random_ops: tuple[str, ...] = ()

    def preprocess(self, request: Tensors) -> Tensors:
        return request

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        return dict(inputs)

    def predict(self, x: Tensors) -> Array:
        self.rows.append(len(x["image"]))
        return self.answer(x["image"].astype(np.float64))


def watch(
    model: Asked, pixels: Array, source: PixelSource = PixelSource.DEFAULT, **named: Any
) -> tuple[list[str], list[str], list[Explanation]]:
    """Show pictures one call each; return what was noted, what was warned of, and the last."""
    notes: list[Message] = []
    warnings: list[Message] = []
    assumed = AssumedPixels(input="image", low=0, high=1, layout=PixelLayout(), source=source)
    watching = PixelWatch([assumed], notes.append, warnings.append)
    explained = shown(watching, model, pixels, **named)
    return [str(it) for it in notes], [str(it) for it in warnings], explained


def shown(
    watching: PixelWatch, model: Asked, pixels: Array, names: str | None = None
) -> list[Explanation]:
    answers = model.answer(pixels.astype(np.float64))
    label = LabelAttribution(
        output="y", index=(0,), name=names, score=0, baseline_score=0, values={}, features={},
        approx_error=0,
    )  # fmt: skip
    explanations = [Explanation(prediction=it, labels=(label,), inputs={}) for it in answers]
    made = [("image",)] * len(pixels)
    return watching.explained(model, {"image": pixels}, explanations, made)


DOUBT = (
    "input 'image': pixels are 0..1, since nothing says otherwise, and the model's answer hardly "
    "depends on them; at 0..255 it does; try pixels='0..255'"
)
NOTE = (
    "input 'image': pixels are 0..1, since nothing says otherwise; set another range with pixels=…"
)


@pytest.mark.parametrize("squash", [softmax, sigmoid])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_network_trained_on_bytes_is_found_by_any_picture(
    squash: Callable[[Array], Array], count: int
) -> None:
    scores = trained_on(0, 255)
    model = Asked(lambda x: squash(scores(x) * 2))
    found = [watch(model, pictures(5)[k : k + count]) for k in range(5)]
    assert [warnings for _, warnings, _ in found] == [[DOUBT]] * 5
    assert all(not notes for notes, _, _ in found)


@pytest.mark.parametrize("squash", [softmax, sigmoid])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_network_that_is_fed_rightly_is_never_doubted(
    squash: Callable[[Array], Array], count: int
) -> None:
    scores = trained_on(0, 1)
    model = Asked(lambda x: squash(scores(x)))
    for seed in range(10):
        notes, warnings, _ = watch(model, pictures(count, seed))
        assert (notes, warnings) == ([NOTE], [])


def test_one_that_answers_alike_to_a_gray_picture_but_sees_others_is_not_doubted() -> None:
    """Halves of nearly one brightness say nothing to it; half black and half white does."""

    def halves(x: Array) -> Array:
        top, bottom = x[:, : SIDE // 2].mean((1, 2, 3)), x[:, SIDE // 2 :].mean((1, 2, 3))
        return softmax(4 * np.stack([top, bottom], 1))

    noise = np.random.default_rng(0).uniform(size=(1, SIDE, SIDE, 1)).astype(np.float32)
    even = (noise + noise[:, ::-1]) / 2 * np.float32(0.98)
    even[:, : SIDE // 2] += np.float32(0.01)
    assert watch(Asked(halves), even)[1] == []


def test_it_costs_three_rows_for_each_range_once_for_each_model() -> None:
    scores = trained_on(0, 255)
    model = Asked(lambda x: softmax(scores(x)))
    said: list[Message] = []
    assumed = AssumedPixels(
        input="image", low=0, high=1, layout=PixelLayout(), source=PixelSource.DEFAULT
    )
    watching = PixelWatch([assumed], said.append, said.append)
    for seed in range(4):
        shown(watching, model, pictures(6, seed))
    # Black, the negative and the halves at 0..1; two pictures and the negative at each other range.
    assert model.rows == [3 + 3 + 3] and len(said) == 1


@pytest.mark.parametrize("source", [it for it in PixelSource if it is not PixelSource.DEFAULT])
def test_nothing_is_asked_where_the_range_is_known(source: PixelSource) -> None:
    scores = trained_on(0, 255)
    model = Asked(lambda x: softmax(scores(x)))
    _, warnings, _ = watch(model, pictures(2), source)
    assert (model.rows, warnings) == ([], [])


def test_scores_without_names_are_doubted_where_no_picture_moves_them() -> None:
    """Numbers that are no probabilities may mean anything: as logits they pass if all are one."""
    deaf = trained_on(0, 255)
    assert watch(Asked(deaf), pictures(1))[1] == [DOUBT]
    # A measurement in a small unit moves with the picture by as much as it is.
    sees = trained_on(0, 1)
    black = sees(np.zeros((1, SIDE, SIDE, 1)))
    for unit in (1, 1e-2, 1e-4):
        assert watch(Asked(lambda x, unit=unit: unit * sees(x)), pictures(1))[1] == []
        assert watch(Asked(lambda x, unit=unit: unit * (sees(x) - black)), pictures(1))[1] == []
    # Names make logits of any numbers.
    assert watch(Asked(deaf), pictures(2), names="three")[1] == [DOUBT]


def test_two_scores_without_names_are_not_doubted() -> None:
    deaf = trained_on(0, 255)
    assert watch(Asked(lambda x: deaf(x)[:, :2]), pictures(1))[1] == []


def test_what_cannot_be_told_is_not_doubted() -> None:
    scores = trained_on(0, 255)
    # Two calls differ anyway.
    assert watch(Asked(lambda x: softmax(scores(x)), random_ops=("Rand",)), pictures(2))[1] == []

    def picky(x: Array) -> Array:
        if x.max() > 1:
            raise InstanceError("pixels are at most 1")
        return softmax(scores(x))

    assert watch(Asked(picky), pictures(2))[1] == []


def test_a_doubt_stands_in_what_was_explained_and_names_the_model() -> None:
    scores = trained_on(0, 255)
    model = Asked(lambda x: softmax(scores(x)))
    *_, explained = watch(model, pictures(2))
    fed = {"range": [0, 1], "order": "rgb", "from": "default"}
    doubt = DOUBT.removeprefix("input 'image': ").removesuffix("; try pixels='0..255'")
    assert [it.pixels for it in explained] == [{"image": {**fed, "warning": doubt}}] * 2
    said: list[Message] = []
    assumed = AssumedPixels(
        input="image", low=0, high=1, layout=PixelLayout(), source=PixelSource.DEFAULT
    )
    quiet = PixelWatch([assumed], said.append, said.append)
    certain = quiet.heard_by(said.append, said.append, Where(file="m"), certain=True)
    assert [it.pixels for it in shown(certain, model, pictures(1))] == [{"image": fed}]
    assert [str(it) for it in said] == [f"m: {DOUBT}"] and certain.doubts == {"image": doubt}
