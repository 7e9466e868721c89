"""What to say of an attribution that should not be trusted as it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Protocol

import numpy as np

from pellucid.explain.held import ROUNDING, GradientFacts
from pellucid.explain.served_model import ServedModel
from pellucid.metadata import BaseMethod
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice

# "approx_error … above 0.05": the services' advice was to take more steps.
ADVISED_ERROR = 0.05
STEPPED_ERROR = 0.5
# The correlation with the coefficients of another seed, below which a map of them is noise.
ADVISED_STABILITY = 0.5
# Of the largest coefficient of a word: words that differ by less count alike.
ALIKE = 0.1
# What a probability is from 1, or from 0, where its gradient is next to nothing.
SATURATED, GONE = 1e-3, 1e-7


def restless(model: ServedModel, x: Tensors, scores: Array) -> tuple[Notice, ...]:
    """Return a notice if a model answers otherwise than `scores`, when it is asked again."""
    # A few draws may be the same by chance, as those of a dropout of four numbers are.
    if not model.random_ops or all(np.array_equal(model.outputs(x), scores) for _ in range(5)):
        return ()
    ops = ", ".join(model.random_ops)
    return (
        Notice(
            f"the model answers differently each time ({ops}), as with augmentation or dropout "
            "left on, or a state that each call changes: the attributions are those of one "
            "draw, and need not add up"
        ),
    )


class Judged(Protocol):
    """An attribution's measure of itself."""

    @property
    def name(self) -> str | None:
        """What the output is called: its class."""
        ...

    @property
    def index(self) -> tuple[int, ...]:
        """The output that was explained; () for a scalar one."""
        ...

    @property
    def values(self) -> Mapping[str, Array]:
        """The attributions of the explained tensors."""
        ...

    @property
    def approx_error(self) -> float | None:
        """The share of the change of the output that is not accounted for, None if undefined."""
        ...

    @property
    def score(self) -> float:
        """The output of the instance."""
        ...

    @property
    def baseline_score(self) -> float:
        """The output of the baseline."""
        ...

    @property
    def diagnostics(self) -> dict[str, float]:
        """What else the method says of itself."""
        ...

    @property
    def evaluations(self) -> int | None:
        """The gradients or paths that were taken."""
        ...

    @property
    def segments(self) -> Mapping[str, Array]:
        """The patches of pictures, where a method works on these."""
        ...

    @property
    def flat(self) -> bool:
        """Whether gradients were all 0, or hidden patches look as they are."""
        ...


def warnings_of(
    labels: Sequence[Judged],
    method: BaseMethod,
    facts: GradientFacts = GradientFacts(),
    leaping: Iterable[Hint | None] = (),
    *,
    noise: bool = True,
) -> list[Notice]:
    """Return a notice for each attribution that is inaccurate or undefined.

    `facts` are what the graph says of gradients, where the method takes them; `leaping` has a hint
    for each of the outputs that change at their baseline alone. `noise` tells whether that can be
    a baseline, which strings do not have.
    """
    found = (
        _notice(label, method, facts, elsewhere, noise)
        for label, elsewhere in zip(labels, chain(leaping, repeat(None)), strict=False)
    )
    return [notice for notice in found if notice is not None]


def _notice(
    label: Judged, method: BaseMethod, facts: GradientFacts, elsewhere: Hint | None, noise: bool
) -> Notice | None:
    of = f" for output {list(label.index)}" if label.index else ""
    if label.name is not None:
        of = f" for '{label.name}'"
    if "stability" in label.diagnostics:
        return _of_patches(label, of) if label.segments else _of_words(label, of)
    error, tolerance = label.approx_error, method.tolerance
    if error is None and label.score != label.baseline_score:
        one = method.counts.removesuffix("s")
        what = f"approx_error is undefined{of}: a single {one} has no spread"
        return Notice(what, hint=_more(method), kind="no spread")
    if error is None or _is_rounding(label):
        what = (
            f"the output equals that of the baseline{of}: there is nothing to attribute, and "
            "approx_error is undefined"
        )
        if not noise:
            return Notice(what, kind="nothing")
        dead = "its gradient is 0 all the way, as of a score that is dead; " * label.flat
        hint = Hint("{dead}choose another baseline, as {baseline:noise}", dead=dead)
        return Notice(what, hint=hint, kind="nothing")
    # What the graph says is certain, and goes before what two points on the way look like.
    if elsewhere is not None and _of_graph(label, facts, method) is None:
        what = (
            f"approx_error is {error:.3g}{of}: the output changes at the baseline and not between "
            "it and the instance, as where the input is normalised first (layer or L2 "
            "normalisation), so that no number of steps helps"
        )
        return Notice(what, hint=elsewhere, kind="at the baseline alone", badness=error)
    if tolerance is not None and not label.flat:
        missed = _missed(label, error, tolerance, of, method, facts.squasher)
        if missed is not None:
            return missed
    if error > ADVISED_ERROR:
        why, advice = _advice(label, error, method, facts)
        what = f"approx_error is {error:.3g}{of}, above {ADVISED_ERROR}: {why}"
        return Notice(what, hint=advice, kind="approx_error", badness=error)
    return None


def _missed(
    label: Judged,
    error: float,
    tolerance: float,
    of: str,
    method: BaseMethod,
    squasher: str | None,
) -> Notice | None:
    """Return what is said of a tolerance that was not reached, None where it was."""
    estimated = label.diagnostics.get("quadrature_error", 0.0)
    value, measure = max((error, "approx_error"), (estimated, "quadrature_error"))
    if not value > tolerance:
        return None
    what = (
        f"{measure} is {value:.3g}{of}, above the tolerance of {tolerance:g}, after "
        f"{label.evaluations} {method.counts}"
    )
    hint = Hint("raise {max_steps}")
    saturated = "" if method.sampled else _saturated(label, squasher)
    if saturated:
        # The path is flat but for a jump, and what is before the squashing is not.
        what = f"{what}: {saturated}"
        hint = _unsquashed(method)
    return Notice(what, hint=hint, kind="tolerance", badness=value)


def _of_patches(label: Judged, of: str) -> Notice | None:
    """Return what is said of coefficients of patches, None if they are as good as any."""
    if label.flat:
        what = f"hidden patches are painted as the picture is{of}: there is nothing to attribute"
        return Notice(what)
    if not any(value.any() for value in label.values.values()):
        what = f"the output is the same whichever patches are hidden{of}: nothing to attribute"
        return Notice(what)
    stability = label.diagnostics["stability"]
    if stability >= ADVISED_STABILITY:
        return None
    what = f"the stability is {stability:.2g}: with another seed, the coefficients would be others"
    hint = Hint("raise {samples}, or take larger patches with {segmentation:slic}")
    return Notice(what, hint=hint, kind="stability", badness=-stability)


def _of_words(label: Judged, of: str) -> Notice | None:
    """Return what is said of coefficients of words, None if they are as good as any."""
    if not any(value.any() for value in label.values.values()):
        return Notice(
            f"the output is the same whichever words are left out{of}: nothing to attribute"
        )
    stability = label.diagnostics["stability"]
    # Of words that count alike, what little is left to correlate says nothing.
    if not stability < ADVISED_STABILITY or _alike(label.values.values()):
        return None
    what = f"the stability is {stability:.2g}: with another seed, the coefficients would be others"
    return Notice(what, hint=Hint("raise {samples}"), kind="stability", badness=-stability)


def _alike(values: Iterable[Array]) -> bool:
    """Whether numbers differ by less than a tenth of the largest."""
    found = [float(it) for value in values for it in value.flat]
    return max(found) - min(found) < max(map(abs, found)) * ALIKE


# What to raise of a method, by what buys accuracy with time.
_MORE = {
    "steps": Hint("raise {steps} or choose another {baseline}"),
    "paths": Hint("raise {paths}"),
}


def _more(method: BaseMethod) -> Hint | None:
    if method.tolerance is not None:
        return Hint("lower {tolerance}")
    setting = "" if method.effort is None else method.effort.setting
    # Neither noise nor the errors of single values go with a tolerance.
    if setting == "steps" and method.smooth_grad is None and not method.errors:
        return Hint(
            "refine with {tolerance:{share}}, raise {steps} or choose another {baseline}",
            share=ADVISED_ERROR,
        )
    return _MORE.get(setting)


def _advice(
    label: Judged, error: float, method: BaseMethod, facts: GradientFacts
) -> tuple[str, Hint | None]:
    if method.sampled:
        return (
            "the attributions are uncertain by that share of the change of the output",
            _more(method),
        )
    if error <= STEPPED_ERROR:
        return "the attributions do not add up to the change of the output", _more(method)
    return _of_graph(label, facts, method) or (
        _zero(label) or "the attributions hardly explain the change of the output",
        _otherwise(method),
    )


def _otherwise(method: BaseMethod) -> Hint:
    """Return what to do where gradients tell next to nothing."""
    if method.tolerance is not None:
        return Hint(
            "raise {max_steps} or choose another {baseline}; {method:sampled-shapley} needs no "
            "gradients"
        )
    return Hint(
        "raise {steps} or choose another {baseline}; {method:sampled-shapley} needs no gradients"
    )


def _of_graph(label: Judged, facts: GradientFacts, method: BaseMethod) -> tuple[str, Hint] | None:
    """Return why gradients hardly explain an output, as far as its graph tells, and what would."""
    saturated = _saturated(label, facts.squasher)
    if saturated:
        return (
            f"{_zero(label) or 'the gradient is nearly 0 on most of the way'}, as {saturated}",
            _unsquashed(method),
        )
    for name, obstacle in facts.obstacles.items():
        if name in label.values:
            return (
                f"part of the way from '{name}' to the output passes {obstacle}, which has no "
                "gradient",
                Hint("{method:sampled-shapley} needs none"),
            )
    return None


def _unsquashed(method: BaseMethod) -> Hint:
    if method.tolerance is not None:
        return Hint("explain the score before it with {logits:True}, or raise {max_steps}")
    return Hint("explain the score before it with {logits:True}, or take more {steps}")


def _zero(label: Judged) -> str:
    return "the gradient is 0 at each point that was asked" if label.flat else ""


def _saturated(label: Judged, squasher: str | None) -> str:
    """Say where the output is so near to an end of its softmax or sigmoid that nothing moves it."""
    if squasher is None:
        return ""
    name = "sigmoid" if squasher == "Sigmoid" else "softmax"
    for place, score in (("instance", label.score), ("baseline", label.baseline_score)):
        share = math.exp(min(score, 0)) if squasher == "LogSoftmax" else score
        # A share of a thousand classes may be small: only next to nothing is the end.
        if not GONE < share < 1 - SATURATED:
            return f"the {name} of the output is saturated at the {place} ({score:.6g})"
    return ""


def _is_rounding(label: Judged) -> bool:
    """Whether nothing is attributed, and the two scores differ as two blocks of rows may."""
    scale = max(abs(label.score), abs(label.baseline_score))
    near = abs(label.score - label.baseline_score) <= ROUNDING * scale
    return near and not any(value.any() for value in label.values.values())
