"""Which entry of the checkpoint a variable has, told by the objects that functions captured.

A graph's restore operation fills the variables that objects own. Keras 3 wraps its variables: in a
file that `tf.saved_model.save` wrote, each is there twice, and the one that the network reads is
filled by nobody. What ties the two together is the object graph: a function says which objects it
captured, and the checkpoint what the objects' values are called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from pellucid.runtime.graph.flat_graph import FlatGraph, node_of
from pellucid.saved_model import messages

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"


def object_keys(
    flat: FlatGraph, variables: Collection[str], read: Callable[[str], Any]
) -> dict[str, tuple[str, str]]:
    """Return variable node → (checkpoint key, slice ""), for those of `variables` that are found.

    `read` gives the value of a checkpoint key. Raises ModelError where the checkpoint is damaged.
    """
    owners = {
        node_of(flat.through_identities(tensor)): number
        for tensor, number in flat.captured()
        if node_of(tensor) in flat.nodes  # as what leads to another output is not
        and flat.meta_graph.object_graph_def.nodes[number].WhichOneof("kind") == "variable"
    }
    wanted = {name: owners[name] for name in variables if name in owners}
    if not wanted:
        return {}
    saved = messages()("tensorflow.TrackableObjectGraph").FromString(read(OBJECT_GRAPH))
    places = _counterparts(flat.meta_graph.object_graph_def, saved)
    keys = {}
    for name, number in wanted.items():
        if number in places:
            for attribute in saved.nodes[places[number]].attributes:
                if attribute.name == VALUE:
                    keys[name] = attribute.checkpoint_key, ""
    return keys


def _counterparts(objects: Any, saved: Any) -> dict[int, int]:
    """Return object of the model → object of the checkpoint: what the same names lead to."""
    places = {0: 0}
    waiting = [0]
    while waiting:
        number = waiting.pop()
        there = {child.local_name: child.node_id for child in saved.nodes[places[number]].children}
        for child in objects.nodes[number].children:
            if child.local_name in there and child.node_id not in places:
                places[child.node_id] = there[child.local_name]
                waiting.append(child.node_id)
    return places
