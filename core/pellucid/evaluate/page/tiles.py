"""Pictures that a click makes large, words on coloured ground, and bars: what pages are made of."""

from __future__ import annotations

import base64

import numpy as np

from pellucid.evaluate.page.markup import Markup, name_of, tag
from pellucid.model import Array

LONGEST, SMALL = 1024, 128
"""Pictures are made smaller from the first on; below the second they are kept to the bit."""
LEVELS = 5


def pressed(picture: Array, name: str, said: str, *, control: bool) -> Markup:
    """Return a picture that a click makes large."""
    height, width = picture.shape[:2]
    image = tag(
        "img", src=_data(picture), alt="", width=width, height=height, decoding="async",
        class_="tiny" if max(width, height) < SMALL else None,
    )  # fmt: skip
    return tag(
        "button", image, tag("b", name_of(name)), tag("small", said), type="button",
        class_="tile control" if control else "tile",
    )  # fmt: skip


def _data(picture: Array) -> str:
    """Return a picture as an address that holds it."""
    from PIL import Image

    from pellucid.visualize import encode

    if max(picture.shape[:2]) > LONGEST:
        image = Image.fromarray(np.ascontiguousarray(picture))
        image.thumbnail((LONGEST, LONGEST))
        picture = np.asarray(image)
    form = "png" if max(picture.shape[:2]) < SMALL else "jpeg"
    return f"data:image/{form};base64,{base64.b64encode(encode(picture, form)).decode()}"


def levels(values: Array) -> list[int]:
    """Return the strength of each element, from -LEVELS to LEVELS, by the largest of them."""
    largest = float(np.abs(values).max(initial=0)) or 1.0
    return [int(it) for it in np.rint(np.asarray(values, float) / largest * LEVELS)]


def ground(level: int) -> str | None:
    """Return the class of a word's ground, for or against."""
    return f"{'for' if level > 0 else 'against'}{abs(level)}" if level else None


def bar(share: float) -> Markup:
    """Draw a share of the largest attribution: for, to the right of the middle, or against."""
    width = round(40 * abs(share), 1)
    filled = tag(
        "rect", x=40 if share >= 0 else round(40 - width, 1), y=0, width=width, height=10,
        class_="more" if share >= 0 else "less",
    )  # fmt: skip
    axis = tag("line", x1=40, x2=40, y1=0, y2=10)
    return tag("svg", filled, axis, viewBox="0 0 80 10", class_="bar", aria_hidden="true")
