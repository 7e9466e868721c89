"""Features: baselines of every form, and attributions of every encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import SpecError
from pellucid.explain.features import baseline_array, feature_attributions, zero
from pellucid.metadata.spec import (
    Domain,
    DomainBaseline,
    Encoding,
    FileBaseline,
    InputSpec,
    RandomBaseline,
    ValueBaseline,
)

FLOAT = np.dtype(np.float32)
SPEC = InputSpec(name="x", tensor_name="x:0", domain=Domain(minimum=-1.0, maximum=3.0))


@pytest.mark.parametrize(
    "baseline, expected",
    [
        (ValueBaseline(0.5), [[0.5, 0.5], [0.5, 0.5]]),
        (ValueBaseline(((1, 2), (3, 4))), [[1, 2], [3, 4]]),
        (ValueBaseline((((1, 2), (3, 4)),)), [[1, 2], [3, 4]]),  # with the batch axis
        (DomainBaseline("min"), [[-1, -1], [-1, -1]]),
        (DomainBaseline("max"), [[3, 3], [3, 3]]),
    ],
)
def test_a_baseline_becomes_an_array(baseline: ValueBaseline, expected: object) -> None:
    got = baseline_array(baseline, (2, 2), FLOAT, SPEC)
    assert got.dtype == FLOAT
    np.testing.assert_array_equal(got, expected)


def test_a_random_baseline_is_that_of_its_seed_and_within_the_domain() -> None:
    first, same, other = (
        baseline_array(RandomBaseline(seed), (50,), FLOAT, SPEC) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert first.min() >= -1 and first.max() <= 3 and first.max() > 1


def test_baselines_from_files(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.arange(4.0).reshape(2, 2))
    got = baseline_array(FileBaseline(str(tmp_path / "b.npy")), (2, 2), FLOAT, SPEC)
    np.testing.assert_array_equal(got, [[0, 1], [2, 3]])
    Image.new("RGB", (8, 6), (255, 0, 255)).save(tmp_path / "b.png")
    image = baseline_array(FileBaseline(str(tmp_path / "b.png")), (4, 4, 3), FLOAT, SPEC)
    np.testing.assert_allclose(image[2, 2], [3.0, -1.0, 3.0], atol=1e-6)  # the domain's ends
    with pytest.raises(SpecError, match=r"^inputs\.x: baseline file .*gone\.npy: "):
        baseline_array(FileBaseline(str(tmp_path / "gone.npy")), (2,), FLOAT, SPEC)


def test_words_are_baselines_too() -> None:
    got = baseline_array(ValueBaseline(("a", "")), (2,), np.dtype(object), SPEC)
    assert got.tolist() == [b"a", b""]
    assert zero((2,), np.dtype(object)).tolist() == [b"", b""]


@pytest.mark.parametrize(
    "written, sentence",
    [
        ((1, 2, 3), "inputs.x: a baseline has shape [3], and the tensor 'x:0' has [2, 2] for one "
         "instance; give that shape, or one number"),
        (((1, 2), (3,)), "inputs.x: a baseline is not numbers of one shape: "),
    ],
)  # fmt: skip
def test_a_baseline_that_does_not_fit(written: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(SpecError) as error:
        baseline_array(ValueBaseline(written), (2, 2), FLOAT, SPEC)
    assert str(error.value).startswith(sentence)


VALUES = {"x": np.arange(6.0).reshape(3, 2)}


def reported(encoding: Encoding, **options: object) -> dict[str, list[float]]:
    spec = InputSpec(name="x", tensor_name="x:0", encoding=encoding, **options)  # type: ignore[arg-type]
    found = feature_attributions([spec], VALUES, {"x": 1})
    return {name: value.tolist() for name, value in found.items()}


def test_each_encoding_reports_what_its_feature_is() -> None:
    names = ("a", "b", "c")
    assert reported(Encoding.IDENTITY) == {"x": [[0, 1], [2, 3], [4, 5]]}
    assert reported(Encoding.CONCAT_EMBEDDING) == {"x": [1, 5, 9]}
    assert reported(Encoding.COMBINED_EMBEDDING) == {"x": [15]}
    bag = {"a": [1], "b": [5], "c": [9]}
    assert reported(Encoding.BAG_OF_FEATURES, index_feature_mapping=names) == bag
    assert reported(Encoding.BAG_OF_FEATURES_SPARSE, index_feature_mapping=names) == bag
    assert reported(Encoding.INDICATOR, index_feature_mapping=names) == {"x": [1, 5, 9]}
    # "The result has the shape of the input", even where nothing says that it is an embedding.
    assert reported(Encoding.IDENTITY, encoded_tensor_name="e:0") == {"x": [1, 5, 9]}


def test_a_group_is_one_feature_whatever_the_shapes_of_its_members() -> None:
    specs = [
        InputSpec(name="a", group_name="g"),
        InputSpec(name="b"),
        InputSpec(name="c", group_name="g"),
    ]
    values = {"a": np.array([1.0, 2.0]), "b": np.array(7.0), "c": np.ones((2, 2))}
    found = feature_attributions(specs, values, {})
    assert list(found) == ["g", "b"]
    np.testing.assert_array_equal(found["g"], [7.0])
    assert values["a"].tolist() == [1.0, 2.0]  # what was given is left as it is
