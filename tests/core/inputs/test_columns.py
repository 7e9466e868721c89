"""Tables as programs write them: separators, indices, ids, columns to leave out, missing values."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import InstanceError
from pellucid.inputs.columns import Beside
from pellucid.inputs.input_info import InputInfo, Missing
from pellucid.inputs.instances import Instance
from pellucid.inputs.readers import read_csv, read_file, read_jsonl, read_request

A = InputInfo(name="a", dtype="float32", shape=(None,))
B = InputInfo(name="b", dtype="float32", shape=(None,))
X2 = InputInfo(name="x", dtype="float32", shape=(None, 2))
ANY = InputInfo(name="x", dtype="float32", shape=(None, None))
NAMED = InputInfo(name="x", dtype="float32", shape=(None, 2), feature_names=("age", "bmi"))
NOTHING = Beside()


def read(
    text: str, *inputs: InputInfo, beside: Beside = NOTHING, separator: str | None = None
) -> tuple[list[Instance], list[str]]:
    said: list[str] = []
    lines = text.splitlines(keepends=True)
    found = read_csv(
        lines, inputs, source="t.csv", beside=beside, separator=separator,
        note=lambda notice: said.append(str(notice)),
    )  # fmt: skip
    return list(found), said


def values(text: str, *inputs: InputInfo, **options: Beside) -> list[object]:
    return [instance.value for instance in read(text, *inputs, **options)[0]]


def message(call: Callable[[], object]) -> str:
    with pytest.raises(InstanceError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(("separator", "said"), [(";", "';'"), ("\t", "tabs")])
def test_separators_are_recognised_and_said(separator: str, said: str) -> None:
    text = "a,b\n1,2\n3,4\n".replace(",", separator)
    for inputs, first in (((A, B), {"a": 1, "b": 2}), ((X2,), [1, 2]), ((ANY,), [1, 2])):
        found, told = read(text, *inputs)
        assert found[0].value == first
        assert len(found) == 2
        assert told == [f"t.csv: is separated by {said}"]


def test_a_comma_goes_before_other_separators_where_it_fits() -> None:
    semicolons = InputInfo(name="s", dtype="string", shape=(None,))
    assert values("s,a\nx;y,1\n", semicolons, A) == [{"s": "x;y", "a": 1}]
    assert values("s\nx;y\n", semicolons) == [{"s": "x;y"}]
    assert values('"a;c",b\n1,2\n', X2) == [[1, 2]]


def test_what_excel_says_of_its_separator_is_obeyed() -> None:
    assert read("sep=;\na;b\n1;2\n", A, B)[1] == []
    assert values("sep=|\na|b\n1|2\n", A, B) == [{"a": 1, "b": 2}]
    assert message(lambda: read("sep=;\na;b\n1;x\n", A, B)).startswith("t.csv:3.b: ")


def test_a_tsv_file_is_separated_by_tabs(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n")
    (tmp_path / "t.tsv.gz").write_bytes(gzip.compress(b"a\tb\n1\t2\n"))
    for name in ("t.tsv", "t.tsv.gz"):
        (found,) = read_file(tmp_path / name, [A, B])
        assert found.value == {"a": 1, "b": 2}


def test_old_line_ends_are_line_ends(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,b\r1,2\r3,"4"\r')
    assert [it.value for it in read_file(tmp_path / "t.csv", [A, B])] == [
        {"a": 1, "b": 2},
        {"a": 3, "b": 4},
    ]


@pytest.mark.parametrize(
    ("text", "inputs", "expected"),
    [
        ("a;b\n1;2\n3,4\n", (A, B), "t.csv:3: row 2 has 1 column, the first line has 2; this row "
         "is separated by ',', the first line by ';'"),
        ("a;b\n1,5;2\n", (A, B), "t.csv:2: column 'a' has a comma in a number, \"1,5\"; "
         "write a decimal point, and nothing between thousands: pandas makes that of "
         "read_csv(…, decimal=',', thousands='.')"),
        # Without a header: the first row is not taken for titles.
        ("1,5;2,5\n", (X2,), "t.csv:1: column '1' has a comma in a number, \"1,5\"; "
         "write a decimal point, and nothing between thousands: pandas makes that of "
         "read_csv(…, decimal=',', thousands='.')"),
        ("a,b\n$10,2\n", (A, B), "t.csv:2.a: input 'a' is float32 scalar, got the string \"$10\"; "
         "a number is written with a point and nothing else, as in 1234.5"),
        ("a,b\n1,12%\n", (A, B), "t.csv:2.b: input 'b' is float32 scalar, got the string \"12%\"; "
         "a number is written with a point and nothing else, as in 1234.5"),
        ("1,2\n3,4\n", (A, B), "t.csv:1: the first line has no titles; write a first line with "
         "the names of the inputs, 'a', 'b'"),
        ("a,b,target\n1,2,0\n", (A, B), "t.csv:1: unknown column 'target'; leave it out with "
         "ignore_columns='target'"),
        ("a,b,target\n1,2,0\n", (X2,), "t.csv:1: input 'x' is float32 [2], the table has 3 "
         "columns; leave a column out with ignore_columns=…"),
        ("bmi,age,target\n1,2,0\n", (NAMED,), "t.csv:1: unknown column 'target'; leave it out "
         "with ignore_columns='target'"),
        ("who,a,b,target\nx,1,2,0\n", (A, B), "t.csv:1: unknown columns 'who', 'target'; leave a "
         "column out with ignore_columns=…"),
        ("bmi,aeg\n1,2\n", (NAMED,), "t.csv:1: unknown column 'aeg'; did you mean 'age'?"),
        ("id,id,a,b\nx,y,1,2\n", (A, B), "t.csv:1: unknown column 'id'; leave it out with "
         "ignore_columns='id'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_costs_one_sentence(
    text: str, inputs: tuple[InputInfo, ...], expected: str
) -> None:
    assert message(lambda: read(text, *inputs)) == expected


def test_columns_are_left_out_and_one_is_the_id() -> None:
    beside = Beside(ignored=("target", "note"), id="name")
    for inputs, value in (((A, B), {"a": 1, "b": 2}), ((X2,), [1, 2])):
        found, said = read("name,a,target,b\nfirst,1,0,2\n", *inputs, beside=beside)
        assert [it.value for it in found] == [value]
        assert [it.id for it in found] == ["first"]
        assert str(found[0].where) == "t.csv: first"
        assert said == []
    assert message(lambda: read("a,b\n1,2\n", A, B, beside=beside)) == (
        "t.csv:1: has no column 'name', which was to be the id; the columns are 'a', 'b'"
    )
    assert message(lambda: read("name,name,a,b\nx,y,1,2\n", A, B, beside=beside)) == (
        "t.csv:1: column 'name', the id, is given twice"
    )


def test_an_input_can_be_the_id_too() -> None:
    beside = Beside(id="a")
    (found,), _ = read("a,b\n7,2\n", A, B, beside=beside)
    assert (found.value, found.id) == ({"a": 7, "b": 2}, "7")
    (found,) = read_jsonl(['{"a": 7, "b": 2}'], [A, B], beside=beside)
    assert (found.value, found.id) == ({"a": 7, "b": 2}, "7")


@pytest.mark.parametrize("inputs", [(A, B), (X2,)])
@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (",a,b\n0,1,2\n", "0", "t.csv:1: column 1, without a title, is the index that pandas "
         "writes and kept as the id"),
        ("Unnamed: 0,a,b\n0,1,2\n", "0", "t.csv:1: column 1, 'Unnamed: 0', is the index that "
         "pandas writes and kept as the id"),
        ("a,ID,b\n1,p7,2\n", "p7", "t.csv:1: column 'ID' is kept as the id"),
    ],
)  # fmt: skip
def test_an_index_and_an_id_are_recognised_and_said(
    text: str, name: str, said: str, inputs: tuple[InputInfo, ...]
) -> None:
    (found,), told = read(text, *inputs)
    assert (found.id, told) == (name, [said])
    assert found.value == ([1, 2] if inputs == (X2,) else {"a": 1, "b": 2})


def test_an_index_beside_an_id_is_left_out() -> None:
    (found,), told = read(",id,a,b\n0,p7,1,2\n", A, B)
    assert found.id == "p7"
    assert told[1].endswith("without a title, is the index that pandas writes and left out")


def test_a_column_called_id_that_fits_is_an_element() -> None:
    (found,), told = read("id,b\n1,2\n", X2)
    assert (found.value, found.id, told) == ([1, 2], None, [])


def test_titles_over_one_vector_are_the_names_of_its_elements() -> None:
    assert read("age,bmi\n1,2\n", X2)[0][0].names == ("age", "bmi")
    assert read("1,2\n", X2)[0][0].names is None
    assert read("age,age\n1,2\n", X2)[0][0].names is None


def test_columns_go_by_the_names_that_features_have() -> None:
    (found,), told = read("bmi,age\n1,2\n", NAMED)
    assert found.tensors["x"].tolist() == [2, 1]
    assert found.names == ("age", "bmi")
    assert told == ["t.csv:1: its columns are put in the order of the features of 'x'"]
    # Names of other people's own are in order.
    assert values("left,right\n1,2\n", NAMED) == [[1, 2]]


def lost(info: InputInfo, missing: Missing, fill: object = None) -> InputInfo:
    return replace(info, missing=missing, fill=fill)


@pytest.mark.parametrize("cell", ["", " ", "NA", "NaN", "nan", "null", "None", "#N/A", "<NA>"])
def test_missing_cells_are_nan_or_the_baseline(cell: str) -> None:
    text = f"a,b\n{cell},2\n"
    (found,), _ = read(text, lost(A, Missing.NAN), lost(B, Missing.NAN))
    assert np.isnan(found.tensors["a"])
    assert found.value == {"a": None, "b": 2}
    (found,), _ = read(text, lost(A, Missing.BASELINE, 0.5), lost(B, Missing.BASELINE, 7))
    assert (found.tensors["a"], found.tensors["b"]) == (0.5, 2)
    assert message(lambda: read(text, A, B)).startswith("t.csv:2: column 'a' is ")


def test_missing_values_of_requests_have_the_shape_of_the_others() -> None:
    info = lost(X2, Missing.BASELINE, (10.0, 20.0))
    body = {"instances": [[None, 2], [1, float("nan")], [3, 4]]}
    found = [it.tensors["x"].tolist() for it in read_request(body, [info]).instances]
    assert found == [[10, 2], [1, 20], [3, 4]]
    nan = read_request({"instances": [np.array([np.nan, 2], "f")]}, [lost(X2, Missing.NAN)])
    assert np.isnan(nan.instances[0].tensors["x"]).tolist() == [True, False]


def test_what_is_no_float_is_missing_only_where_it_has_a_baseline() -> None:
    count = InputInfo(name="n", dtype="int64", shape=(None,))
    text = InputInfo(name="s", dtype="string", shape=(None,))
    body = {"instances": [{"n": None, "s": None}]}
    said = message(lambda: read_request(body, [lost(count, Missing.NAN), text]))
    assert said == (
        "instances[0].n: input 'n' is int64 scalar, got null; let missing='baseline' stand for "
        "missing values"
    )
    filled = lost(count, Missing.BASELINE, 3), lost(text, Missing.BASELINE, b"none")
    (found,) = read_request(body, filled).instances
    assert (found.tensors["n"], found.tensors["s"]) == (3, b"none")
    said = message(lambda: read_request(body, [lost(count, Missing.BASELINE), text]))
    assert "what is missing has no baseline" in said


def test_keys_of_records_are_left_out_and_name_them() -> None:
    beside = Beside(ignored=("target",), id="key")
    body = {"instances": [{"a": 1, "b": 2, "target": 0, "key": 17}]}
    (found,) = read_request(body, [A, B], beside=beside).instances
    assert (found.value, found.id) == ({"a": 1, "b": 2}, "17")
    said = message(lambda: read_request({"instances": [{"a": 1, "b": "x", "key": 17}]}, [A, B], beside=beside))  # fmt: skip
    assert said == "17: b: input 'b' is float32 scalar, got the string \"x\""
    said = message(lambda: read_request({"instances": [{"a": 1, "b": 2}]}, [A, B], beside=beside))
    assert said == "instances[0]: has no key 'key', which was to be the id"
    said = message(lambda: read_request({"instances": [{"a": 1, "b": 2, "id": 7}]}, [A, B]))
    assert said == "instances[0]: unknown input 'id'; say that it is the id with id_column='id'"
