"""A SavedModel as a `pellucid.model.Model`: load it, find its tensors, compile the questions.

There are three roads to an answer (`graph_road`, `object_road`, `loader_road`), tried in this
order; the next one is taken when a road cannot carry the model. Work is cut into blocks of rows
that fit the memory; a block is halved when the device runs out of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from pellucid.errors import InstanceError, ModelError, PellucidError
from pellucid.graph_road import GraphRoad, Preprocessor
from pellucid.loader_road import LoaderRoad
from pellucid.model import Array, Tensors
from pellucid.object_road import ObjectRoad
from pellucid.questions import Batch, Operand
from pellucid.quiet_tensorflow import tf
from pellucid.road import Plan, Road, Unsupported, held

ROADS: tuple[Callable[[Plan], Road], ...] = (GraphRoad, ObjectRoad, LoaderRoad)
# What TensorFlow raises when it cannot import, differentiate or run a graph.
FAILURES = (
    Unsupported,
    tf.errors.OpError,
    ValueError,
    TypeError,
    KeyError,
    LookupError,
    AttributeError,
    RuntimeError,
    NotImplementedError,
    AssertionError,
)
MEMORY = {"cpu": 2**30, "gpu": 4 * 2**30}
MAX_ROWS = 1024

Answer = TypeVar("Answer")


class TensorFlowModel:
    """One output of one signature as a function of its explained tensors, compiled.

    `operands` are what the output depends on: the explained features, and request inputs that are
    held. `traces` counts how often each question was compiled: once, whatever the rows.
    """

    def __init__(
        self,
        plan: Plan,
        preprocessor: Preprocessor | None = None,
        names: Preprocessor | None = None,
    ) -> None:
        self.plan = plan
        self._preprocessor = preprocessor
        self._names = names
        self._roads = list(ROADS)
        self._failures: list[str] = []
        self._road = self._next_road()
        self._rows: int | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        return self._road.operands

    @property
    def road(self) -> str:
        """The road that is taken: ``GraphRoad``, ``ObjectRoad`` or ``LoaderRoad``."""
        return type(self._road).__name__

    @property
    def random_ops(self) -> tuple[str, ...]:
        """The ops that draw new random numbers at each call: such a model repeats no answer."""
        return self._road.random_ops

    @property
    def traces(self) -> Counter[str]:
        return self._road.traces

    @property
    def differentiable(self) -> frozenset[str]:
        return self._try(lambda road: road.gradients_reach())

    def preprocess(self, request: Tensors) -> dict[str, Array]:
        """Return the signature's inputs, [n, …], from a request's arrays [n, …].

        ``xai_preprocess``, where the model has it, runs here, and is not differentiated.
        """
        before = self._preprocessor
        if before is None:
            return dict(request)
        return self._gathered(len(_any(request)), request, before.encode, Batch())

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands, [n, …]: explained tensors behind the inputs are computed."""
        n = len(_any(inputs))
        self._check_shared(inputs)
        return self._try(lambda road: self._gathered(n, inputs, road.encode, self.plan.batch))

    def display_names(self, request: Tensors) -> Array | None:
        """Return the outputs' names, [n, …], where another output of the model carries them."""
        if self._names is None:
            return None
        (names,) = self._names.encode(request).values()
        return names

    def predict(self, x: Tensors) -> Array:
        """Return the output for n instances in the model's own shape and dtype, [n, …]."""
        n = len(_any(x))

        def run(road: Road) -> Array:
            def answer(rows: Tensors) -> dict[str, Array]:
                output = np.asarray(road.outputs(rows))
                if output.shape[:1] != (len(_any(rows)),):
                    raise ModelError(
                        f"the output '{self.plan.output}' has shape {list(output.shape)} for "
                        f"{len(_any(rows))} instances: its first axis is not the batch"
                    )
                return {"": output}

            return self._gathered(n, x, answer, self.plan.batch)[""]

        return self._try(run)

    def outputs(self, x: Tensors) -> Array:
        return self.predict(x).astype(np.float64).reshape(len(_any(x)), -1)

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        shape = len(target), np.shape(nodes)[-1]
        nodes, weights = (np.broadcast_to(a, shape).astype(np.float64) for a in (nodes, weights))
        path, column = np.nonzero(weights)

        def run(road: Road) -> dict[str, Array]:
            sums = {name: np.zeros(np.shape(stop[name])) for name in road.gradients_reach()}
            for rows, count in self._blocks(len(path), self.plan.batch):
                p, k = path[rows], column[rows]
                ends = slice(p[0], p[-1] + 1)
                weight = weights[p, k]
                weight[count:] = 0.0
                part = road.path_gradient(
                    {o.name: start[o.name][ends] for o in road.operands if o.real},
                    {o.name: stop[o.name][ends] for o in road.operands},
                    (p - p[0]).astype(np.int32),
                    nodes[p, k],
                    weight,
                    target[p].astype(np.int64),
                )
                for name, value in part.items():
                    sums[name][ends] += value
            return sums

        return self._try(run)

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        n, m = len(target), len(_any(masks))
        instance, coalition = (a.ravel() for a in np.indices((n, m)))

        def run(road: Road) -> Array:
            explained = [o.name for o in road.operands if o.explained]
            wheres = {
                name: masks[name]
                if name in masks
                else np.ones((m,) + (1,) * (x[name].ndim - 1), bool)
                for name in explained
            }
            scores = np.empty(n * m)
            for rows, count in self._blocks(n * m, self.plan.batch):
                i = instance[rows]
                ends = slice(i[0], i[-1] + 1)
                scores[rows[:count]] = road.coalition_scores(
                    {o.name: x[o.name][ends] for o in road.operands},
                    {name: baseline[name][ends] for name in explained},
                    wheres,
                    (i - i[0]).astype(np.int32),
                    coalition[rows].astype(np.int32),
                    target[i].astype(np.int64),
                )[:count]
            return scores.reshape(n, m)

        return self._try(run)

    def _check_shared(self, inputs: Tensors) -> None:
        shared = {operand.name for operand in self.operands if operand.shared}
        for key, values in inputs.items():
            if shared & {key, held(key)} and len(np.unique(values)) > 1:
                raise InstanceError(
                    f"input '{key}' is one value for a whole batch, and the instances "
                    "differ in it; explain them one by one"
                )

    # Blocks

    def _blocks(self, total: int, batch: Batch) -> Iterator[tuple[Array, int]]:
        """Yield (row numbers, how many of them count); a fixed batch is filled up with repeats.

        The size is looked up anew for each block, since it is halved when memory runs out.
        """
        first = 0
        while first < total:
            size = batch.rows or (self._block_rows() if batch.axis else 1)
            count = min(size, total - first)
            filled = np.arange(first, first + (batch.rows or count))
            yield np.minimum(filled, total - 1), count
            first += count

    def _block_rows(self) -> int:
        if self._rows is None:
            # A gradient keeps the activations of the way forward, and as much again on the way back.
            row = 2 * (self._road.row_bytes() or 64 * sum(map(_bytes, self.operands)) or 1)
            memory = MEMORY["gpu" if tf.config.list_physical_devices("GPU") else "cpu"]
            self._rows = int(np.clip(2 ** int(np.log2(max(1, memory // row))), 1, MAX_ROWS))
        return self._rows

    def _gathered(
        self, n: int, x: Tensors, ask: Callable[[Tensors], Mapping[str, Array]], batch: Batch
    ) -> dict[str, Array]:
        """Ask block by block and put the answers together, [n, …]."""
        parts: list[dict[str, Array]] = []
        for rows, count in self._blocks(n, batch):
            answer = ask({name: value[rows] for name, value in x.items()})
            parts.append({name: value[:count] for name, value in answer.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    # Roads

    def _try(self, run: Callable[[Road], Answer]) -> Answer:
        """Run on the road at hand, with smaller blocks or on the next road if that fails."""
        while True:
            try:
                return run(self._road)
            except PellucidError:
                raise
            except tf.errors.ResourceExhaustedError as error:
                if self.plan.batch.rows or not self.plan.batch.axis or self._block_rows() == 1:
                    raise ModelError("the device has not enough memory for a single row") from error
                self._rows = self._block_rows() // 2
            except FAILURES as error:
                self._failures.append(_sentence(error))
                self._road = self._next_road()

    def _next_road(self) -> Road:
        while self._roads:
            try:
                return self._roads.pop(0)(self.plan)
            except PellucidError:
                raise
            except FAILURES as error:
                self._failures.append(_sentence(error))
        reasons = "; ".join(dict.fromkeys(self._failures))
        raise ModelError(f"{self.plan.directory}: TensorFlow cannot run this model: {reasons}")


def batch_of(
    inputs: Sequence[Sequence[int | None] | None], output: Sequence[int | None] | None
) -> Batch:
    """Return how a signature takes rows, from the declared shapes of its inputs and its output.

    A first axis of unknown size is the batch; one of fixed size is too if the output's agrees with
    it; else there is no batch axis, and an instance is the whole input.
    """
    shapes = [shape for shape in inputs if shape is None or len(shape) > 0]
    if not shapes:
        return Batch(axis=not inputs)
    first = {None if shape is None else shape[0] for shape in shapes}
    if None in first:
        fixed = first - {None}
        return Batch(rows=fixed.pop() if len(fixed) == 1 else None)
    rows = first.pop()
    agrees = output is None or (len(output) > 0 and output[0] in (None, rows))
    return Batch(axis=False) if first or not agrees else Batch(rows=rows)


def _any(tensors: Tensors) -> Array:
    return next(iter(tensors.values()))


def _bytes(operand: Operand) -> int:
    return int(np.prod([n or 224 for n in operand.shape or ()], dtype=np.int64)) * 4


def _sentence(error: Exception) -> str:
    """Return the line of a TensorFlow error that says what happened, and where."""
    text = str(error)
    node = re.search(r"{{node ([^}]+)}}", text)
    noise = ("Graph execution error", "Detected at node", "\t", " ", "[[", "Traceback")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(noise)]
    line = (lines[0] if lines else text or type(error).__name__).strip().rstrip(".")
    return f"{line} (at '{node[1]}')" if node and node[1] not in line else line
