"""An attribution drawn on its picture, as the services drew it and at the picture's own resolution.

    a = Σ_channels attribution                     (blurred by `blur_sigma`, if any)
    s = max(a, 0) | max(−a, 0) | |a|               (polarity positive | negative | both)
    t = clip((s − lower) / (upper − lower), 0, 1)  (the two clip percentiles; s < lower: not shown)

PIXELS colours every pixel by t. OUTLINES takes the largest regions where s ≥ lower, and draws their
border at full strength and their inside at half. The result is 0.4 · picture + 0.6 · colour at the
default `overlay_multiplier`, 0.6; where nothing is shown the colour is black, as measured on
pictures that the service returned, so that what is shown stands out from a picture that steps back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import numpy as np
from PIL import Image

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata import (
    ColorMap,
    Dialect,
    OverlayType,
    Percentile,
    Polarity,
    Visualization,
    VisualizationType,
)
from pellucid.model import Array
from pellucid.notices import Where
from pellucid.visualize.colormaps import LEVELS, color_table, is_gradient

# The faintest pixel of a hue map that is shown at all: below this, it could not be told from black.
FAINTEST = 0.2
# "Keep the largest until 90 % of the area and at most three."
KEPT_AREA = 0.9
KEPT_REGIONS = 3
INSIDE = 0.5

# Rows are drawn in blocks that fit the processor's cache: twice as fast, and no large temporaries.
_BLOCK_PIXELS = 1 << 16
_NOT_SHOWN = np.int16(LEVELS + 1)

# Of what is not known, so much colour is left on the picture.
FADED = np.float32(0.2)

T = TypeVar("T")
Painter: TypeAlias = Callable[[slice], Array]
"""Rows → signed strength in steps of 1 / LEVELS, int16; `_NOT_SHOWN` where nothing is drawn."""


def draw(
    attribution: Array,
    image: Array,
    visualization: Visualization,
    *,
    dim: bool = True,
    unknown: Array | None = None,
) -> Array:
    """Return the overlay as uint8 [H, W, 3].

    `attribution` is [h, w] or [h, w, c], `image` uint8 [H, W], [H, W, 1] or [H, W, 3] of any size,
    `visualization` resolved. Nothing to show leaves the picture plain (black under `none` and
    `mask_black`). With `dim` false the picture keeps its brightness where nothing is shown, and a
    hue covers it in proportion to its strength. Where `unknown` is true, bool [h, w], a fifth of
    the colour is left, on the picture as it is (on black under `none` and `mask_black`). Raises
    `InstanceError` for an attribution that is not finite or not a picture's.
    """
    signed = signed_plane(attribution, visualization)
    below = _three_channels(image)
    height, width = below.shape[:2]
    overlay = _given(visualization.overlay_type, "overlay_type")
    if overlay is OverlayType.GRAYSCALE:
        below = _gray(below)
    if not _strength(signed, visualization).any():
        black = overlay in (OverlayType.NONE, OverlayType.MASK_BLACK)
        return np.zeros((height, width, 3), np.uint8) if black else np.array(below)
    paint = _painter(signed, (width, height), visualization)
    keep, colors = _mixture(visualization, dim=dim)
    drawn = np.empty((height, width, 3), np.uint8)
    step = max(1, _BLOCK_PIXELS // width)
    for start in range(0, height, step):
        rows = slice(start, start + step)
        level = paint(rows)
        level += LEVELS
        mixed = np.take(colors, level, axis=0, mode="wrap")
        mixed += below[rows] * np.take(keep, level, axis=0, mode="wrap")
        mixed += np.float32(0.5)
        drawn[rows] = mixed
    if unknown is not None:
        hides = overlay in (OverlayType.NONE, OverlayType.MASK_BLACK)
        drawn = _faded(drawn, np.zeros_like(below) if hides else below, unknown)
    return drawn


def draw_ranks(values: Array, image: Array, share: int) -> Array:
    """Return a map [h, w] on its picture: the `share` percent of its pixels that rank highest.

    The higher, the brighter the green, whatever the values are, so that maps of different methods
    can be compared. Pixels of the same value have the same rank, the lowest of theirs.
    """
    from scipy.stats import rankdata

    settings = Visualization(
        type=VisualizationType.PIXELS, polarity=Polarity.POSITIVE, color_map=ColorMap.PINK_GREEN,
        clip_below_percentile=100.0 - share, clip_above_percentile=100.0,
    ).resolved(Dialect.AI_PLATFORM, regions=False)  # fmt: skip
    ranks = rankdata(values, method="min").reshape(np.shape(values)) - 1
    return draw(ranks, image, settings)


def draw_change(values: Array, image: Array) -> Array:
    """Return a map of changes [h, w] on a gray picture: green where there is more, pink where less.

    The strength is in proportion to the change, of which the largest is full.
    """
    settings = Visualization(
        type=VisualizationType.PIXELS, polarity=Polarity.BOTH, color_map=ColorMap.PINK_GREEN,
        overlay_type=OverlayType.GRAYSCALE, clip_below_percentile=0.0, clip_above_percentile=100.0,
    ).resolved(Dialect.AI_PLATFORM, regions=False)  # fmt: skip
    return draw(values, image, settings)


def unknown_plane(attribution: Array, errors: Array) -> Array:
    """Return where an attribution is smaller than twice its error, bool [h, w].

    Both are [h, w] or [h, w, c], whose channels are added up. What has no error is known.
    """
    value, error = (it.sum(axis=2) if it.ndim == 3 else it for it in (attribution, errors))
    return np.asarray(np.abs(value) < 2 * error)


def _faded(drawn: Array, below: Array, unknown: Array) -> Array:
    """Return a drawing that steps back to what is below it where it is not known."""
    height, width = drawn.shape[:2]
    mask = Image.fromarray(unknown).resize((width, height), Image.Resampling.NEAREST)
    mixed = FADED * drawn + (1 - FADED) * below + np.float32(0.5)
    return np.where(np.asarray(mask)[..., np.newaxis], mixed.astype(np.uint8), drawn)


def _mixture(visualization: Visualization, *, dim: bool) -> tuple[Array, Array]:
    """Return what is kept of the picture, [m, 1], and the colour added to it, [m, 3], by level.

    Rows are the levels from −LEVELS to LEVELS, and one more, the last, for "not shown".
    """
    color_map = _given(visualization.color_map, "color_map")
    strength = np.abs(np.linspace(-1, 1, 2 * LEVELS + 1, dtype=np.float32))[:, np.newaxis]
    colors = color_table(color_map, _given(visualization.polarity, "polarity"))
    kept_outside = 0.0
    if visualization.overlay_type is OverlayType.MASK_BLACK:
        keep, colors = strength, np.zeros_like(colors)
    elif visualization.overlay_type is OverlayType.NONE:
        keep = np.zeros_like(strength)
    else:
        weight = np.float32(_given(visualization.overlay_multiplier, "overlay_multiplier"))
        colors = colors * weight
        fades = not dim and not is_gradient(color_map)
        keep = 1 - weight * (strength if fades else np.ones_like(strength))
        kept_outside = float(1 - weight) if dim else 1.0
    black = np.zeros((1, 3), np.float32)
    outside = np.full((1, 1), kept_outside, np.float32)
    return np.concatenate([keep, outside]), np.concatenate([colors, black])


def shows_nothing(attribution: Array, visualization: Visualization) -> bool:
    """Return whether no part of the attribution has the polarity asked for: all is plain."""
    return not _strength(signed_plane(attribution, visualization), visualization).any()


def clip_thresholds(signed: Array, visualization: Visualization) -> tuple[float, float]:
    """Return the least strength that is shown and the one from which colours saturate.

    By share, the threshold for p is "the value at which the largest attributions together reach
    (100 − p) % of the total"; by rank, the p-th percentile over all pixels. 0 shows everything.
    """
    strength = _strength(signed, visualization).ravel()
    below = _given(visualization.clip_below_percentile, "clip_below_percentile")
    above = _given(visualization.clip_above_percentile, "clip_above_percentile")
    if visualization.percentile is Percentile.RANK:
        lower, upper = np.percentile(strength, [below, above])
    else:
        ordered = np.sort(strength[strength > 0])[::-1]
        if not ordered.size:
            return 0.0, 0.0
        reached = np.cumsum(ordered, dtype=np.float64)
        wanted = (100 - np.array([below, above])) / 100 * reached[-1]
        # Within the rounding of float32 a share is reached: 4 and 3 are 70 % of 10.
        at = np.searchsorted(reached, wanted * (1 - 1e-6))
        lower, upper = ordered[at]
    return 0.0 if below <= 0 else float(lower), float(upper)


def signed_plane(attribution: Array, visualization: Visualization) -> Array:
    """Return the attribution summed over channels, float32 [h, w]."""
    values = np.asarray(attribution)
    if values.ndim not in (2, 3) or not values.size:
        raise InstanceError(
            f"an attribution of shape {list(values.shape)} cannot be drawn, "
            f"it must be [height, width] or [height, width, channels]"
        )
    total = values.astype(np.float64)
    total = total.sum(axis=2) if total.ndim == 3 else total
    if bad := int(np.count_nonzero(~np.isfinite(total))):
        raise InstanceError(
            f"the attribution cannot be drawn: {bad} of its {total.size} pixels are not finite"
        )
    # Only ratios matter: scaled, exactly, by a power of two, into the range of float32.
    total = np.ldexp(total, -int(np.frexp(np.abs(total).max())[1]))
    if sigma := _given(visualization.blur_sigma, "blur_sigma"):
        from scipy.ndimage import gaussian_filter

        total = gaussian_filter(total, sigma)
    return total.astype(np.float32)


def highlighted(signed: Array, visualization: Visualization) -> float:
    """Return the share of pixels that are drawn on, of a plane that `signed_plane` returned.

    For outlines that is the regions with their insides.
    """
    lower, _ = clip_thresholds(signed, visualization)
    if visualization.type is not VisualizationType.OUTLINES:
        strength = _strength(signed, visualization)
        return float(np.mean((strength >= lower) & (strength > 0)))
    drawn = np.zeros(signed.shape, bool)
    for sign, polarity in ((-1, Polarity.NEGATIVE), (1, Polarity.POSITIVE)):
        if visualization.polarity in (polarity, Polarity.BOTH):
            strength = np.maximum(sign * signed, 0)
            drawn |= _largest_regions((strength >= lower) & (strength > 0))
    return float(np.mean(drawn))


def _strength(signed: Array, visualization: Visualization) -> Array:
    match visualization.polarity:
        case Polarity.NEGATIVE:
            return np.asarray(np.maximum(-signed, 0))
        case Polarity.BOTH:
            return np.asarray(np.abs(signed))
        case _:
            return np.asarray(np.maximum(signed, 0))


def _painter(signed: Array, size: tuple[int, int], visualization: Visualization) -> Painter:
    lower, upper = clip_thresholds(signed, visualization)
    # "mask_black: The opacity … correspond to the intensity of the attributions", for any type.
    mask = visualization.overlay_type is OverlayType.MASK_BLACK
    if visualization.type is VisualizationType.OUTLINES and not mask:
        return _outlines(signed, size, lower, visualization)
    gradient = is_gradient(_given(visualization.color_map, "color_map"))
    faintest = 0.0 if mask or gradient else FAINTEST
    # "Start with no clip values for XRAI because the overlay uses a gradient": there zero, too, has
    # its colour, so that no holes are left.
    zero_shown = gradient and not mask and lower <= 0
    full = _resized(signed, size)
    span = upper - lower

    def paint(rows: slice) -> Array:
        part = full[rows]
        strength = _strength(part, visualization)
        shown = strength >= lower
        if not zero_shown:
            shown &= strength > 0
        if span > 0:
            ramp = np.clip((strength - np.float32(lower)) * np.float32(1 / span), 0, 1)
        else:
            ramp = np.ones_like(strength)
        level: Array = np.rint((ramp * (1 - faintest) + faintest) * LEVELS).astype(np.int16)
        if visualization.polarity is not Polarity.POSITIVE:
            np.negative(level, out=level, where=part < 0)
        level[~shown] = _NOT_SHOWN
        return level

    return paint


def _outlines(
    signed: Array, size: tuple[int, int], lower: float, visualization: Visualization
) -> Painter:
    """Return a painter of the borders of the largest regions, the insides half as strong.

    Regions are found at the attribution's resolution and then enlarged, so that a border is as wide
    on a large photo, seen whole, as on a small one.
    """
    from scipy.ndimage import binary_erosion

    layers = []
    for sign, polarity in ((-1, Polarity.NEGATIVE), (1, Polarity.POSITIVE)):
        if visualization.polarity in (polarity, Polarity.BOTH):
            strength = np.maximum(sign * signed, 0)
            regions = _largest_regions((strength >= lower) & (strength > 0))
            inside = binary_erosion(regions)
            layers.append((sign, _resized(regions, size), _resized(inside, size)))
    half = INSIDE if visualization.shade_within_outlines else 0.0
    shaded = np.int16(round(half * LEVELS))

    def paint(rows: slice) -> Array:
        level = np.full(layers[0][1][rows].shape, _NOT_SHOWN)
        for sign, regions, inside in layers:
            within = inside[rows] >= 0.5
            border = (regions[rows] >= 0.5) & ~within
            if shaded:
                # Where both signs are drawn, no inside hides a border.
                level[within & (np.abs(level) != LEVELS)] = sign * shaded
            level[border] = sign * LEVELS
        return level

    return paint


def _largest_regions(mask: Array) -> Array:
    """Return the largest 8-connected regions of a mask, their holes filled."""
    from scipy.ndimage import binary_fill_holes, label

    filled = binary_fill_holes(mask)
    labels, count = label(filled, structure=np.ones((3, 3)))
    if not count:
        return np.zeros(mask.shape, bool)
    areas = np.bincount(labels.ravel())[1:]
    order = np.argsort(-areas, kind="stable")
    reached = np.cumsum(areas[order])
    enough = int(np.searchsorted(reached, KEPT_AREA * reached[-1])) + 1
    keep = order[: min(enough, KEPT_REGIONS)] + 1
    return np.isin(labels, keep)


def _resized(plane: Array, size: tuple[int, int]) -> Array:
    """Return a plane at (width, height), bilinear, float32."""
    plane = np.asarray(plane, np.float32)
    if plane.shape == size[::-1]:
        return plane
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def _three_channels(image: Array) -> Array:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size:
        raise InstanceError(
            f"a picture to draw on must be uint8 [height, width, 3], got {image.dtype} "
            f"{list(image.shape)}"
        )
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.shape[2] not in (1, 3):
        raise InstanceError(f"a picture to draw on must have 1 or 3 channels, got {image.shape[2]}")
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _gray(image: Array) -> Array:
    """Return the mean of R, G and B, rounded, three times."""
    total = image.sum(axis=2, dtype=np.uint16)
    gray = ((total * 2 + 3) // 6).astype(np.uint8)
    return np.broadcast_to(gray[..., np.newaxis], image.shape)


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise SpecError(
            f"{name} is not set",
            where=Where(path="visualization"),
            hint="resolve the defaults first",
        )
    return value
