"""A predictor as a `pellucid.model.Model`: what needs predictions alone is answered over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.ahead import in_turn
from pellucid.model import Array, Obstacle, Tensors
from pellucid.notices import Hint
from pellucid.predictor.asking import Asker
from pellucid.predictor.memory import keys_of, memory_of
from pellucid.predictor.signature import gradients_refused
from pellucid.saved_model import Batch

BLOCK_BYTES = 2**25
"""The rows of coalitions that are held at a time."""


@dataclass(frozen=True)
class RemoteModel:
    """One output of a predictor as a function of its inputs.

    `features` are the keys of the inputs that are explained, by feature; `output` is the key of the
    one that is explained, and `names` that of an output with the names of its classes.
    """

    asker: Asker
    inputs: tuple[str, ...]
    features: Mapping[str, str]
    output: str
    names: str | None = None

    backend = "RemotePredictor"
    random_ops: tuple[str, ...] = ()
    mixes_rows = False
    varying = False
    squasher: str | None = None
    differentiable = frozenset[str]()

    @property
    def at_a_time(self) -> int:
        return self.asker.connection.predictor.connections

    @property
    def batch(self) -> Batch:
        return self.asker.batch

    @property
    def absent(self) -> Mapping[str, object]:
        return {}

    @property
    def obstacles(self) -> Mapping[str, Obstacle]:
        return {}

    @property
    def held(self) -> tuple[str, ...]:
        explained = set(self.features.values())
        return tuple(key for key in self.inputs if key not in explained)

    def way_out(self) -> Hint | None:
        return None

    def preprocess(self, request: Tensors) -> dict[str, Array]:
        return dict(request)

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        named = {name: inputs[key] for name, key in self.features.items()}
        return {**named, **{_held(key): inputs[key] for key in self.held}}

    def encode_together(self, inputs: Tensors) -> dict[str, Array]:
        return self.encode(inputs)

    def display_names(self, request: Tensors) -> Array | None:
        return None if self.names is None else self.computed(request)[self.names]

    def computed(self, request: Tensors) -> dict[str, Array]:
        """Return every output, [n, …], for inputs [n, …]; what is known is not asked again."""
        rows = {key: np.asarray(request[key]) for key in self.inputs}
        memory, keys = memory_of(self.asker), keys_of(rows)
        known = memory.known(keys)
        first: dict[bytes, int] = {}
        lacking = [
            row
            for row, key in enumerate(keys)
            if known[row] < 0 and (key is None or first.setdefault(key, row) == row)
        ]
        if len(lacking) == len(keys):
            found = self.asker.ask(rows)
            memory.keep(keys, found)
            return found
        if lacking:
            found = self.asker.ask({key: it[lacking] for key, it in rows.items()})
            memory.keep([keys[row] for row in lacking], found)
        places = memory.known(keys)
        if (places >= 0).all():
            return memory.at(places)
        return self.asker.ask(rows)  # there are more than is remembered

    def predict(self, x: Tensors) -> Array:
        named = {key: x[name] for name, key in self.features.items()}
        return self.computed({**named, **{key: x[_held(key)] for key in self.held}})[self.output]

    def outputs(self, x: Tensors) -> Array:
        found = self.predict(x)
        return found.astype(np.float64).reshape(len(found), -1)

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        raise gradients_refused(self.asker.connection.predictor, "a method of gradients")

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        m = len(next(iter(masks.values())))
        scores = np.empty((len(target), m))
        bytes_ = sum(it[:1].nbytes for it in x.values()) * self.at_a_time
        size = max(1, BLOCK_BYTES // max(1, bytes_))
        asked: dict[int, Array] = {}
        twins = keys_of({**x, **{f"{name} baseline": baseline[name] for name in masks}})
        for i, twin in enumerate(twins):
            # Rows that differ in their target alone are asked once.
            other = next((j for j in asked if twin is not None and twins[j] == twin), None)
            if other is None:
                blocks = (
                    self._mixed(x, baseline, masks, i, j, j + size) for j in range(0, m, size)
                )
                parts = in_turn(self.outputs, blocks, self.at_a_time)
                asked[i] = np.concatenate([*parts])
                other = i
            scores[i] = asked[other][:, target[i]]
        return scores

    def _mixed(
        self, x: Tensors, baseline: Tensors, masks: Tensors, i: int, first: int, last: int
    ) -> dict[str, Array]:
        """Return one instance for some of the coalitions, [m, …]."""
        count = len(next(iter(masks.values()))[first:last])
        rows = {}
        for name, value in x.items():
            if name in masks:
                rows[name] = np.where(masks[name][first:last], value[i], baseline[name][i])
            else:
                rows[name] = np.broadcast_to(value[i], (count, *value.shape[1:]))
            rows[name] = rows[name].astype(value.dtype, copy=False)
        return rows


def _held(key: str) -> str:
    return f"{key} (held)"
