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


def removed(count=30):
    """Random squares that are taken away, bool [count, h, w]."""
    generator = np.random.default_rng(10)
    found = np.zeros((count, SIZE, SIZE), bool)
    for mask in found:
        top, left = generator.integers(0, SIZE - 2, 2)
        side = generator.integers(1, 7)
        mask[top : top + side, left : left + side] = True
    return found


def gray_pictures(count=20):
    """Gray pictures of strong contrast, [count, h, w]."""
    return ((pictures(count).mean(axis=-1) - 0.5) * 6).astype(np.float32)


def moves(count=10):
    """Small steps of a picture, [count, h, w, 3]."""
    return np.random.default_rng(11).uniform(-0.02, 0.02, (count, SIZE, SIZE, 3))


def smooth_picture(side=48):
    """A picture of a few waves, uint8 [side, side, 3], with a map of it, [side, side]."""
    down, across = np.indices((side, side)) / side
    waves = [np.sin(7 * down + 3 * k) * np.cos(5 * across * (k + 1)) for k in range(3)]
    picture = np.rint((np.stack(waves, axis=-1) + 1) * 127.5).astype(np.uint8)
    return picture, np.random.default_rng(12).normal(size=(side, side)) - np.hypot(down, across)


def sharpness(rows):
    """A score of pictures uint8 [n, h, w, 3] that anybody can compute, and that a blur lowers."""
    steps = np.abs(np.diff(np.asarray(rows, np.float64)[:, 12:36, 12:36], axis=2)).mean(axis=(1, 2))
    return np.tanh(steps @ np.array([1.0, 0.5, 0.25]) / 20)


def seen_pixels(side=48):
    """The pixels that the blurred picture is made of."""
    mask = np.zeros(side * side, bool)
    mask[np.random.default_rng(13).choice(side * side, side * side // 100, replace=False)] = True
    return mask.reshape(side, side)
