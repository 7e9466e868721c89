"""XRAI, LIME and Shapley values by the packages that are known for them, in their own environment.

Started by peers.py with: package, model directory, file with the rows, file for the answer. Runs
once, says ``ready``, and then, for each line on stdin, runs again and prints what it used.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np


def saliency(model_dir: str, data: Any) -> Callable[[], Any]:
    """XRAI after the gradients: heat maps [n, h, w] of given attributions."""
    from saliency.core import xrai

    parameters = xrai.XRAIParameters()

    def explain() -> Any:
        return np.stack(
            [
                xrai.XRAI()
                .GetMaskWithDetails(
                    image, None, base_attribution=values, extra_parameters=parameters
                )
                .attribution_mask
                for image, values in zip(data["x"], data["target"], strict=True)
            ]
        )

    return explain


def lime(model_dir: str, data: Any) -> Callable[[], Any]:
    """Coefficients [p] of one picture's best label, from given patches; `target` are these."""
    from lime.lime_image import LimeImageExplainer

    function, patches = network(model_dir), data["target"]

    def explain() -> Any:
        explainer = LimeImageExplainer(random_state=np.random.RandomState([0, 0]))
        found = explainer.explain_instance(
            data["x"][0].astype(np.double),
            lambda pictures: function(np.asarray(pictures, np.float32)),
            top_labels=1,
            hide_color=0,
            num_samples=1000,
            batch_size=64,
            segmentation_fn=lambda picture: patches,
            random_seed=0,  # or it takes the first number of the stream
        )
        pairs = dict(found.local_exp[found.top_labels[0]])
        return np.array([pairs[k] for k in range(len(pairs))])

    return explain


def shap(model_dir: str, data: Any) -> Callable[[], Any]:
    """Shapley values [n, p] of rows by its permutation explainer; `target` is (pairs of paths,)."""
    import shap as package

    function, x = network(model_dir), data["x"]
    pairs = int(data["target"][0])

    def explain() -> Any:
        masker = package.maskers.Independent(np.zeros((1, x.shape[1])))
        explainer = package.explainers.Permutation(
            lambda rows: function(np.asarray(rows, np.float32)).reshape(len(rows)), masker, seed=0
        )
        return explainer(x, max_evals=2 * pairs * (x.shape[1] + 1), silent=True).values

    return explain


def network(model_dir: str) -> Callable[[Any], Any]:
    """A signature of one input and one output as a function of arrays."""
    import tensorflow as tf

    loaded = tf.saved_model.load(model_dir)
    call = loaded.signatures["serving_default"]
    (key,) = call.structured_input_signature[1]
    (output,) = call.structured_outputs
    call(**{key: tf.zeros([1, *call.structured_input_signature[1][key].shape[1:]])})
    function = lambda x: call(**{key: tf.constant(x)})[output].numpy()  # noqa: E731
    function.loaded = loaded  # type: ignore[attr-defined]  # or its variables go
    return function


def main() -> None:
    """Serve one package."""
    package, model_dir, rows, result = sys.argv[1:]
    data = np.load(rows)
    explain = {"saliency": saliency, "lime": lime, "shap": shap}[package](model_dir, data)
    np.save(result, explain())
    print("ready –", flush=True)
    for _ in sys.stdin:
        before, start = time.process_time(), time.perf_counter()
        explain()
        used = time.process_time() - before, time.perf_counter() - start
        print(json.dumps(used), flush=True)


if __name__ == "__main__":
    main()
