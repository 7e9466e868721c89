"""TensorFlow 1 exports: one flat graph, sessions, reference variables, control flow in frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.python.framework import function as legacy_function
from zoo import Sample, metadata, model, normal

from pellucid.runtime.engine.tensorflow import tf

v1 = tf.compat.v1
X = {"x": normal(2, 4, seed=1)}
W, V, TABLE = normal(4, 5), normal(5, 3), normal(6, 4)
WORDS = ["cat", "dog", "fish", "bird"]


@contextmanager
def old_style(*, resource: bool = False, frames: bool = True) -> Iterator[None]:
    """A graph as TensorFlow 1 builds it: reference variables, Switch and Merge, Enter and Exit."""
    with tf.Graph().as_default(), v1.variable_scope("", use_resource=resource):
        if frames:
            v1.disable_control_flow_v2()
        try:
            yield
        finally:
            v1.enable_control_flow_v2()


def save(directory: Path, inputs: Any, outputs: Any, **options: Any) -> None:
    """Initialize the variables and write the model."""
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        session.run(v1.local_variables_initializer())
        infos = [
            {k: v1.saved_model.build_tensor_info(t) for k, t in tensors.items()}
            for tensors in (inputs, outputs)
        ]
        signature = v1.saved_model.build_signature_def(*infos, "tensorflow/serving/predict")
        builder = v1.saved_model.Builder(str(directory / "out"))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, **options
        )
        builder.save()
    for path in (directory / "out").iterdir():
        path.rename(directory / path.name)


def variable(name: str, value: np.ndarray, **options: Any) -> Any:
    def initial(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        first = partition_info.var_offset if partition_info else [0] * value.ndim
        part = tuple(slice(f, f + n) for f, n in zip(first, shape, strict=True))
        return tf.constant(value[part], dtype)

    return v1.get_variable(name, value.shape, tf.float32, initial, **options)


def placeholder(*shape: int | None, dtype: Any = tf.float32, name: str = "x") -> Any:
    return v1.placeholder(dtype, [None, *shape], name)


def net(x: Any, w: Any = W, v: Any = V) -> Any:
    return tf.nn.softmax(tf.tanh(x @ w) @ v)


@model
def simple_save(directory: Path) -> Sample:
    with old_style(), v1.Session() as session:
        x = placeholder(4)
        y = net(x, variable("w", W), variable("v", V))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(directory / "out"), {"x": x}, {"y": y})
    for path in (directory / "out").iterdir():
        path.rename(directory / path.name)
    return Sample(x=X, function=net)


@model
def resource_variables(directory: Path) -> Sample:
    with old_style(resource=True):
        x = placeholder(4)
        save(directory, {"x": x}, {"y": net(x, variable("w", W), variable("v", V))})
    return Sample(x=X, function=net)


@model
def partitioned_variables(directory: Path) -> Sample:
    with old_style():
        x = placeholder(4)
        w = variable("w", W, partitioner=v1.fixed_size_partitioner(3, axis=1))
        table = variable("table", TABLE, partitioner=v1.fixed_size_partitioner(3))
        looked_up = v1.nn.embedding_lookup(table, tf.constant([0, 5], tf.int64), "div")
        y = net(x + tf.reduce_sum(looked_up, 0), tf.convert_to_tensor(w), variable("v", V))
        save(directory, {"x": x}, {"y": y})

    return Sample(x=X, function=lambda x: net(x + tf.reduce_sum(tf.gather(TABLE, [0, 5]), 0)))


@model
def frozen_constants(directory: Path) -> Sample:
    """No variables at all: weights are constants, one is gathered from."""
    with old_style():
        ids = placeholder(2, dtype=tf.int32, name="ids")
        looked_up = tf.gather(tf.constant(TABLE), ids, name="looked_up")
        save(directory, {"ids": ids}, {"y": net(tf.reduce_sum(looked_up, 1), W, V)})
    ids = np.array([[0, 5], [2, 3]], np.int32)
    return Sample(
        x={"ids": ids},
        points={"ids": TABLE[ids]},
        function=lambda ids: net(tf.reduce_sum(ids, 1)),
        metadata=metadata(
            {
                "ids": {
                    "input_tensor_name": "ids:0",
                    "encoded_tensor_name": "looked_up:0",
                    "encoding": "concat_embedding",
                }
            },
            "Softmax:0",
        ),
    )


def _words(directory: Path, initializer: Callable[[Any], Any], **options: Any) -> Sample:
    ids = np.array([[0, 1], [3, 4]])
    with old_style():
        words = placeholder(2, dtype=tf.string, name="words")
        file = directory.parent / f"{directory.name}.words.txt"
        file.write_text("\n".join(WORDS), "utf-8")
        table = tf.lookup.StaticVocabularyTable(initializer(file), 1)
        found = tf.nn.embedding_lookup(variable("e", TABLE[:5]), table.lookup(words))
        y = net(tf.reduce_sum(tf.identity(found, "embedded"), 1), W, V)
        made = {k: make() for k, make in options.items()}
        save(directory, {"words": words}, {"y": y}, **made)
        file.unlink()
    return Sample(
        x={"words": np.array([["cat", "dog"], ["bird", "unheard"]], object)},
        points={"words": TABLE[ids]},
        function=lambda words: net(tf.reduce_sum(words, 1)),
        metadata=metadata(
            {
                "words": {
                    "input_tensor_name": "words",
                    "encoded_tensor_name": "embedded",
                    "encoding": "concat_embedding",
                }
            },
            "y",
        ),
    )


@model
def table_and_main_op(directory: Path) -> Sample:
    return _words(
        directory,
        lambda file: tf.lookup.KeyValueTensorInitializer(WORDS, np.arange(4)),
        main_op=v1.tables_initializer,
    )


@model
def table_from_asset(directory: Path) -> Sample:
    return _words(
        directory,
        lambda file: tf.lookup.TextFileInitializer(
            str(file),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        legacy_init_op=v1.tables_initializer,
        assets_collection=lambda: v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
    )


@model
def loop_in_frames(directory: Path) -> Sample:
    """Enter, Exit and NextIteration, with a gradient through them; a variable is read inside."""

    def steps(x: Any, w: Any) -> Any:
        _, y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ w) + x), (0, x))
        return y

    square = normal(4, 4)
    with old_style():
        x = placeholder(4)
        save(directory, {"x": x}, {"y": net(steps(x, variable("u", square)), W, V)})
    return Sample(x=X, function=lambda x: net(steps(x, square)), backend="V1LoaderBackend")


@model
def loop_before_the_tensor(directory: Path) -> Sample:
    """A loop of frames that only leads to the explained tensor."""
    with old_style():
        x = placeholder(4)
        y = tf.map_fn(tf.sin, x)
        save(directory, {"x": x}, {"y": net(tf.identity(y, "sines"), variable("w", W), V)})
    return Sample(
        x=X,
        points={"x": np.sin(X["x"])},
        function=net,
        metadata=metadata(
            {
                "x": {
                    "input_tensor_name": "x",
                    "encoded_tensor_name": "sines",
                    "encoding": "identity",
                }
            },
            "y",
        ),
    )


@model
def switch_and_merge(directory: Path) -> Sample:
    """Batch normalization and dropout as Keras wrote them, behind a learning phase."""
    with old_style():
        phase = v1.placeholder_with_default(False, [], "keras_learning_phase")
        x = placeholder(4)
        y = v1.cond(phase, lambda: tf.nn.dropout(x, 0.5), lambda: tf.sin(x))
        z = v1.cond(tf.reduce_sum(y) < -1e6, lambda: y * 2.0, lambda: y * y)
        save(directory, {"x": x}, {"y": net(z, variable("w", W), V)})
    return Sample(x=X, function=lambda x: net(tf.sin(x) ** 2))


@model
def keep_probability(directory: Path) -> Sample:
    """A scalar that is fed: one value for the whole batch."""
    with old_style():
        x, keep = placeholder(4), v1.placeholder(tf.float32, [], "keep_prob")
        y = net(v1.nn.dropout(x, keep), variable("w", W), V)
        save(directory, {"x": x, "keep_prob": keep}, {"y": y})
    return Sample(
        x={**X, "keep_prob": np.ones(2, np.float32)},
        function=lambda x, keep_prob: net(x),
        shared=["keep_prob"],
    )


@model
def functional_control_flow(directory: Path) -> Sample:
    with old_style(frames=False, resource=True):
        x, w = placeholder(4), variable("w", W)
        _, y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, tf.sin(y) + x), (0, x))
        z = tf.cond(tf.reduce_sum(x) < 1e6, lambda: net(y, w, V), lambda: y[:, :3])
        save(directory, {"x": x}, {"y": z})

    def function(x: Any) -> Any:
        return net(tf.sin(tf.sin(x) + x) + x)

    return Sample(x=X, function=function)


@model
def direct_function_calls(directory: Path) -> Sample:
    """Functions of TensorFlow 1: the operation's type is the function's name."""

    @legacy_function.Defun(tf.float32)
    def Squashed(x: Any) -> Any:  # noqa: N802
        return tf.tanh(x)

    @legacy_function.Defun(tf.float32, tf.float32)
    def Layer(x: Any, w: Any) -> Any:  # noqa: N802
        return Squashed(x @ w)

    with old_style():
        x = placeholder(4)
        y = tf.nn.softmax(Layer(Layer(x, normal(4, 5)), variable("v", V)))
        save(directory, {"x": x}, {"y": y})
    return Sample(x=X, function=lambda x: tf.nn.softmax(tf.tanh(net_layer(x) @ V)))


def net_layer(x: Any) -> Any:
    return tf.tanh(x @ normal(4, 5))


@model
def reference_output(directory: Path) -> Sample:
    """Assigned when it runs; the output waits for the assignment."""
    with old_style():
        x, calls = placeholder(4), variable("calls", np.zeros([], np.float32))
        with tf.control_dependencies([v1.assign_add(calls, 1.0)]):
            y = net(tf.identity(x), variable("w", W), V)
        save(directory, {"x": x}, {"y": y})
    return Sample(x=X, function=net)


@model
def input_is_output(directory: Path) -> Sample:
    with old_style():
        x = placeholder(4)
        save(directory, {"x": x}, {"copy": x, "y": net(x, variable("w", W), V)})
    return Sample(x=X, function=lambda x: x + 0.0, options={"output": "copy"})


@model
def examples(directory: Path) -> Sample:
    """Serialized tf.Example, explained at the tensors that are parsed from it."""
    with old_style():
        serialized = placeholder(dtype=tf.string, name="serialized")
        parsed = v1.parse_example(
            serialized,
            {
                "a": v1.FixedLenFeature([4], tf.float32),
                "b": v1.FixedLenFeature([], tf.int64, 1),
                "c": v1.VarLenFeature(tf.string),
            },
        )
        a = tf.identity(parsed["a"], "a")
        size = tf.cast(tf.size(parsed["c"].values), tf.float32)
        y = net(a, variable("w", W), V) * tf.cast(parsed["b"], tf.float32)[:, None] + 0.0 * size
        save(directory, {"examples": serialized}, {"y": y})

    def example(a: np.ndarray, b: int) -> bytes:
        message = tf.train.Example()
        message.features.feature["a"].float_list.value.extend(a.tolist())
        message.features.feature["b"].int64_list.value.append(b)
        return bytes(message.SerializeToString())

    return Sample(
        x={"examples": np.array([example(a, 2) for a in X["x"]], object)},
        points={"a": X["x"]},
        function=lambda a, examples: 2.0 * net(a),
        metadata=metadata({"a": {"input_tensor_name": "a"}}, "y"),
    )


@model
def sparse_triplet(directory: Path) -> Sample:
    """A sparse input as three, and the embedding that is made of it."""
    with old_style():
        ids = v1.sparse_placeholder(tf.int64, [None, None], "ids")
        combined = v1.nn.embedding_lookup_sparse(variable("e", TABLE), ids, None, combiner="mean")
        y = net(tf.identity(combined, "combined"), W, V)
        inputs = {
            "ids_indices": ids.indices,
            "ids_values": ids.values,
            "ids_dense_shape": ids.dense_shape,
        }
        save(directory, inputs, {"y": y})
    indices = np.array([[[0, 0], [0, 1], [0, 2]]])
    return Sample(
        x={
            "ids_indices": indices,
            "ids_values": np.array([[5, 2, 1]]),
            "ids_dense_shape": np.array([[1, 3]]),
        },
        points={"ids": TABLE[[5, 2, 1]].mean(0)[None, None]},
        function=lambda ids, **_: net(ids[:, 0]),
        metadata=metadata(
            {
                "ids": {
                    "input_tensor_name": "ids_values",
                    "indices_tensor_name": "ids_indices",
                    "dense_shape_tensor_name": "ids_dense_shape",
                    "encoded_tensor_name": "combined",
                    "encoding": "combined_embedding",
                }
            },
            "y",
        ),
    )


@model
def recurrent_with_arrays(directory: Path) -> Sample:
    """A dynamic RNN: in the loop, rows are read from a TensorArray."""
    kernel = normal(8, 4)
    with old_style():
        x = placeholder(5, 4)
        cell = variable("cell", kernel)
        rows = v1.TensorArray(tf.float32, 5).unstack(tf.transpose(x, [1, 0, 2]))

        def step(i: Any, state: Any) -> Any:
            return i + 1, tf.tanh(tf.concat([rows.read(i), state], 1) @ cell)

        _, state = v1.while_loop(lambda i, _: i < 5, step, (0, tf.zeros([tf.shape(x)[0], 4])))
        save(directory, {"x": x}, {"y": net(state, variable("w", W), V)})

    def function(x: Any) -> Any:
        state = tf.zeros([tf.shape(x)[0], 4])
        for i in range(5):
            state = tf.tanh(tf.concat([x[:, i], state], 1) @ kernel)
        return net(state)

    return Sample(
        x={"x": normal(2, 5, 4)}, function=function, backend="V1LoaderBackend", complete=0.01
    )


@model
def local_variable(directory: Path) -> Sample:
    """A variable that is not in the checkpoint: the main op sets it."""
    with old_style():
        x = placeholder(4)
        scale = variable(
            "scale",
            np.full(4, 2.0, np.float32),
            collections=[v1.GraphKeys.LOCAL_VARIABLES],
            trainable=False,
        )
        y = net(x * scale, variable("w", W), V)
        save(directory, {"x": x}, {"y": y}, main_op=v1.local_variables_initializer())
    return Sample(x=X, function=lambda x: net(2.0 * x))
