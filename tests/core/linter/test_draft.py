"""What a signature's tensors are taken for, by rank, channels, proportions and names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.linter.draft import draft_metadata
from pellucid.metadata.spec import Dialect, Domain, InputSpec, Modality
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model.reader import read


def export(directory: Path, tensors: dict[str, tuple[Any, list[int | None]]]) -> Path:
    """A TensorFlow 1 model with one placeholder for each tensor."""
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        inputs = {
            name: v1.placeholder(dtype, shape, name) for name, (dtype, shape) in tensors.items()
        }
        score = v1.constant(np.ones((1, 1), np.float32))
        v1.saved_model.simple_save(session, str(directory), inputs, {"score": score})
    return directory


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "modality"),
    [
        ("x", tf.float32, [None, 32, 24, 3], Modality.IMAGE),
        ("x", tf.float32, [None, None, None, 1], Modality.IMAGE),
        ("x", tf.float16, [None, 32, 24, 1], Modality.IMAGE),
        ("x", tf.uint8, [None, 32, 24, 3], Modality.IMAGE),
        ("x", tf.float32, [None, 32, 24, 16], Modality.NUMERIC),
        ("x", tf.float32, [None, 4, 4, 3], Modality.NUMERIC),
        ("x", tf.float32, [None, 28, 28], Modality.IMAGE),
        ("x", tf.float32, [None, 28, 24], Modality.NUMERIC),
        ("x", tf.float32, [None, 96, 64], Modality.NUMERIC),
        ("x", tf.float32, [None, 98, 40], Modality.SERIES),
        ("x", tf.float32, [None, 10, 3], Modality.SERIES),
        ("x", tf.float32, [None, 10, 40], Modality.SERIES),
        ("x", tf.float32, [None, None, 40], Modality.SERIES),
        ("x", tf.float32, [None, 28, None], Modality.NUMERIC),
        ("x", tf.float32, [None, 2, 3], Modality.NUMERIC),
        ("x", tf.float32, [None, 199], Modality.NUMERIC),
        ("x", tf.float32, [None, 200], Modality.SERIES),
        ("x", tf.float32, [None, None], Modality.SERIES),
        ("pixels", tf.float32, [None, 784], Modality.NUMERIC),
        ("x", tf.int32, [None, 10, 3], Modality.CATEGORICAL),
        ("gray_image", tf.float32, [None, 28, 24], Modality.IMAGE),
        ("image_id", tf.float32, [None, 28], Modality.NUMERIC),
        ("x", tf.float32, [None, 4, 4], Modality.NUMERIC),
        ("x", tf.float32, None, Modality.NUMERIC),
        ("x", tf.int32, [None, 28, 28], Modality.CATEGORICAL),
        ("image", tf.string, [None], Modality.CATEGORICAL),
    ],
)
def test_what_an_input_is(
    tmp_path: Path, name: str, dtype: Any, shape: Any, modality: Modality
) -> None:
    draft = draft_metadata(read(export(tmp_path / "m", {name: (dtype, shape)})))
    (feature,) = draft.metadata.inputs
    domain = Domain(minimum=0.0, maximum=255.0) if dtype == tf.uint8 else None  # the type says so
    plain = InputSpec(name=name, tensor_name=f"{name}:0", modality=modality, domain=domain)
    assert replace(feature, pixel_layout=plain.pixel_layout) == plain


def test_a_sparse_input_has_its_three_tensors(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.sparse_placeholder(tf.float32, [None, 9], "x")
        score = v1.sparse.reduce_sum(x, axis=1)
        score.set_shape([None])
        v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"score": score})
    draft = draft_metadata(read(tmp_path / "m"), Dialect.VERTEX)
    (feature,) = draft.metadata.inputs
    assert (feature.tensor_name, feature.indices_tensor_name, feature.dense_shape_tensor_name) == (
        "x/values:0",
        "x/indices:0",
        "x/shape:0",
    )
