"""The functions of a graph, and those of them that loops and conditionals still call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class FunctionLibrary:
    """The function library of a meta graph, by name."""

    def __init__(self, meta_graph: Any) -> None:
        found = meta_graph.graph_def.library.function
        self.functions = {function.signature.name: function for function in found}

    def callee(self, node: Any) -> Any:
        """Return the function that a node calls and does nothing else, or None."""
        if node.op in CALLS:
            return self.functions.get(node.attr["f"].func.name)
        return self.functions.get(node.op)

    def called(self, nodes: Iterable[Any]) -> set[str]:
        """Return the functions that are still called by `nodes`, directly or not."""
        wanted: set[str] = set()
        stack = [name for node in nodes for name in _functions_of(node)]
        while stack:
            name = stack.pop()
            if name in wanted or name not in self.functions:
                continue
            wanted.add(name)
            body = self.functions[name].node_def
            stack.extend(n for node in body for n in _functions_of(node))
            stack.extend(node.op for node in body if node.op in self.functions)
        return wanted

    def bodies(self, nodes: Iterable[Any]) -> list[Any]:
        """Return the nodes of all functions that `nodes` call, directly or not."""
        return [n for name in self.called(nodes) for n in self.functions[name].node_def]

    def add_to(self, graph: Any) -> None:
        """Add what the nodes of a GraphDef call; each node has functions of its own.

        TensorFlow rewrites a loop's functions for its gradient, and trips over a second loop with
        the same ones.
        """
        taken: set[str] = set()
        for node in graph.node:
            called = self.called([node])
            suffix = f"_{len(graph.library.function)}" if called & taken else ""
            for name in sorted(called):
                copy = graph.library.function.add()
                copy.CopyFrom(self.functions[name])
                copy.signature.name += suffix
                for inner in copy.node_def:
                    inner.device = ""
                    if "_gradient_op_type" in inner.attr:
                        del inner.attr["_gradient_op_type"]
                    self._rename(inner, suffix)
            self._rename(node, suffix)
            taken |= called

    def _rename(self, node: Any, suffix: str) -> None:
        if not suffix:
            return
        if node.op in self.functions:
            node.op += suffix
        for value in node.attr.values():
            for function in (value.func, *value.list.func):
                if function.name in self.functions:
                    function.name += suffix


def _functions_of(node: Any) -> list[str]:
    names = []
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            names.append(value.func.name)
        elif kind == "list":
            names.extend(f.name for f in value.list.func)
    return names
