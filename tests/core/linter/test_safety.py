"""Models that really read and write files: refused before anything of them runs."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_text
import zoo_tf1
from zoo import Net, Sample, export, float_rows, metadata, normal

import pellucid
from pellucid.errors import UnsafeModelError
from pellucid.linter.lint_model import lint
from pellucid.runtime.engine.tensorflow import tf

assert all((zoo_text, zoo_tf1))
Built = Callable[[str], tuple[Path, Sample]]
ROW = np.ones([1, 4], np.float32)
v1 = tf.compat.v1


def load(directory: Path, **options: Any) -> Any:
    return pellucid.load(directory, warn=lambda sentence: None, **options)


def findings(directory: Path) -> list[str]:
    return [f"{it.code}: {it.text()}" for it in lint(directory).problems]


def write(trace: Path) -> Any:
    return tf.io.write_file(str(trace), "touched")


# Each builder writes a model that touches the file `trace` when it is loaded or explained.


def in_the_signature(directory: Path, trace: Path) -> None:
    def serve(x: Any) -> Any:
        with tf.control_dependencies([write(trace)]):
            return tf.sin(x)

    export(directory, serve, x=float_rows(4))


def in_a_nested_function(directory: Path, trace: Path) -> None:
    @tf.function
    def inner(x: Any) -> Any:
        write(trace)
        return tf.sin(x)

    export(directory, lambda x: tf.function(lambda y: inner(y) * 2.0)(x), x=float_rows(4))


def in_a_branch(directory: Path, trace: Path) -> None:
    def touching(x: Any) -> Any:
        with tf.control_dependencies([write(trace)]):
            return tf.sin(x)

    serve = lambda x: tf.cond(tf.shape(x)[0] > 0, lambda: touching(x), lambda: x)  # noqa: E731
    export(directory, serve, x=float_rows(4))


def in_a_loop(directory: Path, trace: Path) -> None:
    def step(i: Any, y: Any) -> Any:
        with tf.control_dependencies([write(trace)]):
            return i + 1, tf.sin(y)

    export(
        directory,
        lambda x: tf.while_loop(lambda i, _: i < 2, step, (0, x))[1],
        x=float_rows(4),
    )


def in_a_saved_gradient(directory: Path, trace: Path) -> None:
    @tf.custom_gradient
    def sine(x: Any) -> Any:
        def gradient(slope: Any) -> Any:
            with tf.control_dependencies([write(trace)]):
                return slope * tf.cos(x)

        return tf.sin(x), gradient

    export(directory, sine, x=float_rows(4))


def _tf1(directory: Path, trace: Path, **options: Any) -> None:
    with zoo_tf1.old_style():
        x = zoo_tf1.placeholder(4)
        y = zoo_tf1.net(x, zoo_tf1.variable("w", zoo_tf1.W), zoo_tf1.V)
        made = {key: make() for key, make in options.items()}
        zoo_tf1.save(directory, {"x": x}, {"y": y}, **made)


def at_the_start(directory: Path, trace: Path) -> None:
    _tf1(directory, trace, main_op=lambda: tf.group(write(trace)))


def at_the_start_of_old(directory: Path, trace: Path) -> None:
    _tf1(directory, trace, legacy_init_op=lambda: tf.group(write(trace)))


def when_a_table_is_filled(directory: Path, trace: Path) -> None:
    class Initializer(tf.lookup.KeyValueTensorInitializer):  # type: ignore[misc]
        def initialize(self, table: Any) -> Any:
            with tf.control_dependencies([write(trace)]):
                return super().initialize(table)

    table = tf.lookup.StaticHashTable(Initializer(["a"], [1.0]), 0.0)

    def serve(x: Any) -> Any:
        return tf.sin(x) + table.lookup(tf.constant(["a"]))

    export(directory, serve, table, x=float_rows(4))
    trace.unlink()


def when_it_is_restored(directory: Path, trace: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    zoo_tf1.simple_save(directory)
    path = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    graph = saved.meta_graphs[0].graph_def
    with tf.Graph().as_default() as made:
        write(trace)
    graph.node.extend(made.as_graph_def().node)
    (writer,) = (it.name for it in made.get_operations() if it.type == "WriteFile")
    (restore,) = (it for it in graph.node if it.op == "RestoreV2")
    restore.input.append(f"^{writer}")
    path.write_bytes(saved.SerializeToString())


def by_printing(directory: Path, trace: Path) -> None:
    def serve(x: Any) -> Any:
        with tf.control_dependencies([tf.print("touched", output_stream=f"file://{trace}")]):
            return tf.sin(x)

    export(directory, serve, x=float_rows(4))


def by_saving(directory: Path, trace: Path) -> None:
    def serve(x: Any) -> Any:
        saved = tf.raw_ops.SaveV2(
            prefix=str(trace), tensor_names=["x"], shape_and_slices=[""], tensors=[x]
        )
        with tf.control_dependencies([saved]):
            return tf.sin(x)

    export(directory, serve, x=float_rows(4))


WRITERS = [
    in_the_signature,
    in_a_nested_function,
    in_a_branch,
    in_a_loop,
    in_a_saved_gradient,
    at_the_start,
    at_the_start_of_old,
    when_a_table_is_filled,
    when_it_is_restored,
    by_printing,
    by_saving,
]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace"


def traces(trace: Path) -> list[Path]:
    return sorted(trace.parent.glob("trace*"))


@pytest.mark.parametrize("builder", WRITERS, ids=lambda it: it.__name__)
def test_a_model_that_writes_is_refused_and_writes_nothing(
    builder: Callable[[Path, Path], None], tmp_path: Path, trace: Path
) -> None:
    directory = tmp_path / "model"
    directory.mkdir()
    builder(directory, trace)
    assert traces(trace) == []
    errors = [it for it in lint(directory).problems if it.code == "MD130"]
    assert errors and all(it.message.endswith(" writes files") for it in errors)
    with pytest.raises(UnsafeModelError) as stop:
        load(directory)
    text = str(stop.value)
    assert text.startswith(
        f"{directory}: refused, because a model is a program and this one writes"
    )
    assert "\n" not in text
    assert traces(trace) == []
    # And it is the refusal that kept it from writing.
    load(directory, allow_unsafe_ops=True).explain(ROW)
    run_by_tensorflow(directory)
    assert traces(trace) != []


def run_by_tensorflow(directory: Path) -> None:
    """Load the model and call its signature, with nothing of ours in between."""
    with v1.Session(graph=tf.Graph()) as session:
        graph = v1.saved_model.load(session, ["serve"], str(directory))
        signature = graph.signature_def["serving_default"]
        (x,), (y,) = signature.inputs.values(), signature.outputs.values()
        session.run(y.name, {x.name: ROW})


def test_refusing_does_not_even_import_tensorflow(tmp_path: Path, trace: Path) -> None:
    in_the_signature(tmp_path / "model", trace)
    code = (
        "import sys\n"
        "from pellucid_cli.main import main\n"
        "sys.argv = ['pellucid', 'explain', sys.argv[1], sys.argv[2]]\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    print(stop.code, 'tensorflow' in sys.modules)\n"
    )
    request = tmp_path / "request.json"
    request.write_text('{"instances": [[1, 2, 3, 4]]}', "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model"), str(request)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "2 False\n"
    assert "refused, because a model is a program and this one writes files" in run.stderr
    assert traces(trace) == []


# Reading


def read_a_path(directory: Path, secret: Path) -> None:
    export(
        directory,
        lambda x: x + tf.strings.to_number(tf.io.read_file(str(secret))),
        x=float_rows(4),
    )


def read_a_checkpoint(directory: Path, secret: Path) -> None:
    tf.raw_ops.SaveV2(
        prefix=str(secret), tensor_names=["v"], shape_and_slices=[""], tensors=[tf.constant([7.0])]
    )

    def serve(x: Any) -> Any:
        (value,) = tf.raw_ops.RestoreV2(
            prefix=str(secret), tensor_names=["v"], shape_and_slices=[""], dtypes=[tf.float32]
        )
        return x + tf.ensure_shape(value, [1])

    export(directory, serve, x=float_rows(4))


def read_records(directory: Path, secret: Path) -> None:
    def serve(x: Any) -> Any:
        lines = tf.data.TextLineDataset(str(secret))
        return x + lines.reduce(0.0, lambda total, line: total + tf.strings.to_number(line))

    export(directory, serve, x=float_rows(4))


@pytest.mark.parametrize(
    ("builder", "what"),
    [
        (read_a_path, "reads files"),
        (read_a_checkpoint, "reads a checkpoint that is not the model's own"),
        (read_records, "reads files"),
    ],
    ids=["path", "checkpoint", "records"],
)
def test_a_model_that_reads_is_refused(
    builder: Callable[[Path, Path], None], what: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("7", "utf-8")
    builder(tmp_path / "model", secret)
    with pytest.raises(UnsafeModelError, match=what):
        load(tmp_path / "model")
    assert any(it.startswith("MD130") and what in it for it in findings(tmp_path / "model"))
    (explanation,) = load(tmp_path / "model", allow_unsafe_ops=True).explain(ROW)
    assert explanation.prediction.tolist() == [8.0] * 4


def test_python_is_refused_twice(tmp_path: Path) -> None:
    def serve(x: Any) -> Any:
        return tf.ensure_shape(tf.py_function(lambda y: y * 2.0, [x], tf.float32), [None, 4])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(tmp_path, serve, x=float_rows(4))
    with pytest.raises(UnsafeModelError, match="this one calls Python: operation 'EagerPyFunc'"):
        load(tmp_path)
    with pytest.raises(pellucid.ModelError, match="which is not in the file; export it with"):
        load(tmp_path, allow_unsafe_ops=True)


# Assets


@pytest.mark.parametrize("name", ["asset_table", "table_from_asset", "keras_string_lookup"])
def test_a_model_s_own_assets_are_no_finding(name: str, built: Built) -> None:
    directory, _ = built(name)
    assert [it for it in findings(directory) if it.startswith("MD13")] == []


def changed(directory: Path, change: Callable[[Any], None]) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())


def copy_of(name: str, built: Built, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(built(name)[0], tmp_path / "copy"))


def test_an_asset_that_leads_out_of_the_model_is_refused(built: Built, tmp_path: Path) -> None:
    directory = copy_of("asset_table", built, tmp_path)
    (tmp_path / "secret.txt").write_text("a\nb\n", "utf-8")

    def lead_out(graph: Any) -> None:
        graph.asset_file_def[0].filename = "../../secret.txt"

    changed(directory, lead_out)
    assert "MD132: the asset '../../secret.txt' lies outside of assets/" in findings(directory)
    with pytest.raises(UnsafeModelError) as stop:
        load(directory)
    assert str(stop.value) == (
        f"{directory}: the asset '../../secret.txt' lies outside of the model's assets directory, "
        "and loading would read it; put it there, or, if you trust the model, add "
        "allow_unsafe_ops=True"
    )


def test_a_table_that_is_filled_from_no_asset_is_refused(built: Built, tmp_path: Path) -> None:
    directory = copy_of("asset_table", built, tmp_path)

    def forget(graph: Any) -> None:
        del graph.asset_file_def[:]
        for node in graph.object_graph_def.nodes:
            if node.WhichOneof("kind") == "asset":
                node.variable.dtype = 7

    changed(directory, forget)
    with pytest.raises(UnsafeModelError, match="reads a file that is none of the model's assets"):
        load(directory)


def test_the_name_of_the_checkpoint_is_only_given_while_it_is_restored(
    tmp_path: Path, built: Built
) -> None:
    """A signature that reads at the saver's own file name would read the default of that name."""
    directory = copy_of("simple_save", built, tmp_path)

    def read_later(graph: Any) -> None:
        (reader,) = (it for it in graph.graph_def.node if it.op == "RestoreV2")
        (output,) = graph.signature_def["serving_default"].outputs.values()
        (end,) = (it for it in graph.graph_def.node if f"{it.name}:0" == output.name)
        end.input.append(f"^{reader.name}")

    changed(directory, read_later)
    with pytest.raises(UnsafeModelError, match="reads a checkpoint that is not the model's own"):
        load(directory)


# What does not run


def test_what_another_signature_does_is_a_warning(tmp_path: Path, trace: Path) -> None:
    module = tf.Module()
    module.net = Net()

    @tf.function(input_signature=[float_rows(4)])
    def log(x: Any) -> Any:
        write(trace)
        return x

    @tf.function(input_signature=[float_rows(4)])
    def serve(x: Any) -> Any:
        return module.net(x)

    signatures = {"serving_default": serve, "log": log}
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=signatures)
    text = metadata(
        {"x": {"input_tensor_name": "x"}}, "output_0", serving_sigdef_key="serving_default"
    )
    (tmp_path / "model" / "explanation_metadata.json").write_text(str(text).replace("'", '"'))
    problems = lint(tmp_path / "model").problems
    assert {(it.code, it.severity.value) for it in problems} == {("MD131", "warning")}
    (message,) = {it.message for it in problems}
    assert message.startswith("operation 'WriteFile' (WriteFile) in function '__inference_log_")
    assert message.endswith("' writes files; explaining does not run it")
    load(tmp_path / "model").explain(normal(1, 4))
    assert traces(trace) == []
    assert "MD130" in {it.code for it in lint(tmp_path / "model", "log").problems}


def test_two_nodes_of_one_name_hide_nothing(tmp_path: Path, trace: Path) -> None:
    """Readers differ in which of two namesakes they take."""
    _tf1(tmp_path / "model", trace)

    def hide(graph: Any) -> None:
        with tf.Graph().as_default() as made:
            write(trace)
        nodes = {it.name: it for it in made.as_graph_def().node}
        (writer,) = (it for it in nodes.values() if it.op == "WriteFile")
        graph.graph_def.node.extend(nodes[i] for i in writer.input)
        twin = graph.graph_def.node[-1]
        writer.name = next(it.name for it in graph.graph_def.node if it is not twin)
        graph.graph_def.node.insert(0, writer)

    changed(tmp_path / "model", hide)
    with pytest.raises(UnsafeModelError, match="writes files"):
        load(tmp_path / "model")
