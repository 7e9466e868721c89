"""Serialized records: bytes as TensorFlow writes them, and TFRecord files, whole and damaged."""

from __future__ import annotations

import base64
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InstanceError
from pellucid.inputs.input_info import InputInfo, Missing
from pellucid.inputs.instances import instance_of
from pellucid.inputs.readers import read_csv, read_file
from pellucid.inputs.records.tfrecord import crc32c
from pellucid.metadata import RecordFeature, RecordForm, RecordKind
from pellucid.notices import Where
from pellucid.runtime.engine.tensorflow import tf


def feature(
    name: str, dtype: str, shape: tuple[int | None, ...] = (), **more: bool
) -> RecordFeature:
    return RecordFeature(name=name, dtype=dtype, shape=shape, tensor=f"{name}:0", **more)


FORM = RecordForm(
    kind=RecordKind.EXAMPLE,
    features=(
        feature("age", "float32", (1,)),
        feature("job", "int64", required=False),
        feature("city", "string", required=False),
        feature("tags", "string", (None,), required=False, listed=True),
        feature("box", "float32", (2, 2), required=False),
    ),
)
EXAMPLES = InputInfo(name="examples", dtype="string", shape=(None,), record=FORM)
ROWS = InputInfo(
    name="rows",
    dtype="string",
    shape=(None,),
    record=RecordForm(
        kind=RecordKind.CSV,
        features=(
            feature("column_1", "float32", required=False),
            feature("column_2", "int64"),
            feature("column_3", "string", required=False),
        ),
    ),
)


def made(value: object, info: InputInfo = EXAMPLES) -> bytes:
    array = instance_of(value, [info], Where(instance=0)).tensors[info.name]
    return bytes(array.item())


def parsed(data: bytes) -> dict[str, list[object]]:
    """Return what TensorFlow reads of a serialized example."""
    found = {}
    for name, it in tf.train.Example.FromString(data).features.feature.items():
        kind = it.WhichOneof("kind")
        found[name] = list(getattr(it, kind).value)
    return found


def test_an_object_of_features_becomes_the_example_that_tensorflow_reads() -> None:
    value = {"age": 2.5, "job": -3, "city": "żółć", "tags": ["a", {"b64": "AP8"}], "box": [[1, 2], [3, 4]]}  # fmt: skip
    assert parsed(made(value)) == {
        "age": [2.5], "job": [-3], "city": ["żółć".encode()], "tags": [b"a", b"\0\xff"],
        "box": [1, 2, 3, 4],
    }  # fmt: skip
    assert parsed(made({"age": [1], "tags": "one", "job": None})) == {"age": [1], "tags": [b"one"]}
    assert made({"examples": value}) == made(value)
    data = made(value)
    assert made({"b64": base64.b64encode(data).decode()}) == data


@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    texts=st.lists(st.binary(max_size=300), max_size=3),
)
def test_all_numbers_and_bytes_survive(numbers: list[int], texts: list[bytes]) -> None:
    form = RecordForm(
        kind=RecordKind.EXAMPLE,
        features=(feature("n", "int64", (None,)), feature("s", "string", (None,))),
    )
    info = InputInfo(name="e", dtype="string", shape=(None,), record=form)
    found = parsed(made({"n": numbers, "s": np.array([*texts, None], object)[:-1]}, info))
    assert found == {"n": numbers, "s": texts}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"job": 1}, "instances[0]: missing feature 'age'"),
        ({"age": 1, "jobs": 2}, "instances[0]: unknown feature 'jobs'; did you mean 'job'?"),
        ({"age": "x"}, "instances[0].age: input 'age' is float32 [1], got the string \"x\""),
        ({"age": 1, "job": 2.5}, "instances[0].job: input 'job' is int64 scalar, got 2.5"),
        ({"age": 1, "box": [1, 2]}, "instances[0].box: input 'box' is float32 [2, 2], got a list "
         "of shape [2]"),
    ],
)  # fmt: skip
def test_a_feature_that_does_not_fit_is_named(value: object, sentence: str) -> None:
    with pytest.raises(InstanceError) as caught:
        made(value)
    assert str(caught.value) == sentence


def test_tables_have_features_for_columns_and_empty_cells_for_those_that_may_be_missing() -> None:
    text = "city,age,job\nrome,1.5,\n,2,7\n"
    found = list(read_csv(text.splitlines(True), [EXAMPLES], source="t.csv"))
    assert [it.value for it in found] == [
        {"city": "rome", "age": 1.5, "job": None},
        {"city": "", "age": 2, "job": 7},
    ]
    assert parsed(bytes(found[0].tensors["examples"].item())) == {"city": [b"rome"], "age": [1.5]}
    with pytest.raises(InstanceError, match="missing column 'age'"):
        list(read_csv(["city,job\n", "rome,1\n"], [EXAMPLES], source="t.csv"))


def test_rows_of_csv_are_given_as_text_lists_or_objects() -> None:
    assert made("1.5,2,x", ROWS) == b"1.5,2,x"
    assert made([1.5, 2, 'a "b", c'], ROWS) == b'1.5,2,"a ""b"", c"'
    assert made({"column_2": 7}, ROWS) == b",7,"
    with pytest.raises(InstanceError, match="is a row of CSV of 3 columns, got a list of 2"):
        made([1, 2], ROWS)


@pytest.mark.parametrize("head", ["height,count,kind\n", ""])
def test_a_table_for_a_model_that_parses_rows_has_a_header_or_none(head: str) -> None:
    text = head + '0.1,2,"a,b"\n,3,c\n'
    found = list(read_csv(text.splitlines(True), [ROWS], source="t.csv"))
    assert [bytes(it.tensors["rows"].item()) for it in found][1] == b",3,c"
    cells = bytes(found[0].tensors["rows"].item()).decode().split(",", 2)
    assert (np.float32(cells[0]), cells[1:]) == (np.float32(0.1), ["2", '"a,b"'])


def test_the_checksum_is_that_of_its_definition() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    data = np.random.RandomState(0).bytes(5000)

    def by_bits(part: bytes) -> int:
        crc = 0xFFFFFFFF
        for byte in part:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        return crc ^ 0xFFFFFFFF

    for size in (0, 1, 31, 1023, 1024, 1025, 4999):
        assert crc32c(data[:size]) == by_bits(data[:size]), size


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as file:
        for age in (1.0, 2.0, 3.0):
            file.write(made({"age": age, "city": "x" * 2000}))
    return path


def ages(path: Path) -> list[object]:
    found = read_file(path, [EXAMPLES])
    return [parsed(bytes(it.tensors["examples"].item()))["age"][0] for it in found]


def test_what_tensorflow_writes_is_read(records: Path, tmp_path: Path) -> None:
    assert ages(records) == [1, 2, 3]
    packed = gzip.compress(records.read_bytes())
    for name in ("b.tfrecord.gz", "b.tfrecords", "b.tfrecord-00000-of-00001"):
        (tmp_path / name).write_bytes(packed)
        assert ages(tmp_path / name) == [1, 2, 3], name


def test_a_record_whose_bytes_have_changed_is_named_and_the_others_are_read(records: Path) -> None:
    data = bytearray(records.read_bytes())
    data[len(data) // 2] ^= 1
    records.write_bytes(bytes(data))
    errors: list[InstanceError] = []
    found = list(read_file(records, [EXAMPLES], on_error=errors.append))
    assert [it.index for it in found] == [0, 2]
    assert [str(it) for it in errors] == [
        f"{records}: instances[1]: the checksum (CRC32C) of the record is wrong"
    ]


@pytest.mark.parametrize(
    ("cut", "sentence"),
    [
        (slice(None, -3), "instances[2]: the file ends within the record"),
        (slice(None, 8), "instances[0]: the file ends within the record's length"),
        (slice(1, None), "instances[0]: the checksum (CRC32C) of the record's length is wrong, so "
         "that it has no end; is it a TFRecord file?"),
    ],
)  # fmt: skip
def test_a_file_that_is_cut_says_where(records: Path, cut: slice, sentence: str) -> None:
    records.write_bytes(records.read_bytes()[cut])
    with pytest.raises(InstanceError) as caught:
        ages(records)
    assert str(caught.value) == f"{records}: {sentence}"


def test_a_file_for_another_model_is_refused(records: Path) -> None:
    x = InputInfo(name="x", dtype="float32", shape=(None, 2))
    with pytest.raises(InstanceError, match="is for models of one input, which takes serialized"):
        list(read_file(records, [x]))


def test_a_required_number_may_be_nan() -> None:
    (age,) = parsed(made({"age": None}, replace(EXAMPLES, missing=Missing.NAN)))["age"]
    assert np.isnan(age)
