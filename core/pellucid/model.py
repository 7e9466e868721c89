"""What a method may ask: a `Model` answers a few numerical questions about arrays.

Everything is batch-first. `FunctionModel` is the executable definition of the questions, in plain
numpy; the compiled model answers the same ones and is tested against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.ahead import at_a_time

Array: TypeAlias = NDArray[Any]
Tensors: TypeAlias = Mapping[str, Array]
"""Feature name → array [n, …], one row for each instance."""


class Rows(dict[str, Array]):
    """Arrays [n, …] by name whose rows are taken one by one."""

    @cached_property
    def lists(self) -> list[tuple[Any, ...]]:
        """The rows, [n], each with the value of each name as nested lists, or as a number."""
        return [*zip(*(it.tolist() for it in self.values()), strict=True)]

    @cached_property
    def numbers(self) -> list[tuple[Any, ...]]:
        """The rows, [n], each with the number of each name, where all are single ones."""
        return [*zip(*(it.ravel().tolist() for it in self.values()), strict=True)]

    @cached_property
    def names(self) -> list[str]:
        """The names, in their order."""
        return [*self]

    @cached_property
    def joined(self) -> Array | None:
        """All as one array, [k, n, …], None where they differ in shape."""
        alike = len({(it.shape, it.dtype) for it in self.values()}) == 1
        return np.stack([*self.values()]) if alike else None

    @cached_property
    def order(self) -> Array | None:
        """The places of the names, those first whose number is the largest, int [n, k].

        None where not all are single numbers.
        """
        if self.largest != 1 or self.joined is None:
            return None
        sizes = np.abs(self.joined.reshape(len(self), -1).T)
        return np.argsort(-sizes, axis=1, kind="stable")

    @cached_property
    def largest(self) -> int:
        """How many elements a row has at most of one name."""
        return max((it[:1].size for it in self.values()), default=0)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rows, (dict(self),)


class TensorsOfRow(Mapping[str, Array]):
    """The arrays of one instance: row `row` of arrays [n, …], by name."""

    __slots__ = ("arrays", "row")

    def __init__(self, arrays: Rows, row: int) -> None:
        self.arrays, self.row = arrays, row

    def __getitem__(self, name: str) -> Array:
        found: Array = self.arrays[name][self.row, ...]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # of many rows, only this one travels

    def listed(self) -> dict[str, Any]:
        """Return the arrays as nested lists and numbers."""
        row = self.arrays.lists[self.row] if self.arrays else ()
        return dict(zip(self.arrays, row, strict=True))


@dataclass(frozen=True)
class Layout:
    """How tensors stand side by side in one array [n, m]: their names, and the shapes of a row."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @cached_property
    def places(self) -> dict[str, tuple[slice, tuple[int, ...]]]:
        """Where each tensor stands, and its shape."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes]).tolist()
        begins = [0, *ends[:-1]]
        some = (slice(begin, end) for begin, end in zip(begins, ends, strict=True))
        return dict(zip(self.names, zip(some, self.shapes, strict=True), strict=True))

    def joined(self, tensors: Tensors) -> Array:
        """Return the tensors [n, …] as one array [n, m]: the one that they are parts of, if any."""
        if isinstance(tensors, Parted) and tensors.layout.places.keys() >= self.places.keys():
            columns = _columns(tensors.layout, self)
            return tensors.whole if columns is None else tensors.whole[:, columns]
        flat = [tensors[name] for name in self.names]
        flat = [it if it.ndim == 2 else it.reshape(len(it), -1) for it in flat]
        return np.concatenate(flat, axis=1)


@lru_cache(64)
def _columns(layout: Layout, other: Layout) -> Array | None:
    """Return the columns of one layout in the order of another, None where it is the same."""
    if layout == other:
        return None
    places = np.arange(sum(map(math.prod, layout.shapes)))
    return np.concatenate([places[layout.places[name][0]] for name in other.names])


class Parted(Mapping[str, Array]):
    """Tensors [n, …] that are parts of one array [n, m], by name, and `others` beside them."""

    __slots__ = ("layout", "others", "whole")

    def __init__(self, whole: Array, layout: Layout, others: Tensors | None = None) -> None:
        self.whole, self.layout, self.others = whole, layout, others or {}

    def __getitem__(self, name: str) -> Array:
        if name not in self.layout.places:
            return self.others[name]
        place, shape = self.layout.places[name]
        return self.whole[:, place].reshape(len(self.whole), *shape)

    def __iter__(self) -> Iterator[str]:
        yield from self.layout.names
        yield from self.others

    def __len__(self) -> int:
        return len(self.layout.names) + len(self.others)

    def __contains__(self, name: object) -> bool:
        return name in self.layout.places or name in self.others

    @property
    def arrays(self) -> list[Array]:
        """The arrays that hold the tensors, [n, …]."""
        return [self.whole, *self.others.values()]

    def taken(self, rows: Array | slice) -> Parted:
        """Return some of the rows."""
        others = {name: value[rows] for name, value in self.others.items()}
        return Parted(self.whole[rows], self.layout, others)


def arrays_of(tensors: Tensors) -> list[Array]:
    """Return the arrays that hold tensors [n, …], which may be fewer than these."""
    return tensors.arrays if isinstance(tensors, Parted) else [*tensors.values()]


def rows_taken(tensors: Tensors, rows: Array | slice) -> Tensors:
    """Return some rows of tensors [n, …]."""
    if isinstance(tensors, Parted):
        return tensors.taken(rows)
    return {name: value[rows] for name, value in tensors.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What one method says about one output of n instances.

    `values` has the shapes of the explained tensors; `score` is f(x) and `baseline_score` the mean
    of f(x') over the baselines, both [n]; `target` is the flat index of the output, [n];
    `approx_error` is [n], NaN where f(x) = f(x'), or None for a method that has no such measure;
    `evaluations` [n] counts the gradients that were taken, where that was left to the method;
    `ranks` are those of an image's regions, [n, h, w], 1 for the best; `segments` [n, h, w] say
    which patch a pixel is in, counted from 0, where a method works on patches; `flat` [n] tells
    where a method had nothing to go by, gradients that are all 0, or hidden patches that look as
    they are; `diagnostics` [n] each are what else a method says of itself. `errors` are shaped as
    `values`: the standard error of each, where these were sampled, or how far another rule of
    quadrature is from it, with its sign; they add up where values do that belong together.
    """

    values: Tensors
    score: Array
    baseline_score: Array
    target: Array
    approx_error: Array | None
    evaluations: Array | None = None
    ranks: Tensors = field(default_factory=dict)
    segments: Tensors = field(default_factory=dict)
    flat: Array | None = None
    diagnostics: Tensors = field(default_factory=dict)
    errors: Tensors = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """An operation between a feature and the output that passes no gradient on, or one of 0.

    `node` is its name and `op` its type; `whole` tells that no other way leads to the output.
    """

    node: str
    op: str
    whole: bool

    def __str__(self) -> str:
        return f"operation '{self.node}' ({self.op})"


class Model(Protocol):
    """The questions. Rows are independent: a row's answer never depends on its neighbours."""

    @property
    def differentiable(self) -> frozenset[str]:
        """The features that a gradient can be taken with respect to; the others are held."""
        ...

    def outputs(self, x: Tensors) -> Array:
        """Return every output of every instance, float64 [n, k] (k = the flattened output)."""
        ...

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> Tensors:
        """Return Σ_k w_k ∇f_t(start + a_k (stop − start)) for each of n straight paths.

        `start` and `stop` are [n, …]; `nodes` a and `weights` w are [m] or [n, m]; `target` t is
        [n]. Returns float64 arrays [n, …] for the differentiable features.
        """
        ...

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        """Return f_t of x where a mask is true and of the baseline where it is false, [n, m].

        `masks` are boolean, [m, …] with trailing axes that broadcast against one instance.
        """
        ...


@dataclass(frozen=True, slots=True)
class ContrastModel:
    """A `Model` of differences: its output t is f_t − f_c, for the output c of another one.

    Both are asked for at the same points: a model that goes forward once for them takes a second
    gradient, and no second score.
    """

    model: Model
    contrast: int

    @property
    def at_a_time(self) -> int:
        return at_a_time(self.model)

    @property
    def differentiable(self) -> frozenset[str]:
        return self.model.differentiable

    def outputs(self, x: Tensors) -> Array:
        found = self.model.outputs(x)
        return np.asarray(found - found[:, self.contrast, np.newaxis])

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        nodes, weights = (
            it if np.ndim(it) < 2 else np.repeat(it, 2, axis=0) for it in (nodes, weights)
        )
        both = self.model.path_gradient(
            _twice(start), _twice(stop), nodes, weights, self._both(target)
        )
        return {name: value[::2] - value[1::2] for name, value in both.items()}

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        both = self.model.coalition_scores(_twice(x), _twice(baseline), masks, self._both(target))
        return np.asarray(both[::2] - both[1::2])

    def _both(self, target: Array) -> Array:
        """Return each target, [n], with the other output behind it, [2 n]."""
        return np.stack([target, np.full_like(target, self.contrast)], axis=1).ravel()


def _twice(tensors: Tensors) -> dict[str, Array]:
    return {name: np.repeat(value, 2, axis=0) for name, value in tensors.items()}


@dataclass(frozen=True, slots=True)
class FunctionModel:
    """A `Model` from two numpy functions: the definition that the tests stand on.

    `function` maps Tensors to [n, k]; `gradient` maps (Tensors, target [n]) to Tensors, ∇f_t.
    """

    function: Callable[[Tensors], Array]
    gradient: Callable[[Tensors, Array], Tensors]
    differentiable: frozenset[str]

    def outputs(self, x: Tensors) -> Array:
        return np.asarray(self.function(x), np.float64)

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        n = len(target)
        nodes, weights = (np.broadcast_to(a, (n, np.shape(a)[-1])) for a in (nodes, weights))
        total = {name: np.zeros(np.shape(stop[name])) for name in self.differentiable}
        for a, w in zip(nodes.T, weights.T, strict=True):
            point = {
                name: start[name] + _rows(a, stop[name]) * (stop[name] - start[name])
                if name in self.differentiable
                else stop[name]
                for name in stop
            }
            gradient = self.gradient(point, target)
            for name in total:
                total[name] += _rows(w, stop[name]) * gradient[name]
        return total

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        m = len(next(iter(masks.values())))
        scores = np.empty((len(target), m))
        for j in range(m):
            mixed = {
                name: np.where(masks[name][j], x[name], baseline[name])
                if name in masks
                else x[name]
                for name in x
            }
            scores[:, j] = self.outputs(mixed)[np.arange(len(target)), target]
        return scores


@dataclass(frozen=True, slots=True)
class HoldingModel:
    """A `Model` of which fewer features are `differentiable`: the others are held, too."""

    model: Model
    differentiable: frozenset[str]

    @property
    def at_a_time(self) -> int:
        return at_a_time(self.model)

    def outputs(self, x: Tensors) -> Array:
        return self.model.outputs(x)

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        ends = {
            name: it if name in self.differentiable else stop[name] for name, it in start.items()
        }
        found = self.model.path_gradient(ends, stop, nodes, weights, target)
        return {name: it for name, it in found.items() if name in self.differentiable}

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        return self.model.coalition_scores(x, baseline, masks, target)


def _rows(values: Array, like: Array) -> Array:
    """Reshape [n] so that it broadcasts over the trailing axes of `like` [n, …]."""
    return values.reshape((-1,) + (1,) * (np.ndim(like) - 1))
