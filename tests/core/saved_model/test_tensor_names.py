"""Names of tensors: every way to write one, and what is said of one that does not exist."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counting import calls_of
from pellucid.errors import ModelError, SpecError
from pellucid.saved_model.protobuf import messages
from pellucid.saved_model.reader import MetaGraph, Signature, TensorInfo, read
from pellucid.saved_model.tensor_names import (
    TensorKind,
    calls,
    choose_signature,
    resolve_tensor,
    tensor_info,
)
from places import ROOT

PROSE = ROOT / "sample_models" / "code_or_prose" / "model"
TF1 = ROOT / "sample_models" / "tf1_embedding" / "model"


class Graph:
    """A small graph with functions, written down in a line for each node."""

    def __init__(self) -> None:
        self.message = messages()("tensorflow.MetaGraphDef")()
        self.message.meta_info_def.tags.append("serve")

    def node(self, name: str, op: str, *inputs: str, call: str = "", body: object = None) -> None:
        add = (self.message.graph_def.node if body is None else body.node_def).add  # type: ignore[attr-defined]
        made = add(name=name, op=op, input=inputs)
        if call:
            made.attr["f"].func.name = call
            made.attr["Tout"].list.type.append(1)

    def function(self, name: str, *nodes: tuple[str, ...]) -> None:
        """Add a function of x that returns its last node; a node with an `f` has the op `f`."""
        made = self.message.graph_def.library.function.add()
        made.signature.name = name
        made.signature.input_arg.add(name="x", type=1)
        made.signature.output_arg.add(name="y", type=1)
        for node, op, *rest in nodes:
            callee = rest.pop() if op.endswith("Call") else ""
            self.node(node, op, *rest, call=callee, body=made)
        made.ret["y"] = f"{nodes[-1][0]}:y:0"

    def signature(self, key: str, inputs: dict[str, str], outputs: dict[str, str]) -> None:
        made = self.message.signature_def[key]
        for name, tensor in inputs.items():
            made.inputs[name].name = tensor
        for name, tensor in outputs.items():
            made.outputs[name].name = tensor

    def graph(self) -> MetaGraph:
        return MetaGraph(self.message.SerializeToString())


@pytest.fixture
def nested() -> MetaGraph:
    """serving_default → C → C → model/dense, and a second path to inner that restores."""
    it = Graph()
    it.node("serving_default_x", "Placeholder")
    it.node("C", "StatefulPartitionedCall", "serving_default_x", call="wrapper")
    it.node("restore", "StatefulPartitionedCall", "serving_default_x", call="inner")
    it.node("unused", "Relu", "serving_default_x")
    it.function("wrapper", ("C", "StatefulPartitionedCall", "x", "inner"))
    it.function("inner", ("model/dense", "MatMul", "x"), ("model/out", "Softmax", "model/dense"))
    it.signature("serving_default", {"x": "serving_default_x:0"}, {"y": "C:0"})
    return it.graph()


def resolve(graph: MetaGraph, name: str, role: str = "input") -> tuple[TensorKind, str]:
    found = resolve_tensor(graph, choose_signature(graph), name, role=role)  # type: ignore[arg-type]
    assert found.written == name
    return found.kind, found.tensor


@pytest.mark.parametrize(
    ("name", "kind", "tensor"),
    [
        ("x", TensorKind.SIGNATURE_KEY, "serving_default_x:0"),
        ("y", TensorKind.SIGNATURE_KEY, "C:0"),
        ("serving_default_x:0", TensorKind.SIGNATURE_TENSOR, "serving_default_x:0"),
        ("serving_default_x", TensorKind.SIGNATURE_TENSOR, "serving_default_x:0"),
        ("C", TensorKind.SIGNATURE_TENSOR, "C:0"),
        ("unused", TensorKind.GRAPH, "unused:0"),
        ("C/C/model/dense:0", TensorKind.FUNCTION, "C/C/model/dense:0"),
        ("C/model/dense", TensorKind.FUNCTION, "C/C/model/dense:0"),
        ("model/dense:0", TensorKind.FUNCTION, "C/C/model/dense:0"),
        ("model/dense:3", TensorKind.FUNCTION, "C/C/model/dense:3"),
        ("x:0", TensorKind.SIGNATURE_KEY, "serving_default_x:0"),
        ("C/C/x:0", TensorKind.FUNCTION, "C/C/x:0"),
    ],
)
def test_every_way_to_write_a_name(
    nested: MetaGraph, name: str, kind: TensorKind, tensor: str
) -> None:
    assert resolve(nested, name) == (kind, tensor)


def test_calls_are_those_that_the_outputs_depend_on(nested: MetaGraph) -> None:
    chains = [call.chain for call in calls(nested, choose_signature(nested))]
    assert chains == [("C",), ("C", "C")]


def test_the_role_decides_between_an_input_and_an_output_of_one_key() -> None:
    it = Graph()
    it.node("a", "Placeholder")
    it.node("b", "Relu", "a")
    it.signature("serving_default", {"same": "a:0"}, {"same": "b:0"})
    assert resolve(it.graph(), "same", "input")[1] == "a:0"
    assert resolve(it.graph(), "same", "output")[1] == "b:0"


def test_the_graph_comes_before_the_functions(nested: MetaGraph) -> None:
    message = messages()("tensorflow.MetaGraphDef").FromString(nested.serialized)
    message.graph_def.node.add(name="model/dense", op="MatMul")
    graph = MetaGraph(message.SerializeToString())
    assert resolve(graph, "model/dense") == (TensorKind.GRAPH, "model/dense:0")


def test_fewest_calls_left_out_wins_and_equals_are_listed() -> None:
    it = Graph()
    it.node("x", "Placeholder")
    it.node("A", "PartitionedCall", "x", call="f")
    it.node("B", "PartitionedCall", "A", call="f")
    it.function("f", ("dense", "MatMul", "x"))
    it.signature("serving_default", {"x": "x:0"}, {"y": "B:0"})
    assert resolve(it.graph(), "A/dense")[1] == "A/dense:0"
    with pytest.raises(SpecError) as caught:
        resolve(it.graph(), "dense")
    assert str(caught.value) == (
        "'dense' could be any of 2 tensors; write one of 'A/dense:0', 'B/dense:0'"
    )


def test_an_operation_named_like_a_function_is_a_call() -> None:
    it = Graph()
    it.node("x", "Placeholder")
    it.node("direct", "my_function", "x")
    it.function("my_function", ("inner", "Relu", "x"))
    it.signature("serving_default", {"x": "x:0"}, {"y": "direct:0"})
    assert resolve(it.graph(), "direct/inner") == (TensorKind.FUNCTION, "direct/inner:0")


def test_recursion_and_many_calls_end() -> None:
    it = Graph()
    it.node("x", "Placeholder")
    it.node("A", "PartitionedCall", "x", call="f0")
    for depth in range(20):
        callee = f"f{depth + 1}" if depth < 19 else "f0"
        body = [(f"c{at}", "PartitionedCall", "x", callee) for at in range(3)]
        it.function(f"f{depth}", *body, ("out", "AddN", "c0", "c1", "c2"))
    it.signature("serving_default", {"x": "x:0"}, {"y": "A:0"})
    graph = it.graph()

    def work() -> None:
        with pytest.raises(SpecError, match="is not a tensor of the model"):
            resolve(graph, "nothing like it")

    # There are 3²⁰ chains of calls, which is billions.
    assert calls_of(work, most=10_000_000) > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("serving_defualt_x:0", "did you mean 'serving_default_x:0'?"),
        ("dens", "did you mean 'C/C/model/dense:0'?"),
        ("qqq", "signature 'serving_default' has the inputs 'x'"),
    ],
)
def test_unknown_names(nested: MetaGraph, name: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(nested, name)
    assert str(caught.value) == f"'{name}' is not a tensor of the model; {message}"


def test_an_output_that_a_call_does_not_have(nested: MetaGraph) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(nested, "C:1")
    assert str(caught.value) == "'C:1' does not exist: the call has 1 output(s), ':0' to ':0'"


def chain(length: int) -> MetaGraph:
    """A graph of so many nodes, one after the other."""
    it = Graph()
    last = "x"
    it.node("x", "Placeholder")
    for at in range(length):
        name = f"model/block_{at % 97}/layer_{at}/Relu"
        it.node(name, "Relu", last)
        last = name
    it.signature("serving_default", {"x": "x:0"}, {"y": f"{last}:0"})
    return it.graph()


def test_eight_times_the_nodes_are_at_most_eight_times_the_work() -> None:
    def work(graph: MetaGraph) -> None:
        with pytest.raises(SpecError, match="did you mean 'model/block_1/layer_1/Relu:0'"):
            resolve(graph, "model/block_1/layr_1/Relu")

    one, eight = (calls_of(partial(work, chain(length))) for length in (2_000, 16_000))
    assert one < eight < 8 * one


@given(st.text(max_size=12) | st.text(alphabet="Cmodel/dense:0123^", max_size=16))
@settings(deadline=None)
def test_any_text_is_a_tensor_or_a_sentence(name: str) -> None:
    graph = read(TF1).meta_graph()
    try:
        found = resolve_tensor(graph, choose_signature(graph), name, role="output")
    except SpecError as error:
        assert str(error)
    else:
        assert found.written == name


def test_real_names_of_tf2() -> None:
    graph = read(PROSE).meta_graph()
    signature = choose_signature(graph)
    assert signature.key == "xai_model"
    found = resolve_tensor(graph, signature, "embedded_tokens", role="input")
    assert found.kind is TensorKind.FUNCTION
    assert found.tensor.endswith("/StatefulPartitionedCall/embedded_tokens:0")
    info = tensor_info(graph, signature, found.tensor)
    assert (info.dtype, info.shape) == ("float32", (None, 64, 16))


def test_real_names_of_tf1() -> None:
    graph = read(TF1).meta_graph()
    signature = choose_signature(graph)
    found = resolve_tensor(graph, signature, "embedding/lookup", role="input")
    assert (found.kind, found.tensor) == (TensorKind.GRAPH, "embedding/lookup:0")
    assert tensor_info(graph, signature, found.tensor) == TensorInfo(
        name="embedding/lookup:0", dtype="float32", shape=(None, 32, 8)
    )


def choose(*keys: str, requested: str | None = None) -> Signature:
    it = Graph()
    for key in keys:
        it.signature(key, {"x": "x:0"}, {"y": "y:0"})
    return choose_signature(it.graph(), requested)


def test_which_signature() -> None:
    assert choose("serving_default", "xai_model", "a").key == "xai_model"
    assert choose("a", "serving_default").key == "serving_default"
    assert choose("predict").key == "predict"
    assert choose("predict", "serve", requested="serve").key == "serve"
    assert choose("__saved_model_init_op", "predict").key == "predict"


@pytest.mark.parametrize(
    ("keys", "requested", "message"),
    [
        (
            (),
            None,
            "the model has no signature, so its inputs and outputs have no names; "
            "export it with a signature named 'serving_default'",
        ),
        (
            ("predict", "serve"),
            None,
            "the model has no signature 'serving_default'; choose one of 'predict', 'serve' "
            "with signature=…",
        ),
        (
            ("predict", "serve"),
            "predct",
            "signature 'predct' does not exist; the model has 'predict', 'serve'; "
            "did you mean 'predict'?",
        ),
    ],
)
def test_no_such_signature(keys: tuple[str, ...], requested: str | None, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        choose(*keys, requested=requested)
    assert str(caught.value) == message
