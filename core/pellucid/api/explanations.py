"""The explanations of one call: their response, and their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid import responses
from pellucid.errors import InstanceError, memory_for
from pellucid.explain import LabelAttribution, Results
from pellucid.metadata import Dialect, Visualization
from pellucid.visualize import Drawing, draw_explanation


@dataclass(frozen=True, slots=True)
class Explanations(Results):
    """The explanations of one call, in the order of the instances."""

    @classmethod
    def of(cls, results: Results) -> Explanations:
        """Return `results` with what can be made of them."""
        return cls(results.items, results.instances, results.metadata, results.parameters)

    def response(self, *, dialect: Dialect | None = None) -> dict[str, Any]:
        """Return the response body, in the dialect of the metadata unless another is given.

        Raises InstanceError for an instance that cannot be drawn.
        """

        def pictures(number: int, label: LabelAttribution) -> dict[str, tuple[bytes, str]]:
            where = self.instances[number].where
            with memory_for(where):
                drawings = self.draw(number, label, own_size=False)
                try:
                    return {name: drawing.encoded() for name, drawing in drawings.items()}
                except InstanceError as error:
                    raise error.at(where) from error

        return responses.response(self.items, self.metadata, pictures, dialect=dialect)

    def json(self, *, dialect: Dialect | None = None) -> bytes:
        """Return the response body as UTF-8 JSON."""
        return responses.encode(self.response(dialect=dialect))

    def kserve(self) -> dict[str, Any]:
        """Return the response body of KServe's LIME explainer. Raises SpecError without LIME."""
        return responses.kserve(self.items, self.parameters)

    def draw(
        self,
        number: int,
        label: LabelAttribution | None = None,
        *,
        own_size: bool = True,
        visualization: Visualization = Visualization(),
    ) -> dict[str, Drawing]:
        """Return the overlay of each image feature of one instance, as `draw_explanation` does."""
        return draw_explanation(self, number, label, own_size=own_size, visualization=visualization)


def unpack(data: bytes, where: str) -> Explanations:
    """Return the explanations in an ``.npz`` file, as `pellucid.responses.unpack` reads it."""
    return Explanations.of(responses.unpack(data, where))
