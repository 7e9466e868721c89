"""Values of small variables, read from the checkpoint without TensorFlow."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from pellucid.saved_model.checkpoint import Entry, checkpoint_entries, read_entry
from pellucid.saved_model.nodes import node_name
from pellucid.saved_model.pixels.constants import LARGEST
from pellucid.saved_model.pixels.scopes import Ref, Scope, data_inputs
from pellucid.saved_model.protobuf import messages
from pellucid.saved_model.reader import MetaGraph

_ASSIGNS = ("AssignVariableOp", "Assign")


class Variables:
    """The variables of a model in `directory`, by the operation of the graph that makes them.

    The graph's own restore operation says which entry of the checkpoint belongs to which variable,
    in every generation of the format.
    """

    def __init__(self, meta_graph: MetaGraph, directory: Path) -> None:
        self.meta_graph = meta_graph
        self.directory = directory

    def read(self, name: str) -> tuple[tuple[int, ...], int, bytes] | None:
        """Return shape, number of type and bytes of a variable, or None if it cannot be had."""
        key = self._keys.get(name) or self._keys.get(self._copies.get(name, ""))
        entry = self._entries.get(key) if key is not None else None
        if entry is None or entry.sliced or entry.size > 8 * LARGEST:
            return None
        content = read_entry(self.directory / "variables", entry)
        return None if content is None else (entry.shape, entry.dtype, content)

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return checkpoint_entries(self.directory / "variables", messages())

    @cached_property
    def _keys(self) -> dict[str, str]:
        """The checkpoint's key of each variable that is restored as a whole."""
        restore = self.meta_graph.message.saver_def.restore_op_name
        if not restore:
            return {}
        found: dict[str, str] = {}
        root = Scope(self.meta_graph, ())
        waiting = [(root, node_name(restore))]
        seen = set(waiting)
        while waiting:
            scope, name = waiting.pop()
            message = scope.nodes.find(name)
            if message is None:
                continue
            child = scope.child(message)
            if child is not None:
                # A function is entered by all that it assigns: nothing need lead there.
                assigns = [it for it in child.nodes.messages() if it.op in _ASSIGNS]
                found.update(filter(None, (_restored(child, it) for it in assigns)))
                waiting += [(child, node) for node in child.nodes if child.nodes.called(node)]
                continue
            if message.op in _ASSIGNS:
                found.update(filter(None, [_restored(scope, message)]))
            for it in message.input:
                step = scope, node_name(it)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
        root.forget()
        return found

    @cached_property
    def _copies(self) -> dict[str, str]:
        """The variable that each one gives its value to at the start.

        `tf.saved_model.save` writes a Keras 3 model so: a copy is restored, the original is read.
        """
        scope = Scope(self.meta_graph, ())
        found: dict[str, str] = {}
        for message in self.meta_graph.graph.node:
            if message.op in _ASSIGNS:
                copy, value = (_behind_identities(scope.resolve(it)) for it in message.input[:2])
                read = scope.nodes.find(value.name)
                if read is not None and read.op == "ReadVariableOp":
                    found[node_name(read.input[0])] = copy.name
        scope.forget()
        return found


def _restored(scope: Scope, assign: Any) -> tuple[str, str] | None:
    """Return the variable that an operation assigns, and the checkpoint's key of the value."""
    variable, value = (_behind_identities(scope.resolve(it)) for it in data_inputs(assign)[:2])
    reader = value.scope.nodes.find(value.name)
    if reader is None or reader.op != "RestoreV2" or variable.scope.function is not None:
        return None
    key, part = (_string(value.scope.resolve(it), value.output) for it in data_inputs(reader)[1:3])
    return None if key is None or part != "" else (variable.name, key)


def _behind_identities(ref: Ref) -> Ref:
    message = ref.scope.nodes.find(ref.name)
    while message is not None and message.op == "Identity":
        ref = ref.scope.resolve(message.input[0])
        message = ref.scope.nodes.find(ref.name)
    return ref


def _string(ref: Ref, index: int) -> str | None:
    """Return an element of a constant of strings; the last that is written stands for the rest."""
    message = ref.scope.nodes.find(ref.name)
    if message is None or message.op != "Const":
        return None
    tensor = ref.scope.nodes.attributes(ref.name)["value"].tensor
    size = tensor.tensor_shape.dim[0].size if tensor.tensor_shape.dim else 1
    if not tensor.string_val or index >= size:
        return None
    written = min(index, len(tensor.string_val) - 1)
    return str(tensor.string_val[written].decode("utf-8", "replace"))
