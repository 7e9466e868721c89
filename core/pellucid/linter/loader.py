"""Whether TensorFlow's own loader takes a model, and what may then touch the world: anything.

The flat graph is made here, of what the outputs depend on: what of it runs is known. TensorFlow's
loaders run more, each in its way: initializers of tables and local variables, functions that
restore objects, make their resources and destroy them, gradients. So there every operation counts,
wherever it is in the file; but for the saver's own, which TensorFlow puts into every model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pellucid.linter.judge import OTHERS_CHECKPOINT, Judge
from pellucid.linter.reachability import Running, everything, running
from pellucid.linter.unsafe_ops import RESTORES, SAVES, is_known, may_touch
from pellucid.saved_model import MetaGraph, attributes_of, node_name

_FRAMES = frozenset({"Enter", "RefEnter"})
_GRADIENT = "_gradient_op_type"
_INIT_SIGNATURE = "__saved_model_init_op"
# Its entries are descriptions of savers, which loading makes and does not run.
_SAVERS = "savers"


def why_loader(meta_graph: MetaGraph, asked: Running) -> str | None:
    """Return why TensorFlow's own loader takes a model, None where the flat graph carries it.

    `asked` is what explaining asks for. Raises ModelError where the file is damaged.
    """
    library = meta_graph.graph.library
    saved = {it.registered_op_type.encode() for it in library.registered_gradients}
    bodies = [
        (it.nodes, it.nodes) for name, it in meta_graph.functions.items() if name in asked.functions
    ]
    for nodes, among in ((meta_graph.nodes, asked.nodes), *bodies):
        if nodes.ops & _FRAMES and any(
            it.op in _FRAMES and it.name in among for it in nodes.messages()
        ):
            return "its graph has the loop frames of TensorFlow 1"
        if saved and "IdentityN" in nodes.ops:
            for message in nodes.messages():
                if message.op == "IdentityN" and message.name in among:
                    attributes = attributes_of(message)
                    if _GRADIENT in attributes and attributes[_GRADIENT].s in saved:
                        return "a gradient was saved with it"
    return None


def loader_touches(
    meta_graph: MetaGraph, ends: Iterable[str]
) -> Iterator[tuple[str | None, Any, str]]:
    """Yield the operations that touch the world wherever they are: function, node, what it does.

    `ends` are the nodes of the graph that explaining asks for. Raises ModelError.
    """
    run, ends = everything(meta_graph), list(ends)
    saver = meta_graph.message.saver_def
    late = [*ends, *map(node_name, (saver.restore_op_name, saver.save_tensor_name))]
    late += _named_by_signatures(meta_graph, but=_INIT_SIGNATURE)
    judge = Judge(meta_graph, run, running(meta_graph, late, loading=False))
    saving = _Saver(meta_graph, run, ends)
    restored = running(meta_graph, [node_name(saver.restore_op_name)], loading=False)
    # Of two functions with one name, either may be taken.
    functions = ((str(it.signature.name), it.node_def) for it in meta_graph.graph.library.function)
    for function, nodes in ((None, meta_graph.nodes.messages()), *functions):
        for message in nodes:
            op = str(message.op)
            if not may_touch(op) or (op in meta_graph.functions and not is_known(op)):
                continue
            if op in (*SAVES, *RESTORES) and saving.has(function, str(message.name)):
                # Some graphs have several savers, of which one is used.
                used = restored.holds(function, message.name)
                if not used or (op in RESTORES and judge.reads_checkpoint(function, message)):
                    continue
            what = OTHERS_CHECKPOINT if op in RESTORES else judge.what(function, message)
            if what is not None:
                yield function, message, what


class _Saver:
    """The saver of a graph: what nothing else starts. Loaders restore with it, and never save."""

    def __init__(self, meta_graph: MetaGraph, run: Running, ends: Iterable[str]) -> None:
        self.run = run
        self.users: dict[str, list[str]] = {}
        for message in meta_graph.nodes.messages():
            for name in message.input:
                self.users.setdefault(node_name(name), []).append(str(message.name))
        self.named = {*ends, *_named_by_signatures(meta_graph)}
        self.texts: list[bytes] = []
        for key, collection in meta_graph.message.collection_def.items():
            self.named.update(map(node_name, collection.node_list.value))
            if key != _SAVERS:
                self.texts += collection.bytes_list.value
                self.texts += (it.value for it in collection.any_list.value)
        self.started = {*run.bound, *_started(meta_graph)}

    def has(self, function: str | None, node: str) -> bool:
        """Whether an operation of saving or restoring can be started by nothing but the saver."""
        waiting, seen = [(function, node)], set[tuple[str | None, str]]()
        while waiting:
            function, node = waiting.pop()
            # All of a function runs when it is called.
            here = (function, "" if function is not None else node)
            if here in seen:
                continue
            seen.add(here)
            if function is not None:
                if function in self.started:
                    return False
                waiting += ((it.function, it.node) for it in self.run.functions.get(function, ()))
            elif node in self.named or any(node.encode() in it for it in self.texts):
                return False
            else:
                waiting += ((None, it) for it in self.users.get(node, ()))
        return True


def _named_by_signatures(meta_graph: MetaGraph, *, but: str = "") -> Iterator[str]:
    """Yield the nodes that signatures name, those that initialize or train included."""
    for key, signature in meta_graph.message.signature_def.items():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            if key != but:
                components = info.composite_tensor.components
                sparse = info.coo_sparse
                names = (info.name, *(it.name for it in components), sparse.values_tensor_name)
                yield from (node_name(it) for it in names if it)


def _started(meta_graph: MetaGraph) -> Iterator[str]:
    """Yield the functions that objects and gradients name."""
    for node in meta_graph.objects.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name
        yield node.captured_tensor.concrete_function
    library = meta_graph.graph.library
    yield from (it.gradient_func for it in (*library.registered_gradients, *library.gradient))
