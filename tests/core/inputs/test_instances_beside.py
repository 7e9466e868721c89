"""What stands beside the inputs of an instance, and files that are read line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid.errors import InstanceError
from pellucid.inputs.columns import Beside
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.readers import Instance, read_file, read_jsonl, read_request

PAIR = (
    InputInfo(name="age", dtype="float32", shape=(None,)),
    InputInfo(name="city", dtype="string", shape=(None,)),
)
VECTOR = (InputInfo(name="x", dtype="float32", shape=(None, 2)),)
BESIDE = Beside(kept=("id", "crowding_tag"))


def values(found: Iterator[Instance]) -> list[tuple[object, dict[str, object]]]:
    return [(instance.value, dict(instance.extras)) for instance in found]


def test_a_key_beside_the_inputs_is_set_aside() -> None:
    lines = ['{"id": "a", "age": 3, "city": "Ulm"}\n', "\n", '{"age": 4, "city": "Bonn"}\n']
    assert values(read_jsonl(lines, PAIR, beside=BESIDE)) == [
        ({"age": 3, "city": "Ulm"}, {"line": 1, "id": "a"}),
        ({"age": 4, "city": "Bonn"}, {"line": 3}),
    ]
    body = {"instances": [{"id": 7, "crowding_tag": "t", "x": [1, 2]}, {"x": [3, 4]}]}
    request = read_request(body, VECTOR, beside=BESIDE)
    assert values(iter(request.instances)) == [
        ({"x": [1, 2]}, {"id": 7, "crowding_tag": "t"}),
        ({"x": [3, 4]}, {}),
    ]


def test_a_key_that_was_not_asked_for_is_still_unknown() -> None:
    with pytest.raises(InstanceError, match="unknown input 'id'"):
        list(read_jsonl(['{"id": "a", "x": [1, 2]}'], VECTOR))


def test_an_input_of_that_name_stays_an_input() -> None:
    inputs = (*VECTOR, InputInfo(name="id", dtype="string", shape=(None,)))
    (found,) = read_jsonl(['{"id": "a", "x": [1, 2]}'], inputs, beside=BESIDE)
    assert found.tensors["id"] == b"a"
    assert found.extras == {"line": 1}


@pytest.mark.parametrize(
    "text",
    ["id,age,city\na,3,Ulm\nb,4,Bonn\n", "age,id,city\n3,a,Ulm\n4,b,Bonn\n"],
)
def test_a_column_beside_the_inputs_is_set_aside(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    found = values(read_file(tmp_path / "t.csv", PAIR, beside=BESIDE))
    assert found == [
        ({"age": 3, "city": "Ulm"}, {"line": 2, "id": "a"}),
        ({"age": 4, "city": "Bonn"}, {"line": 3, "id": "b"}),
    ]


def test_a_column_beside_those_of_a_vector(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,left,right\np1,1,2\np2,3,4\n")
    found = values(read_file(tmp_path / "t.csv", VECTOR, beside=BESIDE))
    assert found == [([1, 2], {"line": 2, "id": "p1"}), ([3, 4], {"line": 3, "id": "p2"})]
    (tmp_path / "t.csv").write_text("id,left,right\np1,1\n")
    with pytest.raises(InstanceError, match="row 1 has 2 columns, the first line has 3"):
        list(read_file(tmp_path / "t.csv", VECTOR, beside=BESIDE))


def test_json_lines_are_read_as_they_are_needed(tmp_path: Path) -> None:
    """What is wrong further down is not met before."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'\xef\xbb\xbf[1, 2]\r\n{"x": [3, 4]}\n[5, \xff]\n')
    found = read_file(path, VECTOR)
    assert [next(found).tensors["x"].tolist() for _ in range(2)] == [[1, 2], [3, 4]]
    with pytest.raises(InstanceError, match=r"t\.jsonl:3: not UTF-8 text \(byte 0xff at offset 4"):
        next(found)


def test_ten_thousand_lines_are_ten_thousand_instances(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps([i, -i]) + "\n" for i in range(10_000)))
    places = [instance.index for instance in read_file(path, VECTOR)]
    assert places == list(range(10_000))
