"""A backend: one way of running a model, and the questions asked of it.

There are three, from the best to the last resort: `flat_graph`, `function` and `v1_loader`, beside
this file. They differ in how the model is loaded and how its network is applied to rows; what is
asked is the same.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from pellucid.errors import NotDifferentiableError
from pellucid.model import Array, Tensors
from pellucid.runtime.backends.compile_spec import CompileSpec as CompileSpec
from pellucid.runtime.backends.compile_spec import held as held
from pellucid.runtime.engine import kernels as kernels
from pellucid.runtime.engine.failures import FAILURES, NoGradient, Unsupported
from pellucid.runtime.engine.joint import Joint
from pellucid.runtime.engine.kept_bytes import Peak
from pellucid.runtime.engine.kernels import Operand
from pellucid.runtime.engine.last_row import last_row, last_row_of
from pellucid.runtime.engine.row_batches import RowBatches, row_batches_of
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.engine.transposed_part import AffinePart
from pellucid.runtime.graph.conditions import CONDITIONS
from pellucid.runtime.graph.function_library import CALLS
from pellucid.saved_model import is_shared

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
        fixed = batch.rows or (None if batch.axis else 1)
        parallel = self.compile_spec.parallel_batches
        return row_batches_of(row, parallel, gpu=self.on_gpu, fixed=fixed)

    @property
    def on_gpu(self) -> bool:
        """Whether it has memory of its own."""
        return self.compile_spec.device != "cpu" and bool(tf.config.list_physical_devices("GPU"))

    def peak(self, x: Tensors) -> Peak | None:
        """Return how many bytes a row of operands like those of `x` [n, …] takes, if known."""
        return None

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
    def joint(self) -> Joint:
        """How operands are joined to be fed."""
        return Joint(self.operands, join=self.compile_spec.batch.axis)

    @cached_property
    def _moved(self) -> Joint:
        """How they are where a gradient is taken, which has to reach all that are joined."""
        return self.joint

    def _of_parts(self, rows: Mapping[str, Any]) -> Any:
        """Return the output for rows of operands as they are fed, and remember both."""
        parts = self.joint.parts(rows)
        output = self._filled(parts)
        self._asked_last = parts, output
        return output

    def _reaches_all(self) -> bool:
        """Whether a gradient reaches each operand that was asked last, or the output needs none."""
        parts, output = self._asked_last
        some = [parts[o.name] for group in self.joint.groups.values() for o in group]
        reaching = kernels.ancestors([output.op])
        return all(
            slope is not None or not any(op in reaching for op in part.consumers())
            for part, slope in zip(some, tf.gradients(output, some), strict=True)
        )

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
        return call(*self.joint.arrays(rows).values())[0]  # type: ignore[no-any-return]

    def ready(self) -> None:
        """Compile what every explanation asks; from then on `row_bytes` may be known."""
        self._output_kernel()

    def _output_kernel(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        def build() -> tuple[list[Any], dict[str, Any]]:
            x = self._arguments(self.joint.operands)
            output = kernels.outputs(
                self._of_parts, self.joint.operands, self.compile_spec.batch, x
            )
            return list(x.values()), {"output": output}

        return self._compiled("outputs", build)

    def gradients_reach(self) -> frozenset[str]:
        """Return the explained operands that a gradient reaches."""
        names, joint = self.reached()
        return frozenset(it for name in names for it in joint.members(name))

    def reached(self) -> tuple[tuple[str, ...], Joint]:
        """Return the operands that are fed and that a gradient reaches, and how they are joined."""
        _, names = self._path_kernel()
        return names, self._moved

    def path_gradient(
        self, start: Tensors, stop: Tensors, path: Array, node: Array, weight: Array, target: Array
    ) -> dict[str, Array]:
        """Answer `questions.path_gradient` for one block of rows, of operands as they are fed."""
        call, names = self._path_kernel()
        ends = (*start.values(), *stop.values())
        return dict(zip(names, call(*ends, path, node, weight, target), strict=True))

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
                sums = call(*start.values(), *stop.values(), path, node, weight, targets)
                return dict(zip(names, sums, strict=True))
            except tf.errors.ResourceExhaustedError:
                raise
            except FAILURES:
                self._goes_forward_once = False
        each = [self.path_gradient(start, stop, path, node, weight, it) for it in targets]
        if len(each) == 1:
            return {name: value[np.newaxis] for name, value in each[0].items()}
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
                *(self._of_parts, self._moved.operands, self.compile_spec.batch),
                *(start, stop, *rows),
                part=self.affine_part,
            )
            return [*start.values(), *stop.values(), *rows], sums

        def build_joined() -> tuple[list[Any], dict[str, Any]]:
            """Build it of operands that are joined, unless a gradient does not reach all of them.

            Which one it does not reach, and why, is found out of operands that stand alone.
            """
            if self._moved.groups:
                with suppress(NotDifferentiableError, NoGradient):
                    found = build()
                    if self._reaches_all():
                        return found
                self._moved = Joint(self.operands, join=False)
            return build()

        return self._compiled("path_gradient", build_joined)

    def _targets_kernel(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        _, names = self._path_kernel()

        def build() -> tuple[list[Any], dict[str, Any]]:
            start, stop, rows = self._path_arguments()
            rows.append(tf.compat.v1.placeholder(tf.int64, [None, None]))
            sums = kernels.path_gradients(
                *(names, self._of_parts, self._moved.operands, self.compile_spec.batch),
                *(start, stop, *rows),
                part=self.affine_part,
            )
            return [*start.values(), *stop.values(), *rows], sums

        return self._compiled("path_gradients", build)

    def _path_arguments(self) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
        """Return both ends of paths, and for each row its path, its node and its weight."""
        start = self._arguments([o for o in self._moved.operands if o.real])
        types = (tf.int32, tf.float64, tf.float64)
        rows = [tf.compat.v1.placeholder(t, [None]) for t in types]
        return start, self._arguments(self._moved.operands), rows

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
