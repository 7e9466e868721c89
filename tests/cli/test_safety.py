"""Safety and ``--run`` at the command line: exit codes, and what is said where."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from places import SAMPLES


@pytest.fixture
def touching(tmp_path: Path) -> tuple[Path, Path]:
    """A copy of a model whose output waits for a file that is written; and that file."""
    from tensorflow.core.protobuf import saved_model_pb2

    model, trace = tmp_path / "model", tmp_path / "trace"
    shutil.copytree(SAMPLES / "diabetes" / "model", model)
    saved = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    for name, text in (("path", str(trace)), ("content", "touched")):
        constant = graph.node.add(name=name, op="Const")
        constant.attr["dtype"].type = constant.attr["value"].tensor.dtype = 7
        constant.attr["value"].tensor.tensor_shape.SetInParent()
        constant.attr["value"].tensor.string_val.append(text.encode())
    graph.node.add(name="writes", op="WriteFile", input=["path", "content"])
    output = saved.meta_graphs[0].signature_def["serving_default"].outputs["output_0"].name
    (call,) = (it for it in graph.node if f"{it.name}:0" == output)
    call.input.append("^writes")
    (model / "saved_model.pb").write_bytes(saved.SerializeToString())
    return model, trace


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"instances": [[0.0] * 10]}), "utf-8")
    return path


def test_it_is_found_and_refused_until_it_is_trusted(
    touching: tuple[Path, Path], request_file: Path, program: Any, tmp_path: Path
) -> None:
    model, trace = touching
    found = program("validate-metadata", model)
    assert found.code == 1
    assert found.out.decode() == (
        f"{model}/saved_model.pb: error MD130 unsafe-operation: operation 'writes' (WriteFile) "
        "writes files; explaining refuses to run it without --allow-unsafe-ops\n"
    )
    http_error = (
        f"error: {model}: refused, because a model is a program and this one writes files: "
        "operation 'writes' (WriteFile); see all with validate-metadata, and if you trust it, add "
        "--allow-unsafe-ops\n"
    )
    commands: list[Callable[[], Any]] = [
        lambda: program("explain", model, request_file),
        lambda: program("visualize", model, request_file, "-o", tmp_path / "a.png"),
        lambda: program("batch", model, request_file, "-o", tmp_path / "out"),
    ]
    for command in commands:
        refused = command()
        assert (refused.code, refused.out, refused.err) == (2, b"", http_error)
    assert not trace.exists()
    trusted = program("explain", "--allow-unsafe-ops", model, request_file)
    assert trusted.code == 0
    assert json.loads(trusted.out)["explanations"]


def test_run_says_why_a_model_cannot_be_explained(program: Any, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(SAMPLES / "digits" / "model", model)
    good = program("validate-metadata", "--run", "-v", model)
    assert (good.code, good.out) == (0, b"")
    assert f"{model}/explanation_metadata.json: a baseline instance was explained\n" in good.err
    data = model / "variables" / "variables.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 255
    data.write_bytes(content)
    assert program("validate-metadata", model).code == 0
    bad = program("validate-metadata", "--run", model)
    assert bad.code == 1
    text = bad.out.decode()
    assert text.startswith(
        f"{model}/saved_model.pb: error MD140 cannot-explain: the model cannot be loaded: the data "
        "of variable '"
    )
    assert text.endswith("the file is truncated or damaged; copy the model again\n")
    assert program("validate-metadata", "--run", "--ignore", "MD140", model).code == 0
