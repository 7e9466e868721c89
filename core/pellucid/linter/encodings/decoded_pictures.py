"""Pictures that the graph decodes itself, one by one: the tensor in which they all stand."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.linter.encodings.forward_walk import Forward
from pellucid.linter.gradient_flow import locate
from pellucid.linter.gradient_walk import LOOPS
from pellucid.saved_model import FLOAT_TYPES, Function, MetaGraph, functions_called

_DECODERS = ("DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeAndCropJpeg")
_STACKS = ("TensorListStack", "TensorListConcatV2")


def decoded_pictures(
    meta_graph: MetaGraph, output: str, inputs: Mapping[str, str]
) -> dict[str, str]:
    """Return, for inputs of encoded pictures, the first tensor of floats behind their decoder.

    `inputs` are tensors of strings; all names are flat. Only what decodes the rows of a batch one
    by one, as ``tf.map_fn`` does, is looked at: its results are stacked, [batch, height, width, …].
    """
    if not inputs or not any(_decodes(it) for it in meta_graph.functions.values()):
        return {}
    forward = Forward(meta_graph, output)
    reached = {name: forward.after(tensor) for name, tensor in inputs.items()}
    found = {}
    for name, spots in reached.items():
        foreign = {it.name for other, its in reached.items() if other != name for it in its}
        loops = [it for it in spots if it.op in LOOPS and _loop_decodes(meta_graph, it.name)]
        stacked = [it for it in spots if loops and it.op in _STACKS and it.name not in foreign]
        for stack in stacked:
            behind = [stack, *forward.after(stack.name)]
            floats = [it for it in behind if it.dtype in FLOAT_TYPES and it.name not in foreign]
            if floats:
                found[name] = floats[0].name
                break
    return found


def _loop_decodes(meta_graph: MetaGraph, tensor: str) -> bool:
    """Whether the body of a loop decodes pictures, or a function that it calls."""
    place = locate(meta_graph, tensor)
    if place is None:
        return False
    message = place.bodies[-1].nodes.message(place.name)
    waiting, seen = [*functions_called(meta_graph.functions, message)], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in meta_graph.functions:
            continue
        seen.add(name)
        function = meta_graph.functions[name]
        if _decodes(function):
            return True
        for called in function.nodes.messages():
            waiting += functions_called(meta_graph.functions, called)
    return False


def _decodes(function: Function) -> bool:
    return not function.nodes.ops.isdisjoint(_DECODERS)
