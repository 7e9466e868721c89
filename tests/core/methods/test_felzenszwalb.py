"""Segments: equal to the reference labels, and to the six steps written out one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb
from skimage.transform import resize

from pellucid.errors import InstanceError
from pellucid.methods import felzenszwalb as segments
from pellucid.methods.felzenszwalb import felzenszwalb_scales
from places import SHARED

REFERENCE = SHARED / "reference" / "xrai"
PHOTOS = sorted(REFERENCE.glob("*.npz"))


def literal(image: NDArray) -> NDArray:
    """All channels together, each scale's labels resized as an image."""
    image = (image - image.min()) / (image.max() - image.min()) * 2.0 - 1.0
    small = resize(
        image, (224, 224), order=3, mode="constant", preserve_range=True, anti_aliasing=True
    )
    labels = [
        felzenszwalb(small, scale=scale, sigma=0.8, min_size=150)
        for scale in (50, 100, 150, 250, 500, 1200)
    ]
    return np.array(
        [
            resize(label, image.shape[:2], order=0, mode="constant", preserve_range=True)
            for label in labels
        ]
    )


def noise(*shape: int) -> NDArray:
    """Coarse noise: no edge is as strong as another, so that no unstable sort decides."""
    random = np.random.default_rng(sum(shape))
    channels = shape[2:]
    coarse = random.random((9, 9, *channels))
    fine = resize(coarse, shape, order=1, mode="reflect")
    return np.asarray(fine + 0.02 * random.random(shape), np.float32)


@pytest.mark.skipif(not PHOTOS, reason="../shared/reference/xrai is not here")
@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_labels_equal_the_reference(photo: Path) -> None:
    data = np.load(photo)
    labels = felzenszwalb_scales((data["image"] / np.float32(255)).astype(np.float32))
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, data["labels"])


@pytest.mark.parametrize(
    "shape",
    [
        (224, 224, 3),
        (61, 97, 3),
        (300, 40),
        (40, 444, 1),
        (9, 8, 2),
        (1, 7, 3),
        (2, 1),
        (30, 30, 4),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Got image with third dimension")
def test_labels_equal_the_steps_written_out(shape: tuple[int, ...]) -> None:
    image = noise(*shape)
    np.testing.assert_array_equal(felzenszwalb_scales(image), literal(image))


@pytest.mark.parametrize("rounds", [0, 1, 40])
def test_how_many_edges_are_taken_at_once_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    image = noise(90, 120, 3)
    expected = felzenszwalb_scales(image)
    monkeypatch.setattr(segments, "ROUNDS", rounds)
    np.testing.assert_array_equal(felzenszwalb_scales(image), expected)


def test_equal_colours_make_equal_edges() -> None:
    """Many edges of one cost: their order, which is the sort's, must be the segmenter's own."""
    image = np.random.default_rng(0).integers(0, 3, (224, 224)).astype(np.float32)
    np.testing.assert_array_equal(felzenszwalb_scales(image), literal(image))


@pytest.mark.parametrize("scale", [0.1, 0.3], ids=["float32 is above", "float32 is below"])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_bound_is_rounded_to_float32(scale: float, step: int) -> None:
    bound = float(np.float32(scale))
    cost = np.array([bound if step == 0 else np.nextafter(bound, step * np.inf)])
    graph = segments._Graph(
        a=np.array([0]), b=np.array([1]), cost=cost, size=np.ones(2, int), inner=np.zeros(2)
    )
    root, size = segments._merged(graph, scale)
    assert (root[0] == root[1]) == (cost[0] < bound)
    assert size.max() == 1 + (cost[0] < bound)


@pytest.mark.parametrize(
    "name, value",
    [("SIGMA", 0.7), ("MINIMUM_SIZE", 149), ("SCALES", (50, 100, 150, 250, 500, 1100))],
)
def test_a_wrong_constant_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    images = [noise(224, 224, 3), noise(100, 150, 3), noise(180, 97)]
    monkeypatch.setattr(segments, name, value)
    assert any(not np.array_equal(felzenszwalb_scales(i), literal(i)) for i in images)


def test_the_precision_of_the_image_is_kept() -> None:
    image = noise(50, 70, 3)
    np.testing.assert_array_equal(
        felzenszwalb_scales(image.astype(np.float64)), literal(image.astype(np.float64))
    )
    half = image.astype(np.float16)
    np.testing.assert_array_equal(felzenszwalb_scales(half), literal(half.astype(np.float32)))


def test_bytes_are_numbers() -> None:
    image = (255 * noise(50, 70, 3) / 1.02).astype(np.uint8)
    np.testing.assert_array_equal(felzenszwalb_scales(image), literal(image.astype(np.float64)))


def test_scale_and_offset_do_not_matter() -> None:
    image = (noise(60, 60, 3) * 64).round().astype(np.float32)
    np.testing.assert_array_equal(
        felzenszwalb_scales(image), felzenszwalb_scales(4 * image - np.float32(32))
    )


def test_four_channels_raise_no_warning() -> None:
    assert felzenszwalb_scales(noise(20, 20, 4)).shape == (6, 20, 20)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5, 3), (40, 60), (30, 30, 1)], ids=str)
@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
def test_a_constant_image_is_one_region(shape: tuple[int, ...], value: float) -> None:
    labels = felzenszwalb_scales(np.full(shape, value, np.float32))
    assert labels.shape == (6, *shape[:2])
    assert not labels.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.7e308])
def test_what_is_not_finite_is_refused(value: float) -> None:
    image = np.full((8, 8, 3), 1e308)
    image[3, 4, 1] = value
    with pytest.raises(InstanceError, match="the image holds NaN, infinity or numbers near it"):
        felzenszwalb_scales(image)


@pytest.mark.parametrize("shape", [(), (5,), (0, 4), (4, 4, 0), (1, 4, 4, 3)], ids=str)
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InstanceError, match=r"\[height, width\] or \[height, width, channels\]"):
        felzenszwalb_scales(np.zeros(shape))


@pytest.mark.parametrize("dtype", [object, "S4", np.complex64], ids=str)
def test_what_is_not_a_number_is_refused(dtype: str) -> None:
    with pytest.raises(InstanceError, match="made of real numbers, not of"):
        felzenszwalb_scales(np.zeros((4, 4), dtype))
