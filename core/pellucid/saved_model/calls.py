"""The functions that a signature calls, and the nodes that a result depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.errors import EndlessCallsError
from pellucid.saved_model.nodes import Nodes, attributes_of, node_name
from pellucid.saved_model.op_table import operation

if TYPE_CHECKING:
    from pellucid.saved_model.reader import Function, MetaGraph, Signature

# Of Keras models in Keras models, ten are deep; of the largest networks, a million are many.
MOST_DEEP = 100
MOST_EXPANDED = 5_000_000
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
    """Return the nodes that `ends` depend on, themselves included, in a stable order."""
    seen = dict.fromkeys(name for name in ends if name in nodes)
    waiting = list(seen)
    while waiting:
        for name in nodes.input_names(waiting.pop()):
            if name in nodes and name not in seen:
                seen[name] = None
                waiting.append(name)
    return list(seen)


def functions_called(functions: Mapping[str, Any], message: Any) -> Iterator[str]:
    """Yield the functions that a node calls in one way or another, known or not."""
    known = operation(message.op)
    if message.op in functions:
        yield message.op
    elif known is not None and not known.calls:
        return
    waiting = list(attributes_of(message).values())
    while waiting:
        value = waiting.pop()
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name
            waiting += function.attr.values()


def refuse_endless_calls(meta_graph: MetaGraph) -> None:
    """Raise EndlessCallsError for functions that call each other in a circle, or without measure.

    Calls are expanded in their places, by TensorFlow as well: what calls itself has no end, and of
    thirty functions that call the next one twice, the last is there a thousand million times.
    """
    functions = meta_graph.functions
    if not functions:
        return
    # By function, None being the graph: how deep its calls go, and how many nodes they become.
    depth: dict[str | None, int] = {}
    size: dict[str | None, int] = {}
    within: dict[str | None, list[str]] = {}
    for first in (None, *functions):
        waiting: list[str | None] = [first]
        while waiting:
            name = waiting[-1]
            if name in depth:
                waiting.pop()
            elif name not in within:
                nodes = meta_graph.nodes if name is None else functions[name].nodes
                within[name] = _callees(functions, nodes)
                for callee in dict.fromkeys(within[name]):
                    if callee in within and callee not in depth:
                        raise EndlessCallsError(_circle(waiting, callee))
                    waiting.append(callee)
            else:
                nodes = meta_graph.nodes if name is None else functions[name].nodes
                called = within[name]
                depth[name] = 1 + max((depth[it] for it in called), default=0)
                size[name] = len(nodes.messages()) + sum(size[it] for it in called)
                _refuse_measure(name, depth[name], size[name])


def _callees(functions: Mapping[str, Function], nodes: Nodes) -> list[str]:
    """Return the functions that nodes call, as often as they do."""
    calling = {
        op for op in nodes.ops if op in functions or (known := operation(op)) is None or known.calls
    }
    return [
        name
        for message in (nodes.messages() if calling else ())
        if message.op in calling
        for name in functions_called(functions, message)
        if name in functions
    ]


def _circle(waiting: Sequence[str | None], callee: str) -> str:
    caller = waiting[-1]
    if caller == callee:
        return f"the function '{callee}' calls itself"
    return f"the functions '{callee}' and '{caller}' call each other, directly or not"


def _refuse_measure(name: str | None, depth: int, size: int) -> None:
    here = f"the function '{name}'" if name is not None else "the graph"
    if depth > MOST_DEEP:
        what = f"{here} calls functions that call others more than {MOST_DEEP} deep"
        raise EndlessCallsError(what)
    if size > MOST_EXPANDED:
        what = f"{here} has more than {MOST_EXPANDED} operations once its calls are expanded"
        raise EndlessCallsError(what)
