"""Tables whose rows are time steps: one file is one instance, and what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import InstanceError
from pellucid.inputs import TIME, Beside, InputInfo, Instance, read_file, read_request

SERIES = InputInfo(name="signal", dtype="float32", shape=(None, None, 2))
FIXED = InputInfo(name="signal", dtype="float32", shape=(None, 3, 2))
NAMED = InputInfo(
    name="signal", dtype="float32", shape=(None, 3, 2), feature_names=("heart", "breath")
)
VECTOR = InputInfo(name="signal", dtype="float32", shape=(None, None))


def read(
    folder: Path, text: str, info: InputInfo = SERIES, name: str = "run.csv", **beside: object
) -> tuple[list[Instance], list[str]]:
    path = folder / name
    path.write_text(text, "utf-8")
    said: list[str] = []
    found = read_file(
        path,
        [info],
        beside=Beside(**beside),
        note=lambda it: said.append(str(it)),  # type: ignore[arg-type]
    )
    instances = list(found)
    return instances, [it.replace(f"{folder}/", "") for it in said]


def refused(folder: Path, text: str, info: InputInfo = SERIES, **beside: object) -> str:
    with pytest.raises(InstanceError) as refusal:
        read(folder, text, info, **beside)
    return str(refusal.value).replace(f"{folder}/", "")


def test_the_rows_of_a_file_are_the_steps_of_one_instance(tmp_path: Path) -> None:
    (one,), said = read(tmp_path, "heart,breath\n1,2\n3,4\n5,6\n")
    np.testing.assert_array_equal(one.tensors["signal"], [[1, 2], [3, 4], [5, 6]])
    assert one.names == ("heart", "breath")
    assert TIME not in one.extras
    assert said == ["run.csv:1: its rows are the time steps of one instance"]


def test_the_time_is_a_column_that_is_named(tmp_path: Path) -> None:
    (one,), said = read(tmp_path, "heart;when;breath\n1;0.5;2\n3;1;4\n5;1.5;6\n", time="when")
    np.testing.assert_array_equal(one.tensors["signal"], [[1, 2], [3, 4], [5, 6]])
    assert one.extras[TIME] == {"column": "when", "at": [0.5, 1.0, 1.5], "dates": False}
    assert said == ["run.csv: is separated by ';'"]
    assert one.notes == ()


def test_rows_of_one_id_that_are_apart_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "id,heart,breath\na,1,2\nb,1,2\na,3,4\n", id="id") == (
        "run.csv:4: the rows of 'a' are not together; sort the table by its id, and then by its time"
    )


def test_a_column_called_time_beside_the_channels_is_recognised(tmp_path: Path) -> None:
    (one,), said = read(tmp_path, "Time,a,b\n0,1,2\n1,3,4\n")
    assert one.extras[TIME] == {"column": "Time", "at": [0, 1], "dates": False}
    assert said[0] == "run.csv:1: column 'Time' is taken for the time"


def test_dates_are_times(tmp_path: Path) -> None:
    text = "time,a,b\n2024-05-01,1,2\n2024-05-02 00:00:00,3,4\n2024-05-03T00:00:00Z,3,4\n"
    (one,), _ = read(tmp_path, text)
    assert np.diff(one.extras[TIME]["at"]).tolist() == [86400, 86400]  # type: ignore[index]
    assert one.extras[TIME]["dates"]  # type: ignore[index]


def test_a_vector_has_one_column_beside_the_time(tmp_path: Path) -> None:
    (one,), _ = read(tmp_path, "time,volts\n0,1\n1,3\n2,5\n", VECTOR, time="time")
    np.testing.assert_array_equal(one.tensors["signal"], [1, 3, 5])
    rows, _ = read(tmp_path, "a,b,c\n0,1,2\n1,3,4\n", VECTOR)
    assert len(rows) == 2, "without a time, a row of a vector is an instance"


def test_channels_are_taken_by_their_names(tmp_path: Path) -> None:
    (one,), said = read(tmp_path, "breath,heart\n1,2\n3,4\n5,6\n", NAMED)
    np.testing.assert_array_equal(one.tensors["signal"], [[2, 1], [4, 3], [6, 5]])
    assert said[-1] == "run.csv:1: its columns are put in the order of the channels of 'signal'"


def test_a_column_of_ids_tells_instances_apart(tmp_path: Path) -> None:
    text = "run,time,a,b\nx,0,1,2\nx,1,3,4\ny,0,5,6\n"
    instances, said = read(tmp_path, text, id="run", time="time")
    assert [it.id for it in instances] == ["x", "y"]
    assert [len(it.tensors["signal"]) for it in instances] == [2, 1]
    _, said = read(tmp_path, text, id="run")
    assert said[-1] == "run.csv:1: its rows with the same 'run' are the time steps of one instance"


def test_an_ignored_column_is_no_channel(tmp_path: Path) -> None:
    (one,), _ = read(tmp_path, "a,b,label\n1,2,0\n3,4,0\n", ignored=("label",))
    assert one.tensors["signal"].shape == (2, 2)


def test_json_has_times_too() -> None:
    document = {"instances": [{"signal": [[1, 2], [3, 4]], "when": [0, 5]}]}
    (one,) = read_request(document, [SERIES], beside=Beside(time="when")).instances
    assert one.extras[TIME] == {"column": "when", "at": [0, 5], "dates": False}
    document = {"instances": [{"signal": [[1, 2], [3, 4]], "when": [0, 5, 6]}]}
    with pytest.raises(InstanceError, match="has 3 times, and 'signal' has 2 steps"):
        read_request(document, [SERIES], beside=Beside(time="when"))


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (
            "0\n1\n1\n",
            "column 'time' does not increase in row 3: the steps are taken in the order of the "
            "rows, and drawn by their numbers",
        ),
        (
            "0\n1\n5\n",
            "column 'time' is irregular, with steps from 1 to 4, of which the model is told nothing",
        ),
        (
            "2024-01-01\n2024-01-02\n2024-01-09\n",
            "column 'time' is irregular, with steps from 8.64e+04 to 6.048e+05 s, of which the "
            "model is told nothing",
        ),
        ("2024-01-01\n2024-02-01\n2024-03-01\n", None),
    ],
)
def test_odd_times_are_said(tmp_path: Path, rows: str, note: str | None) -> None:
    text = "time,a,b\n" + "".join(f"{row},1,2\n" for row in rows.split())
    (one,), _ = read(tmp_path, text)
    assert [it.what for it in one.notes] == ([] if note is None else [note])


@pytest.mark.parametrize(
    ("text", "info", "beside", "sentence"),
    [
        (
            "a,b,c,d\n1,2,3,4\n",
            SERIES,
            {},
            "run.csv:1: input 'signal' is float32 [?, 2], 2 channels in each step, and the table "
            "has 4 columns; leave a column out with ignore_columns=…",
        ),
        (
            "a,b,c\n1,2,3\n",
            SERIES,
            {},
            "run.csv:1: input 'signal' is float32 [?, 2], 2 channels in each step, and the table "
            "has 3 columns; name the column of times with time_column=…, or leave one out with "
            "ignore_columns=…",
        ),
        (
            "time,a\n1,2\n",
            SERIES,
            {"time": "time"},
            "run.csv:1: input 'signal' is float32 [?, 2], 2 channels in each step, and the table "
            "has 1 column beside the time",
        ),
        (
            "1,2,3\n4,5,6\n",
            FIXED,
            {},
            "run.csv:1: input 'signal' is float32 [3, 2], 2 channels in each step, and the table "
            "has 3 columns; a row is a time step, and a column a channel: transpose the table",
        ),
        (
            "a,b\n1,2\n",
            FIXED,
            {},
            "run.csv:2: input 'signal' is float32 [3, 2], got a list of shape [1, 2]",
        ),
        (
            "heart,breth\n1,2\n",
            NAMED,
            {},
            "run.csv:1: unknown column 'breth'; did you mean 'breath'?",
        ),
        (
            "time,time,a,b\n1,2,3,4\n",
            SERIES,
            {"time": "time"},
            "run.csv:1: column 'time', the time, is given twice",
        ),
        (
            "tme,a,b\n1,2,3\n",
            SERIES,
            {"time": "time"},
            "run.csv:1: has no column 'time', which was to be the time; did you mean 'tme'?",
        ),
        (
            "time,a,b\n1,2,3\nsoon,2,3\n",
            SERIES,
            {"time": "time"},
            "run.csv:3: column 'time' holds no time, but \"soon\"; times are numbers, or dates as "
            "2024-05-01 or 2024-05-01 12:30:00",
        ),
        (
            "time,a,b\n1,2,3\n,2,3\n",
            SERIES,
            {"time": "time"},
            "run.csv:3: column 'time' is empty; times are numbers, or dates as 2024-05-01 or "
            "2024-05-01 12:30:00",
        ),
        (
            "a,b\n1,2\n1\n",
            SERIES,
            {},
            "run.csv:3: row 2 has 1 column, the first line has 2",
        ),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: Path, text: str, info: InputInfo, beside: dict[str, object], sentence: str
) -> None:
    assert refused(tmp_path, text, info, **beside) == sentence


def test_exchanged_axes_are_recognised(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    with pytest.raises(InstanceError, match=r"is float32 \[3, 2\], and its array is \[2, 3\]"):
        list(read_file(tmp_path / "x.npy", [FIXED]))
    with pytest.raises(InstanceError, match="its axes are exchanged: transpose it"):
        read_request({"instances": [[[1, 2, 3], [4, 5, 6]]]}, [FIXED])
    np.save(tmp_path / "x.npy", np.zeros((3, 2), np.float32))
    (one,) = read_file(tmp_path / "x.npy", [FIXED])
    assert one.tensors["signal"].shape == (3, 2)


def test_times_need_one_series(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,a\n1,2\n")
    inputs = [SERIES, InputInfo(name="age", dtype="float32", shape=(None,))]
    with pytest.raises(InstanceError, match="rows that are time steps are of one series"):
        list(read_file(tmp_path / "x.csv", inputs, beside=Beside(time="time")))
