"""An explanation as what a folder holds of it: a line of results, overlays, arrays.

A picture is drawn once at the model's size, for the line, and once at its own, for the folder; if
the two are the same picture, once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from PIL import Image

from pellucid.api import Explanations
from pellucid.batch.items import Item
from pellucid.batch.records import Record, Said
from pellucid.batch.truth import Truth, Verdict
from pellucid.errors import FOREIGN, PellucidError
from pellucid.explain import Explanation, LabelAttribution
from pellucid.files import fitting, shown
from pellucid.gallery import LEADING, Leading, brief
from pellucid.inputs import Instance
from pellucid.model import Array, TensorsOfRow
from pellucid.notices import Notice
from pellucid.remote import address_of
from pellucid.responses import (
    Features,
    RowTexts,
    TableForm,
    encode,
    predictions,
    response,
    tidy_groups,
)
from pellucid.visualize import (
    SMALL,
    Counted,
    Drawing,
    Shown,
    Spots,
    class_key,
    counted,
    draw_series,
    file_of,
    map_of,
    spots,
)
from pellucid.visualize import encode as encode_picture

THUMBNAIL = 256
"""The longer side of a thumbnail is at most so many pixels."""

# What every browser shows; other pictures are copied as JPEG for the gallery.
_SHOWN_BY_BROWSERS = (".png", ".jpg", ".jpeg", ".jpe", ".gif", ".webp", ".bmp")


Drawn: TypeAlias = tuple[Drawing, tuple[bytes, str]]
"""A drawing, its overlay as the bytes of a file, and their form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to write of each explanation into the folder `out`, beside its line.

    `overlay_format`, ``png`` or ``jpeg``, goes before that of the metadata. `table` is the form of
    the table of all of them, and `kept_columns` are those of the inputs that it keeps; `truth` is
    where the true labels are.
    """

    out: str
    overlays: bool = True
    gallery: bool = True
    raw: bool = False
    overlay_format: str | None = None
    table: TableForm | None = None
    kept_columns: tuple[str, ...] = ()
    truth: Truth | None = None


def render(
    explanations: Explanations,
    items: Sequence[Item],
    wanted: Wanted,
    verdicts: Sequence[Verdict | None],
) -> Iterator[Record]:
    """Yield the record of each explanation; one whose files cannot be made has failed.

    A verdict says what the instance is, if that is known. Raises MemoryError.
    """
    packed = _packed(explanations, items) if wanted.raw else {}
    texts = RowTexts()
    for number, (item, verdict) in enumerate(zip(items, verdicts, strict=True)):
        try:
            arrays = packed.get(number, [])
            yield _record(explanations, number, item, wanted, arrays, verdict, texts.of)
        except MemoryError:
            raise
        except PellucidError as error:
            yield Record.failed(item.name, error.at(item.where).notice)
        except FOREIGN as error:
            what = f"its pictures cannot be made ({type(error).__name__}: {error})"
            yield Record.failed(item.name, Notice(what, item.where))


def _record(
    explanations: Explanations,
    number: int,
    item: Item,
    wanted: Wanted,
    arrays: Sequence[tuple[str, bytes]],
    verdict: Verdict | None,
    features: Features,
) -> Record:
    explanation, instance, name = explanations[number], explanations.instances[number], item.name
    metadata = explanations.metadata
    first = explanation.labels[0] if explanation.labels else None  # neighbours have none
    best = _best(explanation)
    drawn: dict[str, Drawn] = {}
    pictures: dict[int, dict[str, tuple[bytes, str]]] = {}
    for label in () if explanation.tabular else explanation.labels:
        each = _encoded(explanations.draw(number, label, own_size=False))
        pictures[id(label)] = {feature: data for feature, (_, data) in each.items()}
        for output, one in best.items():
            drawn |= {f"{output}{name}": it for name, it in each.items() if label is one}
    body = response(
        [explanation], metadata, lambda _, it: pictures.get(id(it), {}), features=features
    )
    line = {
        **_beside(instance),
        "instance": instance.value,
        "prediction": predictions([explanation.answer])[0],
        "explanation": body["explanations"][0],
    }
    made = _overlays(explanations, number, best, drawn, item, wanted)
    line |= {"overlays": made.overlays} if made.overlays else {}
    result = encode(line, indent=False)
    return Record(
        name=name,
        result=result,
        table=b"" if wanted.table is None else _rows(explanations, number, name, wanted, verdict),
        files=(*arrays, *made.files),
        shown=_shown(made, first, verdict) | _brief(explanation, line, len(result), wanted),
        verdict=verdict,
        maps=map_of(explanation, metadata),
        number=f"{item.number}",
        counted=_counted(explanations, number),
        sampled=_sampled(explanations, number, item),
        warned=len(explanation.warnings) > len(explanation.general),
        pixels=explanation.pixels,
        held=explanation.held,
        said=tuple(Said(message=it, warning=True) for it in explanation.general),
    )


def _best(explanation: Explanation) -> dict[str, LabelAttribution]:
    """Return what is drawn: of several outputs each has its pictures, named after it."""
    outputs = {} if explanation.tabular else explanation.by_output
    return {f"{it}." if len(outputs) > 1 else "": labels[0] for it, labels in outputs.items()}


def _shown(
    made: _Pictures, first: LabelAttribution | None, verdict: Verdict | None
) -> dict[str, object]:
    return {
        **made.shown,
        "label": first.name if first else None,
        "score": first.score if first else None,
        "approx_error": first.approx_error if first else None,
        **({"truth": verdict.truth, "predicted": verdict.label} if verdict else {}),
    }


def _brief(
    explanation: Explanation, line: Mapping[str, object], size: int, wanted: Wanted
) -> dict[str, object]:
    """Return what a full page of the gallery has of a row of many columns."""
    if not explanation.tabular or not wanted.gallery or len(explanation.labels) != 1:
        return {}
    features = explanation.labels[0].features
    if not isinstance(features, TensorsOfRow) or features.arrays.order is None:
        return {}
    rows, row = features.arrays, features.row
    assert rows.order is not None and rows.joined is not None
    places = rows.order[row, :LEADING]
    values = np.asarray(rows.joined[places, row], np.float64).tolist()
    leading = {rows.names[at]: it for at, it in zip(places.tolist(), values, strict=True)}
    found = brief(line, Leading(len(rows), leading), size)
    return {} if found is None else {"brief": found.decode()}


def _beside(instance: Instance) -> dict[str, object]:
    """Return what stands beside the inputs of an instance: its id, and columns that were kept."""
    named = {} if instance.id is None else {"id": instance.id}
    return {**named, **({"columns": dict(instance.columns)} if instance.columns else {})}


def _rows(
    explanations: Explanations,
    number: int,
    name: str,
    wanted: Wanted,
    verdict: Verdict | None,
) -> bytes:
    """Return the rows that an explanation has in the table, a line for each label."""
    truth = () if verdict is None else (verdict.truth,)
    groups = tidy_groups(explanations, number, name, wanted.kept_columns, truth)
    return b"".join(encode(group, indent=False) for group in groups)


def _counted(explanations: Explanations, number: int) -> tuple[Counted, ...]:
    explanation, given = explanations[number], explanations.instances[number].value
    return tuple(
        counted(explanation, label, explanations.metadata, given) for label in explanation.labels
    )


def _sampled(explanations: Explanations, number: int, item: Item) -> dict[str, dict[str, Spots]]:
    """Return what is drawn of an item point by point, under its number, which it is drawn by."""
    if not item.drawn:
        return {}
    explanation, metadata = explanations[number], explanations.metadata
    found = {class_key(it): spots(explanation, it, metadata) for it in explanation.labels}
    return {f"{item.number}": found}


def _encoded(drawings: Mapping[str, Drawing]) -> dict[str, Drawn]:
    return {feature: (drawing, drawing.encoded()) for feature, drawing in drawings.items()}


def _at_own_size(
    explanations: Explanations,
    number: int,
    best: Mapping[str, LabelAttribution],
    drawn: dict[str, Drawn],
    photo: Image.Image | None,
    wanted: Wanted,
) -> dict[str, Drawn]:
    """Return the drawings for people: at the photo's own size, small ones magnified; and series."""
    sizes = {drawing.image.shape[:2] for drawing, _ in drawn.values()}
    same = photo is None or all(
        np.array_equal(np.asarray(photo), drawing.image) for drawing, _ in drawn.values()
    )
    if drawn and (not same or any(max(size) < SMALL for size in sizes)):
        drawings = {
            f"{output}{name}": drawing
            for output, label in best.items()
            for name, drawing in explanations.draw(number, label).items()
        }
    else:
        drawings = {name: drawing for name, (drawing, _) in drawn.items()}
        for output, label in best.items():
            series = draw_series(explanations, number, label)
            drawings |= {f"{output}{name}": drawing for name, drawing in series.items()}
    return {
        name: (drawing, drawing.as_file(wanted.overlay_format))
        for name, drawing in drawings.items()
    }


@dataclass(slots=True)
class _Pictures:
    """The pictures of one explanation: their files, the overlay of each feature, and those shown.

    All are paths below the folder that is written; `shown` is what the gallery has of them.
    """

    files: list[tuple[str, bytes]] = field(default_factory=list)
    overlays: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)


def _overlays(
    explanations: Explanations,
    number: int,
    best: Mapping[str, LabelAttribution],
    drawn: dict[str, Drawn],
    item: Item,
    wanted: Wanted,
) -> _Pictures:
    """Return what is drawn of an explanation for people, if wanted: pictures, series, and words."""
    if not wanted.overlays or explanations[number].tabular:
        return _Pictures()
    photo = explanations.instances[number].image
    own = _at_own_size(explanations, number, best, drawn, photo, wanted)
    made = _pictures(own, item, wanted, of_file=photo is not None)
    words = {
        f"{output}{name}": picture
        for output, label in best.items()
        for name, picture in Shown(explanations, number, label).word_pictures().items()
    }
    _add_words(made, words, item, wanted)
    return made


def _pictures(
    drawings: Mapping[str, Drawn], item: Item, wanted: Wanted, *, of_file: bool
) -> _Pictures:
    made = _Pictures()
    places = feature_places(item.place, list(drawings))
    for feature, (drawing, (data, form)) in drawings.items():
        place = places[feature]
        overlay = f"overlays/{place}.{'jpg' if form == 'jpeg' else form}"
        made.overlays[feature] = overlay
        made.files.append((overlay, data))
        if made.shown or not wanted.gallery:
            continue
        made.shown = {"overlay": overlay, "thumbnail": overlay}
        if max(drawing.overlay.shape[:2]) > THUMBNAIL:
            made.shown["thumbnail"] = f"thumbnails/{place}.jpg"
            made.files.append((f"thumbnails/{place}.jpg", _thumbnail(drawing.overlay)))
        here = address_of(item.path) is None and address_of(wanted.out) is None
        if of_file and here and _is_shown_by_browsers(item.path):
            original = os.path.relpath(item.path, wanted.out).replace(os.sep, "/")
        else:
            original = f"originals/{place}.jpg"
            made.files.append((original, encode_picture(drawing.image, "jpeg")))
        made.shown["original"] = original
    return made


def _add_words(made: _Pictures, words: Mapping[str, Array], item: Item, wanted: Wanted) -> None:
    """Add pictures of texts, for the gallery as well unless that shows another one."""
    for feature, place in feature_places(item.place, list(words)).items():
        overlay, picture = f"overlays/{place}.text.png", words[feature]
        made.overlays[feature] = overlay
        made.files.append((overlay, encode_picture(picture, "png")))
        if wanted.gallery and not made.shown:
            thumbnail = f"thumbnails/{place}.text.jpg"
            made.files.append((thumbnail, _thumbnail(picture)))
            made.shown = {"overlay": overlay, "thumbnail": thumbnail}


def feature_places(place: str, features: Sequence[str]) -> dict[str, str]:
    """Return where the pictures of each feature go: where the input's do, if there is only one.

    What a path cannot hold is written otherwise; two features never have the same place.
    """
    if len(features) == 1:
        return {features[0]: place}
    folder, slash, name = place.rpartition("/")
    places: dict[str, str] = {}
    for number, feature in enumerate(features):
        found = fitting(f"{name}.{shown(feature).replace('/', '_')}")
        if found in places.values():
            found = fitting(f"{found}~{number}")
        places[feature] = found
    return {feature: f"{folder}{slash}{found}" for feature, found in places.items()}


def _is_shown_by_browsers(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # what we keep is UTF-8, and cannot name it
        return False
    return os.path.splitext(path)[1].lower() in _SHOWN_BY_BROWSERS


def _thumbnail(overlay: Array) -> bytes:
    picture = Image.fromarray(overlay)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return file_of(picture, "JPEG", quality=85)


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
        part = replace(
            explanations,
            items=tuple(explanations[i] for i in numbers),
            instances=tuple(explanations.instances[i] for i in numbers),
        )
        packed[numbers[0]] = [(f"attributions/{place}.npz", part.pack())]
    return packed
