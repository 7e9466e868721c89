"""Function calls expanded in place: names, order, attributes, and what it costs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from counting import calls_of
from pellucid.errors import ModelError
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.flat_graph import FlatGraph, canonical, node_of

FLOAT = tf.float32.as_datatype_enum


def meta_graph() -> Any:
    graph = tf.compat.v1.MetaGraphDef()
    place = graph.graph_def.node.add(name="x", op="Placeholder")
    place.attr["dtype"].type = FLOAT
    return graph


def function(graph: Any, name: str) -> Any:
    """A function of one tensor; its result is set with ``f.ret["o"]``."""
    made = graph.graph_def.library.function.add()
    made.signature.name = name
    made.signature.input_arg.add(name="a", type=FLOAT)
    made.signature.output_arg.add(name="o", type=FLOAT)
    return made


def node(body: Any, name: str, op: str, *inputs: str) -> Any:
    made = body.add(name=name, op=op)
    made.input.extend(inputs)
    if op in ("Identity", "AddV2", "Sqrt"):
        made.attr["T"].type = FLOAT
    return made


def call(body: Any, name: str, callee: str, *inputs: str) -> Any:
    made = node(body, name, "StatefulPartitionedCall", *inputs)
    made.attr["f"].func.name = callee
    made.attr["Tout"].list.type.append(FLOAT)
    return made


def nested() -> Any:
    """``outer`` calls ``inner`` twice; ``inner`` also runs an operation that nobody reads."""
    graph = meta_graph()
    inner = function(graph, "inner")
    node(inner.node_def, "root", "Sqrt", "a")
    node(inner.node_def, "effect", "NoOp", "^root")
    inner.ret["o"] = "root:y:0"
    inner.control_ret["effect"] = "effect"
    outer = function(graph, "outer")
    call(outer.node_def, "first", "inner", "a")
    call(outer.node_def, "second", "inner", "first:output:0", "^first")
    outer.ret["o"] = "second:output:0"
    call(graph.graph_def.node, "net", "outer", "x")
    return graph


def evaluated(graph_def: Any, fetch: str, feed: dict[str, Any]) -> Any:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(fetch, feed)


def test_a_tensor_has_the_names_of_the_calls_that_lead_to_it() -> None:
    flat = FlatGraph(nested())
    flat.add(["net:0"])
    assert set(flat.nodes) == {
        "x",
        "net/first/root",
        "net/first/effect",
        "net/second/root",
        "net/second/effect",
    }
    assert flat.resolve("net:0") == flat.resolve("net") == "net/second/root:0"
    graph = flat.graph_def(["net:0"])
    second = next(n for n in graph.node if n.name == "net/second/root")
    assert list(second.input) == ["net/first/root:0"]
    assert evaluated(graph, "net/second/root:0", {"x:0": 16.0}) == 2.0


def test_waiting_for_a_call_is_waiting_for_what_it_does() -> None:
    graph = nested()
    node(graph.graph_def.node, "done", "NoOp", "^net")
    flat = FlatGraph(graph)
    flat.add(["^done"])
    assert flat.effects("^net") == ["^net/second/effect"]
    (done,) = (n for n in flat.graph_def(["^done"]).node if n.name == "done")
    assert list(done.input) == ["^net/second/effect"]


def test_an_inner_tensor_is_found_without_its_call_being_needed() -> None:
    flat = FlatGraph(nested())
    flat.add(["net/first/root:0"])
    assert "net/second/root" not in flat.nodes
    flat = FlatGraph(nested())
    flat.add(["net/second/a"])
    assert flat.resolve("net/second/a") == "net/first/root:0"


def test_nothing_behind_a_cut_is_taken() -> None:
    flat = FlatGraph(nested())
    flat.add(["net:0"])
    assert flat.ancestors(["net:0"], ["net/second/a"]) == {"net/second/root"}
    (left,) = flat.graph_def(["net:0"], ["net/second/a"]).node
    assert list(left.input) == ["net/first/root:0"]


def test_a_body_whose_names_the_graph_has_already_gets_others() -> None:
    graph = nested()
    node(graph.graph_def.node, "net/first", "Identity", "x")
    node(graph.graph_def.node, "sum", "AddV2", "net", "net/first")
    flat = FlatGraph(graph)
    flat.add(["sum:0"])
    assert evaluated(flat.graph_def(["sum:0"]), "sum:0", {"x:0": 16.0}) == 18.0


def test_an_attribute_that_the_caller_gives_is_filled_in() -> None:
    graph = meta_graph()
    made = function(graph, "polymorphic")
    cast = node(made.node_def, "cast", "Cast", "a")
    cast.attr["SrcT"].type = FLOAT
    cast.attr["DstT"].placeholder = "to"
    made.ret["o"] = "cast:y:0"
    caller = node(graph.graph_def.node, "net", "polymorphic", "x")  # the type is the function
    caller.attr["to"].type = tf.int32.as_datatype_enum
    flat = FlatGraph(graph)
    flat.add(["net:0"])
    assert evaluated(flat.graph_def(["net:0"]), "net/cast:0", {"x:0": 2.5}) == 2


def test_outputs_of_many_tensors_are_counted() -> None:
    graph = meta_graph()
    made = function(graph, "split")
    axis = node(made.node_def, "axis", "Const")
    axis.attr["dtype"].type = tf.int32.as_datatype_enum
    axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0))
    parts = node(made.node_def, "parts", "Split", "axis:output:0", "a")
    parts.attr["T"].type = FLOAT
    parts.attr["num_split"].i = 3
    made.ret["o"] = "parts:output:2"
    call(graph.graph_def.node, "net", "split", "x")
    flat = FlatGraph(graph)
    flat.add(["net:0"])
    assert flat.resolve("net:0") == "net/parts:2"
    got = evaluated(flat.graph_def(["net:0"]), "net/parts:2", {"x:0": [1.0, 2.0, 3.0]})
    np.testing.assert_array_equal(got, [3.0])


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModelError) as stop:
        FlatGraph(nested()).add(["net/third/root:0"])
    assert str(stop.value) == "the graph has no node 'net/third/root'"


def test_an_operation_that_nobody_knows_is_named() -> None:
    graph = meta_graph()
    made = function(graph, "odd")
    node(made.node_def, "odd", "OddOne", "a")
    made.ret["o"] = "odd:strange:0"
    call(graph.graph_def.node, "net", "odd", "x")
    with pytest.raises(ModelError, match=r"^the model needs the operation 'OddOne', which Tens"):
        FlatGraph(graph).add(["net:0"])


def test_names() -> None:
    assert [node_of(t) for t in ("a/b:1", "^a/b", "a/b")] == ["a/b"] * 3
    assert [canonical(t) for t in ("a", "a:1")] == ["a:0", "a:1"]


def chain(length: int) -> Any:
    graph = meta_graph()
    made = function(graph, "long")
    before = "a"
    for i in range(length):
        node(made.node_def, f"layer/{i}", "Identity", before)
        before = f"layer/{i}:output:0"
    made.ret["o"] = before
    call(graph.graph_def.node, "net", "long", "x")
    return graph


def tree(depth: int) -> Any:
    """Calls in calls: two in each function, one after the other."""
    graph = meta_graph()
    for level in range(depth):
        made = function(graph, f"f{level}")
        call(made.node_def, "first", f"f{level + 1}", "a")
        call(made.node_def, "second", f"f{level + 1}", "first:output:0", "^first")
        made.ret["o"] = "second:output:0"
        made.control_ret["second"] = "second"
    leaf = function(graph, f"f{depth}")
    node(leaf.node_def, "leaf", "Identity", "a")
    leaf.ret["o"] = "leaf:output:0"
    call(graph.graph_def.node, "net", "f0", "x")
    return graph


def work(graph: Any) -> None:
    flat = FlatGraph(graph)
    flat.add(["net:0"])
    flat.graph_def(["net:0"])


@pytest.mark.parametrize(("make", "small", "large"), [(chain, 1_000, 8_000), (tree, 6, 9)])
def test_eight_times_the_nodes_are_eight_times_the_work(make: Any, small: int, large: int) -> None:
    one, eight = (calls_of(partial(work, make(size))) for size in (small, large))
    assert 7 * one < eight < 9 * one
