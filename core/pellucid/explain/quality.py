"""What to say of an attribution that should not be trusted as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Protocol

from pellucid.metadata import BaseMethod
from pellucid.model import Array
from pellucid.notices import Hint, Notice

# "approx_error … above 0.05": the services' advice was to take more steps.
ADVISED_ERROR = 0.05
STEPPED_ERROR = 0.5
# The correlation with the coefficients of another seed, below which a map of them is noise.
ADVISED_STABILITY = 0.5


class Judged(Protocol):
    """An attribution's measure of itself."""

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


def warnings_of(
    labels: Sequence[Judged],
    method: BaseMethod,
    held: Sequence[str],
    leaping: Iterable[Hint | None] = (),
) -> list[Notice]:
    """Return a notice for each attribution that is inaccurate or undefined.

    `held` are the features that have no gradient and were left as they are; `leaping` has a
    hint for each of the outputs that change at their baseline alone.
    """
    found = (
        _notice(label, method, held, elsewhere)
        for label, elsewhere in zip(labels, chain(leaping, repeat(None)), strict=False)
    )
    return [notice for notice in found if notice is not None]


def _notice(
    label: Judged, method: BaseMethod, held: Sequence[str], elsewhere: Hint | None
) -> Notice | None:
    stability = label.diagnostics.get("stability")
    if stability is not None:
        what = (
            f"the stability is {stability:.2g}: with another seed, the coefficients would be others"
        )
        hint = Hint("raise {samples}, or take larger patches with {segmentation:slic}")
        return None if stability >= ADVISED_STABILITY else Notice(what, hint=hint)
    of = f" for output {list(label.index)}" if label.index else ""
    error, tolerance = label.approx_error, method.tolerance
    if error is None and label.score != label.baseline_score:
        one = method.counts.removesuffix("s")
        what = f"approx_error is undefined{of}: a single {one} has no spread"
        return Notice(what, hint=_more(method))
    if error is None or _is_rounding(label):
        what = (
            f"the output equals that of the baseline{of}: there is nothing to attribute, and "
            "approx_error is undefined"
        )
        return Notice(what, hint=Hint("choose another baseline, as {baseline:noise}"))
    if elsewhere is not None:
        what = (
            f"approx_error is {error:.3g}{of}: the output changes at the baseline and not between "
            "it and the instance, as where the input is normalised first (layer or L2 "
            "normalisation), so that no number of steps helps"
        )
        return Notice(what, hint=elsewhere)
    if tolerance is not None and error > tolerance:
        what = (
            f"approx_error is {error:.3g}{of}, above the tolerance of {tolerance:g}, after "
            f"{label.evaluations} {method.counts}"
        )
        return Notice(what, hint=Hint("raise {max_steps}"))
    if error > ADVISED_ERROR:
        why, advice = _advice(error, method, held)
        return Notice(f"approx_error is {error:.3g}{of}, above {ADVISED_ERROR}: {why}", hint=advice)
    return None


# What to raise of a method, by what buys accuracy with time.
_MORE = {
    "steps": Hint("raise {steps} or choose another {baseline}"),
    "paths": Hint("raise {paths}"),
}


def _more(method: BaseMethod) -> Hint | None:
    return None if method.effort is None else _MORE.get(method.effort.setting)


def _advice(error: float, method: BaseMethod, held: Sequence[str]) -> tuple[str, Hint | None]:
    if method.sampled:
        return (
            "the attributions are uncertain by that share of the change of the output",
            _more(method),
        )
    if held:
        names = ", ".join(f"'{name}'" for name in held)
        return (
            "they do not explain the whole change",
            Hint(
                "what has no gradient was held ({names}): {method:sampled-shapley} explains it too",
                names=names,
            ),
        )
    if error > STEPPED_ERROR:
        return (
            "the attributions hardly explain the change of the output, as where inputs pass "
            "through buckets, roundings or casts",
            Hint("{method:sampled-shapley} needs no gradients"),
        )
    return (
        "the attributions do not add up to the change of the output",
        _more(method),
    )


def _is_rounding(label: Judged) -> bool:
    """Whether nothing is attributed, and the two scores differ as two blocks of rows may."""
    scale = max(abs(label.score), abs(label.baseline_score))
    near = abs(label.score - label.baseline_score) <= 1e-6 * scale
    return near and not any(value.any() for value in label.values.values())
