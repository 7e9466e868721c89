"""A SavedModel as a `pellucid.model.Model`: load it, find its tensors, compile the questions.

There are three backends (`flat_graph`, `function`, `v1_loader`), tried in this order; the next one
is taken when a backend cannot carry the model. Work is cut into blocks of rows
that fit the memory; a block is halved when the device runs out of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import InstanceError, ModelError, PellucidError
from pellucid.model import Array, Tensors
from pellucid.notices import Where
from pellucid.runtime.backends.base import Backend, CompileSpec, held
from pellucid.runtime.backends.flat_graph import FlatGraphBackend, GraphFunction
from pellucid.runtime.backends.function import FunctionBackend
from pellucid.runtime.backends.v1_loader import V1LoaderBackend
from pellucid.runtime.engine.failures import DATA, FAILURES, sentence
from pellucid.runtime.engine.kernels import Operand
from pellucid.runtime.engine.row_batches import RowBatches, cuts, parallel_batches_of, side_by_side
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import Batch

BACKENDS: tuple[Callable[[CompileSpec], Backend], ...] = (
    FlatGraphBackend,
    FunctionBackend,
    V1LoaderBackend,
)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Rows:
    """The numbers of a block's rows; `count` of them count, the others fill it up."""

    rows: Array
    count: int


class TensorFlowModel:
    """One output of one signature as a function of its explained tensors, compiled.

    `operands` are what the output depends on: the explained features, and request inputs that are
    held. `traces` counts how often each question was compiled: once, whatever the rows.
    """

    def __init__(
        self,
        compile_spec: CompileSpec,
        preprocessor: Callable[[], GraphFunction | None] = lambda: None,
        names: Callable[[], GraphFunction | None] = lambda: None,
    ) -> None:
        self.compile_spec = compile_spec
        self._backends = list(BACKENDS)
        self._answered: set[str] = set()
        self._failures: list[str] = []
        self._cut, self._parallel_batches = RowBatches(1, 1), parallel_batches_of(1)
        self._backend = self._next_backend()
        # The first session decides how many threads an operation has: that is the network's.
        self._preprocessor, self._names = preprocessor(), names()
        # Threads ask in turns: the device is used whole, and a backend is changed for all of them.
        self._turn = RLock()

    @property
    def operands(self) -> tuple[Operand, ...]:
        return self._backend.operands

    @property
    def backend(self) -> str:
        """The class of the backend that is taken, such as ``FlatGraphBackend``."""
        return type(self._backend).__name__

    @property
    def random_ops(self) -> tuple[str, ...]:
        """The ops that draw new random numbers at each call: such a model repeats no answer."""
        return self._backend.random_ops

    @property
    def traces(self) -> Counter[str]:
        return self._backend.traces

    @property
    def differentiable(self) -> frozenset[str]:
        return self._try(lambda backend: backend.gradients_reach(), "gradients_reach")

    def preprocess(self, request: Tensors) -> dict[str, Array]:
        """Return the signature's inputs, [n, …], from a request's arrays [n, …].

        ``xai_preprocess``, where the model has it, runs here, and is not differentiated.
        """
        before = self._preprocessor
        if before is None:
            return dict(request)
        return self.computed(before, request)

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands, [n, …]: explained tensors behind the inputs are computed."""
        self._check_shared(inputs)

        def run(backend: Backend) -> dict[str, Array]:
            def answer(rows: Tensors) -> dict[str, Array]:
                encoded = backend.encode(rows)
                for name, value in encoded.items():
                    if np.shape(value)[:1] != (len(_any(rows)),):
                        raise ModelError(
                            "the explained tensor "
                            f"'{self.compile_spec.explained.get(name, name)}' has shape "
                            f"{list(np.shape(value))} for {len(_any(rows))} instances: its "
                            "first axis is not the batch"
                        )
                return encoded

            return self._gathered(len(_any(inputs)), inputs, answer, self.compile_spec.batch)

        return self._try(run, "encode")

    def display_names(self, request: Tensors) -> Array | None:
        """Return the outputs' names, [n, …], where another output of the model carries them."""
        if self._names is None:
            return None
        (names,) = self.computed(self._names, request).values()
        return names

    def computed(self, function: GraphFunction, request: Tensors) -> dict[str, Array]:
        """Return what a part of the graph makes of a request's arrays, [n, …]."""
        try:
            with self._turn:
                return self._gathered(
                    len(_any(request)), request, function, function.compile_spec.batch
                )
        except DATA as error:
            raise InstanceError(_refused(error), _only(request)) from error
        except FAILURES as error:
            raise ModelError(sentence(error), where=self._where) from error

    def predict(self, x: Tensors) -> Array:
        """Return the output for n instances in the model's own shape and dtype, [n, …]."""
        n = len(_any(x))

        def run(backend: Backend) -> Array:
            def answer(rows: Tensors) -> dict[str, Array]:
                output = np.asarray(backend.outputs(rows))
                if output.shape[:1] != (len(_any(rows)),):
                    raise ModelError(
                        f"the output '{self.compile_spec.output}' has shape "
                        f"{list(output.shape)} for {len(_any(rows))} instances: "
                        "its first axis is not the batch"
                    )
                return {"": output}

            return self._gathered(n, x, answer, self.compile_spec.batch)[""]

        output = self._try(run, "outputs")
        lone = self.compile_spec.batch.lone and output.shape[1:2] == (1,)
        return output[:, 0] if lone else output

    def outputs(self, x: Tensors) -> Array:
        return self.predict(x).astype(np.float64).reshape(len(_any(x)), -1)

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        shape = len(target), np.shape(nodes)[-1]
        nodes, weights = (np.broadcast_to(a, shape).astype(np.float64) for a in (nodes, weights))
        path, column = np.nonzero(weights)

        def run(backend: Backend) -> dict[str, Array]:
            sums = {name: np.zeros(np.shape(stop[name])) for name in backend.gradients_reach()}

            def answer(block: Rows) -> tuple[slice, dict[str, Array]]:
                p, k = path[block.rows], column[block.rows]
                ends = slice(p[0], p[-1] + 1)
                weight = weights[p, k]
                weight[block.count :] = 0.0
                return ends, backend.path_gradient(
                    {o.name: start[o.name][ends] for o in backend.operands if o.real},
                    {o.name: stop[o.name][ends] for o in backend.operands},
                    (p - p[0]).astype(np.int32),
                    nodes[p, k],
                    weight,
                    target[p].astype(np.int64),
                )

            for _, (ends, part) in self._each_block(len(path), self.compile_spec.batch, answer):
                for name, value in part.items():
                    sums[name][ends] += value
            return sums

        return self._try(run, "path_gradient")

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        n, m = len(target), len(_any(masks))
        instance, coalition = (a.ravel() for a in np.indices((n, m)))

        def run(backend: Backend) -> Array:
            explained = [o.name for o in backend.operands if o.explained]
            wheres = {
                name: masks[name]
                if name in masks
                else np.ones((m,) + (1,) * (x[name].ndim - 1), bool)
                for name in explained
            }
            scores = np.empty(n * m)

            def answer(block: Rows) -> Array:
                i = instance[block.rows]
                ends = slice(i[0], i[-1] + 1)
                some, mask = _used(coalition[block.rows])
                return backend.coalition_scores(
                    {o.name: x[o.name][ends] for o in backend.operands},
                    {name: baseline[name][ends] for name in explained},
                    {name: where[some] for name, where in wheres.items()},
                    (i - i[0]).astype(np.int32),
                    mask.astype(np.int32),
                    target[i].astype(np.int64),
                )[: block.count]

            for block, part in self._each_block(n * m, self.compile_spec.batch, answer):
                scores[block.rows[: block.count]] = part
            return scores.reshape(n, m)

        return self._try(run, "coalition_scores")

    def _check_shared(self, inputs: Tensors) -> None:
        shared = {operand.name for operand in self.operands if operand.shared}
        for key, values in inputs.items():
            if shared & {key, held(key)} and np.any(values != values[:1]):
                raise InstanceError(
                    f"input '{key}' is one value for a whole batch, and the instances differ in it",
                    hint="explain them one by one",
                )

    # Blocks

    def _blocks(self, total: int, batch: Batch) -> Iterator[Rows]:
        """Yield the rows of each block; a fixed batch is filled up with repeats."""
        size = batch.rows or (self._cut.rows if batch.axis else 1)
        ends = [*range(0, total, size), total] if batch.rows else cuts(total, size)
        for first, last in pairwise(ends):
            filled = np.arange(first, first + (batch.rows or last - first))
            yield Rows(np.minimum(filled, total - 1), last - first)

    def _each_block(
        self, total: int, batch: Batch, answer: Callable[[Rows], Answer]
    ) -> Iterator[tuple[Rows, Answer]]:
        """Yield the blocks and what `answer` says to each, in order."""
        blocks = self._blocks(total, batch)
        if self._cut.parallel_batches == 1:
            return ((block, answer(block)) for block in blocks)
        return side_by_side(blocks, answer, self._parallel_batches, self._cut.parallel_batches)

    def _use(self, cut: RowBatches) -> None:
        # As many threads as may compute at a time, whoever asks.
        self._cut, self._parallel_batches = cut, parallel_batches_of(cut.parallel_batches)

    def _gathered(
        self, n: int, x: Tensors, ask: Callable[[Tensors], Mapping[str, Array]], batch: Batch
    ) -> dict[str, Array]:
        """Ask block by block and put the answers together, [n, …]."""

        def answer(block: Rows) -> dict[str, Array]:
            rows = block.rows
            whole = rows[-1] - rows[0] == len(rows) - 1  # then a view will do
            some = slice(rows[0], rows[-1] + 1) if whole else rows
            try:
                found = ask({name: value[some] for name, value in x.items()})
            except DATA as error:
                self._blame(x, rows, ask, error)
                raise
            return {name: value[: block.count] for name, value in found.items()}

        parts = [part for _, part in self._each_block(n, batch, answer)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _blame(
        self, x: Tensors, rows: Array, ask: Callable[[Tensors], Any], why: Exception
    ) -> None:
        """Raise InstanceError if some rows of a block fail alone and others do not."""
        bad: list[int] = []
        fine = False
        for row in dict.fromkeys(rows.tolist()):
            try:
                ask({name: np.stack([value[row]] * self._width()) for name, value in x.items()})
                fine = True
            except DATA as error:
                bad.append(row)
                why = error if len(bad) == 1 else why
        if bad and fine:
            raise InstanceError(_refused(why), bad[0]) from why

    def _width(self) -> int:
        return self.compile_spec.batch.rows or 1

    # Backends

    def _try(self, run: Callable[[Backend], Answer], kernel: str) -> Answer:
        """Run on the backend at hand, with smaller blocks or on the next backend if that fails.

        Where several batches run in parallel, the threads are kept busy by whoever has blocks for
        them: what was answered before is asked at once, and looked into alone if it fails now.
        """
        if self._cut.parallel_batches > 1 and kernel in self._answered:
            try:
                return run(self._backend)
            except PellucidError:
                raise
            except FAILURES:
                pass
        with self._turn:
            return self._tried(run, kernel)

    def _tried(self, run: Callable[[Backend], Answer], kernel: str) -> Answer:
        first, others, failures = self._backend, list(self._backends), list(self._failures)
        while True:
            try:
                answer = run(self._backend)
                self._answered.add(kernel)
                return answer
            except PellucidError:
                raise
            except tf.errors.ResourceExhaustedError as error:
                if (
                    self.compile_spec.batch.rows
                    or not self.compile_spec.batch.axis
                    or self._cut.rows == 1
                ):
                    raise ModelError("the device has not enough memory for a single row") from error
                self._use(RowBatches(self._cut.rows // 2, 1))
            except FAILURES as error:
                # Where the backend has answered before, or none goes further, it is the data.
                data = isinstance(error, DATA) and kernel in ("encode", "outputs")
                self._failures.append(sentence(error))
                try:
                    if data and kernel in self._answered:
                        raise ModelError
                    self._backend = self._next_backend()
                    self._answered.clear()
                except ModelError:
                    if not data:
                        raise
                    self._backend, self._backends, self._failures = first, others, failures
                    raise InstanceError(_refused(error)) from error

    def _next_backend(self) -> Backend:
        while self._backends:
            try:
                backend = self._backends.pop(0)(self.compile_spec)
                backend.ready()
                self._use(backend.cut())  # known now: blocks are cut alike from the first call on
                return backend
            except PellucidError:
                raise
            except FAILURES as error:
                self._failures.append(sentence(error))
        reasons = "; ".join(dict.fromkeys(self._failures))
        raise ModelError(f"TensorFlow cannot run this model: {reasons}", where=self._where)

    @property
    def _where(self) -> Where:
        return Where(file=str(self.compile_spec.directory))


def _any(tensors: Tensors) -> Array:
    return next(iter(tensors.values()))


def _used(numbers: Array) -> tuple[slice | Array, Array]:
    """Return which of many things a block needs, and the place of each of its rows among these."""
    if (np.diff(numbers) >= 0).all():
        return slice(numbers[0], numbers[-1] + 1), numbers - numbers[0]
    return np.unique(numbers, return_inverse=True)


def _only(tensors: Tensors) -> int | None:
    return 0 if len(_any(tensors)) == 1 else None


def _refused(error: Exception) -> str:
    return f"the model cannot take this: {sentence(error)}"
