"""Files of pictures, opened and decoded: the one place where Pillow is handed what people send.

The formats are named at every opening. Pillow knows many more: it would start Ghostscript for an
EPS, whatever its name is, and its rarer decoders are hardly looked after.
"""

from __future__ import annotations

import math
import warnings
from importlib.util import find_spec
from io import BytesIO
from os import PathLike

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from pellucid.errors import FOREIGN, InstanceError, OutOfMemoryError
from pellucid.files import open_file
from pellucid.model import Array
from pellucid.notices import Notice, Where

# The plug-in is younger than the oldest Pillow we take, and may be built without its library.
_AVIF = ("AVIF",) if find_spec("PIL.AvifImagePlugin") and features.check("avif") else ()
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", *_AVIF)
"""The formats that are read, as Pillow calls them."""

_NAMES = [{"WEBP": "WebP"}.get(name, name) for name in FORMATS]
NOT_READ = f"not a picture we read ({', '.join(_NAMES[:-1])} and {_NAMES[-1]} are)"

_SEVERAL = ("GIF", "TIFF", "WEBP", "PNG", "AVIF")
"""The formats that can hold more than one picture."""


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
    laid over white, palettes and CMYK are converted, 16-bit gray is divided by 257. Raises
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
            return _rgb(picture)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = Image.MAX_IMAGE_PIXELS or 0
        raise InstanceError(
            f"the picture has more than {limit:,} pixels", where=where, hint="make it smaller first"
        ) from None
    except UnidentifiedImageError:
        raise InstanceError(NOT_READ, where=where) from None
    except MemoryError:
        raise OutOfMemoryError(where=where) from None
    except FOREIGN as error:
        reason = str(error) or type(error).__name__
        raise InstanceError(f"the picture is damaged ({reason})", where=where) from None


def frame_notes(data: bytes) -> tuple[Notice, ...]:
    """Return what there is to say of a file that holds more than one picture: a sentence, or none.

    The second frame is looked for, and no further: a file can have very many.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(data) as picture:
                if picture.format not in _SEVERAL:
                    return ()
                picture.seek(1)
    except FOREIGN:
        return ()  # the first frame was read; what is wrong with the next does not matter
    return (Notice("the file holds several frames; the first was taken"),)


def pixels_of(data: bytes) -> int | None:
    """Return how many pixels a picture has, over all its frames; None where nobody can tell.

    Raises Pillow's DecompressionBombError for a picture that is far too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(data) as picture:
                return int(getattr(picture, "n_frames", 1) * math.prod(picture.size))
    except Image.DecompressionBombError:
        raise
    except FOREIGN:
        return None


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
