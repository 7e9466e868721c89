"""A SavedModel as a `pellucid.model.Model`: load it, find its tensors, compile the questions.

There are three backends (`flat_graph`, `function`, `v1_loader`), tried in this order; the next one
is taken when a backend cannot carry the model. Work is cut into blocks of rows
that fit the memory; a block is halved when the device runs out of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cached_property
from threading import RLock
from typing import TypeVar

import numpy as np

from pellucid.errors import (
    InstanceError,
    ModelError,
    NotDifferentiableError,
    OutOfMemoryError,
    PellucidError,
)
from pellucid.model import Array, Obstacle, Tensors, arrays_of, rows_taken
from pellucid.notices import Hint, Where
from pellucid.runtime.backends.base import Backend, CompileSpec, held
from pellucid.runtime.backends.flat_graph import FlatGraphBackend, GraphFunction
from pellucid.runtime.backends.function import FunctionBackend
from pellucid.runtime.backends.v1_loader import V1LoaderBackend
from pellucid.runtime.engine.failures import (
    DATA,
    FAILURES,
    AllRefusedError,
    NoGradient,
    refused_row,
    sentence,
)
from pellucid.runtime.engine.kernels import Operand
from pellucid.runtime.engine.row_batches import RowBatches
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.memory import Memory
from pellucid.runtime.questions import coalition_scores, path_gradient
from pellucid.runtime.recall import recall
from pellucid.runtime.refusals import (
    GRADIENTS,
    Failure,
    blocked,
    carried_by_none,
    check_rows,
    refused,
)
from pellucid.runtime.row_blocks import RowBlocks, any_of, together
from pellucid.runtime.row_mixing import Question
from pellucid.runtime.shared_rows import alike
from pellucid.saved_model import Batch

BACKENDS: tuple[Callable[[CompileSpec], Backend], ...] = (
    FlatGraphBackend,
    FunctionBackend,
    V1LoaderBackend,
)
# Questions that fail because of what is asked; a gradient may fail by itself.
_ANSWERS = ("encode", "outputs", "coalition_scores")
Answer = TypeVar("Answer")


def _sorted(tensors: Tensors) -> list[Array]:
    return [tensors[name] for name in sorted(tensors)]


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
        self._failures: list[Failure] = []
        self._without_gradients: ModelError | None = None
        self._rows, self._memory = RowBlocks(), Memory(compile_spec.free_memory)
        self._backend = self._next_backend(None)
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
    def mixes_rows(self) -> bool:
        """Whether an answer depends on the rows beside it, so that each row is asked alone.

        That is found out when something is asked for the first time.
        """
        return self._rows.mixes_rows

    @property
    def held(self) -> tuple[str, ...]:
        """The keys of the request's inputs that the output depends on beside what is explained."""
        keys = {held(key): key for key in self.compile_spec.request}
        return tuple(keys[o.name] for o in self.operands if o.name in keys)

    @property
    def varying(self) -> bool:
        """Whether a feature is as long as each instance has it, so that each is asked alone."""
        return self.compile_spec.varying

    @property
    def absent(self) -> Mapping[str, object]:
        """What stands for a value that is left out of its list, by feature."""
        return {}

    @cached_property
    def obstacles(self) -> Mapping[str, Obstacle]:
        """An operation that stops gradients on their way to each feature, if the graph has one."""
        return self.compile_spec.obstacles()

    @cached_property
    def squasher(self) -> str | None:
        """The type of the softmax or sigmoid that makes the output, if one does."""
        return self.compile_spec.squasher()

    @property
    def traces(self) -> Counter[str]:
        return self._backend.traces

    @property
    def differentiable(self) -> frozenset[str]:
        return self._try(lambda backend: backend.gradients_reach(), "gradients_reach")

    def way_out(self) -> Hint | None:
        """Return what to do where no gradient reaches what is explained."""
        return self.compile_spec.way_out()

    def preprocess(self, request: Tensors) -> dict[str, Array]:
        """Return the signature's inputs, [n, …], from a request's arrays [n, …].

        ``xai_preprocess``, where the model has it, runs here, and is not differentiated.
        """
        before = self._preprocessor
        return dict(request) if before is None else self.computed(before, request)

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands, [n, …]: explained tensors behind the inputs are computed."""
        self._check_shared(inputs)

        def run(backend: Backend) -> dict[str, Array]:
            def answer(rows: Tensors) -> dict[str, Array]:
                encoded = backend.encode_filled(rows)
                for name, value in encoded.items():
                    tensor = self.compile_spec.explained.get(name, name)
                    check_rows(f"the explained tensor '{tensor}'", value, len(any_of(rows)))
                return encoded

            about = "encode" if self.compile_spec.computes else None
            return self._gathered(inputs, answer, self.compile_spec.batch, about)

        encoded = self._try(run, "encode")
        for operand in self.operands:
            if operand.dtype == tf.bfloat16:  # as the model sees it
                value = np.asarray(encoded[operand.name], tf.bfloat16.as_numpy_dtype)
                encoded[operand.name] = value.astype(np.float32)
        return encoded

    def encode_together(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands of one batch, in which a row may depend on those beside it."""
        rows = together(inputs, self.compile_spec.batch)
        return self._try(lambda backend: backend.encode(rows), "encode")

    def display_names(self, request: Tensors) -> Array | None:
        """Return the outputs' names, [n, …], where another output of the model carries them."""
        return None if self._names is None else self.computed(self._names, request)["names"]

    def computed(self, function: GraphFunction, request: Tensors) -> dict[str, Array]:
        """Return what a part of the graph makes of a request's arrays, [n, …]."""
        several = self._rows.cut.parallel_batches > 1 and function.traces  # as in `_try`
        try:
            with nullcontext() if several else self._turn:
                batch = function.compile_spec.batch
                return self._gathered(request, function.encode, batch, function)
        except (AllRefusedError, *DATA) as error:
            raise InstanceError(refused(error), refused_row(error)) from error
        except FAILURES as error:
            where = Where(file=str(self.compile_spec.directory))
            raise ModelError(sentence(error), where=where) from error

    def predict(self, x: Tensors) -> Array:
        """Return the output for n instances in the model's own shape and dtype, [n, …]."""

        def run(backend: Backend) -> Array:
            def answer(rows: Tensors) -> dict[str, Array]:
                output = np.asarray(backend.outputs(rows))
                check_rows(f"the output '{self.compile_spec.output}'", output, len(any_of(rows)))
                return {"": output}

            about = None if self.absent and len(any_of(x)) == 1 else "outputs"  # as company shows
            cut = self._cut(backend, x, len(any_of(x)))
            return self._gathered(x, answer, self.compile_spec.batch, about, cut)[""]

        output = self._try(run, "outputs")
        lone = self.compile_spec.batch.lone and output.shape[1:2] == (1,)
        return output[:, 0] if lone else output

    def outputs(self, x: Tensors) -> Array:
        number = np.arange(len(any_of(x))) if self.random_ops else alike(arrays_of(x))
        _, first = np.unique(number, return_index=True)
        some = x if len(first) == len(number) else rows_taken(x, first)
        found = self.predict(some).astype(np.float64).reshape(len(first), -1)
        return found if some is x else np.asarray(found[number])

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> Tensors:
        shape = len(target), np.shape(nodes)[-1]
        nodes, weights = (np.broadcast_to(a, shape).astype(np.float64) for a in (nodes, weights))

        def ask(some: Array | slice) -> Tensors:
            first, last = rows_taken(start, some), rows_taken(stop, some)
            rule = nodes[some], weights[some], target[some]

            def run(backend: Backend) -> Tensors:
                cut = self._cut(backend, last, rule[0].size, gradients=True)
                return path_gradient(backend, self._rows, first, last, *rule, cut=cut)

            return self._try(run, "path_gradient")

        known = recall()
        if known is None or self.random_ops:
            return ask(slice(None))
        rows = [*_sorted(start), *_sorted(stop), nodes, weights, target]
        return known.asked(known.keys(self, "path", rows), lambda some: {**ask(some)})

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        def ask(some: Array | slice) -> Array:
            where = {name: it[some] for name, it in masks.items()}

            def run(backend: Backend) -> Array:
                cut = self._cut(backend, x, len(target) * len(any_of(where)))
                return coalition_scores(backend, self._rows, x, baseline, where, target, cut)

            return self._try(run, "coalition_scores")

        known = recall()
        if known is None or self.random_ops:
            return ask(slice(None))
        same = [*_sorted(x), *_sorted(baseline), target]
        keys = known.keys(self, f"coalitions of {sorted(masks)}", _sorted(masks), same)
        return np.asarray(known.asked(keys, lambda some: {"": ask(some).T})[""].T)

    def _check_shared(self, inputs: Tensors) -> None:
        for key in self._single(inputs):
            if np.any(inputs[key] != inputs[key][:1]):
                raise InstanceError(
                    f"input '{key}' is one value for a whole batch, and the instances differ in it",
                    hint="explain them one by one",
                )

    def _single(self, x: Tensors) -> set[str]:
        """Return the names of what has one value for a batch."""
        shared = {operand.name for operand in self.operands if operand.shared}
        return {name for name in x if shared & {name, held(name)}}

    def _cut(
        self, backend: Backend, x: Tensors, rows: int, *, gradients: bool = False
    ) -> RowBatches:
        """Return how to cut rows of operands like `x` so that they fit the memory."""
        return self._memory.cut(backend, self._rows.cut, x, rows=rows, gradients=gradients)

    def _gathered(
        self,
        x: Tensors,
        ask: Callable[[Tensors], dict[str, Array]],
        batch: Batch,
        about: object,
        cut: RowBatches | None = None,
    ) -> dict[str, Array]:
        """Ask for rows [n, …] block by block, each alone where they depend on each other."""
        question = Question(
            ask=ask,
            single=self._single(x),
            restless=bool(self._backend.random_ops),
            conditional=self._backend.conditional,
            half=self._backend.computes_in_half,
        )
        return self._rows.gathered(x, question, batch, about, cut)

    # Backends

    def _try(self, run: Callable[[Backend], Answer], kernel: str) -> Answer:
        """Run on the backend at hand, with smaller blocks or on the next backend if that fails.

        Where several batches run in parallel, the threads are kept busy by whoever has blocks for
        them: what was answered before is asked at once, and looked into alone if it fails now.
        """
        if self._rows.cut.parallel_batches > 1 and kernel in self._answered:
            try:
                return run(self._backend)
            except PellucidError:
                raise
            except FAILURES:
                pass
        try:
            with self._turn:
                return self._tried(run, kernel)
        except NoGradient as error:
            raise blocked(self.compile_spec, error) from error
        except NotDifferentiableError as error:
            if error.hint is not None:
                raise
            # What lies behind the inputs is looked for in the file, not in what is compiled.
            hint = self.way_out()
            raise NotDifferentiableError(error.what, where=error.where, hint=hint) from error

    def _tried(self, run: Callable[[Backend], Answer], kernel: str) -> Answer:
        if self._without_gradients is not None and kernel in GRADIENTS:
            raise self._without_gradients
        first, answered = self._backend, set(self._answered)
        others, failures = list(self._backends), list(self._failures)
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
                    or self._rows.cut.rows == 1
                ):
                    raise OutOfMemoryError(
                        "the device does not have enough memory for a single row"
                    ) from error
                self._rows.use(RowBatches(self._rows.cut.rows // 2, 1))
            except FAILURES as error:
                # Where the backend has answered before, or none goes further, it is the data.
                data = kernel in _ANSWERS and isinstance(error, (AllRefusedError, *DATA))
                self._failures.append(Failure(error, kernel))
                try:
                    if data and kernel in self._answered:
                        raise ModelError
                    self._backend = self._next_backend(kernel)
                    self._answered.clear()
                except ModelError as why:
                    if kernel in GRADIENTS:
                        self._without_gradients = why
                    if data or kernel in GRADIENTS:  # what it has answered before, it still does
                        self._backends, self._failures, self._answered = others, failures, answered
                        if self._backend is not first:
                            self._backend = first
                            self._rows.use(first.cut())
                    if not data:
                        raise
                    raise InstanceError(refused(error), refused_row(error)) from error

    def _next_backend(self, kernel: str | None) -> Backend:
        while self._backends:
            make = self._backends.pop(0)
            if make is not FlatGraphBackend:
                failed = "; ".join(dict.fromkeys(sentence(it.error) for it in self._failures))
                self.compile_spec.refuse_loader(failed or "the flat graph does not carry it")
            try:
                backend = make(self.compile_spec)
                backend.ready()
                self._rows.use(
                    backend.cut()
                )  # known now: blocks are cut alike from the first call on
                return backend
            except PellucidError:
                raise
            except FAILURES as error:
                self._failures.append(Failure(error, loader=make is not FlatGraphBackend))
        raise carried_by_none(self.compile_spec, self._failures, kernel)
