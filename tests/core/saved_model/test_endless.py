"""Graphs without end or measure: circles of calls, towers of calls, and very long chains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import EndlessCallsError, ModelError
from pellucid.linter.lint_model import lint
from pellucid.saved_model import read
from pellucid.saved_model.protobuf import messages

FLOAT = 1


def write(directory: Path, build: Callable[[Any], str]) -> Path:
    """Write a model from ``x`` [n, 4] to the tensor that `build` returns, having added its nodes."""
    saved = messages()("tensorflow.SavedModel")(saved_model_schema_version=1)
    meta_graph = saved.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    graph = meta_graph.graph_def
    graph.versions.producer = 1882
    placeholder = graph.node.add(name="x", op="Placeholder")
    placeholder.attr["dtype"].type = FLOAT
    for size in (-1, 4):
        placeholder.attr["shape"].shape.dim.add(size=size)
    output = build(graph)
    signature = meta_graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for side, key, name in ((signature.inputs, "x", "x:0"), (signature.outputs, "y", output)):
        side[key].name, side[key].dtype = name, FLOAT
        for size in (-1, 4):
            side[key].tensor_shape.dim.add(size=size)
    directory.mkdir()
    (directory / "saved_model.pb").write_bytes(saved.SerializeToString())
    return directory


def add(graph: Any, name: str, op: str, *inputs: str) -> str:
    graph.node.add(name=name, op=op, input=inputs).attr["T"].type = FLOAT
    return name


def call(nodes: Any, name: str, function: str, argument: str) -> None:
    node = nodes.add(name=name, op="PartitionedCall", input=[argument])
    node.attr["Tin"].list.type.append(FLOAT)
    node.attr["Tout"].list.type.append(FLOAT)
    node.attr["f"].func.name = function


def define(graph: Any, name: str, *called: str) -> None:
    """Add a function of one tensor that calls others one after the other."""
    function = graph.library.function.add()
    function.signature.name = name
    function.signature.input_arg.add(name="x", type=FLOAT)
    function.signature.output_arg.add(name="y", type=FLOAT)
    last = "x"
    for number, callee in enumerate(called):
        call(function.node_def, f"c{number}", callee, last)
        last = f"c{number}:output:0"
    function.ret["y"] = last


def in_a_circle(graph: Any) -> str:
    define(graph, "f", "g")
    define(graph, "g", "f")
    call(graph.node, "call", "f", "x")
    return "call:0"


def by_an_attribute(graph: Any) -> str:
    define(graph, "f")
    node = graph.library.function[0].node_def.add(name="loop", op="StatelessWhile", input=["x"])
    node.attr["body"].func.name = "f"
    call(graph.node, "call", "f", "x")
    return "call:0"


def where_nobody_calls(graph: Any) -> str:
    in_a_circle(graph)
    return add(graph, "y", "Neg", "x") + ":0"


def a_tower(graph: Any) -> str:
    for number in range(500):
        define(graph, f"f{number}", f"f{number + 1}")
    define(graph, "f500")
    call(graph.node, "call", "f0", "x")
    return "call:0"


def a_bomb(graph: Any) -> str:
    for number in range(40):
        define(graph, f"f{number}", f"f{number + 1}", f"f{number + 1}")
    define(graph, "f40")
    call(graph.node, "call", "f0", "x")
    return "call:0"


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (in_a_circle, "the functions 'f' and 'g' call each other, directly or not"),
        (by_an_attribute, "the function 'f' calls itself"),
        (where_nobody_calls, "the functions 'f' and 'g' call each other, directly or not"),
        (a_tower, "the function 'f400' calls functions that call others more than 100 deep"),
        (a_bomb, "has more than 5000000 operations once its calls are expanded"),
    ],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_calls_without_end_or_measure_are_refused_before_anything_is_loaded(
    build: Callable[[Any], str], what: str, tmp_path: Path
) -> None:
    directory = write(tmp_path / "model", build)
    (problem,) = lint(directory).problems
    assert problem.code == "MD127" and problem.message.endswith(what)
    with pytest.raises(EndlessCallsError) as stop:
        pellucid.load(directory)
    assert str(stop.value) == f"{directory / 'saved_model.pb'}: {problem.message}"


def test_calls_of_some_depth_are_no_finding(tmp_path: Path) -> None:
    def build(graph: Any) -> str:
        for number in range(60):
            define(graph, f"f{number}", f"f{number + 1}")
        define(graph, "f60")
        call(graph.node, "call", "f0", add(graph, "sine", "Sin", "x"))
        return "call:0"

    directory = write(tmp_path / "model", build)
    assert lint(directory).problems == ()
    found = pellucid.load(directory, warn=lambda _: None).predict(np.ones([1, 4], np.float32))
    np.testing.assert_allclose(found[0], np.sin(np.ones(4)), rtol=1e-6)


def passed_around(graph: Any) -> str:
    define(graph, "f")
    call(graph.node, "call", "f", "call:0")
    return "call:0"


def identities_in_a_circle(graph: Any) -> str:
    add(graph, "a", "Identity", "b")
    return add(graph, "b", "Identity", "a") + ":0"


@pytest.mark.parametrize("build", [passed_around, identities_in_a_circle])
def test_a_tensor_that_is_made_of_itself_is_an_error(
    build: Callable[[Any], str], tmp_path: Path
) -> None:
    directory = write(tmp_path / "model", build)
    lint(directory)  # ends
    with pytest.raises(ModelError):
        pellucid.load(directory, warn=lambda _: None)


LONG = 6000


def of_operations(graph: Any) -> str:
    last = "x"
    for number in range(LONG):
        last = add(graph, f"n{number}", "Identity", last)
    return f"{last}:0"


def of_constants(graph: Any) -> str:
    one = graph.node.add(name="n", op="Const")
    one.attr["dtype"].type = one.attr["value"].tensor.dtype = FLOAT
    one.attr["value"].tensor.tensor_shape.SetInParent()
    one.attr["value"].tensor.float_val.append(1.0)
    last = "n"
    for number in range(LONG):
        last = add(graph, f"n{number}", "Neg", last)
    return add(graph, "y", "Mul", "x", last) + ":0"


def of_calls(graph: Any) -> str:
    define(graph, "f")
    last = "x"
    for number in range(LONG):
        call(graph.node, f"n{number}", "f", last)
        last = f"n{number}:0"
    return last


def of_calls_that_wait(graph: Any) -> str:
    function = graph.library.function.add()
    function.signature.name = "nothing"
    before: list[str] = []
    for number in range(LONG):
        graph.node.add(name=f"n{number}", op="nothing", input=before)
        before = [f"^n{number}"]
    return add(graph, "y", "Identity", "x", *before) + ":0"


@pytest.mark.parametrize(
    "build",
    [of_operations, of_constants, of_calls, of_calls_that_wait],
    ids=lambda it: it.__name__,
)
def test_a_long_chain_is_followed_without_recursion(
    build: Callable[[Any], str], tmp_path: Path
) -> None:
    directory = write(tmp_path / "model", build)
    assert len(read(directory).meta_graph().nodes) > LONG
    assert lint(directory).problems == ()
    x = np.ones([1, 4], np.float32)
    np.testing.assert_array_equal(pellucid.load(directory, warn=lambda _: None).predict(x), x)
