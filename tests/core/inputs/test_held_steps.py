"""DataFrames whose rows are time steps are read as the CSV of the same rows is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.errors import InstanceError
from pellucid.inputs import (
    TIME,
    Beside,
    InputInfo,
    Instance,
    open_columns,
    open_frame,
    read_file,
    read_table,
)

SERIES = InputInfo(name="signal", dtype="float32", shape=(None, None, 2))
VECTOR = InputInfo(name="signal", dtype="float32", shape=(None, None))
DAYS = pd.to_datetime(["2024-05-01", "2024-05-02", "2024-05-03"])
STEPS = pd.DataFrame({"heart": [1.0, 3.0, 5.0], "breath": [2.0, 4.0, 6.0]})
RUNS = STEPS.assign(run=["x", "x", "y"], when=[0.0, 0.5, 0.0])


def read(
    held: Any, info: InputInfo = SERIES, limit: int | None = None, **beside: Any
) -> tuple[list[Instance], list[str]]:
    said: list[str] = []
    if isinstance(held, dict):
        table = open_columns(held, [info], Beside(**beside))
    else:
        table = open_frame(held, [info], Beside(**beside), limit)
    return list(read_table(table, [info], note=lambda it: said.append(str(it)))), said


def refused(held: Any, info: InputInfo = SERIES, **beside: Any) -> str:
    with pytest.raises(InstanceError) as refusal:
        read(held, info, **beside)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("frame", "info", "beside"),
    [
        (STEPS, SERIES, {}),
        (STEPS.assign(time=[0, 1, 2]), SERIES, {}),
        (RUNS, SERIES, {"id": "run", "time": "when"}),
        (RUNS, SERIES, {"id": "run", "ignored": ("when",)}),
        (STEPS[["heart"]].assign(t=DAYS.astype(str)), VECTOR, {"time": "t"}),
    ],
)
def test_a_frame_is_what_its_csv_is(
    tmp_path: Path, frame: pd.DataFrame, info: InputInfo, beside: dict[str, Any]
) -> None:
    path = tmp_path / "run.csv"
    frame.to_csv(path, index=False)
    said: list[str] = []
    notes = read_file(path, [info], beside=Beside(**beside), note=lambda it: said.append(it.what))
    expected = [*notes]
    for held in (frame, {name: frame[name].tolist() for name in frame}):
        found, heard = read(held, info, **beside)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.tensors["signal"], other.tensors["signal"])
            assert (one.id, one.names) == (other.id, other.names)
            assert one.extras.get(TIME) == other.extras.get(TIME)
        assert [it.removeprefix("the table: ") for it in heard] == said


def test_the_index_may_be_the_time_the_ids_or_both() -> None:
    (one,), said = read(STEPS.set_index(DAYS))
    assert np.diff(one.extras[TIME]["at"]).tolist() == [86400, 86400]  # type: ignore[index]
    assert said == ["the table: its index 'index' is taken for the time"]
    (one,), said = read(STEPS.set_index(pd.to_timedelta([0, 1, 2], "s").rename("since")))
    assert one.extras[TIME] == {"column": "since", "at": [0, 1, 2], "dates": False}
    both = RUNS.set_index(["run", "when"])
    for held, beside in (
        (both, {"time": "when"}),
        (both, {"id": "run", "time": "when"}),
        (both.rename_axis(index={"when": "time"}), {}),
        (RUNS.set_index("run"), {"time": "when"}),
    ):
        found, said = read(held, **beside)
        assert [(it.id, it.extras[TIME]["at"]) for it in found] == [  # type: ignore[index]
            ("x", [0.0, 0.5]),
            ("y", [0.0]),
        ]
        assert ("the table: its index 'run' is taken for the id" in said) == ("id" not in beside)
    (one,), said = read(STEPS.set_index(pd.Index([7, 3, 5])))
    assert TIME not in one.extras
    assert said[0] == "the table: its index is left out"


def test_a_limit_counts_instances_and_not_steps() -> None:
    (one,), _ = read(RUNS, limit=1, id="run", time="when")
    assert one.tensors["signal"].tolist() == [[1, 2], [3, 4]]


def test_what_does_not_fit_is_said_as_of_a_csv() -> None:
    apart = RUNS.assign(run=["x", "y", "x"])
    assert refused(apart, id="run", time="when") == (
        "the table: the rows of 'x' are not together; sort the table by its id, and then by its time"
    )
    assert refused(RUNS, id="run", time="whem").endswith("did you mean 'when'?")
    assert refused(RUNS, id="run").endswith(
        "name the column of times with time_column=…, or leave one out with ignore_columns=…"
    )
    gap = RUNS.assign(heart=[1.0, np.nan, 5.0])
    assert refused(gap, id="run", time="when").startswith("x: [1]: column 'heart' is empty; say")
    late = RUNS.assign(when=["0", "soon", "1"])
    assert refused(late, id="run", time="when").startswith("instances[0][1]: column 'when' holds")
    both = [SERIES, InputInfo(name="age", dtype="float32", shape=(None,))]
    with pytest.raises(InstanceError, match="rows that are time steps are of one series"):
        open_frame(RUNS, both, Beside(time="when"))
    assert refused(STEPS[:0]) == "the table: has no rows, there is nothing to explain"
