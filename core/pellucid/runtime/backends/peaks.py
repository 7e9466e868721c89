"""How much a network takes for operands of shapes that its own graph does not know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from pellucid.runtime.engine.failures import FAILURES, NETWORK
from pellucid.runtime.engine.kept_bytes import Peak, peak_of
from pellucid.runtime.engine.tensorflow import tf

FEW_NUMBERS = 64
"""Constants of so many numbers may be shapes."""


def peak_of_shapes(
    graph: Any,
    moving: Any,
    boundary: Collection[str],
    waits: Collection[str],
    shapes: Mapping[str, list[int | None]],
) -> Peak | None:
    """Return the peak of a network for tensors of these shapes, None where it cannot be told.

    `moving` is the network as a graph definition, `boundary` the tensors of `graph` that it reads,
    and `waits` the operations that it waits for.
    """
    get = graph.get_tensor_by_name
    with tf.Graph().as_default() as imported:
        replaced = {
            t: tf.compat.v1.placeholder(get(t).dtype, shapes.get(t, get(t).shape))
            if (value := tf.get_static_value(get(t))) is None or value.size > FEW_NUMBERS
            else tf.constant(value)
            for t in boundary
        }
        nothing = tf.constant(0)
        replaced |= {f"^{name}": nothing for name in waits}
        with suppress(*FAILURES):
            tf.import_graph_def(moving, replaced, name=NETWORK.rstrip("/"))
        ops = [op for op in imported.get_operations() if op.name.startswith(NETWORK)]
    found = peak_of(ops)
    return found if found.both else None
