"""Instances that candidates are judged on: a picture of the small network, and columns that add up."""

from __future__ import annotations

import numpy as np
from small_network import SIZE, network, slopes

from pellucid.evaluate import Picture, subject_of
from pellucid.model import FunctionModel

PICTURE = Picture(feature="image", size=(SIZE, SIZE), channels=2)


def of_picture(image, target, number=0, seed=0):
    model = FunctionModel(
        lambda x: network(x["image"]),
        lambda x, t: {"image": slopes(x["image"], t)},
        frozenset({"image"}),
    )
    zero = {"image": np.zeros((1, SIZE, SIZE, 3), np.float32)}
    return subject_of(
        model, {"image": image[None]}, zero, target, number=number, picture=PICTURE, seed=seed
    )


def of_columns(row, weights, baseline=None, **named):
    model = FunctionModel(
        lambda x: (x["x"] @ np.asarray(weights, float))[:, None], lambda x, t: {}, frozenset()
    )
    x = {"x": np.asarray([row], float)}
    start = {"x": np.zeros((1, len(row))) if baseline is None else np.asarray([baseline], float)}
    return subject_of(model, x, start, 0, **named)
