"""An explanation as what a folder holds of it: a line of results, overlays, arrays.

A picture is drawn once at the model's size, for the line, and once at its own, for the folder; if
the two are the same picture, once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias

import numpy as np
from PIL import Image

from pellucid.api import Explanations
from pellucid.batch.items import Item
from pellucid.batch.records import Record
from pellucid.explain import LabelAttribution
from pellucid.model import Array
from pellucid.responses import encode, pack, response
from pellucid.visualize import Drawing
from pellucid.visualize import encode as encode_picture

THUMBNAIL = 256
"""The longer side of a thumbnail is at most so many pixels."""

LARGEST_MEAN = 1024
"""Features with more elements have no mean over the run."""

# What every browser shows; other pictures are copied as JPEG for the gallery.
_SHOWN_BY_BROWSERS = (".png", ".jpg", ".jpeg", ".jpe", ".gif", ".webp", ".bmp")


Drawn: TypeAlias = tuple[Drawing, tuple[bytes, str]]
"""A drawing, its overlay as the bytes of a file, and their form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to write of each explanation into the folder `out`, beside its line."""

    out: str
    overlays: bool = True
    gallery: bool = True
    raw: bool = False


def render(explanations: Explanations, items: Sequence[Item], wanted: Wanted) -> Iterator[Record]:
    """Yield the record of each explanation."""
    packed = _packed(explanations, items) if wanted.raw else {}
    for number, (explanation, item) in enumerate(zip(explanations, items, strict=True)):
        first = explanation.labels[0] if explanation.labels else None  # neighbours have none
        drawn: dict[str, Drawn] = {}

        def pictures(
            _: int,
            label: LabelAttribution,
            number: int = number,
            first: LabelAttribution | None = first,
            drawn: dict[str, Drawn] = drawn,
        ) -> dict[str, tuple[bytes, str]]:
            drawings = explanations.draw(number, label, own_size=False)
            encoded = {name: drawing.encoded() for name, drawing in drawings.items()}
            if label is first:
                drawn.update({name: (it, encoded[name]) for name, it in drawings.items()})
            return encoded

        body = response([explanation], explanations.metadata, pictures)
        instance = explanations.instances[number]
        line = {
            "instance": instance.value,
            "prediction": explanation.prediction,
            "explanation": body["explanations"][0],
        }
        files = list(packed.get(number, ()))
        shown: dict[str, object] = {}
        if wanted.overlays and drawn:
            own = _at_own_size(explanations, number, drawn, instance.image)
            made, shown = _pictures(own, item, wanted, of_file=instance.image is not None)
            files += made
        yield Record(
            name=item.name,
            result=encode(line, indent=False),
            files=tuple(files),
            shown={
                **shown,
                "label": first.name if first else None,
                "score": first.score if first else None,
                "approx_error": first.approx_error if first else None,
            },
            features={
                name: value
                for name, value in (first.features.items() if first else ())
                if value.size <= LARGEST_MEAN
            },
            warned=bool(explanation.warnings),
        )


def _at_own_size(
    explanations: Explanations,
    number: int,
    drawn: dict[str, Drawn],
    photo: Image.Image | None,
) -> dict[str, Drawn]:
    if photo is None:
        return drawn
    pixels = np.asarray(photo)
    if all(np.array_equal(pixels, drawing.image) for drawing, _ in drawn.values()):
        return drawn
    drawings = explanations.draw(number)
    return {name: (drawing, drawing.encoded()) for name, drawing in drawings.items()}


def _pictures(
    drawings: dict[str, Drawn], item: Item, wanted: Wanted, *, of_file: bool
) -> tuple[list[tuple[str, bytes]], dict[str, object]]:
    """Return the pictures of one explanation, and which of them the gallery shows."""
    files = []
    shown: dict[str, object] = {}
    for feature, (drawing, (data, form)) in drawings.items():
        place = item.place if len(drawings) == 1 else f"{item.place}.{feature.replace('/', '_')}"
        overlay = f"overlays/{place}.{'jpg' if form == 'jpeg' else form}"
        files.append((overlay, data))
        if shown or not wanted.gallery:
            continue
        shown = {"overlay": overlay, "thumbnail": overlay}
        if max(drawing.overlay.shape[:2]) > THUMBNAIL:
            shown["thumbnail"] = f"thumbnails/{place}.jpg"
            files.append((f"thumbnails/{place}.jpg", _thumbnail(drawing.overlay)))
        if of_file and _is_shown_by_browsers(item.path):
            shown["original"] = os.path.relpath(item.path, wanted.out).replace(os.sep, "/")
        else:
            shown["original"] = f"originals/{place}.jpg"
            files.append((f"originals/{place}.jpg", encode_picture(drawing.image, "jpeg")))
    return files, shown


def _is_shown_by_browsers(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # what we keep is UTF-8, and cannot name it
        return False
    return os.path.splitext(path)[1].lower() in _SHOWN_BY_BROWSERS


def _thumbnail(overlay: Array) -> bytes:
    picture = Image.fromarray(overlay)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def _packed(
    explanations: Explanations, items: Sequence[Item]
) -> dict[int, list[tuple[str, bytes]]]:
    """Return the arrays: a file for each picture, and one for all rows of a file in the block."""
    groups: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        groups.setdefault(item.path, []).append(number)
    packed = {}
    for numbers in groups.values():
        first, last = items[numbers[0]], items[numbers[-1]]
        place = first.place
        if first.kind != "picture":
            place = place.removesuffix(f".{first.index}") + f".{first.index}-{last.index}"
        part = Explanations(
            tuple(explanations[i] for i in numbers),
            tuple(explanations.instances[i] for i in numbers),
            explanations.metadata,
            explanations.parameters,
        )
        packed[numbers[0]] = [(f"attributions/{place}.npz", pack(part))]
    return packed
