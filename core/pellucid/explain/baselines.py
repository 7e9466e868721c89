"""The baselines of a call: those of the metadata, or what the call chose in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pellucid.errors import SpecError
from pellucid.explain.chosen_baseline import SETTING, BaselineKind, ChosenBaseline
from pellucid.explain.features import baseline_array, blurred, is_image, zero
from pellucid.metadata import (
    Baseline,
    BaseMethod,
    InputSpec,
    Modality,
    RandomBaseline,
    is_channels_first,
)
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Where

# "sigma 20" for pictures of 299 pixels: Sturmfels, Lundberg and Lee, Distill 2020.
BLUR_SHARE = 1 / 15


class Encoder(Protocol):
    """What knows the tensors behind the inputs."""

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands, explained and held, for the inputs of the signature."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineMaker:
    """Makes baselines in the space of the explained tensors.

    `input_keys` is that of an `Explainer`, `mean` what MEAN is, feature by feature; `reached` are
    the features that the method moves.
    """

    model: Encoder
    specs: Sequence[InputSpec]
    method: BaseMethod
    input_keys: Mapping[str, str]
    reached: frozenset[str]
    chosen: ChosenBaseline | None = None
    mean: Tensors = field(default_factory=dict)
    seed: int = 0

    def make(self, x: Tensors, inputs: Tensors) -> tuple[list[dict[str, Array]], str]:
        """Return the baselines, each a mapping of features to [1, …] (blurred: [n, …]).

        With them comes what was chosen, in words, "" where nothing was. Raises SpecError.
        """
        specs = [s for s in self.specs if s.name in x]
        kind = self.chosen.kind if self.chosen else None
        if kind is not None:
            return [self._of_kind(kind, specs, x)], self._said(kind, specs, x)
        return self._written(specs, x, inputs), self.chosen.said if self.chosen else ""

    def _written(
        self, specs: Sequence[InputSpec], x: Tensors, inputs: Tensors
    ) -> list[dict[str, Array]]:
        encoded = self.method.uses_gradients
        given: dict[str, tuple[Baseline, ...]] = {
            s.name: (s.encoded_baselines if encoded else ()) or s.input_baselines for s in specs
        }
        if not any(given.values()):
            given = {s.name: self.method.default_baselines for s in specs}
        count = max([1, *(len(b) for b in given.values())])
        sigma = None if self.chosen else self.method.max_blur_sigma
        result = []
        for k in range(count):
            baseline = {}
            for spec in specs:
                value = x[spec.name]
                if sigma and is_image(value.shape[1:]):
                    baseline[spec.name] = blurred(value, sigma)
                elif k >= len(given[spec.name]):
                    baseline[spec.name] = zero(value.shape[1:], value.dtype)[None]
                elif encoded and spec.encoded_tensor_name and not spec.encoded_baselines:
                    baseline[spec.name] = self._encoded(spec, k, inputs)
                else:
                    one = given[spec.name][k]
                    baseline[spec.name] = baseline_array(one, value.shape[1:], value.dtype, spec)[
                        None
                    ]
            result.append(baseline)
            if sigma:
                break
        return result

    def _encoded(self, spec: InputSpec, k: int, inputs: Tensors) -> Array:
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
        return self.model.encode({**inputs, key: np.broadcast_to(one, value.shape)})[spec.name]

    def _of_kind(
        self, kind: BaselineKind, specs: Sequence[InputSpec], x: Tensors
    ) -> dict[str, Array]:
        made = {}
        for spec in specs:
            value = x[spec.name]
            shape, dtype = value.shape[1:], value.dtype
            made[spec.name] = zero(shape, dtype)[None]
            if spec.name not in self.reached or kind is BaselineKind.ZERO:
                continue
            if kind is BaselineKind.BLUR:
                if self._is_picture(spec, value):
                    made[spec.name] = blurred(value, self._sigma(value))
                continue
            if not (value.dtype.kind == "f" or self._is_picture(spec, value)):
                raise SpecError(
                    f"'{spec.name}' is {_type(value)}, which has no {kind.value} that means "
                    "anything",
                    where=SETTING,
                    hint=Hint("choose {baseline:zero}, or write its input_baselines"),
                )
            if kind is BaselineKind.MEAN:
                made[spec.name] = _rounded(self.mean[spec.name], dtype)[None]
            else:
                one = RandomBaseline(seed=self.seed)
                made[spec.name] = baseline_array(one, shape, dtype, spec)[None]
        if kind is BaselineKind.BLUR and not self._pictures(specs, x):
            raise SpecError(
                "no explained input is a picture that could be blurred",
                where=SETTING,
                hint=Hint("choose {baseline:mean} or {baseline:noise}"),
            )
        return made

    def _pictures(self, specs: Sequence[InputSpec], x: Tensors) -> list[InputSpec]:
        found = (s for s in specs if s.name in self.reached)
        return [s for s in found if self._is_picture(s, x[s.name])]

    def _is_picture(self, spec: InputSpec, value: Array) -> bool:
        behind = self.method.uses_gradients and spec.encoded_tensor_name is not None
        if behind and spec.modality is not Modality.IMAGE:
            return False  # embeddings of words are [h, w], too
        return value.dtype != object and is_image(value.shape[1:])

    def _sigma(self, value: Array) -> float:
        """Return the blur in pixels: what was asked for, or in proportion to the picture."""
        if self.method.max_blur_sigma is not None:
            return self.method.max_blur_sigma
        shape = value.shape[1:]
        sides = shape[-2:] if is_channels_first(shape) else shape[:2]
        return float(max(sides)) * BLUR_SHARE

    def _said(self, kind: BaselineKind, specs: Sequence[InputSpec], x: Tensors) -> str:
        if kind is BaselineKind.BLUR:
            sigmas = {f"{self._sigma(x[s.name]):.3g}" for s in self._pictures(specs, x)}
            return f"blurred, sigma {' and '.join(sorted(sigmas))} pixels"
        if kind is BaselineKind.NOISE:
            ranges = {_range(s) for s in specs if s.name in self.reached}
            return f"noise, uniform over {' and '.join(sorted(ranges))}, seed {self.seed}"
        return self.chosen.said if self.chosen else kind.value


def _range(spec: InputSpec) -> str:
    low, high = spec.domain.range if spec.domain else (0.0, 1.0)
    return f"{low:g}..{high:g}"


def _rounded(value: Array, dtype: np.dtype) -> Array:
    return (np.rint(value) if dtype.kind in "iu" else value).astype(dtype)


def _type(value: Array) -> str:
    return "text" if value.dtype == object else value.dtype.name
