"""The linter's verdict on gradients is what explaining then does, for every export style."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zoo_functions
import zoo_keras
import zoo_loops
import zoo_shapes
import zoo_text
import zoo_tf1
from zoo import ZOO, Sample, export, float_rows, normal

from pellucid.linter import gradient_walk
from pellucid.linter.check_graph import gradient_findings
from pellucid.linter.gradient_flow import Reach, ways
from pellucid.linter.infer import infer_metadata
from pellucid.linter.lint_model import lint
from pellucid.metadata.documents.document import Finding
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.problems import Severity
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model.protobuf import messages
from pellucid.saved_model.reader import MetaGraph, read
from pellucid.saved_model.tensor_names import choose_signature

assert all((zoo_functions, zoo_keras, zoo_loops, zoo_shapes, zoo_text, zoo_tf1))
Built = Callable[[str], tuple[Path, Sample]]


def verdict(directory: Path, sample: Sample) -> list[Finding]:
    meta_graph = read(directory).meta_graph()
    signature = choose_signature(meta_graph, sample.options.get("signature"))
    file = directory / "explanation_metadata.json"
    if file.exists():
        metadata = parse_metadata(file.read_text("utf-8")).metadata
        assert metadata is not None
    else:
        metadata = infer_metadata(signature, sample.options.get("output"))
    return gradient_findings(metadata, meta_graph, signature)


@pytest.mark.parametrize("name", sorted(ZOO))
def test_the_verdict_is_what_explaining_does(name: str, built: Built) -> None:
    """What it does is in the samples, and `test_tensorflow_model` holds them to it."""
    directory, sample = built(name)
    found = verdict(directory, sample)
    codes = [(it.code, it.path[1]) for it in found]
    assert [it for it in codes if it[0] == "MD122"] == [("MD122", key) for key in sample.zero]
    stops = [it for it in found if it.code != "MD122"]
    refusal = sample.refusal or ""
    if "gradient is exactly 0 everywhere" in refusal:
        assert [it.code for it in stops] == ["MD121"]
    elif named := re.search(r"operation '(\S+)' \((\w+)\)", refusal):
        (finding,) = stops
        assert finding.code == "MD120"
        # The same operation of the same type: both find the first in the way.
        assert named[0] in finding.message
    else:
        # Explained, or refused because of types, which are another rule's business.
        assert stops == []


def exported(
    directory: Path, function: Callable[..., Any], *tracked: Any, **options: Any
) -> MetaGraph:
    export(directory, function, list(tracked), x=float_rows(4), **options)
    return read(directory).meta_graph()


def way(meta_graph: MetaGraph) -> tuple[Reach, str | None]:
    signature = choose_signature(meta_graph)
    (output,) = (it.name for it in signature.outputs.values())
    (found,) = ways(meta_graph, output, [it.name for it in signature.inputs.values()]).values()
    return found.reach, found.op


def in_a_loop(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, step(y)), (0, x))[1]


def in_a_branch(step: Callable[[Any], Any], other: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: tf.cond(tf.shape(x)[0] > 7, lambda: step(x), lambda: other(x))


STEPS: dict[str, tuple[Callable[[Any], Any], Reach, str | None]] = {
    "floor": (tf.floor, Reach.NOTHING, "Floor"),
    "argmax": (lambda x: tf.cast(tf.argmax(x, 1), tf.float32), Reach.NOTHING, "ArgMax"),
    "stopped": (tf.stop_gradient, Reach.NOTHING, "StopGradient"),
    "beside": (lambda x: x + tf.round(x), Reach.GRADIENT, None),
    "compared": (lambda x: tf.where(x > 0.0, 1.0, 2.0), Reach.NOTHING, "Greater"),
    "selected": (lambda x: tf.where(x > 0.0, x, 2.0), Reach.GRADIENT, None),
    "shape": (lambda x: tf.ones(tf.shape(x)), Reach.NOTHING, "Shape"),
    "no gradient": (
        lambda x: tf.raw_ops.Lu(input=tf.linalg.diag(x) + tf.eye(4))[0],
        Reach.NOTHING,
        "Lu",
    ),
    "no gradient beside one": (
        lambda x: tf.linalg.diag(x) + tf.raw_ops.Lu(input=tf.linalg.diag(x) + tf.eye(4))[0],
        Reach.NOTHING,
        "Lu",
    ),
    "top": (lambda x: tf.math.top_k(x, 2).values, Reach.GRADIENT, None),
    "places": (
        lambda x: tf.cast(tf.math.top_k(x, 2).indices, tf.float32),
        Reach.NOTHING,
        "Cast",
    ),
    "in a loop": (in_a_loop(tf.sin), Reach.GRADIENT, None),
    "rounded in a loop": (in_a_loop(tf.round), Reach.ZERO, "Round"),
    "sign in a loop": (in_a_loop(tf.sign), Reach.ZERO, "Sign"),
    "in a branch": (in_a_branch(tf.round, tf.sin), Reach.GRADIENT, None),
    "in no branch": (in_a_branch(tf.round, tf.floor), Reach.NOTHING, "Round"),
    "mapped": (lambda x: tf.map_fn(tf.sin, x), Reach.GRADIENT, None),
    "rounded and mapped": (lambda x: tf.map_fn(tf.round, x), Reach.NOTHING, "Round"),
    "constant": (lambda x: tf.ones([2, 3]), Reach.UNCONNECTED, None),
    "not so special": (lambda x: tf.math.polygamma(x, tf.ones([4])), Reach.NOTHING, "Polygamma"),
}


@pytest.mark.parametrize("step", STEPS)
def test_one_step_between_input_and_output(step: str, tmp_path: Path) -> None:
    """The verdict, and TensorFlow's own gradient of the same function."""
    function, reach, op = STEPS[step]
    inner = tf.function(function)
    found, named = way(exported(tmp_path, lambda x: inner(x) * 2.0))
    assert (found, named) == (reach, op)
    x = tf.constant(normal(2, 4))
    try:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.function(function)(x) * 2.0
        slope = tape.gradient(y, x)
    except LookupError:
        slope = None
    if reach is Reach.GRADIENT:
        assert slope is not None
    elif slope is not None:
        # A tape gives zeros where a loop's variable has no gradient.
        assert not tf.convert_to_tensor(slope).numpy().any()


def test_a_saved_gradient_goes_where_it_says(tmp_path: Path) -> None:
    @tf.custom_gradient
    def straight_through(x: Any) -> Any:
        return tf.round(x), lambda dy: dy

    graph = exported(tmp_path / "saved", lambda x: straight_through(x) * 2.0)
    assert way(graph) == (Reach.GRADIENT, None)
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    graph = exported(tmp_path / "not", lambda x: straight_through(x) * 2.0, options=options)
    assert way(graph) == (Reach.NOTHING, "Round")


def chain(count: int) -> MetaGraph:
    message = messages()("tensorflow.MetaGraphDef")()
    add = message.graph_def.node.add
    add(name="n0", op="Placeholder").attr["dtype"].type = 1
    for i in range(1, count):
        add(name=f"n{i}", op="Neg", input=[f"n{i - 1}"])
    signature = message.signature_def["serving_default"]
    for infos, name in ((signature.inputs, "n0:0"), (signature.outputs, f"n{count - 1}:0")):
        infos["t"].name, infos["t"].dtype = name, 1
    return MetaGraph(message.SerializeToString())


def test_too_many_operations_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_walk, "MOST_STEPS", 100)
    assert way(chain(100)) == (Reach.GRADIENT, None)
    assert way(chain(101)) == (Reach.UNKNOWN, None)


def test_functions_that_call_themselves_come_to_an_end(tmp_path: Path) -> None:
    graph = exported(tmp_path, lambda x: tf.function(tf.sin)(x))
    message = messages()("tensorflow.MetaGraphDef").FromString(graph.serialized)
    for function in message.graph_def.library.function:
        for node in function.node_def:
            if "f" in node.attr:
                node.attr["f"].func.name = function.signature.name
    assert way(MetaGraph(message.SerializeToString()))[0] in (Reach.UNCONNECTED, Reach.UNKNOWN)


PARAMETERS = {
    "integratedGradientsAttribution": {"stepCount": 5},
    "sampledShapleyAttribution": {"pathCount": 5},
}


@pytest.mark.parametrize(
    ("method", "severities"),
    [
        ("integratedGradientsAttribution", [Severity.ERROR]),
        ("sampledShapleyAttribution", []),
        (None, [Severity.WARNING]),
    ],
)
def test_how_bad_it_is_depends_on_the_method(
    method: str | None, severities: list[Severity], tmp_path: Path
) -> None:
    exported(tmp_path, tf.round)
    inputs, outputs = {"x": {"inputTensorName": "x"}}, {"y": {"outputTensorName": "output_0"}}
    document: dict[str, Any] = {"inputs": inputs, "outputs": outputs}
    if method:
        document = {"metadata": document, "parameters": {method: PARAMETERS[method]}}
    file = tmp_path / "explanation_metadata.json"
    file.write_text(str(document).replace("'", '"'), "utf-8")
    found = [it for it in lint(tmp_path).problems if it.code == "MD120"]
    assert [it.severity for it in found] == severities
    for problem in found:
        assert problem.text() == (
            "no gradient gets from 'PartitionedCall:0' to 'serving_default_x:0': operation "
            "'PartitionedCall/PartitionedCall/Round' (Round) in between has none; in the "
            'metadata, to \'x\' add "encoding": "IDENTITY", "encodedTensorName": '
            "\"PartitionedCall/PartitionedCall/Round:0\", or explain with method='sampled-shapley'"
        )
        assert problem.line == 1 and problem.file == str(file)
