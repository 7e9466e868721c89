"""TensorFlow 2 exports: `tf.Module` and functions, nested, branching, looping, with own gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from zoo import Net, Sample, export, float_rows, metadata, model, normal

from pellucid.runtime.engine.tensorflow import tf

X = {"x": normal(2, 4, seed=1)}


@model
def module(directory: Path) -> Sample:
    net = Net()

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        @tf.function(input_signature=[float_rows(4)])
        def serve(self, x: Any) -> dict[str, Any]:
            return {"p": self.net(x)}

    held = Module()
    tf.saved_model.save(held, str(directory), signatures=held.serve)
    return Sample(x=X, function=net)


@model
def nested_calls(directory: Path) -> Sample:
    net = Net(5)

    @tf.function
    def inner(x: Any, scale: Any) -> Any:
        return tf.sin(x * scale)

    @tf.function
    def middle(x: Any) -> Any:
        return tf.concat([inner(x, 2.0), inner(x[:, :1], tf.constant(3.0))], 1)

    def outer(x: Any) -> Any:
        return tf.function(net.__call__)(middle(inner(x, 1.0)))

    export(directory, outer, net, x=float_rows(4))
    return Sample(x=X, function=outer)


@model
def embedding_in_function(directory: Path) -> Sample:
    """Ids as floats, cast and gathered: the gradient has to be taken behind the lookup."""
    net, table = Net(6), tf.Variable(normal(10, 2))

    @tf.function
    def look_up(ids: Any) -> Any:
        return tf.identity(tf.nn.embedding_lookup(table, tf.cast(ids, tf.int32)), "looked_up")

    def serve(ids: Any) -> Any:
        return net(tf.reshape(look_up(ids), [-1, 6]))

    export(directory, serve, [net, table], ids=float_rows(3))
    ids = np.array([[1, 2, 3], [9, 0, 4]], np.float32)
    return Sample(
        x={"ids": ids},
        points={"ids": table.numpy()[ids.astype(int)]},
        function=lambda ids: net(tf.reshape(ids, [-1, 6])),
        metadata=metadata(
            {
                "ids": {
                    "input_tensor_name": "ids",
                    "encoded_tensor_name": "looked_up",
                    "encoding": "concat_embedding",
                }
            },
            "output_0",
        ),
    )


@model
def float_ids(directory: Path) -> Sample:
    table = tf.Variable(normal(10, 3))

    def serve(ids: Any) -> Any:
        return tf.reduce_sum(tf.gather(table, tf.cast(ids, tf.int32)), 1)

    export(directory, serve, table, ids=float_rows(3))
    return Sample(
        x={"ids": np.array([[1, 2, 3]], np.float32)},
        refusal="no gradient reaches 'ids': operation 'StatefulPartitionedCall/StatefulPartitionedCall/Cast' (Cast)",
    )


@model
def while_loop(directory: Path) -> Sample:
    net = Net()

    def serve(x: Any) -> Any:
        _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y * 1.5) + x), (0, x))
        return net(y)

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def while_over_input(directory: Path) -> Sample:
    """How often the loop turns depends on the input's shape; the weights are read inside."""
    w = tf.Variable(normal(4, 4) / 3)
    net = Net()

    def serve(x: Any) -> Any:
        state = tf.zeros([tf.shape(x)[0], 4])
        for t in tf.range(tf.shape(x)[1]):
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(state, tf.TensorShape([None, 4]))]
            )
            state = tf.tanh(state @ w + x[:, t])
        return net(state)

    export(directory, serve, [net, w], x=float_rows(None, 4))
    return Sample(x={"x": normal(2, 3, 4)}, function=tf.function(serve))


@model
def loop_called_twice(directory: Path) -> Sample:
    """The same function with a loop in two places: the loop's gradient is made for each."""

    @tf.function
    def looped(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y) + x), (0, x))[1]

    def serve(x: Any) -> Any:
        return looped(looped(x) * 0.5)

    def plain(x: Any) -> Any:
        return tf.sin(tf.sin(tf.sin(x) + x) + x) + x

    export(directory, serve, x=float_rows(4))
    return Sample(x=X, function=lambda x: plain(plain(x) * 0.5))


@model
def map_fn(directory: Path) -> Sample:
    net = Net()

    def serve(x: Any) -> Any:
        return tf.map_fn(lambda row: net(row[None] ** 2)[0], x)

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def conditional(directory: Path) -> Sample:
    """If, with weights in both branches; and a case of three."""
    net, other = Net(), Net()
    other.w.assign(other.w * 0.5)

    def serve(x: Any) -> Any:
        y = tf.cond(tf.reduce_sum(x) > 1e6, lambda: net(x), lambda: other(x) * 2.0)
        n = tf.shape(x)[1]
        z = tf.case(
            [(n > 7, lambda: y), (n > 5, lambda: -y)],
            default=lambda: tf.sin(3.0 * y) * x[:, :1],
            exclusive=False,
        )
        return z + tf.switch_case(n - 3, [lambda: y, lambda: y * y, lambda: -y])

    export(directory, serve, [net, other], x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def stateless_conditional(directory: Path) -> Sample:
    def serve(x: Any) -> Any:
        return tf.cond(tf.shape(x)[1] > 3, lambda: tf.sin(x), lambda: tf.cos(x))

    export(directory, serve, x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def straight_through(directory: Path) -> Sample:
    """A custom gradient that was saved: without it, the gradient of the rounding is 0."""
    net = Net()

    @tf.custom_gradient
    def rounded(x: Any) -> Any:
        scale = tf.cos(x)
        return tf.round(4.0 * x) / 4.0, lambda dy: dy * scale

    @tf.function
    def inner(x: Any) -> Any:
        return rounded(x * 2.0)

    def serve(x: Any) -> Any:
        return net(inner(x) + rounded(x))

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve, complete=np.inf)


@model
def gradient_with_variable(directory: Path) -> Sample:
    """The saved gradient reads a variable itself."""
    net, w = Net(), tf.Variable(normal(4, 4))

    @tf.custom_gradient
    def dense(x: Any) -> Any:
        def gradient(dy: Any, variables: Any = None) -> Any:
            return 0.5 * dy @ tf.transpose(w), [tf.zeros([4, 4])] * len(variables or [])

        return x @ w, gradient

    def serve(x: Any) -> Any:
        return net(dense(x))

    export(directory, serve, [net, w], x=float_rows(4))
    return Sample(x=X, function=serve, complete=np.inf)


@model
def gradient_in_loop(directory: Path) -> Sample:
    """A saved gradient inside the body of a loop."""

    @tf.custom_gradient
    def doubled(x: Any) -> Any:
        return tf.sin(x), lambda dy: 2.0 * dy

    def serve(x: Any) -> Any:
        return tf.map_fn(doubled, x)

    export(directory, serve, x=float_rows(4))
    return Sample(x=X, function=serve, complete=np.inf, backend="FunctionBackend")


@model
def gradient_not_saved(directory: Path) -> Sample:
    """The gradient was not saved: that of the operations themselves is taken."""
    net = Net()

    @tf.custom_gradient
    def own(x: Any) -> Any:
        return tf.sin(x), lambda dy: 0.0 * dy

    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    export(directory, lambda x: net(own(x)), net, options, x=float_rows(4))
    return Sample(x=X, function=lambda x: net(tf.sin(x)))


@model
def silu_and_gelu(directory: Path) -> Sample:
    """The activations that TensorFlow itself writes with custom gradients."""
    net = Net()

    def serve(x: Any) -> Any:
        return net(tf.nn.silu(x) + tf.nn.gelu(x) + tf.math.softplus(x))

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def counter(directory: Path) -> Sample:
    """The signature counts its calls."""
    net, calls = Net(), tf.Variable(0, dtype=tf.int64)

    def serve(x: Any) -> Any:
        calls.assign_add(1)
        return net(x) * tf.cast(calls > 0, tf.float32)

    export(directory, serve, [net, calls], x=float_rows(4))
    return Sample(x=X, function=net)


@model
def assertions(directory: Path) -> Sample:
    net = Net()

    def serve(x: Any) -> Any:
        checks = [
            tf.debugging.assert_less(tf.abs(x), 1e6, "too large"),
            tf.debugging.assert_equal(tf.shape(x)[1], 4),
        ]
        with tf.control_dependencies([c for c in checks if c is not None]):
            return net(tf.debugging.check_numerics(tf.identity(x), "not finite"))

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=net)


@model
def compiled(directory: Path) -> Sample:
    net = Net()
    inner = tf.function(net.__call__, jit_compile=True)
    export(directory, lambda x: inner(x * 2.0), net, jit_compile=True, x=float_rows(4))
    return Sample(x=X, function=lambda x: net(x * 2.0))


@model
def device_written_in(directory: Path) -> Sample:
    net = Net()

    def serve(x: Any) -> Any:
        with tf.device("/device:GPU:0"):
            return tf.map_fn(lambda row: row * 2.0, net(x))

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=lambda x: 2.0 * net(x))


@model
def several_meta_graphs(directory: Path) -> Sample:
    """Two graphs in one file: tags train, and serve."""
    from tensorflow.core.protobuf import saved_model_pb2

    net = Net()
    export(directory, net, net, x=float_rows(4))
    path = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    train = saved.meta_graphs.add()
    train.CopyFrom(saved.meta_graphs[0])
    train.meta_info_def.tags[:] = ["train", "gpu"]
    train.signature_def["serving_default"].outputs["other"].CopyFrom(
        train.signature_def["serving_default"].outputs["output_0"]
    )
    path.write_bytes(saved.SerializeToString())
    return Sample(x=X, function=net)


@model
def text_file(directory: Path) -> Sample:
    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    net = Net()
    export(directory, net, net, x=float_rows(4))
    path = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    path.unlink()
    path.with_suffix(".pbtxt").write_text(text_format.MessageToString(saved), "utf-8")
    return Sample(x=X, function=net)


@model
def many_signatures(directory: Path) -> Sample:
    net = Net()
    module = tf.Module()
    module.net = net
    signatures = {
        f"predict:{i}/v1": tf.function(lambda x, i=i: {"a/b:0": net(x) * i}).get_concrete_function(
            x=tf.TensorSpec([None, 4], name="x")
        )
        for i in range(1, 41)
    }
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return Sample(x=X, function=lambda x: net(x) * 3.0, options={"signature": "predict:3/v1"})
