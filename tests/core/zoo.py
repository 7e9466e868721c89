"""Models of every export style, each a few lines, with what an explanation of them must be.

A builder writes a SavedModel into an empty directory and returns a `Sample`: a request, and the
same computation as a plain function of TensorFlow, from which `expected` takes integrated
gradients with a tape, independently of the program.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.runtime.engine.tensorflow import tf

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A model in a directory, and what is known about it.

    `x` is the request, [n, …]; `function` maps the explained tensors and the held inputs, batch
    first, to the explained output; `points` are explained tensors that lie behind the request.
    `baselines` are other than 0 where they are named; `refusal` is the sentence (its beginning) of
    a model that integrated gradients cannot explain.
    """

    x: Arrays
    function: Callable[..., Any] | None = None
    points: Arrays = field(default_factory=dict)
    metadata: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    backend: str = "FlatGraphBackend"
    refusal: str | None = None
    zero: Sequence[str] = ()
    rtol: float = 1e-4
    one_by_one: bool = False
    complete: float = 1e-3
    shared: Sequence[str] = ()


Builder = Callable[[Path], Sample]
ZOO: dict[str, Builder] = {}


def model(builder: Builder) -> Builder:
    """Put a builder on the list."""
    ZOO[builder.__name__] = builder
    return builder


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


class Net(tf.Module):
    """A small smooth network, [n, k] → probabilities [n, 3]."""

    def __init__(self, k: int = 4, dtype: Any = tf.float32) -> None:
        super().__init__()
        self.w = tf.Variable(normal(k, 5), dtype=dtype)
        self.b = tf.Variable(normal(5), dtype=dtype)
        self.v = tf.Variable(normal(5, 3), dtype=dtype)

    def __call__(self, x: Any) -> Any:
        return tf.nn.softmax(tf.tanh(x @ self.w + self.b) @ self.v)


def float_rows(*shape: int | None, dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], dtype)


def export(
    directory: Path,
    function: Callable[..., Any],
    tracked: Any = None,
    options: tf.saved_model.SaveOptions | None = None,
    jit_compile: bool | None = None,
    **specs: tf.TensorSpec,
) -> None:
    """Save `function` of the named tensors as the signature ``serving_default``."""
    module = tf.Module()
    module.tracked = tracked
    named = {k: tf.TensorSpec(s.shape, s.dtype, name=k) for k, s in specs.items()}
    concrete = tf.function(function, jit_compile=jit_compile).get_concrete_function(**named)
    tf.saved_model.save(module, str(directory), signatures=concrete, options=options)


def metadata(inputs: Mapping[str, Mapping[str, Any]], output: str, **others: Any) -> dict[str, Any]:
    return {
        "inputs": {name: dict(value) for name, value in inputs.items()},
        "outputs": {"out": {"output_tensor_name": output}},
        "framework": "tensorflow",
        **others,
    }


def build(builder: Builder, directory: Path) -> Sample:
    """Write the model, and its metadata where it has some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorFlow and Keras, which write it
        sample = builder(directory)
    if sample.metadata is not None:
        text = json.dumps(sample.metadata)
        (directory / "explanation_metadata.json").write_text(text, "utf-8")
    return sample


def expected(
    sample: Sample, target: Sequence[int], explained: Sequence[str], nodes: int = 50
) -> dict[str, np.ndarray]:
    """Return integrated gradients from 0, by a tape over the plain function."""
    assert sample.function is not None
    positions, weights = np.polynomial.legendre.leggauss(nodes)
    positions, weights = (positions + 1) / 2, weights / 2
    values = {**sample.x, **sample.points}
    answer: dict[str, list[np.ndarray]] = {name: [] for name in explained}
    for i, index in enumerate(target):
        total = {name: np.zeros(values[name][i].shape) for name in explained}
        chunks = np.arange(nodes)[:, None] if sample.one_by_one else np.arange(nodes)[None]
        for chunk in chunks:
            rows = {}
            for name, value in values.items():
                row = np.stack([value[i]] * len(chunk))
                if name in explained:
                    a = positions[chunk].reshape((-1,) + (1,) * (row.ndim - 1))
                    row = (row * a).astype(value.dtype)
                rows[name] = tf.constant(row[0] if name in sample.shared else row)
            with tf.GradientTape() as tape:
                points = {name: rows[name] for name in explained}
                tape.watch(points)
                output = sample.function(**rows)
                score = tf.reshape(output, [len(chunk), -1])[:, index]
            slopes = tape.gradient(score, points, unconnected_gradients="zero")
            for name in explained:
                slope = tf.convert_to_tensor(slopes[name])
                slope = np.asarray(tf.cast(slope, tf.float64))
                total[name] += np.tensordot(weights[chunk], slope, 1)
        for name in explained:
            answer[name].append(total[name] * values[name][i].astype(np.float64))
    return {name: np.stack(rows) for name, rows in answer.items()}
