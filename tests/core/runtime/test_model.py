"""Every export style: what the compiled model says is what the model's own code says."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_functions
import zoo_keras
import zoo_loops
import zoo_shapes
import zoo_text
import zoo_tf1
from zoo import ZOO, Net, Sample, expected, export, float_rows, metadata, normal

import pellucid
from pellucid.errors import (
    InstanceError,
    ModelError,
    NotDifferentiableError,
    OutOfMemoryError,
)
from pellucid.notices import Message
from pellucid.runtime.backends import flat_graph as flat_graph_backend
from pellucid.runtime.backends.devices import session_config
from pellucid.runtime.engine import failures as tensorflow_errors
from pellucid.runtime.engine.row_batches import RowBatches
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model.batch_axis import Batch, batch_of

assert all(
    (zoo_functions, zoo_keras, zoo_loops, zoo_shapes, zoo_text, zoo_tf1)
)  # they fill the zoo
Built = Callable[[str], tuple[Path, Sample]]


def load(directory: Path, **options: Any) -> Any:
    """Load a model as the commands do, to be computed by several threads."""
    return pellucid.load(
        directory, **{"parallel_batches": 2, "warn": lambda sentence: None} | options
    )


def targets(explanations: Any) -> list[int]:
    return [
        int(np.ravel_multi_index(e.labels[0].index, np.shape(e.prediction) or (1,)))
        if e.labels[0].index
        else 0
        for e in explanations
    ]


@pytest.mark.parametrize("name", sorted(ZOO))
def test_every_style_is_explained_or_refused_with_the_true_reason(name: str, built: Built) -> None:
    directory, sample = built(name)
    if sample.refusal is not None:
        with pytest.raises(ModelError) as stop:
            load(directory, **sample.options).explain(sample.x)
        assert str(stop.value).startswith(sample.refusal)
        assert "\n" not in str(stop.value)
        return
    loaded = load(directory, **sample.options)
    explanations = loaded.explain(sample.x)
    explained = sorted(explanations[0].labels[0].values)
    assert sample.function is not None
    # Ids and words are explained at their embeddings, which test_texts_at_embeddings has a tape for.
    held = {key for key, value in sample.x.items() if np.asarray(value).dtype.kind != "f"}
    taped = not held.difference(sample.points or ()).intersection(explained)
    truth = expected(sample, targets(explanations), explained) if taped else {}
    for key in explained if taped else ():
        got = np.stack([e.labels[0].values[key] for e in explanations])
        if key in sample.zero:
            assert not got.any()
        else:
            assert truth[key].any()
            np.testing.assert_allclose(got, truth[key], 0, sample.rtol * np.abs(truth[key]).max())
    for explanation in explanations:
        label = explanation.labels[0]
        assert label.approx_error is not None and label.approx_error <= sample.complete
    model = loaded.explainer.model
    assert model.backend == sample.backend
    assert set(model.traces.values()) == {1}


@pytest.mark.parametrize("kind", sorted(zoo_keras.DRAWS))
def test_a_model_that_draws_is_found_out(kind: str, tmp_path: Path) -> None:
    zoo_keras.drawing(tmp_path, kind)
    heard: list[Message] = []
    loaded = pellucid.load(tmp_path, warn=heard.append)
    (explanation,) = loaded.explain(zoo_keras.ROW[:1])
    operation = zoo_keras.DRAWS[kind]
    assert operation in loaded.explainer.model.random_ops
    assert explanation.warnings[0].what.startswith("the model answers differently each time (")
    assert operation in explanation.warnings[0].what


def test_a_draw_of_a_constant_seed_is_no_draw(tmp_path: Path) -> None:
    zoo_keras.drawing(tmp_path, "constant seed")
    heard: list[Message] = []
    loaded = pellucid.load(tmp_path, warn=heard.append)
    first, again = (loaded.explain(zoo_keras.ROW[:1])[0] for _ in range(2))
    assert loaded.explainer.model.random_ops == ()
    np.testing.assert_array_equal(first.labels[0].values["x"], again.labels[0].values["x"])
    assert not any("answers differently" in str(it) for it in heard)


def test_one_trace_and_no_new_operations_whatever_the_rows(built: Built) -> None:
    directory, _ = built("keras_dense")
    model = load(directory).explainer.model
    counts = []
    for n in (1, 7, 1000):
        x = {"x": normal(n, 4)}
        model.outputs(x)
        model.path_gradient({"x": x["x"] * 0}, x, np.ones(3) / 2, np.ones(3), np.zeros(n, int))
        model.coalition_scores(x, {"x": x["x"] * 0}, {"x": np.eye(4) > 0}, np.zeros(n, int))
        counts.append(len(model._backend.graph.get_operations()))
    assert model.traces == {"outputs": 1, "path_gradient": 1, "coalition_scores": 1}
    assert len(set(counts)) == 1


@pytest.mark.parametrize("name", ["keras_dense", "fixed_batch_of_four", "no_batch_axis"])
def test_answers_do_not_depend_on_the_blocks(name: str, built: Built) -> None:
    directory, sample = built(name)
    model = load(directory).explainer.model
    x = {"x": np.concatenate([sample.x["x"]] * 3)}
    n = len(x["x"])
    start, target = {"x": x["x"] * 0 + 0.1}, np.arange(n) % 3
    nodes, weights = np.linspace(0, 1, 5), np.ones(5) / 5
    masks = {"x": np.random.default_rng(0).random((6, *x["x"].shape[1:])) < 0.5}
    answers = []
    for rows in (None, 1, 3, 4, 64):
        if rows is not None:
            model._rows.cut = RowBatches(rows, 1)
        outputs = model.outputs(x)
        gradient = model.path_gradient(start, x, nodes, weights, target)["x"]
        answers.append((outputs, gradient, model.coalition_scores(x, start, masks, target)))
    for cut in answers[1:]:
        for one, other in zip(answers[0], cut, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_outputs_of_the_signature_are_computed_beside_other_questions(built: Built) -> None:
    directory, sample = built("module")
    compiler = load(directory, parallel_batches=2).compiler
    first = compiler.signature_outputs(sample.x)
    with ThreadPoolExecutor(1) as beside, compiler.model(gradients=False)._turn:
        again = beside.submit(compiler.signature_outputs, sample.x).result(60)
    for name, value in first.items():
        np.testing.assert_array_equal(again[name], value)


def test_a_block_is_halved_until_it_fits(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, _ = built("module")
    x = {"x": normal(50, 4)}
    wanted = load(directory).explainer.model.outputs(x)
    model = load(directory).explainer.model
    asked = []
    outputs = model._backend.outputs

    def narrow(rows: Any) -> Any:
        asked.append(len(rows["x"]))
        if len(rows["x"]) > 3:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return outputs(rows)

    monkeypatch.setattr(model._backend, "outputs", narrow)
    # A kernel may add up other numbers of rows in another order.
    np.testing.assert_allclose(model.outputs(x), wanted, rtol=1e-5)
    assert asked[-1] <= 2 and max(asked[-25:]) == 2

    def none(rows: Any) -> Any:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(model._backend, "outputs", none)
    with pytest.raises(OutOfMemoryError) as stop:
        model.outputs(x)
    assert stop.value.what == "the device does not have enough memory for a single row"


# Bad data, bad models: one sentence each


def test_a_damaged_image_is_named_by_its_instance_and_costs_nothing_else(built: Built) -> None:
    directory, sample = built("image_bytes")
    loaded = load(directory)
    good = sample.x["image_bytes"].tolist()
    with pytest.raises(InstanceError) as stop:
        loaded.explain([good[0], b"\x89PNG is not enough", good[1]])
    assert stop.value.index == 1
    assert str(stop.value).startswith("instances[1]: the model cannot take this: ")
    assert "\n" not in str(stop.value)
    with pytest.raises(InstanceError, match=r"^instances\[0\]: the model cannot take this"):
        loaded.explain([b"no image"])
    assert len(loaded.explain(good)) == 2
    assert loaded.explainer.model.backend == "FlatGraphBackend"


def test_a_damaged_first_instance_does_not_cost_the_model_its_road(built: Built) -> None:
    directory, sample = built("image_bytes")
    loaded = load(directory)
    with pytest.raises(InstanceError, match=r"^instances\[0\]: the model cannot take this"):
        loaded.explain([b"no image"])
    assert len(loaded.explain(sample.x)) == 2
    assert loaded.explainer.model.backend == "FlatGraphBackend"


def test_a_baseline_that_the_model_refuses_is_not_blamed_on_the_instance(tmp_path: Path) -> None:
    module = tf.Module()

    def serve(x: Any) -> Any:
        checks = [tf.debugging.assert_positive(x, "a price is above 0")]
        with tf.control_dependencies(checks):
            return {"y": tf.reduce_sum(tf.math.log(x), 1)}

    spec = tf.TensorSpec([None, 3], name="x")
    call = tf.function(serve).get_concrete_function(x=spec)
    tf.saved_model.save(module, str(tmp_path), signatures=call)
    loaded = load(tmp_path)
    for method in ("integrated-gradients", "sampled-shapley"):
        with pytest.raises(InstanceError) as stop:
            loaded.explain(np.full((1, 3), 2, np.float32), method=method)
        assert str(stop.value).startswith(
            "instances[0]: the method puts a baseline in the place of parts of it, or goes from one "
            "to the other: the model cannot take this: "
        )
        assert "a price is above 0" in str(stop.value)


def pictures(directory: Path) -> None:
    """A model that decodes pictures before its network."""
    net, module = Net(3), tf.Module()

    def preprocess(photo: Any) -> Any:
        image = tf.map_fn(tf.io.decode_png, photo, fn_output_signature=tf.uint8)
        return {"x": tf.cast(tf.reshape(image, [-1, 3]), tf.float32) / 255}

    module.net = net
    strings, rows = tf.TensorSpec([None], tf.string, "photo"), tf.TensorSpec([None, 3], name="x")
    tf.saved_model.save(
        module,
        str(directory),
        signatures={
            "xai_preprocess": tf.function(preprocess).get_concrete_function(photo=strings),
            "xai_model": tf.function(net.__call__).get_concrete_function(x=rows),
        },
    )


def test_a_damaged_image_before_the_model_is_named_too(tmp_path: Path) -> None:
    pictures(tmp_path)
    loaded = load(tmp_path)
    pixel = [tf.io.encode_png(np.full((1, 1, 3), v, np.uint8)).numpy() for v in (50, 200)]
    assert len(loaded.explain(pixel)) == 2
    with pytest.raises(InstanceError, match=r"^instances\[2\]: the model cannot take this"):
        loaded.explain([*pixel, b"damaged"])
    with pytest.raises(InstanceError, match=r"^instances\[0\]: the model cannot take this"):
        loaded.explain([b"damaged"])


def test_the_network_decides_how_many_threads_an_operation_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path)
    threads: list[int] = []

    def noted(device: str, count: int) -> Any:
        threads.append(count)
        return session_config(device, count)

    monkeypatch.setattr(flat_graph_backend, "session_config", noted)
    # Rows so large that there is memory for one lane: its operations have all threads.
    monkeypatch.setattr(flat_graph_backend.FlatGraphBackend, "row_bytes", lambda backend: 2**30)
    load(tmp_path, parallel_batches=4)
    assert threads[0] == 4 and len(threads) == 2


def test_python_in_the_graph_is_refused(tmp_path: Path) -> None:
    def serve(x: Any) -> Any:
        return tf.ensure_shape(tf.py_function(lambda y: y * 2.0, [x], tf.float32), [None, 4])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(tmp_path, serve, x=float_rows(4))
    with pytest.raises(ModelError) as stop:
        load(tmp_path, allow_unsafe_ops=True)
    assert str(stop.value) == (
        "the model calls a Python function (tf.py_function or tf.numpy_function), which is not in "
        "the file; export it with TensorFlow operations in its place"
    )


def test_an_operation_that_is_only_in_a_loop_is_missed_too(tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    export(tmp_path, lambda x: tf.map_fn(tf.math.erfinv, x), x=float_rows(4))
    path = tmp_path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for function in saved.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            node.op = "MyErfinv" if node.op == "Erfinv" else node.op
    path.write_bytes(saved.SerializeToString())
    with pytest.raises(ModelError) as stop:
        load(tmp_path)
    assert str(stop.value) == (
        f"the model needs the operation 'MyErfinv', which TensorFlow {tf.__version__} does not "
        "have: it was written with an add-on or a custom operation, and cannot run without it"
    )


def test_a_module_without_signatures_is_refused(tmp_path: Path) -> None:
    module = tf.Module()
    module.f = tf.function(lambda x: x * 2.0)
    module.f(tf.ones([1]))
    tf.saved_model.save(module, str(tmp_path))
    with pytest.raises(ModelError, match=r"^the model has no signature, so its inputs and outputs"):
        load(tmp_path)


def test_an_operation_without_gradient_is_named(tmp_path: Path) -> None:
    def serve(x: Any) -> Any:
        squares = tf.linalg.diag(tf.sin(x)) + tf.eye(4)
        return tf.reshape(tf.raw_ops.Lu(input=squares)[0], [-1, 16])

    export(tmp_path, serve, x=float_rows(4))
    with pytest.raises(NotDifferentiableError) as stop:
        load(tmp_path).explain(zoo_keras.ROW)
    assert str(stop.value) == (
        "TensorFlow has no gradient for operation 'PartitionedCall/PartitionedCall/Lu' (Lu), which "
        "is between the explained inputs and the output; use method='sampled-shapley', or "
        "draft_metadata(for_method='integrated-gradients'), which writes metadata with what lies "
        "behind them: 'PartitionedCall/PartitionedCall/Lu:0'"
    )


def test_an_output_without_the_batch_axis_is_refused(tmp_path: Path) -> None:
    export(tmp_path, lambda x: tf.reduce_mean(x), x=float_rows(4))
    with pytest.raises(ModelError) as stop:
        load(tmp_path).explain(zoo_keras.ROW)
    assert str(stop.value) == (
        "the output 'PartitionedCall:0' has shape [] for 2 instances: its first axis is not the "
        "batch"
    )


def test_an_explained_tensor_without_the_batch_axis_is_refused(tmp_path: Path) -> None:
    net = Net()

    def serve(x: Any, n: Any) -> Any:
        ragged = tf.RaggedTensor.from_tensor(x, lengths=n)
        flat = tf.identity(ragged.flat_values, "flat")
        return net(tf.reduce_sum(ragged.with_flat_values(flat), 1))

    export(tmp_path, serve, net, x=float_rows(5, 4), n=float_rows(dtype=tf.int32))
    text = metadata({"f": {"input_tensor_name": "flat"}}, "output_0")
    (tmp_path / "explanation_metadata.json").write_text(str(text).replace("'", '"'), "utf-8")
    with pytest.raises(ModelError) as stop:
        load(tmp_path).explain({"x": normal(2, 5, 4), "n": np.array([2, 1], np.int32)})
    assert str(stop.value).endswith(
        "flat:0' has shape [3, 4] for 2 instances: its first axis is not the batch"
    )


def test_an_output_that_depends_on_nothing_is_refused(tmp_path: Path) -> None:
    export(tmp_path, lambda x, y: y * 2.0, x=float_rows(4), y=float_rows(2))
    (tmp_path / "explanation_metadata.json").write_text(
        str(metadata({"x": {"input_tensor_name": "x"}}, "output_0")).replace("'", '"'), "utf-8"
    )
    with pytest.raises(ModelError, match=r"does not depend on 'x' \(serving_default_x:0\)$"):
        load(tmp_path)


def test_nothing_that_tensorflow_prints_reaches_the_user(built: Built) -> None:
    directory, _ = built("keras_with_optimizer")
    code = (
        "import pellucid, sys; m = pellucid.load(sys.argv[1], warn=lambda s: None);"
        "m.explain([[1.0, 2.0, 3.0, 4.0]])"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(directory)], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Input is empty.", "Input is empty"),
        (
            "Graph execution error:\n\nDetected at node 'a/b' defined at (most recent call last):\n"
            "    File \"x.py\", line 1, in <module>\n      f()\nNode: 'a/b'\nUnknown image format\n"
            "\t [[{{node a/b}}]] [Op:__inference_pruned_1]",
            "Unknown image format (at 'a/b')",
        ),
        (
            "2 root error(s) found.\n  (0) INVALID_ARGUMENT: indices[0] = 9 is not in [0, 3)\n"
            "\t [[{{node g}}]]\n  (1) INVALID_ARGUMENT: the same\n0 successful operations.",
            "indices[0] = 9 is not in [0, 3) (at 'g')",
        ),
        (
            "{{function_node __wrapped__X}} Expected [1] got [2] [Op:LookupTableFindV2] name:",
            "Expected [1] got [2] name:",
        ),
        ("", "ValueError"),
    ],
)
def test_an_error_of_tensorflow_becomes_one_sentence(text: str, sentence: str) -> None:
    assert tensorflow_errors.sentence(ValueError(text)) == sentence


@pytest.mark.parametrize(
    ("inputs", "output", "batch"),
    [
        ([[None, 4]], [None, 3], Batch()),
        ([None], None, Batch()),
        ([], [3], Batch()),
        ([[]], [], Batch(axis=False)),
        ([[28, 28]], [10], Batch(axis=False)),
        ([[1, 28]], [1, 10], Batch(rows=1)),
        ([[4, 28], [4]], [4, 10], Batch(rows=4)),
        ([[4, 28], []], [None, 10], Batch(rows=4)),
        ([[4, 28], [3]], [4, 10], Batch(axis=False)),
        ([[None, 4], [3]], [None, 3], Batch()),
        ([[None, 4], [3, 4]], [3, 1], Batch(rows=3)),
        ([[None, 4], []], [None], Batch()),
    ],
)
def test_where_the_batch_is(inputs: Any, output: Any, batch: Batch) -> None:
    assert batch_of(inputs, output) == batch


def test_a_vector_for_the_whole_batch_is_held(tmp_path: Path) -> None:
    net = Net()
    spec = tf.TensorSpec([3], tf.float32)
    export(tmp_path, lambda x, scale: net(x) * scale, net, x=float_rows(4), scale=spec)
    x, scale = normal(5, 4), np.array([1.0, 2.0, 3.0], np.float32)
    explanations = load(tmp_path).explain({"x": x, "scale": np.stack([scale] * 5)})
    sample = Sample(x={"x": x}, function=lambda x: net(x) * scale)
    truth = expected(sample, targets(explanations), ["x"])["x"]
    got = np.stack([e.labels[0].values["x"] for e in explanations])
    np.testing.assert_allclose(got, truth, 0, 1e-5)


def test_a_graph_is_chosen_by_its_tags(built: Built) -> None:
    directory, sample = built("several_meta_graphs")
    serving = load(directory).explain(sample.x)
    training = load(directory, tags=["train", "gpu"], output="other").explain(sample.x)
    for one, other in zip(serving, training, strict=True):
        np.testing.assert_array_equal(one.labels[0].values["x"], other.labels[0].values["x"])
    with pytest.raises(ModelError) as stop:
        load(directory, tags=["serve", "tpu"])
    assert str(stop.value) == (
        f"{directory}: has no graph tagged 'serve,tpu'; choose a tag set that exists: 'serve', "
        "'train,gpu'"
    )
