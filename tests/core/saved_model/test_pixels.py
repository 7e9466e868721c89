"""What a model takes for a picture is found out from its graph, however it was written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from pixel_models import EXPECTED, Expected

from pellucid.saved_model import Pixels, choose_signature, find_pixels, read
from pellucid.saved_model.pixels.verdict import BYTES, SIGNED, UNIT, range_of_statistics


def pixels_of(directory: Path) -> Pixels | None:
    meta_graph = read(directory).meta_graph()
    signature = choose_signature(meta_graph)
    (key,) = signature.inputs
    return find_pixels(meta_graph, signature, key, directory)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    done: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in done:
            directory = tmp_path_factory.mktemp(name) / "model"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of TensorFlow and Keras, which write it
                EXPECTED[name][0](directory)
            done[name] = directory
        return done[name]

    return get


@pytest.mark.parametrize("name", EXPECTED)
def test_the_graph_tells_what_was_written(name: str, written: Callable[[str], Path]) -> None:
    found = pixels_of(written(name))
    expected = EXPECTED[name][1]
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert Expected(found.low, found.high, found.order, found.channels_first) == expected  # type: ignore[arg-type]


def test_the_reason_names_the_operation_and_what_it_does(written: Callable[[str], Path]) -> None:
    found = pixels_of(written("module_caffe_of_bgr"))
    assert found is not None
    assert found.where == "StatefulPartitionedCall/StatefulPartitionedCall/sub"
    assert found.reason == f"'{found.where}' subtracts the mean (103.9, 116.8, 123.7)"
    assert found.text == "0..255,bgr"
    rescaled = pixels_of(written("keras_export_rescaling_to_signed"))
    assert rescaled is not None
    assert rescaled.reason == f"'{rescaled.where}' maps 0..255 to -1..1"


def test_without_its_variables_a_model_tells_less(
    written: Callable[[str], Path], tmp_path: Path
) -> None:
    source = written("module_mean_in_variables")
    (tmp_path / "saved_model.pb").write_bytes((source / "saved_model.pb").read_bytes())
    meta_graph = read(source).meta_graph()
    signature = choose_signature(meta_graph)
    assert find_pixels(meta_graph, signature, "image", tmp_path) is None


@pytest.mark.parametrize(
    ("means", "deviations", "expected"),
    [
        ([0.1307], [0.3081], UNIT),  # MNIST
        ([33.3], [78.6], BYTES),  # the same, times 255
        ([-0.74], [0.62], SIGNED),  # the same, between −1 and 1
        ([0.5], [0.5], UNIT),  # black and white, half each
        ([0.0], [1.0], SIGNED),
        ([0.5, 120.0], [0.2, 60.0], BYTES),
        ([3000.0], [800.0], None),  # no picture of 8 bits
        ([4.9], [6.0], None),  # digits of 0 to 16
    ],
)
def test_mean_and_deviation_tell_the_range(
    means: list[float], deviations: list[float], expected: tuple[float, float] | None
) -> None:
    assert range_of_statistics(means, deviations) == expected
