"""Superpixels: labels that a method can count on, from pictures of every kind."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import segmentation

from pellucid.errors import InstanceError
from pellucid.metadata.parameters import Segmentation
from pellucid.methods import superpixels as module
from pellucid.methods.superpixels import placed, superpixels
from pellucid.model import Array

EACH = pytest.mark.parametrize("algorithm", Segmentation, ids=lambda a: a.value)


@pytest.fixture
def cat(samples: Path) -> Array:
    with Image.open(samples / "photos/images/cat.jpg") as file:
        return np.asarray(file.convert("RGB").resize((80, 60)))


@EACH
def test_labels_count_from_0_without_gaps_and_are_scikit_image_s_patches(
    cat: Array, algorithm: Segmentation
) -> None:
    expected = {
        Segmentation.QUICKSHIFT: lambda: segmentation.quickshift(
            cat / 255, kernel_size=1, max_dist=200, ratio=0.2
        ),
        Segmentation.FELZENSZWALB: lambda: segmentation.felzenszwalb(cat / 255),
        Segmentation.SLIC: lambda: segmentation.slic(cat / 255),
    }[algorithm]()
    got = superpixels(cat, algorithm)
    assert got.dtype == np.int32 and got.shape == cat.shape[:2]
    np.testing.assert_array_equal(np.unique(got), np.arange(got.max() + 1))
    np.testing.assert_array_equal(got, expected - expected.min())
    np.testing.assert_array_equal(superpixels(cat / 255, algorithm), got)


@EACH
def test_grayscale_is_repeated(cat: Array, algorithm: Segmentation) -> None:
    gray = cat[:, :, 0]
    expected = superpixels(np.repeat(gray[:, :, None], 3, axis=2), algorithm)
    np.testing.assert_array_equal(superpixels(gray, algorithm), expected)
    np.testing.assert_array_equal(superpixels(gray[:, :, None], algorithm), expected)


@EACH
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3, 3), (5, 4, 1)])
def test_tiny_and_constant_pictures_have_patches(
    shape: tuple[int, ...], algorithm: Segmentation
) -> None:
    got = superpixels(np.full(shape, 0.5), algorithm)
    assert got.shape == shape[:2] and got.min() == 0


@EACH
def test_a_large_picture_is_cut_at_a_part_of_its_size(
    cat: Array, algorithm: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = np.kron(cat, np.ones((2, 2, 1), np.uint8))[:-1]  # 119 × 160
    monkeypatch.setitem(module.MOST_PIXELS, algorithm, 60 * 80)
    got = superpixels(large, algorithm)
    assert got.shape == (119, 160)
    small = superpixels(large[1::2, 1::2], algorithm)
    np.testing.assert_array_equal(got, np.kron(small, np.ones((2, 2), int))[[*range(118), 117]])


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (0, 4, 3), (1, 4, 4, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        InstanceError,
        match=r"^an image for superpixels is \[h, w\], \[h, w, 1\] or \[h, w, 3\], not \[",
    ):
        superpixels(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InstanceError, match=r"^the image holds NaN or infinity: no superpixels$"):
        superpixels(np.full((4, 4), value))


def test_labels_find_their_place_in_every_layout() -> None:
    labels = np.arange(6).reshape(2, 3)
    for shape in [(2, 3), (2, 3, 4), (4, 2, 3), (6,), (24,)]:
        here = np.broadcast_to(placed(labels, shape), shape)
        assert np.bincount(here.ravel()).tolist() == [here.size // 6] * 6
    np.testing.assert_array_equal(placed(labels, (12,)), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])


def test_the_module_s_example_runs() -> None:
    assert doctest.testmod(module).failed == 0
