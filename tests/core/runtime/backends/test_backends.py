"""Each backend alone answers all three questions as the definition in `pellucid.model` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_functions
import zoo_keras
import zoo_shapes
import zoo_text
import zoo_tf1
from zoo import Sample, normal

import pellucid
from pellucid.errors import ModelError
from pellucid.model import FunctionModel
from pellucid.runtime import model as tensorflow_model
from pellucid.runtime.backends.flat_graph import FlatGraphBackend
from pellucid.runtime.backends.function import FunctionBackend
from pellucid.runtime.backends.v1_loader import V1LoaderBackend
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.effects import random_ops
from pellucid.runtime.model import TensorFlowModel

assert all((zoo_functions, zoo_keras, zoo_shapes, zoo_text, zoo_tf1))  # they fill the zoo
Built = Callable[[str], tuple[Path, Sample]]

# Through the functions of TensorFlow 2, the loader has no gradient.
BOTH = (FlatGraphBackend, FunctionBackend)
ALL = (*BOTH, V1LoaderBackend)
CARRIED = {
    "module": BOTH,
    "nested_calls": BOTH,
    "conditional": BOTH,
    "while_over_input": BOTH,
    "straight_through": BOTH,
    "several_inputs": BOTH,
    "free_height_and_width": BOTH,
    "unknown_rank": BOTH,
    "no_batch_axis": BOTH,
    "scalar_to_scalar": BOTH,
    "fixed_batch_of_four": BOTH,
    "keras_lstm": BOTH,
    "counter": BOTH,
    "keras_with_optimizer": BOTH,
    "gradient_in_loop": (FunctionBackend,),
    "simple_save": ALL,
    "resource_variables": ALL,
    "partitioned_variables": ALL,
    "switch_and_merge": ALL,
    "direct_function_calls": ALL,
    "reference_output": ALL,
    "keep_probability": ALL,
    "input_is_output": ALL,
    "loop_in_frames": (V1LoaderBackend,),
}
PAIRS = [(name, backend) for name, backends in CARRIED.items() for backend in backends]


@pytest.fixture
def on_backend(monkeypatch: pytest.MonkeyPatch, built: Built) -> Callable[..., tuple[Any, Sample]]:
    def load(name: str, backend: type) -> tuple[Any, Sample]:
        monkeypatch.setattr(tensorflow_model, "BACKENDS", (backend,))
        directory, sample = built(name)
        loaded = pellucid.load(
            directory, parallel_batches=2, warn=lambda sentence: None, **sample.options
        )
        return loaded.explainer.model, sample

    return load


def definition(
    sample: Sample, types: dict[str, Any], explained: frozenset[str], shared: set[str]
) -> FunctionModel:
    """The plain function of a sample as a `FunctionModel`."""
    assert sample.function is not None

    def tensors(x: Any) -> dict[str, Any]:
        return {
            name.removesuffix(" (held)"): tf.constant(v[0] if name in shared else v, types[name])
            for name, v in x.items()
        }

    def outputs(rows: dict[str, Any]) -> Any:
        output = tf.convert_to_tensor(sample.function(**rows))  # type: ignore[misc]
        return tf.reshape(output, [tf.shape(output)[0], -1])

    def gradient(x: Any, target: Any) -> dict[str, Any]:
        rows = tensors(x)
        with tf.GradientTape() as tape:
            points = {name: rows[name] for name in explained}
            tape.watch(points)
            score = tf.gather(outputs(rows), target, batch_dims=1)
        slopes = tape.gradient(score, points, unconnected_gradients="zero")
        return {name: tf.convert_to_tensor(slope).numpy() for name, slope in slopes.items()}

    return FunctionModel(lambda x: outputs(tensors(x)).numpy(), gradient, explained)


@pytest.mark.parametrize(("name", "backend"), PAIRS, ids=lambda it: getattr(it, "__name__", it))
def test_a_road_answers_as_the_definition(name: str, backend: type, on_backend: Any) -> None:
    model, sample = on_backend(name, backend)
    x = model.encode(sample.x)
    floats = frozenset(o.name for o in model.operands if o.real)
    shared = {o.name for o in model.operands if o.shared}
    types = {o.name: o.dtype for o in model.operands}
    truth = definition(sample, types, floats, shared)
    n, rng = len(next(iter(x.values()))), np.random.default_rng(5)
    close = {"rtol": 1e-4, "atol": 1e-5}
    k = truth.outputs(x).shape[1]
    np.testing.assert_allclose(model.outputs(x), truth.outputs(x), **close)
    assert model.differentiable == floats
    start = {name: (x[name] * 0.25).astype(x[name].dtype) for name in floats}
    target = rng.integers(0, k, n)
    nodes, weights = rng.random((n, 6)), rng.normal(size=(n, 6))
    got = model.path_gradient(start, x, nodes, weights, target)
    want = truth.path_gradient({**x, **start}, x, nodes, weights, target)
    assert got.keys() == want.keys() == floats
    for key in want:
        np.testing.assert_allclose(got[key], want[key], **close)
    # Two targets for each instance, the rows of which go forward together.
    ends, begin = ({key: np.repeat(it, 2, axis=0) for key, it in row.items()} for row in (x, start))
    both = (np.repeat(target, 2) + np.tile([0, 1], n)) % k
    got = model.path_gradient(begin, ends, nodes[0], weights[0], both)
    want = truth.path_gradient({**ends, **begin}, ends, nodes[0], weights[0], both)
    for key in want:
        np.testing.assert_allclose(got[key], want[key], **close)
    masks = {key: rng.random((5, *x[key].shape[1:])) < 0.5 for key in sorted(floats)}
    baseline = {o.name: x[o.name] * 0 for o in model.operands if o.explained and not o.shared}
    baseline |= {o.name: x[o.name] for o in model.operands if o.explained and o.shared}
    got = model.coalition_scores(x, baseline, masks, target)
    np.testing.assert_allclose(got, truth.coalition_scores(x, baseline, masks, target), **close)
    assert model.backend == backend.__name__
    assert set(model.traces.values()) == {1}


@pytest.mark.parametrize(
    ("name", "backend", "reason"),
    [
        (
            "while_loop",
            V1LoaderBackend,
            "a gradient through the function call 'StatefulPartitionedCall'",
        ),
        (
            "embedding_in_function",
            FunctionBackend,
            "this backend reaches only the signature's own inputs",
        ),
        ("loop_in_frames", FlatGraphBackend, "the graph has the loop frames of TensorFlow 1"),
        (
            "gradient_in_loop",
            FlatGraphBackend,
            "a gradient that was saved with the model is inside a",
        ),
        ("examples", FunctionBackend, "Unable to lift tensor"),
    ],
)
def test_what_a_road_does_not_carry_it_refuses(
    name: str, backend: type, reason: str, on_backend: Any, built: Built
) -> None:
    directory, _ = built(name)
    with pytest.raises(ModelError) as stop:
        _ = on_backend(name, backend)[0].differentiable
    text = str(stop.value)
    assert text.startswith(f"{directory}: ")
    assert reason in text and "\n" not in text


def test_a_scalar_for_the_whole_batch_must_be_one(built: Built) -> None:
    directory, _ = built("keep_probability")
    loaded = pellucid.load(directory, warn=lambda sentence: None)
    with pytest.raises(pellucid.InstanceError) as stop:
        loaded.explain({"x": normal(2, 4), "keep_prob": np.array([1.0, 0.5])})
    assert str(stop.value) == (
        "input 'keep_prob' is one value for a whole batch, and the instances differ in it; explain "
        "them one by one"
    )


@pytest.mark.parametrize(
    "name",
    [
        "uint8_input",
        "float_ids",
        "bucketized",
        "static_table",
        "mutable_table",
        "keras_text_vectorization",
        "image_bytes",
        "base64_text",
        "examples_in_a_function",
        "table_from_asset",
        "examples",
        "loop_before_the_tensor",
        "sparse_triplet",
    ],
)
def test_coalitions_of_a_request_of_any_type(name: str, built: Built) -> None:
    """What has no gradient can be masked: strings, integers, bytes, words that are looked up."""
    directory, sample = built(name)
    spec = pellucid.load(directory, warn=lambda sentence: None).explainer.model.compile_spec
    model = TensorFlowModel(replace(spec, explained=dict(spec.request)))
    x = model.encode(sample.x)
    other = {key: value[::-1] for key, value in x.items()}
    masks = {
        key: np.array([True, False]).reshape((2,) + (1,) * (value.ndim - 1))
        for key, value in x.items()
    }
    target = np.zeros(len(next(iter(x.values()))), np.int64)
    wanted = np.stack([model.outputs(x)[:, 0], model.outputs(other)[:, 0]], 1)
    got = model.coalition_scores(x, other, masks, target)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)
    assert model.traces["coalition_scores"] == 1


def test_what_draws_random_numbers() -> None:
    assert random_ops({"MatMul", "RandomUniform", "Multinomial", "RandomDataset"}) == (
        "Multinomial",
        "RandomUniform",
    )
    assert random_ops({"StatelessRandomNormalV2", "StatelessRandomGetKeyCounter"}) == ()
    assert random_ops({"StatelessRandomNormalV2", "AssignAddVariableOp"}) == (
        "StatelessRandomNormalV2",
    )
