"""The image features of an explanation, drawn: which attribution goes over which picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pellucid.explain import Explanation, LabelAttribution
from pellucid.images import to_picture
from pellucid.inputs import InputInfo
from pellucid.model import Array
from pellucid.overlay import draw, shows_nothing
from pellucid.panels import encode, panel
from pellucid.spec import Domain, ExplanationMetadata, Modality, Visualization


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture, its overlay (both uint8 [h, w, 3]) and the settings it was drawn with.

    `empty` tells that nothing of the attribution has the polarity that is shown.
    """

    image: Array
    overlay: Array
    visualization: Visualization
    title: str
    subtitle: str
    empty: bool

    def encoded(self) -> tuple[bytes, str]:
        """Return the overlay as the bytes of a file, and its form, ``jpeg`` or ``png``."""
        form = self.visualization.output_format or "jpeg"
        return encode(self.overlay, form), form

    def panel(self) -> Array:
        """Return original and overlay side by side, with title and colour bar."""
        return panel(
            self.image,
            self.overlay,
            title=self.title,
            subtitle=self.subtitle,
            visualization=self.visualization,
        )


def draw_images(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    *,
    photo: Image.Image | None = None,
    visualization: Visualization = Visualization(),
    regions: bool = False,
) -> dict[str, Drawing]:
    """Return a drawing for each feature with ``modality: image``, under the feature's name.

    `visualization` overrides settings of the metadata; `regions` is true for XRAI. The picture
    below is `photo` at its own resolution if it is given, else the explained tensor
    itself, brought back from the model's scale by the domain.
    """
    drawings = {}
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
        what = label.name or (
            f"output {list(label.index)}" if label.index else metadata.output.name
        )
        drawings[spec.name] = Drawing(
            image=below,
            overlay=draw(plane, below, settings),
            empty=shows_nothing(plane, settings),
            visualization=settings,
            title=f"{what}: {_number(label.score)}",
            subtitle=f"baseline {_number(label.baseline_score)}, {label.quality}",
        )
    return drawings


def _number(score: float) -> str:
    """Write a score: probabilities with three decimals, anything large in four digits."""
    return f"{score:.3f}" if 1e-3 <= abs(score) < 100 or score == 0 else f"{score:.4g}"


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
