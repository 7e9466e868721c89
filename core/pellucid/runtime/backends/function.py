"""The second backend: ``tf.saved_model.load`` and the signature's own function.

It carries what the flat graph does not, such as gradients that were saved with the model. Only the
inputs and outputs of the signature have names here; for a TensorFlow 1 export, every tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.model import Array, Tensors
from pellucid.runtime.backends.base import (
    Backend,
    Build,
    CompileSpec,
    all_ops,
    held,
    operand_of,
    refuse_calls,
    shape_of,
    without_bfloat16,
)
from pellucid.runtime.backends.devices import device_scope
from pellucid.runtime.backends.judged_files import judged_directory
from pellucid.runtime.engine.failures import Unsupported
from pellucid.runtime.engine.joint import Joint
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.effects import random_ops
from pellucid.saved_model import is_shared


class FunctionBackend(Backend):
    """A `CompileSpec` by way of the loaded object's signature function."""

    def __init__(self, compile_spec: CompileSpec) -> None:
        super().__init__(compile_spec)
        _revive_optimizers()
        self.random_ops = random_ops(all_ops(compile_spec.meta_graph))
        tags = list(compile_spec.meta_graph.meta_info_def.tags)
        with judged_directory(compile_spec) as directory, device_scope(compile_spec.device):
            self._object = tf.saved_model.load(directory, tags=tags)
        signature = compile_spec.meta_graph.signature_def[compile_spec.signature_key]
        keys = {tensor: key for key, tensor in compile_spec.request.items()}
        explained = {name: keys[t] for name, t in compile_spec.explained.items() if t in keys}
        # Of TensorFlow 1, or one of several graphs, it gives the graph.
        if isinstance(getattr(self._object, "graph", None), tf.Graph):
            self._feeds = dict(compile_spec.explained)
            if len(explained) == len(compile_spec.explained):
                others = (
                    i
                    for i in compile_spec.request.items()
                    if i[1] not in compile_spec.explained.values()
                )
                self._feeds |= {held(key): tensor for key, tensor in others}
            self._function = self._object.prune(list(self._feeds.values()), compile_spec.output)
            tensors = {n: self._object.graph.get_tensor_by_name(t) for n, t in self._feeds.items()}
            self._keys: dict[str, str] | None = None
        else:
            outputs = {info.name: key for key, info in signature.outputs.items()}
            if len(explained) < len(compile_spec.explained) or compile_spec.output not in outputs:
                raise Unsupported(
                    "this backend reaches only the signature's own inputs and outputs"
                )
            self._function = self._object.signatures[compile_spec.signature_key]
            self._output = outputs[compile_spec.output]
            kept = (key for key in compile_spec.request if key not in explained.values())
            self._keys = {**explained, **{held(key): key for key in kept}}
            specs = self._function.structured_input_signature[1]
            tensors = {name: specs[key] for name, key in self._keys.items()}
        self.operands = tuple(operand_of(compile_spec, name, t) for name, t in tensors.items())

    def encode(self, request: Tensors) -> dict[str, Array]:
        keys = {tensor: key for key, tensor in self.compile_spec.request.items()}
        known = {name: keys.get(tensor) for name, tensor in self.compile_spec.explained.items()}
        known |= {held(key): key for key in self.compile_spec.request}
        if any(known[operand.name] is None for operand in self.operands):
            return self._encode_inside(request)
        return {o.name: request[known[o.name] or ""] for o in self.operands}

    def network(self, rows: dict[str, Any]) -> Any:
        if self._keys is None:
            return self._function(*rows.values())
        return self._function(**{self._keys[n]: row for n, row in rows.items()})[self._output]

    def compile(self, build: Build) -> Callable[..., Sequence[Array]]:
        arguments: list[Any] = []
        results: list[Any] = []

        def inside() -> None:
            given, named = build()
            arguments.extend(given)
            results.extend(map(without_bfloat16, named.values()))

        with device_scope(self.compile_spec.device):
            wrapped = tf.compat.v1.wrap_function(inside, [])
        pruned = wrapped.prune(arguments, results)
        types = [a.dtype for a in arguments]

        def call(*arrays: Array) -> list[Array]:
            return [np.asarray(t) for t in pruned(*map(_constant, arrays, types))]

        return call

    def reached(self) -> tuple[tuple[str, ...], Joint]:
        if self._keys is None:
            refuse_calls(self._function.graph.get_operations())
        return super().reached()

    def _encode_inside(self, request: Tensors) -> dict[str, Array]:
        """Run a TensorFlow 1 graph from its request tensors to tensors behind them."""
        batch = self.compile_spec.batch
        feeds = list(self.compile_spec.request.values())
        encode = self._object.prune(feeds, [self._feeds[o.name] for o in self.operands])
        get = self._object.graph.get_tensor_by_name
        tensors = {key: get(t) for key, t in self.compile_spec.request.items()}
        rows = (
            _constant(
                request[key]
                if batch.axis and not is_shared(shape_of(tensor), batch)
                else request[key][0],
                tensor.dtype,
            )
            for key, tensor in tensors.items()
        )
        values = [np.asarray(without_bfloat16(v)) for v in encode(*rows)]
        return {
            o.name: v if batch.axis else v[None] for o, v in zip(self.operands, values, strict=True)
        }


def _constant(values: Array, dtype: Any) -> Any:
    return tf.constant(np.asarray(values, dtype.base_dtype.as_numpy_dtype), dtype.base_dtype)


class _Optimizer(tf.__internal__.tracking.AutoTrackable):  # type: ignore[misc]
    """Stands for an optimizer, whose slots the loader wants to restore and nobody reads."""

    def add_slot(self, var: Any, slot_name: str, *_: Any, **__: Any) -> Any:
        """Return a variable that can take the slot's value and is then forgotten."""
        return tf.Variable(tf.zeros_like(var), trainable=False, name=slot_name)


def _revive_optimizers() -> None:
    """Let ``tf.saved_model.load`` restore a model that was saved with its optimizer's slots.

    Without it the load ends in "'_UserObject' object has no attribute 'add_slot'".
    """
    loader = tf.__internal__.saved_model.load
    if loader.registered_identifiers() and "optimizer" in loader.registered_identifiers():
        return
    loader.register_revived_type(
        "optimizer",
        lambda candidate: isinstance(candidate, _Optimizer),
        versions=[
            loader.VersionedTypeRegistration(
                object_factory=lambda proto: _Optimizer(),
                version=1,
                min_producer_version=1,
                min_consumer_version=1,
            )
        ],
    )
