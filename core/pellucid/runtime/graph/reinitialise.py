"""Weights drawn anew, from the output down: what a model is without what it learned.

Weights are the constants of floating point numbers with at least two axes that lie behind the
output: kernels and embeddings. A kernel of one row or column, as of a single output, is told from a
bias or a scale of that shape by what reads it. Each is replaced by normal numbers of its own mean
and spread, so that what flows through the network keeps its scale. Biases, and what an operation
holds that is no constant of the graph, stay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pellucid.errors import ModelError
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.flat_graph import FlatGraph, node_of
from pellucid.runtime.graph.freeze import VARIABLES, dtype_of, replace_by_constant

PASSING = ("Identity", "Cast", "Reshape", "Transpose", "ExpandDims", "Squeeze", "ReadVariableOp")
"""Operations that hand weights on."""
WEIGHING = ("MatMul", "Einsum", "Conv", "Gather", "LSTM", "GRU", "RNN")
"""What is in the names of operations that read weights, as no bias or scale is read."""


@dataclass(frozen=True, slots=True)
class Reinitialisation:
    """Which share of the weights is drawn anew, counted from the output, and by which seed."""

    share: float
    seed: int


def reinitialise(
    flat: FlatGraph, output: str, cuts: Collection[str], asked: Reinitialisation
) -> None:
    """Draw weights anew, in place. Raises ModelError where some of them cannot be reached.

    `cuts` are the tensors of the explained inputs, behind which nothing is changed.
    """
    names = weights_of(flat, output, cuts)
    for name in names[: round(asked.share * len(names))]:
        node = flat.nodes[name]
        value = tf.make_ndarray(node.attr["value"].tensor)
        numbers = np.asarray(value, np.float64)
        # By the name of the weights, so that those nearer to the output are drawn as before.
        generator = np.random.default_rng([asked.seed, crc32(name.encode())])
        drawn = generator.normal(numbers.mean(), numbers.std(), value.shape)
        replace_by_constant(node, drawn.astype(value.dtype), dtype_of(node))


def weights_of(flat: FlatGraph, output: str, cuts: Collection[str]) -> list[str]:
    """Return the nodes of the weights behind an output, the nearest first. Raises ModelError."""
    far = {node_of(output): 0}
    readers: dict[str, set[str]] = {}
    queue = deque(far)
    while queue:
        name = queue.popleft()
        for tensor in flat.inputs(flat.nodes[name]):
            inner = node_of(tensor)
            readers.setdefault(inner, set()).add(name)
            # What only waits for weights is no nearer to the output than what reads them.
            if not tensor.startswith("^") and tensor not in cuts and inner not in far:
                far[inner] = far[name] + 1
                queue.append(inner)
    kept = [name for name in far if flat.nodes[name].op in VARIABLES]
    inside = [node.name for node in flat.bodies(far) if node.op in (*VARIABLES, "Const")]
    found = [name for name in far if _is_weight(flat, name, readers)]
    if kept:
        raise ModelError(
            f"{len(kept)} of its variables are no constants of the graph (the first is "
            f"'{kept[0]}'), and cannot be drawn anew"
        )
    if not found:
        where = ": what it computes is inside of loops or functions" if inside else ""
        raise ModelError(f"it has no weights that could be drawn anew{where}")
    return sorted(found, key=lambda name: (far[name], name))


def _is_weight(flat: FlatGraph, name: str, readers: Mapping[str, Collection[str]]) -> bool:
    node = flat.nodes[name]
    if node.op != "Const" or not dtype_of(node).is_floating:
        return False
    shape = tf.TensorShape(node.attr["value"].tensor.tensor_shape).as_list()
    wide = sum(size > 1 for size in shape)
    return wide >= 2 or (wide == 1 and len(shape) >= 2 and _is_weighing(flat, name, readers))


def _is_weighing(flat: FlatGraph, name: str, readers: Mapping[str, Collection[str]]) -> bool:
    """Whether an operation that takes weights reads a node, through such as hand it on."""
    for reader in readers.get(name, ()):
        op = flat.nodes[reader].op
        if any(part in op for part in WEIGHING):
            return True
        if op in PASSING and _is_weighing(flat, reader, readers):
            return True
    return False
