"""What a method leaves as it is, and what the graph says of the gradients that it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pellucid.errors import InstanceError, NotDifferentiableError
from pellucid.metadata import BaseMethod, InputSpec
from pellucid.model import Array, Attribution, Obstacle, Tensors, arrays_of
from pellucid.notices import Hint, Notice

# Of a score: what the same row may change by in another batch.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientFacts:
    """What a graph says of the gradients of its output.

    `obstacles` has, for each feature, an operation that stops them on some way, or on all;
    `squasher` is the type of the softmax or sigmoid that the output comes from, if it does.
    """

    obstacles: Mapping[str, Obstacle] = field(default_factory=dict)
    squasher: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLists:
    """Features of records that have no tensor: their `names`, by the inputs that hold them.

    Of these, `followers` go with another one, value by value: the weights of ids do.
    """

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    followers: Mapping[str, str] = field(default_factory=dict)

    def held(self, keys: Sequence[str], specs: Sequence[InputSpec], *, follow: bool) -> list[str]:
        """Return what is held of the inputs `keys`: themselves, or what is not explained of them.

        What is explained is changed with what follows it, if `follow`.
        """
        explained = {spec.name for spec in specs}
        moved = {it for it, leader in self.followers.items() if follow and leader in explained}
        names = (name for key in keys for name in self.names.get(key, (key,)))
        return [name for name in names if name not in explained and name not in moved]

    def said(self, specs: Sequence[InputSpec]) -> list[Notice]:
        """Return what is said of lists that follow one which is explained."""
        explained = {spec.name for spec in specs}
        return [
            Notice(f"'{name}' goes with '{leader}', value by value")
            for name, leader in self.followers.items()
            if leader in explained
        ]


class Differentiated(Protocol):
    """A model and what is known of its gradients."""

    @property
    def differentiable(self) -> frozenset[str]:
        """The features that a gradient can be taken with respect to."""
        ...

    @property
    def obstacles(self) -> Mapping[str, Obstacle]:
        """An operation that stops gradients on their way to each feature, if the graph has one."""
        ...

    def way_out(self) -> Hint | None:
        """Return what to do where no gradient reaches what is explained."""
        ...


def without_gradient(model: Differentiated, specs: Sequence[InputSpec]) -> list[str]:
    """Return the features that no gradient reaches, or only one that is 0 everywhere."""
    reached = model.differentiable
    flat = {name for name, it in model.obstacles.items() if it.whole}
    return [spec.name for spec in specs if spec.name not in reached or spec.name in flat]


def refuse_step(attribution: Attribution, model: Differentiated) -> None:
    """Raise NotDifferentiableError where the output moves and all gradients are 0 by the graph."""
    score, baseline_score = attribution.score, attribution.baseline_score
    scale = np.maximum(np.abs(score), np.abs(baseline_score))
    if (np.abs(score - baseline_score) > ROUNDING * scale).any():
        name = min(attribution.values)
        raise NotDifferentiableError(
            f"the gradient is exactly 0 everywhere between baseline and instance: "
            f"{model.obstacles[name]} on the way from '{name}' to the output is a step, so that "
            "integrated gradients would say that nothing matters",
            hint=model.way_out(),
        )


def refuse_lost(lost: Collection[str], specs: Sequence[InputSpec], model: Differentiated) -> None:
    """Refuse features that were asked for and have no gradient."""
    if not lost:
        return
    said = [
        f"'{s.name}' ({s.encoded_tensor_name or s.tensor_name})" for s in specs if s.name in lost
    ]
    why = {str(it) for name in lost if (it := model.obstacles.get(name)) is not None and it.whole}
    raise NotDifferentiableError(
        f"no gradient reaches {', '.join(said)}, so integrated gradients cannot explain it"
        + (f": {', '.join(sorted(why))} is in the way" if why else ""),
        hint=model.way_out(),
    )


def held_notice(
    lost: Sequence[str],
    beside: Sequence[str],
    method: BaseMethod,
    *,
    explicit: bool = True,
    unreached: Collection[str] = (),
) -> Notice | None:
    """Return what is said of features that a method leaves as they are, None if there are none.

    `lost` are features that the method cannot explain, some `unreached` by gradients, `beside`
    inputs that are no features, as the metadata say or, unless these are `explicit`, as was
    inferred.
    """
    parts = []
    if flat := [it for it in lost if it in unreached]:
        parts.append(f"{_names(flat)}, which no gradient reaches")
    if unfit := [it for it in lost if it not in unreached]:
        parts.append(f"{_names(unfit)}, which {method.title} does not explain")
    if beside:
        left_out = "the metadata do not name" if explicit else "inferred metadata leave out"
        parts.append(f"{_names(beside)}, which {left_out}")
    if not parts:
        return None
    what = f"held as each instance has it, and given no attribution: {'; and '.join(parts)}"
    hint = Hint("{method:sampled-shapley} explains features without a gradient, too")
    return Notice(what, hint=hint if lost else None)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def refuse_missing(tensors: Tensors) -> None:
    """Raise InstanceError where something is missing, of what gradients are taken of."""
    if not _lack_any(tensors):
        return
    for name, value in tensors.items():
        bad = np.flatnonzero(has_nan(value))
        if len(bad):
            raise InstanceError(
                f"has a missing value in '{name}', NaN, and so would be every gradient",
                int(bad[0]),
                hint=Hint("choose {missing:baseline} or {method:sampled-shapley}"),
            )


def has_nan(value: Array) -> Array:
    """Return which rows of an input [n, …] have a missing value, bool [n]."""
    if value.dtype.kind != "f":
        return np.zeros(len(value), bool)
    return np.asarray(np.isnan(value).reshape(len(value), -1).any(axis=1))


def any_nan(tensors: Tensors) -> Array:
    """Return which rows of some inputs [n, …] have a missing value in any, bool [n]."""
    if not _lack_any(tensors):
        return np.zeros(len(next(iter(tensors.values()))), bool)
    return np.asarray(np.any([has_nan(value) for value in tensors.values()], axis=0))


def _lack_any(tensors: Tensors) -> bool:
    """Whether anything is missing at all: of many single numbers, all are looked at together."""
    found = [it for it in arrays_of(tensors) if it.dtype.kind == "f"]
    numbers = [it.ravel() for it in found if it.size == len(it)]
    others = [it for it in found if it.size != len(it)]
    others += [np.concatenate(numbers)] if numbers else []
    return any(bool(np.isnan(it).any()) for it in others)
