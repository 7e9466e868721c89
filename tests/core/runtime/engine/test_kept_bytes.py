"""A row is as large as what the gradient keeps of it, and what is at work at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid.runtime.engine.kept_bytes import WORKING, row_bytes_of
from pellucid.runtime.engine.tensorflow import tf

FLOAT = 4


def row_bytes(network: Callable[[Any], Any]) -> int:
    """What a network of pictures [8, 8, 3] takes a row, of the operations behind its input."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3])
        network(x)
        return row_bytes_of(op for op in graph.get_operations() if op.name.startswith("network"))


def weights(*shape: int) -> Any:
    return tf.constant(np.ones(shape, np.float32), name="weights")


def convolution(x: Any) -> Any:
    return tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME", name="network/conv")


@pytest.mark.parametrize(
    "network, kept",
    [
        (lambda x: tf.identity(convolution(x), "network/same"), 0),
        (lambda x: tf.nn.relu(convolution(x), "network/relu"), 8 * 8 * 4),
        (lambda x: tf.nn.max_pool2d(convolution(x), 2, 2, "SAME", name="network/pool"),
         8 * 8 * 4 + 4 * 4 * 4),
        # Both factors, which are the same tensor, once; of a product with a constant neither.
        (lambda x: tf.multiply(c := convolution(x), c, "network/square"), 8 * 8 * 4),
        (lambda x: tf.multiply(convolution(x), 2.0, "network/double"), 0),
        # Nobody knows the gradient of what is not listed: all that it sees is kept.
        (lambda x: tf.nn.softplus(convolution(x), "network/soft"), 2 * 8 * 8 * 4),
    ],
)  # fmt: skip
def test_what_the_gradient_needs_is_counted_once(network: Callable[[Any], Any], kept: int) -> None:
    assert row_bytes(network) == (kept + WORKING * 8 * 8 * 4) * FLOAT
