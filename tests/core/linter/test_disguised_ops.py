"""Operations that touch the world, where whoever reads the file need not see that they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import UnsafeModelError, load
from pellucid.linter import lint
from pellucid.saved_model import messages

FLOAT, STRING, INT64, RESOURCE, BOOL, INT32 = 1, 7, 9, 20, 10, 3


class Graph:
    """A SavedModel y = x·W, written by hand; `ends` are what its output waits for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.written, self.secret = directory / "written", directory.parent / "secret"
        self.secret.write_text("one\ntwo\nthree\n")
        self.file = messages()("tensorflow.SavedModel")(saved_model_schema_version=1)
        self.meta = self.file.meta_graphs.add()
        self.meta.meta_info_def.tags.append("serve")
        self.meta.graph_def.versions.producer = 1882
        x = self.node("x", "Placeholder", dtype=FLOAT)
        x.attr["shape"].shape.dim.add(size=-1)
        x.attr["shape"].shape.dim.add(size=2)
        self.const("W", np.eye(2, dtype=np.float32))
        self.node("product", "MatMul", "x", "W", T=FLOAT)
        self.end = self.node("y", "Identity", "product", T=FLOAT)
        signature = self.meta.signature_def["serving_default"]
        signature.method_name = "tensorflow/serving/predict"
        for key, info in (("x", signature.inputs["x"]), ("y", signature.outputs["y"])):
            info.name, info.dtype = f"{key}:0", FLOAT
            info.tensor_shape.dim.add(size=-1)
            info.tensor_shape.dim.add(size=2)

    def node(self, name: str, op: str, *inputs: str, within: Any = None, **types: Any) -> Any:
        where = self.meta.graph_def.node if within is None else within.node_def
        node = where.add(name=name, op=op)
        node.input.extend(inputs)
        for key, value in types.items():
            if isinstance(value, int):
                node.attr[key].type = value
            elif isinstance(value, bytes):
                node.attr[key].s = value
            elif isinstance(value, str):
                node.attr[key].func.name = value
            elif isinstance(value, list):
                node.attr[key].list.SetInParent()
                node.attr[key].list.type.extend(value)
        return node

    def const(self, name: str, value: Any, within: Any = None) -> None:
        node = self.node(name, "Const", within=within)
        tensor = node.attr["value"].tensor
        if isinstance(value, str):
            tensor.dtype = STRING
            tensor.string_val.append(value.encode())
        else:
            tensor.dtype = {"f": FLOAT, "b": BOOL, "i": INT32}[value.dtype.kind]
            tensor.tensor_content = value.tobytes()
            for size in value.shape:
                tensor.tensor_shape.dim.add(size=size)
        node.attr["dtype"].type = tensor.dtype

    def function(self, name: str, **arguments: int) -> Any:
        found = self.meta.graph_def.library.function.add()
        found.signature.name, found.signature.is_stateful = name, True
        for argument, kind in arguments.items():
            found.signature.input_arg.add(name=argument, type=kind)
        return found

    def writing(self, name: str) -> Any:
        """Add a function that writes a file."""
        found = self.function(name)
        self.const("path", str(self.written), found)
        self.node("write", "WriteFile", "path:output:0", "path:output:0", within=found)
        found.control_ret["write"] = "write"
        return found

    def printing(self, stream: str = "stream") -> Any:
        """Add a function that prints to where its caller says."""
        found = self.function("printing", x=FLOAT)
        found.signature.attr.add(name=stream, type="string")
        self.const("axes", np.array([0, 1], np.int32), found)
        self.node("sum", "Sum", "x", "axes:output:0", within=found, T=FLOAT, Tidx=INT32)
        self.node("text", "AsString", "sum:output:0", within=found, T=FLOAT)
        node = self.node("print", "PrintV2", "text:output:0", within=found)
        node.attr["output_stream"].placeholder = stream
        found.control_ret["print"] = "print"
        return found

    def table(self, path: str | None = None) -> None:
        """Add a table whose size is added to the output, and what fills it from a file."""
        self.const("path", str(self.secret))
        table = self.node("table", "HashTableV2", key_dtype=STRING, value_dtype=INT64)
        table.attr["shared_name"].s = b"table"
        self.node("size", "LookupTableSizeV2", "table")
        self.node("number", "Cast", "size", SrcT=INT64, DstT=FLOAT)
        self.node("sum", "AddV2", "product", "number", T=FLOAT)
        self.end.input[0] = "sum"
        if path is not None:
            self.fill("fill", "table", path)

    def fill(self, name: str, table: str, path: str, within: Any = None) -> None:
        op = "InitializeTableFromTextFileV2"
        node = self.node(name, op, table, path, within=within)
        for key, value in {"key_index": -2, "value_index": -1, "vocab_size": -1}.items():
            node.attr[key].i = value
        node.attr["delimiter"].s = b"\t"

    def start(self, node: str) -> None:
        """Have a node run when the model is loaded."""
        outputs = self.meta.signature_def["__saved_model_init_op"].outputs
        outputs["__saved_model_init_op"].name = node

    def asset(self, tensor: str) -> None:
        asset = self.meta.asset_file_def.add(filename="words.txt")
        asset.tensor_info.name = tensor

    def save(self) -> Path:
        (self.directory / "assets").mkdir(parents=True, exist_ok=True)
        (self.directory / "assets" / "words.txt").write_text("word\n")
        (self.directory / "saved_model.pb").write_bytes(self.file.SerializeToString())
        return self.directory


def waits_twice(graph: Graph) -> None:
    graph.const("path", str(graph.written))
    graph.node("write", "WriteFile", "path", "path")
    graph.end.input.append("^^write")


def waits_for_what_is_inside_of_a_call(graph: Graph) -> None:
    graph.writing("f")
    graph.node("call", "StatefulPartitionedCall", f="f", Tin=[], Tout=[])
    graph.end.input.append("^call/write")


def names_an_output_inside_of_a_call(graph: Graph) -> None:
    graph.writing("f").node_def.add(name="one", op="Identity", input=["path:output:0", "^write"])
    graph.meta.graph_def.library.function[0].node_def[-1].attr["T"].type = STRING
    graph.node("call", "StatefulPartitionedCall", f="f", Tin=[], Tout=[])
    info = graph.meta.signature_def["serving_default"].outputs["z"]
    info.name, info.dtype = "call/one:0", STRING


def prints_where_its_caller_says(graph: Graph) -> None:
    graph.printing()
    stream = b"file://" + bytes(graph.written)
    graph.node("call", "StatefulPartitionedCall", "x", f="printing", Tin=[FLOAT], Tout=[])
    graph.meta.graph_def.node[-1].attr["stream"].s = stream
    graph.end.input.append("^call")


def prints_where_its_condition_says(graph: Graph) -> None:
    graph.printing()
    graph.const("true", np.array(True))
    branches = dict.fromkeys(("then_branch", "else_branch"), "printing")
    node = graph.node("call", "If", "true", "x", **branches, Tcond=BOOL, Tin=[FLOAT], Tout=[])
    for branch in branches:
        node.attr[branch].func.attr["stream"].s = b"file://" + bytes(graph.written)
    graph.end.input.append("^call")


def hands_another_file_to_what_objects_fill(graph: Graph) -> None:
    graph.table()
    function = graph.function("f", table=RESOURCE, path=STRING)
    graph.fill("fill", "table", "path", within=function)
    function.control_ret["fill"] = "fill"
    call = "StatefulPartitionedCall"
    graph.node("call", call, "table", "path", f="f", Tin=[RESOURCE, STRING], Tout=[])
    graph.start("call")
    graph.asset("nothing:0")
    objects = graph.meta.object_graph_def
    root = objects.nodes.add()
    root.user_object.identifier = "_generic_user_object"
    for number, name in enumerate(("_initialize", "table", "file"), start=1):
        root.children.add(node_id=number, local_name=name)
    objects.nodes.add().function.concrete_functions.append("f")
    objects.nodes.add().resource.device = ""
    objects.nodes.add().asset.asset_file_def_index = 0
    objects.concrete_functions["f"].bound_inputs.extend([2, 3])


def keeps_another_path_by_a_handle_that_its_caller_names(graph: Graph) -> None:
    graph.table("kept")
    graph.asset("asset:0")
    graph.const("asset", "")
    function = graph.function("f")
    function.signature.attr.add(name="name", type="string")
    graph.const("path", str(graph.secret), function)
    handles = [graph.node("v", "VarHandleOp", dtype=STRING, shared_name=b"v")]
    handles.append(graph.node("w", "VarHandleOp", within=function, dtype=STRING))
    handles[1].attr["shared_name"].placeholder = "name"
    for handle in handles:
        handle.attr["shape"].shape.SetInParent()
    graph.node("assign", "AssignVariableOp", "v", "asset", dtype=STRING)
    inside = "w:resource:0", "path:output:0"
    graph.node("assign", "AssignVariableOp", *inside, within=function, dtype=STRING)
    function.control_ret["assign"] = "assign"
    call = graph.node("call", "StatefulPartitionedCall", "^assign", f="f", Tin=[], Tout=[])
    call.attr["name"].s = b"v"
    graph.node("kept", "ReadVariableOp", "v", "^call", dtype=STRING)
    graph.start("fill")


REFUSED = [
    waits_twice,
    waits_for_what_is_inside_of_a_call,
    names_an_output_inside_of_a_call,
    prints_where_its_caller_says,
    prints_where_its_condition_says,
    hands_another_file_to_what_objects_fill,
    keeps_another_path_by_a_handle_that_its_caller_names,
]
# Of the outputs, one is asked for.
IMPORTED = [it for it in REFUSED if it is not names_an_output_inside_of_a_call]


@pytest.mark.parametrize("disguise", REFUSED, ids=lambda it: it.__name__)
def test_what_runs_is_refused_however_the_file_puts_it(
    disguise: Callable[[Graph], None], tmp_path: Path
) -> None:
    graph = Graph(tmp_path / "model")
    disguise(graph)
    directory = graph.save()
    found = [it for it in lint(directory).problems if it.code == "MD130"]
    assert found
    with pytest.raises(UnsafeModelError) as refused:
        load(directory, warn=print).predict([[1.0, 2.0]])
    assert found[0].message.rpartition(" (")[0].split("'")[1] in str(refused.value)
    assert not graph.written.exists()


@pytest.mark.parametrize("disguise", IMPORTED, ids=lambda it: it.__name__)
def test_what_is_imported_is_judged_even_where_the_file_was_misread(
    disguise: Callable[[Graph], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.api.loading.refuse_unsafe", lambda *_: None)
    monkeypatch.setattr("pellucid.runtime.compiler.refuse_unsafe", lambda *_: None)
    graph = Graph(tmp_path / "model")
    disguise(graph)
    with pytest.raises(UnsafeModelError, match="refused, because"):
        load(graph.save(), warn=print).predict([[1.0, 2.0]])
    assert not graph.written.exists()


def size_of_table(graph: Graph) -> float:
    """Return how many lines the file has that the table was filled from."""
    return float(load(graph.save(), warn=print).predict([[0.0, 0.0]])[0][0])


def test_an_asset_is_what_lies_in_assets_whatever_its_tensor_says(tmp_path: Path) -> None:
    graph = Graph(tmp_path / "model")
    graph.table("path")
    graph.start("fill")
    graph.asset("path:0")
    assert size_of_table(graph) == 1


def test_an_asset_may_be_what_a_call_returns(tmp_path: Path) -> None:
    graph = Graph(tmp_path / "model")
    graph.table("call")
    function = graph.function("f")
    function.signature.output_arg.add(name="path", type=STRING)
    graph.const("path", str(graph.secret), function)
    function.ret["path"] = "path:output:0"
    graph.node("call", "PartitionedCall", f="f", Tin=[], Tout=[STRING])
    graph.start("fill")
    graph.asset("call:0")
    assert size_of_table(graph) == 1


def test_what_is_no_asset_in_the_list_of_assets_is_a_damaged_model(tmp_path: Path) -> None:
    from pellucid import ModelError

    graph = Graph(tmp_path / "model")
    graph.table("path")
    graph.start("fill")
    asset = messages()("tensorflow.AssetFileDef")(filename="words.txt")
    asset.tensor_info.name = "path:0"
    packed = graph.meta.collection_def["saved_model_assets"].any_list.value.add()
    packed.type_url = "type.googleapis.com/tensorflow.TensorInfo"
    packed.value = asset.SerializeToString()
    with pytest.raises(ModelError, match="list of the model's assets") as refused:
        size_of_table(graph)
    assert refused.value.where.file == str(graph.directory)


def test_restoring_reads_the_assets_too_and_no_other_file(tmp_path: Path) -> None:
    """A loader that restores gives the graph no names of assets: those in it would be read."""
    import tensorflow as tf

    graph = Graph(tmp_path / "model")
    graph.table("path")
    graph.asset("path:0")
    for name, value in (("prefix", "model"), ("slice", ""), ("key", "v")):
        graph.const(name, value)
    for node in graph.meta.graph_def.node:
        if node.name in ("slice", "key"):
            node.attr["value"].tensor.tensor_shape.dim.add(size=1)
    variable = graph.node("v", "VarHandleOp", dtype=FLOAT, shared_name=b"v")
    variable.attr["shape"].shape.SetInParent()
    graph.node("restored", "RestoreV2", "prefix", "key", "slice", dtypes=[FLOAT])
    graph.node("assign", "AssignVariableOp", "v", "restored", "^fill", dtype=FLOAT)
    graph.node("restore", "NoOp", "^assign")
    graph.meta.saver_def.filename_tensor_name = "prefix:0"
    graph.meta.saver_def.restore_op_name = "restore"
    graph.const("one", np.array(1.0, np.float32))  # what is changed stays a variable
    graph.node("add", "AssignAddVariableOp", "v", "one", dtype=FLOAT)
    graph.start("add")
    graph.node("read", "ReadVariableOp", "v", dtype=FLOAT)
    graph.node("all", "AddV2", "sum", "read", T=FLOAT)
    graph.end.input[0] = "all"
    directory = graph.save()
    (directory / "variables").mkdir()
    tf.raw_ops.SaveV2(
        prefix=str(directory / "variables" / "variables"),
        tensor_names=["v"],
        shape_and_slices=[""],
        tensors=[tf.constant(10.0)],
    )
    assert size_of_table(graph) == 1 + 10 + 1
