"""Inputs and outputs of every type, rank and number, and the kernels of several trades."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from zoo import Net, Sample, export, float_rows, model, normal

from pellucid.runtime.engine.tensorflow import tf

X = {"x": normal(2, 4, seed=1)}


@model
def mixed_float16(directory: Path) -> Sample:
    net = Net(dtype=tf.float16)

    def serve(x: Any) -> Any:
        return tf.cast(net(tf.cast(x, tf.float16)), tf.float32)

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve, rtol=0.02, complete=0.02)


@model
def bfloat16_throughout(directory: Path) -> Sample:
    net = Net(dtype=tf.bfloat16)

    def serve(x: Any) -> Any:
        return net(tf.cast(x, tf.bfloat16))

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve, rtol=0.1, complete=0.1)


@model
def float16_input(directory: Path) -> Sample:
    net = Net(dtype=tf.float16)
    export(directory, net, net, x=float_rows(4, dtype=tf.float16))
    return Sample(x={"x": X["x"].astype(np.float16)}, function=net, rtol=0.02, complete=0.02)


@model
def float64_input(directory: Path) -> Sample:
    net = Net(dtype=tf.float64)
    export(directory, net, net, x=float_rows(4, dtype=tf.float64))
    return Sample(x={"x": X["x"].astype(np.float64)}, function=net, rtol=1e-9, complete=1e-6)


def _integers(directory: Path, dtype: Any) -> Sample:
    net = Net()
    export(directory, lambda x: net(tf.cast(x, tf.float32)), net, x=float_rows(4, dtype=dtype))
    name = dtype.name
    return Sample(
        x={"x": np.array([[1, 2, 3, 4]], dtype.as_numpy_dtype)},
        refusal=f"a gradient needs floating-point inputs, and 'x' is {name}",
    )


@model
def uint8_input(directory: Path) -> Sample:
    return _integers(directory, tf.uint8)


@model
def int32_input(directory: Path) -> Sample:
    return _integers(directory, tf.int32)


@model
def int64_input(directory: Path) -> Sample:
    return _integers(directory, tf.int64)


@model
def bool_output(directory: Path) -> Sample:
    export(directory, lambda x: tf.reduce_sum(x, 1) > 0.0, x=float_rows(4))
    return Sample(
        x=X,
        refusal="the output is bool, which has no score to explain; name a floating-point output, "
        "such as the probabilities or the logits",
    )


@model
def several_inputs(directory: Path) -> Sample:
    """One of three is not connected to the output, one is an integer."""
    net = Net()

    def serve(x: Any, unused: Any, n: Any) -> dict[str, Any]:
        return {"p": net(x) * tf.cast(n, tf.float32)[:, None], "copy": unused, "kinds": n}

    def scored(x: Any, unused: Any, n: Any) -> Any:
        return serve(x, unused, n)["p"]

    export(
        directory,
        serve,
        net,
        x=float_rows(4),
        unused=float_rows(2),
        n=float_rows(dtype=tf.int64),
    )
    return Sample(
        x={**X, "unused": normal(2, 2), "n": np.array([1, 3])},
        function=scored,
        options={"output": "p"},
        zero=["unused"],
    )


@model
def passed_through(directory: Path) -> Sample:
    """The output is the input itself."""
    net = Net()
    export(directory, lambda x: {"x_too": x, "p": net(x)}, net, x=float_rows(4))
    return Sample(x=X, function=lambda x: x + 0.0, options={"output": "x_too"})


@model
def several_outputs(directory: Path) -> Sample:
    net = Net()
    export(
        directory,
        lambda x: {f"head_{i}": net(x) * i for i in range(9)},
        net,
        x=float_rows(4),
    )
    return Sample(x=X, function=lambda x: net(x) * 5.0, options={"output": "head_5"})


@model
def scalar_output(directory: Path) -> Sample:
    net = Net()
    export(directory, lambda x: net(x)[:, 0], net, x=float_rows(4))
    return Sample(x=X, function=lambda x: net(x)[:, 0])


@model
def one_output(directory: Path) -> Sample:
    net = Net()
    export(directory, lambda x: net(x)[:, 1:2], net, x=float_rows(4))
    return Sample(x=X, function=lambda x: net(x)[:, 1:2])


@model
def rank_4_output(directory: Path) -> Sample:
    kernel = tf.Variable(normal(3, 3, 2, 4))

    def serve(x: Any) -> Any:
        return tf.tanh(tf.nn.conv2d(x, kernel, 1, "SAME"))

    export(directory, serve, kernel, x=float_rows(5, 5, 2))
    return Sample(x={"x": normal(2, 5, 5, 2)}, function=serve)


def _fixed(directory: Path, rows: int) -> Sample:
    net = Net()
    export(
        directory,
        lambda x: net(tf.reshape(x, [rows, 4])),
        net,
        x=tf.TensorSpec([rows, 2, 2]),
    )
    return Sample(x={"x": normal(7, 2, 2)}, function=lambda x: net(tf.reshape(x, [-1, 4])))


@model
def fixed_batch_of_one(directory: Path) -> Sample:
    return _fixed(directory, 1)


@model
def fixed_batch_of_four(directory: Path) -> Sample:
    return _fixed(directory, 4)


@model
def no_batch_axis(directory: Path) -> Sample:
    net = Net(16)
    export(directory, lambda x: net(tf.reshape(x, [1, 16]))[0], net, x=tf.TensorSpec([4, 4]))
    return Sample(x={"x": normal(3, 4, 4)}, function=lambda x: net(tf.reshape(x, [-1, 16])))


@model
def scalar_to_scalar(directory: Path) -> Sample:
    export(directory, lambda x: tf.sin(x) * 3.0, x=tf.TensorSpec([]))
    return Sample(x={"x": normal(3)}, function=lambda x: tf.sin(x) * 3.0)


@model
def unknown_rank(directory: Path) -> Sample:
    net = Net()
    export(directory, lambda x: net(tf.reshape(x, [-1, 4])), net, x=tf.TensorSpec(None))
    return Sample(x=X, function=net)


@model
def free_height_and_width(directory: Path) -> Sample:
    kernel = tf.Variable(normal(3, 3, 3, 2))

    def serve(x: Any) -> Any:
        y = tf.image.resize(x, [6, 6]) + tf.image.resize(x, [6, 6], "bicubic", antialias=True)
        return tf.reduce_mean(tf.nn.softplus(tf.nn.conv2d(y, kernel, 1, "SAME")), [1, 2])

    export(directory, serve, kernel, x=float_rows(None, None, 3))
    return Sample(x={"x": np.abs(normal(2, 8, 9, 3))}, function=serve)


@model
def audio(directory: Path) -> Sample:
    """A short-time Fourier transform: complex numbers in the middle."""
    net = Net(5 * 9)

    def serve(x: Any) -> Any:
        power = tf.abs(tf.signal.stft(x, 16, 8, 16)) ** 2
        return net(tf.reshape(tf.math.log(power + 1.0), [-1, 5 * 9]))

    export(directory, serve, net, x=float_rows(48))
    return Sample(x={"x": normal(2, 48)}, function=serve)


@model
def fake_quantized(directory: Path) -> Sample:
    w = tf.Variable(normal(4, 3))

    def serve(x: Any) -> Any:
        x = tf.quantization.fake_quant_with_min_max_args(x, -3.0, 3.0)
        return x @ tf.quantization.fake_quant_with_min_max_vars(w, -2.0, 2.0)

    export(directory, serve, w, x=float_rows(4))
    return Sample(x=X, function=serve, complete=0.1)


@model
def einsum_attention(directory: Path) -> Sample:
    weights = [tf.Variable(normal(4, 4, seed=i)) for i in range(3)]

    def serve(x: Any) -> Any:
        q, k, v = (tf.einsum("btd,de->bte", x, w) for w in weights)
        scores = tf.nn.softmax(tf.einsum("bte,bse->bts", q, k) / 2.0)
        return tf.reduce_mean(tf.einsum("bts,bse->bte", scores, v), 1)

    export(directory, serve, weights, x=float_rows(None, 4))
    return Sample(x={"x": normal(2, 5, 4)}, function=serve)


@model
def ragged_inside(directory: Path) -> Sample:
    """Rows of different length are made, and summed up, inside."""
    net = Net()

    def serve(x: Any, n: Any) -> Any:
        ragged = tf.RaggedTensor.from_tensor(x, lengths=n)
        return net(tf.reduce_sum(ragged * ragged, 1))

    export(directory, serve, net, x=float_rows(5, 4), n=float_rows(dtype=tf.int32))
    return Sample(
        x={"x": normal(2, 5, 4), "n": np.array([2, 5], np.int32)},
        function=serve,
    )


@model
def bucketized(directory: Path) -> Sample:
    """Behind a bucket there is a cast back to float, so that nothing is connected."""

    def serve(x: Any) -> Any:
        return tf.one_hot(tf.raw_ops.Bucketize(input=x, boundaries=[0.0, 1.0]), 3) @ normal(3, 2)

    export(directory, serve, x=float_rows(4))
    return Sample(
        x=X,
        refusal="no gradient reaches 'x': operation 'PartitionedCall/PartitionedCall/Bucketize' (Bucketize) on "
        "the way to the output is not differentiable",
    )


@model
def rounded_input(directory: Path) -> Sample:
    export(directory, lambda x: tf.round(x * 10.0) @ normal(4, 2), x=float_rows(4))
    return Sample(
        x=X,
        refusal="no gradient reaches 'x': operation 'PartitionedCall/PartitionedCall/Round' (Round) on the way "
        "to the output is not differentiable",
    )


@model
def sign_of_input(directory: Path) -> Sample:
    export(directory, lambda x: tf.sign(x) @ normal(4, 2), x=float_rows(4))
    return Sample(x=X, refusal="the gradient is exactly 0 everywhere between baseline and instance")
