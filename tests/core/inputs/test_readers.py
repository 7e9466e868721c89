"""Instances: what is accepted becomes exact arrays, what is not costs one exact sentence."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pellucid.errors import InstanceError, ModelError
from pellucid.inputs.picture_files import NOT_READ
from pellucid.inputs.readers import (
    InputInfo,
    Instance,
    read_file,
    read_jsonl,
    read_request,
    stack,
)
from pellucid.notices import Notice

CHOOSE = (
    "; say what stands for missing values: missing='baseline' or, where no gradients are "
    "taken, missing='nan'"
)
TEXT = InputInfo(name="text", dtype="string", shape=(None,))
WORDS = InputInfo(name="words", dtype="string", shape=(None, None))
X4 = InputInfo(name="x", dtype="float32", shape=(None, 4))
SCALAR = InputInfo(name="x", dtype="float32", shape=(None,))
PHOTO = InputInfo(name="image", dtype="float32", shape=(None, 4, 6, 3))
BYTES = InputInfo(name="image_bytes", dtype="string", shape=(None,))
ANY = InputInfo(name="x", dtype="float32", shape=None)


def column(name: str, dtype: str = "float32") -> InputInfo:
    return InputInfo(name=name, dtype=dtype, shape=(None, 1))


def one(value: object, *inputs: InputInfo) -> Instance:
    return read_request({"instances": [value]}, inputs).instances[0]


def array(value: object, info: InputInfo) -> Any:
    return one(value, info).tensors[info.name]


def message(call: Callable[[], object]) -> str:
    with pytest.raises(InstanceError) as caught:
        call()
    return str(caught.value)


def refused(value: object, *inputs: InputInfo) -> str:
    with pytest.raises(InstanceError) as caught:
        one(value, *inputs)
    assert caught.value.index == 0
    return str(caught.value)


# What the documentation shows


def test_csv_rows_encoded_as_strings_pass_through_as_text() -> None:
    body = '{"instances": ["1.0,true,\\"x\\"", "-2.0,false,\\"y\\""]}'
    request = read_request(body, [TEXT])
    batch = stack(request.instances, [TEXT])["text"]
    assert batch.tolist() == [b'1.0,true,"x"', b'-2.0,false,"y"']
    assert batch.dtype == object and batch.shape == (2,)
    assert request.warnings == ()


@pytest.mark.parametrize(
    ("body", "info", "expected"),
    [
        (
            '["the quick brown fox", "the lazy dog"]',
            TEXT,
            [b"the quick brown fox", b"the lazy dog"],
        ),
        (
            '[["the","quick","brown"],["the","lazy","dog"]]',
            WORDS,
            [[b"the", b"quick", b"brown"], [b"the", b"lazy", b"dog"]],
        ),
        ("[0.0, 1.1, 2.2]", SCALAR, [0.0, np.float32(1.1), np.float32(2.2)]),
        ("[[0, 1, 2],[3, 4, 5]]", InputInfo(name="x", dtype="int64", shape=(None, 3)), None),
        ("[[[0, 1, 2],[3, 4, 5]]]", InputInfo(name="x", dtype="int32", shape=(None, 2, 3)), None),
        ("[[[[138, 30, 66],[130, 20, 56]],[[126, 38, 61],[122, 24, 57]]]]", ANY, None),
        ('[{"b64": "X5ad6u"}, {"b64": "IA9j4nx"}]', TEXT, [b"_\x96\x9d\xea", b" \x0fc\xe2|"]),
        (
            '[{"b64": "ASa8asdf"}, {"b64": "JLK7ljk3"}]',
            BYTES,
            [base64.b64decode("ASa8asdf"), base64.b64decode("JLK7ljk3")],
        ),
    ],
)
def test_documented_request_bodies_work(body: str, info: InputInfo, expected: Any) -> None:
    request = read_request(f'{{"instances": {body}}}', [info])
    batch = stack(request.instances, [info])[info.name]
    assert batch.tolist() == (json.loads(body) if expected is None else expected)
    assert batch.dtype == (object if info.is_string else info.dtype)


def test_documented_named_inputs_work_with_bytes_and_with_pixels() -> None:
    tag = InputInfo(name="tag", dtype="string", shape=(None,))
    as_bytes = InputInfo(name="image", dtype="string", shape=(None,))
    got = one({"tag": "beach", "image": {"b64": "ASa8asdf"}}, tag, as_bytes)
    assert got.tensors["tag"].item() == b"beach"
    assert got.tensors["image"].item() == base64.b64decode("ASa8asdf")
    as_pixels = InputInfo(name="image", dtype="uint8", shape=(None, 1, 2, 3))
    got = one({"tag": "car", "image": [[[255, 0, 102], [255, 0, 97]]]}, tag, as_pixels)
    assert got.tensors["image"].tolist() == [[[255, 0, 102], [255, 0, 97]]]
    assert got.tensors["image"].dtype == np.uint8


def test_bytes_work_at_any_depth() -> None:
    assert array([["a", {"b64": "AAE="}]], TEXT_GRID).tolist() == [[b"a", b"\0\1"]]


TEXT_GRID = InputInfo(name="grid", dtype="string", shape=(None, 1, 2))


def test_text_is_sent_as_utf8() -> None:
    assert array("Übergröße 猫", TEXT).item() == "Übergröße 猫".encode()


def test_one_bare_object_is_accepted_with_a_warning() -> None:
    request = read_request({"instances": {"a": 1.0}}, [column("a")], source="r.json")
    assert tuple(map(str, request.warnings)) == (
        "r.json: 'instances' is one bare object; read as a list of one instance",
    )
    assert request.instances[0].tensors["a"].tolist() == [1.0]


def test_other_keys_of_a_request_are_kept() -> None:
    request = read_request({"instances": [0.5], "top_labels": 3, "parameters": {}}, [SCALAR])
    assert request.parameters == {"top_labels": 3, "parameters": {}}


def test_one_value_fits_however_many_brackets_it_wears() -> None:
    assert array({"a": 2}, column("a")).tolist() == [2.0]
    assert array([2], SCALAR).shape == ()
    assert array(2, SCALAR).shape == ()
    assert array("word", column("a", "string")).tolist() == [b"word"]


def test_a_model_without_batch_axis_takes_its_whole_shape() -> None:
    info = InputInfo(name="x", dtype="float32", shape=(2, 2), batch=False)
    assert array([[1, 2], [3, 4]], info).shape == (2, 2)
    assert refused([1, 2], info) == (
        "instances[0]: input 'x' is float32 [2, 2], got a list of shape [2]"
    )


def test_numpy_values_are_read_like_lists() -> None:
    assert array(np.ones(4, np.float32), X4).tolist() == [1, 1, 1, 1]
    assert array({"x": np.ones(4)}, X4).tolist() == [1, 1, 1, 1]
    assert array(np.float64(2), SCALAR).item() == 2


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(max_dims=4, max_side=4),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_floats_survive_json_exactly(values: Any) -> None:
    text = json.dumps({"instances": [values.tolist()]})
    got = read_request(text, [ANY]).instances[0].tensors["x"]
    assert got.shape == values.shape
    assert np.array_equal(got, values)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_json_value_is_an_array_that_fits_or_one_sentence(value: object) -> None:
    for info in (TEXT, WORDS, X4, SCALAR, ANY, column("x", "int8"), column("x", "bool")):
        try:
            got = one(value, info).tensors[info.name]
        except InstanceError as error:
            assert error.index == 0 and str(error).startswith("instances[0]")
            assert "\n" not in str(error).split("the string")[0]
        else:
            assert got.dtype == (object if info.is_string else info.dtype)


# What is wrong, in one sentence


@pytest.mark.parametrize(
    ("value", "info", "expected"),
    [
        ([1, 2, 3], X4, ": input 'x' is float32 [4], got a list of shape [3]"),
        (5, X4, ": input 'x' is float32 [4], got a single value, 5"),
        (
            [[1, 2, 3, 4]],
            X4,
            (": input 'x' is float32 [4], got a list of shape [1, 4]; leave out the outer list, one "
            "instance has no batch axis"),
        ),
        ([1, 2, True, 4], X4, "[2]: input 'x' is float32 [4], got true"),
        ([1, "0.5", 3, 4], X4, '[1]: input \'x\' is float32 [4], got the string "0.5"'),
        ([1, None, 3, 4], X4, "[1]: input 'x' is float32 [4], got null" + CHOOSE),
        ([1, 2, 3, {}], X4, "[3]: input 'x' is float32 [4], got an empty object"),
        ([1, 2, 3, {"b64": "AA=="}], X4, "[3]: input 'x' is float32 [4], got bytes"),
        (
            [1, 2, 3, {"a": 1, "b": 2}],
            X4,
            "[3]: input 'x' is float32 [4], got an object with the keys 'a', 'b'",
        ),
        (
            [1, 2, float("nan"), 4],
            X4,
            "[2]: input 'x' is float32 [4], got NaN, not a finite number" + CHOOSE,
        ),
        (float("-inf"), SCALAR, ": input 'x' is float32 scalar, got -Infinity, not a finite number"),
        (1e39, SCALAR, ": input 'x' is float32 scalar, got 1e+39, too large for it"),
        (
            10**400,
            SCALAR,
            (": input 'x' is float32 scalar, got 1000000000000000000000000000000000000..., "
            "too large for it"),
        ),
        (
            [[1, 2], [3]],
            ANY,
            ("[1]: input 'x' is float32 of any shape, got a ragged list: a list of 1 element here, "
            "a list of 2 elements at [0]"),
        ),
        (
            [[1, 2], [[3], 4]],
            ANY,
            ("[1][0]: input 'x' is float32 of any shape, got a ragged list: a list of 1 element "
            "here, 1 at [0][0]"),
        ),
        (1.5, column("n", "int64"), ": input 'n' is int64 [1], got 1.5"),
        (256, column("n", "uint8"), ": input 'n' is uint8 [1], got 256, outside 0 to 255"),
        (
            2**63,
            column("n", "int64"),
            f": input 'n' is int64 [1], got {2**63}, outside {-(2**63)} to {2**63 - 1}",
        ),
        (True, column("n", "int64"), ": input 'n' is int64 [1], got true"),
        (1, column("n", "bool"), ": input 'n' is bool [1], got 1"),
        (1, TEXT, ": input 'text' is string scalar, got 1"),
        (["a", 1], WORDS, "[1]: input 'words' is string [?], got 1"),
        ("one string", WORDS, ': input \'words\' is string [?], got a single value, the string "one string"'),
        ({"b64": "A"}, TEXT, ': "b64" is not valid base64'),
        ({"b64": "A*=="}, TEXT, ': "b64" is not valid base64'),
        ({"b64": 7}, TEXT, ': "b64" must be a string, got 7'),
        ("\ud800", TEXT, ": the string has a lone surrogate, so it is not valid Unicode"),
    ],
)  # fmt: skip
def test_a_wrong_value_costs_one_exact_sentence(
    value: object, info: InputInfo, expected: str
) -> None:
    assert refused(value, info) == "instances[0]" + expected


def test_whole_floats_are_integers_and_integers_are_floats() -> None:
    assert array(3.0, column("n", "int64")).tolist() == [3]
    assert array([2**63 + 1.0], column("n", "uint64")).tolist() == [2**63]
    assert array([1, 2, 3, 4], X4).dtype == np.float32
    assert array(True, column("n", "bool")).tolist() == [True]


def test_values_that_are_not_finite_pass_where_that_is_asked_for() -> None:
    info = InputInfo(name="x", dtype="float32", shape=(None, 2), finite=False)
    got = array([float("nan"), float("inf")], info)
    assert np.isnan(got[0]) and np.isposinf(got[1])
    assert refused([1e39, 0], info).endswith("got 1e+39, too large for it")


def test_lists_nested_beyond_reason_are_refused() -> None:
    value: object = 1.0
    for _ in range(40):
        value = [value]
    assert refused(value, ANY) == (
        "instances[0]: input 'x' is float32 of any shape, got lists more than 32 deep"
    )
    deep = '{"instances": ' + "[" * 200_000
    assert message(lambda: read_request(deep, [ANY])) == "lists are nested too deeply"


def test_a_type_that_no_request_can_carry_is_the_models_fault() -> None:
    info = InputInfo(name="table", dtype="resource", shape=())
    with pytest.raises(ModelError) as caught:
        one(1, info)
    assert str(caught.value) == "input 'table' is of type resource, which a request cannot carry"


def test_wrong_names_are_told_with_the_nearest() -> None:
    a, b = column("alcohol"), column("malic_acid")
    assert refused({"alcohl": 1, "malic_acid": 2}, a, b) == (
        "instances[0]: unknown input 'alcohl'; did you mean 'alcohol'?"
    )
    assert refused({"zzz": 1}, a, b) == (
        "instances[0]: unknown input 'zzz'; the inputs are 'alcohol', 'malic_acid'"
    )
    assert refused({"alcohol": 1}, a, b) == "instances[0]: missing input 'malic_acid'"
    assert refused({}, a, b) == "instances[0]: missing inputs 'alcohol', 'malic_acid'"
    assert refused([1, 2], a, b) == (
        "instances[0]: the model has 2 inputs, so an instance must be an object with the keys "
        "'alcohol', 'malic_acid'; got a list"
    )
    assert refused({"alcohol": "x", "malic_acid": 2}, a, b) == (
        "instances[0].alcohol: input 'alcohol' is float32 [1], got the string \"x\""
    )


def test_instances_with_different_keys_are_an_error() -> None:
    a, b = column("a"), column("b")
    assert message(lambda: read_request({"instances": [{"a": 1, "b": 2}, {"a": 1}]}, [a, b])) == (
        "instances[1]: missing input 'b'"
    )
    assert message(lambda: read_request({"instances": [1.0, {"a": 1}]}, [a])) == (
        "instances[1]: names its inputs, unlike instances[0]; all instances must have the same keys"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"instances":\n [1, 2,,]}', "r.json:2:8: not JSON: Expecting value"),
        ("", "r.json: empty, expected JSON"),
        ("[]", "r.json: 'instances' is an empty list, there is nothing to explain"),
        ("1", 'r.json: a request is an object, {"instances": […]}, or a list of instances, got a number'),
        ('{"instance": [1]}', "r.json: the request has no key 'instances'; is it 'instance'?"),
        ('{"x": 1}', "r.json: the request has no key 'instances'"),
        ('{"instances": "x"}', "r.json: 'instances' must be a list, got a string"),
        (
            '{"instances": []}',
            "r.json: 'instances' is an empty list, there is nothing to explain",
        ),
        (
            '{"instances": [{"x": 1, "x": 2}]}',
            "r.json: the key 'x' is written twice in one object",
        ),
        (b'{"instances": ["\xff"]}', "r.json: not UTF-8 text (byte 0xff at offset 16)"),
        ('{"instances": [NaN]}', ("r.json: instances[0]: input 'x' is float32 scalar, got NaN, "
         "not a finite number" + CHOOSE)),
    ],
)  # fmt: skip
def test_a_wrong_request_costs_one_exact_sentence(text: str | bytes, expected: str) -> None:
    assert message(lambda: read_request(text, [SCALAR], source="r.json")) == expected


def test_without_a_file_name_line_and_column_are_words() -> None:
    assert message(lambda: read_request('{"instances"}', [SCALAR])) == (
        "line 1, column 13: not JSON: Expecting ':' delimiter"
    )


def test_instances_of_different_shape_do_not_stack() -> None:
    request = read_request({"instances": [["a"], ["b", "c"]]}, [WORDS])
    assert message(lambda: stack(request.instances, [WORDS])) == (
        "instances[1]: input 'words' has shape [2], instances[0] has [1]; one batch needs one shape"
    )
    assert message(lambda: stack([], [WORDS])) == "there are no instances"


# JSON Lines


def test_json_lines_skip_blank_lines_and_count_instances() -> None:
    got = list(read_jsonl(["\ufeff1\n", "\n", "2.5\n"], [SCALAR], source="a.jsonl"))
    assert [(i.index, i.value, i.source) for i in got] == [(0, 1, "a.jsonl"), (1, 2.5, "a.jsonl")]


def test_one_bad_line_costs_one_sentence_and_nothing_else() -> None:
    errors: list[InstanceError] = []
    lines = ["1\n", "\n", "{\n", '"x"\n', "2\n"]
    got = list(read_jsonl(lines, [SCALAR], source="a.jsonl", on_error=errors.append))
    assert [(i.index, i.value) for i in got] == [(0, 1), (3, 2)]
    assert [(str(e), e.index) for e in errors] == [
        ("a.jsonl:3:2: not JSON: Expecting property name enclosed in double quotes", 1),
        ("a.jsonl:4: input 'x' is float32 scalar, got the string \"x\"", 2),
    ]
    assert message(lambda: list(read_jsonl(lines, [SCALAR]))) == (
        "line 3, column 2: not JSON: Expecting property name enclosed in double quotes"
    )


# Files


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("r.json", '{"instances": [1, 2]}', [1, 2]),
        ("lines.json", "1\n2\n", [1, 2]),
        ("one.json", '{"x": 3}', [{"x": 3}]),
        ("l.jsonl", "4\n\n5", [4, 5]),
        ("l.ndjson", '{"x": 6}\n', [{"x": 6}]),
        ("t.csv", "x\n7\n8\n", [{"x": 7}, {"x": 8}]),
        ("unknown", '{"instances": [9]}', [9]),
        ("unknown.txt", '{"x": 1}\n{"x": 2}\n', [{"x": 1}, {"x": 2}]),
        ("bom.jsonl", "\ufeff1\n", [1]),
    ],
)
def test_the_suffix_or_the_content_says_what_a_file_is(
    tmp_path: Path, name: str, text: str, expected: list[object]
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    got = list(read_file(path, [SCALAR]))
    assert [instance.value for instance in got] == expected
    assert {instance.source for instance in got} == {str(path)}


def test_a_picture_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "no_suffix"
    Image.new("RGB", (6, 4)).save(path, "PNG")
    assert next(read_file(path, [PHOTO])).tensors["image"].shape == (4, 6, 3)


def test_a_bad_picture_costs_one_error_in_a_run(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(b"junk")
    errors: list[InstanceError] = []
    assert list(read_file(path, [PHOTO], on_error=errors.append)) == []
    assert [str(error) for error in errors] == [f"{path}: {NOT_READ}"]


def test_warnings_and_faults_of_a_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"instances": {"x": 1}}')
    told: list[Notice] = []
    assert len(list(read_file(path, [SCALAR], warn=told.append))) == 1
    assert list(map(str, told)) == [
        f"{path}: 'instances' is one bare object; read as a list of one instance"
    ]
    path.write_text('{"instances":\n[1 2]}')
    assert message(lambda: list(read_file(path, [SCALAR]))) == (
        f"{path}:2:4: not JSON: Expecting ',' delimiter"
    )
    plain = tmp_path / "notes.txt"
    plain.write_text("hello")
    assert message(lambda: list(read_file(plain, [SCALAR]))) == (
        f"{plain}: is a text, which is no instance of a model of 'x' (float32 scalar); give JSON: "
        '{"x": …}'
    )
