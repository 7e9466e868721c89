"""A backend: one way of running a model, and the questions asked of it.

There are three, from the best to the last resort: `flat_graph`, `function` and `v1_loader`, beside
this file. They differ in how the model is loaded and how its network is applied to rows; what is
asked is the same.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from pellucid.model import Array, Obstacle, Tensors
from pellucid.notices import Hint
from pellucid.runtime.engine import kernels as kernels
from pellucid.runtime.engine.failures import FAILURES, Unsupported
from pellucid.runtime.engine.kernels import Operand
from pellucid.runtime.engine.last_row import last_row, last_row_of
from pellucid.runtime.engine.row_batches import RowBatches, row_batches_of
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.engine.transposed_part import AffinePart
from pellucid.runtime.graph.conditions import CONDITIONS
from pellucid.runtime.graph.function_library import CALLS
from pellucid.runtime.graph.reinitialise import Reinitialisation
from pellucid.saved_model import Batch, is_shared


def held(key: str) -> str:
    """Return the name of the operand that holds a request input: no feature has such a name."""
    return f"{key} (held)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileSpec:
    """What is to be compiled; every tensor name is a flat name.

    `request` maps the keys of a request to tensors, `explained` maps features to the tensors that
    attributions are for (which may lie behind the request's), `output` is the explained output.
    `parallel_batches` is how many blocks of rows may be computed at a time, by a thread each.
    `obstacles` returns, for each feature, an operation that stops gradients on their way from the
    output, by its flat name, and `squasher` the type of a softmax or sigmoid that the output comes
    from: as far as the graph tells. `way_out` says what to do where no gradient reaches the
    explained tensors. `trusted` tells that the model may touch more than tensors; `refuse_loader`
    raises UnsafeModelError where it is not, and TensorFlow's own loader might do so: it is given
    the reason why that has to take the model. `reinitialised` draws
    weights anew. Some features are in the `records`, inputs by their keys, which are operands as
    explained tensors are; `ends` has the inputs that a batch may not end with an empty one of, with
    what makes a record one with values in all of its lists. `varying` tells that a tensor is as
    long as each instance has it.
    """

    directory: Path
    meta_graph: Any
    signature_key: str
    request: Mapping[str, str]
    explained: Mapping[str, str]
    output: str
    batch: Batch = Batch()
    device: str = "auto"
    parallel_batches: int = 1
    obstacles: Callable[[], Mapping[str, Obstacle]] = dict
    squasher: Callable[[], str | None] = lambda: None
    trusted: bool = False
    refuse_loader: Callable[[str], None] = lambda reason: None
    way_out: Callable[[], Hint | None] = lambda: None
    reinitialised: Reinitialisation | None = None
    records: Collection[str] = ()
    ends: Mapping[str, bytes | None] = field(default_factory=dict)
    varying: bool = False

    @property
    def computes(self) -> bool:
        """Whether an explained tensor is none of the request's."""
        return not set(self.explained.values()) <= set(self.request.values())

    @property
    def ends_of_operands(self) -> dict[str, bytes | None]:
        """The `ends` by the names of operands, whether held or explained."""
        features = {tensor: name for name, tensor in self.explained.items()}
        return {features.get(self.request[key], held(key)): it for key, it in self.ends.items()}

    @property
    def takes_any_rows(self) -> bool:
        """Whether a batch may have one row more."""
        return self.batch.axis and self.batch.rows is None

    @property
    def checkpoint(self) -> str:
        """The prefix of the checkpoint's files."""
        return str(self.directory / "variables" / "variables")


Build: TypeAlias = Callable[[], tuple[list[Any], dict[str, Any]]]
"""Adds the ops of a question to the current graph; returns its arguments and named results."""


class Compiled(ABC):
    """Functions of arrays in one graph, each compiled once, at its first call.

    `traces` counts how often each was compiled: never more than once.
    """

    operands: tuple[Operand, ...]

    def __init__(self, compile_spec: CompileSpec) -> None:
        self.compile_spec = compile_spec
        self.traces: Counter[str] = Counter()
        self._calls: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {}
        self._compiling = Lock()

    @abstractmethod
    def compile(self, build: Build) -> Callable[..., Sequence[Array]]:
        """Return a function of arrays, from the ops that `build` adds."""

    def row_bytes(self) -> int | None:
        """Return roughly how many bytes one row takes, forward and back, if that is known."""
        return None

    def cut(self) -> RowBatches:
        """Return how rows are cut into blocks; a compiled question tells more of their size."""
        batch = self.compile_spec.batch
        sizes = (math.prod(n or 224 for n in o.shape or ()) for o in self.operands)
        row = self.row_bytes() or 2 * 64 * 4 * sum(sizes) or 1
        gpu = self.compile_spec.device != "cpu" and bool(tf.config.list_physical_devices("GPU"))
        fixed = batch.rows or (None if batch.axis else 1)
        return row_batches_of(row, self.compile_spec.parallel_batches, gpu=gpu, fixed=fixed)

    def _compiled(self, kernel: str, build: Build) -> tuple[Callable[..., Any], tuple[str, ...]]:
        with self._compiling:
            if kernel not in self._calls:
                names: tuple[str, ...] = ()

                def build_and_note_names() -> tuple[list[Any], dict[str, Any]]:
                    nonlocal names
                    arguments, results = build()
                    names = tuple(results)
                    return arguments, results

                self.traces[kernel] += 1
                self._calls[kernel] = self.compile(build_and_note_names), names
            return self._calls[kernel]


class Backend(Compiled):
    """One way from a `CompileSpec` to answers: the questions that are asked of a model."""

    random_ops: tuple[str, ...] = ()
    _goes_forward_once = True

    @cached_property
    def conditional(self) -> bool:
        """Whether what the rows of a batch say together may decide how they are computed."""
        return not CONDITIONS.isdisjoint(all_ops(self.compile_spec.meta_graph))

    def computes_in_half(self) -> bool:
        """Whether anything in the model is of half precision."""
        graph = self.compile_spec.meta_graph.graph_def
        bodies = (function.node_def for function in graph.library.function)
        half = {tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum}
        return any(
            value.type in half
            for nodes in (graph.node, *bodies)
            for node in nodes
            for value in node.attr.values()
        )

    @cached_property
    def affine_part(self) -> AffinePart | None:
        """What of the network is affine in the real operands, where that saves something."""
        return None

    @abstractmethod
    def network(self, rows: dict[str, Any]) -> Any:
        """Return the output for `rows`, as new ops of the current graph."""

    def _filled(self, rows: dict[str, Any]) -> Any:
        """Return the output for `rows`, asked with one more at the end that has values."""
        ends = self.compile_spec.ends_of_operands
        if ends.keys().isdisjoint(rows) or not self.compile_spec.takes_any_rows:
            return self.network(rows)
        shared = {o.name for o in self.operands if o.shared}
        more = {
            name: tf.concat([row, last_row(row, ends[name]) if name in ends else row[:1]], 0)
            for name, row in rows.items()
            if name not in shared
        }
        count = tf.shape(next(iter(more.values())))[0] - 1
        return self.network({**rows, **more})[:count]

    @abstractmethod
    def encode(self, request: Tensors) -> dict[str, Array]:
        """Return the operands for rows of a request: explained tensors, and what is held."""

    def encode_filled(self, request: Tensors) -> dict[str, Array]:
        """Return what `encode` does, asked with one more row, as `_filled` is."""
        ends = self.compile_spec.ends
        if not ends or not self.compile_spec.takes_any_rows:
            return self.encode(request)
        more = {
            name: np.concatenate([it, last_row_of(it, ends[name]) if name in ends else it[:1]])
            for name, it in request.items()
        }
        count = len(next(iter(request.values())))
        return {name: value[:count] for name, value in self.encode(more).items()}

    def outputs(self, rows: Tensors) -> Array:
        """Return the output of each row, [r, …]."""
        call, _ = self._output_kernel()
        return call(*(rows[o.name] for o in self.operands))[0]  # type: ignore[no-any-return]

    def ready(self) -> None:
        """Compile what every explanation asks; from then on `row_bytes` may be known."""
        self._output_kernel()

    def _output_kernel(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        def build() -> tuple[list[Any], dict[str, Any]]:
            x = self._arguments(self.operands)
            output = kernels.outputs(self._filled, self.operands, self.compile_spec.batch, x)
            return list(x.values()), {"output": output}

        return self._compiled("outputs", build)

    def gradients_reach(self) -> frozenset[str]:
        """Return the explained operands that a gradient reaches."""
        return frozenset(self._path_kernel()[1])

    def path_gradient(
        self, start: Tensors, stop: Tensors, path: Array, node: Array, weight: Array, target: Array
    ) -> dict[str, Array]:
        """Answer `questions.path_gradient` for one block of rows."""
        call, names = self._path_kernel()
        starts = (start[o.name] for o in self.operands if o.real)
        stops = (stop[o.name] for o in self.operands)
        return dict(zip(names, call(*starts, *stops, path, node, weight, target), strict=True))

    def path_gradients(
        self, start: Tensors, stop: Tensors, path: Array, node: Array, weight: Array, targets: Array
    ) -> dict[str, Array]:
        """Answer `path_gradient` for k targets of each row, [k, r]: sums [k, p, …].

        The rows go forward once, unless TensorFlow refuses the gradient, which it takes in a loop
        (as it does where the network has loops of its own): then they go k times.
        """
        if len(targets) > 1 and self._goes_forward_once:
            try:
                call, names = self._targets_kernel()
                starts = (start[o.name] for o in self.operands if o.real)
                stops = (stop[o.name] for o in self.operands)
                sums = call(*starts, *stops, path, node, weight, targets)
                return dict(zip(names, sums, strict=True))
            except tf.errors.ResourceExhaustedError:
                raise
            except FAILURES:
                self._goes_forward_once = False
        each = [self.path_gradient(start, stop, path, node, weight, it) for it in targets]
        return {name: np.stack([sums[name] for sums in each]) for name in each[0]}

    def coalition_scores(
        self,
        x: Tensors,
        baseline: Tensors,
        masks: Tensors,
        instance: Array,
        coalition: Array,
        target: Array,
    ) -> Array:
        """Answer `questions.coalition_scores` for one block of rows: k targets each, [r, k]."""
        explained = [o for o in self.operands if o.explained]

        def build() -> tuple[list[Any], dict[str, Any]]:
            xs, others = self._arguments(self.operands), self._arguments(explained)
            where = {
                o.name: tf.compat.v1.placeholder(
                    tf.bool, None if o.shape is None else [None] * (len(o.shape) + 1)
                )
                for o in explained
            }
            indices = [tf.compat.v1.placeholder(tf.int32, [None]) for _ in range(2)]
            indices.append(tf.compat.v1.placeholder(tf.int64, [None, None]))
            scores = kernels.coalition_scores(
                self._filled, self.operands, self.compile_spec.batch, xs, others, where, *indices
            )
            return [*xs.values(), *others.values(), *where.values(), *indices], {"scores": scores}

        call, _ = self._compiled("coalition_scores", build)
        xs = (x[o.name] for o in self.operands)
        others = (baseline[o.name] for o in explained)
        where = (masks[o.name] for o in explained)
        return call(*xs, *others, *where, instance, coalition, target)[0]  # type: ignore[no-any-return]

    def _path_kernel(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        def build() -> tuple[list[Any], dict[str, Any]]:
            start, stop, rows = self._path_arguments()
            rows.append(tf.compat.v1.placeholder(tf.int64, [None]))
            sums = kernels.path_gradient(
                *(self._filled, self.operands, self.compile_spec.batch, start, stop, *rows),
                part=self.affine_part,
            )
            return [*start.values(), *stop.values(), *rows], sums

        return self._compiled("path_gradient", build)

    def _targets_kernel(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        _, names = self._path_kernel()

        def build() -> tuple[list[Any], dict[str, Any]]:
            start, stop, rows = self._path_arguments()
            rows.append(tf.compat.v1.placeholder(tf.int64, [None, None]))
            sums = kernels.path_gradients(
                *(names, self._filled, self.operands, self.compile_spec.batch, start, stop, *rows),
                part=self.affine_part,
            )
            return [*start.values(), *stop.values(), *rows], sums

        return self._compiled("path_gradients", build)

    def _path_arguments(self) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
        """Return both ends of paths, and for each row its path, its node and its weight."""
        start = self._arguments([o for o in self.operands if o.real])
        types = (tf.int32, tf.float64, tf.float64)
        rows = [tf.compat.v1.placeholder(t, [None]) for t in types]
        return start, self._arguments(self.operands), rows

    def _arguments(self, operands: Iterable[Operand]) -> dict[str, Any]:
        return {o.name: tf.compat.v1.placeholder(o.dtype, o.rows) for o in operands}


def without_bfloat16(tensor: Any) -> Any:
    """Return a tensor that numpy can hold: bfloat16 as float32, which has all of its numbers."""
    return tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor


def shape_of(tensor: Any) -> tuple[int | None, ...] | None:
    """Return the static shape of a tensor; None = unknown rank."""
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def operand_of(compile_spec: CompileSpec, name: str, tensor: Any) -> Operand:
    """Describe a tensor of a graph as an operand."""
    shape = shape_of(tensor)
    # Of a tensor behind the request, a known number of rows says nothing.
    given = (
        name not in compile_spec.explained
        or compile_spec.explained[name] in compile_spec.request.values()
    )
    shared = is_shared(shape, compile_spec.batch) and (shape == () or given)
    if shape and compile_spec.batch.axis and not shared:
        shape = shape[1:]
    return Operand(
        name=name,
        dtype=tensor.dtype.base_dtype,
        shape=shape,
        explained=name in compile_spec.explained,
        shared=shared,
    )


def refuse_calls(ops: Iterable[Any]) -> None:
    """Raise Unsupported if one of the operations of a session's graph calls a function.

    The gradient that TensorFlow would take there differentiates op by op in its runtime: it lacks
    most ops, does not know gradients that were saved, and gives 0 behind a loop.
    """
    for op in ops:
        if op.type in CALLS:
            raise Unsupported(f"a gradient through the function call '{op.name}' is not to be had")


def all_ops(meta_graph: Any) -> set[str]:
    """Return the types of all operations of a graph and its functions, needed or not."""
    graph = meta_graph.graph_def
    functions = (node.op for function in graph.library.function for node in function.node_def)
    return {*(node.op for node in graph.node), *functions}
