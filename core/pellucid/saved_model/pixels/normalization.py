"""The mean and the variance that a batch normalization has seen, where it comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.saved_model.pixels.constants import Constant
from pellucid.saved_model.pixels.scopes import Ref, data_inputs
from pellucid.saved_model.pixels.step import Step

_FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_SUMS = ("Add", "AddV2", "Sub")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Mean and standard deviation, of each channel, of what an operation was trained on."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    where: str


def statistics_of(step: Step) -> Statistics | None:
    """Return what a batch normalization that begins at an operation has seen, or None.

    The scale and the shift that it has learned are not asked for: they say nothing of the input.
    """
    if step.op in _FUSED:
        attributes = step.attributes
        training = "is_training" not in attributes or attributes["is_training"].b
        if step.place or training:
            return None
        epsilon = attributes["epsilon"].f if "epsilon" in attributes else 1e-4
        return _statistics(step, step.constant(3), step.constant(4), epsilon)
    if step.op != "Mul":
        return None
    # As `tf.nn.batch_normalization` writes it: x · inv + (shift − mean · inv), where inv is
    # rsqrt(variance + epsilon), times the scale.
    inverse = _behind(step.ref.scope.resolve(step.inputs[1 - step.place]))
    variance = _variance(step, inverse)
    if variance is None:
        return None
    for read in step.ref.scope.reads(step.ref):
        if read.message.op in _SUMS:
            other = read.scope.resolve(data_inputs(read.message)[1 - read.place])
            mean = _mean(step, _behind(other), inverse)
            if mean is not None:
                return _statistics(step, mean, variance, 0)
    return None


def _statistics(
    step: Step, mean: Constant | None, variance: Constant | None, epsilon: float
) -> Statistics | None:
    means = None if mean is None else mean.numbers
    variances = None if variance is None else variance.numbers
    if not means or not variances or len(means) != len(variances):
        return None
    if min(variances) + epsilon <= 0:
        return None
    deviation = tuple((it + epsilon) ** 0.5 for it in variances)
    return Statistics(mean=means, deviation=deviation, where=step.where)


def _variance(step: Step, inverse: Ref) -> Constant | None:
    """Return the variance, with its epsilon, behind its inverse root times a scale."""
    candidates = [inverse]
    if _op(inverse) == "Mul":
        candidates = [_behind(it) for it in _inputs(inverse)]
    for it in candidates:
        if _op(it) == "Rsqrt":
            return step.value(_inputs(it)[0])
    return None


def _mean(step: Step, addend: Ref, inverse: Ref) -> Constant | None:
    """Return the mean behind shift − mean · inv, or mean · inv alone; −mean is turned over."""
    if _op(addend) == "Sub":
        addend = _behind(_inputs(addend)[1])
    elif _op(addend) == "Neg":
        addend = _behind(_inputs(addend)[0])
    if _op(addend) != "Mul":
        return None
    factors = [_behind(it) for it in _inputs(addend)]
    others = [it for it in factors if it != inverse]
    if len(others) != 1:
        return None
    other = others[0]
    return step.value(_inputs(other)[0] if _op(other) == "Neg" else other)


def _op(ref: Ref) -> str | None:
    message: Any = ref.scope.nodes.find(ref.name)
    return None if message is None else str(message.op)


def _inputs(ref: Ref) -> list[Ref]:
    return [ref.scope.resolve(it) for it in data_inputs(ref.scope.nodes.message(ref.name))]


def _behind(ref: Ref) -> Ref:
    """Return what a cast or an identity was given."""
    while _op(ref) in ("Identity", "Cast", "Reshape"):
        ref = _inputs(ref)[0]
    return ref
