"""TensorFlow 2 exports, continued: loops in loops, weights that branches read, models saved twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from zoo import Net, Sample, export, float_rows, metadata, model, normal

from pellucid.runtime.engine.tensorflow import tf

X = {"x": normal(2, 4, seed=1)}


@model
def loop_in_a_loop(directory: Path) -> Sample:
    net = Net()

    def inner(y: Any) -> Any:
        return tf.while_loop(lambda j, _: j < 2, lambda j, z: (j + 1, tf.sin(z) + y), (0, y))[1]

    def serve(x: Any) -> Any:
        step = lambda i, y: (i + 1, inner(y) + inner(x))  # noqa: E731
        return net(tf.while_loop(lambda i, _: i < 2, step, (0, x))[1])

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def scan(directory: Path) -> Sample:
    net = Net()

    def serve(x: Any) -> Any:
        return net(tf.transpose(tf.scan(lambda a, b: tf.sin(a) + b, tf.transpose(x))))

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def weights_in_branches(directory: Path) -> Sample:
    """The handle of a variable goes into a conditional, which gathers from it."""
    net, other = Net(), Net()

    def serve(x: Any) -> Any:
        rows = tf.cond(
            tf.shape(x)[0] > 0,
            lambda: tf.nn.embedding_lookup(net.w, tf.constant([0, 1])),
            lambda: tf.nn.embedding_lookup(other.w, tf.constant([2, 3])),
        )
        return net(x) * tf.reduce_sum(rows)

    export(directory, serve, [net, other], x=float_rows(4))
    return Sample(x=X, function=serve)


@model
def gather_by_several_axes(directory: Path) -> Sample:
    net, table = Net(), tf.Variable(normal(6, 4))

    def serve(x: Any, ids: Any) -> Any:
        return net(x + tf.gather_nd(table, ids[:, None]))

    export(directory, serve, [net, table], x=float_rows(4), ids=float_rows(dtype=tf.int32))
    return Sample(x={**X, "ids": np.array([1, 5], np.int32)}, function=serve)


@model
def recomputed(directory: Path) -> Sample:
    """Activations that are computed again for the gradient: its function calls the network."""
    net = Net()
    again = tf.recompute_grad(net.__call__)
    export(directory, lambda x: again(x), net, x=float_rows(4))
    return Sample(x=X, function=net)


@model
def saved_twice(directory: Path) -> Sample:
    """Loaded and saved again: gradients that were saved with it are still there."""
    net = Net()

    @tf.custom_gradient
    def rounded(x: Any) -> Any:
        return tf.round(4.0 * x) / 4.0, lambda dy: 2.0 * dy

    def serve(x: Any) -> Any:
        return net(rounded(x) + tf.nn.silu(x))

    first = directory.parent / f"{directory.name}.first"
    export(first, serve, net, x=float_rows(4))
    loaded = tf.saved_model.load(str(first))
    signature = loaded.signatures["serving_default"]
    tf.saved_model.save(loaded, str(directory), signatures=signature)
    return Sample(x=X, function=serve, complete=np.inf)


@model
def sparse_inside(directory: Path) -> Sample:
    net = Net()

    def serve(x: Any) -> Any:
        sparse = tf.sparse.from_dense(x)
        return net(tf.sparse.to_dense(sparse) + tf.sparse.sparse_dense_matmul(sparse, tf.eye(4)))

    export(directory, serve, net, x=float_rows(4))
    return Sample(x=X, function=lambda x: net(2.0 * x))


@model
def numbers_in_text(directory: Path) -> Sample:
    """A row of a table as one line of text, split and parsed in the graph."""
    net, x = Net(3), normal(2, 3)

    def serve(line: Any) -> Any:
        parts = tf.strings.split(line, sep=",").to_tensor("0", shape=[None, 3])
        return net(tf.identity(tf.strings.to_number(parts), "numbers"))

    export(directory, serve, net, line=float_rows(dtype=tf.string))
    return Sample(
        x={"line": np.array([",".join(map(str, row)) for row in x], object)},
        points={"line": x},
        function=lambda line: net(line),
        metadata=metadata(
            {
                "line": {
                    "input_tensor_name": "line",
                    "encoded_tensor_name": "numbers",
                    "encoding": "concat_embedding",
                }
            },
            "output_0",
        ),
    )
