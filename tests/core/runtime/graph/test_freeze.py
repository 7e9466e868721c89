"""Variables become constants where nobody writes them, and only so many of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_functions
import zoo_keras
import zoo_tf1
from zoo import Sample, normal

import pellucid
from pellucid.errors import ModelError
from pellucid.runtime.graph import freeze as weights
from pellucid.runtime.graph.flat_graph import FlatGraph, node_of
from pellucid.runtime.graph.freeze import checkpoint_reader, restored_keys, slice_of

assert all((zoo_functions, zoo_keras, zoo_tf1))  # they fill the zoo
Built = Callable[[str], tuple[Path, Sample]]


def model_of(directory: Path, **options: Any) -> Any:
    return pellucid.load(directory, warn=lambda sentence: None, **options).explainer.model


def ops(model: Any) -> list[str]:
    return [op.type for op in model._backend.graph.get_operations()]


def keys_of(directory: Path) -> dict[str, tuple[str, str]]:
    graph = model_of(directory).compile_spec.meta_graph
    flat = FlatGraph(graph)
    flat.add([f"^{node_of(graph.saver_def.restore_op_name)}"])
    return restored_keys(flat)


def test_the_restore_operation_says_which_key_a_variable_has(built: Built) -> None:
    assert keys_of(built("simple_save")[0]) == {"w": ("w", ""), "v": ("v", "")}
    assert keys_of(built("partitioned_variables")[0]) == {
        "table/part_0": ("table", "6 4 0,2:0,4"),
        "table/part_1": ("table", "6 4 2,2:0,4"),
        "table/part_2": ("table", "6 4 4,2:0,4"),
        "v": ("v", ""),
        "w/part_0": ("w", "4 5 0,4:0,2"),
        "w/part_1": ("w", "4 5 0,4:2,2"),
        "w/part_2": ("w", "4 5 0,4:4,1"),
    }
    found = keys_of(built("module")[0])
    assert sorted(key for key, _ in found.values()) == [
        f"net/{name}/.ATTRIBUTES/VARIABLE_VALUE" for name in ("b", "v", "w")
    ]


def test_a_slice_as_the_checkpoint_writes_it() -> None:
    whole = np.arange(12).reshape(4, 3)
    np.testing.assert_array_equal(whole[slice_of("4 3 1,2:0,3")], whole[1:3])
    np.testing.assert_array_equal(whole[slice_of("4 3 0,2:-")], whole[:2])
    np.testing.assert_array_equal(whole[slice_of("")], whole)


@pytest.mark.parametrize("name", ["module", "keras_dense", "simple_save", "partitioned_variables"])
def test_what_is_only_read_becomes_a_constant(name: str, built: Built) -> None:
    found = ops(model_of(built(name)[0]))
    assert not {"VarHandleOp", "VariableV2", "RestoreV2"} & set(found)
    assert "Const" in found


@pytest.mark.parametrize("name", ["counter", "reference_output", "while_over_input"])
def test_what_is_assigned_or_read_inside_a_loop_stays_a_variable(name: str, built: Built) -> None:
    assert {"VarHandleOp", "VariableV2"} & set(ops(model_of(built(name)[0])))


@pytest.mark.parametrize(
    "name",
    [
        "module",
        "keras_dense",
        "keras_lstm",
        "keras_mobile_blocks",
        "simple_save",
        "partitioned_variables",
        "gradient_with_variable",
        "embedding_in_function",
    ],
)
def test_above_the_limit_they_stay_variables_with_the_same_answers(
    name: str, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, sample = built(name)
    frozen = pellucid.load(directory, warn=lambda s: None).explain(sample.x)
    for limit in (0, 100):
        monkeypatch.setattr(weights, "FREEZE_LIMIT", limit)
        loaded = pellucid.load(directory, warn=lambda s: None)
        assert loaded.explainer.model.backend == "FlatGraphBackend"
        assert {"VarHandleOp", "VariableV2"} & set(ops(loaded.explainer.model))
        for one, other in zip(frozen, loaded.explain(sample.x), strict=True):
            for key, values in one.labels[0].values.items():
                scale = np.abs(values).max()
                np.testing.assert_allclose(other.labels[0].values[key], values, 0, 1e-5 * scale)


def test_the_small_ones_become_constants_first(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "FREEZE_LIMIT", 100)  # b (20) and v (60) fit, w (80) does not
    assert ops(model_of(built("module")[0])).count("VarHandleOp") == 1


def test_a_checkpoint_that_was_cut_off_is_named(tmp_path: Path) -> None:
    from zoo_functions import module

    module(tmp_path)
    data = tmp_path / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:60])
    prefix = str(tmp_path / "variables" / "variables")
    read = checkpoint_reader(prefix)
    with pytest.raises(ModelError) as stop:
        [read(f"net/{name}/.ATTRIBUTES/VARIABLE_VALUE") for name in ("w", "v", "b")]
    assert str(stop.value).endswith(
        f"cannot be read from {prefix}.data-*: the file is truncated or damaged; copy the model "
        "again"
    )
    (tmp_path / "variables" / "variables.index").write_bytes(b"no index")
    with pytest.raises(ModelError, match=r"variables\.index cannot be read as a checkpoint: "):
        checkpoint_reader(prefix)


def test_a_value_that_was_changed_on_disk_is_found(tmp_path: Path) -> None:
    """The checksum of the checkpoint is TensorFlow's; the sentence is ours."""
    from zoo_functions import module

    module(tmp_path)
    data = tmp_path / "variables" / "variables.data-00000-of-00001"
    damaged = bytearray(data.read_bytes())
    damaged[4:12] = b"\xff" * 8
    data.write_bytes(bytes(damaged))
    with pytest.raises(ModelError, match="the file is truncated or damaged; copy the model again"):
        pellucid.load(tmp_path, warn=lambda s: None).explain({"x": normal(1, 4)})
