"""Folding keeps every output and every gradient, and leaves alone what it must not touch."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.flat_graph import FlatGraph
from pellucid.runtime.graph.fold_batch_norm import fold

# Gradients for which TensorFlow has a kernel only with oneDNN, which it uses on newer processors.
NOT_HERE = (
    "Gradients for grouped convolutions are not supported|only supports NHWC"
    "|only supports the NHWC|NCHW"
)

Build = Callable[[Any, np.random.Generator], Any]


def forward(session: Any, tensors: list[Any], feed: dict[Any, Any]) -> list[np.ndarray]:
    """Values without gradients; where not even these can be had, there is nothing to compare."""
    try:
        values: list[np.ndarray] = session.run(tensors, feed)
    except tf.errors.OpError as error:
        if not re.search(NOT_HERE, str(error)):
            raise
        pytest.skip(f"TensorFlow has no kernel for it on this processor: {error.message[:80]}")
    return values


class Network:
    """Ops from a placeholder "x" to "y", as a flat graph."""

    def __init__(self, build: Build, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
        self.x = np.random.default_rng(1).standard_normal((3, *shape)).astype(dtype)
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(dtype, [None, *shape], "x")
            tf.identity(build(x, np.random.default_rng(2)), "y")
            self.flat = FlatGraph(tf.compat.v1.train.export_meta_graph(graph=graph))
        self.flat.add(["y:0"])

    def fold(self, *wanted: str) -> int:
        return fold(self.flat, "y:0", ["x:0", *wanted])

    def ops(self) -> Counter[str]:
        """The ops that are left on the way from x to y."""
        return Counter(self.flat.nodes[n].op for n in self.flat.ancestors(["y:0"]))

    def values(self, *tensors: str) -> list[np.ndarray]:
        """The output, other tensors, and, if this processor can, the output's gradient by x."""
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(self.flat.graph_def(["y:0", *tensors]), name="")
            x, y, *others = map(graph.get_tensor_by_name, ("x:0", "y:0", *tensors))
            # A weight for each element, so that no two channels may be confused.
            weight = tf.cast(tf.range(tf.size(y)) % 7, y.dtype)
            slope = tf.gradients(tf.reduce_sum(tf.reshape(y, [-1]) * weight), x)
            # TensorFlow's own folding is off, so that ours alone is seen.
            config = tf.compat.v1.ConfigProto()
            config.graph_options.rewrite_options.remapping = RewriterConfig.OFF
            with tf.compat.v1.Session(graph=graph, config=config) as session:
                values: list[np.ndarray]
                try:
                    values = session.run([y, *others, *slope], {x: self.x})
                except tf.errors.OpError as error:
                    if not re.search(NOT_HERE, str(error)):
                        raise
                    values = forward(session, [y, *others], {x: self.x})
                return values


def same(ours: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for mine, theirs in zip(ours, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def constant(rng: np.random.Generator, *shape: int, like: Any) -> Any:
    return tf.constant(rng.standard_normal(shape), like.dtype)


def moments(rng: np.random.Generator, n: int, like: Any) -> list[Any]:
    """Scale, offset, mean and variance."""
    return [
        *(constant(rng, n, like=like) for _ in range(3)),
        tf.constant(rng.random(n), like.dtype),
    ]


def conv(x: Any, rng: np.random.Generator, n: int = 5, **options: Any) -> Any:
    kernel = constant(rng, 3, 3, x.shape[-1], n, like=x)
    return tf.nn.conv2d(x, kernel, 1, "SAME", name="conv", **options)


def fused(x: Any, rng: np.random.Generator, **options: Any) -> Any:
    channels = x.shape[1 if options.get("data_format") == "NCHW" else -1]
    scale, offset, mean, variance = moments(rng, channels, x)
    options = {"is_training": False, "epsilon": 1e-3} | options
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=offset, mean=mean, variance=variance, **options
    ).y


def written_out(x: Any, rng: np.random.Generator) -> Any:
    scale, offset, mean, variance = moments(rng, x.shape[-1], x)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3)


def conv_fused(x: Any, rng: np.random.Generator) -> Any:
    return tf.nn.relu(fused(conv(x, rng), rng))


def conv_bias_written_out(x: Any, rng: np.random.Generator) -> Any:
    biased = tf.nn.bias_add(conv(x, rng), constant(rng, 5, like=x))
    return tf.nn.tanh(written_out(biased, rng))


def grouped(x: Any, rng: np.random.Generator) -> Any:
    kernel = constant(rng, 3, 3, 1, 8, like=x)
    return fused(tf.nn.conv2d(x, kernel, 2, "VALID"), rng)


def depthwise(x: Any, rng: np.random.Generator) -> Any:
    kernel = constant(rng, 3, 3, 4, 2, like=x)
    y = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")
    return tf.nn.relu6(fused(y, rng))


def transposed_conv(x: Any, rng: np.random.Generator) -> Any:
    kernel = constant(rng, 3, 3, 5, 4, like=x)
    shape = [tf.shape(x)[0], 12, 12, 5]
    y = tf.nn.conv2d_transpose(x, kernel, shape, 2)
    y.set_shape([None, 12, 12, 5])
    return written_out(y, rng)


def conv_3d(x: Any, rng: np.random.Generator) -> Any:
    kernel = constant(rng, 2, 2, 2, 4, 5, like=x)
    return written_out(tf.nn.conv3d(x, kernel, [1] * 5, "SAME"), rng)


def dense(x: Any, rng: np.random.Generator) -> Any:
    hidden = tf.matmul(x, constant(rng, 4, 6, like=x)) + constant(rng, 6, like=x)
    hidden = tf.nn.relu(written_out(hidden, rng))
    hidden = tf.matmul(hidden, constant(rng, 3, 6, like=x), transpose_b=True)
    return 2.0 * (constant(rng, 1, 3, like=x) - tf.identity(hidden) / constant(rng, 1, like=x))


def two_in_a_row(x: Any, rng: np.random.Generator) -> Any:
    return fused(tf.identity(written_out(conv(x, rng), rng)), rng)


FORMS: dict[Build, tuple[tuple[int, ...], set[str]]] = {
    conv_fused: ((6, 6, 4), {"FusedBatchNormV3"}),
    conv_bias_written_out: ((6, 6, 4), {"Mul", "AddV2", "Rsqrt"}),
    grouped: ((7, 7, 4), {"FusedBatchNormV3"}),
    depthwise: ((6, 6, 4), {"FusedBatchNormV3"}),
    transposed_conv: ((6, 6, 4), {"Mul", "AddV2"}),
    conv_3d: ((3, 3, 3, 4), {"Mul", "AddV2"}),
    dense: ((4,), {"Mul", "AddV2", "Sub", "RealDiv"}),
    two_in_a_row: ((6, 6, 4), {"FusedBatchNormV3", "Mul", "AddV2"}),
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_normalization_becomes_part_of_the_layer_before_it(form: Build) -> None:
    shape, gone = FORMS[form]
    network = Network(form, shape)
    expected, before = network.values(), network.ops()
    assert network.fold() >= 1
    same(network.values(), expected)
    assert not gone & set(network.ops())
    assert gone <= set(before)


def test_the_precision_of_the_model_is_kept() -> None:
    network = Network(conv_bias_written_out, (6, 6, 4), np.float64)
    expected = network.values()
    assert network.fold() == 1
    for mine, theirs in zip(network.values(), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)


def test_a_normalization_behind_no_layer_becomes_a_product_and_a_sum() -> None:
    network = Network(lambda x, rng: fused(tf.nn.relu(fused(x, rng)), rng), (6, 6, 4))
    expected = network.values()
    assert network.fold() == 2
    same(network.values(), expected)
    assert network.ops()["Mul"] == 2
    assert not network.ops()["FusedBatchNormV3"]


def test_channels_second() -> None:
    def build(x: Any, rng: np.random.Generator) -> Any:
        kernel = constant(rng, 1, 1, 4, 5, like=x)
        y = tf.nn.conv2d(x, kernel, 1, "VALID", data_format="NCHW")
        y = y * constant(rng, 5, 1, 1, like=x)
        return fused(tf.nn.relu(fused(y, rng, data_format="NCHW")), rng, data_format="NCHW")

    network = Network(build, (4, 6, 6))
    expected = network.values()
    assert network.fold() == 2
    same(network.values(), expected)
    assert network.ops()["FusedBatchNormV3"] == 0
    assert network.ops()["Mul"] == 1


def test_weights_that_are_computed_from_constants_are_folded() -> None:
    def build(x: Any, rng: np.random.Generator) -> Any:
        kernel = tf.reshape(constant(rng, 24, like=x), [4, 6]) / tf.sqrt(tf.constant(2.0))
        return written_out(tf.matmul(x, tf.identity(kernel)), rng)

    network = Network(build, (4,))
    expected = network.values()
    assert network.fold() == 1
    same(network.values(), expected)


def test_control_inputs_of_the_chain_are_kept() -> None:
    def build(x: Any, rng: np.random.Generator) -> Any:
        y, scale = conv(x, rng), constant(rng, 5, like=x)
        check = tf.raw_ops.Assert(condition=tf.size(x) > 0, data=["empty"])
        with tf.control_dependencies([check]):
            y = y * scale
        return y + constant(rng, 5, like=x)

    network = Network(build, (6, 6, 4))
    expected = network.values()
    assert network.fold() == 1
    same(network.values(), expected)
    assert network.ops()["Assert"] == 1


def training(x: Any, rng: np.random.Generator) -> Any:
    return fused(conv(x, rng), rng, is_training=True)


def scale_from_the_input(x: Any, rng: np.random.Generator) -> Any:
    return conv(x, rng) * tf.reduce_mean(x)


def scale_for_each_pixel(x: Any, rng: np.random.Generator) -> Any:
    return conv(x, rng) * constant(rng, 6, 6, 1, like=x)


def another_rank(x: Any, rng: np.random.Generator) -> Any:
    return tf.matmul(x[:, 0, 0], constant(rng, 4, 6, like=x)) * constant(rng, 1, 1, 6, like=x)


def divided_by(x: Any, rng: np.random.Generator) -> Any:
    return constant(rng, 5, like=x) / conv(x, rng)


def only_a_bias(x: Any, rng: np.random.Generator) -> Any:
    return tf.nn.relu(tf.nn.bias_add(conv(x, rng), constant(rng, 5, like=x)))


def nothing_left(x: Any, rng: np.random.Generator) -> Any:
    return conv(x, rng) / tf.constant(np.zeros(5), x.dtype)


def moments_that_are_read(x: Any, rng: np.random.Generator) -> Any:
    scale, offset, mean, variance = moments(rng, 4, x)
    result = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=offset, mean=mean, variance=variance, is_training=False
    )
    return result.y + result.batch_mean


def half_precision(x: Any, rng: np.random.Generator) -> Any:
    scale, offset, mean, variance = moments(rng, 4, x)
    half = tf.cast(x, tf.float16)
    return tf.raw_ops.FusedBatchNormV3(
        x=half, scale=scale, offset=offset, mean=mean, variance=variance, is_training=False
    ).y


@pytest.mark.parametrize(
    "form",
    [
        training,
        scale_from_the_input,
        scale_for_each_pixel,
        another_rank,
        divided_by,
        only_a_bias,
        nothing_left,
        moments_that_are_read,
        half_precision,
    ],
    ids=lambda form: form.__name__,
)
def test_what_is_no_constant_for_each_channel_is_left_alone(form: Build) -> None:
    network = Network(form, (6, 6, 4))
    before = {name: node.SerializeToString() for name, node in network.flat.nodes.items()}
    assert network.fold() == 0
    assert {name: node.SerializeToString() for name, node in network.flat.nodes.items()} == before


def test_a_layer_whose_output_is_read_twice_stays() -> None:
    def build(x: Any, rng: np.random.Generator) -> Any:
        y = conv(x, rng)
        return fused(y, rng) + tf.nn.relu(y)

    network = Network(build, (6, 6, 4))
    expected = network.values()
    assert network.fold() == 1  # as a product and a sum
    same(network.values(), expected)
    assert network.ops()["Conv2D"] == 1
    assert network.ops()["Mul"] == 1


def test_nothing_is_folded_across_an_explained_tensor() -> None:
    network = Network(lambda x, rng: written_out(conv(x, rng), rng), (6, 6, 4))
    assert network.fold("conv:0") == 0
    assert network.ops()["Mul"]


def test_an_explained_scale_is_no_constant() -> None:
    def build(x: Any, rng: np.random.Generator) -> Any:
        return conv(x, rng) * tf.identity(constant(rng, 5, like=x), "scale")

    assert Network(build, (6, 6, 4)).fold("scale:0") == 0


def test_an_op_with_a_gradient_of_its_own_is_left_alone() -> None:
    network = Network(conv_fused, (6, 6, 4))
    network.flat.nodes["conv"].attr["_gradient_op_type"].s = b"Mine"
    network.fold()
    assert "conv" in network.flat.ancestors(["y:0"])


def test_no_name_changes_its_value() -> None:
    network = Network(two_in_a_row, (6, 6, 4))
    names = [f"{n}:0" for n, node in network.flat.nodes.items() if node.op != "Placeholder"]
    expected = network.values(*names)
    network.fold()
    same(network.values(*names), expected)
