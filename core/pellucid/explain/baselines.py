"""The baselines of features: made for the explained tensors, and named where they do not serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.explain.features import baseline_array, blurred, is_picture, zero
from pellucid.metadata import Attributing, Baseline, DomainBaseline, InputSpec
from pellucid.methods import baseline_scores
from pellucid.model import Array, Tensors
from pellucid.notices import Where


class Encoder(Protocol):
    """What computes explained tensors."""

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands for the inputs of the signature."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """The baselines of the features `specs`, as a method wants them.

    With `encoded`, explained tensors are those behind the inputs; `input_keys` are those of
    `Explainer`.
    """

    specs: Sequence[InputSpec]
    method: Attributing
    encoded: bool
    input_keys: Mapping[str, str]

    def made(self, model: Encoder, x: Tensors, inputs: Tensors) -> list[dict[str, Array]]:
        """Return the baselines, each a mapping of features to [1, …] (blurred: [n, …])."""
        given = self._given
        result = []
        for k in range(self.count):
            baseline = {}
            for spec in self.specs:
                value = x[spec.name]
                if self._blurs(spec, value):
                    baseline[spec.name] = blurred(value, self.method.max_blur_sigma or 0)
                elif k >= len(given[spec.name]):
                    baseline[spec.name] = zero(value.shape[1:], value.dtype)[None]
                elif self._is_behind(spec) and not spec.encoded_baselines:
                    baseline[spec.name] = self._encoded(model, spec, k, inputs)
                else:
                    one = given[spec.name][k]
                    baseline[spec.name] = baseline_array(one, value.shape[1:], value.dtype, spec)[
                        None
                    ]
            result.append(baseline)
        return result

    @property
    def count(self) -> int:
        """How many there are: with a blur, one."""
        most = max([1, *(len(it) for it in self._given.values())])
        return 1 if self.method.max_blur_sigma else most

    def blurs_nothing(self, x: Tensors) -> bool:
        """Whether a blur was asked for, and no feature is a picture."""
        asked = bool(self.method.max_blur_sigma)
        return asked and not any(self._blurs(spec, x[spec.name]) for spec in self.specs)

    def refused(
        self, error: baseline_scores.BaselineError, x: Tensors, output: str
    ) -> InstanceError:
        """Return the error for a baseline whose score for `output` is not finite."""
        names = ", ".join(
            dict.fromkeys(self._name(it, error.number, x[it.name]) for it in self.specs)
        )
        of = f" {error.number + 1} of {self.count}" if self.count > 1 else ""
        return InstanceError(
            f"the score of baseline{of} ({names}) is {error.score:g} at {output}, and no "
            "attributions add up to a difference from that",
            error.row,
            hint="choose another baseline",
        )

    def _name(self, spec: InputSpec, k: int, value: Array) -> str:
        """Return what the k-th baseline of a feature is called."""
        if self._blurs(spec, value):
            return f"'{spec.name}' blurred"
        given = self._given[spec.name]
        if k >= len(given):
            return f"0 for '{spec.name}'"
        match given[k]:
            case DomainBaseline(end=end) if not self._written(spec):
                return f"{'black' if end == 'min' else 'white'} for '{spec.name}'"
        key = "encoded_baselines" if given is spec.encoded_baselines else "input_baselines"
        return f"inputs.{spec.name}.{key}[{k}]"

    @property
    def _given(self) -> dict[str, tuple[Baseline, ...]]:
        given = {spec.name: self._written(spec) for spec in self.specs}
        if not any(given.values()):
            given = {spec.name: self.method.default_baselines for spec in self.specs}
        return given

    def _written(self, spec: InputSpec) -> tuple[Baseline, ...]:
        return (spec.encoded_baselines if self.encoded else ()) or spec.input_baselines

    def _is_behind(self, spec: InputSpec) -> bool:
        """Whether the explained tensor is one behind the input."""
        return self.encoded and spec.encoded_tensor_name is not None

    def _blurs(self, spec: InputSpec, value: Array) -> bool:
        wanted = bool(self.method.max_blur_sigma)
        return wanted and is_picture(spec, value.shape[1:], encoded=self._is_behind(spec))

    def _encoded(self, model: Encoder, spec: InputSpec, k: int, inputs: Tensors) -> Array:
        """Push an input baseline through the encoder: "encoded tensors are transformations"."""
        key = self.input_keys.get(spec.name)
        if key is None:
            raise SpecError(
                f"'{spec.tensor_name}' is not an input of the signature, so nothing leads from it "
                "to the encoded tensor",
                where=Where(path=f"inputs.{spec.name}.input_baselines"),
                hint="use encoded_baselines",
            )
        value = inputs[key]
        one = baseline_array(spec.input_baselines[k], value.shape[1:], value.dtype, spec)
        # The encoder may read other inputs, too, such as the weights of the words.
        return model.encode({**inputs, key: np.broadcast_to(one, value.shape)})[spec.name]
