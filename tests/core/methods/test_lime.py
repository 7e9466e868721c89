"""LIME: the `lime` package's formulae restated, and what was mended in them."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances

import pellucid
from pellucid.errors import InstanceError
from pellucid.metadata.parameters import Lime
from pellucid.methods import lime as module
from pellucid.methods import ridge as regression
from pellucid.methods.lime import kernel, lime, marked, masks, ridge, samples
from pellucid.model import Array, FunctionModel, Tensors

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.uniform(-1, 1, size=(3, 6, 8, 3))
SEGMENTS = np.arange(48).reshape(6, 8) // 4
FIRST = RANDOM.normal(size=(144, 5))


def classes(x: Array) -> Array:
    """Probabilities [n, 5] of pictures [n, …]."""
    powers = np.exp(2 * np.tanh(x.reshape(len(x), -1) @ FIRST / 5))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def deaf(x: Tensors, target: Array) -> dict[str, Array]:
    raise AssertionError("no gradient is needed")


def model_of(function: Callable[[Array], Array]) -> FunctionModel:
    return FunctionModel(lambda x: function(x["image"]), deaf, frozenset())


MODEL = model_of(classes)


def restated(
    picture: Array, segments: Array, function: Callable[[Array], Array], count: int, random: Any
) -> tuple[list[int], Array, Array, Array]:
    """Return top labels, coefficients, intercepts and R² by the `lime` package's own steps.

    Written from its published formulae: its first regression, with alpha 0.01, only sorts the
    patches when all are kept.
    """
    patches = np.unique(segments)
    data = random.randint(0, 2, count * len(patches)).reshape(count, len(patches))
    data[0] = 1
    answers = []
    for row in data:
        painted = picture.copy()
        for patch in patches[row == 0]:
            painted[segments == patch] = 0
        answers.append(function(painted[None])[0])
    scores = np.array(answers)
    distances = pairwise_distances(data, data[:1], metric="cosine").ravel()
    weights = np.sqrt(np.exp(-(distances**2) / 0.25**2))
    top = [int(label) for label in np.argsort(scores[0])[::-1]]
    fits = [
        Ridge(alpha=1, fit_intercept=True).fit(data, scores[:, label], sample_weight=weights)
        for label in top
    ]
    squares = [
        f.score(data, scores[:, k], sample_weight=weights) for f, k in zip(fits, top, strict=True)
    ]
    coefficients, intercepts = (
        np.array([getattr(f, a) for f in fits]) for a in ("coef_", "intercept_")
    )
    return top, coefficients, intercepts, np.array(squares)


def agrees_with_the_package(count: int = 60) -> None:
    found = lime(
        MODEL, {"image": PICTURES}, "image", [SEGMENTS] * 3, Lime(num_samples=count), seed=5
    )
    for number, (one, picture) in enumerate(zip(found, PICTURES, strict=True)):
        random = np.random.RandomState([5, number])
        top, coefficients, intercepts, squares = restated(picture, SEGMENTS, classes, count, random)
        assert one.labels.tolist() == top
        np.testing.assert_allclose(one.coefficients, coefficients, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.intercepts, intercepts, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.r_squared, squares, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.scores, classes(picture[None])[0, top])
        np.testing.assert_allclose(one.fitted, intercepts + coefficients.sum(axis=1))


@pytest.mark.parametrize("count", [60, 7], ids=["more samples than patches", "fewer"])
def test_the_same_random_stream_gives_the_package_s_coefficients(count: int) -> None:
    agrees_with_the_package(count)


PAINTER = module._painter
FAULTS: dict[str, tuple[str, Any]] = {
    "alpha 0.01": ("ridge.ALPHA", 0.01),
    "kernel width 0.3": ("KERNEL_WIDTH", 0.3),
    "no root in the kernel": ("kernel", lambda rows: kernel(rows) ** 2),
    "Euclidean distance": ("kernel", lambda rows: np.exp(-((~rows).sum(axis=1) / 12))),
    "no weights": ("kernel", lambda rows: np.ones(len(rows))),
    "the first row hides too": (
        "samples",
        lambda n, p, random: random.randint(0, 2, n * p).reshape(n, p).astype(bool),
    ),
    "the stream by columns": ("samples", lambda n, p, random: samples(p, n, random).T.copy()),
    "hidden and seen exchanged": (
        "_painter",
        lambda picture, color: lambda into, words, bit: PAINTER(picture, color)(into, ~words, bit),
    ),
    "an intercept that is punished": (
        "ridge",
        lambda rows, y, w: (
            ridge(np.c_[rows, np.zeros(len(rows), bool)], y, w)[0][:, :-1] * 0.99,
            y.mean(axis=0),
        ),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    what, fault = FAULTS[name]
    of_ridge = what.startswith("ridge.")
    monkeypatch.setattr(regression if of_ridge else module, what.removeprefix("ridge."), fault)
    with pytest.raises(AssertionError):
        agrees_with_the_package()


# The parts


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int32", "int64"])
@pytest.mark.parametrize("color", [0.0, 3.0])
def test_pictures_of_every_dtype_are_painted_exactly(dtype: str, color: float) -> None:
    picture = (RANDOM.normal(size=(6, 8, 3)) * 50).astype(dtype)
    patches = SEGMENTS[:, :, None]
    rows = RANDOM.integers(0, 2, (150, 12)).astype(bool)
    paint = module._painter(picture, color)
    count = 0
    for row, (words, bit) in zip(rows, module._seen(rows, patches, picture), strict=True):
        into = np.empty_like(picture)
        paint(into, words, bit)
        wanted = np.where(row[patches], picture, np.asarray(color).astype(dtype))
        np.testing.assert_array_equal(into, wanted)
        count += 1
    assert count == 150
    assert not np.signbit(into[~row[SEGMENTS]]).any(), "−0 is not what anybody painted"


@pytest.mark.parametrize("shape", [(50, 7), (8, 30), (12, 12), (5, 1)])
@pytest.mark.parametrize("block", [1, 200, 2**26])
def test_ridge_is_scikit_learn_s(
    shape: tuple[int, int], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    rows = RANDOM.random(shape) < 0.5
    scores, weights = RANDOM.normal(size=(shape[0], 3)), RANDOM.uniform(0.1, 1, shape[0])
    expected = Ridge(alpha=1).fit(rows.astype(float), scores, sample_weight=weights)
    coefficients, intercepts = ridge(rows, scores, weights)
    np.testing.assert_allclose(coefficients, expected.coef_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(intercepts, expected.intercept_, rtol=0, atol=1e-12)


def test_the_kernel_is_that_of_cosine_distances() -> None:
    rows = samples(40, 9, np.random.RandomState(0))
    rows[1] = False  # nothing to see
    distance = pairwise_distances(rows.astype(float), rows[:1].astype(float), "cosine").ravel()
    np.testing.assert_allclose(kernel(rows), np.sqrt(np.exp(-(distance**2) / 0.0625)), atol=1e-14)


@pytest.mark.parametrize("block", [1, 100, 2**26])
def test_samples_are_one_stream_however_they_are_drawn(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    drawn = np.random.RandomState(4).randint(0, 2, 33 * 5).reshape(33, 5)
    drawn[0] = 1
    np.testing.assert_array_equal(samples(33, 5, np.random.RandomState(4)), drawn)


# Pictures


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "h, w, c": lambda p: p,
    "c, h, w": lambda p: np.moveaxis(p, -1, 1),
    "vector": lambda p: p.reshape(len(p), -1),
    "float32": lambda p: p.astype(np.float32),
}


@pytest.mark.parametrize("change", LAYOUTS.values(), ids=LAYOUTS)
def test_a_picture_is_hidden_alike_however_it_is_held(change: Callable[[Array], Array]) -> None:
    def back(x: Array) -> Array:
        whole = np.moveaxis(x, 1, -1) if x.shape[1:] == (3, 6, 8) else x
        return classes(whole.reshape(len(x), 6, 8, 3))

    (expected,) = lime(MODEL, {"image": PICTURES[:1]}, "image", [SEGMENTS])
    (got,) = lime(model_of(back), {"image": change(PICTURES[:1])}, "image", [SEGMENTS])
    np.testing.assert_allclose(got.coefficients, expected.coefficients, rtol=0, atol=1e-5)


@pytest.mark.parametrize("color", [0.0, 7.0, -0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_hidden_patches_have_the_colour_and_no_negative_zero(color: float, dtype: type) -> None:
    picture = np.array([[-5, 3], [9, -2]], dtype)
    seen: list[Array] = []

    def score(x: Array) -> Array:
        seen.append(x.copy())
        return x.reshape(len(x), -1).sum(axis=1, keepdims=True)

    lime(model_of(score), {"image": picture[None]}, "image", [np.arange(4).reshape(2, 2)],
         Lime(hide_color=color))  # fmt: skip
    (asked,) = seen
    assert asked.dtype == dtype
    hidden = np.asarray(color).astype(dtype)
    assert ((asked == picture) | (asked == hidden)).all()
    assert not np.signbit(asked[asked == 0]).any()
    # 1000 rows of 4 patches: each of the 16 pictures is asked once.
    assert len(asked) == 16 == len(np.unique(asked.reshape(16, -1), axis=0))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    x = {"image": PICTURES[:1], "other": np.array([[2.0]])}

    def view(x: Tensors) -> Array:
        return x["image"].reshape(len(x["image"]), -1)[:, 40:45]

    for function in (view, lambda x: view(x) * x["other"]):
        model = FunctionModel(function, deaf, frozenset())
        monkeypatch.setattr(module, "PICTURE_BYTES", 2**24)
        (whole,) = lime(model, x, "image", [SEGMENTS])
        assert whole.r_squared.min() > 0.9
        for size in (1, 5000):  # one picture at a time, four at a time
            monkeypatch.setattr(module, "PICTURE_BYTES", size)
            (part,) = lime(model, x, "image", [SEGMENTS])
            np.testing.assert_array_equal(part.coefficients, whole.coefficients)


def test_every_patch_can_be_hidden_though_slic_counts_from_one() -> None:
    """Of a sum over patches, each coefficient is what its patch adds, but for the ridge's pull."""
    parts = np.arange(1.0, 13.0)
    picture = parts[SEGMENTS] / 4
    (got,) = lime(
        model_of(lambda x: x.sum(axis=(1, 2))[:, None]),
        {"image": picture[None]},
        "image",
        [SEGMENTS],
        Lime(num_samples=4000),
    )
    np.testing.assert_allclose(got.coefficients[0], parts, rtol=0.03)
    assert got.r_squared[0] > 0.999 and got.stability[0] > 0.999


# Labels, masks and measures


def test_top_labels_are_no_more_than_the_classes_and_ties_go_to_the_lower() -> None:
    model = model_of(lambda x: np.tile([0.2, 0.3, 0.2, 0.3], (len(x), 1)))
    (got,) = lime(model, {"image": PICTURES[:1]}, "image", [SEGMENTS])
    assert got.labels.tolist() == [1, 3, 0, 2]
    (got,) = lime(model, {"image": PICTURES[:1]}, "image", [SEGMENTS], Lime(top_labels=2))
    assert got.labels.tolist() == [1, 3]
    (got,) = lime(model, {"image": PICTURES[:1]}, "image", [SEGMENTS], labels=[2, 1])
    assert got.labels.tolist() == [2, 1] and got.scores.tolist() == [0.2, 0.3]


def shown(weights: Array, **options: Any) -> Array:
    weights = np.asarray(weights)
    return masks(weights[None], np.arange(len(weights))[None], Lime(**options))


# 14 patches: those of the ten largest sizes are 0 … 9, of which 1, 3 and 5 are negative.
WEIGHTS = np.array([14, -13, 12, -11, 10, -9, 8, 7, 6, 5, 4, 3, 2, 1]) / 1000


def test_positive_masks_are_the_first_ten_above_the_least_weight() -> None:
    got = shown(WEIGHTS, min_weight=0.002)
    # 0.002 itself is not above it; negative ones leave their places to others.
    assert got.dtype == np.int8
    assert got.tolist() == [[[1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0]]]
    many = shown(np.arange(20, 0, -1) / 100, min_weight=0.0)
    assert many.sum() == 10 and many[0, 0, :10].all()
    assert shown(-WEIGHTS, min_weight=-1).tolist() == [[[0, 1, 0, 1, 0, 1] + [0] * 8]]


def test_masks_of_both_signs_look_at_the_ten_largest_only() -> None:
    got = shown(WEIGHTS, min_weight=0.006, positive_only=False)
    # 0.006 itself is enough; nothing behind the tenth place is looked at.
    assert got.tolist() == [[[1, -1, 1, -1, 1, -1, 1, 1, 1, 0, 0, 0, 0, 0]]]
    got = shown(WEIGHTS, min_weight=0.0, positive_only=False)
    assert np.abs(got).sum() == 10


def test_the_marked_picture_is_kserve_s() -> None:
    picture = np.full((1, 14, 3), 0.5)
    picture[0, 0, 2] = 0.9
    np.testing.assert_array_equal(marked(picture, shown(WEIGHTS)[0], Lime()), picture)
    both = {"positive_only": False, "min_weight": 0.0129}
    got = marked(picture, shown(WEIGHTS, **both)[0], Lime(**both))
    assert got[0, :3].tolist() == [[0.5, 0.9, 0.9], [0.9, 0.5, 0.5], [0.5, 0.5, 0.5]]
    np.testing.assert_array_equal(got[0, 2:], picture[0, 2:])
    assert picture[0, 1].tolist() == [0.5, 0.5, 0.5], "the caller's picture was painted"


def test_the_heat_is_the_coefficient_of_each_pixel() -> None:
    (found,) = lime(MODEL, {"image": PICTURES[:1]}, "image", [SEGMENTS])
    np.testing.assert_array_equal(found.heat(), found.coefficients[:, SEGMENTS])


def test_stability_foretells_how_alike_another_seed_s_coefficients_are() -> None:
    for count in (16, 40, 150):
        method = Lime(num_samples=count, top_labels=1)
        found = lime(
            MODEL,
            {"image": np.repeat(PICTURES[:1], 40, axis=0)},
            "image",
            [SEGMENTS] * 40,
            method,
        )
        alike = np.corrcoef([one.coefficients[0] for one in found])
        truth = alike[np.triu_indices(40, 1)].mean()
        assert abs(np.median([one.stability[0] for one in found]) - truth) < 0.15


def test_what_never_changes_has_no_measures() -> None:
    (got,) = lime(model_of(lambda x: np.ones((len(x), 1))), {"image": PICTURES[:1]}, "image", [SEGMENTS])  # fmt: skip
    assert np.isnan(got.r_squared).all() and np.isnan(got.stability).all()
    np.testing.assert_allclose(got.coefficients, 0.0, atol=1e-15)
    assert not masks(got.coefficients, SEGMENTS, Lime()).any()


def test_company_order_and_repetition() -> None:
    together = lime(MODEL, {"image": PICTURES}, "image", [SEGMENTS] * 3)
    places = [2, 0, 1]
    moved = lime(MODEL, {"image": PICTURES[places]}, "image", [SEGMENTS] * 3, numbers=places)
    for one, place in zip(moved, places, strict=True):
        np.testing.assert_allclose(
            one.coefficients, together[place].coefficients, rtol=1e-12, atol=1e-14
        )
    again = lime(MODEL, {"image": PICTURES}, "image", [SEGMENTS] * 3)
    assert again[1].coefficients.tobytes() == together[1].coefficients.tobytes()
    other = lime(MODEL, {"image": PICTURES}, "image", [SEGMENTS] * 3, seed=1)
    assert not np.allclose(other[0].coefficients, together[0].coefficients)


# Bad input


def test_an_output_that_is_not_finite_is_refused() -> None:
    model = model_of(lambda x: np.log(x.reshape(len(x), -1)))
    with (
        pytest.raises(
            InstanceError,
            match=r"^with patches of 'image' painted 0, the model's output is not finite, which nothing "
            r"can explain; choose another hide_color$",
        ),
        np.errstate(divide="ignore"),
    ):
        lime(model, {"image": np.ones((1, 6, 8))}, "image", [SEGMENTS])


def test_segments_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^labels \[8, 6\] do not fit an instance \[6, 8, 3\]; "):
        lime(MODEL, {"image": PICTURES[:1]}, "image", [SEGMENTS.T.reshape(8, 6)])


# A real SavedModel


def test_a_digit_s_strokes_are_what_made_it_a_seven(samples: Path) -> None:
    from pellucid.methods.superpixels import superpixels

    model = pellucid.load(samples / "digits/model").explainer.model
    with Image.open(samples / "digits/images/seven.png") as file:
        picture = np.asarray(file.convert("L").resize((28, 28)), np.float32) / 255
    patches = superpixels(picture)
    (got,) = lime(model, {"image": picture[None]}, "image", [patches])
    assert got.labels[0] == 7 and len(got.labels) == 10
    assert got.r_squared[0] > 0.8 and got.stability[0] > 0.9
    seen = masks(got.coefficients, patches, Lime())[0] == 1
    assert picture[seen].mean() > picture[~seen].mean()


def test_the_module_s_example_runs() -> None:
    assert doctest.testmod(module).failed == 0
