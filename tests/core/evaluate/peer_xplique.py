"""Makes the reference values of deletion and insertion with xplique, in a venv of its own:

    python -m venv /tmp/v && /tmp/v/bin/pip install tensorflow-cpu xplique
    /tmp/v/bin/python tests/core/evaluate/peer_xplique.py > tests/core/evaluate/xplique.json

The network, the pictures and the maps are those of `tests/core/small_network.py`, which needs numpy alone.
Made with xplique 2.0.2 and TensorFlow 2.20.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from xplique.metrics import Deletion, Insertion

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_network import CLASSES, SIZE, maps, pictures, weights

first, bias, second = (tf.constant(it, tf.float32) for it in weights())
image = tf.keras.Input((SIZE, SIZE, 3))
flat = tf.keras.layers.Flatten()(image)
hidden = tf.keras.layers.Lambda(lambda it: tf.tanh(it @ first + bias))(flat)
out = tf.keras.layers.Lambda(lambda it: tf.nn.softmax(it @ second))(hidden)
model = tf.keras.Model(image, out)

x = pictures().astype(np.float32)
target = np.argmax(model(x).numpy(), axis=1)
labels = np.eye(CLASSES, dtype=np.float32)[target]
found: dict[str, object] = {"target": target.tolist()}
for name, ranking in maps(x).items():
    for kind, metric in (("deletion", Deletion), ("insertion", Insertion)):
        # One picture at a time: xplique gives the mean over all of them.
        found[f"{kind}/{name}"] = [
            float(metric(model, x[i : i + 1], labels[i : i + 1], steps=20)(ranking[i : i + 1]))
            for i in range(len(x))
        ]
json.dump(found, sys.stdout, indent=1)
