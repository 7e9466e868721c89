"""Files of pictures, opened and decoded: the one place where Pillow is handed what people send.

The formats are named at every opening. Pillow knows many more: it would start Ghostscript for an
EPS, whatever its name is, and its rarer decoders are hardly looked after.
"""

from __future__ import annotations

import ctypes
import warnings
from contextlib import suppress
from importlib.util import find_spec
from io import BytesIO
from os import PathLike

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from pellucid.errors import FOREIGN, InstanceError, OutOfMemoryError
from pellucid.files import open_file
from pellucid.metadata import range_text
from pellucid.model import Array
from pellucid.notices import Notice, Where

# The plug-in is younger than the oldest Pillow we take, and may be built without its library.
_AVIF = ("AVIF",) if find_spec("PIL.AvifImagePlugin") and features.check("avif") else ()
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", *_AVIF)
"""The formats that are read, as Pillow calls them."""

_NAMES = [{"WEBP": "WebP"}.get(name, name) for name in FORMATS]
NOT_READ = f"not a picture we read ({', '.join(_NAMES[:-1])} and {_NAMES[-1]} are)"

DEPTHS = "save it with 8 or 16 bits"
# Kinds of pictures that are not read: where in the file they say so, and how.
_KINDS = {
    "a HEIC picture": (4, b"ftyphei"),
    "a HEIF picture": (4, b"ftypmif1"),
    "an AVIF picture": (4, b"ftypavif"),
    "a JPEG XL picture": (0, b"\xff\x0a"),
    "an SVG drawing": (0, b"<svg"),
    "a DICOM file": (128, b"DICM"),
}

FRAME = 2**12
"""The pixels that a frame counts as at least, for the work that it is."""

_SEVERAL = ("GIF", "TIFF", "WEBP", "PNG", "AVIF")
"""The formats that can hold more than one picture."""


def _hush_libtiff() -> None:
    """Keep libtiff from writing on stderr what Pillow reports; it names no file.

    Where the library cannot be reached, it goes on to.
    """
    found = find_spec("PIL._imaging")
    with suppress(AttributeError, OSError):
        ctypes.CDLL(found.origin if found else None).TIFFSetErrorHandler(None)


_hush_libtiff()


def open_picture(picture: bytes | str | PathLike[str]) -> Image.Image:
    """Open a picture, a file's bytes or its path, without decoding it.

    Raises whatever Pillow does, and OSError.
    """
    file = BytesIO(picture) if isinstance(picture, bytes) else open_file(picture)
    try:
        return Image.open(file, formats=FORMATS)
    except BaseException:
        file.close()
        raise


def decode_picture(data: bytes, where: Where, *, upright: bool = True) -> Image.Image:
    """Return the picture in a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF file as 8-bit RGB.

    Of several frames the first is taken. EXIF orientation is applied if `upright`. Transparency is
    laid over white, palettes and CMYK are converted, 16-bit gray is divided by 257, floating-point
    gray scaled from the first of 0..1, -1..1, 0..255 and 0..65535 that holds it. Raises
    `InstanceError` with the place, whatever is wrong with the file.
    """
    if not data:
        raise InstanceError("the file is empty", where=where)
    try:
        # Filters are shared by threads, but the worst a race can do is leave these in place.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of damage that is survived
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = open_picture(data)
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
    except InstanceError:
        raise
    except MemoryError:
        raise OutOfMemoryError(where=where) from None
    except FOREIGN as error:
        reason = str(error) or type(error).__name__
        raise InstanceError(f"the picture is damaged ({reason})", where=where) from None


def picture_notes(data: bytes) -> tuple[Notice, ...]:
    """Return what there is to say of a picture's file: what was taken of it, and for what.

    The second frame is looked for, and no further: a file can have very many.
    """
    notes = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(data) as picture:
                if picture.format not in _SEVERAL:
                    return ()
                if picture.mode == "F":
                    span = range_text(*_range_of_floats(np.asarray(picture, np.float64)))
                    if span != "0..1":
                        notes.append(Notice(f"its floating-point values were read as {span}"))
                picture.seek(1)
                notes.append(Notice("the file holds several frames; the first was taken"))
    except FOREIGN:
        pass  # the first frame was read; what is wrong with the next does not matter
    return tuple(notes)


def pixels_of(data: bytes, most: int) -> int | None:
    """Return the pixels of a picture's frames, counted as far as `most`; None if nobody can tell.

    A frame is more work than its pixels, so that a small one counts as `FRAME`; to say how many
    there are, Pillow would look at every one. Raises Pillow's DecompressionBombError for a picture
    that is far too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(data) as picture:
                frame: int = picture.width * picture.height
                pixels, frames = frame, 1
                if picture.format in _SEVERAL:
                    with suppress(EOFError):
                        while pixels <= most:
                            picture.seek(frames)
                            frames += 1
                            pixels += max(frame, FRAME)
                return pixels
    except Image.DecompressionBombError:
        raise
    except FOREIGN:
        return None


def _unknown(data: bytes, where: Where) -> InstanceError:
    """Return the error for a file that is not read, by what it is if that shows."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        what = "a TIFF file whose values are of a type that cannot be read"
        return InstanceError(what, where=where, hint=DEPTHS)
    for kind, (place, mark) in _KINDS.items():
        if data[place : place + len(mark)] == mark:
            what = f"{kind} cannot be read"
            return InstanceError(what, where=where, hint="save it as PNG or JPEG")
    return InstanceError(NOT_READ, where=where)


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
    with np.errstate(invalid="ignore"):  # a NaN of a kind that signals, which is refused below
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
