"""Integrated gradients as somebody would write them by hand for one model: the one to beat.

``tf.saved_model.load``, one ``tf.function`` with a tape, and a loop over instances and blocks of
steps. Nothing is checked, read or written; the sums are float32 within a block.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from pellucid.runtime.engine.tensorflow import tf

Loop = Callable[[], NDArray[np.float64]]
BLOCKS = (5, 8, 10, 17, 25, 50)


def hand_written(model_dir: Path, x: NDArray[np.float32], target: NDArray[np.int64]) -> Loop:
    """Return the loop over the rows `x` at 50 steps, with the block size that is best here."""
    model = tf.saved_model.load(model_dir)
    network = model.signatures["serving_default"]
    (key,) = network.structured_input_signature[1]
    (output,) = network.structured_outputs
    ones = [1] * (x.ndim - 1)

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, *x.shape[1:]], tf.float32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([], tf.int64),
        ]
    )
    def block(end, node, weight, index):  # type: ignore[no-untyped-def]
        points = tf.reshape(node, [-1, *ones]) * end
        with tf.GradientTape() as tape:
            tape.watch(points)
            score = network(**{key: points})[output][:, index]
        gradient = tape.gradient(score, points)
        return tf.reduce_sum(tf.reshape(weight, [-1, *ones]) * gradient, 0)

    nodes, weights = np.polynomial.legendre.leggauss(50)
    nodes, weights = ((nodes + 1) / 2).astype(np.float32), (weights / 2).astype(np.float32)

    def loop(size: int, rows: NDArray[np.float32] = x) -> NDArray[np.float64]:
        assert model is not None  # its variables live as long as it does
        total = np.zeros(rows.shape)
        for i, row in enumerate(rows):
            for first in range(0, 50, size):
                part = slice(first, first + size)
                total[i] += block(row[None], nodes[part], weights[part], target[i]).numpy()
        return total * rows

    def seconds(size: int) -> float:
        start = perf_counter()
        loop(size, x[:1])  # each row is a loop of its own
        return perf_counter() - start

    loop(50, x[:1])
    best = min(BLOCKS, key=lambda size: min(seconds(size) for _ in range(3)))
    return lambda: loop(best)
