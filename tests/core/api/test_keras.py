"""Keras models as people have them: in memory, in ``.keras`` and ``.h5`` files, and what is none."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import ModelError, UnsafeModelError
from pellucid.notices import Message
from pellucid.runtime.engine.tensorflow import tf

# Keras, with numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

layers = tf.keras.layers
ROW = [0.3, -1.2, 0.7]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pellucid" / "keras"


@pytest.fixture(scope="module")
def network() -> Any:
    tf.keras.utils.set_random_seed(3)
    return tf.keras.Sequential(
        [layers.Input((3,)), layers.Dense(5, activation="tanh"), layers.Dense(2)]
    )


def saved(network: Any, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras, of .h5
        network.save(path)
    return path


def test_a_model_in_memory_is_explained_as_a_tape_does(network: Any) -> None:
    label = pellucid.load(network, steps=50, warn=lambda _: None).explain([ROW])[0].labels[0]
    expected = network(np.array([ROW], np.float32)).numpy()[0]
    assert label.score == pytest.approx(expected.max(), abs=1e-6)
    (values,) = label.features.values()
    total = expected.max() - network(np.zeros((1, 3), np.float32)).numpy()[0][expected.argmax()]
    assert values.sum() == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("name", ["own.keras", "own.h5"])
def test_a_file_is_exported_once_and_said(
    name: str, network: Any, tmp_path: Path, cache: Path
) -> None:
    said: list[Message] = []
    path = saved(network, tmp_path / name)
    first = pellucid.load(path, warn=said.append)
    assert str(said[0]).startswith(f"{path}: exported by Keras to {cache}")
    assert first.directory.parent == cache
    before = (first.directory / "saved_model.pb").stat().st_mtime_ns
    again = pellucid.load(str(path), warn=said.append)
    assert (again.directory / "saved_model.pb").stat().st_mtime_ns == before
    assert any("earlier" in str(message) for message in said)
    assert again.predict([ROW])[0] == pytest.approx(
        network(np.array([ROW], np.float32)).numpy()[0], abs=1e-6
    )
    assert [it.name for it in cache.iterdir()] == [first.directory.name]  # nothing half-written


@pytest.mark.parametrize("name", ["own.keras", "own.h5"])
def test_code_in_a_file_is_not_run_unless_that_is_allowed(name: str, tmp_path: Path) -> None:
    model = tf.keras.Sequential([layers.Input((3,)), layers.Lambda(lambda x: x * 2)])
    path = saved(model, tmp_path / name)
    with pytest.raises(UnsafeModelError, match="holds Python code"):
        pellucid.load(path, warn=lambda _: None)
    found = pellucid.load(path, allow_unsafe_ops=True, warn=lambda _: None)
    assert np.allclose(found.predict([ROW])[0], np.multiply(ROW, 2))


def test_code_is_found_before_keras_reads_a_file_however_its_name_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import h5py

    model = tf.keras.Sequential([layers.Input((3,)), layers.Lambda(lambda x: x * 2)])
    path = saved(model, tmp_path / "own.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace("Lambda", "\\u004cambda")
    monkeypatch.setattr(tf.keras.models, "load_model", lambda *_, **__: pytest.fail("is loaded"))
    with pytest.raises(UnsafeModelError, match="holds Python code"):
        pellucid.load(path, warn=lambda _: None)


def test_a_keras_that_runs_what_files_name_reads_those_alone_that_are_trusted(
    network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(network, tmp_path / "own.keras")
    monkeypatch.setattr(tf.keras, "__version__", "3.8.0")
    with pytest.raises(UnsafeModelError, match=r"Keras 3\.8\.0 may run code"):
        pellucid.load(path, warn=lambda _: None)
    assert pellucid.load(path, allow_unsafe_ops=True, warn=lambda _: None).inputs


def test_a_class_that_keras_does_not_know_is_named(tmp_path: Path) -> None:
    class Own(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x + 1

    path = saved(tf.keras.Sequential([layers.Input((3,)), Own()]), tmp_path / "own.keras")
    with pytest.raises(ModelError, match=r"model\.export") as error:
        pellucid.load(path, warn=lambda _: None)
    assert str(error.value).startswith(f"{path}: Keras cannot load it")


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.tflite", b"\x1c\0\0\0TFL3\0\0\0\0", "is a TensorFlow Lite model"),
        ("a.keras", b"PK\x03\x04 cut off", "Keras cannot load it"),
        ("a.h5", b"\x89HDF\r\n\x1a\n cut off", "is damaged, or no HDF5 file"),
        ("a.pt", b"\x80\x02 a pickle", "is a file; give the directory"),
    ],
)
def test_other_files_are_said_to_be_what_they_are(
    name: str, data: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError) as error:
        pellucid.load(tmp_path / name, warn=lambda _: None)
    assert str(error.value).startswith(str(tmp_path / name)) and sentence in str(error.value)


def test_weights_alone_are_no_model(network: Any, tmp_path: Path) -> None:
    network.save_weights(tmp_path / "own.weights.h5")
    with pytest.raises(ModelError, match="holds weights and no model"):
        pellucid.load(tmp_path / "own.weights.h5", warn=lambda _: None)


def test_what_is_no_model_at_all_is_refused() -> None:
    with pytest.raises(ModelError, match="a dict is no model"):
        pellucid.load({}, warn=lambda _: None)
