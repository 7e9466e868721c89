"""Models of encoded inputs, and what is right of them: by a tape, and by all subsets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
from zoo import Net, export, metadata, normal

import pellucid
from pellucid.runtime.engine.tensorflow import tf

NET = Net()
TABLE = normal(7, 4)
WORDS = np.array([[5, 2, 1], [0, 6, 2]])
NAMES = ["a", "b", "c", "d"]
SHAPLEY, GRADIENTS = "sampled-shapley", "integrated-gradients"


def save(
    directory: Path,
    serve: Callable[..., Any],
    inputs: Mapping[str, Any],
    *tracked: Any,
    **specs: tf.TensorSpec,
) -> Path:
    export(directory, serve, [NET, *tracked], **specs)
    (directory / "explanation_metadata.json").write_text(json.dumps(metadata(inputs, "out")))
    return directory


def explained(directory: Path, instances: Any, method: str, target: int = 1) -> list[Any]:
    model = pellucid.load(directory, method=method, warn=lambda _: None)
    found = model.explain(instances, output_indices=[target])
    return [one.labels[0] for one in found]


def path_integral(function: Callable[[Any], Any], stop: np.ndarray, start: Any = 0.0) -> np.ndarray:
    """Integrated gradients of output 1 of one point, by a tape at 24 Gaussian nodes."""
    stop = np.asarray(stop, np.float32)
    step = stop - np.float32(start)
    total = np.zeros(stop.shape)
    for node, weight in zip(*np.polynomial.legendre.leggauss(24), strict=True):
        point = tf.constant((start + (node + 1) / 2 * step).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(point)
            score = tf.reshape(function(point), [-1])[1]
        total += np.asarray(tape.gradient(score, point), np.float64) * weight / 2
    return np.asarray(total * step)


def shapley(score: Callable[[np.ndarray], float], players: int) -> np.ndarray:
    """Shapley values by the definition, over all subsets."""
    values = np.zeros(players)
    for i in range(players):
        others = [k for k in range(players) if k != i]
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for subset in combinations(others, size):
                mask = np.isin(np.arange(players), subset)
                values[i] += weight * (score(mask | (np.arange(players) == i)) - score(mask))
    return values


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-5)
