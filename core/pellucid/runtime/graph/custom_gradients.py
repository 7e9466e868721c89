"""Gradients that were saved with the model: what `tf.custom_gradient` leaves in a SavedModel.

A function with its own gradient ends in an ``IdentityN`` whose ``_gradient_op_type`` names a
gradient function of the library. That function takes the gradients of the node's outputs, and
after them what it captured: tensors of the function around the node, and variables.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pellucid.runtime.engine.tensorflow import tf

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Captured:
    """What a gradient function captured: tensor `name` of `function`, or the variable `node`."""

    function: str
    name: str
    node: int


@dataclass(frozen=True, slots=True)
class SavedGradient:
    """A gradient function of the library; `returned` says which of its results are not None."""

    function: Any
    captured: tuple[Captured, ...]
    returned: tuple[bool, ...]

    @property
    def captured_types(self) -> list[int]:
        """The types of what it captured, as the graph's enum."""
        arguments = self.function.signature.input_arg
        return [a.type for a in arguments[len(arguments) - len(self.captured) :]]

    def register(self, add_library: Callable[[Any], None]) -> tuple[str, Any]:
        """Make it known to `tf.gradients` under a new name; return that, and the graph it imports.

        The node's last inputs must be what the function captured. `add_library` adds the
        functions that a graph calls.
        """
        call = tf.compat.v1.GraphDef()
        signature = self.function.signature
        node = call.node.add(name="call", op="StatefulPartitionedCall")
        node.input.extend(f"argument_{i}:0" for i in range(len(signature.input_arg)))
        node.attr["Tin"].list.type.extend(a.type for a in signature.input_arg)
        node.attr["Tout"].list.type.extend(a.type for a in signature.output_arg)
        node.attr["f"].func.name = signature.name
        add_library(call)
        results = [f"call:{i}" for i in range(len(signature.output_arg))]
        name = f"pellucid.{signature.name}.{next(_numbers)}"

        def gradient(op: Any, *slopes: Any) -> list[Any]:
            given = len(signature.input_arg) - len(self.captured)
            values = [
                tf.zeros_like(op.outputs[i]) if slope is None else slope
                for i, slope in enumerate(slopes[:given])
            ]
            # A copy is of the graph at hand, where that is the body of a loop around the gradient.
            values += map(tf.identity, op.inputs[given:])
            found = iter(
                tf.import_graph_def(
                    call,
                    input_map={f"argument_{i}:0": value for i, value in enumerate(values)},
                    return_elements=results,
                    name="saved_gradient",
                )
            )
            answer = [next(found) if tensor else None for tensor in self.returned]
            return answer + [None] * len(self.captured)

        tf.RegisterGradient(name)(gradient)
        return name, call


def saved_gradients(meta_graph: Any) -> dict[bytes, SavedGradient]:
    """Return the gradients that were saved, by the ``_gradient_op_type`` that names them."""
    library = meta_graph.graph_def.library
    if not library.registered_gradients:
        return {}
    functions = {f.signature.name: f for f in library.function}
    objects = meta_graph.object_graph_def
    found = {}
    for entry in library.registered_gradients:
        function = functions.get(entry.gradient_func)
        saved = objects.concrete_functions.get(entry.gradient_func)
        if function is None or saved is None:
            continue
        captured = []
        for node in saved.bound_inputs:
            tensor = objects.nodes[node].captured_tensor
            captured.append(Captured(tensor.concrete_function, tensor.name, node))
        found[entry.registered_op_type.encode()] = SavedGradient(
            function, tuple(captured), _returned(saved.output_signature)
        )
    return found


def bound_argument(meta_graph: Any, function: Any, node: int) -> str | None:
    """Return the argument of `function` that holds the variable `node` of the object graph."""
    functions = meta_graph.object_graph_def.concrete_functions
    name = function.signature.name
    bound = list(functions[name].bound_inputs) if name in functions else []
    if node not in bound:
        return None
    arguments = function.signature.input_arg
    return str(arguments[len(arguments) - len(bound) + bound.index(node)].name)


def _returned(structure: Any) -> tuple[bool, ...]:
    kind = structure.WhichOneof("kind")
    if kind in ("list_value", "tuple_value"):
        values = getattr(structure, kind).values
        return tuple(v.WhichOneof("kind") != "none_value" for v in values)
    return (kind != "none_value",)
