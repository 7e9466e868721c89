"""XRAI: equal to the reference maps, and to its parts; bad input is named."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata.parameters import IntegratedGradients, SmoothGrad, Xrai
from pellucid.methods import xrai as module
from pellucid.methods.felzenszwalb import felzenszwalb_scales
from pellucid.methods.greedy_cover import greedy_cover
from pellucid.methods.integrated_gradients import integrated_gradients
from pellucid.methods.xrai import rank_regions, xrai
from pellucid.model import Attribution, FunctionModel
from places import SHARED

REFERENCE = SHARED / "reference" / "xrai"
PHOTOS = sorted(REFERENCE.glob("*.npz"))
needs_photos = pytest.mark.skipif(not PHOTOS, reason="../shared/reference/xrai is not here")

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(24, 30, 3))
PICTURES = np.kron(RANDOM.random((3, 4, 5, 3)), np.ones((1, 6, 6, 1))).astype(np.float32)
PICTURES += RANDOM.random(PICTURES.shape, np.float32) / 50
BLACK_AND_WHITE = [{"image": np.full((1, 24, 30, 3), v, np.float32)} for v in (0, 1)]
TARGET = np.array([0, 1, 0])


def model() -> FunctionModel:
    """Σ w x² and its double: the attributions differ between baselines and are known exactly."""
    return FunctionModel(
        lambda x: np.einsum("nhwc,hwc->n", x["image"] ** 2, WEIGHTS)[:, None] * [1, 2],
        lambda x, target: {"image": 2 * WEIGHTS * x["image"] * (1 + target[:, None, None, None])},
        frozenset({"image"}),
    )


def explain(*rows: int, **options: Any) -> tuple[Attribution, dict[str, NDArray[Any]]]:
    pictures = PICTURES[list(rows)]
    options = {"images": {"image": pictures}, "method": Xrai(step_count=3), **options}
    return xrai(model(), {"image": pictures}, BLACK_AND_WHITE, TARGET[list(rows)], **options)


# The part after the gradients


@needs_photos
@pytest.mark.parametrize("given", [True, False], ids=["labels given", "own labels"])
@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_maps_equal_the_reference(photo: Path, given: bool) -> None:
    data = np.load(photo)
    image = (data["image"] / np.float32(255)).astype(np.float32)
    heat, ranks = rank_regions(image, data["attr"], labels=data["labels"] if given else None)
    assert (heat.dtype, ranks.dtype) == (np.float64, np.int32)
    np.testing.assert_array_equal(ranks, data["full_rank"])
    np.testing.assert_allclose(heat, data["full"], rtol=1e-6, atol=1e-7 * data["full"].max())


@needs_photos
@pytest.mark.parametrize("change", ["mean of channels", "absolute", "undilated", "five scales"])
def test_a_fault_leaves_the_reference(change: str) -> None:
    data = np.load(PHOTOS[0])
    values, labels = data["attr"].max(-1).astype(float), data["labels"]
    if change == "undilated":
        _, ranks = greedy_cover(values, labels, radius=0)
    elif change == "five scales":
        _, ranks = greedy_cover(values, labels[:5])
    elif change == "absolute":
        _, ranks = greedy_cover(np.abs(values), labels)
    else:
        _, ranks = greedy_cover(data["attr"].mean(-1).astype(float), labels)
    assert not np.array_equal(ranks, data["full_rank"])


def test_of_the_channels_the_greatest_counts() -> None:
    attribution = RANDOM.normal(size=(24, 30, 3))
    got = rank_regions(PICTURES[0], attribution)
    expected = greedy_cover(attribution.max(-1), felzenszwalb_scales(PICTURES[0]))
    np.testing.assert_array_equal(got, expected)


def test_a_grayscale_picture_may_have_a_channel_or_none() -> None:
    image, attribution = PICTURES[0, ..., 0], RANDOM.normal(size=(24, 30))
    one = rank_regions(image, attribution)
    other = rank_regions(image[..., None], attribution[..., None])
    np.testing.assert_array_equal(one, other)


def test_the_sum_of_the_greatest_channels_is_kept() -> None:
    attribution = RANDOM.normal(size=(24, 30, 3))
    heat, _ = rank_regions(PICTURES[0], attribution)
    assert heat.sum() == pytest.approx(attribution.max(-1).sum())


@pytest.mark.parametrize("shape", [(1, 1), (1, 40, 3), (7, 7, 3), (49, 1, 1)], ids=str)
def test_a_tiny_picture_is_one_region(shape: tuple[int, ...]) -> None:
    attribution = RANDOM.normal(size=shape)
    heat, ranks = rank_regions(RANDOM.random(shape), attribution)
    reduced = attribution if len(shape) == 2 else attribution.max(-1)
    np.testing.assert_allclose(heat, np.full(shape[:2], reduced.mean()))
    assert (ranks == 1).all()


def test_a_constant_picture_is_one_region() -> None:
    attribution = RANDOM.normal(size=(20, 30))
    heat, ranks = rank_regions(np.full((20, 30), 0.5), attribution)
    np.testing.assert_allclose(heat, np.full((20, 30), attribution.mean()))
    assert (ranks == 1).all()


def test_an_attribution_of_zeros_is_ranked() -> None:
    heat, ranks = rank_regions(PICTURES[0], np.zeros((24, 30, 3)))
    assert not heat.any()
    assert sorted(np.unique(ranks)) == list(range(1, ranks.max() + 1))


def test_only_the_order_of_labels_matters() -> None:
    attribution = RANDOM.normal(size=(24, 30))
    labels = felzenszwalb_scales(PICTURES[0]).astype(np.int64)
    names = np.sort(RANDOM.choice(np.arange(-(10**12), 10**12, 10**9), labels.max() + 1))
    one = rank_regions(PICTURES[0], attribution, labels=labels)
    other = rank_regions(PICTURES[0], attribution, labels=names[labels])
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_attribution_that_is_not_finite_is_named(value: float) -> None:
    attribution = np.zeros((24, 30, 3), np.float32)
    attribution[3, 4, 1] = value
    with pytest.raises(InstanceError, match=r"the attribution is not finite at \[3, 4, 1\]"):
        rank_regions(PICTURES[0], attribution)


def test_an_attribution_too_large_to_add_up_is_refused() -> None:
    with pytest.raises(InstanceError, match="the attribution is not finite in sum"):
        rank_regions(PICTURES[0], np.full((24, 30, 3), 1e306))


@pytest.mark.parametrize("shape", [(24, 31, 3), (720,), (24, 30, 0), (1, 24, 30, 3)], ids=str)
def test_an_attribution_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InstanceError, match=r"the attribution has the shape \["):
        rank_regions(PICTURES[0], np.zeros(shape))


@pytest.mark.parametrize(
    "labels",
    [np.zeros((24, 30), int), np.zeros((6, 24, 31), int), np.zeros((6, 24, 30))],
    ids=["no scales", "another width", "not integers"],
)
def test_labels_that_do_not_fit_are_refused(labels: NDArray[Any]) -> None:
    with pytest.raises(InstanceError, match=r"labels are integers \[scales, 24, 30\]"):
        rank_regions(PICTURES[0], np.zeros((24, 30)), labels=labels)


def test_memory_grows_by_less_than_200_bytes_a_pixel() -> None:
    """A photo of 12 million pixels then takes less than 3 GB with the picture and TensorFlow."""
    picture = np.kron(PICTURES[0], np.ones((40, 40, 1), np.float32))
    attribution = RANDOM.normal(size=picture.shape).astype(np.float32)
    rank_regions(PICTURES[0], attribution[:24, :30])
    tracemalloc.start()
    try:
        rank_regions(picture, attribution)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * picture[..., 0].size


# The method


def test_the_base_is_integrated_gradients_averaged_over_black_and_white() -> None:
    got, ranks = explain(0, 1, 2)
    factor = np.array([1, 2, 1])[:, None, None, None]
    # Black: w x²; white: w (x² − 1); their mean: w (x² − 1/2).
    exact = factor * WEIGHTS * (PICTURES.astype(float) ** 2 - 0.5)
    for i in range(3):
        heat, rank = rank_regions(PICTURES[i], exact[i])
        np.testing.assert_allclose(got.values["image"][i], heat, rtol=1e-5)
        np.testing.assert_array_equal(ranks["image"][i], rank)


def test_scores_and_error_are_those_before_ranking() -> None:
    got, _ = explain(0, 1, 2)
    base = integrated_gradients(
        model(), {"image": PICTURES}, BLACK_AND_WHITE, TARGET, IntegratedGradients(step_count=3)
    )
    assert got.approx_error is not None
    for name in ("score", "baseline_score", "target", "approx_error"):
        np.testing.assert_array_equal(getattr(got, name), getattr(base, name))
    assert got.values["image"].shape == (3, 24, 30)
    assert got.values["image"].dtype == np.float64


def test_company_and_order_do_not_matter() -> None:
    together, ranks = explain(0, 1, 2)
    shuffled, shuffled_ranks = explain(2, 0, 1)
    alone, alone_ranks = explain(1)
    np.testing.assert_allclose(
        shuffled.values["image"], together.values["image"][[2, 0, 1]], rtol=1e-12
    )
    np.testing.assert_array_equal(shuffled_ranks["image"], ranks["image"][[2, 0, 1]])
    np.testing.assert_allclose(alone.values["image"][0], together.values["image"][1], rtol=1e-12)
    np.testing.assert_array_equal(alone_ranks["image"][0], ranks["image"][1])


def test_the_configuration_reaches_the_gradients() -> None:
    noisy = Xrai(step_count=2, smooth_grad=SmoothGrad(noisy_sample_count=2, noise_sigma=0.3))
    one, other, changed = (explain(0, 1, method=noisy, seed=s)[0] for s in (1, 1, 2))
    assert one.values["image"].tobytes() == other.values["image"].tobytes()
    assert not np.array_equal(one.values["image"], changed.values["image"])


def test_a_picture_explained_for_several_outputs_is_segmented_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    monkeypatch.setattr(
        module, "felzenszwalb_scales", lambda image: calls.append(1) or felzenszwalb_scales(image)
    )
    again, _ = explain(0, 0, 1, 1, 0)
    assert len(calls) == 3
    np.testing.assert_array_equal(again.values["image"][0], explain(0)[0].values["image"][0])


def test_labels_that_are_given_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, ranks = explain(0, 1)
    labels = np.stack([felzenszwalb_scales(image) for image in PICTURES[:2]])
    monkeypatch.setattr(module, "felzenszwalb_scales", None)
    got, got_ranks = explain(0, 1, labels={"image": labels})
    np.testing.assert_array_equal(got.values["image"], expected.values["image"])
    np.testing.assert_array_equal(got_ranks["image"], ranks["image"])


def test_the_picture_may_be_another_array_than_the_input() -> None:
    inputs, _ = explain(0)
    bytes_, _ = explain(0, images={"image": (255 * PICTURES[:1] / 1.02).astype(np.uint8)})
    assert bytes_.values["image"].sum() == pytest.approx(inputs.values["image"].sum())


def asked(*question: object) -> Any:
    raise AssertionError("refused means that nothing is computed")


def test_a_feature_that_is_no_image_is_refused_before_anything_runs() -> None:
    table = FunctionModel(asked, asked, frozenset({"age"}))
    x = {"age": np.ones((2, 5))}
    with pytest.raises(SpecError, match=r"^inputs.age: XRAI explains images, .* the shape \[5\]"):
        xrai(table, x, [{"age": np.zeros((1, 5))}], np.array([0, 0]), images={})


def test_a_gradient_that_is_not_finite_names_its_instance() -> None:
    broken = model()
    broken = FunctionModel(
        broken.function,
        lambda x, target: {"image": np.where(x["image"] == x["image"].max(), np.nan, x["image"])},
        broken.differentiable,
    )
    x = {"image": PICTURES[:2]}
    with pytest.raises(InstanceError, match=r"^instances\[\d\].image: the attribution") as caught:
        xrai(broken, x, BLACK_AND_WHITE, TARGET[:2], images=x, numbers=[7, 9])
    assert caught.value.index in (7, 9)
