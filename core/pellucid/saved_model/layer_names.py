"""Which tensor the name of a layer means: the one that leaves the layer's scope.

A layer's operations stand in a scope that is named after it: ``aux_output`` made
``model/aux_output/Sigmoid``. Keras 3 enters each scope twice, to build the layer and to call it, so
that TensorFlow numbers the second: ``functional_1/aux_output_1/Sigmoid``. There ``dense_1`` is the
layer ``dense``, and the layer ``dense_1`` is ``dense_1_2``. Variables keep the names of their
layers, and tell the two ways apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from pellucid.saved_model.calls import WEIGHTS_AND_ORDER, calls, reachable
from pellucid.saved_model.nodes import Nodes, node_name, output_index
from pellucid.saved_model.reader import Function, MetaGraph, Signature

_NUMBER = re.compile(r"_\d+$")
_FLOATS = ("float16", "bfloat16", "float32", "float64")
# Names that are looked through for those like one that is mistyped.
_MOST_NAMES = 50_000
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")


def layer_outputs(meta_graph: MetaGraph, signature: Signature, layer: str) -> dict[str, str]:
    """Return the tensors that leave the scopes of a layer: flat name → the scope.

    There are several where the layer was called more than once, or gives more than one tensor.
    """
    found: dict[str, str] = {}
    for body in _bodies(meta_graph, signature, layer):
        for scope in body.scopes(layer):
            for name, index in body.leaving(scope):
                found[f"{body.prefix}{name}:{index}"] = body.prefix + scope
    return found


def nearest_layers(meta_graph: MetaGraph, signature: Signature, name: str) -> list[str]:
    """Return at most three names of layers like `name`, each of which means one tensor."""
    scopes = set[str]()
    budget = _MOST_NAMES
    for nodes in (meta_graph.nodes, *(it.function.nodes for it in calls(meta_graph, signature))):
        budget -= len(nodes)
        if budget < 0:
            break
        for node in nodes:
            scopes.update(node.split("/")[:-1])
    names = scopes | {_NUMBER.sub("", it) for it in scopes}
    near = get_close_matches(name, sorted(names), n=6, cutoff=0.7)
    return [it for it in near if len(layer_outputs(meta_graph, signature, it)) == 1][:3]


def _bodies(meta_graph: MetaGraph, signature: Signature, layer: str) -> Iterator[_Body]:
    """Yield the graph and the functions in which a scope is named like the layer."""
    ends = tuple(info.name for info in signature.outputs.values())
    nodes = meta_graph.nodes
    asked = tuple(reachable(nodes, [node_name(it) for it in ends]))
    variables = {name: _stored(nodes, name) for name in asked if nodes.op(name) in _VARIABLES}
    if _scopes_like(asked, layer):
        yield _Body(meta_graph, "", nodes, asked, ends, variables)
    found = {call.chain: call.function for call in calls(meta_graph, signature)}
    held: dict[tuple[str, ...], dict[str, str]] = {(): variables}
    holds: dict[str, bool] = {}
    for chain, function in found.items():
        if function.name not in holds:
            holds[function.name] = bool(_scopes_like(function.nodes, layer))
        if holds[function.name]:
            for depth in range(len(chain)):
                if chain[: depth + 1] not in held:
                    outer = found[chain[:depth]].nodes if depth else nodes
                    read = _captured(outer, chain[depth], found[chain[: depth + 1]])
                    known = held[chain[:depth]]
                    held[chain[: depth + 1]] = {a: known[it] for a, it in read if it in known}
            prefix = "".join(f"{it}/" for it in chain)
            names, results = tuple(function.nodes), tuple(function.returns.values())
            yield _Body(meta_graph, prefix, function.nodes, names, results, held[chain], function)


def _captured(nodes: Nodes, call: str, function: Function) -> Iterator[tuple[str, str]]:
    """Yield each argument of a function, and the node or argument that a call gives for it."""
    given = (it for it in nodes.message(call).input if it[0] != "^")
    return zip(function.arguments, map(node_name, given), strict=False)


def _stored(nodes: Nodes, variable: str) -> str:
    attributes = nodes.attributes(variable)
    shared = attributes["shared_name"].s.decode() if "shared_name" in attributes else ""
    return shared or variable


def _scopes_like(names: Iterable[str], layer: str) -> dict[str, bool]:
    """Return the scopes that are named after a layer, and whether they have no number of its own.

    They are those of the nodes `names`; a number at the end may tell a scope from another.
    """
    wanted = layer.split("/")
    alike: dict[str, bool] = {}
    for name in names:
        if wanted[-1] not in name:
            continue
        parts = name.split("/")
        for end in range(len(wanted), len(parts)):
            window = parts[end - len(wanted) : end]
            if all(map(_is_like, window, wanted)):
                alike["/".join(parts[:end])] = window == wanted
    return alike


@dataclass(frozen=True)
class _Body:
    """The graph or a function: `names` are the nodes that count, `results` what it returns.

    `variables` are the nodes or arguments that hold variables, with the variables' own names.
    """

    meta_graph: MetaGraph
    prefix: str
    nodes: Nodes
    names: tuple[str, ...]
    results: tuple[str, ...]
    variables: Mapping[str, str]
    function: Function | None = None

    def scopes(self, layer: str) -> list[str]:
        """Return the scopes that a layer's name may mean, without those inside of others."""
        alike, last = _scopes_like(self.names, layer), layer.rpartition("/")[2]
        found = [it for it, exact in alike.items() if self._may_mean(it, last, exact)]
        if not found and not (self._numbered and _NUMBER.search(layer)):
            # A scope may be numbered, or not, for another reason.
            found = [it for it in alike if not self._layers.get(it)]
        return [it for it in found if not any(it.startswith(f"{other}/") for other in found)]

    def _may_mean(self, scope: str, layer: str, exact: bool) -> bool:
        if self._layers.get(scope):
            return layer in self._layers[scope]
        return exact != self._numbered

    @cached_property
    def _layers(self) -> dict[str, set[str]]:
        """The layers that a scope may be of, by the names of the variables that are read in it."""
        found: dict[str, set[str]] = {}
        for name in self.names:
            parts = name.split("/")
            for read in self.nodes.input_names(name):
                for layer in self.variables.get(read, "").split("/")[:-1]:
                    for end in range(1, len(parts)):
                        if _is_like(parts[end - 1], layer):
                            found.setdefault("/".join(parts[:end]), set()).add(layer)
        return found

    @cached_property
    def _numbered(self) -> bool:
        """Whether the scope of every layer has a number, as in Keras 3."""
        if self._layers:
            return not any(scope.rpartition("/")[2] in it for scope, it in self._layers.items())
        outermost = {name.partition("/")[0] for name in self.names if "/" in name}
        return all(map(_NUMBER.search, outermost))

    def leaving(self, scope: str) -> list[tuple[str, int]]:
        """Return the last tensors of a scope that are used outside: node and output.

        Floats are preferred to others, such as masks; what others of them depend on is left out.
        """
        inside = {name for name in self.names if name.startswith(f"{scope}/")}
        read = [t for n in self.names if n not in inside for t in self.nodes.message(n).input]
        used = [it for it in (*read, *self.results) if it[0] != "^" and node_name(it) in inside]
        if not used:  # nobody uses it: what it ends in
            taken = {it for name in inside for it in self.nodes.input_names(name)}
            used = [name for name in self.names if name in inside and name not in taken]
        places = {(node_name(it), self._index(it)) for it in used}
        tensors = sorted((name, i or 0) for name, i in places if self._is_computed(name))
        floats = [it for it in tensors if self._dtype(*it) in _FLOATS]
        last = floats or tensors
        needed = {
            name
            for ending, _ in last
            for name in reachable(self.nodes, [ending])
            if name != ending and name in inside
        }
        return [it for it in last if it[0] not in needed]

    def _index(self, tensor: str) -> int | None:
        if self.function is None:
            return int(tensor.rpartition(":")[2]) if ":" in tensor else 0
        return output_index(self.nodes, self.meta_graph.functions, tensor)

    def _dtype(self, name: str, index: int) -> str:
        types = self.nodes[name].dtypes
        return types[index] if index < len(types) else "unknown"

    def _is_computed(self, name: str) -> bool:
        """Whether a tensor depends on more than constants and variables."""
        if self.nodes.op(name) in WEIGHTS_AND_ORDER:
            return False
        for needed in reachable(self.nodes, [name]):
            if self.nodes.op(needed) in ("Placeholder", "PlaceholderWithDefault"):
                return True
            for read in self.nodes.input_names(needed):
                if read not in self.nodes and read not in self.variables:
                    return True
        return False


def _is_like(scope: str, layer: str) -> bool:
    """Whether a part of a scope is named after a layer, with or without a number of its own."""
    return scope == layer or (scope.startswith(f"{layer}_") and scope[len(layer) + 1 :].isdecimal())
