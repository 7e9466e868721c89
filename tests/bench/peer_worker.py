"""Integrated gradients by another library, in its own environment.

Started by peers.py with: library, model directory, file with the rows, file for the attributions.
Runs once, says ``ready``, and then, for each line on stdin, runs again and prints what it used.
Each library runs with its own defaults, except for the 50 steps and its sums over colours.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf


class Saved(tf.keras.layers.Layer):  # type: ignore[misc]
    """A signature of a SavedModel as a layer."""

    def __init__(self, model_dir: str) -> None:
        super().__init__()
        self.loaded = tf.saved_model.load(model_dir)
        self.network = self.loaded.signatures["serving_default"]
        (self.key,) = self.network.structured_input_signature[1]
        (self.output_key,) = self.network.structured_outputs

    def call(self, x: Any) -> Any:
        """Run the signature."""
        return self.network(**{self.key: x})[self.output_key]


def main() -> None:
    """Serve one library."""
    library, model_dir, rows, result = sys.argv[1:]
    data = np.load(rows)
    x, target = data["x"], data["target"]
    point = tf.keras.Input(x.shape[1:])
    model = tf.keras.Model(point, Saved(model_dir)(point))
    if library == "xplique":
        from xplique.attributions import IntegratedGradients

        explainer = IntegratedGradients(model, steps=50, reducer=None)
        wanted = np.eye(model.output_shape[-1], dtype=np.float32)[target]

        def explain() -> Any:
            return np.asarray(explainer.explain(x, wanted))
    else:
        from alibi.explainers import IntegratedGradients

        explainer = IntegratedGradients(model, n_steps=50)

        def explain() -> Any:
            return explainer.explain(x, baselines=np.zeros_like(x), target=target).attributions[0]

    np.save(result, explain())
    print(f"ready {tf.__version__}", flush=True)
    for _ in sys.stdin:
        before, start = time.process_time(), time.perf_counter()
        explain()
        used = time.process_time() - before, time.perf_counter() - start
        print(json.dumps(used), flush=True)


if __name__ == "__main__":
    main()
