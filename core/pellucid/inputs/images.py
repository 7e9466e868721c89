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
from pellucid.metadata import Domain, range_text
from pellucid.model import Array
from pellucid.notices import Notice, Where

# A vector shorter than this is taken for a row of a table, not for a flattened 8 x 8 picture.
SMALLEST_FLAT_PICTURE = 64

DEPTHS = "save it with 8 or 16 bits"
# Kinds of pictures that are not read: where in the file they say so, and how.
_FOREIGN = {
    "a HEIC picture": (4, b"ftyphei"),
    "a HEIF picture": (4, b"ftypmif1"),
    "an AVIF picture": (4, b"ftypavif"),
    "a JPEG XL picture": (0, b"\xff\x0a"),
    "an SVG drawing": (0, b"<svg"),
    "a DICOM file": (128, b"DICM"),
}

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


def decode_picture(data: bytes, where: Where, *, upright: bool = True) -> Image.Image:
    """Return the picture in a PNG, JPEG, BMP, GIF (first frame), WebP or TIFF file as 8-bit RGB.

    EXIF orientation is applied if `upright`. Transparency is laid over white, palettes and CMYK are
    converted, 16-bit gray is divided by 257, floating-point gray scaled from the first of 0..1,
    -1..1, 0..255 and 0..65535 that holds it. Raises `InstanceError` with the place.
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
        return _rgb(picture, where)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = Image.MAX_IMAGE_PIXELS or 0
        raise InstanceError(
            f"the picture has more than {limit:,} pixels", where=where, hint="make it smaller first"
        ) from None
    except UnidentifiedImageError:
        raise _unknown(data, where) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        raise InstanceError(f"the picture is damaged ({error})", where=where) from None


def _unknown(data: bytes, where: Where) -> InstanceError:
    """Return the error for a file that Pillow does not know, by what it is if that shows."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        what = "a TIFF file whose values are of a type that cannot be read"
        return InstanceError(what, where=where, hint=DEPTHS)
    for kind, (place, mark) in _FOREIGN.items():
        if data[place : place + len(mark)] == mark:
            what = f"{kind} cannot be read"
            return InstanceError(what, where=where, hint="save it as PNG or JPEG")
    what = "not a picture (PNG, JPEG, BMP, GIF, WebP and TIFF can be read)"
    return InstanceError(what, where=where)


def picture_notes(data: bytes) -> tuple[Notice, ...]:
    """Return what there is to say of a picture's file: what was taken of it, and for what.

    The second frame is looked for, and no further: a file can have very many.
    """
    notes = []
    try:
        with Image.open(BytesIO(data)) as picture:
            if picture.format not in ("GIF", "TIFF", "WEBP", "PNG"):
                return ()
            if picture.mode == "F":
                span = range_text(*_range_of_floats(np.asarray(picture, np.float64)))
                if span != "0..1":
                    notes.append(Notice(f"its floating-point values were read as {span}"))
            picture.seek(1)
            notes.append(Notice("the file holds several frames; the first was taken"))
    except (EOFError, OSError, SyntaxError, ValueError, struct.error):
        pass  # the first frame was read; what is wrong with the next does not matter
    return tuple(notes)


def _rgb(picture: Image.Image, where: Where) -> Image.Image:
    if picture.mode == "F" or picture.mode.startswith("I"):
        try:
            return Image.fromarray(_deep_gray(np.asarray(picture))).convert("RGB")
        except ValueError as error:
            raise InstanceError(str(error), where=where, hint=DEPTHS) from None
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _deep_gray(gray: Array) -> Array:
    """Return gray of more than 8 bits as uint8: integers are divided by 257."""
    values = gray.astype(np.float64)
    if gray.dtype.kind == "f":
        low, high = _range_of_floats(values)
    else:
        low, high = 0.0, 65535.0
        if values.min() < low or values.max() > high:
            raise ValueError(f"its gray values run {_from_to(values)}, and not within 0..65535")
    return np.rint((values - low) / (high - low) * 255).astype(np.uint8)


def _range_of_floats(values: Array) -> tuple[float, float]:
    """Return black and white of floating-point gray. Raises ValueError where nobody can tell."""
    if not np.isfinite(values).all():
        raise ValueError("its gray values are not all finite numbers")
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (0.0, 65535.0)):
        if low <= values.min() and values.max() <= high:
            return low, high
    usual = "0..1, -1..1, 0..255 or 0..65535"
    raise ValueError(f"its gray values run {_from_to(values)}, and not within {usual}")


def _from_to(values: Array) -> str:
    return f"from {values.min():.4g} to {values.max():.4g}"


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
