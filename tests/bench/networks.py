"""Integrated gradients of networks that people use, against a loop that is written by hand.

They are `keras.applications` with random weights, and small ones of each kind beside them, exported
once by Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hand_written import hand_written
from rows import BENCH, Row, compared
from timing import in_process, interleaved

import pellucid
from pellucid.methods.integrated_gradients import integrated_gradients

COLUMNS, SIDE = 1000, 224
# Each with the ratio that it must not exceed, where one is set.
BOUNDS: dict[str, float | None] = {
    "wide MLP": 0.6,
    "CNN": 0.9,
    "LSTM": None,
    "MobileNetV2": 0.75,
    "EfficientNetB0": None,
    "ViT": 0.92,
    "ResNet50": 0.9,
    "InceptionV3": 0.9,
}
QUICK = ("wide MLP", "CNN", "LSTM")
COUNTS = (1, 8)


def _mlp(keras: Any) -> Any:
    layers, x = keras.layers, keras.Input((COLUMNS,), name="x")
    hidden = layers.Dense(256, "relu")(layers.Dense(1024, "relu")(x))
    return keras.Model(x, layers.Dense(10, "softmax")(hidden))


def _cnn(keras: Any) -> Any:
    layers, x = keras.layers, keras.Input((SIDE, SIDE, 3), name="x")
    found = x
    for channels in (32, 32, 64, 64):
        found = layers.Conv2D(channels, 3, 2, "same", activation="relu")(found)
    return keras.Model(x, layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(found)))


def _lstm(keras: Any) -> Any:
    layers, x = keras.layers, keras.Input((50, 16), name="x")
    return keras.Model(x, layers.Dense(3, "softmax")(layers.LSTM(64)(x)))


def _vit(keras: Any) -> Any:
    layers, x = keras.layers, keras.Input((SIDE, SIDE, 3), name="x")
    width, patches = 192, (SIDE // 16) ** 2
    found = layers.Reshape((patches, width))(layers.Conv2D(width, 16, 16)(x))
    found = found + layers.Embedding(patches, width)(keras.ops.arange(patches))
    for _ in range(6):
        beside = layers.LayerNormalization()(found)
        found = found + layers.MultiHeadAttention(3, width // 3)(beside, beside)
        beside = layers.Dense(4 * width, "gelu")(layers.LayerNormalization()(found))
        found = found + layers.Dense(width)(beside)
    found = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(found))
    return keras.Model(x, layers.Dense(100, "softmax")(found))


OWN: dict[str, Callable[[Any], Any]] = {"wide MLP": _mlp, "CNN": _cnn, "LSTM": _lstm, "ViT": _vit}


def exported(name: str) -> Any:
    """The directory of a network with random weights."""
    directory = BENCH / name.replace(" ", "_").lower()
    if not (directory / "saved_model.pb").exists():
        import keras

        keras.utils.set_random_seed(0)
        make = OWN.get(name) or (lambda keras: getattr(keras.applications, name)(weights=None))
        make(keras).export(str(directory), verbose=False)
    return directory


def networks(turns: int, quick: bool) -> Iterator[Row]:
    """CPU time of 50 gradients of each instance over that of the loop, at its best block size."""
    for name in QUICK if quick else BOUNDS:
        directory = exported(name)
        model = pellucid.load(directory, warn=lambda sentence: None).explainer.model
        (operand,) = model.operands
        key, shape = operand.name, operand.shape
        for count in COUNTS:
            # Coarse noise, as a photo is smooth, where it is a picture.
            generator, size = np.random.default_rng(count), (count, *shape)
            x = generator.uniform(size=size).astype(np.float32)
            if len(shape) > 2:
                coarse = generator.uniform(size=(count, 16, 16, shape[-1])).astype(np.float32)
                x = coarse.repeat(-(-shape[0] // 16), 1).repeat(-(-shape[1] // 16), 2)
                x = x[:, : shape[0], : shape[1]]
            target = model.outputs({key: x}).argmax(1)
            start = [{key: np.zeros((1, *shape), np.float32)}]

            def ours(model: Any = model, key: str = key, *asked: Any) -> Any:
                return integrated_gradients(model, {key: asked[0]}, *asked[1:]).values[key]

            asked = (x, start, target)
            loop = hand_written(directory, x, target)
            cases = {
                "ours": in_process(lambda f=ours, m=model, k=key, a=asked: f(m, k, *a)),  # type: ignore[misc]
                "hand-written loop": in_process(loop),
            }
            measured = interleaved(cases, turns)
            found, other = ours(model, key, *asked), loop()
            off = np.abs(found - other).max() / np.abs(other).max()
            note = f"largest difference {off:.1g} of the largest"
            what = f"IG {name} {count}×50"
            yield compared(what, "hand-written loop", measured, note, BOUNDS[name])
