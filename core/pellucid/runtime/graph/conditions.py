"""Conditions that the values of a batch decide: the rows of such a model may depend on each other.

A predicate is one value for all rows. Where it is computed from their shapes, or from a counter, it
is the same for whatever they say; inside a loop over rows it is that of a single row.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from pellucid.runtime.graph.flat_graph import FlatGraph, node_of

# Where the predicate is among their inputs.
_PREDICATES = {
    "If": 0,
    "StatelessIf": 0,
    "Case": 0,
    "StatelessCase": 0,
    "Switch": 1,
    "RefSwitch": 1,
}
_LOOPS = ("While", "StatelessWhile")
CONDITIONS = frozenset({*_PREDICATES, *_LOOPS})
# Their outputs tell nothing of the values of their inputs.
_SHAPES = ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike")


def decided_by_values(flat: FlatGraph, output: str, nodes: Set[str], rows: Iterable[str]) -> bool:
    """Whether a condition among `nodes` is decided by the values of the tensors `rows`.

    Only those count that choose what `output` is: an assertion is a condition, too.
    """
    if not any(flat.nodes[n].op in CONDITIONS for n in nodes):
        return False
    inside, waiting = set[str](), [node_of(output)]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in inside:
            inside.add(name)
            waiting += [node_of(t) for t in flat.inputs(flat.nodes[name]) if t[0] != "^"]
    conditions = [n for n in inside if flat.nodes[n].op in CONDITIONS]
    given = set(rows)
    computed = _following(flat, inside, given)
    for name in conditions:
        node = flat.nodes[name]
        read = [t for t in flat.inputs(node) if t[0] != "^"]
        deciding = _deciding(flat, node) if node.op in _LOOPS else [_PREDICATES[node.op]]
        for tensor in (read[place] for place in deciding if place < len(read)):
            if tensor in given or node_of(tensor) in computed:
                return True
    return False


def _following(flat: FlatGraph, inside: set[str], given: set[str]) -> set[str]:
    """Return the nodes of `inside` that compute with the values of the tensors `given`."""
    users: dict[str, list[str]] = {}
    waiting = []
    for name in inside:
        for tensor in flat.inputs(flat.nodes[name]):
            users.setdefault(node_of(tensor), []).append(name)
            if tensor in given:
                waiting.append(name)
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and flat.nodes[name].op not in _SHAPES:
            found.add(name)
            waiting.extend(users.get(name, ()))
    return found


def _deciding(flat: FlatGraph, loop: Any) -> list[int]:
    """Return the places of the loop's variables by which it decides whether to go on."""
    function = flat.function(loop.attr["cond"].func.name)
    if function is None:
        return []
    nodes = {node.name: node for node in function.node_def}
    arguments = [argument.name for argument in function.signature.input_arg]
    waiting, seen = list(function.ret.values()), set[str]()
    while waiting:
        name = waiting.pop().partition(":")[0]
        if name not in seen:
            seen.add(name)
            if name in nodes:
                waiting += [it for it in nodes[name].input if it[0] != "^"]
    return [place for place, name in enumerate(arguments) if name in seen]
