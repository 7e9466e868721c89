"""Models of 16 x 16 pictures that answer what they were fed, so that a test can tell."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pellucid.runtime.engine.tensorflow import tf

SIDE = 16
CAFFE = np.float32([103.939, 116.779, 123.68])


def picture(seed: int = 0) -> np.ndarray:
    """A picture whose halves differ, and whose channels do, uint8 [16, 16, 3]."""
    pixels = np.random.default_rng(seed).integers(0, 60, (SIDE, SIDE, 3))
    pixels[:, : SIDE // 2] += np.array([180, 90, 20])
    return pixels.astype(np.uint8)


def png(seed: int = 0) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture(seed)).save(out, "PNG")
    return out.getvalue()


def means(x: Any) -> Any:
    """The mean of each channel of the left half: what was fed can be read from it."""
    return tf.reduce_mean(x[:, :, : SIDE // 2], (1, 2))


def to_last(x: Any) -> Any:
    return tf.transpose(x, [0, 2, 3, 1])


LAST, FIRST = (None, SIDE, SIDE, 3), (None, 3, SIDE, SIDE)
MODELS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "rescaled": (LAST, lambda x: means(tf.multiply(x, 1 / 255, name="scale"))),
    "caffe": (LAST, lambda x: means(tf.subtract(x, CAFFE, name="centre"))),
    "plain": (LAST, means),
    "plain_first": (FIRST, lambda x: means(to_last(x))),
    "signed_first": (FIRST, lambda x: means(to_last(x / 127.5 - 1))),
    # Classes that pixels of 0..255 tell apart; at 0..1 all pictures are the same to it.
    "trained_on_bytes": (LAST, lambda x: tf.nn.softmax(means(x) / 20)),
}


def build(directory: Path, name: str) -> Path:
    shape, function = MODELS[name]
    module = tf.Module()
    spec = tf.TensorSpec(shape, tf.float32, name="image")
    module.serve = tf.function(lambda image: {"y": function(image)}, input_signature=[spec])
    tf.saved_model.save(module, str(directory / name), signatures=module.serve)
    return directory / name
