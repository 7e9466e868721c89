"""Operands that a network puts side by side, as a table's columns are, before anything else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.runtime.graph.flat_graph import FlatGraph


@dataclass(frozen=True, slots=True)
class Concatenated:
    """The tensor that is made of operands side by side, in the order of their `names`."""

    tensor: str
    names: tuple[str, ...]


def concatenated(
    flat: FlatGraph,
    nodes: Collection[str],
    operands: Mapping[str, str],
    value_of: Callable[[str], Any],
) -> Concatenated | None:
    """Return the longest concatenation of `operands`, tensors [n, k] by name, among `nodes`.

    Each is in it once. `value_of` gives what a constant tensor is, None for any other.
    """
    names = {tensor: name for name, tensor in operands.items()}
    found = [*_all_of(flat, nodes, names, value_of)]
    return max(found, key=lambda it: len(it.names), default=None)


def _all_of(
    flat: FlatGraph,
    nodes: Collection[str],
    names: Mapping[str, str],
    value_of: Callable[[str], Any],
) -> Iterator[Concatenated]:
    for name in sorted(nodes):
        node = flat.nodes[name]
        if node.op != "ConcatV2":
            continue
        *parts, axis = (it for it in flat.inputs(node) if it[0] != "^")
        inside = [names[it] for it in parts if it in names]
        if len(parts) == len(inside) == len(set(inside)) and value_of(axis) in (1, -1):
            yield Concatenated(f"{name}:0", tuple(inside))
