"""Instances that are converted together are what each is alone, and say the same where they fail."""

from __future__ import annotations

import csv
import io
import math
import pickle
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InstanceError
from pellucid.inputs import InputInfo, Instance, Missing, made_of, stack
from pellucid.inputs.by_column import arrays_of
from pellucid.inputs.csv import open_table
from pellucid.inputs.instances import instance_of
from pellucid.model import Rows, TensorsOfRow
from pellucid.notices import Where

SHAPES = [(None,), (None, 1), (None, 2)]
ODD = [
    None,
    math.nan,
    math.inf,
    True,
    "2",
    "1,5",
    10**400,
    2**70,
    {"b64": "AAA="},
    [],
    [[1.0]],
    1e39,
]
INPUTS = [
    InputInfo(name=f"{dtype}{i}", dtype=dtype, shape=shape, missing=missing, fill=0.5)
    for i, shape in enumerate(SHAPES)
    for dtype in ("float32", "int32", "bool", "string", "float16")
    for missing in (Missing.REFUSE, Missing.NAN, Missing.BASELINE)
]
CLEAN: dict[str, Any] = {"int32": 3, "bool": True, "string": "word"}


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[InputInfo], list[Any]]:
    """Some inputs, and instances of them, of which few are wrong."""
    count = draw(st.integers(1, 5))
    chosen = draw(st.lists(st.sampled_from(INPUTS), min_size=count, max_size=count))
    infos = [
        InputInfo(name=f"x{i}", dtype=it.dtype, shape=it.shape, missing=it.missing, fill=it.fill)
        for i, it in enumerate(chosen)
    ]

    def value(info: InputInfo) -> Any:
        cell = CLEAN.get(info.dtype, draw(st.sampled_from([0.25, -7, np.float32(1.5)])))
        if info.shape == (None, 2):
            cell = draw(st.sampled_from([[cell, cell], np.array([cell, cell])]))
        return draw(st.sampled_from(ODD)) if draw(st.integers(0, 30)) == 0 else cell

    rows: list[Any] = [{it.name: value(it) for it in infos} for _ in range(draw(st.integers(1, 9)))]
    if draw(st.integers(0, 5)) == 0:
        rows[-1].pop("x0")
    if len(infos) == 1 and draw(st.booleans()):
        rows = [next(iter(row.values()), 1.0) for row in rows]
    return infos, rows


def one_by_one(infos: list[InputInfo], rows: list[Any]) -> list[Instance | InstanceError]:
    found: list[Instance | InstanceError] = []
    for i, row in enumerate(rows):
        try:
            found.append(instance_of(row, infos, Where(instance=i)))
        except InstanceError as error:
            found.append(error)
    return found


@given(asked())
def test_together_is_as_one_by_one(question: tuple[list[InputInfo], list[Any]]) -> None:
    infos, rows = question
    together = [*made_of(((row, Where(instance=i), {}) for i, row in enumerate(rows)), infos)]
    for one, other in zip(one_by_one(infos, rows), together, strict=True):
        if isinstance(one, InstanceError):
            assert isinstance(other, InstanceError) and str(other) == str(one)
            continue
        assert isinstance(other, Instance) and other.index == one.index
        for name, array in one.tensors.items():
            same = other.tensors[name]
            assert (same.dtype, same.shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(same, array)


def test_rows_of_several_blocks_and_others_are_stacked_in_their_order() -> None:
    infos = [InputInfo(name="a", dtype="float32", shape=(None,)),
             InputInfo(name="b", dtype="float32", shape=(None, 1))]  # fmt: skip
    rows = [{"a": float(i), "b": -float(i)} for i in range(6)]
    blocks = [arrays_of(part, infos) for part in (rows[:4], rows[4:])]
    lone = instance_of({"a": 9, "b": [10]}, infos, Where(instance=6))
    several = [
        Instance(rows[n], TensorsOfRow(blocks[n // 4] or Rows(), n % 4), n) for n in (3, 1, 5, 4)
    ]
    batch = stack([*several[:2], lone, *several[2:]], infos)
    assert batch["a"].tolist() == [3, 1, 9, 5, 4]
    assert batch["b"].tolist() == [[-3], [-1], [10], [-5], [-4]]
    alone = pickle.loads(pickle.dumps(several[0].tensors))
    assert type(alone) is dict and {k: v.tolist() for k, v in alone.items()} == {"a": 3, "b": [-3]}


CELLS = st.sampled_from(
    [
        "1",
        " 2.5",
        "-0",
        "1e3",
        "",
        "nan",
        "1.",
        ".5",
        "+3",
        "007",
        "[1]",
        "1,2",
        "9" * 30,
        "x",
        "1],[2",
    ]
)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_cells_read_together_are_what_each_is_alone(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["a", "b", "c"], *rows])
    infos = [
        InputInfo(name="a", dtype="float32", shape=(None,), missing=Missing.NAN),
        InputInfo(name="b", dtype="int64", shape=(None,)),
        InputInfo(name="c", dtype="string", shape=(None,)),
    ]
    table = open_table(io.StringIO(file.getvalue(), newline=""), infos, "rows.csv")
    read = [*table.rows]
    together = [*table.values(read, range(len(read)))]
    for i, (row, found) in enumerate(zip(read, together, strict=True)):
        try:
            alone = table.value(row, i)
        except InstanceError as error:
            assert str(found) == str(error)
        else:
            assert repr(found) == repr(alone)  # 3 is not 3.0
