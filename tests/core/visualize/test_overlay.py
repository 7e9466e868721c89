"""Overlays: the laws of drawing, the exact mixture of colours, and what cannot be drawn."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import replace
from io import BytesIO
from subprocess import run
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata.spec import (
    ColorMap,
    Dialect,
    OverlayType,
    Percentile,
    Polarity,
    Visualization,
    VisualizationType,
)
from pellucid.visualize.colormaps import LEVELS, color_table, is_gradient
from pellucid.visualize.overlay import clip_thresholds, draw, draw_ranks, shows_nothing
from pellucid.visualize.panel import encode, panel

OUTLINES, PIXELS = VisualizationType.OUTLINES, VisualizationType.PIXELS
EVERYTHING = {"clip_below_percentile": 0.0, "clip_above_percentile": 100.0}
GREEN = np.array([0, 255, 0])


SHARE = Percentile.SHARE


def settings(**given: Any) -> Visualization:
    return Visualization(**given).resolved(Dialect.AI_PLATFORM, regions=False)


def pixels(**given: Any) -> Visualization:
    return settings(type=PIXELS, **{**EVERYTHING, **given})


def photo(height: int = 9, width: int = 11) -> Any:
    return np.random.default_rng(1).integers(30, 256, (height, width, 3), np.uint8)


def noise(height: int = 9, width: int = 11) -> Any:
    return np.random.default_rng(0).normal(size=(height, width))


maps = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=8),
    elements=st.integers(-4, 4).map(float),
)
every_setting = st.builds(
    settings,
    type=st.sampled_from(VisualizationType),
    polarity=st.sampled_from(Polarity),
    color_map=st.sampled_from(ColorMap),
    overlay_type=st.sampled_from(OverlayType),
    clip_below_percentile=st.sampled_from([0.0, 30.0, 62.0]),
    clip_above_percentile=st.sampled_from([70.0, 99.9, 100.0]),
    percentile=st.sampled_from(Percentile),
    shade_within_outlines=st.booleans(),
    blur_sigma=st.sampled_from([0.0, 1.5]),
)


# Laws


@given(maps, every_setting, st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_every_setting_draws_a_picture_and_changes_no_input(
    attribution: Any, visualization: Visualization, height: int, width: int, dim: bool
) -> None:
    image, before = photo(height, width), attribution.copy()
    attribution.flags.writeable = image.flags.writeable = False
    drawn = draw(attribution, image, visualization, dim=dim)
    assert drawn.shape == (height, width, 3) and drawn.dtype == np.uint8
    assert drawn.flags.writeable and not np.shares_memory(drawn, image)
    assert np.array_equal(attribution, before)


def without(**overrides: Any) -> Any:
    return lambda v: settings(
        type=v.type,
        clip_below_percentile=v.clip_below_percentile,
        clip_above_percentile=v.clip_above_percentile,
        percentile=v.percentile,
        blur_sigma=v.blur_sigma,
        **{"overlay_type": OverlayType.NONE, **overrides},
    )


@given(maps, every_setting)
def test_negative_of_a_is_positive_of_minus_a(attribution: Any, v: Visualization) -> None:
    image = photo()
    for color_map in (ColorMap.RED, ColorMap.GREEN):
        negative = without(polarity=Polarity.NEGATIVE, color_map=color_map)(v)
        positive = without(polarity=Polarity.POSITIVE, color_map=color_map)(v)
        assert np.array_equal(
            draw(attribution, image, negative), draw(-attribution, image, positive)
        )
    negative = without(polarity=Polarity.NEGATIVE, color_map=ColorMap.PINK_GREEN)(v)
    positive = without(polarity=Polarity.POSITIVE, color_map=ColorMap.PINK_GREEN)(v)
    shown = [draw(attribution, image, negative), draw(-attribution, image, positive)]
    assert np.array_equal(shown[0].any(2), shown[1].any(2))


@given(maps, st.sampled_from(Polarity), st.sampled_from(ColorMap))
def test_clip_0_100_shows_everything(
    attribution: Any, polarity: Polarity, color_map: ColorMap
) -> None:
    v = pixels(polarity=polarity, color_map=color_map, overlay_type=OverlayType.NONE)
    total = attribution if attribution.ndim == 2 else attribution.sum(2)
    expected = {
        Polarity.POSITIVE: total > 0,
        Polarity.NEGATIVE: total < 0,
        Polarity.BOTH: total != 0,
    }[polarity]
    shown = draw(attribution, photo(*total.shape), v).any(2)
    if is_gradient(color_map) and expected.any():
        assert shown.all()
    else:
        assert np.array_equal(shown, expected)


@given(every_setting, st.booleans())
def test_nothing_to_show_draws_the_plain_picture(v: Visualization, dim: bool) -> None:
    image = photo()
    nothing = {
        Polarity.POSITIVE: -np.abs(noise()),
        Polarity.NEGATIVE: np.abs(noise()),
        Polarity.BOTH: np.zeros((9, 11)),
    }
    assert v.polarity is not None and v.overlay_type is not None
    for attribution in (np.zeros((9, 11, 3)), nothing[v.polarity]):
        assert shows_nothing(attribution, v)
        expected = {
            OverlayType.NONE: np.zeros_like(image),
            OverlayType.MASK_BLACK: np.zeros_like(image),
            OverlayType.ORIGINAL: image,
            OverlayType.GRAYSCALE: np.repeat(
                np.floor(image.mean(2, keepdims=True) + 0.5), 3, 2
            ).astype(np.uint8),
        }[v.overlay_type]
        assert np.array_equal(draw(attribution, image, v, dim=dim), expected)


@given(maps, every_setting, st.sampled_from([2.0**-900, 0.125, 8.0, 2.0**900]))
def test_only_ratios_of_attributions_matter(attribution: Any, v: Visualization, by: float) -> None:
    a, b = draw(attribution, photo(), v), draw(attribution * by, photo(), v)
    assert np.array_equal(a, b)


@given(maps, every_setting, st.booleans())
def test_over_nothing_what_is_not_shown_is_black(a: Any, v: Visualization, dim: bool) -> None:
    """Nothing of the picture shines through, and a hue is only where the sign is."""
    v = replace(v, overlay_type=OverlayType.NONE, blur_sigma=0.0)
    total = a if a.ndim == 2 else a.sum(2)
    drawn = draw(a, photo(*total.shape), v, dim=dim)
    assert np.array_equal(drawn, draw(a, 255 - photo(*total.shape), v, dim=dim))
    assert v.color_map is not None
    if v.type is PIXELS and not is_gradient(v.color_map):
        sign = {Polarity.POSITIVE: total > 0, Polarity.NEGATIVE: total < 0}
        assert not drawn[~sign.get(v.polarity, total != 0)].any()


def test_channels_are_summed() -> None:
    a = np.random.default_rng(0).normal(size=(9, 11, 3))
    for v in (settings(), pixels(polarity=Polarity.BOTH)):
        assert np.array_equal(draw(a, photo(), v), draw(a.sum(2), photo(), v))
        assert np.array_equal(draw(a[..., :1], photo(), v), draw(a[..., 0], photo(), v))


def test_a_gray_picture_is_drawn_like_its_three_channels() -> None:
    gray = photo()[..., 0]
    expected = draw(noise(), np.repeat(gray[..., None], 3, 2), settings())
    assert np.array_equal(draw(noise(), gray, settings()), expected)
    assert np.array_equal(draw(noise(), gray[..., None], settings()), expected)


# The exact mixture


def test_a_full_strength_pixel_is_four_tenths_picture_and_six_tenths_colour() -> None:
    a = np.zeros((2, 2))
    a[0, 0] = 5.0
    image = photo(2, 2)
    got = draw(a, image, pixels())
    assert np.array_equal(got[0, 0], np.floor(0.4 * image[0, 0] + 0.6 * GREEN + 0.5))
    assert np.array_equal(got[1, 1], np.floor(0.4 * image[1, 1] + 0.5))
    bright = draw(a, image, pixels(), dim=False)
    assert np.array_equal(bright[0, 0], got[0, 0])
    assert np.array_equal(bright[1, 1], image[1, 1])
    strong = draw(a, image, pixels(overlay_multiplier=0.9, overlay_type=OverlayType.GRAYSCALE))
    mean = np.floor(image[0, 0].mean() + 0.5)
    assert np.array_equal(strong[0, 0], np.floor(0.1 * mean + 0.9 * GREEN + 0.5))


def test_strengths_ramp_from_a_fifth_at_the_lower_threshold_to_one_at_the_upper() -> None:
    a = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, -6.0]])
    v = pixels(overlay_type=OverlayType.NONE)
    got = draw(a, photo(1, 6), v)
    expected = np.rint((0.2 + 0.8 * a.clip(0) / 5) * 255) * (a > 0)
    assert np.array_equal(got[..., 1], expected)
    assert not got[..., [0, 2]].any()
    # By share: 5 + 4 reach 60 % of 15, so 4 is the threshold for 40; 5 alone reaches 33 %.
    share = {"clip_below_percentile": 40, "clip_above_percentile": 70, "percentile": SHARE}
    v = pixels(overlay_type=OverlayType.NONE, **share)
    assert draw(a, photo(1, 6), v)[0, :, 1].tolist() == [0, 0, 0, 51, 255, 0]


def test_both_polarities_share_one_scale() -> None:
    a = np.array([[10.0, -5.0, 0.0]])
    got = draw(a, photo(1, 3), pixels(polarity=Polarity.BOTH, overlay_type=OverlayType.NONE))
    assert got[0, 0].tolist() == [0, 255, 0]
    assert got[0, 1].tolist() == [153, 12, 88]
    assert got[0, 2].tolist() == [0, 0, 0]


def test_under_mask_black_opacity_is_the_attribution() -> None:
    a = np.array([[0.0, 1.0, 2.0, 4.0, -4.0]])
    image = photo(1, 5)
    for kind in VisualizationType:
        v = settings(type=kind, overlay_type=OverlayType.MASK_BLACK, **EVERYTHING)
        level = np.rint(a.clip(0) / 4 * 255) / 255
        expected = np.floor(image * level[..., None] + 0.5)
        assert np.abs(draw(a, image, v) - expected).max() <= 1
        assert np.array_equal(draw(a, image, v)[0, 3], image[0, 3])
        assert not draw(a, image, v)[0, 4].any()


def test_a_large_picture_is_drawn_at_its_own_resolution() -> None:
    a = np.zeros((4, 4))
    a[1:3, 1:3] = 1
    image = photo(40, 80)
    bright = draw(a, image, settings(**EVERYTHING), dim=False)
    assert bright.shape == (40, 80, 3)
    changed = (bright != image).any(2)
    assert changed[14:26, 26:54].all() and not changed[:9].any() and not changed[:, :18].any()
    ramp = draw(np.array([[1.0, 3.0]]), photo(8, 16), pixels(overlay_type=OverlayType.NONE))
    assert (np.diff(ramp[0, :, 1].astype(int)) >= 0).all() and len(np.unique(ramp)) > 6


def test_blur_spreads_an_attribution() -> None:
    a = np.zeros((9, 11))
    a[4, 5] = 1
    v = pixels(overlay_type=OverlayType.NONE, blur_sigma=1.0)
    sharp, soft = draw(a, photo(), pixels(overlay_type=OverlayType.NONE)), draw(a, photo(), v)
    assert sharp.any(2).sum() == 1
    assert soft[4, 5, 1] > soft[4, 6, 1] > soft[4, 7, 1] > 0


# Thresholds


@given(
    hnp.arrays(np.float64, (3, 4), elements=st.integers(-9, 9).map(float)),
    st.floats(0.5, 99.5),
    st.sampled_from(Polarity),
)
def test_a_share_is_of_the_cumulative_absolute_attribution(
    a: Any, p: float, polarity: Polarity
) -> None:
    strength = {
        Polarity.POSITIVE: a.clip(0),
        Polarity.NEGATIVE: (-a).clip(0),
        Polarity.BOTH: np.abs(a),
    }[polarity].ravel()
    v = pixels(
        polarity=polarity, clip_below_percentile=p, clip_above_percentile=100.0, percentile=SHARE
    )
    lower, upper = clip_thresholds(a, v)
    if not strength.any():
        assert (lower, upper) == (0, 0)
        return
    assert upper == strength.max()
    wanted = (100 - p) / 100 * strength.sum()
    # The largest attributions reach the share with those at the threshold, and not without them.
    assert strength[strength >= lower].sum() >= wanted * (1 - 2e-6)
    assert strength[strength > lower].sum() < wanted * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.7, 1 / 3])
def test_a_share_that_is_just_reached_is_reached(scale: float) -> None:
    a = np.array([[1.0, 2.0, 3.0, 4.0]]) * scale
    for p, expected in ((60, 3), (30, 2), (10, 1)):
        v = pixels(overlay_type=OverlayType.NONE, clip_below_percentile=p, percentile=SHARE)
        assert draw(a, photo(1, 4), v).any(2).sum() == 4 - expected, (p, scale)


def test_a_rank_is_of_pixels() -> None:
    a = np.arange(101.0).reshape(1, 101)
    v = pixels(clip_below_percentile=62, clip_above_percentile=99)
    assert clip_thresholds(a, v) == (62.0, 99.0)
    v = pixels(clip_below_percentile=62, clip_above_percentile=99, percentile=SHARE)
    lower, upper = clip_thresholds(a, v)
    assert (lower, upper) == (79.0, 100.0)


# Outlines


def regions_by_hand(mask: Any) -> tuple[Any, Any]:
    """Return (border, inside) as the definition says it, slowly."""
    h, w = mask.shape
    outside = np.zeros_like(mask)
    queue = deque((y, x) for y in range(h) for x in range(w) if y in (0, h - 1) or x in (0, w - 1))
    while queue:
        y, x = queue.popleft()
        if 0 <= y < h and 0 <= x < w and not mask[y, x] and not outside[y, x]:
            outside[y, x] = True
            queue.extend([(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)])
    filled = ~outside
    seen, found = np.zeros_like(mask), []
    for y in range(h):
        for x in range(w):
            if filled[y, x] and not seen[y, x]:
                region, queue = [], deque([(y, x)])
                while queue:
                    b, a = queue.popleft()
                    if 0 <= b < h and 0 <= a < w and filled[b, a] and not seen[b, a]:
                        seen[b, a] = True
                        region.append((b, a))
                        queue.extend((b + i, a + j) for i in (-1, 0, 1) for j in (-1, 0, 1))
                found.append(region)
    found.sort(key=len, reverse=True)
    kept, area = np.zeros_like(mask), 0
    for region in found[:3]:
        if area >= 0.9 * filled.sum():
            break
        area += len(region)
        for place in region:
            kept[place] = True
    inside = np.zeros_like(mask)
    for y in range(1, h - 1):
        for x in range(1, w - 1):
            inside[y, x] = all(
                kept[y + i, x + j] for i, j in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
            )
    return kept & ~inside, inside


@given(hnp.arrays(bool, (9, 12)), st.booleans())
def test_outlines_follow_their_definition(mask: Any, shade: bool) -> None:
    v = settings(overlay_type=OverlayType.NONE, shade_within_outlines=shade, **EVERYTHING)
    got = draw(mask.astype(float), photo(9, 12), v)[..., 1]
    border, inside = regions_by_hand(mask)
    assert np.array_equal(got, 255 * border + (128 if shade else 0) * inside)


def test_outlines_keep_the_largest_three() -> None:
    a: Any = np.zeros((20, 40))
    for i, size in enumerate((9, 6, 5, 4)):
        a[2 : 2 + size, 2 + 10 * i : 2 + 10 * i + size] = 1
    shown: Any = draw(a, photo(20, 40), settings(overlay_type=OverlayType.NONE, **EVERYTHING)).any(
        2
    )
    assert np.sum(shown[:, :30]) == 81 + 36 + 25 and not shown[:, 30:].any()
    a[2:8, 12:18] = a[2:7, 22:27] = 0
    shown = draw(a, photo(20, 40), settings(overlay_type=OverlayType.NONE, **EVERYTHING)).any(2)
    assert shown.sum() == 81 + 16  # 81 of 97 are not yet 90 %


def test_a_border_is_as_wide_on_a_large_photo_seen_whole() -> None:
    a = np.zeros((20, 20))
    a[5:15, 5:15] = 1
    v = settings(overlay_type=OverlayType.NONE, **EVERYTHING)
    share = [np.mean(draw(a, photo(n, n), v)[..., 1] == 255) for n in (20, 200, 500)]
    assert share[0] == 36 / 400
    assert np.allclose(share, share[0], rtol=0.1)


# Colours


def test_the_ends_are_as_documented() -> None:
    def ends(color_map: ColorMap, polarity: Polarity = Polarity.BOTH) -> Any:
        return np.rint(color_table(color_map, polarity)[[0, LEVELS, -1]]).tolist()

    assert ends(ColorMap.PINK_GREEN) == [[255, 20, 147], [0, 0, 0], [0, 255, 0]]
    assert ends(ColorMap.RED_GREEN) == [[255, 0, 0], [0, 0, 0], [0, 255, 0]]
    assert ends(ColorMap.RED) == [[255, 0, 0], [0, 0, 0], [255, 0, 0]]
    assert ends(ColorMap.GREEN) == [[0, 255, 0], [0, 0, 0], [0, 255, 0]]
    assert ends(ColorMap.PINK_WHITE_GREEN) == [[142, 1, 82], [247, 247, 247], [39, 100, 25]]
    assert ends(ColorMap.VIRIDIS)[::2] == [[68, 1, 84], [253, 231, 37]]
    assert ends(ColorMap.VIRIDIS, Polarity.POSITIVE)[1:] == [[68, 1, 84], [253, 231, 37]]


def test_viridis_grows_lighter_all_the_way() -> None:
    table = color_table(ColorMap.VIRIDIS, Polarity.BOTH) / 255
    linear = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * np.cbrt(luminance) - 16
    assert (np.diff(lightness) > -0.02).all()  # but for rounding to 8 bits
    # "Perceptually uniform": lightness is close to a straight line.
    assert np.abs(lightness - np.linspace(lightness[0], lightness[-1], len(lightness))).max() < 2


@pytest.mark.parametrize(
    ("color_map", "name"), [(ColorMap.VIRIDIS, "viridis"), (ColorMap.PINK_WHITE_GREEN, "PiYG")]
)
def test_gradients_are_those_of_matplotlib(color_map: ColorMap, name: str) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    table = color_table(color_map, Polarity.BOTH)
    position = np.linspace(0, 255, 2 * LEVELS + 1)
    colors = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
    theirs = np.stack([np.interp(position, np.arange(256), c) for c in colors.T], axis=-1)
    assert np.abs(table - theirs).max() < 1


# What cannot be drawn


@pytest.mark.parametrize(
    ("attribution", "expected"),
    [
        (
            np.array([[np.nan, 1.0], [np.inf, 0.0]]),
            "the attribution cannot be drawn: 2 of its 4 pixels are not finite",
        ),
        (
            np.zeros(4),
            (
                "an attribution of shape [4] cannot be drawn, it must be [height, width] or [height, "
                "width, channels]"
            ),
        ),
        (
            np.zeros((0, 4)),
            (
                "an attribution of shape [0, 4] cannot be drawn, it must be [height, width] or "
                "[height, width, channels]"
            ),
        ),
    ],
)
def test_a_wrong_attribution_costs_one_sentence(attribution: Any, expected: str) -> None:
    with pytest.raises(InstanceError) as caught:
        draw(attribution, photo(), settings())
    assert str(caught.value) == expected


def test_a_wrong_picture_or_setting_costs_one_sentence() -> None:
    with pytest.raises(InstanceError) as caught:
        draw(noise(), photo() / 255, settings())
    assert str(caught.value) == (
        "a picture to draw on must be uint8 [height, width, 3], got float64 [9, 11, 3]"
    )
    with pytest.raises(InstanceError) as caught:
        draw(noise(), np.zeros((9, 11, 4), np.uint8), settings())
    assert str(caught.value) == "a picture to draw on must have 1 or 3 channels, got 4"
    with pytest.raises(SpecError) as failed:
        draw(noise(), photo(), Visualization())
    assert str(failed.value).endswith("is not set; resolve the defaults first")


# Panels and files


@pytest.mark.parametrize(
    "size, polarity, overlay_type",
    [
        ((1, 1), Polarity.BOTH, OverlayType.ORIGINAL),
        ((28, 28), Polarity.NEGATIVE, OverlayType.MASK_BLACK),
        ((224, 300), Polarity.POSITIVE, OverlayType.ORIGINAL),
        ((300, 224), Polarity.BOTH, OverlayType.MASK_BLACK),
        ((350, 700), Polarity.NEGATIVE, OverlayType.ORIGINAL),
    ],
)
def test_a_panel_shows_both_pictures_a_title_and_a_bar(
    size: tuple[int, int], polarity: Polarity, overlay_type: OverlayType
) -> None:
    image = photo(*size)
    for v in (settings(polarity=polarity), pixels(polarity=polarity, overlay_type=overlay_type)):
        overlay = 255 - image
        plain = panel(image, overlay, title="a", visualization=v)
        named = panel(image, overlay, title="tabby cat 0.87 " * 40, visualization=v)
        longer = panel(image, overlay, title="a", visualization=v, subtitle="IG")
        assert plain.dtype == np.uint8 and plain.shape == named.shape
        untitled = panel(image, overlay, title="", visualization=v)
        assert longer.shape[0] > plain.shape[0] > untitled.shape[0]
        rows = np.flatnonzero((plain != named).any((1, 2)))
        assert rows.size and rows.max() < 52  # the title, and nothing below it
        if 256 <= max(size) <= 640:
            h, w = size
            assert np.array_equal(plain[-16 - h : -16, 16 : 16 + w], image)
            assert np.array_equal(plain[-16 - h : -16, 32 + w : 32 + 2 * w], overlay)
        assert (plain[:, -16:] == 255).all()


def test_the_bar_has_the_colours_of_the_overlay() -> None:
    image = photo(300, 300)
    v = pixels(polarity=Polarity.BOTH)
    bar = panel(image, image, title="x", visualization=v)[-16 - 300 : -16, 3 * 16 + 2 * 300]
    assert bar[0].tolist() == [0, 255, 0] and bar[-1].tolist() == [255, 20, 147]


def test_files_are_written_in_both_formats() -> None:
    picture = photo(40, 50)
    png = Image.open(BytesIO(encode(picture, "png")))
    assert png.format == "PNG" and np.array_equal(np.asarray(png), picture)
    green = np.zeros((16, 16, 3), np.uint8)
    green[:, ::2] = GREEN
    jpeg = Image.open(BytesIO(encode(green, "jpeg")))
    assert jpeg.format == "JPEG"
    # A column of colour one pixel wide survives; with subsampled colour it is off by 100 and more.
    assert np.abs(np.asarray(jpeg).astype(int) - green).max() < 30
    with pytest.raises(SpecError) as caught:
        encode(picture, "gif")
    assert str(caught.value) == "output_format must be jpeg or png, got 'gif'"


def test_drawing_pixels_imports_neither_scipy_nor_scikit_image() -> None:
    code = (
        "import sys, numpy as np\n"
        "from pellucid.visualize.overlay import draw\n"
        "from pellucid.metadata.spec import Dialect, Visualization\n"
        "v = Visualization().resolved(Dialect.AI_PLATFORM, regions=True)\n"
        "draw(np.ones((2, 2)), np.ones((2, 2, 3), np.uint8), v)\n"
        "print([m for m in sys.modules if m.partition('.')[0] in ('scipy', 'skimage')])\n"
    )
    path = [p for p in sys.path if p]
    done = run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_ranks_show_the_pixels_that_are_highest() -> None:
    """Whatever their values: below zero, or of a wide range. Equal pixels are not told apart."""
    gray = np.full((20, 20, 3), 100, np.uint8)
    ramp = np.arange(400.0).reshape(20, 20)
    drawn = draw_ranks(ramp, gray, 30)
    green = drawn[..., 1].astype(int) - drawn[..., 0] > 20
    assert green.mean() == pytest.approx(0.3, abs=0.01) and green[14:].mean() > 0.99
    np.testing.assert_array_equal(draw_ranks(-np.exp(-ramp / 40), gray, 30), drawn)
    patch = np.zeros((20, 20))
    patch[3:6, 3:6] = 1
    shown = draw_ranks(patch, gray, 30)
    green = shown[..., 1].astype(int) - shown[..., 0] > 20
    np.testing.assert_array_equal(green, patch > 0)
