"""Many operands that are computed as one have the gradients that each has alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.runtime.engine import joined_operands, kernels
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import Batch

SHAPES: list[tuple[int | None, ...]] = [(), (2,), (1,), (2, 3), (None,), (4,), (), (3,), (1,), (2,)]


def gradients(dtype: Any) -> tuple[list[str], list[Any]]:
    """The names and the sums of a question about ten operands, of which one does not matter."""
    operands = [
        kernels.Operand(name=f"x{i}", dtype=dtype, shape=shape, explained=True)
        for i, shape in enumerate(SHAPES)
    ]
    chance = np.random.default_rng(0)
    shapes = [(2, *(5 if n is None else n for n in shape)) for shape in SHAPES]
    start, stop = ([chance.normal(size=shape) for shape in shapes] for _ in range(2))
    path, node = np.array([0, 0, 1, 1, 1], np.int32), chance.uniform(size=5)
    weight, target = chance.uniform(size=5), np.array([0, 0, 1, 1, 1])

    def network(rows: dict[str, Any]) -> Any:
        flat = [tf.reshape(it, [5, -1]) for name, it in rows.items() if name != "x6"]
        sums = [tf.reduce_sum(tf.sin(it * (i + 1)), 1) for i, it in enumerate(flat)]
        return tf.stack([tf.add_n(sums), sums[0] * sums[3]], 1)

    graph = tf.Graph()
    with graph.as_default():
        begin, end = (
            {o.name: tf.constant(it, dtype) for o, it in zip(operands, ends, strict=True)}
            for ends in (start, stop)
        )
        numbers = map(tf.constant, (path, node, weight, target))
        found = kernels.path_gradient(network, operands, Batch(), begin, end, *numbers)
        with tf.compat.v1.Session() as session:
            return [*found], session.run([*found.values()])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
def test_joined_is_as_alone(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names, together = gradients(dtype)
    monkeypatch.setattr(joined_operands, "MANY", len(SHAPES) + 1)
    same, alone = gradients(dtype)
    assert names == same == [f"x{i}" for i in range(len(SHAPES))]
    for one, other in zip(together, alone, strict=True):
        assert one.shape == other.shape and one.dtype == np.float64
        np.testing.assert_array_equal(one, other)
