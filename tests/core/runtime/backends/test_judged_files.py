"""TensorFlow's own loaders load what was judged, whatever lies in the directory by then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zoo_tf1

import pellucid
from pellucid.runtime.backends.function import FunctionBackend
from pellucid.runtime.backends.v1_loader import V1LoaderBackend
from pellucid.saved_model import messages


def replaced_when_judged(directory: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a graph that writes a file take the place of a model's when that has been judged."""
    file = directory / "saved_model.pb"
    found = messages()("tensorflow.SavedModel").FromString(file.read_bytes())
    graph = found.meta_graphs[0]
    path = graph.graph_def.node.add(name="path", op="Const")
    path.attr["dtype"].type = path.attr["value"].tensor.dtype = 7
    path.attr["value"].tensor.string_val.append(bytes(written))
    graph.graph_def.node.add(name="write", op="WriteFile", input=["path", "path"])
    graph.collection_def["table_initializer"].node_list.value.append("write")
    for info in graph.signature_def["serving_default"].outputs.values():
        node = next(it for it in graph.graph_def.node if it.name == info.name.partition(":")[0])
        node.input.append("^write")
    judge = pellucid.api.loading.refuse_unsafe

    def refuse(*arguments: object) -> None:
        judge(*arguments)  # type: ignore[arg-type]
        file.write_bytes(found.SerializeToString())

    monkeypatch.setattr("pellucid.api.loading.refuse_unsafe", refuse)


@pytest.mark.parametrize("backend", [FunctionBackend, V1LoaderBackend])
def test_a_graph_that_takes_the_place_of_the_judged_one_is_not_loaded(
    backend: type,
    built: Callable[[str], tuple[Path, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory, _ = built(zoo_tf1.loop_in_frames.__name__)
    expected = pellucid.load(directory, warn=lambda _: None).predict([[1.0] * 4])
    own = tmp_path / "model"
    shutil.copytree(directory, own)
    replaced_when_judged(own, tmp_path / "written", monkeypatch)
    monkeypatch.setattr("pellucid.runtime.model.BACKENDS", (backend,))
    found = pellucid.load(own, warn=lambda _: None)
    assert np.allclose(found.predict([[1.0] * 4]), expected)
    assert not (tmp_path / "written").exists()
