"""The baselines of features: made for the explained tensors, and named where they do not serve."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.explain.chosen_baseline import SETTING, BaselineKind, ChosenBaseline
from pellucid.explain.features import baseline_array, blurred, is_picture, zero
from pellucid.metadata import (
    Attributing,
    Baseline,
    DomainBaseline,
    InputSpec,
    RandomBaseline,
    is_channels_first,
)
from pellucid.methods import baseline_scores
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Where

# "sigma 20" for pictures of 299 pixels: Sturmfels, Lundberg and Lee, Distill 2020.
BLUR_SHARE = 1 / 15


class Encoder(Protocol):
    """What computes explained tensors."""

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands for the inputs of the signature."""
        ...

    def encode_together(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands of one batch, in which a row may depend on those beside it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """The baselines of the features `specs`: as a method wants them, or as a call has `chosen`.

    With `encoded`, explained tensors are those behind the inputs; `input_keys` are those of
    `Explainer`. A baseline that was chosen is for the features that are `moved`; `mean` is what
    MEAN is, feature by feature, and `seed` draws NOISE; `absent` is what leaves a value out of a
    list.
    """

    specs: Sequence[InputSpec]
    method: Attributing
    encoded: bool
    input_keys: Mapping[str, str]
    moved: frozenset[str] = frozenset()
    chosen: ChosenBaseline | None = None
    mean: Tensors = field(default_factory=dict)
    seed: int = 0
    absent: Mapping[str, object] = field(default_factory=dict)

    def made(self, model: Encoder, x: Tensors, inputs: Tensors) -> list[dict[str, Array]]:
        """Return the baselines, each a mapping of features to [1, …] (blurred: [n, …]).

        Raises SpecError for one that was chosen and that a feature cannot have.
        """
        if self._kind is BaselineKind.BLUR and not self.pictures(x):
            raise SpecError(
                "no explained input is a picture that could be blurred",
                where=SETTING,
                hint=Hint("choose {baseline:mean} or {baseline:noise}"),
            )
        return [
            {spec.name: self._one(model, spec, k, x[spec.name], inputs) for spec in self.specs}
            for k in range(self.count)
        ]

    @property
    def count(self) -> int:
        """How many there are: with a blur, or a kind that was chosen, one."""
        most = max([1, *(len(it) for it in self._given.values())])
        return 1 if self._kind or self._sigma_given else most

    def blurs_nothing(self, x: Tensors) -> bool:
        """Whether the method asks for a blur, and no feature is a picture."""
        asked = bool(self._sigma_given) and self._kind is None
        return asked and not any(self._is_picture(spec, x[spec.name]) for spec in self.specs)

    def pictures(self, x: Tensors) -> list[InputSpec]:
        """Return the features that are moved and can be blurred."""
        return [s for s in self.specs if s.name in self.moved and self._is_picture(s, x[s.name])]

    def may_be_noise(self, x: Tensors) -> bool:
        """Whether all features that are moved have noise for a baseline."""
        moved = [spec for spec in self.specs if spec.name in self.moved]
        return all(self._has_noise(spec, x[spec.name]) for spec in moved)

    def said(self, x: Tensors) -> str:
        """Return what was chosen, in words; "" where nothing was."""
        if self._kind is BaselineKind.BLUR:
            sigmas = {f"{self._sigma(x[s.name]):.3g}" for s in self.pictures(x)}
            return f"blurred, sigma {' and '.join(sorted(sigmas))} pixels"
        if self._kind is BaselineKind.NOISE:
            ranges = {_range(s) for s in self.specs if s.name in self.moved}
            return f"noise, uniform over {' and '.join(sorted(ranges))}, seed {self.seed}"
        return "" if self.chosen is None else self.chosen.said

    def refused(
        self, error: baseline_scores.BaselineError, x: Tensors, output: str, *, words: bool
    ) -> InstanceError:
        """Return the error for a baseline whose score for `output` is not finite.

        `words` tells that texts were taken apart.
        """
        names = self.named(error.number, x)
        of = f" {error.number + 1} of {self.count}" if self.count > 1 else ""
        return InstanceError(
            f"the score of baseline{of} ({names}) is {error.score:g} at {output}, and no "
            "attributions add up to a difference from that",
            error.row,
            hint=Hint("put a token in the place of words that are left out, with {mask}")
            if words
            else Hint("choose another {baseline}"),
        )

    def named(self, k: int, x: Tensors) -> str:
        """Return what the k-th baseline is called, feature by feature."""
        return ", ".join(dict.fromkeys(self._name(it, k, x[it.name]) for it in self.specs))

    def _name(self, spec: InputSpec, k: int, value: Array) -> str:
        """Return what the k-th baseline of a feature is called."""
        if self._blurs(spec, value):
            return f"'{spec.name}' blurred"
        if self._kind in (BaselineKind.MEAN, BaselineKind.NOISE) and spec.name in self.moved:
            return f"{self._kind.value} for '{spec.name}'"
        given = self._given[spec.name]
        if self._kind or k >= len(given):
            return f"{'no text' if value.dtype == object else 0} for '{spec.name}'"
        match given[k]:
            case DomainBaseline(end=end) if not self._written(spec):
                return f"{'black' if end == 'min' else 'white'} for '{spec.name}'"
        if self.chosen is not None:
            return f"'{spec.name}', {self.chosen.said}"
        key = "encoded_baselines" if given is spec.encoded_baselines else "input_baselines"
        return f"inputs.{spec.name}.{key}[{k}]"

    def _one(self, model: Encoder, spec: InputSpec, k: int, value: Array, inputs: Tensors) -> Array:
        """Return the k-th baseline of a feature, [1, …] or [n, …]."""
        shape, dtype, given = value.shape[1:], value.dtype, self._given[spec.name]
        if self._blurs(spec, value):
            return blurred(value, self._sigma(value))
        if self._kind in (BaselineKind.MEAN, BaselineKind.NOISE) and spec.name in self.moved:
            return self._numbers(self._kind, spec, value)[None]
        if self._kind or k >= len(given):
            nothing = self.absent.get(spec.name)
            return zero(shape, dtype)[None] if nothing is None else np.full_like(value[:1], nothing)
        if self._is_behind(spec) and not spec.encoded_baselines:
            return self._encoded(model, spec, k, value, inputs)
        return baseline_array(given[k], shape, dtype, spec)[None]

    def _has_noise(self, spec: InputSpec, value: Array) -> bool:
        return value.dtype.kind == "f" or self._is_picture(spec, value)

    def _numbers(self, kind: BaselineKind, spec: InputSpec, value: Array) -> Array:
        """Return the mean or the noise, which only numbers have."""
        if not self._has_noise(spec, value):
            raise SpecError(
                f"'{spec.name}' is {_type(value)}, which has no {kind.value} that means anything",
                where=SETTING,
                hint=Hint("choose {baseline:zero}, or write its input_baselines"),
            )
        if kind is BaselineKind.MEAN:
            return _rounded(self.mean[spec.name], value.dtype)
        return baseline_array(RandomBaseline(seed=self.seed), value.shape[1:], value.dtype, spec)

    @property
    def _kind(self) -> BaselineKind | None:
        return None if self.chosen is None else self.chosen.kind

    @property
    def _sigma_given(self) -> float | None:
        """The blur that the method asks for, in pixels; values that were chosen are not blurred."""
        values = self.chosen is not None and self.chosen.kind is None
        return None if values else self.method.max_blur_sigma

    @cached_property
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
        if self._kind is None:
            wanted = bool(self._sigma_given)
        else:
            wanted = self._kind is BaselineKind.BLUR and spec.name in self.moved
        return wanted and self._is_picture(spec, value)

    def _is_picture(self, spec: InputSpec, value: Array) -> bool:
        numbers = value.dtype != object
        return numbers and is_picture(spec, value.shape[1:], encoded=self._is_behind(spec))

    def _sigma(self, value: Array) -> float:
        """Return the blur in pixels: what was asked for, or in proportion to the picture."""
        if self._sigma_given is not None:
            return self._sigma_given
        shape = value.shape[1:]
        sides = shape[-2:] if is_channels_first(shape) else shape[:2]
        return float(max(sides)) * BLUR_SHARE

    def _encoded(self, model: Encoder, spec: InputSpec, k: int, x: Array, inputs: Tensors) -> Array:
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
        start = {**inputs, key: np.broadcast_to(one, value.shape)}
        encoded = model.encode(start)[spec.name]
        if encoded.shape == x.shape:
            return encoded
        # Beside a longer text, a shorter one is filled up with the model's own padding.
        both = {name: np.concatenate([it, start[name]]) for name, it in inputs.items()}
        found = model.encode_together(both)[spec.name][len(x) : 2 * len(x)]
        if found.shape[1:] != x.shape[1:]:
            raise InstanceError(
                f"the baseline of '{spec.name}' has {found.shape[1:]} numbers behind it, and the "
                f"instance {x.shape[1:]}",
                0,
                hint=Hint("choose a {baseline} that is no longer than the instance"),
            )
        return found


def mean_of(found: Sequence[Tensors], names: Collection[str]) -> dict[str, Array]:
    """Return the mean of all rows of some tensors [n, …], float64 […], by their names.

    What is missing, NaN, does not count. What is not of numbers has none. Raises SpecError where
    there is one row only, or where rows differ in shape.
    """
    count = sum(len(next(iter(it.values()))) for it in found)
    if count < 2:
        raise SpecError(
            "the mean of one instance is that instance",
            where=SETTING,
            hint=Hint("explain several at a time, or choose {baseline:noise}"),
        )
    mean = {}
    for name in sorted(names):
        values = [it[name] for it in found]
        if values[0].dtype.kind not in "fiu":
            continue  # which is said when it is needed
        if len({value.shape[1:] for value in values}) > 1:
            what = f"the instances of '{name}' differ in shape, so that they have no mean"
            raise SpecError(what, where=SETTING, hint=Hint("choose {baseline:noise}"))
        total = np.sum([v.sum(axis=0, dtype=np.float64) for v in values], axis=0)
        if np.isnan(total).any():
            total = np.sum([np.nansum(v, axis=0, dtype=np.float64) for v in values], axis=0)
            there = np.sum([np.sum(~np.isnan(v), axis=0) for v in values], axis=0)
            mean[name] = total / np.maximum(there, 1)
        else:
            mean[name] = total / count
    return mean


def _range(spec: InputSpec) -> str:
    low, high = spec.domain.range if spec.domain else (0.0, 1.0)
    return f"{low:g}..{high:g}"


def _rounded(value: Array, dtype: np.dtype) -> Array:
    return (np.rint(value) if dtype.kind in "iu" else value).astype(dtype)


def _type(value: Array) -> str:
    return "text" if value.dtype == object else value.dtype.name
