"""The image features of an explanation, drawn: which attribution goes over which picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pellucid.explain import Explanation, LabelAttribution, Results
from pellucid.inputs import shown_picture
from pellucid.metadata import (
    ColorMap,
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Modality,
    OutputFormat,
    OverlayType,
    PatchChoice,
    Polarity,
    Visualization,
    VisualizationType,
    is_channels_first,
)
from pellucid.methods import lime
from pellucid.model import Array
from pellucid.visualize.overlay import draw, shows_nothing, unknown_plane
from pellucid.visualize.panel import encode, panel, subtitle_text, title_text
from pellucid.visualize.readable import chosen, is_unwritten, words

SMALL = 224
"""A picture whose longer side has fewer pixels is magnified for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture, its overlay (both uint8 [h, w, 3]) and the settings it was drawn with.

    `attribution` is [h, w] or [h, w, c], the model's size. `empty` says why nothing is shown, where
    nothing of the attribution has the polarity that was asked for; `chosen` are the settings that
    nobody wrote, see `readable`. `unknown` tells where the attribution is smaller than twice its
    error, [h, w], if that is to be seen.
    """

    image: Array
    overlay: Array
    attribution: Array
    visualization: Visualization
    title: str
    subtitle: str
    empty: str | None = None
    chosen: Visualization | None = None
    written_format: OutputFormat | None = None
    unknown: Array | None = None

    def __repr__(self) -> str:
        height, width = self.overlay.shape[:2]
        return f"Drawing({self.title!r}, {width}×{height} pixels)"

    def _repr_png_(self) -> bytes:
        return encode(self.overlay, "png")

    @property
    def settings_chosen(self) -> tuple[str, ...]:
        """The settings that nobody wrote and were chosen for this picture, as ``key=value``."""
        return () if self.chosen is None else tuple(words(self.chosen))

    @property
    def said(self) -> str | None:
        """The same in one line, None where everything was written."""
        return " ".join(self.settings_chosen) or None

    def as_file(self, form: str | None = None) -> tuple[bytes, str]:
        """Return the overlay for people, and its form: PNG unless JPEG is asked for or written."""
        form = form or (self.written_format or OutputFormat.PNG).value
        return encode(self.overlay, form), form

    def encoded(self) -> tuple[bytes, str]:
        """Return the overlay as a response has it, and its form, ``jpeg`` or ``png``."""
        form = (self.visualization.output_format or OutputFormat.JPEG).value
        return encode(self.overlay, form), form

    def panel(self, note: str = "") -> Array:
        """Return original and overlay side by side, with title, method, error and colour bar."""
        picked = f"chosen for this picture: {self.said}" if self.said else None
        hidden = self.unknown is not None and self.unknown.any()
        faded = "faded: smaller than twice its error" if hidden else None
        lines = [self.subtitle, *filter(None, [note, self.empty, picked, faded])]
        return panel(
            self.image,
            self.overlay,
            title=self.title,
            subtitle="\n".join(lines),
            visualization=self.visualization,
        )

    def again(self, visualization: Visualization) -> Drawing:
        """Return the same attribution drawn with what `visualization` sets in place of its own."""
        settings = self.visualization.updated(visualization)
        return replace(
            self,
            chosen=None,
            overlay=draw(self.attribution, self.image, settings, unknown=self.unknown),
            visualization=settings,
            empty=_empty(self.attribution, settings),
        )


def draw_images(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    parameters: ExplanationParameters,
    *,
    photo: Image.Image | None = None,
    visualization: Visualization = Visualization(),
    enlarge: bool = False,
    errors: bool = False,
) -> dict[str, Drawing]:
    """Return a drawing for each feature with ``modality: image``, under the feature's name.

    `visualization` overrides settings of the metadata. The picture below is `photo` at its own
    resolution if it is given, else the explained tensor itself, brought back from the model's scale
    by the domain; with `enlarge`, one that is smaller than 224 pixels is magnified by a whole
    factor, pixel by pixel. With `errors`, what is smaller than twice its error fades.
    """
    drawings = {}
    for spec, plane in _planes(label, metadata):
        written, settings, picked = _settings(spec, plane, metadata, parameters, visualization)
        unknown = None
        if errors and spec.name in label.errors:
            unknown = unknown_plane(plane, _plane(label.errors[spec.name]))
        tensor = explanation.inputs[spec.name]
        if photo is not None:
            below = np.asarray(photo.convert("RGB"))
        else:
            below = shown_picture(spec, tensor)
        if enlarge:
            below, plane = _enlarged(below, plane)
        drawings[spec.name] = Drawing(
            image=below,
            overlay=draw(plane, below, settings, unknown=unknown),
            attribution=plane,
            unknown=unknown,
            empty=_empty(plane, settings),
            chosen=picked,
            written_format=written.output_format,
            visualization=settings,
            title=title_text(label),
            subtitle=subtitle_text(parameters.method, label),
        )
    return drawings


def _planes(
    label: LabelAttribution, metadata: ExplanationMetadata
) -> Iterator[tuple[InputSpec, Array]]:
    """Yield the features that are pictures, with their attributions [h, w, c] or [h, w]."""
    for spec in metadata.inputs:
        value = label.values.get(spec.name)
        if spec.modality is Modality.IMAGE and value is not None and spec.group_name is None:
            yield spec, _plane(value)


def _settings(
    spec: InputSpec,
    plane: Array,
    metadata: ExplanationMetadata,
    parameters: ExplanationParameters,
    visualization: Visualization,
) -> tuple[Visualization, Visualization, Visualization | None]:
    """Return what was written, what is drawn with, and what of that was chosen for readability."""
    regions = parameters.method.by_regions
    written = (spec.visualization or Visualization()).updated(visualization)
    settings = written.resolved(metadata.dialect, regions=regions)
    # "Start with no clip values for XRAI": its regions are readable as they are.
    if regions or not is_unwritten(written):
        return written, settings, None
    picked = chosen(plane, settings)
    return written, settings.updated(picked), picked


def chosen_settings(results: Results, label: LabelAttribution) -> dict[str, list[str]]:
    """Return the settings that nobody wrote and that are chosen for a label, as ``key=value``.

    They are given for each feature that is a picture.
    """
    found = {}
    for spec, plane in _planes(label, results.metadata):
        *_, picked = _settings(spec, plane, results.metadata, results.parameters, Visualization())
        if picked is not None:
            found[spec.name] = words(picked)
    return found


def _enlarged(below: Array, plane: Array) -> tuple[Array, Array]:
    """Return a small picture and its attribution magnified, before colour is laid on."""
    longer = max(below.shape[:2])
    if longer >= SMALL:
        return below, plane
    times = -(-SMALL // longer)
    if plane.shape[:2] == below.shape[:2]:
        plane = plane.repeat(times, axis=0).repeat(times, axis=1)
    return below.repeat(times, axis=0).repeat(times, axis=1), plane


def _empty(attribution: Array, visualization: Visualization) -> str | None:
    """Return why nothing is shown, None if something is."""
    if not shows_nothing(attribution, visualization):
        return None
    if not np.any(attribution):
        return "nothing to show: the attribution is 0 everywhere"
    sign = "negative" if visualization.polarity is Polarity.NEGATIVE else "positive"
    return f"nothing to show: no attribution is {sign}"


def _plane(value: Array) -> Array:
    """Return the attribution as [h, w, c] or [h, w], whatever layout the tensor has."""
    if value.ndim == 1:
        side = int(np.sqrt(value.size))
        if side * side == value.size:
            return np.reshape(value, (side, side))
        return np.reshape(value, (int(np.sqrt(value.size // 3)), -1, 3))
    if is_channels_first(value.shape):
        return np.transpose(value, (1, 2, 0))
    return value


def draw_explanation(
    results: Results,
    number: int,
    label: LabelAttribution | None = None,
    *,
    own_size: bool = True,
    visualization: Visualization = Visualization(),
    errors: bool = False,
) -> dict[str, Drawing]:
    """Return the overlay of each image feature of one instance.

    Drawn at the photo's own resolution where there is one, or at the model's. `label` is one
    of the explanation's labels, by default the first; what `visualization` sets
    overrides the metadata; with `errors`, what is smaller than twice its error fades.
    """
    explanation = results.items[number]
    if explanation.neighbors is not None or explanation.tabular:
        return {}  # neighbours say nothing of single pixels
    return draw_images(
        explanation,
        label or explanation.labels[0],
        results.metadata,
        results.parameters,
        photo=results.instances[number].image if own_size else None,
        visualization=visualization,
        enlarge=own_size,
        errors=errors,
    )


def marked(
    drawing: Drawing,
    label: LabelAttribution,
    feature: str,
    choice: PatchChoice,
    chosen: Visualization = Visualization(),
) -> Drawing:
    """Return a drawing on which the patches that LIME would name are marked, and no others.

    "highlights the pixels in red that score above a certain confidence value": at most ten patches,
    with a weight above `choice.min_weight`. Without `choice.positive_only` those that speak for the
    label are green, and those against it red. What `chosen` sets takes the place of these colours.
    """
    segments = label.segments[feature]
    weights = np.zeros((1, int(segments.max()) + 1))
    weights[0, segments] = label.values[feature]
    shown = lime.masks(weights, segments, choice)[0]
    settings = replace(
        drawing.visualization,
        type=VisualizationType.PIXELS,
        polarity=Polarity.POSITIVE if choice.positive_only else Polarity.BOTH,
        color_map=ColorMap.RED if choice.positive_only else ColorMap.RED_GREEN,
        overlay_type=OverlayType.ORIGINAL,
        clip_below_percentile=0.0,
        clip_above_percentile=100.0,
        blur_sigma=0.0,
    ).updated(chosen)
    return replace(
        drawing,
        overlay=draw(shown, drawing.image, settings, dim=False, unknown=drawing.unknown),
        attribution=shown,
        visualization=settings,
        chosen=None,
        empty=None if shown.any() else f"no patch has a weight above {choice.min_weight:g}",
    )
