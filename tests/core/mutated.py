"""Pictures of every format that Pillow writes, damaged by chance, for decoders to stumble over."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import numpy as np
from PIL import Image

KINDS: list[tuple[str, str, dict[str, object]]] = [
    ("PNG", "RGB", {}), ("PNG", "P", {}), ("PNG", "I;16", {}), ("PNG", "RGBA", {}),
    ("JPEG", "RGB", {}), ("JPEG", "CMYK", {"progressive": True}), ("BMP", "RGB", {}),
    ("BMP", "1", {}), ("GIF", "P", {}), ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}),
    ("TIFF", "RGB", {}), ("TIFF", "L", {"compression": "tiff_lzw"}), ("TIFF", "F", {}),
    ("TIFF", "RGB", {"compression": "jpeg"}), ("TIFF", "1", {"compression": "group4"}),
    ("DDS", "RGBA", {}), ("BLP", "P", {}), ("EPS", "RGB", {}), ("ICO", "RGBA", {}),
    ("PPM", "RGB", {}), ("PCX", "RGB", {}), ("TGA", "RGB", {}), ("SGI", "RGB", {}),
    ("JPEG2000", "RGB", {}), ("AVIF", "RGB", {}),
]  # fmt: skip
"""A format, a mode, and how it is written."""


def originals() -> list[tuple[str, bytes]]:
    """A small picture in each format that this Pillow writes, undamaged."""
    random_pixels = np.random.default_rng(4).integers(0, 255, (19, 23, 3), dtype=np.uint8)
    picture = Image.fromarray(random_pixels)
    found = []
    Image.init()
    for form, mode, options in KINDS:
        if form not in Image.SAVE:
            continue
        made = picture.convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)
        out = io.BytesIO()
        try:
            made.save(out, form, **options)
        except (OSError, KeyError, ValueError):  # this Pillow is built without its library
            continue
        found.append((f"{form} {mode}", out.getvalue()))
    return found


def mutated(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield damaged pictures: bytes changed, cut out, doubled and mixed, most near the beginning."""
    chance = random.Random(seed)
    whole = originals()
    for _ in range(count):
        form, data = chance.choice(whole)
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 6)):
            near = chance.random() < 0.7
            place = chance.randrange(min(len(damaged), 200) if near else len(damaged))
            match chance.randrange(5):
                case 0 | 1:
                    damaged[place] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
                case 2:
                    damaged[place : place + 4] = chance.randbytes(4)
                case 3:
                    del damaged[place : place + chance.randrange(1, 40)]
                case _:
                    part = damaged[place : place + chance.randrange(1, 40)]
                    damaged[place:place] = part
            damaged = damaged or bytearray(b"\0")
        yield form, bytes(damaged)
