"""Instances: what is accepted becomes exact arrays, what is not costs one exact sentence."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pellucid.errors import InstanceError, ModelError
from pellucid.inputs.images import to_picture
from pellucid.inputs.picture_files import NOT_READ
from pellucid.inputs.readers import (
    InputInfo,
    Instance,
    read_csv,
    read_file,
    read_image,
    read_jsonl,
    read_request,
    stack,
)
from pellucid.metadata.spec import Domain
from pellucid.notices import Notice

TEXT = InputInfo(name="text", dtype="string", shape=(None,))
WORDS = InputInfo(name="words", dtype="string", shape=(None, None))
X4 = InputInfo(name="x", dtype="float32", shape=(None, 4))
SCALAR = InputInfo(name="x", dtype="float32", shape=(None,))
PHOTO = InputInfo(name="image", dtype="float32", shape=(None, 4, 6, 3))
GRAY = InputInfo(name="image", dtype="float32", shape=(None, 4, 6))
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
        ([1, None, 3, 4], X4, "[1]: input 'x' is float32 [4], got null"),
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
            "[2]: input 'x' is float32 [4], got NaN, not a finite number",
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
         "not a finite number")),
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


# Tables


def table(text: str, *inputs: InputInfo) -> list[Instance]:
    return list(read_csv(text.splitlines(keepends=True), inputs, source="t.csv"))


def test_columns_are_inputs_in_any_order() -> None:
    a, name, ok = column("a"), column("name", "string"), column("ok", "bool")
    got = table('ok, name ,a\ntrue,"Doe, ""J""\nx",1\n\n0,plain,2.5\n', a, name, ok)
    assert [i.value for i in got] == [
        {"ok": True, "name": 'Doe, "J"\nx', "a": 1},
        {"ok": False, "name": "plain", "a": 2.5},
    ]
    assert got[1].tensors["a"].tolist() == [2.5]
    assert got[0].tensors["name"].tolist() == [b'Doe, "J"\nx']


@pytest.mark.parametrize("header", ["age,sex,bmi,bp\n", ""])
def test_columns_in_order_are_the_elements_of_one_vector(header: str) -> None:
    got = table(header + "1,2,3,4\r\n5,6,7,8e-1\r\n", X4)
    expected = np.array([[1, 2, 3, 4], [5, 6, 7, 0.8]], np.float32)
    assert np.array_equal(stack(got, [X4])["x"], expected)
    assert got[0].value == [1, 2, 3, 4]


def test_several_values_in_one_cell_are_a_json_list() -> None:
    other = column("b")
    assert table('x,b\n"[1,2,3,4]",5\n', X4, other)[0].tensors["x"].tolist() == [1, 2, 3, 4]
    assert message(lambda: table("x,b\n[1;2],5\n", X4, other)) == (
        "t.csv:2: column 'x' is not a JSON list"
    )


@pytest.mark.parametrize(
    ("text", "inputs", "expected"),
    [
        ("", (X4,), "t.csv: there are no rows"),
        ("a,b\n1,2\n", (X4,), "t.csv:1: input 'x' is float32 [4], the table has 2 columns"),
        ("1,2,3,4\n1,2,3\n", (X4,), "t.csv:2: row 2 has 3 columns, the first line has 4"),
        ("a,b,c,d\n\n1\n", (X4,), "t.csv:3: row 1 has 1 column, the first line has 4"),
        ("a,b,c,d\n1,2,,4\n", (X4,), "t.csv:2: column 'c' is empty"),
        (
            "a,b,c,d\n1,2,1_0,4\n",
            (X4,),
            "t.csv:2[2]: input 'x' is float32 [4], got the string \"1_0\"",
        ),
        (
            "aa,b\n1,2\n",
            (column("a"), column("b")),
            "t.csv:1: unknown column 'aa'; did you mean 'a'?",
        ),
        ("a\n1\n", (column("a"), column("b")), "t.csv:1: missing column 'b'"),
        ("a,a,b\n1,1,1\n", (column("a"), column("b")), "t.csv:1: column 'a' is given twice"),
        (
            'a,b\n1,"2\n',
            (column("a"), column("b")),
            "t.csv:2: not CSV: unexpected end of data",
        ),
        (
            'a,b\n"x\ny",1\nz,q\n',
            (column("a", "string"), column("b")),
            "t.csv:4.b: input 'b' is float32 [1], got the string \"q\"",
        ),
        (
            "a,b\n1,yes\n",
            (column("a"), column("b", "bool")),
            "t.csv:2.b: input 'b' is bool [1], got the string \"yes\"",
        ),
        (
            "a,b\nnan,2\n",
            (column("a"), column("b")),
            "t.csv:2.a: input 'a' is float32 [1], got NaN, not a finite number",
        ),
    ],
)
def test_a_wrong_table_costs_one_exact_sentence(
    text: str, inputs: tuple[InputInfo, ...], expected: str
) -> None:
    assert message(lambda: table(text, *inputs)) == expected


def test_one_bad_row_costs_one_sentence_and_nothing_else() -> None:
    errors: list[InstanceError] = []
    lines = ["1,2,3,4\n", "1,2\n", "5,6,7,8\n"]
    got = list(read_csv(lines, [X4], on_error=errors.append))
    assert [i.index for i in got] == [0, 2]
    assert [(str(e), e.index) for e in errors] == [
        ("line 2: row 2 has 2 columns, the first line has 4", 1)
    ]


# Pictures


def corners() -> Any:
    """Four different corners, so that any turn or flip shows: uint8 [4, 6, 3]."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:2, :3] = (250, 0, 0)
    pixels[:2, 3:] = (0, 250, 0)
    pixels[2:, :3] = (0, 0, 250)
    pixels[2:, 3:] = (250, 250, 250)
    return pixels


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def pixels_of(data: bytes, info: InputInfo = PHOTO) -> Any:
    return read_image(data, [info]).tensors[info.name]


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_lossless_files_give_their_exact_pixels(form: str, tmp_path: Path) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    path = tmp_path / f"picture.{form.lower()}"
    path.write_bytes(encoded(Image.fromarray(corners()), form, **options))
    got = next(read_file(path, [PHOTO]))
    assert got.source == got.value == str(path)
    assert np.array_equal(got.tensors["image"], (corners() / 255).astype(np.float32))
    assert got.image is not None and np.array_equal(np.asarray(got.image), corners())


def test_of_an_animation_the_first_frame_is_taken() -> None:
    first, second = (Image.new("RGB", (6, 4), color) for color in ("red", "blue"))
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    assert np.array_equal(pixels_of(data)[0, 0], [1, 0, 0])


def test_a_jpeg_is_close_to_its_pixels() -> None:
    data = encoded(Image.fromarray(corners()), "JPEG", quality=100, subsampling=0)
    assert np.abs(pixels_of(data) - corners() / 255).max() < 0.03


TURNS: dict[int, Callable[[Any], Any]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_exif_orientation_is_honoured(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = Image.fromarray(corners()).resize((48, 32), Image.Resampling.NEAREST)
    data = encoded(lying, "JPEG", exif=exif, quality=100, subsampling=0)
    info = InputInfo(name="image", dtype="float32", shape=(None, None, None, 3))
    expected = TURNS[orientation](np.asarray(lying)) / 255
    got = pixels_of(data, info)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 0.03


def test_bytes_are_sent_as_they_are_and_drawn_as_the_model_sees_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(corners()), "JPEG", exif=exif)
    path = tmp_path / "turned.jpg"
    path.write_bytes(data)
    got = read_image(path, [BYTES])
    assert got.tensors["image_bytes"].shape == () and got.tensors["image_bytes"].item() == data
    assert got.image is not None and got.image.size == (6, 4)
    assert read_image(data, [BYTES]).value == {"b64": base64.b64encode(data).decode()}


def test_transparency_lies_over_white() -> None:
    half = Image.new("RGBA", (6, 4), (255, 0, 0, 51))
    assert np.allclose(pixels_of(encoded(half, "PNG"))[0, 0], [1, 0.8, 0.8], atol=1 / 255)
    palette = Image.fromarray(corners()).quantize(4)
    index = palette.getpixel((0, 0))
    data = encoded(palette, "PNG", transparency=index)
    got = pixels_of(data)
    assert np.array_equal(got[0, 0], [1, 1, 1])
    assert np.allclose(got[3, 5], 250 / 255, atol=3 / 255)
    gray = Image.new("LA", (6, 4), (0, 0))
    assert np.array_equal(pixels_of(encoded(gray, "PNG")), np.ones((4, 6, 3)))


def test_gray_of_sixteen_bits_is_divided_by_257() -> None:
    deep = np.linspace(0, 65535, 24).round().astype(np.uint16).reshape(4, 6)
    expected = np.rint(deep / 257) / 255
    for form in ("PNG", "TIFF"):
        got = pixels_of(encoded(Image.fromarray(deep), form), GRAY)
        assert np.array_equal(got, expected.astype(np.float32)), form


def test_floating_point_gray_is_read_on_its_own_scale() -> None:
    unit = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    got = pixels_of(encoded(Image.fromarray(unit), "TIFF"), GRAY)
    assert np.abs(got - unit).max() <= 0.5 / 255 + 1e-6
    for low, high in ((-1, 1), (0, 255), (0, 65535)):
        data = encoded(Image.fromarray(low + unit * (high - low)), "TIFF")
        instance = read_image(data, [GRAY])
        assert np.abs(instance.tensors["image"] - unit).max() <= 0.5 / 255 + 1e-6
        said = f"its floating-point values were read as {low}..{high}"
        assert [str(note) for note in instance.notes] == [said]


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.float32([[-5, 5]]), "its gray values run from -5 to 5, and not within 0..1, -1..1, "),
        (np.float32([[0, 1e6]]), "its gray values run from 0 to 1e+06, and not within 0..1, "),
        (np.float32([[0, np.nan]]), "its gray values are not all finite numbers; "),
        (np.int32([[-1, 5]]), "its gray values run from -1 to 5, and not within 0..65535; "),
    ],
)
def test_gray_on_no_usual_scale_is_refused_and_not_called_damaged(values: Any, what: str) -> None:
    said = message(lambda: pixels_of(encoded(Image.fromarray(values), "TIFF")))
    assert said.startswith(f"the picture: {what}")
    assert said.endswith("; save it with 8 or 16 bits")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (
            b"\0\0\0\x18ftypheic" + b"\0" * 99,
            "a HEIC picture cannot be read; save it as PNG or JPEG",
        ),
        (b"\0" * 128 + b"DICM" + b"\0" * 99, "a DICOM file cannot be read; save it as PNG or JPEG"),
        (b"<svg width='1'></svg>", "an SVG drawing cannot be read; save it as PNG or JPEG"),
        (
            b"II*\0\x08\0\0\0" + b"\0" * 99,
            "a TIFF file whose values are of a type that cannot be read; save it with 8 or 16 bits",
        ),
    ],
)
def test_a_picture_of_a_kind_that_is_not_read_is_called_what_it_is(data: bytes, what: str) -> None:
    assert message(lambda: pixels_of(data)) == f"the picture: {what}"


def test_cmyk_is_converted() -> None:
    data = encoded(Image.new("CMYK", (6, 4), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(pixels_of(data)[0, 0] - [1, 0, 0]).max() < 0.02


def test_a_gray_picture_fills_three_channels_and_colour_becomes_luma() -> None:
    gray = Image.new("L", (6, 4), 51)
    assert np.allclose(pixels_of(encoded(gray, "PNG")), 0.2)
    assert np.array_equal(pixels_of(encoded(gray, "PNG"), GRAY), np.full((4, 6), np.float32(0.2)))
    green = encoded(Image.new("RGB", (6, 4), (0, 255, 0)), "PNG")
    assert np.allclose(pixels_of(green, GRAY), 0.587)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((None, 4, 6), (4, 6)),
        ((None, 4, 6, 1), (4, 6, 1)),
        ((None, 3, 4, 6), (3, 4, 6)),
        ((None, None, None, 3), (8, 12, 3)),
        ((None, None, None), (8, 12)),
        ((None, 784), (784,)),
        ((None, 192), (192,)),
        (None, (8, 12, 3)),
    ],
)
def test_a_picture_becomes_the_shape_that_the_input_wants(
    shape: tuple[int | None, ...] | None, expected: tuple[int, ...]
) -> None:
    info = InputInfo(name="image", dtype="float32", shape=shape)
    assert pixels_of(encoded(Image.new("RGB", (12, 8)), "PNG"), info).shape == expected


@pytest.mark.parametrize(
    ("dtype", "domain", "black", "white"),
    [
        ("float32", None, 0, 1),
        ("float32", Domain(minimum=-1, maximum=1), -1, 1),
        ("float32", Domain(maximum=255), 0, 255),
        ("float32", Domain(minimum=-1, maximum=1, original_mean=0.5), -1, 1),
        ("float64", Domain(original_mean=0.5, original_stddev=0.25), -2, 2),
        ("float64", Domain(original_mean=127.5, original_stddev=127.5), -1, 1),
        ("uint8", None, 0, 255),
        ("int8", None, -128, 127),
        ("int32", Domain(minimum=0, maximum=1), 0, 1),
    ],
)
def test_pixels_are_scaled_to_the_domain_and_shown_back(
    dtype: str, domain: Domain | None, black: float, white: float
) -> None:
    info = InputInfo(name="image", dtype=dtype, shape=(None, 1, 2, 3), domain=domain)
    picture = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    got = pixels_of(encoded(Image.fromarray(picture), "PNG"), info)
    assert got.dtype == dtype
    assert got[0, :, 0].tolist() == [black, white]
    assert np.array_equal(to_picture(got, info), picture)


@given(hnp.arrays(np.uint8, (4, 6, 3)), st.sampled_from([(0, 1), (-1, 1), (0, 255), (-3, 5)]))
def test_showing_undoes_scaling_exactly(picture: Any, span: tuple[float, float]) -> None:
    domain = Domain(minimum=span[0], maximum=span[1])
    for shape in ((None, 4, 6, 3), (None, 3, 4, 6), (None, None, None, 3)):
        info = InputInfo(name="image", dtype="float32", shape=shape, domain=domain)
        got = pixels_of(encoded(Image.fromarray(picture), "PNG"), info)
        assert np.array_equal(to_picture(got, info), picture)


def test_resizing_keeps_means_and_is_not_rounded_to_eight_bits() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    got = pixels_of(encoded(Image.fromarray(picture), "PNG"))
    # An antialiased reduction by 8 averages; picking pixels would miss this by 0.1 and more.
    assert np.allclose(got.mean((0, 1)), picture.mean((0, 1)) / 255, atol=0.01)
    assert np.abs(got * 255 - np.rint(got * 255)).max() > 0.4
    flat = pixels_of(encoded(Image.new("RGB", (37, 51), (10, 20, 30)), "PNG"))
    assert np.allclose(flat, np.array([10, 20, 30]) / 255, atol=1e-6)


def test_resizing_is_the_triangle_filter() -> None:
    ramp = np.tile(np.arange(12, dtype=np.uint8) * 20, (8, 1))
    got = pixels_of(encoded(Image.fromarray(ramp), "PNG"), GRAY)
    # Reduction by 2: weights 1 3 3 1 (of 8) around each centre; linear inside a ramp.
    assert np.allclose(got[0, 1:-1] * 255, (np.arange(1, 5) * 2 + 0.5) * 20, atol=1e-4)
    assert np.isclose(got[0, 0] * 255, (3 * 0 + 3 * 20 + 1 * 40) / 7)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, (0, 255)), (-1, 1, (0, 255)), (0, 255, (0, 255)), (-5, 20, (0, 255)), (0, 128, (0, 128))],
)  # fmt: skip
def test_without_a_domain_the_values_tell_the_scale(
    low: float, high: float, expected: tuple[int, int]
) -> None:
    got = to_picture(np.array([[low, high]]), GRAY)
    assert got.dtype == np.uint8 and got.shape == (1, 2, 3)
    assert (int(got[0, 0, 0]), int(got[0, 1, 0])) == expected


def test_what_is_no_picture_is_not_shown() -> None:
    assert message(lambda: to_picture(np.zeros(13), X4)) == (
        "input 'x': values of shape [13] are not a picture"
    )
    assert message(lambda: to_picture(np.full((2, 2), np.nan), GRAY)) == (
        "input 'image': the picture has values that are not finite"
    )


PNG = encoded(Image.new("RGB", (6, 4)), "PNG")


def test_the_input_for_the_picture_is_found_or_asked_for() -> None:
    tag = InputInfo(name="tag", dtype="string", shape=(None,))
    got = read_image(PNG, [tag, PHOTO], values={"tag": "beach"})
    assert got.tensors["tag"].item() == b"beach" and got.tensors["image"].shape == (4, 6, 3)
    other = InputInfo(name="depth", dtype="float32", shape=(None, 4, 6, 1))
    assert message(lambda: read_image(PNG, [PHOTO, other])) == (
        "the picture: which input takes the picture, 'image' or 'depth'?"
    )
    assert read_image(PNG, [PHOTO, other], "depth", values={"image": corners()}).tensors[
        "depth"
    ].shape == (4, 6, 1)
    assert message(lambda: read_image(PNG, [PHOTO], "imag")) == (
        "the picture: the model has no input 'imag'; did you mean 'image'?"
    )
    assert message(lambda: read_image(PNG, [tag, PHOTO])) == "the picture: missing input 'tag'"
    assert message(lambda: read_image(PNG, [X4])) == (
        "the picture: no input of the model takes a picture ('x' is float32 [4])"
    )
    assert message(lambda: read_image(PNG, [X4], "x")) == (
        "input 'x' is float32 [4], which cannot hold a picture"
    )


def test_files_that_are_no_pictures_cost_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    assert message(lambda: read_image(path, [PHOTO])) == f"{path}: no such file"
    assert message(lambda: read_image(tmp_path, [PHOTO])) == (
        f"{tmp_path}: is a directory; name the files in it"
    )
    path.write_bytes(b"")
    assert message(lambda: list(read_file(path, [PHOTO]))) == f"{path}: the file is empty"
    path.write_bytes(b"hello, this is text")
    assert message(lambda: read_image(path, [PHOTO])) == (f"{path}: {NOT_READ}")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), "JPEG")
    path.write_bytes(whole[: len(whole) // 2])
    assert message(lambda: read_image(path, [PHOTO])).startswith(
        f"{path}: the picture is damaged (image file is truncated ("
    )
    whole = encoded(Image.fromarray(noise), "PNG")
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    assert message(lambda: read_image(path, [PHOTO])).startswith(f"{path}: the picture is damaged")


@given(st.binary(max_size=60), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
def test_damaged_files_never_cost_more_than_a_sentence(junk: bytes, form: str) -> None:
    data = bytearray(encoded(Image.fromarray(corners()), form))
    middle = len(data) // 3
    data[middle : middle + len(junk)] = junk
    try:
        assert pixels_of(bytes(data)).shape == (4, 6, 3)
    except InstanceError as error:
        assert str(error).startswith("the picture: ")


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_a_decompression_bomb_is_not_opened(side: int) -> None:
    assert message(lambda: pixels_of(bomb(side, side))) == (
        "the picture: the picture has more than 89,478,485 pixels; make it smaller first"
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
    path.write_bytes(PNG)
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
        f"{plain}: cannot tell what this is: neither JSON, nor a picture, nor named .csv"
    )
