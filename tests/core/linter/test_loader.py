"""What TensorFlow's own loaders run behind everybody's back: refused wherever they take a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_tf1
from zoo import export, float_rows

import pellucid
from pellucid.errors import UnsafeModelError
from pellucid.linter.lint_model import lint
from pellucid.linter.safety import touches_of
from pellucid.runtime.backends.function import FunctionBackend
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import read

ROW = np.ones([1, 4], np.float32)
Change = Callable[[Any], None]


def load(directory: Path, **options: Any) -> Any:
    return pellucid.load(directory, warn=lambda sentence: None, **options)


def changed(source: Path, directory: Path, change: Change) -> Path:
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(source, directory)
    path = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())
    return directory


def texts(graph: Any, **values: str) -> None:
    for name, text in values.items():
        constant = graph.node.add(name=name, op="Const")
        constant.attr["dtype"].type = constant.attr["value"].tensor.dtype = 7
        constant.attr["value"].tensor.tensor_shape.SetInParent()
        constant.attr["value"].tensor.string_val.append(text.encode())


def add_writer(meta_graph: Any, trace: Path) -> None:
    texts(meta_graph.graph_def, path=str(trace), content="touched")
    meta_graph.graph_def.node.add(name="writes", op="WriteFile", input=["path", "content"])


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a loop of TensorFlow 1, which the flat graph does not carry."""
    directory = tmp_path_factory.mktemp("loop")
    with zoo_tf1.old_style():
        x = zoo_tf1.placeholder(4)
        _, turned = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, tf.sin(y)), (0, x))
        y = zoo_tf1.net(turned, zoo_tf1.variable("w", zoo_tf1.W))
        zoo_tf1.save(directory, {"x": x}, {"y": y})
    return directory


# Each lets TensorFlow's loader write, although nothing that is explained needs it.


def by_a_table(meta_graph: Any, trace: Path) -> None:
    add_writer(meta_graph, trace)
    meta_graph.collection_def["table_initializer"].node_list.value.append("writes")


def by_a_local_variable(meta_graph: Any, trace: Path) -> None:
    from tensorflow.core.framework.variable_pb2 import VariableDef

    add_writer(meta_graph, trace)
    graph = meta_graph.graph_def
    (variable,) = (it for it in graph.node if it.op == "VariableV2")
    twin = graph.node.add()
    twin.CopyFrom(variable)
    twin.name = "local"
    twin.attr.pop("_class", None)
    reads = graph.node.add(name="local/read", op="Identity", input=["local"])
    reads.attr["T"].type = 1
    graph.node.add(name="local/start", op="NoOp", input=["^writes"])
    made = VariableDef(
        variable_name="local:0",
        initializer_name="local/start",
        snapshot_name="local/read:0",
        initial_value_name="local/read:0",
    )
    held = meta_graph.collection_def["local_variables"].bytes_list
    held.value.append(made.SerializeToString())


def by_the_saver(meta_graph: Any, trace: Path) -> None:
    """No operation of the file but TensorFlow's own: it is asked to save, to a file of our choice."""
    saver = meta_graph.saver_def
    for node in meta_graph.graph_def.node:
        value = node.attr["value"].tensor.string_val if node.op == "Const" else []
        if list(value) == [b"model"]:
            value[:] = [str(trace).encode()]
    save = saver.save_tensor_name.partition(":")[0]
    meta_graph.collection_def["table_initializer"].node_list.value.append(save)


@pytest.mark.parametrize(
    "attack", [by_a_table, by_a_local_variable, by_the_saver], ids=lambda it: it.__name__
)
def test_what_a_loader_starts_by_itself_is_refused(
    attack: Callable[[Any, Path], None], loop: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "traces" / "trace"
    trace.parent.mkdir()
    model = changed(loop, tmp_path / "model", lambda graph: attack(graph, trace))
    problems = lint(model).problems
    assert {it.code for it in problems} == {"MD130"}
    with pytest.raises(UnsafeModelError, match="this one writes files: operation ") as stop:
        load(model)
    # Both say the same.
    first, _, rest = problems[0].message.partition(" writes files, and TensorFlow's own loader")
    assert first in str(stop.value) and rest in str(stop.value)
    assert list(trace.parent.iterdir()) == []
    load(model, allow_unsafe_ops=True).explain(ROW)
    assert list(trace.parent.iterdir()) != []


def in_a_function(meta_graph: Any) -> Any:
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "nobody_calls_it"
    texts_of = tf.compat.v1.GraphDef()
    texts(texts_of, path="/tmp/never", content="touched")
    function.node_def.extend(texts_of.node)
    inputs = ["path:output:0", "content:output:0"]
    function.node_def.add(name="writes", op="WriteFile", input=inputs)
    return function


def unknown(meta_graph: Any) -> None:
    meta_graph.graph_def.node.add(name="odd", op="NobodyKnowsWhat")


def read_before_it_is_given(meta_graph: Any) -> None:
    """A second reader of the saver's file name, which would be read as it is in the file."""
    graph = meta_graph.graph_def
    (reader,) = [it for it in graph.node if it.op == "RestoreV2"][:1]
    twin = graph.node.add()
    twin.CopyFrom(reader)
    twin.name = "reads_early"
    meta_graph.collection_def["table_initializer"].node_list.value.append("reads_early")


def saved_while_restored(meta_graph: Any) -> None:
    saver = meta_graph.saver_def
    (restore,) = (it for it in meta_graph.graph_def.node if it.name == saver.restore_op_name)
    restore.input.append("^" + saver.save_tensor_name.partition(":")[0])


def in_a_second_function_of_one_name(meta_graph: Any) -> None:
    in_a_function(meta_graph)
    harmless = meta_graph.graph_def.library.function.add()
    harmless.signature.name = "nobody_calls_it"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (in_a_function, "writes files"),
        (in_a_second_function_of_one_name, "writes files"),
        (unknown, f"needs an operation that TensorFlow {tf.__version__} does not have"),
        (read_before_it_is_given, "reads a checkpoint that is not the model's own"),
        (saved_while_restored, "writes files"),
    ],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_everything_in_a_file_counts_where_a_loader_takes_it(
    change: Change, what: str, loop: Path, tmp_path: Path
) -> None:
    model = changed(loop, tmp_path / "model", change)
    meta_graph = read(model).meta_graph()
    found = touches_of(meta_graph, meta_graph.signatures["serving_default"], [])
    assert {it.what for it in found} == {what}
    assert all(it.runs for it in found)


def test_a_loop_of_tensorflow_1_alone_is_no_finding(loop: Path) -> None:
    assert [it for it in lint(loop).problems if it.code.startswith("MD13")] == []
    assert load(loop).explain(ROW)[0].labels


class Writing(tf.lookup.experimental.MutableHashTable):  # type: ignore[misc]
    """A table that writes a file when its values are restored."""

    def __init__(self, trace: Path) -> None:
        super().__init__(tf.string, tf.float32, 0.0)
        self.trace = str(trace)

    def _restore_from_tensors(self, restored: Any) -> Any:
        tf.io.write_file(self.trace, "touched")
        return super()._restore_from_tensors(restored)


def test_what_restores_an_object_is_refused(tmp_path: Path) -> None:
    trace, model = tmp_path / "trace", tmp_path / "model"

    @tf.custom_gradient
    def sine(x: Any) -> Any:
        return tf.sin(x), lambda slope: slope * tf.cos(x)

    def serve(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, sine(y)), (0, x))[1]

    export(model, serve, Writing(trace), x=float_rows(4))
    (problem, *_) = lint(model).problems
    assert problem.code == "MD130"
    with pytest.raises(UnsafeModelError, match="this one writes files: operation 'WriteFile'"):
        load(model)
    assert not trace.exists()
    tf.saved_model.load(str(model))
    assert trace.exists()


def test_a_loader_is_not_asked_when_the_flat_graph_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it does is not always known beforehand; a file is never run on a guess."""
    trace, module = tmp_path / "trace", tf.Module()

    @tf.function(input_signature=[float_rows(4)])
    def log(x: Any) -> Any:
        tf.io.write_file(str(trace), "touched")
        return x

    @tf.function(input_signature=[float_rows(4)])
    def serve(x: Any) -> Any:
        return tf.sin(x)

    signatures = {"serving_default": serve, "log": log}
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=signatures)
    assert {it.code for it in lint(tmp_path / "model").problems} == {"MD131"}
    assert load(tmp_path / "model").explain(ROW)[0].labels
    monkeypatch.setattr("pellucid.runtime.model.BACKENDS", (FunctionBackend,))
    with pytest.raises(UnsafeModelError, match="TensorFlow's own loader, which may run whatever"):
        load(tmp_path / "model")
