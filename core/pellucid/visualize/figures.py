"""Files to look at: for one instance, everything that can be drawn of its explanations.

Pictures become overlays or panels, text becomes words on coloured ground, series become lines, and
everything else a chart; of one label, of several, or of several methods side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from pellucid.errors import InstanceError, PellucidError
from pellucid.explain import LabelAttribution, Results
from pellucid.files import DAMAGED
from pellucid.metadata import Polarity, Visualization
from pellucid.model import Array
from pellucid.notices import Where
from pellucid.visualize.animation import animated, sweep
from pellucid.visualize.grid import Cell, grid
from pellucid.visualize.image_overlays import Drawing, draw_explanation, marked
from pellucid.visualize.named_parts import Part, Text, parts, texts, wholes
from pellucid.visualize.panel import (
    encode,
    framed,
    method_text,
    number,
    subtitle_text,
    title_text,
)
from pellucid.visualize.series import SeriesDrawing, draw_series
from pellucid.visualize.text_highlight import Section, left_out, page, picture
from pellucid.visualize.waterfall import known_error, largest, waterfall

Chosen: TypeAlias = Mapping[str, tuple[str, ...]]

COLUMNS = 5
"""Labels in one row of a sheet, as on the page of KServe's explainer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How to look at explanations.

    `visualization` overrides settings of the metadata. `panel` puts overlays beside their
    originals; `labels` shows so many labels, each in a picture of its own, and `actual` is the
    right label, to be written there. `frames` are pictures for as many clip percentiles, one file
    if `animated`. `form` is ``png`` or ``jpeg``. With `errors`, what is smaller than twice its
    error fades in pictures.
    """

    visualization: Visualization = Visualization()
    panel: bool = False
    labels: int | None = None
    actual: str | None = None
    frames: int | None = None
    animated: bool = False
    form: str = "png"
    errors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to write: its name and its bytes; `note` is what people should know of it.

    `chosen` are the settings of its pictures that nobody wrote, as ``key=value``, by their titles.
    """

    name: str
    data: bytes
    note: str | None = None
    chosen: Chosen = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one method says of one label of one instance: title, and all that can be drawn."""

    explanations: Results
    number: int
    label: LabelAttribution

    @property
    def title(self) -> str:
        name = self.explanations.instances[self.number].id
        return f"{'' if name is None else f'{name}: '}{title_text(self.label)}"

    @property
    def method(self) -> str:
        return method_text(self.explanations.parameters.method, self.label)

    @property
    def subtitle(self) -> str:
        return subtitle_text(self.explanations.parameters.method, self.label)

    def drawings(self, view: View) -> dict[str, Drawing]:
        return draw_explanation(
            self.explanations,
            self.number,
            self.label,
            visualization=view.visualization,
            errors=view.errors,
        )

    def texts(self) -> list[Text]:
        given = self.explanations.instances[self.number].value
        return texts(self.explanations[self.number], self.label, self.explanations.metadata, given)

    def series(self) -> dict[str, SeriesDrawing]:
        return draw_series(self.explanations, self.number, self.label)

    def word_pictures(self) -> dict[str, Array]:
        """Return each text as a picture of its words on coloured ground, by feature."""
        return {
            it.feature: picture(Section(text=it, title=self.title, subtitle=self.subtitle))
            for it in self.texts()
        }

    def parts(self) -> list[Part]:
        return parts(self.explanations[self.number], self.label, self.explanations.metadata)

    def bars(self) -> list[Part]:
        """Return all parts, and each picture, text or series as a whole: what adds up."""
        explanation, metadata = self.explanations[self.number], self.explanations.metadata
        return [*self.parts(), *wholes(explanation, self.label, metadata)]

    def waterfall(self) -> Array:
        parts = self.bars()
        return waterfall(
            parts,
            title=self.title,
            subtitle="\n".join([self.method, self.label.quality, *self._whiskers(parts)]),
            baseline=self.label.baseline_score,
            score=self.label.score,
        )

    def _whiskers(self, parts: Sequence[Part]) -> list[str]:
        """Say what the whiskers of a chart are, where it has any."""
        if not any(known_error(part.error) for part in largest(parts)):
            return []
        sampled = self.explanations.parameters.method.sampled
        return [f"whiskers: {'standard error' if sampled else 'difference from fewer steps'}"]


def shown(
    sets: Sequence[Results], number: int, view: View, output: str | None = None
) -> list[Shown]:
    """Return what is looked at of an instance: its best label, several, or that of each method.

    They are those of one output, by default the first that was explained.
    """
    output = output or sets[0][number].labels[0].output
    if view.labels is not None:
        labels = sets[0][number].by_output[output]
        return [Shown(sets[0], number, label) for label in labels[: view.labels]]
    return [Shown(each, number, each[number].by_output[output][0]) for each in sets]


@contextmanager
def drawing_damaged(where: Where) -> Iterator[None]:
    """Say of what was saved that it is damaged, where it does not fit together to be drawn."""
    try:
        yield
    except DAMAGED as error:
        if isinstance(error, PellucidError):
            raise
        what = f"cannot be drawn, what was saved is damaged ({type(error).__name__}: {error})"
        raise InstanceError(what, where=where) from error


def files(sets: Sequence[Results], number: int, stem: str, view: View) -> Iterator[File]:
    """Yield what there is to see of an instance, the `number`-th of each of the `sets`.

    Several sets are those of several methods, which are shown side by side. `stem` begins the
    files' names; where several outputs were explained, the name of each comes next. Yields nothing
    for an explanation without anything to draw.
    """
    outputs = list(sets[0][number].by_output)
    for output in outputs:
        begin = f"{stem}.{_safe(output)}" if len(outputs) > 1 else stem
        yield from _of_one_output(sets, number, begin, view, output)


def _of_one_output(
    sets: Sequence[Results], number: int, stem: str, view: View, output: str
) -> Iterator[File]:
    first, *_ = several = shown(sets, number, view, output)
    images, written, has_parts = first.drawings(view), first.texts(), bool(first.parts())
    drawn = [one.series() for one in several]
    alone = len(images) + len(written) + len(drawn[0]) + has_parts == 1

    def name(feature: str, kind: str) -> str:
        return f"{stem}.{kind}" if alone else f"{stem}.{_safe(feature)}.{kind}"

    kind = "labels" if view.labels is not None else "compare" if len(sets) > 1 else None
    for feature, drawing in images.items():
        if kind is not None:
            extras = _labels if kind == "labels" else _methods
            made, said = extras(several, feature, view)
            yield _raster(name(feature, kind), made, view.form, chosen=said)
        else:
            if view.actual is not None:
                drawing = replace(drawing, title=f"{drawing.title}, actual {view.actual}")
            yield from _overlay(drawing, partial(name, feature), view)
    for i, text in enumerate(written):
        sections = [
            Section(text=one.texts()[i], title=one.title, subtitle=one.subtitle) for one in several
        ]
        pictures = [picture(section) for section in sections]
        stacked, note = _stacked(pictures, 1), left_out(text)
        yield _raster(name(text.feature, kind or "text"), stacked, view.form, note)
        html = page(sections).encode()
        yield File(name=name(text.feature, f"{kind or 'text'}.html"), data=html)
    for feature in drawn[0]:
        pictures = [each[feature].overlay for each in drawn]
        yield _raster(name(feature, kind or "series"), _stacked(pictures, 1), view.form)
    if has_parts:
        waterfalls = _stacked([one.waterfall() for one in several], 2)
        yield _raster(name("columns", kind or "chart"), waterfalls, view.form)


def _safe(name: str) -> str:
    """Return a name as a part of a file's."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _overlay(drawing: Drawing, name: Callable[[str], str], view: View) -> Iterator[File]:
    """Yield one picture, or, for a sweep, all its frames."""
    kind = "panel" if view.panel else "overlay"
    if view.frames is None:
        made = drawing.panel() if view.panel else drawing.overlay
        picked = drawing.settings_chosen
        said = {drawing.title: picked} if picked else {}
        yield _raster(name(kind), made, view.form, drawing.empty, chosen=said)
        return
    frames = []
    for level, each in sweep(drawing, view.frames):
        if view.panel:
            frames.append(each.panel(f"clip_below_percentile {level:g}"))
        else:
            frames.append(np.asarray(framed(each.overlay)) if view.animated else each.overlay)
    if view.animated:
        yield File(name=name(f"{kind}.gif"), data=animated(frames), note=drawing.empty)
        return
    digits = len(str(len(frames) - 1))
    for k, frame in enumerate(frames):
        yield _raster(name(f"{kind}.{k:0{digits}}"), frame, view.form, drawing.empty)


def _labels(shown: Sequence[Shown], feature: str, view: View) -> tuple[Array, Chosen]:
    """Return a picture for each label, in rows of five, as seen on the page of KServe's LIME."""
    cells, said = [], {}
    for one in shown:
        drawing = one.drawings(view)[feature]
        choice = one.explanations.parameters.method.shown_patches
        if choice is not None:
            drawing = marked(drawing, one.label, feature, choice, view.visualization)
        sign = {
            Polarity.POSITIVE: "Positive for",
            Polarity.NEGATIVE: "Negative for",
        }.get(drawing.visualization.polarity or Polarity.POSITIVE, "For and against")
        if drawing.said:
            said[drawing.title] = drawing.settings_chosen
        title = f"{sign} {one.label.called}"
        if view.actual is not None:
            title += f" Actual {view.actual}"
        lines = [f"score {number(one.label.score)}", *filter(None, [drawing.empty])]
        cells.append(Cell(picture=drawing.overlay, title=title, caption="\n".join(lines)))
    return grid(cells, columns=COLUMNS, subtitle=shown[0].method), said


def _methods(shown: Sequence[Shown], feature: str, view: View) -> tuple[Array, Chosen]:
    """Return the original and, beside it, the overlay of each method."""
    drawings = [one.drawings(view)[feature] for one in shown]
    cells = [Cell(picture=drawings[0].image, title="original")]
    for one, drawing in zip(shown, drawings, strict=True):
        name, _, rest = one.method.partition(", ")
        lines = [rest, one.label.quality, *filter(None, [drawing.empty])]
        if one.label.index != shown[0].label.index:
            lines.insert(0, one.title)
        cell = Cell(
            picture=drawing.overlay,
            title=name,
            caption="\n".join(lines),
            visualization=drawing.visualization,
        )
        cells.append(cell)
    said = {
        one.method: drawing.settings_chosen
        for one, drawing in zip(shown, drawings, strict=True)
        if drawing.said
    }
    return grid(cells, columns=len(cells), title=shown[0].title), said


def _stacked(pictures: Sequence[Array], columns: int) -> Array:
    if len(pictures) == 1:
        return pictures[0]
    return grid([Cell(picture=each, finished=True) for each in pictures], columns=columns)


def _raster(
    name: str, pixels: Array, form: str, note: str | None = None, chosen: Chosen | None = None
) -> File:
    suffix = "jpg" if form == "jpeg" else form
    data = encode(pixels, form)
    return File(name=f"{name}.{suffix}", data=data, note=note, chosen=chosen or {})
