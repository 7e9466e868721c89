"""The last backend: the version 1 loader, the whole graph as it is, in a session.

It restores everything that TensorFlow ever wrote, loops and reference variables included, but its
network cannot be applied anew: rows are computed here, and fed at the explained tensors. Through
the functions of TensorFlow 2 it has no gradient to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.model import Array, Tensors
from pellucid.runtime.backends.base import (
    Backend,
    Build,
    CompileSpec,
    all_ops,
    held,
    refuse_calls,
)
from pellucid.runtime.backends.devices import device_scope, session_config
from pellucid.runtime.backends.judged_files import judged_directory
from pellucid.runtime.backends.session import SessionGraph
from pellucid.runtime.engine import kernels as kernels
from pellucid.runtime.engine.failures import Unsupported
from pellucid.runtime.engine.joint import Joint
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.effects import random_ops
from pellucid.runtime.graph.flat_graph import node_of


class V1LoaderBackend(SessionGraph, Backend):
    """A `CompileSpec` in the graph that ``tf.compat.v1.saved_model.load`` imports."""

    _goes_forward_once = False  # its rows are made outside

    def __init__(self, compile_spec: CompileSpec) -> None:
        super().__init__(compile_spec)
        self.random_ops = random_ops(all_ops(compile_spec.meta_graph))
        self.graph = tf.Graph()
        tags = list(compile_spec.meta_graph.meta_info_def.tags)
        with (
            judged_directory(compile_spec) as directory,
            self.graph.as_default(),
            device_scope(compile_spec.device),
        ):
            tf.compat.v1.saved_model.load(self.session, tags, directory)
        asked = {compile_spec.output, *compile_spec.explained.values()}
        known = {op.name for op in self.graph.get_operations()}
        if any(node_of(tensor) not in known for tensor in asked):
            raise Unsupported("this backend reaches only the tensors of the top-level graph")
        get = self.graph.get_tensor_by_name
        self._output = get(compile_spec.output)
        self.request = dict(compile_spec.request)
        cuts = [get(t) for t in compile_spec.explained.values()]
        inside = kernels.ancestors([self._output.op], cuts)
        kept = {
            held(key): t
            for key, t in compile_spec.request.items()
            if get(t).op in inside and t not in compile_spec.explained.values()
        }
        self.tensors = {**compile_spec.explained, **kept}
        self.operands = self.describe()

    @cached_property
    def session(self) -> Any:
        return tf.compat.v1.Session(
            graph=self.graph, config=session_config(self.compile_spec.device)
        )

    @cached_property
    def joint(self) -> Joint:
        return Joint(self.operands, join=False)

    def network(self, rows: dict[str, Any]) -> Any:
        return self._output

    def compile(self, build: Build) -> Callable[..., Sequence[Array]]:
        with _control_flow_of_tensorflow_1():
            return super().compile(build)

    def outputs(self, rows: Tensors) -> Array:
        call, _ = self._output_kernel()
        (output,) = call(*self._fed(rows))
        return output  # type: ignore[no-any-return]

    def _output_kernel(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        def build() -> tuple[list[Any], dict[str, Any]]:
            return list(self._points().values()), {"output": self._scored()}

        return self._compiled("outputs", build)

    def path_gradient(
        self, start: Tensors, stop: Tensors, path: Array, node: Array, weight: Array, target: Array
    ) -> dict[str, Array]:
        call, names = self._path_kernel()
        rows = {}
        for operand in self.operands:
            row = stop[operand.name][path]
            if operand.real:
                begin = start[operand.name][path]
                position = node.reshape((-1,) + (1,) * (row.ndim - 1)).astype(row.dtype)
                row = begin + position * (row - begin)
            rows[operand.name] = row
        paths = np.int32(len(stop[self.operands[0].name]))
        return dict(zip(names, call(*self._fed(rows), path, weight, target, paths), strict=True))

    def coalition_scores(
        self,
        x: Tensors,
        baseline: Tensors,
        masks: Tensors,
        instance: Array,
        coalition: Array,
        target: Array,
    ) -> Array:
        rows = {}
        for operand in self.operands:
            row = x[operand.name][instance]
            if operand.explained:
                mask = masks[operand.name][coalition]
                row = np.where(mask, row, baseline[operand.name][instance])
            rows[operand.name] = row
        output = np.asarray(self.outputs(rows), np.float64).reshape(len(target), -1)
        return np.take_along_axis(output, target, axis=1)

    def _path_kernel(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        def build() -> tuple[list[Any], dict[str, Any]]:
            points = self._points()
            refuse_calls(kernels.ancestors([self._output.op], list(points.values())))
            path, weight, target = (
                tf.compat.v1.placeholder(t, [None]) for t in (tf.int32, tf.float64, tf.int64)
            )
            paths = tf.compat.v1.placeholder(tf.int32, [])
            sums = kernels.gradient_sums(
                self.operands,
                points,
                self._scored(),
                path,
                weight,
                target,
                paths,
                lone=not self.compile_spec.batch.axis,
            )
            return [*points.values(), path, weight, target, paths], sums

        return self._compiled("path_gradient", build)

    def _points(self) -> dict[str, Any]:
        return {n: self.graph.get_tensor_by_name(t) for n, t in self.tensors.items()}

    def _scored(self) -> Any:
        return kernels.outputs(lambda _: self._output, (), self.compile_spec.batch, {})

    def _fed(self, rows: Tensors) -> list[Array]:
        """Return the arrays to feed: without the batch axis, where the graph has none."""
        axis = self.compile_spec.batch.axis
        return [rows[o.name] if axis and not o.shared else rows[o.name][0] for o in self.operands]


@contextmanager
def _control_flow_of_tensorflow_1() -> Iterator[None]:
    """Let the gradient of an array in a loop be an array, which is what this graph has."""
    new = tf.compat.v1.control_flow_v2_enabled()
    tf.compat.v1.disable_control_flow_v2()
    try:
        yield
    finally:
        if new:
            tf.compat.v1.enable_control_flow_v2()
