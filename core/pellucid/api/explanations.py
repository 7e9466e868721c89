"""The explanations of one call: their response, and their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from pellucid import responses
from pellucid.api.summary import Summary, summary_of
from pellucid.errors import InstanceError, SpecError, memory_for
from pellucid.explain import LabelAttribution, Results
from pellucid.metadata import Dialect, ExplanationMetadata, Modality, Visualization
from pellucid.notices import Where, Words, python_words
from pellucid.visualize import (
    Drawing,
    cell,
    chosen_settings,
    draw_explanation,
    draw_series,
    first_picture,
    plotted,
)

_PRINTED = 5


@dataclass(frozen=True, slots=True, repr=False)
class Explanations(Results):
    """The explanations of one call, in the order of the instances."""

    @classmethod
    def of(cls, results: Results) -> Explanations:
        """Return `results` with what can be made of them."""
        return cls(*(getattr(results, it.name) for it in fields(results)))

    def __repr__(self) -> str:
        count = len(self.items)
        said = f"{count:,} instance{'s' * (count != 1)} by {self.parameters.method.caption(None)}"
        best = [it.labels[0] for it in self.items[:_PRINTED] if it.labels]
        scores = [f"{label.called!r} {label.score:.4g}" for label in best]
        more = ["…"] * bool(scores and count > len(scores))
        return f"Explanations({': '.join(filter(None, [said, ', '.join([*scores, *more])]))})"

    def _repr_html_(self) -> str:
        return cell(self)

    def _repr_png_(self) -> bytes | None:
        return first_picture(self)

    def to_pandas(self) -> Any:
        """Return a tidy DataFrame: a row for each element of a feature, label and instance.

        Its columns are instance, id, label, feature, value (what the model was given), attribution,
        error (that of the attribution, NaN where it is not known), score, baseline_score,
        approx_error and output, and the columns that were kept; for nearest examples, instance, id,
        example and distance. Raises DependencyError without pandas.
        """
        return responses.frame(self)

    def plot(
        self,
        ax: Any = None,
        instance: int = 0,
        label: int | str = 0,
        feature: str | None = None,
    ) -> Any:
        """Draw one label of an instance on an axis of matplotlib, by default a new one; return it.

        That is an overlay, words on coloured ground, or a bar for each column. `label` is a name,
        or its place among those that were explained; `feature` chooses among several pictures or
        texts. Raises SpecError for what is not there, and DependencyError without matplotlib.
        """
        return plotted(self, ax, instance=instance, label=label, feature=feature)

    def summary(self) -> Summary:
        """Return what they have in common, class by class: means, and pictures of all of them."""
        return summary_of(self)

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

        ids = [instance.id for instance in self.instances]
        body = responses.response(
            self.items, self.metadata, pictures,
            dialect=dialect, ids=ids, errors=self.parameters.method.errors,
        )  # fmt: skip
        for one, instance in zip(body["explanations"], self.instances, strict=True):
            if instance.columns:
                one["columns"] = dict(instance.columns)
        return responses.stamped(body, self.provenance)

    def json(self, *, dialect: Dialect | None = None) -> bytes:
        """Return the response body as UTF-8 JSON."""
        return responses.encode(self.response(dialect=dialect))

    def kserve(self) -> dict[str, Any]:
        """Return the response body of KServe's LIME explainer. Raises SpecError without LIME."""
        return responses.stamped(responses.kserve(self.items, self.parameters), self.provenance)

    def parquet(self) -> bytes:
        """Return a Parquet file of them, a row for each element. Raises DependencyError."""
        return responses.parquet(self)

    def pack(self, words: Words = python_words) -> bytes:
        """Return an ``.npz`` archive of them, from which `unpack` makes them again."""
        return responses.pack(self, words, self.chosen)

    def chosen(self, label: LabelAttribution) -> dict[str, list[str]]:
        """Return the visualization settings that nobody wrote and that are chosen for a label.

        They are given for each feature that is a picture, as ``key=value``.
        """
        return chosen_settings(self, label)

    def described(self, metadata: ExplanationMetadata) -> Explanations:
        """Return the same, to be drawn with the visualization settings of other metadata.

        Raises SpecError where these have none of the pictures that were explained.
        """
        written = {it.name: it for it in metadata.inputs}
        pictures = [it.name for it in self.metadata.inputs if it.modality is Modality.IMAGE]
        if not any(name in written for name in pictures):
            raise SpecError(
                f"describes {_listed(written)}, and the pictures that were explained are "
                f"{_listed(pictures)}"
                if pictures
                else "is for pictures, and none was explained",
                where=Where(path="inputs"),
            )
        inputs = (
            replace(it, visualization=written[it.name].visualization)
            if it.name in pictures and it.name in written
            else it
            for it in self.metadata.inputs
        )
        changed = replace(self.metadata, inputs=tuple(inputs), dialect=metadata.dialect)
        return replace(self, metadata=changed)

    def draw(
        self,
        number: int,
        label: LabelAttribution | None = None,
        *,
        own_size: bool = True,
        visualization: Visualization = Visualization(),
        errors: bool = False,
    ) -> dict[str, Drawing]:
        """Return what is drawn of each feature of one instance, as `draw_explanation` does.

        For people (`own_size`), that is series, too, as `draw_series` draws them.
        """
        drawn = draw_explanation(
            self, number, label, own_size=own_size, visualization=visualization, errors=errors
        )
        return {**drawn, **draw_series(self, number, label)} if own_size else drawn


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def unpack(data: bytes, where: str) -> Explanations:
    """Return the explanations in an ``.npz`` file, as `pellucid.responses.unpack` reads it."""
    return Explanations.of(responses.unpack(data, where))
