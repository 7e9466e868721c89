"""Where the batch is: how a signature takes rows, read off its declared shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pellucid.saved_model.nodes import Nodes, node_name
from pellucid.saved_model.reader import MetaGraph, Signature

# What reads row splits, by its name or type; lengths of rows are read by others.
_CUTS = re.compile(r"RowSplits|RaggedSplits|ValueRow[iI]ds|RaggedTensorTo|RaggedGather")


@dataclass(frozen=True, slots=True)
class Batch:
    """How a network takes rows: any number (None), a fixed number, or without a batch axis.

    `lone` says that an instance is a batch of one, whose output has a first axis of that.
    """

    rows: int | None = None
    axis: bool = True
    lone: bool = False


def batch_of_signature(signature: Signature, output: str | None = None) -> Batch:
    """Return how a signature takes rows; `output` is the tensor that is explained.

    A sparse input comes as three, none of which has the batch as its first axis alone: then an
    instance is a whole batch.
    """
    keys = signature.inputs.keys()
    if any(k.endswith("_dense_shape") and k[:-12] + "_indices" in keys for k in keys):
        return Batch(axis=False, lone=True)
    infos = signature.outputs.values()
    shapes = [info.shape for info in infos if output is None or info.name == output]
    return batch_of([info.shape for info in signature.inputs.values()], (shapes or [None])[0])


def batch_of(
    inputs: Sequence[Sequence[int | None] | None], output: Sequence[int | None] | None
) -> Batch:
    """Return how a signature takes rows, from the declared shapes of its inputs and its output.

    A first axis of unknown size is the batch; one of fixed size is too if the output's agrees with
    it; else there is no batch axis, and an instance is the whole input.
    """
    shapes = [shape for shape in inputs if shape is None or len(shape) > 0]
    if not shapes:
        return Batch(axis=not inputs)
    first = {None if shape is None else shape[0] for shape in shapes}
    if None in first:
        # One with a first axis of its own, such as class weights, is not batched.
        fixed = first - {None}
        same = output is not None and len(output) > 0 and output[0] in fixed
        return Batch(rows=output[0] if same and output else None)
    rows = first.pop()
    agrees = output is None or (len(output) > 0 and output[0] in (None, rows))
    return Batch(axis=False) if first or not agrees else Batch(rows=rows)


def is_shared(shape: Sequence[int | None] | None, batch: Batch) -> bool:
    """Whether an input is one for a whole batch: it has no axis for the rows, or another one."""
    if not batch.axis or shape is None:
        return False
    return not shape or (batch.rows is None and shape[0] is not None)


def ragged_inputs(meta_graph: MetaGraph, signature: Signature) -> tuple[str, ...]:
    """Return the keys of the inputs that cut other inputs into rows, as row splits do.

    Such an input has no value for each instance: a signature of ragged tensors is saved so, or one
    that makes a ragged tensor of its inputs.
    """
    return tuple(
        key
        for key, info in signature.inputs.items()
        if info.dtype in ("int32", "int64")
        and info.shape is not None
        and len(info.shape) == 1
        and any(map(_CUTS.search, _readers(meta_graph, info.name)))
    )


def _readers(meta_graph: MetaGraph, tensor: str) -> Iterator[str]:
    """Yield names and types of the operations that read a tensor, in functions it is given to."""
    waiting: list[tuple[Nodes, str]] = [(meta_graph.nodes, node_name(tensor))]
    seen: set[tuple[int, str]] = set()
    while waiting:
        nodes, name = waiting.pop()
        if (id(nodes), name) in seen:
            continue
        seen.add((id(nodes), name))
        for reader in nodes.messages():
            for place, read in enumerate(it for it in reader.input if not it.startswith("^")):
                if node_name(read) != name:
                    continue
                called = nodes.called(reader.name)
                if called is not None:
                    function = meta_graph.functions[called]
                    waiting.append((function.nodes, function.arguments[place]))
                elif reader.op == "Identity":
                    waiting.append((nodes, reader.name))
                else:
                    yield f"{reader.name} {reader.op}"
