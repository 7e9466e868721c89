"""What the linter says of a graph: the exact text, and which parts of a model it is about."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.linter.check_graph import gradient_findings, operation_findings, safety_findings
from pellucid.linter.infer import infer_metadata
from pellucid.linter.lint_model import lint
from pellucid.metadata.documents import problems_of
from pellucid.saved_model.op_table import table_version
from pellucid.saved_model.protobuf import messages
from pellucid.saved_model.reader import MetaGraph
from pellucid.saved_model.tensor_names import choose_signature
from places import SAMPLES

KNOWN, GRAPHS = table_version()
FLOAT = 1


class Graph:
    """A graph of ``x`` that is written down in a line for each node."""

    def __init__(self, version: str = "2.10.0") -> None:
        self.message = messages()("tensorflow.MetaGraphDef")()
        self.message.meta_info_def.tensorflow_version = version
        self.node("x", "Placeholder", dtype=FLOAT)

    def node(self, name: str, op: str, *inputs: str, body: Any = None, **types: int) -> Any:
        nodes = self.message.graph_def.node if body is None else body.node_def
        made = nodes.add(name=name, op=op, input=inputs)
        for key, number in types.items():
            made.attr[key].type = number
        return made

    def function(self, name: str, **attributes: bytes) -> Any:
        made = self.message.graph_def.library.function.add()
        made.signature.name = name
        made.signature.input_arg.add(name="a", type=FLOAT)
        made.signature.output_arg.add(name="r", type=FLOAT)
        for key, value in attributes.items():
            made.attr[key].s = value
        return made

    def call(self, name: str, function: str) -> None:
        node = self.node(name, "PartitionedCall", "x")
        node.attr["f"].func.name = function
        node.attr["Tin"].list.type.append(FLOAT)
        node.attr["Tout"].list.type.append(FLOAT)

    def said(self, output: str) -> list[str]:
        signature = self.message.signature_def["serving_default"]
        for infos, node in ((signature.inputs, "x"), (signature.outputs, output)):
            infos["t"].name, infos["t"].dtype = f"{node}:0", FLOAT
        graph = MetaGraph(self.message.SerializeToString())
        chosen = choose_signature(graph)
        found = operation_findings(graph, chosen, [])
        found += safety_findings(graph, chosen, [])
        found += gradient_findings(infer_metadata(chosen), graph, chosen)
        return [f"{it.code}: {it.text()}" for it in problems_of(found, None, None)]


def test_nothing_is_said_of_a_good_graph() -> None:
    graph = Graph()
    graph.node("y", "Sin", "x", T=FLOAT)
    assert graph.said("y") == []


def test_a_step() -> None:
    graph = Graph()
    graph.node("y", "Sign", "x", T=FLOAT)
    assert graph.said("y") == [
        "MD121: the gradient at 'x:0' is 0 everywhere: operation 'y' (Sign) in between is a step; "
        "integrated gradients would say that it does not matter; in the metadata, to 't' add "
        '"encoding": "identity", "encoded_tensor_name": "y:0", or explain with '
        "method='sampled-shapley'"
    ]


def test_an_output_that_depends_on_nothing() -> None:
    graph = Graph()
    graph.node("y", "Const", dtype=FLOAT)
    assert graph.said("y") == [
        "MD122: 'y:0' does not depend on 'x:0', so that every attribution is 0"
    ]


def test_an_operation_that_tensorflow_does_not_have() -> None:
    graph = Graph()
    body = graph.function("f")
    graph.node("inner", "MyOp", "a", body=body)
    body.ret["r"] = "inner:out:0"
    graph.call("y", "f")
    graph.node("unused", "OtherOp", "x")
    # What nobody runs does no harm.
    assert graph.said("y") == [
        f"MD123: needs the operation 'MyOp' ('inner' in function 'f'), which TensorFlow {KNOWN} does "
        "not have: it was written with an add-on or a custom operation"
    ]


@pytest.mark.parametrize(
    ("version", "messages"),
    [
        ("1.4.0-rc0", []),
        ("unknown", []),
        ("", []),
        (KNOWN, []),
        (
            "99.1.0",
            [
                "MD124: was written by TensorFlow 99.1.0; operations that are newer than "
                f"{KNOWN} are not known here"
            ],
        ),
    ],
)
def test_who_wrote_it(version: str, messages: list[str]) -> None:
    graph = Graph(version)
    graph.node("y", "Sin", "x", T=FLOAT)
    assert graph.said("y") == messages


def test_a_graph_for_a_newer_tensorflow() -> None:
    graph = Graph()
    graph.message.graph_def.versions.min_consumer = 99_999
    graph.node("y", "Sin", "x", T=FLOAT)
    assert graph.said("y") == [
        f"MD125: asks for a TensorFlow that reads graphs of version 99999; {KNOWN} reads them up to "
        f"{GRAPHS}"
    ]


def in_the_graph(graph: Graph) -> None:
    graph.node("w", "WriteFile")
    graph.node("y", "Sin", "x", "^w", T=FLOAT)


def in_a_function(graph: Graph) -> None:
    body = graph.function("f")
    graph.node("w", "WriteFile", body=body)  # what a function holds runs, whoever waits for it
    body.ret["r"] = "a"
    graph.call("y", "f")


def in_a_function_of_the_same_interface(graph: Graph) -> None:
    """The runtime swaps functions that say that they implement the same."""
    for name in ("f", "g"):
        body = graph.function(name, api_implements=b"layer")
        body.ret["r"] = "a"
    graph.node("w", "WriteFile", body=body)
    graph.call("y", "f")


def in_a_function_that_an_argument_of_a_function_names(graph: Graph) -> None:
    body = graph.function("f")
    graph.node("w", "WriteFile", body=body)
    graph.node("y", "MapDataset", "x").attr["f"].func.attr["inner"].func.name = "f"


def when_it_starts(graph: Graph) -> None:
    graph.node("w", "WriteFile")
    graph.node("y", "Sin", "x", T=FLOAT)
    graph.message.signature_def["__saved_model_init_op"].outputs["o"].name = "w"


def when_it_is_restored(graph: Graph) -> None:
    graph.node("w", "WriteFile")
    graph.node("restore", "NoOp", "^w")
    graph.node("y", "Sin", "x", T=FLOAT)
    graph.message.saver_def.restore_op_name = "restore"


@pytest.mark.parametrize(
    ("write", "where"),
    [
        (in_the_graph, ""),
        (in_a_function, " in function 'f'"),
        (in_a_function_of_the_same_interface, " in function 'g'"),
        (in_a_function_that_an_argument_of_a_function_names, " in function 'f'"),
        (when_it_starts, ""),
        (when_it_is_restored, ""),
    ],
)
def test_an_operation_that_writes(write: Callable[[Graph], None], where: str) -> None:
    graph = Graph()
    write(graph)
    found = [it for it in graph.said("y") if it.startswith("MD13")]
    assert found == [
        f"MD130: operation 'w' (WriteFile){where} writes files; explaining refuses to run it "
        "without allow_unsafe_ops=True"
    ]


def test_an_operation_that_writes_and_does_not_run() -> None:
    graph = Graph()
    graph.node("w", "WriteFile")
    graph.node("y", "Sin", "x", T=FLOAT)
    assert graph.said("y") == [
        "MD131: operation 'w' (WriteFile) writes files; explaining does not run it"
    ]


@pytest.mark.parametrize(
    ("name", "escapes"),
    [
        ("words.txt", False),
        ("a/words.txt", False),
        ("..words", False),
        ("../words.txt", True),
        ("a/../../words.txt", True),
        ("/etc/passwd", True),
        ("..\\words.txt", True),
        ("C:\\words.txt", True),
    ],
)
def test_assets_lie_in_their_directory(name: str, escapes: bool) -> None:
    graph = Graph()
    graph.node("y", "Sin", "x", T=FLOAT)
    graph.message.asset_file_def.add().filename = name
    assert graph.said("y") == (
        [f"MD132: the asset '{name}' lies outside of assets/"] if escapes else []
    )


def test_names_from_a_damaged_file_stay_on_one_line(tmp_path: Path) -> None:
    from pellucid.metadata.documents.document import problems_of

    graph = Graph()
    graph.node("y\n", "My\x07Op", "x")
    (finding,) = (it for it in findings(graph, "y\n") if it.code == "MD123")
    (problem,) = problems_of([finding], None, None)
    assert problem.message.startswith("needs the operation 'My\\x07Op' ('y\\n'), which TensorFlow")


def findings(graph: Graph, output: str) -> list[Any]:
    graph.said(output)
    read = MetaGraph(graph.message.SerializeToString())
    return operation_findings(read, choose_signature(read), [])


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/model")), ids=lambda it: it.parent.name)
def test_a_graph_is_gone_when_it_was_checked(path: Path) -> None:
    """At once, and not when the collector of cycles comes by: a thousand models are as one."""

    def alive() -> int:
        return sum(isinstance(it, MetaGraph) for it in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        lint(path)
        assert alive() == before
    finally:
        gc.enable()
