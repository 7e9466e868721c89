"""What is known of each instance after it was explained, as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np

from pellucid.examples import Neighbor
from pellucid.explain.targets import name_at
from pellucid.inputs import Instance, shape_text
from pellucid.metadata import (
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Modality,
)
from pellucid.methods.texts import Cut
from pellucid.model import Array, Rows, Tensors, TensorsOfRow
from pellucid.notices import Notice


class Arrays(dict[str, Array]):
    """Arrays by name, short to print: a notebook shows what it is given."""

    def __repr__(self) -> str:
        said = [f"{name!r}: {_said(value)}" for name, value in [*self.items()][:_MOST]]
        more = len(self) - len(said)
        return "{" + ", ".join([*said, *([f"… {more:,} more"] if more else [])]) + "}"


class ArraysOfRow(TensorsOfRow):
    """A row of arrays by name, taken where it is looked at, and as short to print."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(Arrays(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Arrays, (dict(self),)


def rows_of(tensors: Tensors, names: Sequence[str], count: int) -> list[ArraysOfRow]:
    """Return each of `count` rows of some tensors [n, …] as arrays by name, views of these."""
    block = Rows({name: tensors[name] for name in names})
    return [ArraysOfRow(block, row) for row in range(count)]


def given_rows(inputs: Tensors, keys: Mapping[str, str], count: int) -> list[ArraysOfRow]:
    """Return the rows of what the signature was given for each feature, by its key of `inputs`."""
    own = {name: inputs[key] for name, key in keys.items() if key in inputs}
    own = {name: value for name, value in own.items() if len(value) == count}
    return rows_of(own, [*own], count)


_NUMBERS_APART = (Modality.NUMERIC, Modality.CATEGORICAL, Modality.STRUCTURED)


def all_numbers(specs: Sequence[InputSpec], *tensors: Tensors) -> bool:
    """Whether features are neither pictures, texts nor series, and all that is given numbers."""
    apart = all(spec.modality in _NUMBERS_APART for spec in specs)
    return apart and all(it.dtype.kind in "fiub" for some in tensors for it in some.values())


_SHORT = frozenset((Arrays, ArraysOfRow))


def _print_short(record: object, *names: str) -> None:
    """Have what is by those names of a record be printed short."""
    for name in names:
        found = getattr(record, name)
        if type(found) not in _SHORT:
            object.__setattr__(record, name, Arrays(found))


# Of a mapping, so many are printed, and so many numbers of an array.
_MOST, _NUMBERS = 13, 10


def _said(value: Array) -> str:
    value = np.asarray(value)
    if value.size == 1:
        (one,) = value.ravel().tolist()
        return f"{one:.4g}" if isinstance(one, float) else _cut(repr(one))
    if value.ndim == 1 and 0 < value.size <= _NUMBERS and value.dtype != object:
        return "[" + ", ".join(f"{one:.4g}" for one in value.tolist()) + "]"
    total = f", sum {value.sum():.4g}" if value.dtype.kind == "f" else ""
    kind = "strings" if value.dtype == object else str(value.dtype)
    return f"<{kind} {shape_text(value.shape)}{total}>"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAttribution:
    """Why one output of one instance is what it is.

    `output` is the name that the metadata give the tensor of outputs. `index` is () for a scalar
    output; `values` are the attributions of the explained tensors, `features` what they mean for
    each feature; `approx_error` is None where it is undefined; `evaluations` is the number of
    gradients or paths that were taken for it, `ranks` the ranks of regions, `segments` the patch
    that each pixel of a picture is in, [h, w], where a method works on patches, and
    `diagnostics` what else the method says of itself; `flat` tells that gradients were 0 wherever
    they were taken, or that hidden patches look as they are; `single` that the output is one
    number. `errors` are those of single values, shaped as `features`: the standard error of each,
    or, of a quadrature, how far another rule is from it; only of methods that know them.
    """

    output: str
    index: tuple[int, ...]
    name: str | None
    score: float
    baseline_score: float
    values: Tensors
    features: Tensors
    approx_error: float | None
    evaluations: int | None = None
    ranks: Tensors = field(default_factory=dict)
    segments: Tensors = field(default_factory=dict)
    diagnostics: dict[str, float] = field(default_factory=dict)
    flat: bool = field(default=False)
    single: bool = False
    errors: Tensors = field(default_factory=dict)

    def __post_init__(self) -> None:
        _print_short(self, "values", "features", "ranks", "segments", "errors")

    def __repr__(self) -> str:
        said = [repr(self.called), f"score={self.score:.4g}"]
        said.append(f"baseline_score={self.baseline_score:.4g}")
        if self.approx_error is not None:
            said.append(f"approx_error={self.approx_error:.2g}")
        return f"LabelAttribution({', '.join(said)}, features={self.features})"

    @property
    def called(self) -> str:
        """The name of the class, else the output with the index, or alone, if it is one number."""
        numbered = self.index and not self.single
        return self.name or (f"{self.output} {list(self.index)}" if numbered else self.output)

    @property
    def quality(self) -> str:
        """What the method says of how good it is, in a few words."""
        said = [f"{name} {value:.3g}" for name, value in self.diagnostics.items()]
        if self.approx_error is not None:
            said.insert(0, f"approx_error {self.approx_error:.2g}")
        return ", ".join(said) or "approx_error undefined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One instance: its prediction and an attribution for each output that was asked for.

    `inputs` are the explained tensors, as the model saw them; `given` what the signature was given
    for each feature, such as the words that were embedded. An explanation by examples has
    `neighbors`, nearest first, and no labels. `pixels` is what was assumed of each input that was
    made of a picture, as JSON; `baseline` says which one the call chose, if it did. `general` are
    those of the `warnings` that are of the model and not of this instance; `held` names what was
    left as the instance has it, and not explained. `outputs` are all of the signature's outputs by
    name, where there are several. `words` are the texts that were cut, by feature: an attribution
    for each part stands in the order of the parts. Labels of several explained outputs stand in the
    order of the outputs. `tabular` tells that all features are known to be numbers, and neither
    pictures nor texts nor series.
    """

    prediction: Array
    labels: tuple[LabelAttribution, ...]
    inputs: Tensors
    given: Tensors = field(default_factory=dict)
    warnings: tuple[Notice, ...] = field(default=())
    general: tuple[Notice, ...] = field(default=())
    held: tuple[str, ...] = ()
    neighbors: tuple[Neighbor, ...] | None = None
    pixels: Mapping[str, Any] = field(default_factory=dict)
    baseline: str = ""
    outputs: Mapping[str, Array] = field(default_factory=dict)
    words: Mapping[str, Cut] = field(default_factory=dict)
    tabular: bool = False

    def __post_init__(self) -> None:
        _print_short(self, "inputs", "given")

    def __repr__(self) -> str:
        if self.neighbors is not None:
            near = [f"{it.id!r} at {it.distance:.4g}" for it in self.neighbors[:_MOST]]
            return f"Explanation(nearest examples: {_listed(near, len(self.neighbors))})"
        labels = [f"{it.called!r} {it.score:.4g}" for it in self.labels[:_MOST]]
        said = [_listed(labels, len(self.labels)), f"inputs={self.inputs}"]
        if self.warnings:
            said.append(f"{len(self.warnings)} warning{'s' * (len(self.warnings) > 1)}")
        return f"Explanation({', '.join(said)})"

    @property
    def answer(self) -> Array | Mapping[str, Array]:
        """What the model says: its output, or all of them by name."""
        return self.outputs or self.prediction

    @property
    def by_output(self) -> Mapping[str, tuple[LabelAttribution, ...]]:
        """The labels of each explained output, by its name."""
        names = dict.fromkeys(label.output for label in self.labels)
        return {name: tuple(it for it in self.labels if it.output == name) for name in names}

    def with_others(self, others: Sequence[Explanation]) -> Explanation:
        """Return the explanation with the labels of other outputs of the same instance.

        What is not said of all of the outputs is said with the output's name.
        """
        parts = (self, *others)
        if len(parts) == 1:
            return self
        common = [it for it in self.warnings if all(it in each.warnings for each in others)]
        own = [
            notice.at(path=f"outputs.{part.labels[0].output}")
            for part in parts
            for notice in part.warnings
            if notice not in common
        ]
        labels = tuple(label for part in parts for label in part.labels)
        general = tuple(it for it in self.general if it in common)
        held = dict.fromkeys(name for part in parts for name in part.held)
        return replace(
            self, labels=labels, warnings=(*common, *own), general=general, held=tuple(held)
        )


def _listed(shown: Sequence[str], count: int) -> str:
    more = count - len(shown)
    return ", ".join([*shown, *([f"… {more:,} more"] if more else [])])


@dataclass(frozen=True, slots=True)
class Results(Sequence[Explanation]):
    """The explanations of one call as data, in the order of the instances.

    `provenance` says, as JSON, how they were made; empty where nobody knows.
    """

    items: tuple[Explanation, ...]
    instances: tuple[Instance, ...]
    metadata: ExplanationMetadata
    parameters: ExplanationParameters
    provenance: Mapping[str, Any] = field(default_factory=dict)

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

    def predicted(self, number: int) -> str | None:
        """Return the highest output of one instance, ``NAME = SCORE``, where outputs have names."""
        prediction = self.items[number].prediction
        index = np.unravel_index(int(np.argmax(prediction)), prediction.shape)
        name = name_at(self.metadata.output.index_name_mapping, tuple(map(int, index)))
        if name is None and prediction.size > 1:
            return None
        of = f"{self.metadata.output.name} {name or ''}".strip()
        return f"{of} = {float(prediction[index]):.4g}"
