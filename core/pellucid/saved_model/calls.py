"""The functions that a signature calls, and the nodes that a result depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pellucid.saved_model.nodes import Nodes, node_name
from pellucid.saved_model.reader import Function, MetaGraph, Signature

_MOST_CALLS = 20_000
_DEEPEST_CALL = 32
# Operations that hold weights or order things: nobody explains them, so they are not suggested.
WEIGHTS_AND_ORDER = frozenset(
    {
        "Const",
        "NoOp",
        "VarHandleOp",
        "ReadVariableOp",
        "AssignVariableOp",
        "VarIsInitializedOp",
        "VariableV2",
        "Assign",
        "RestoreV2",
        "SaveV2",
        "HashTableV2",
        "MutableHashTableV2",
        "LookupTableImportV2",
        "MergeV2Checkpoints",
        "ShardedFilename",
        "DisableCopyOnRead",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function as it is reached from a signature: the calls that lead to it, outermost first."""

    chain: tuple[str, ...]
    function: Function


def calls(meta_graph: MetaGraph, signature: Signature) -> tuple[Call, ...]:
    """Return the functions that the outputs of `signature` depend on, outermost first.

    A call that only saves or restores is not among them. Recursion is followed once.
    """
    outputs = tuple(node_name(info.name) for info in signature.outputs.values())
    known = meta_graph.worked_out
    if ("calls", outputs) not in known:
        known["calls", outputs] = _calls(meta_graph, outputs)
    found: tuple[Call, ...] = known["calls", outputs]
    return found


def _calls(meta_graph: MetaGraph, outputs: tuple[str, ...]) -> tuple[Call, ...]:
    functions = meta_graph.functions
    reached: dict[str, list[tuple[str, str]]] = {}

    def inside(function: Function) -> list[tuple[str, str]]:
        if function.name not in reached:
            ends = [node_name(it) for it in function.returns.values()]
            reached[function.name] = list(_called_from(function.nodes, ends))
        return reached[function.name]

    found: list[Call] = []
    level: list[tuple[tuple[str, ...], tuple[str, ...], str]] = [
        ((node,), (callee,), callee) for node, callee in _called_from(meta_graph.nodes, outputs)
    ]
    while level and len(level[0][0]) <= _DEEPEST_CALL:
        below = []
        for chain, callers, callee in level:
            if len(found) >= _MOST_CALLS:
                return tuple(found)
            function = functions[callee]
            found.append(Call(chain=chain, function=function))
            below += [
                ((*chain, node), (*callers, inner), inner)
                for node, inner in inside(function)
                if inner not in callers
            ]
        level = below
    return tuple(found)


def _called_from(nodes: Nodes, ends: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in reachable(nodes, ends):
        callee = nodes.called(name)
        if callee is not None:
            yield name, callee


def reachable(nodes: Nodes, ends: Sequence[str]) -> list[str]:
    """Return the nodes that `ends` depend on, themselves included, in a stable order.

    Once calls are expanded, ``C/x`` is what is called ``x`` in the function that ``C`` calls; a
    graph may name it, too, and depends on ``C`` then.
    """
    seen = dict.fromkeys(it for name in ends for it in _holders(nodes, name))
    waiting = list(seen)
    while waiting:
        for name in nodes.input_names(waiting.pop()):
            for holder in (name,) if name in nodes else _holders(nodes, name):
                if holder not in seen:
                    seen[holder] = None
                    waiting.append(holder)
    return list(seen)


def _holders(nodes: Nodes, name: str) -> list[str]:
    """Return a node of that name, or else those in which something of that name may be."""
    if name in nodes:
        return [name]
    ends = (end for end, letter in enumerate(name) if letter == "/")
    return [name[:end] for end in ends if name[:end] in nodes]
