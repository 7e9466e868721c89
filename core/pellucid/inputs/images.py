"""Pictures to tensors and back: resizing in floating point, and the model's own scale.

A picture is decoded once, to 8-bit RGB at its own resolution; the tensor is made from that, and so
is the picture that attributions are drawn on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pellucid.errors import InstanceError, meant
from pellucid.inputs.input_info import InputInfo
from pellucid.metadata import Domain, InputSpec
from pellucid.model import Array
from pellucid.notices import Where

# A vector shorter than this is taken for a row of a table, not for a flattened 8 x 8 picture.
SMALLEST_FLAT_PICTURE = 64

# ITU-R 601-2, the weights of Pillow's own conversion to grayscale.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a tensor holds a picture: size (None: any), 1 or 3 channels, and their order."""

    height: int | None
    width: int | None
    channels: int
    channels_first: bool = False


def layout_of(
    shape: Sequence[int | None] | None, channels_first: bool | None = None
) -> Layout | None:
    """Return how an instance of this shape holds a picture, or None when it is no picture.

    Pictures are [h, w], [h, w, 1], [h, w, 3], [3, h, w], and vectors of s·s or 3·s·s numbers with
    s ≥ 8. Unknown rank is read as [h, w, 3], and so is what could be either, unless
    `channels_first` says otherwise.
    """
    if shape is None:
        return Layout(height=None, width=None, channels=3, channels_first=bool(channels_first))
    match tuple(shape):
        case ((1 | 3 | None) as channels, height, width) if channels_first:
            return Layout(height=height, width=width, channels=channels or 3, channels_first=True)
        case ((1 | 3) as channels, height, None) if channels_first is None:
            return Layout(height=height, width=None, channels=channels, channels_first=True)
        case (height, width, (1 | 3 | None) as channels):
            return Layout(height=height, width=width, channels=channels or 3)
        case ((1 | 3) as channels, height, width):
            return Layout(height=height, width=width, channels=channels, channels_first=True)
        case (height, width):
            return Layout(height=height, width=width, channels=1)
        case (int(length),):
            for depth in (1, 3):
                side = math.isqrt(length // depth)
                if length >= SMALLEST_FLAT_PICTURE and side * side * depth == length:
                    return Layout(height=side, width=side, channels=depth)
    return None


def to_tensor(picture: Image.Image, info: InputInfo) -> Array:
    """Return an RGB picture as what a numeric input wants, without the batch axis.

    Resized (bilinear, antialiased, in floating point) to the input's size, or at its own size where
    the input takes any; then scaled from v in [0, 1] to the domain:

    - ``minimum + v · (maximum − minimum)``, by default [0, 1] (integers: 0..255, int8: −128..127);
    - with `original_mean` and `original_stddev` only, ``(v − mean) / stddev``, where v is in [0, 1]
      if the mean is at most 1 and in [0, 255] otherwise.

    The channels are in the order, and on the axis, that the input's `pixel_layout` says.
    """
    shape = info.instance_shape
    layout = layout_of(shape, info.pixel_layout.channels_first)
    if layout is None or not (info.is_float or info.is_integer):
        raise InstanceError(f"input '{info.name}' is {info.wants}, which cannot hold a picture")
    size = (layout.width or picture.width, layout.height or picture.height)
    # One channel at a time: 8-bit results would be rounded, and mode F knows one channel only.
    planes = []
    for band in picture.split():
        plane = band.convert("F")
        if plane.size != size:
            plane = plane.resize(size, Image.Resampling.BILINEAR)
        planes.append(np.asarray(plane))
    if layout.channels == 1:
        # In float64: in float32 the weights add up to a little more than 1.
        gray = sum(w * p.astype(np.float64) for w, p in zip(_LUMA, planes, strict=True))
        pixels = np.asarray(gray)[..., np.newaxis]
    else:
        pixels = np.stack(planes, axis=-1).astype(np.float64)
    if info.pixel_layout.order == "bgr":
        pixels = pixels[..., ::-1]
    low, high = _range(info)
    values = low + pixels / 255 * (high - low)
    if info.is_integer:
        limits = np.iinfo(info.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    if layout.channels_first:
        values = values.transpose(2, 0, 1)
    values = np.ascontiguousarray(values, info.array_dtype)
    if shape is not None and len(shape) < 3:
        return values[..., 0] if len(shape) == 2 else values.ravel()
    return values


def _range(info: InputInfo) -> tuple[float, float]:
    """Return the values of black and white."""
    domain = info.domain
    if not info.is_integer:
        return (0.0, 1.0) if domain is None else domain.range
    low, high = (-128.0, 127.0) if info.dtype == "int8" else (0.0, 255.0)
    if domain is not None:
        low = low if domain.minimum is None else domain.minimum
        high = high if domain.maximum is None else domain.maximum
    return low, high


def to_picture(values: Array, info: InputInfo) -> Array:
    """Return a tensor that holds a picture as uint8 [h, w, 3] (gray is repeated).

    The inverse of `to_tensor`. Without a domain the values tell: within [0, 1], [−1, 1] or
    [0, 255] they are read on that scale, else stretched from their least to their greatest.
    Raises `InstanceError` for values that are not finite or not a picture.
    """
    values = np.asarray(values)
    layout = layout_of(values.shape, info.pixel_layout.channels_first)
    if layout is None or layout.height is None or layout.width is None:
        raise InstanceError(
            f"input '{info.name}': values of shape {list(values.shape)} are not a picture"
        )
    unit = _unit(values.astype(np.float64), info)
    if layout.channels_first:
        unit = unit.reshape(layout.channels, layout.height, layout.width).transpose(1, 2, 0)
    unit = unit.reshape(layout.height, layout.width, layout.channels)
    if info.pixel_layout.order == "bgr":
        unit = unit[..., ::-1]
    pixels = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def shown_picture(spec: InputSpec, tensor: Array) -> Array:
    """Return an explained tensor as the picture that it shows, uint8 [h, w, 3], as `to_picture`."""
    info = InputInfo(
        name=spec.name,
        dtype=tensor.dtype.name,
        shape=tensor.shape,
        domain=spec.domain,
        pixel_layout=spec.pixel_layout,
        batch=False,
    )
    return to_picture(tensor, info)


def _unit(values: Array, info: InputInfo) -> Array:
    if not np.isfinite(values).all():
        raise InstanceError(f"input '{info.name}': the picture has values that are not finite")
    domain = info.domain
    known = domain is not None and domain != Domain()
    if known or info.dtype in ("uint8", "int8"):
        low, high = _range(info)
    else:
        low, high = _range_seen(float(values.min(initial=0)), float(values.max(initial=0)))
    return np.asarray((values - low) / (high - low)) if high > low else np.zeros_like(values)


def _range_seen(least: float, greatest: float) -> tuple[float, float]:
    slack = 1e-3  # resampling and half precision overshoot a little
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if low - slack * high <= least and greatest <= high * (1 + slack):
            return low, high
    return least, greatest


def image_input_of(
    inputs: Sequence[InputInfo], chosen: str | None, where: Where = Where()
) -> InputInfo:
    """Return the input that takes the picture: the one chosen by name, or the only one that can."""
    by_name = {info.name: info for info in inputs}
    if chosen is not None:
        if chosen not in by_name:
            what, hint = f"the model has no input '{chosen}'", meant(chosen, list(by_name))
            raise InstanceError(what, where=where, hint=hint)
        return by_name[chosen]
    # From the surest to the least sure: pixels with channels, without, a file's bytes, a vector.
    for sure in (_has_channels, _is_plane, _takes_bytes, _takes_any_picture):
        found = [info for info in inputs if sure(info)]
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(f"'{info.name}'" for info in found)
            raise InstanceError(f"which input takes the picture, {names}?", where=where)
    wants = ", ".join(f"'{info.name}' is {info.wants}" for info in inputs)
    raise InstanceError(f"no input of the model takes a picture ({wants})", where=where)


def holds_picture(info: InputInfo) -> bool:
    """Whether an instance of an input can be a picture, by its shape."""
    return layout_of(info.instance_shape, info.pixel_layout.channels_first) is not None


def _takes_any_picture(info: InputInfo) -> bool:
    return (info.is_float or info.is_integer) and holds_picture(info)


def _has_channels(info: InputInfo) -> bool:
    return _takes_any_picture(info) and len(info.instance_shape or ()) == 3


def _is_plane(info: InputInfo) -> bool:
    return _takes_any_picture(info) and len(info.instance_shape or ()) == 2


def _takes_bytes(info: InputInfo) -> bool:
    return info.is_string and info.instance_shape in ((), (1,), (None,), None)
