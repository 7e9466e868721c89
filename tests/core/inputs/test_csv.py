"""Tables: each row an instance, each column an input or an element of one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pellucid.errors import InstanceError
from pellucid.inputs.readers import (
    InputInfo,
    Instance,
    read_csv,
    stack,
)

CHOOSE = (
    "; say what stands for missing values: missing='baseline' or, where no gradients are "
    "taken, missing='nan'"
)
X4 = InputInfo(name="x", dtype="float32", shape=(None, 4))


def column(name: str, dtype: str = "float32") -> InputInfo:
    return InputInfo(name=name, dtype=dtype, shape=(None, 1))


def message(call: Callable[[], object]) -> str:
    with pytest.raises(InstanceError) as caught:
        call()
    return str(caught.value)


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
        ("a,b,c,d\n1,2,,4\n", (X4,), "t.csv:2: column 'c' is empty" + CHOOSE),
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
            "t.csv:2: column 'a' is missing (\"nan\")" + CHOOSE,
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


@pytest.mark.parametrize("cell", ["1,5", "-1.234,5", "1,5e3", "1,234,567"])
def test_a_comma_in_a_number_is_refused_with_what_to_do(cell: str) -> None:
    one = InputInfo(name="x", dtype="float32", shape=(None,))
    other = InputInfo(name="y", dtype="float32", shape=(None,))
    with pytest.raises(
        InstanceError, match=r"^line 2: column 'x' has a comma in a number"
    ) as caught:
        list(read_csv(["x;y\n", f"{cell};2\n"], [one, other]))
    assert f'"{cell}"; write a decimal point' in str(caught.value)
    text = InputInfo(name="x", dtype="string", shape=(None,))
    (found,) = read_csv(["x;y\n", f"{cell};2\n"], [text, other])
    assert found.value == {"x": cell, "y": 2}
