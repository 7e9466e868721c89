"""Pictures to tensors and back: decoding, resizing in floating point, and the model's own scale.

A picture is decoded once, to 8-bit RGB at its own resolution; the tensor is made from that, and so
is the picture that attributions are drawn on.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pellucid.errors import InstanceError, meant
from pellucid.inputs.tensors import InputInfo
from pellucid.metadata import Domain
from pellucid.model import Array
from pellucid.notices import Notice, Where

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


def layout_of(shape: Sequence[int | None] | None) -> Layout | None:
    """Return how an instance of this shape holds a picture, or None when it is no picture.

    Pictures are [h, w], [h, w, 1], [h, w, 3], [3, h, w], and vectors of s·s or 3·s·s numbers with
    s ≥ 8. Unknown rank is read as [h, w, 3].
    """
    if shape is None:
        return Layout(height=None, width=None, channels=3)
    match tuple(shape):
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


def decode_picture(data: bytes, where: Where, *, upright: bool = True) -> Image.Image:
    """Return the picture in a PNG, JPEG, BMP, GIF (first frame), WebP or TIFF file as 8-bit RGB.

    EXIF orientation is applied if `upright`. Transparency is laid over white, palettes and CMYK are
    converted, 16-bit gray is divided by 257. Raises `InstanceError` with the place.
    """
    if not data:
        raise InstanceError("the file is empty", where=where)
    try:
        # Filters are shared by threads, but the worst a race can do is leave this one in place.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(BytesIO(data))
        picture.load()
        if upright:
            picture = ImageOps.exif_transpose(picture)
        return _rgb(picture)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = Image.MAX_IMAGE_PIXELS or 0
        raise InstanceError(
            f"the picture has more than {limit:,} pixels", where=where, hint="make it smaller first"
        ) from None
    except UnidentifiedImageError:
        raise InstanceError(
            "not a picture (PNG, JPEG, BMP, GIF, WebP and TIFF can be read)", where=where
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        raise InstanceError(f"the picture is damaged ({error})", where=where) from None


def frame_notes(data: bytes) -> tuple[Notice, ...]:
    """Return what there is to say of a file that holds more than one picture: a sentence, or none.

    The second frame is looked for, and no further: a file can have very many.
    """
    try:
        with Image.open(BytesIO(data)) as picture:
            if picture.format not in ("GIF", "TIFF", "WEBP", "PNG"):
                return ()
            picture.seek(1)
    except EOFError:
        return ()
    except (OSError, SyntaxError, ValueError, struct.error):
        return ()  # the first frame was read; what is wrong with the next does not matter
    return (Notice("the file holds several frames; the first was taken"),)


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "F" or picture.mode.startswith("I"):
        return Image.fromarray(_deep_gray(np.asarray(picture))).convert("RGB")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _deep_gray(gray: Array) -> Array:
    """Return gray of more than 8 bits as uint8: 0..65535 is divided by 257, 0..1 times 255."""
    values = gray.astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
        raise ValueError("its gray values are not in 0 to 65535")
    if gray.dtype.kind == "f":
        scale = 255.0 if values.max() <= 1 else 1.0 if values.max() <= 255 else 1 / 257
    else:
        scale = 1 / 257
    return np.rint(values * scale).astype(np.uint8)


def to_tensor(picture: Image.Image, info: InputInfo) -> Array:
    """Return an RGB picture as what a numeric input wants, without the batch axis.

    Resized (bilinear, antialiased, in floating point) to the input's size, or at its own size where
    the input takes any; then scaled from v in [0, 1] to the domain:

    - ``minimum + v · (maximum − minimum)``, by default [0, 1] (integers: 0..255, int8: −128..127);
    - with `original_mean` and `original_stddev` only, ``(v − mean) / stddev``, where v is in [0, 1]
      if the mean is at most 1 and in [0, 255] otherwise.
    """
    shape = info.instance_shape
    layout = layout_of(shape)
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
    values = _scaled(pixels / 255, info)
    if info.is_integer:
        limits = np.iinfo(info.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    if layout.channels_first:
        values = values.transpose(2, 0, 1)
    values = np.ascontiguousarray(values, info.array_dtype)
    if shape is not None and len(shape) < 3:
        return values[..., 0] if len(shape) == 2 else values.ravel()
    return values


def _scaled(unit: Array, info: InputInfo) -> Array:
    standard = _standardization(info.domain)
    if standard is not None and info.is_float:
        mean, stddev, top = standard
        return (unit * top - mean) / stddev
    low, high = _range(info)
    return low + unit * (high - low)


def _range(info: InputInfo) -> tuple[float, float]:
    """Return the values of black and white."""
    low, high = 0.0, 1.0
    if info.is_integer:
        low, high = (-128.0, 127.0) if info.dtype == "int8" else (0.0, 255.0)
    domain = info.domain
    if domain is not None:
        low = low if domain.minimum is None else domain.minimum
        high = high if domain.maximum is None else domain.maximum
    return low, high


def _standardization(domain: Domain | None) -> tuple[float, float, float] | None:
    """Return (mean, stddev, the value of white before standardizing), if that is the domain."""
    if domain is None or domain.minimum is not None or domain.maximum is not None:
        return None
    mean, stddev = domain.original_mean, domain.original_stddev
    if mean is None and stddev is None:
        return None
    reference = mean if mean is not None else stddev
    top = 1.0 if reference is not None and abs(reference) <= 1 else 255.0
    return mean or 0.0, stddev or 1.0, top


def to_picture(values: Array, info: InputInfo) -> Array:
    """Return a tensor that holds a picture as uint8 [h, w, 3] (gray is repeated).

    The inverse of `to_tensor`. Without a domain the values tell: within [0, 1], [−1, 1] or
    [0, 255] they are read on that scale, else stretched from their least to their greatest.
    Raises `InstanceError` for values that are not finite or not a picture.
    """
    values = np.asarray(values)
    layout = layout_of(values.shape)
    if layout is None or layout.height is None or layout.width is None:
        raise InstanceError(
            f"input '{info.name}': values of shape {list(values.shape)} are not a picture"
        )
    unit = _unit(values.astype(np.float64), info)
    if layout.channels_first:
        unit = unit.reshape(layout.channels, layout.height, layout.width).transpose(1, 2, 0)
    unit = unit.reshape(layout.height, layout.width, layout.channels)
    pixels = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _unit(values: Array, info: InputInfo) -> Array:
    if not np.isfinite(values).all():
        raise InstanceError(f"input '{info.name}': the picture has values that are not finite")
    standard = _standardization(info.domain)
    if standard is not None and info.is_float:
        mean, stddev, top = standard
        return np.asarray((values * stddev + mean) / top)
    domain = info.domain
    known = domain is not None and (domain.minimum is not None or domain.maximum is not None)
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


def _takes_any_picture(info: InputInfo) -> bool:
    return (info.is_float or info.is_integer) and layout_of(info.instance_shape) is not None


def _has_channels(info: InputInfo) -> bool:
    return _takes_any_picture(info) and len(info.instance_shape or ()) == 3


def _is_plane(info: InputInfo) -> bool:
    return _takes_any_picture(info) and len(info.instance_shape or ()) == 2


def _takes_bytes(info: InputInfo) -> bool:
    return info.is_string and info.instance_shape in ((), (1,), (None,), None)
