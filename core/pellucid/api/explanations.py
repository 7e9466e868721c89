"""The explanations of one call: their response, and their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from pellucid.explain.explainer import Explanation, LabelAttribution
from pellucid.explain.targets import name_at
from pellucid.inputs.readers import Instance
from pellucid.metadata.spec import (
    Dialect,
    ExplanationMetadata,
    ExplanationParameters,
    Visualization,
)
from pellucid.responses import kserve
from pellucid.responses import services as response
from pellucid.visualize.image_overlays import Drawing, draw_images


@dataclass(frozen=True, slots=True)
class Explanations(Sequence[Explanation]):
    """The explanations of one call, in the order of the instances."""

    items: tuple[Explanation, ...]
    instances: tuple[Instance, ...]
    metadata: ExplanationMetadata
    parameters: ExplanationParameters

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Explanation, ...]: ...
    def __getitem__(self, index: int | slice) -> Explanation | tuple[Explanation, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.items)

    def response(self, *, dialect: Dialect | None = None) -> dict[str, Any]:
        """Return the response body, in the dialect of the metadata unless another is given."""

        def pictures(number: int, label: LabelAttribution) -> dict[str, tuple[bytes, str]]:
            drawings = self.draw(number, label, own_size=False)
            return {name: drawing.encoded() for name, drawing in drawings.items()}

        return response.response(self.items, self.metadata, pictures, dialect=dialect)

    def json(self, *, dialect: Dialect | None = None) -> bytes:
        """Return the response body as UTF-8 JSON."""
        return response.encode(self.response(dialect=dialect))

    def kserve(self) -> dict[str, Any]:
        """Return the response body of KServe's LIME explainer. Raises SpecError without LIME."""
        return kserve.kserve(self.items, self.parameters)

    def predicted(self, number: int) -> str | None:
        """Return the highest output of one instance, ``NAME = SCORE``, where outputs have names."""
        prediction = self.items[number].prediction
        index = np.unravel_index(int(np.argmax(prediction)), prediction.shape)
        name = name_at(self.metadata.output.index_name_mapping, tuple(map(int, index)))
        if name is None and prediction.size > 1:
            return None
        of = f"{self.metadata.output.name} {name or ''}".strip()
        return f"{of} = {float(prediction[index]):.4g}"

    def draw(
        self,
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
        explanation = self.items[number]
        if explanation.neighbors is not None:
            return {}  # neighbours say nothing of single pixels
        return draw_images(
            explanation,
            label or explanation.labels[0],
            self.metadata,
            self.parameters,
            photo=self.instances[number].image if own_size else None,
            visualization=visualization,
        )
