"""Models of series, exported by Keras: trained where their cause is to be known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.runtime.engine.tensorflow import tf

STEPS, CHANNELS = 60, 3
CHANNEL, TIME = 2, 40
"""Where the bump is that `bump_model` has learned to see."""


def bump_rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise of three channels, [n, 60, 3], with a bump somewhere, and whether it is the one."""
    draw = np.random.default_rng(seed)
    x = draw.normal(0, 0.2, (n, STEPS, CHANNELS))
    seen = draw.random(n) < 0.5
    for row, right in enumerate(seen):
        elsewhere = draw.integers(0, 2), draw.integers(5, STEPS - 5)
        channel, time = (CHANNEL, TIME) if right else elsewhere
        x[row, :, channel] += 2 * np.exp(-(((np.arange(STEPS) - time) / 2.5) ** 2))
    return x.astype(np.float32), seen.astype(np.float32)


def bump_model(directory: Path) -> Path:
    """One-dimensional convolutions that say whether channel 2 has a bump at t = 40."""
    keras = tf.keras
    keras.utils.set_random_seed(1)
    given = keras.Input((STEPS, CHANNELS), name="signal")
    hidden = keras.layers.Conv1D(8, 5, activation="relu", padding="same")(given)
    hidden = keras.layers.MaxPooling1D(2)(hidden)
    said = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(hidden))
    network = keras.Model(given, said)
    network.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    network.fit(*bump_rows(800), epochs=6, batch_size=32, verbose=0)
    network.export(str(directory), verbose=False)
    return directory


def lstm_model(directory: Path, steps: int | None = None, channels: int = 4) -> Path:
    """A small LSTM over any number of steps, untrained."""
    return _exported(directory, (steps, channels), lambda: tf.keras.layers.LSTM(5))


def long_model(directory: Path, steps: int | None, channels: int | None = None) -> Path:
    """A convolution over [steps] or [steps, channels], untrained."""
    shape = (steps,) if channels is None else (steps, channels)

    def layer() -> Any:
        return tf.keras.layers.Conv1D(4, 9, strides=3, activation="tanh", padding="same")

    return _exported(directory, shape, layer)


def _exported(directory: Path, shape: tuple[int | None, ...], layer: Any) -> Path:
    keras = tf.keras
    keras.utils.set_random_seed(2)
    given = keras.Input(shape, name="signal")
    hidden = given if len(shape) == 2 else keras.layers.Reshape((-1, 1))(given)
    hidden = layer()(hidden)
    if len(hidden.shape) == 3:
        hidden = keras.layers.GlobalAveragePooling1D()(hidden)
    network = keras.Model(given, keras.layers.Dense(2, activation="softmax")(hidden))
    network.export(str(directory), verbose=False)
    return directory
