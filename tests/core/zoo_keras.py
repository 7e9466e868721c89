"""Keras exports: layers that loop, that keep state, that draw random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from zoo import Net, Sample, export, float_rows, model, normal

from pellucid.runtime.engine.tensorflow import tf

keras = tf.keras
layers = keras.layers


def _export(directory: Path, network: Any, *shape: int, **known: Any) -> Sample:
    network.export(str(directory), verbose=False)
    name = known.pop("name", "x")
    return Sample(
        x={name: normal(2, *shape)}, function=lambda **x: network(x[name], training=False), **known
    )


def _sequential(*stack: Any, shape: tuple[int | None, ...]) -> Any:
    keras.utils.set_random_seed(0)
    x = layers.Input(shape, name="x")
    y = x
    for layer in stack:
        y = layer(y)
    return keras.Model(x, y)


@model
def keras_dense(directory: Path) -> Sample:
    network = _sequential(
        layers.Dense(5, "swish"),
        layers.BatchNormalization(),
        layers.Dense(3, "softmax"),
        shape=(4,),
    )
    return _export(directory, network, 4)


@model
def keras_with_optimizer(directory: Path) -> Sample:
    """Trained, and saved with `tf.saved_model.save`: the optimizer's variables come along.

    Each variable is in the graph twice, and only the one that nobody reads is restored there: the
    object graph alone says which is which.
    """
    network = _sequential(layers.Dense(5, "tanh"), layers.Dense(1), shape=(4,))
    network.compile("adam", "mse")
    network.fit(normal(8, 4), normal(8, 1), verbose=0)
    tf.saved_model.save(network, str(directory))
    return Sample(x={"inputs": normal(2, 4)}, function=lambda inputs: network(inputs))


@model
def keras_lstm(directory: Path) -> Sample:
    network = _sequential(layers.LSTM(3), layers.Dense(2, "softmax"), shape=(None, 4))
    return _export(directory, network, 5, 4)


@model
def keras_bidirectional_gru(directory: Path) -> Sample:
    network = _sequential(
        layers.Masking(),
        layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        layers.SimpleRNN(2),
        shape=(6, 4),
    )
    return _export(directory, network, 6, 4)


@model
def keras_conv_lstm(directory: Path) -> Sample:
    network = _sequential(
        layers.ConvLSTM2D(2, 3), layers.GlobalAveragePooling2D(), shape=(3, 6, 6, 1)
    )
    return _export(directory, network, 3, 6, 6, 1, rtol=1e-3)


@model
def keras_attention(directory: Path) -> Sample:
    x = layers.Input((5, 4), name="x")
    y = layers.MultiHeadAttention(2, 3)(x, x)
    y = layers.LayerNormalization()(y + x)
    network = keras.Model(x, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(y)))
    return _export(directory, network, 5, 4, complete=1e-2)


@model
def keras_mobile_blocks(directory: Path) -> Sample:
    network = _sequential(
        layers.Rescaling(2.0, -1.0),
        layers.Conv2D(4, 3, 2, "same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.PReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5),
        layers.Dense(3, "softmax"),
        shape=(9, 9, 3),
    )
    return _export(directory, network, 9, 9, 3, complete=0.05, rtol=1e-3)


@model
def keras_named_inputs(directory: Path) -> Sample:
    """A number and a word: the word is held."""
    number, word = layers.Input((1,), name="number"), layers.Input((1,), name="w", dtype="string")
    ids = layers.StringLookup(vocabulary=["u", "v"])(word)
    both = layers.Concatenate()([number, layers.Flatten()(layers.Embedding(5, 2)(ids))])
    network = keras.Model({"number": number, "w": word}, layers.Dense(1, "tanh")(both))
    network.export(str(directory), verbose=False)
    return Sample(
        x={"number": normal(2, 1), "w": np.array([["u"], ["unheard"]], object)},
        function=lambda number, w: network({"number": number, "w": w}),
    )


@model
def batch_statistics(directory: Path) -> Sample:
    """Normalization in training mode: the moving averages are assigned in every call."""
    net, mean = Net(), tf.Variable(tf.zeros([4]))

    def serve(x: Any) -> Any:
        mean.assign(0.9 * mean + 0.1 * tf.reduce_mean(x, 0))
        return net(tf.sin(x) + 0.0 * mean)

    export(directory, serve, [net, mean], x=float_rows(4))
    return Sample(x={"x": normal(2, 4)}, function=lambda x: net(tf.sin(x)))


@model
def augmentation_state(directory: Path) -> Sample:
    """A generator whose state is a variable; what it draws does not count here."""
    net, generator = Net(), tf.random.Generator.from_seed(1)

    def serve(x: Any) -> Any:
        return net(x + 0.0 * generator.normal(tf.shape(x)))

    export(directory, serve, [net, generator], x=float_rows(4))
    return Sample(x={"x": normal(2, 4)}, function=net)


def drawing(directory: Path, kind: str) -> None:
    """A model that answers differently each time."""
    net = Net()
    generator = tf.random.Generator.from_seed(1)
    seeds = keras.random.SeedGenerator(1)
    layer = keras.layers.Dropout(0.5)
    layer(tf.zeros([1, 4]), training=True)
    count = tf.Variable(0)

    def serve(x: Any) -> Any:
        if kind == "dropout":
            return net(tf.nn.dropout(x, 0.5))
        if kind == "generator":
            return net(x + generator.normal([4]))
        if kind == "keras":
            return net(keras.random.dropout(x, 0.5, seed=seeds))
        if kind == "layer in training":
            return net(layer(x, training=True))
        if kind == "constant seed and a counter":
            count.assign_add(1)
            return net(x + tf.random.stateless_normal([4], tf.stack([1, count])))
        if kind == "conditional":
            return tf.cond(x[0, 0] > -9, lambda: net(x + tf.random.normal([4])), lambda: net(x))
        if kind == "constant seed":
            return net(x + tf.random.stateless_normal([4], [1, 2]))
        if kind == "loop":
            return net(tf.map_fn(lambda row: row + tf.random.normal([4]), x))
        assert kind == "constant shape"
        return net(x + tf.random.uniform([4]))

    state = [net, generator, seeds.state, layer.seed_generator.state, count]
    export(directory, serve, state, x=float_rows(4))


DRAWS = {
    "dropout": "RandomUniform",
    "generator": "StatelessRandomNormalV2",
    "keras": "StatelessRandomUniformV2",
    "layer in training": "StatelessRandomUniformV2",
    "constant seed and a counter": "StatelessRandomNormalV2",
    "conditional": "RandomStandardNormal",
    "loop": "RandomStandardNormal",
    "constant shape": "RandomUniform",
}
ROW = np.ones([2, 4], np.float32)
