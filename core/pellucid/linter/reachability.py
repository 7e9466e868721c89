"""What of a SavedModel is run when it is loaded and explained: nodes of its graph, and functions.

Rather too much than too little: a function that is called counts with all of its nodes, and so
does a graph in which two nodes have one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid.saved_model import MetaGraph, functions_called, node_name, reachable

_INIT_SIGNATURE = "__saved_model_init_op"
_MAKERS = ("_create_resource", "_initialize", "_destroy_resource")
_IMPLEMENTS = "api_implements"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "main_op")


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a function is called: by a node of the graph (`function` is None) or of a function.

    `op` is the type of the node.
    """

    function: str | None
    node: str
    op: str
    inputs: tuple[str, ...]


@dataclass(slots=True)
class Running:
    """What runs: `nodes` of the graph, `functions`, and where these are called.

    `bound` are the functions that are called when objects are made again, with the numbers of the
    objects that are their arguments.
    """

    nodes: set[str] = field(default_factory=set)
    functions: dict[str, list[CallSite]] = field(default_factory=dict)
    bound: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def holds(self, function: str | None, node: str) -> bool:
        """Whether a node runs; all of a function's do."""
        return node in self.nodes if function is None else function in self.functions


def start_nodes(meta_graph: MetaGraph) -> list[str]:
    """Return the operations of the graph that run when the model is loaded."""
    found = []
    if _INIT_SIGNATURE in meta_graph.message.signature_def:
        signature = meta_graph.message.signature_def[_INIT_SIGNATURE]
        found += [node_name(info.name) for info in signature.outputs.values()]
    for key in _INIT_COLLECTIONS:
        if key in meta_graph.message.collection_def:
            collection = meta_graph.message.collection_def[key]
            found += [node_name(it) for it in collection.node_list.value]
    restore = meta_graph.message.saver_def.restore_op_name
    return [*found, node_name(restore)] if restore else found


def running(meta_graph: MetaGraph, ends: Iterable[str], *, loading: bool = True) -> Running:
    """Return what runs for the nodes `ends` of the graph, and when the model is loaded.

    Raises ModelError where the file is damaged.
    """
    found = Running()
    nodes = meta_graph.nodes
    if nodes.has_namesakes:
        found.nodes, messages = set(nodes), nodes.messages()
    else:
        roots = [*ends, *(start_nodes(meta_graph) if loading else ())]
        found.nodes = set(reachable(nodes, roots))
        messages = [nodes.message(name) for name in found.nodes]
    waiting = _calls(meta_graph, found, None, messages)
    if loading:
        found.bound = _bound(meta_graph)
        waiting += found.bound
        # A gradient that was saved with the model runs when gradients are taken.
        library = meta_graph.graph.library
        waiting += [it.gradient_func for it in (*library.registered_gradients, *library.gradient)]
    alike, done = _alike(meta_graph), set[str]()
    while waiting:
        name = waiting.pop()
        if name in done or name not in meta_graph.functions:
            continue
        done.add(name)
        found.functions.setdefault(name, [])
        # The runtime may put a function in the place of another that implements the same.
        waiting += alike.get(name, ())
        body = meta_graph.functions[name].nodes.messages()
        waiting += _calls(meta_graph, found, name, body)
    return found


def everything(meta_graph: MetaGraph) -> Running:
    """Return what would run if all did: the whole graph, and every function, called or not.

    Raises ModelError where the file is damaged.
    """
    found = Running(nodes=set(meta_graph.nodes), bound=_bound(meta_graph))
    bodies = ((name, it.nodes) for name, it in meta_graph.functions.items())
    for name, nodes in ((None, meta_graph.nodes), *bodies):
        if name is not None:
            found.functions.setdefault(name, [])
        _calls(meta_graph, found, name, nodes.messages())
    return found


def _calls(
    meta_graph: MetaGraph, found: Running, function: str | None, messages: Iterable[Any]
) -> list[str]:
    """Note every call of `messages` and return the functions that are called."""
    called: list[str] = []
    for message in messages:
        for name in functions_called(meta_graph.functions, message):
            inputs = tuple(it for it in message.input if not it.startswith("^"))
            site = CallSite(function, str(message.name), str(message.op), inputs)
            found.functions.setdefault(name, []).append(site)
            called.append(name)
    return called


def _bound(meta_graph: MetaGraph) -> dict[str, tuple[int, ...]]:
    """Return the functions that make and fill tables and their kin, with what they are bound to."""
    objects = meta_graph.objects
    found: dict[str, tuple[int, ...]] = {}
    for node in objects.nodes:
        for child in node.children:
            if child.local_name in _MAKERS and child.node_id < len(objects.nodes):
                for name in objects.nodes[child.node_id].function.concrete_functions:
                    concrete = objects.concrete_functions
                    bound = concrete[name].bound_inputs if name in concrete else ()
                    found[name] = tuple(bound)
    return found


def _alike(meta_graph: MetaGraph) -> Mapping[str, list[str]]:
    """Return, for each function, those that say that they implement the same."""
    groups: dict[bytes, list[str]] = {}
    for name, function in meta_graph.functions.items():
        if _IMPLEMENTS in function.message.attr:
            groups.setdefault(function.message.attr[_IMPLEMENTS].s, []).append(name)
    return {name: group for group in groups.values() for name in group}
