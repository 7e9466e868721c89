"""A network that numpy, Keras and PyTorch compute alike, with pictures of it and maps of these."""

from __future__ import annotations

import numpy as np

SIZE, CLASSES, HIDDEN = 12, 4, 16


def weights():
    generator = np.random.default_rng(7)
    first = generator.normal(0, 0.12, (SIZE * SIZE * 3, HIDDEN))
    return first, generator.normal(0, 0.1, HIDDEN), generator.normal(0, 0.9, (HIDDEN, CLASSES))


def pictures(count=5):
    return np.random.default_rng(8).random((count, SIZE, SIZE, 3)).astype(np.float32)


def maps(x):
    """Two maps for each picture, [n, h, w], without equal values: the gradient's, and noise."""
    first, _, second = weights()
    slope = (first @ second[:, 0]).reshape(SIZE, SIZE, 3)
    noise = np.random.default_rng(9).normal(size=(len(x), SIZE, SIZE))
    return {"slope": (x * slope).sum(axis=-1), "noise": noise}


def network(rows):
    """All outputs [n, k] of pictures [n, h, w, 3]."""
    first, bias, second = weights()
    hidden = np.tanh(np.asarray(rows, np.float64).reshape(len(rows), -1) @ first + bias)
    powers = np.exp(hidden @ second)
    return powers / powers.sum(axis=1, keepdims=True)


def slopes(rows, target):
    """The gradient of the chosen outputs [n] by pictures, [n, h, w, 3]."""
    first, bias, second = weights()
    hidden = np.tanh(np.asarray(rows, np.float64).reshape(len(rows), -1) @ first + bias)
    out = network(rows)
    one = np.eye(CLASSES)[target]
    at_out = out[np.arange(len(out)), target][:, None] * (one - out)
    at_hidden = (at_out @ second.T) * (1 - hidden**2)
    return (at_hidden @ first.T).reshape(np.shape(rows))
