"""What does not fit the memory is refused before it is asked, and what fits in part is cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.errors import OutOfMemoryError
from pellucid.notices import Where
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.model import TensorFlowModel

CHANNELS, FLOAT = 4, 4


def model_of(directory: Path, side: int | None, free: int) -> TensorFlowModel:
    """A convolution and a ReLU of pictures, where so many bytes are free."""
    module = tf.Module()
    module.kernel = tf.Variable(tf.ones([3, 3, 3, CHANNELS]) / 27)

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.nn.relu(tf.nn.conv2d(x, module.kernel, 1, "SAME"))
        return {"y": tf.reduce_mean(found, [1, 2])}

    spec = tf.TensorSpec([None, side, side, 3], name="x")
    call = tf.function(serve).get_concrete_function(x=spec)
    tf.saved_model.save(module, str(directory), signatures=call)
    loaded = pellucid.load(directory, warn=lambda sentence: None)
    asked = loaded.explainer.model
    assert isinstance(asked, TensorFlowModel)
    return TensorFlowModel(replace(asked.compile_spec, free_memory=lambda: free))


def gradient(model: TensorFlowModel, side: int, rows: int = 1) -> np.ndarray:
    x = {"x": np.random.default_rng(0).random((1, side, side, 3), np.float32)}
    zero = {"x": np.zeros_like(x["x"])}
    nodes, weights = (np.arange(rows) + 0.5) / rows, np.ones(rows) / rows
    return np.asarray(model.path_gradient(zero, x, nodes, weights, np.array([0]))["x"])


def test_a_gradient_that_does_not_fit_is_refused_in_one_sentence(tmp_path: Path) -> None:
    # The forward pass keeps one answer and 1.5 of the input, the gradient two answers at least.
    side = 100
    answer = side * side * CHANNELS * FLOAT
    model = model_of(tmp_path, side, 3 * answer)
    assert model.outputs({"x": np.ones((1, side, side, 3), np.float32)}).shape == (1, CHANNELS)
    with pytest.raises(OutOfMemoryError) as stop:
        gradient(model, side)
    assert model.traces["path_gradient"] <= 1
    said = str(stop.value.at(Where(instance=0)))
    assert said.startswith("instances[0]: its gradient takes about ")
    assert "of memory, and 0.5 MB are free" in said
    assert "the model takes pictures of 100 × 100 pixels and no others" in said
    assert "a method without gradients" in said
    with pytest.raises(OutOfMemoryError, match=r"^it takes about"):
        model_of(tmp_path / "less", side, answer // 2).outputs(
            {"x": np.ones((1, side, side, 3), np.float32)}
        )


def test_of_a_picture_of_any_size_it_says_which_would_fit_and_that_does(tmp_path: Path) -> None:
    side = 600
    model = model_of(tmp_path, None, 20_000_000)
    with pytest.raises(OutOfMemoryError, match=r"make it smaller first: (\d+) × \1 pixels") as stop:
        gradient(model, side)
    assert stop.value.notice.hint is not None
    fits = int(str(stop.value).split(" × ")[1].split()[0])
    assert fits < side
    assert gradient(model, fits).shape == (1, fits, fits, 3)


def test_a_block_has_as_many_rows_as_fit_and_the_answer_does_not_depend_on_it(
    tmp_path: Path,
) -> None:
    side, rows = 64, 16
    whole = gradient(model_of(tmp_path / "whole", side, 10**12), side, rows)
    few = model_of(tmp_path / "few", side, 1_000_000)
    asked, path_gradients = [], few._backend.path_gradients

    def counted(*given: np.ndarray) -> dict[str, np.ndarray]:
        asked.append(len(given[2]))
        return path_gradients(*given)

    few._backend.path_gradients = counted  # type: ignore[method-assign]
    np.testing.assert_allclose(gradient(few, side, rows), whole, rtol=1e-6, atol=1e-9)
    assert 1 <= max(asked) < rows and sum(asked) == rows
