"""The image features of an explanation, drawn: which attribution goes over which picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pellucid.explain import Explanation, LabelAttribution, Results
from pellucid.inputs import InputInfo, to_picture
from pellucid.metadata import (
    ColorMap,
    Domain,
    ExplanationMetadata,
    ExplanationParameters,
    Lime,
    Modality,
    OverlayType,
    Polarity,
    Visualization,
    VisualizationType,
    Xrai,
)
from pellucid.methods import masks
from pellucid.model import Array
from pellucid.visualize.captions import method_text, number, title_text
from pellucid.visualize.overlay import draw, shows_nothing
from pellucid.visualize.panel import encode, panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture, its overlay (both uint8 [h, w, 3]) and the settings it was drawn with.

    `attribution` is [h, w] or [h, w, c], the model's size. `empty` says why nothing is shown, where
    nothing of the attribution has the polarity that was asked for.
    """

    image: Array
    overlay: Array
    attribution: Array
    visualization: Visualization
    title: str
    subtitle: str
    empty: str | None = None

    def encoded(self) -> tuple[bytes, str]:
        """Return the overlay as the bytes of a file, and its form, ``jpeg`` or ``png``."""
        form = self.visualization.output_format or "jpeg"
        return encode(self.overlay, form), form

    def panel(self, note: str = "") -> Array:
        """Return original and overlay side by side, with title, method, error and colour bar."""
        lines = [self.subtitle, *filter(None, [note, self.empty])]
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
            overlay=draw(self.attribution, self.image, settings),
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
) -> dict[str, Drawing]:
    """Return a drawing for each feature with ``modality: image``, under the feature's name.

    `visualization` overrides settings of the metadata. The picture below is `photo` at its own
    resolution if it is given, else the explained tensor itself, brought back from the model's scale
    by the domain.
    """
    drawings = {}
    regions = isinstance(parameters.method, Xrai)
    for spec in metadata.inputs:
        value = label.values.get(spec.name)
        if spec.modality is not Modality.IMAGE or value is None or spec.group_name is not None:
            continue
        settings = (spec.visualization or Visualization()).updated(visualization)
        settings = settings.resolved(metadata.dialect, regions=regions)
        plane = _plane(value)
        tensor = explanation.inputs[spec.name]
        if photo is not None:
            below = np.asarray(photo.convert("RGB"))
        else:
            below = tensor_picture(tensor, spec.domain)
        drawings[spec.name] = Drawing(
            image=below,
            overlay=draw(plane, below, settings),
            attribution=plane,
            empty=_empty(plane, settings),
            visualization=settings,
            title=title_text(label, metadata.output.name),
            subtitle=f"{method_text(parameters.method, label)}\n"
            f"baseline {number(label.baseline_score)}, {label.quality}",
        )
    return drawings


def _empty(attribution: Array, visualization: Visualization) -> str | None:
    """Return why nothing is shown, None if something is."""
    if not shows_nothing(attribution, visualization):
        return None
    if not np.any(attribution):
        return "nothing to show: the attribution is 0 everywhere"
    sign = "negative" if visualization.polarity is Polarity.NEGATIVE else "positive"
    return f"nothing to show: no attribution is {sign}"


def tensor_picture(tensor: Array, domain: Domain | None) -> Array:
    """Return an explained image tensor as uint8 [h, w, 3]."""
    info = InputInfo(
        name="image", dtype=tensor.dtype.name, shape=tensor.shape, domain=domain, batch=False
    )
    return to_picture(tensor, info)


def _plane(value: Array) -> Array:
    """Return the attribution as [h, w, c] or [h, w], whatever layout the tensor has."""
    if value.ndim == 1:
        side = int(np.sqrt(value.size))
        if side * side == value.size:
            return np.reshape(value, (side, side))
        return np.reshape(value, (int(np.sqrt(value.size // 3)), -1, 3))
    if value.ndim == 3 and value.shape[0] in (1, 3) and value.shape[-1] not in (1, 3, 4):
        return np.transpose(value, (1, 2, 0))
    return value


def draw_explanation(
    results: Results,
    number: int,
    label: LabelAttribution | None = None,
    *,
    own_size: bool = True,
    visualization: Visualization = Visualization(),
) -> dict[str, Drawing]:
    """Return the overlay of each image feature of one instance.

    Drawn at the photo's own resolution where there is one, or at the model's. `label` is one
    of the explanation's labels, by default the first; what `visualization` sets
    overrides the metadata.
    """
    explanation = results.items[number]
    if explanation.neighbors is not None:
        return {}  # neighbours say nothing of single pixels
    return draw_images(
        explanation,
        label or explanation.labels[0],
        results.metadata,
        results.parameters,
        photo=results.instances[number].image if own_size else None,
        visualization=visualization,
    )


def marked(
    drawing: Drawing,
    label: LabelAttribution,
    feature: str,
    config: Lime,
    chosen: Visualization = Visualization(),
) -> Drawing:
    """Return a drawing on which the patches that LIME would name are marked, and no others.

    "highlights the pixels in red that score above a certain confidence value": at most ten patches,
    with a weight above `config.min_weight`. Without `config.positive_only` those that speak for the
    label are green, and those against it red. What `chosen` sets takes the place of these colours.
    """
    segments = label.segments[feature]
    weights = np.zeros((1, int(segments.max()) + 1))
    weights[0, segments] = label.values[feature]
    shown = masks(weights, segments, config)[0]
    settings = replace(
        drawing.visualization,
        type=VisualizationType.PIXELS,
        polarity=Polarity.POSITIVE if config.positive_only else Polarity.BOTH,
        color_map=ColorMap.RED if config.positive_only else ColorMap.RED_GREEN,
        overlay_type=OverlayType.ORIGINAL,
        clip_below_percentile=0.0,
        clip_above_percentile=100.0,
        blur_sigma=0.0,
    ).updated(chosen)
    return replace(
        drawing,
        overlay=draw(shown, drawing.image, settings, dim=False),
        attribution=shown,
        visualization=settings,
        empty=None if shown.any() else f"no patch has a weight above {config.min_weight:g}",
    )
