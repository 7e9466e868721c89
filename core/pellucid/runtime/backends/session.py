"""Graphs that run in a session of their own."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.model import Array, Tensors
from pellucid.runtime.backends.base import (
    Build,
    Compiled,
    operand_of,
    shape_of,
    without_bfloat16,
)
from pellucid.runtime.backends.devices import device_scope
from pellucid.runtime.engine import kernels as kernels
from pellucid.runtime.engine.failures import NETWORK
from pellucid.runtime.engine.kept_bytes import Peak, peak_of, row_bytes_of
from pellucid.runtime.engine.kernels import Operand
from pellucid.runtime.engine.row_batches import threads_flush
from pellucid.runtime.engine.tensorflow import CallableOptions, tf
from pellucid.saved_model import is_shared

SMALL = 2**19
"""Rows of so many numbers are none to look for memory for: a picture has 420 pixels a side."""


class SessionGraph(Compiled):
    """A graph in a session of its own, from a request's tensors to those that are wanted.

    A subclass sets `graph`, `tensors` (operand → tensor name) and `request` (key of a request →
    tensor name, for those that the graph has).
    """

    graph: Any
    tensors: dict[str, str]
    request: dict[str, str]

    @cached_property
    @abstractmethod
    def session(self) -> Any:
        """The session; its threads may depend on the first question that was built."""

    def compile(self, build: Build) -> Callable[..., Sequence[Array]]:
        with self.graph.as_default(), device_scope(self.compile_spec.device):
            arguments, named = build()
            fed = {a.name for a in arguments}  # what is passed through has to be copied
            plain = map(without_bfloat16, named.values())
            results = [tf.identity(r) if r.name in fed else r for r in plain]
        options = CallableOptions(feed=[a.name for a in arguments], fetch=[r.name for r in results])
        if self.cut().parallel_batches > 1 and threads_flush():
            options.run_options.inter_op_thread_pool = -1  # the thread that asks
        # What `make_callable` returns looks at feeds and fetches anew at each call, holding the
        # interpreter for ten times as long.
        run = self.session._make_callable_from_options(options)
        types = [a.dtype.base_dtype.as_numpy_dtype for a in arguments]

        def call(*arrays: Array) -> Sequence[Array]:
            return run(*map(np.asarray, arrays, types))  # type: ignore[no-any-return]

        return call

    def encode(self, request: Tensors) -> dict[str, Array]:
        keys = {tensor: key for key, tensor in self.request.items()}
        answer = {name: request[keys[t]] for name, t in self.tensors.items() if t in keys}
        behind = [name for name in self.tensors if name not in answer]
        if behind:
            get = self.graph.get_tensor_by_name
            fetches = {name: get(self.tensors[name]) for name in behind}
            needed = kernels.ancestors(t.op for t in fetches.values())
            feeds = {k: get(t) for k, t in self.request.items() if get(t).op in needed}
            call, _ = self._compiled("encode", lambda: (list(feeds.values()), fetches))
            batch = self.compile_spec.batch
            rows = (
                request[k]
                if batch.axis and not is_shared(shape_of(feeds[k]), batch)
                else request[k][0]
                for k in feeds
            )
            for name, value in zip(behind, call(*rows), strict=True):
                answer[name] = value if self.compile_spec.batch.axis else value[None]
        return answer

    def row_bytes(self) -> int | None:
        ops = (op for op in self.graph.get_operations() if op.name.startswith(NETWORK))
        return row_bytes_of(ops) or None

    def peak(self, x: Tensors) -> Peak | None:
        if self.on_gpu:
            return None
        if all(o.shape is not None and None not in o.shape for o in self.operands):
            return self._peak
        shapes = {o.name: np.shape(x[o.name])[1:] for o in self.operands}
        large = any(math.prod(it) > SMALL for it in shapes.values())
        return self._peak_of_shapes(tuple(sorted(shapes.items()))) if large else None

    @cached_property
    def _peak(self) -> Peak | None:
        ops = (op for op in self.graph.get_operations() if op.name.startswith(NETWORK))
        found = peak_of(list(ops))
        return found if found.both else None

    def _peak_of_shapes(self, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Peak | None:
        """Return the peak for operands of shapes that the graph does not know."""
        return None

    def describe(self) -> tuple[Operand, ...]:
        """Return the operands, one for each of `tensors`."""
        get = self.graph.get_tensor_by_name
        return tuple(
            operand_of(self.compile_spec, name, get(t)) for name, t in self.tensors.items()
        )
