"""The latent space of a network: where nothing else is said, the input of its last layer."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.runtime.graph.flat_graph import FlatGraph, node_of

PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Einsum")
# Their other inputs say a form, which may be taken from the data.
FORMS = ("Reshape", "Squeeze", "ExpandDims", "Transpose")


def last_layer_input(flat: FlatGraph, output: str, inputs: Iterable[str]) -> str | None:
    """Return the tensor that the last product of `output` with weights is taken of.

    `inputs` are the tensors that instances come in by; a tensor that does not depend on one of them
    is a weight. None if the output comes about in another way, as from several branches.
    """
    moving = _downstream(flat, output, {flat.resolve(t) for t in inputs})
    tensor = flat.resolve(output)
    while True:
        node = flat.nodes[node_of(tensor)]
        data = [t for t in flat.inputs(node) if t[0] != "^" and node_of(t) in moving]
        if not data or (len(set(data)) > 1 and node.op not in FORMS):
            return None
        tensor = data[0]
        if node.op in PRODUCTS:
            return tensor


def _downstream(flat: FlatGraph, output: str, inputs: set[str]) -> set[str]:
    """Return the nodes between `inputs` and `output`, the nodes of `inputs` included."""
    moving = {node_of(t) for t in inputs}
    users: dict[str, list[str]] = {}
    for name in flat.ancestors([output]):
        for tensor in flat.inputs(flat.nodes[name]):
            users.setdefault(node_of(tensor), []).append(name)
    waiting = list(moving)
    while waiting:
        for user in users.get(waiting.pop(), ()):
            if user not in moving:
                moving.add(user)
                waiting.append(user)
    return moving
