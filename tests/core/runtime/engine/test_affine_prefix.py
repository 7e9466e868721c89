"""What begins a network is affine and keeps rows apart, or it is not taken for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import NotDifferentiableError
from pellucid.runtime.engine.affine_prefix import AffinePrefix, affine_prefix
from pellucid.runtime.engine.tensorflow import tf
from places import SAMPLES

Network = Callable[[Any], Any]
PICTURE = (6, 6, 4)


def constant(*shape: int) -> Any:
    values = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    return tf.constant(values, name="weights")


def prefix_of(layer: Network, shape: tuple[int, ...]) -> tuple[AffinePrefix, tf.Graph]:
    """The prefix of a layer with a sine behind it, in a graph with its input `x`."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, *shape], name="x")
        with tf.name_scope("network"):
            output = tf.sin(layer(x), name="output")
        inside = [op for op in graph.get_operations() if op.name.startswith("network")]
        moving = _after(x)
        return affine_prefix([op for op in inside if op in moving], [x], output), graph


def _after(tensor: Any) -> set[Any]:
    found, waiting = set(), [tensor]
    while waiting:
        for op in waiting.pop().consumers():
            if op not in found:
                found.add(op)
                waiting.extend(op.outputs)
    return found


def shape_of_rows(x: Any) -> Any:
    return tf.reshape(x, tf.stack([tf.shape(x)[0], 144]))


AFFINE: dict[str, tuple[Network, tuple[int, ...]]] = {
    "dense": (lambda x: x @ constant(4, 3) + constant(3), (4,)),
    "dense of a sequence": (lambda x: tf.raw_ops.BatchMatMulV2(x=x, y=constant(4, 3)), (5, 4)),
    "scaled": (lambda x: 2 * (constant(1, 4) - x) / constant(4), (4,)),
    "convolution": (lambda x: tf.nn.conv2d(x, constant(3, 3, 4, 5), 2, "SAME"), PICTURE),
    "each channel": (
        lambda x: tf.nn.depthwise_conv2d(x, constant(3, 3, 4, 2), [1, 2, 2, 1], "VALID"),
        PICTURE,
    ),
    "padded": (lambda x: tf.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]]), PICTURE),
    "mirrored": (lambda x: tf.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]], "REFLECT"), PICTURE),
    "means": (lambda x: tf.reduce_mean(tf.nn.avg_pool2d(x, 2, 2, "VALID"), [1, -2]), PICTURE),
    "sums": (lambda x: tf.reduce_sum(x, -1, keepdims=True), PICTURE),
    "flat": (lambda x: tf.reshape(x, [-1, 144]), PICTURE),
    "flat by its shape": (shape_of_rows, PICTURE),
    "channels first": (lambda x: tf.transpose(x, [0, 3, 1, 2]), PICTURE),
    "BGR": (lambda x: x[..., ::-1], PICTURE),
    "one channel": (lambda x: x[:, ..., 1], PICTURE),
    "some channels": (lambda x: tf.gather(x, [2, 0], axis=3), PICTURE),
    "beside itself": (lambda x: tf.concat([x, -x], -1), PICTURE),
    "stacked": (lambda x: tf.stack([x, x + 1], 1), (4,)),
    "squeezed": (lambda x: tf.squeeze(tf.expand_dims(x, 2), [2]), (4,)),
    "resized": (lambda x: tf.image.resize(x, [9, 9]), PICTURE),
    "another dtype": (lambda x: tf.cast(x, tf.float64), (4,)),
}
OTHER: dict[str, tuple[Network, tuple[int, ...]]] = {
    "itself squared": (lambda x: x * x, (4,)),
    "in a denominator": (lambda x: 1 / (x + 3), (4,)),
    "rows one after the other": (lambda x: tf.concat([x, x], 0), (4,)),
    "a row more": (lambda x: tf.pad(x, [[1, 0], [0, 0]]), (4,)),
    "without the first row": (lambda x: x[1:], (4,)),
    "the last row first": (lambda x: x[::-1], (4,)),
    "every second row": (lambda x: x[::2], (4,)),
    "over rows": (lambda x: x - tf.reduce_mean(x, 0), (4,)),
    "rows cut": (lambda x: tf.reshape(x, [-1, 2]), (4,)),
    "rows turned": (lambda x: tf.transpose(x) @ tf.ones([1, 1]), (1,)),
    "five of each": (lambda x: x + constant(5, 1), (4,)),
    "an axis before": (lambda x: x + constant(7, 1, 4), (4,)),
    "broadcast along another axis": (lambda x: tf.reduce_sum(x, 1) + x, (3, 4)),
    "half precision": (lambda x: tf.cast(x, tf.float16), (4,)),
    "a gradient stopped": (lambda x: tf.stop_gradient(x), (4,)),
    "a loop": (lambda x: tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, y + 1),
                                       [tf.constant(0), x])[1], (4,)),
}  # fmt: skip


@pytest.mark.parametrize("name", AFFINE)
def test_a_prefix_is_affine_and_answers_row_by_row(name: str) -> None:
    layer, shape = AFFINE[name]
    prefix, graph = prefix_of(layer, shape)
    (found,) = prefix.boundary
    assert found is graph.get_tensor_by_name("network/output:0").op.inputs[0]
    one, other = np.random.default_rng(0).normal(size=(2, 3, *shape)).astype(np.float32)
    with tf.compat.v1.Session(graph=graph) as session:

        def answer(x: Any) -> Any:
            return session.run(found, {"x:0": x})

        together = answer(one)
        np.testing.assert_allclose(answer((one + other) / 2), (together + answer(other)) / 2,
                                   rtol=1e-4, atol=1e-5)  # fmt: skip
        for row in range(3):
            np.testing.assert_allclose(answer(one[[row]]), together[[row]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OTHER)
def test_what_is_not_affine_or_mixes_rows_ends_the_prefix(name: str) -> None:
    layer, shape = OTHER[name]
    prefix, graph = prefix_of(layer, shape)
    read = graph.get_tensor_by_name("network/output:0").op.inputs[0]
    assert read not in prefix.boundary
    assert read.op.name not in prefix.ops


def test_a_layer_is_worth_it_where_it_computes_more_than_it_answers() -> None:
    wide, _ = prefix_of(lambda x: x @ constant(100, 50), (100,))
    assert wide.saved > 0
    narrow, _ = prefix_of(lambda x: x @ constant(4, 50), (4,))
    assert narrow.saved < 0
    gray, _ = prefix_of(lambda x: tf.nn.conv2d(x, constant(3, 3, 1, 16), 1, "SAME"), (28, 28, 1))
    assert gray.saved > 0  # back at one channel costs as much as back at sixteen
    none, _ = prefix_of(lambda x: x * x, (4,))
    assert none.saved == 0 and none.boundary == ()


WIDTH, HIDDEN, OUTPUTS = 100, 60, 3
RNG = np.random.default_rng(1)
FIRST = RNG.normal(size=(WIDTH, HIDDEN)).astype(np.float32) / 10
SECOND = RNG.normal(size=(HIDDEN, OUTPUTS)).astype(np.float32) / 10


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """y = tanh(x W) V + Σ x³, as read by TensorFlow: x is read behind the product, too."""
    directory = tmp_path_factory.mktemp("wide")

    class Wide(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            cubes = tf.reduce_sum(x**3, 1, keepdims=True) / WIDTH
            return {"y": tf.tanh(x @ tf.constant(FIRST)) @ tf.constant(SECOND) + cubes}

    module = Wide()
    tf.saved_model.save(module, str(directory), signatures=module.__call__)
    return pellucid.load(directory, warn=lambda sentence: None).explainer.model


def slope(x: Any, target: int) -> Any:
    tanh = np.tanh(x @ FIRST.astype(np.float64))
    return ((1 - tanh**2) * SECOND[:, target]) @ FIRST.T.astype(np.float64) + 3 * x**2 / WIDTH


@pytest.mark.parametrize("nodes", [1, 5, 70, 300])
def test_gradients_behind_an_affine_part_are_those_of_the_network(wide: Any, nodes: int) -> None:
    x = np.random.default_rng(2).normal(size=(4, WIDTH)).astype(np.float32)
    start = {"x": np.full_like(x, 0.1)}
    places, weights = np.linspace(0, 1, nodes), np.random.default_rng(4).uniform(0.5, 1, nodes)
    # The first two are one point with two targets.
    x[1] = x[0]
    target = np.array([0, 2, 1, 2])
    (found,) = wide.path_gradient(start, {"x": x}, places, weights, target).values()
    assert wide._backend.affine_part is not None
    for i in range(4):
        points = 0.1 + places[:, None] * (x[i].astype(np.float64) - 0.1)
        wanted = weights @ slope(points, int(target[i]))
        np.testing.assert_allclose(found[i], wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())
    assert set(wide.traces.values()) == {1}
    assert wide._backend._goes_forward_once


def test_several_targets_share_the_way_forward_of_a_part_with_weights_of_its_own() -> None:
    model = pellucid.load(SAMPLES / "digits/model", warn=lambda sentence: None).explainer.model
    (name,) = model.differentiable
    x = np.random.default_rng(5).uniform(size=(1, 28, 28)).astype(np.float32)
    nodes, weights = np.array([0.2, 0.7]), np.array([0.5, 0.5])

    def of(targets: list[int]) -> Any:
        ends = ({name: np.repeat(it, len(targets), 0)} for it in (np.zeros_like(x), x))
        return model.path_gradient(*ends, nodes, weights, np.array(targets))[name]

    together = of([3, 5, 8])
    backend: Any = model._backend  # type: ignore[attr-defined]
    assert backend.affine_part is not None and backend._goes_forward_once
    np.testing.assert_allclose(together, np.concatenate([of([it]) for it in (3, 5, 8)]), rtol=1e-5,
                               atol=1e-7)  # fmt: skip


def test_a_row_that_is_not_finite_costs_its_own_path_alone(tmp_path: Path) -> None:
    class Roots(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return {"y": tf.sqrt(tf.abs(x @ tf.constant(FIRST))) @ tf.constant(SECOND)}

    module = Roots()
    tf.saved_model.save(module, str(tmp_path), signatures=module.__call__)
    model: Any = pellucid.load(tmp_path, warn=lambda sentence: None).explainer.model
    x = np.random.default_rng(6).normal(size=(3, WIDTH)).astype(np.float32)
    x[1] = 0  # where a root has no slope
    nodes, weights = np.array([0.5, 1.0]), np.array([0.5, 0.5])

    def of(rows: Any) -> Any:
        ends = {"x": np.zeros_like(rows)}, {"x": rows}
        return model.path_gradient(*ends, nodes, weights, np.zeros(len(rows), np.int64))["x"]

    found = of(x)
    assert model._backend.affine_part is not None
    assert not np.isfinite(found[1]).any()
    np.testing.assert_allclose(found[[0, 2]], of(x[[0, 2]]), rtol=1e-6)


def test_a_network_that_is_small_goes_the_plain_way(tmp_path: Path) -> None:
    class Small(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return {"y": tf.tanh(x @ tf.ones([2, 3]))}

    module = Small()
    tf.saved_model.save(module, str(tmp_path), signatures=module.__call__)
    model = pellucid.load(tmp_path, warn=lambda sentence: None).explainer.model
    assert model.differentiable == {"x"}
    assert model._backend.affine_part is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("stops", [False, True])
def test_what_stops_gradients_behind_an_affine_part_is_named(stops: bool, tmp_path: Path) -> None:
    class Stopped(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            wide = x @ tf.constant(FIRST)
            if stops:
                return {"y": tf.round(wide) @ tf.constant(SECOND)}
            lower, _ = tf.linalg.lu(wide[:, :4, None] * wide[:, None, :4] + tf.eye(4))
            return {"y": lower[:, 0]}

    module = Stopped()
    tf.saved_model.save(module, str(tmp_path), signatures=module.__call__)
    model = pellucid.load(tmp_path, warn=lambda sentence: None).explainer.model
    with pytest.raises(NotDifferentiableError, match=r"\(Round\)" if stops else r"\(Lu\)"):
        _ = model.differentiable
