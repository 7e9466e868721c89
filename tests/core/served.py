"""A model that takes requests, from plain numpy: what `Explainer` is tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pellucid.model import Array, FunctionModel, Obstacle, Tensors
from pellucid.notices import Hint


@dataclass(frozen=True)
class ServedFunction:
    """A `FunctionModel` behind the door of a `ServedModel`; `shape` is that of one output."""

    inner: FunctionModel
    shape: tuple[int, ...]
    names: Array | None = None
    random_ops: tuple[str, ...] = ()
    mixes_rows: bool = False
    backend: str = "function"
    held: tuple[str, ...] = ()
    obstacles: Mapping[str, Obstacle] = field(default_factory=dict)
    squasher: str | None = None
    varying: bool = False
    absent: Mapping[str, object] = field(default_factory=dict)

    @property
    def differentiable(self) -> frozenset[str]:
        return self.inner.differentiable

    def way_out(self) -> Hint | None:
        return Hint("use {method:sampled-shapley}")

    def preprocess(self, request: Tensors) -> Tensors:
        return request

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        return dict(inputs)

    def encode_together(self, inputs: Tensors) -> dict[str, Array]:
        return self.encode(inputs)

    def predict(self, x: Tensors) -> Array:
        scores = self.outputs(x)
        return scores.reshape(len(scores), *self.shape)

    def display_names(self, request: Tensors) -> Array | None:
        return self.names

    def outputs(self, x: Tensors) -> Array:
        noise = np.random.default_rng().normal() if self.random_ops else 0.0
        return self.inner.outputs(x) + noise

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        return self.inner.path_gradient(start, stop, nodes, weights, target)

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        return self.inner.coalition_scores(x, baseline, masks, target)
