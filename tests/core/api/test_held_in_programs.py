"""What programs hold: DataFrames, columns, texts and batches explain what the same rows explain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pellucid
from pellucid.api.calls.records import records_of
from pellucid.errors import InstanceError
from pellucid.inputs import TIME, Beside, InputInfo
from pellucid.runtime.engine.tensorflow import tf
from places import SAMPLES

AGE_TO_S6 = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]


def quiet(message: object) -> None:
    pass


@pytest.fixture(scope="module")
def diabetes() -> pellucid.LoadedModel:
    """One vector, whose elements have names."""
    return pellucid.load(SAMPLES / "diabetes/model", warn=quiet)


@pytest.fixture(scope="module")
def wine() -> pellucid.LoadedModel:
    """An input for each column."""
    return pellucid.load(SAMPLES / "wine/model", warn=quiet)


@pytest.fixture(scope="module")
def prose() -> pellucid.LoadedModel:
    return pellucid.load(SAMPLES / "code_or_prose/model", warn=quiet)


@pytest.fixture(scope="module")
def rows() -> list[list[float]]:
    found: list[list[float]] = json.loads((SAMPLES / "diabetes/instances.json").read_text())[
        "instances"
    ]
    return found


@pytest.fixture(scope="module")
def frame(rows: list[list[float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=AGE_TO_S6)


@pytest.fixture(scope="module")
def tables() -> list[dict[str, float]]:
    found: list[dict[str, float]] = json.loads((SAMPLES / "wine/instances.json").read_text())[
        "instances"
    ]
    return found


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> pellucid.LoadedModel:
    """A number, a whole number, a category and a flag, under sampled Shapley."""

    def serve(height: Any, count: Any, kind: Any, open: Any) -> Any:
        size = tf.cast(tf.strings.length(kind), tf.float32)
        flag = tf.cast(open, tf.float32)
        return {"y": height * tf.cast(count, tf.float32) + size * (1 + flag)}

    specs = {
        "height": tf.TensorSpec([None], tf.float32, "height"),
        "count": tf.TensorSpec([None], tf.int64, "count"),
        "kind": tf.TensorSpec([None], tf.string, "kind"),
        "open": tf.TensorSpec([None], tf.bool, "open"),
    }
    path = tmp_path_factory.mktemp("mixed")
    traced = tf.function(serve).get_concrete_function(**specs)
    tf.saved_model.save(tf.Module(), str(path), signatures=traced)
    return pellucid.load(path, method="sampled-shapley", missing="baseline", warn=quiet)


def features(explanations: Any) -> list[dict[str, Any]]:
    return [
        {name: value.tolist() for name, value in one.labels[0].features.items()}
        for one in explanations
    ]


def ids(explanations: Any) -> list[str | None]:
    return [it.id for it in explanations.instances]


# DataFrames


def test_a_frame_is_its_rows_in_whatever_order_its_columns_are(
    diabetes: pellucid.LoadedModel, rows: list[list[float]], frame: pd.DataFrame
) -> None:
    expected = diabetes.explain(rows)
    assert diabetes.explain(frame).json() == expected.json()
    assert features(diabetes.explain(frame[AGE_TO_S6[::-1]])) == features(expected)
    assert diabetes.explain(pd.DataFrame(rows)).json() == expected.json()  # columns 0 to 9


def test_a_column_for_each_input(
    wine: pellucid.LoadedModel, tables: list[dict[str, float]]
) -> None:
    frame = pd.DataFrame(tables)
    expected = wine.explain(tables).json()
    assert wine.explain(frame[sorted(frame.columns)]).json() == expected


def test_the_index_is_the_id_unless_it_only_counts(
    diabetes: pellucid.LoadedModel, frame: pd.DataFrame
) -> None:
    assert ids(diabetes.explain(frame[:2])) == [None, None]
    assert ids(diabetes.explain(frame[2:4])) == ["2", "3"]
    named = frame[:2].set_index(pd.Index(["ann", "bob"], name="who"))
    assert ids(diabetes.explain(named)) == ["ann", "bob"]
    deep = frame[:1].set_index(pd.MultiIndex.from_tuples([("ward 3", 7)]))
    assert ids(diabetes.explain(deep)) == ["ward 3, 7"]
    days = frame[:1].set_index(pd.DatetimeIndex(["2026-01-02"]))
    assert ids(diabetes.explain(days)) == ["2026-01-02 00:00:00"]
    keyed = diabetes.explain(named.reset_index().rename(columns={"who": "id"}))
    assert ids(keyed) == ["ann", "bob"]


def test_an_id_column_goes_before_the_index(frame: pd.DataFrame) -> None:
    model = pellucid.load(
        SAMPLES / "diabetes/model", id_column="who", ignore_columns=["y"], warn=quiet
    )
    rows = frame[2:4].assign(who=["ann", "bob"], y=[1, 2])
    assert ids(model.explain(rows)) == ["ann", "bob"]
    assert ids(model.explain(rows.set_index("who"))) == ["ann", "bob"]


def test_wrong_columns_are_said_as_of_a_csv(
    diabetes: pellucid.LoadedModel, wine: pellucid.LoadedModel, frame: pd.DataFrame, tables: Any
) -> None:
    def refused(model: pellucid.LoadedModel, frame: pd.DataFrame) -> str:
        with pytest.raises(InstanceError) as caught:
            model.explain(frame)
        return str(caught.value)

    near = refused(diabetes, frame.rename(columns={"bmi": "BMI"}))
    assert near == "the table: unknown column 'BMI'; did you mean 'bmi'?"
    extra = refused(diabetes, frame.assign(target=1.0))
    assert extra == (
        "the table: unknown column 'target'; leave it out with ignore_columns='target'"
    )
    less = refused(wine, pd.DataFrame(tables).drop(columns=["ash", "hue"]))
    assert less == "the table: missing columns 'ash', 'hue'"
    twice = frame[["age", *AGE_TO_S6]]
    assert refused(diabetes, twice) == "the table: column 'age' is given twice"
    assert "10" in refused(diabetes, pd.DataFrame(np.zeros((2, 9))))
    assert refused(diabetes, frame[:0]) == "the table: has no rows, there is nothing to explain"


def test_a_wrong_cell_is_named_by_its_row_and_id(
    diabetes: pellucid.LoadedModel, wine: pellucid.LoadedModel, frame: pd.DataFrame, tables: Any
) -> None:
    words = frame.astype(object).set_index(pd.Index([f"p{i}" for i in range(len(frame))]))
    words.iloc[1, 2] = "heavy"
    with pytest.raises(InstanceError, match=r'^p1: \[2\]: input .* got the string "heavy"'):
        diabetes.explain(words)
    table = pd.DataFrame(tables)
    table["ash"] = table["ash"].astype(object)
    table.loc[1, "ash"] = pd.Timestamp("2026-01-02")
    with pytest.raises(InstanceError, match=r"^instances\[1\]\.ash: input 'ash' .* a Timestamp"):
        wine.explain(table)


def test_what_is_missing_is_so_in_every_kind_of_column(mixed: pellucid.LoadedModel) -> None:
    """NaN, None, pd.NA and NaT: the baseline stands for each; nullable types keep their values."""
    there = [
        {"height": 1.5, "count": 3, "kind": "tall", "open": True},
        {"height": None, "count": None, "kind": None, "open": None},
        {"height": 0.5, "count": 1, "kind": "low", "open": False},
    ]
    expected = features(mixed.explain(there))
    plain = pd.DataFrame(there)
    assert features(mixed.explain(plain)) == expected
    typed = plain.astype(
        {"height": "Float32", "count": "Int64", "kind": "category", "open": "boolean"}
    )
    assert features(mixed.explain(typed)) == expected
    assert features(mixed.explain(typed.astype({"kind": "string"}))) == expected
    whole = typed.drop(index=1).astype({"count": "uint8", "open": "bool"})
    assert features(mixed.explain(whole)) == [expected[0], expected[2]]


def test_what_is_missing_is_refused_where_nobody_said_what_it_is(
    diabetes: pellucid.LoadedModel, frame: pd.DataFrame
) -> None:
    holes = frame.copy()
    holes.loc[1, "bp"] = np.nan
    with pytest.raises(InstanceError, match=r"^instances\[1\]: column 'bp' is empty; say what"):
        diabetes.explain(holes)
    with pytest.raises(InstanceError, match=r"^instances\[1\]: column 'bp' is empty; say what"):
        diabetes.explain(holes.convert_dtypes())


def test_a_row_of_a_frame_is_one_instance(
    diabetes: pellucid.LoadedModel, frame: pd.DataFrame, rows: list[list[float]]
) -> None:
    found = diabetes.explain(frame.iloc[3])
    assert features(found) == features(diabetes.explain(rows[3:4]))
    assert ids(found) == ["3"]


def test_a_series_of_numbers_is_the_one_channel_or_the_wave() -> None:
    def read(held: pd.Series[Any], shape: tuple[int | None, ...], **beside: Any) -> Any:
        infos = [InputInfo(name="signal", dtype="float32", shape=shape)]
        return records_of(held, infos, Beside(**beside), warn=quiet, note=quiet)

    wave = pd.Series([1.0, 3.0, 5.0], index=pd.Index([0.0, 0.5, 1.0], name="when"))
    for shape, beside in (
        ((None, None, 1), {}),
        ((None, 3), {}),
        ((None, None), {"time": "when"}),
    ):
        (one,) = read(wave, shape, **beside)
        assert one.tensors["signal"].ravel().tolist() == [1.0, 3.0, 5.0]
        assert (TIME in one.extras) == ("time" in beside)
    assert len(read(wave, (None, 1))) == 3


def test_vectors_in_cells(diabetes: pellucid.LoadedModel, rows: list[list[float]]) -> None:
    expected = diabetes.explain(rows).json()
    assert diabetes.explain(pd.DataFrame({"patient": rows})).json() == expected
    arrays = pd.DataFrame({"patient": [np.array(row) for row in rows]})
    assert diabetes.explain(arrays).json() == expected


def test_predictions_and_examples_are_of_frames_too(
    diabetes: pellucid.LoadedModel, frame: pd.DataFrame, rows: list[list[float]], tmp_path: Path
) -> None:
    np.testing.assert_array_equal(diabetes.predict(frame), diabetes.predict(rows))
    named = frame.set_index(pd.Index([f"p{i}" for i in range(len(frame))]))
    diabetes.index(named, tmp_path / "i.npz")
    near = diabetes.explain(frame[2:3], method="examples", index=str(tmp_path / "i.npz"))
    assert near[0].neighbors is not None
    assert near[0].neighbors[0].id == "p2"


def test_nothing_else_needs_to_be_installed() -> None:
    probe = (
        "import sys; sys.modules.update(dict.fromkeys(['pandas', 'IPython', 'matplotlib'])); "
        f"import pellucid; model = pellucid.load({str(SAMPLES / 'diabetes/model')!r}); "
        "print(model.explain([[1.0] * 10], progress=False))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", probe], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


# columns


def test_columns_by_the_names_of_features_are_a_table(
    diabetes: pellucid.LoadedModel, frame: pd.DataFrame, rows: list[list[float]]
) -> None:
    expected = features(diabetes.explain(rows))
    lists = {name: frame[name].tolist() for name in reversed(AGE_TO_S6)}
    assert features(diabetes.explain(lists)) == expected
    assert features(diabetes.explain({k: np.array(v) for k, v in lists.items()})) == expected
    assert features(diabetes.explain({k: tuple(v) for k, v in lists.items()})) == expected
    assert features(diabetes.explain(dict(frame.items()))) == expected
    assert features(diabetes.explain({k: tf.constant(v) for k, v in lists.items()}))


def test_columns_of_words_and_of_what_is_missing(mixed: pellucid.LoadedModel) -> None:
    columns = {
        "height": [1.5, None],
        "count": np.array([3, 1]),
        "kind": ["tall", "low"],
        "open": pd.Series([True, False]),
    }
    same = [
        {"height": 1.5, "count": 3, "kind": "tall", "open": True},
        {"height": None, "count": 1, "kind": "low", "open": False},
    ]
    assert features(mixed.explain(columns)) == features(mixed.explain(same))


def test_columns_that_are_none_are_said(
    diabetes: pellucid.LoadedModel, mixed: pellucid.LoadedModel, frame: pd.DataFrame
) -> None:
    def refused(model: pellucid.LoadedModel, columns: Any) -> str:
        with pytest.raises(InstanceError) as caught:
            model.explain(columns)
        return str(caught.value)

    short = {name: frame[name][: 3 if name == "bp" else 4] for name in AGE_TO_S6}
    assert "'age' has 4, 'bp' has 3" in refused(diabetes, short)
    assert "give a list of one object" in refused(diabetes, dict.fromkeys(AGE_TO_S6, 1.0))
    assert "give a list of one object" in refused(mixed, {"kind": "tall"})
    wrong = refused(diabetes, {"patent": np.zeros((2, 10))})
    assert wrong == "unknown input 'patent'; did you mean 'patient'?"
    assert "unknown column 'ages'" in refused(diabetes, {**frame[:2].drop(columns="age"), "ages": [1, 2]})  # fmt: skip


# texts


def test_a_text_is_one_instance_and_a_list_of_texts_are_several(
    prose: pellucid.LoadedModel, tmp_path: Path
) -> None:
    path = str(tmp_path)

    def serve(text: Any) -> Any:
        return {"y": tf.cast(tf.strings.length(text), tf.float32)}

    spec = tf.TensorSpec([None], tf.string, "text")
    traced = tf.function(serve).get_concrete_function(text=spec)
    tf.saved_model.save(tf.Module(), path, signatures=traced)
    model = pellucid.load(path, method="sampled-shapley", warn=quiet)
    one = "a short text of words"
    expected = model.explain([one, "and another one of them"])
    assert expected[0].words["text"].words == ("a", "short", "text", "of", "words")
    assert model.explain(one).json() == model.explain([one]).json()
    for several in (
        (one, "and another one of them"),
        np.array([one, "and another one of them"]),
        pd.Series([one, "and another one of them"]),
        {"text": [one, "and another one of them"]},
        pd.DataFrame({"text": [one, "and another one of them"]}),
        tf.constant([one, "and another one of them"]),
        (it for it in [one, "and another one of them"]),
    ):
        assert model.explain(several).json() == expected.json()
    named = pd.Series([one], index=["first"])
    assert ids(model.explain(named)) == ["first"]
    assert len(model.predict(one)) == 1
    with pytest.raises(InstanceError, match=r'float32.* got the string "heavy"'):
        pellucid.load(SAMPLES / "diabetes/model", warn=quiet).explain("heavy")


@pytest.mark.parametrize("thing", [3.5, None, np.float32(2.0), object()])
def test_what_holds_no_instances_is_said(diabetes: pellucid.LoadedModel, thing: Any) -> None:
    with pytest.raises(InstanceError, match=r"^instances are .*, got "):
        diabetes.explain(thing)


# batches


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def telling(said: list[str]) -> pellucid.LoadedModel:
    return pellucid.load(
        SAMPLES / "diabetes/model",
        warn=lambda it: said.append(f"warning: {it}"),
        note=lambda it: said.append(f"note: {it}"),
    )


def test_datasets_of_every_form_are_their_rows(
    telling: pellucid.LoadedModel, said: list[str], rows: list[list[float]]
) -> None:
    expected = features(telling.explain(rows))
    array = np.array(rows, np.float32)
    y = np.arange(len(rows))
    of = tf.data.Dataset.from_tensor_slices
    columns = dict(zip(AGE_TO_S6, array.T, strict=True))
    forms = {
        "tensors": of(array),
        "batches": of(array).batch(3),
        "named": of({"patient": array}).batch(3),
        "columns": of(columns).batch(3),
        "columns, one by one": of(columns),
        "one by one": of({"patient": array}),
    }
    for name, dataset in forms.items():
        assert features(telling.explain(dataset)) == expected, name
    assert said == []
    labelled = {
        "labels": of((array, y)).batch(3),
        "labels, one by one": of((array, y)),
        "labels and weights": of((columns, y, y)).batch(3),
    }
    for name, dataset in labelled.items():
        assert features(telling.explain(dataset)) == expected, name
    assert said == ["note: the labels in the batches are left out"] * 3


def test_any_iterable_of_batches_will_do(
    telling: pellucid.LoadedModel, rows: list[list[float]]
) -> None:
    expected = features(telling.explain(rows))
    array = np.array(rows)

    def batches(*, labels: bool) -> Iterator[Any]:
        for i in range(0, len(rows), 3):
            x = array[i : i + 3]
            yield [x, np.arange(len(x))] if labels else x

    class Loader:  # as keras.utils.PyDataset and torch's DataLoader are
        def __iter__(self) -> Iterator[Any]:
            return batches(labels=True)

    assert features(telling.explain(batches(labels=False))) == expected
    assert features(telling.explain(batches(labels=True))) == expected
    assert features(telling.explain(Loader())) == expected
    assert features(telling.explain(iter(rows))) == expected  # an instance at a time, as ever
    assert features(telling.explain({"patient": row} for row in rows)) == expected


def test_strings_and_single_values_in_batches(mixed: pellucid.LoadedModel) -> None:
    columns = {
        "height": np.array([1.5, 0.5], np.float32),
        "count": np.array([3, 1]),
        "kind": np.array(["tall", "low"]),
        "open": np.array([True, False]),
    }
    expected = features(mixed.explain(columns))
    dataset = tf.data.Dataset.from_tensor_slices(columns)
    assert features(mixed.explain(dataset.batch(2))) == expected
    assert features(mixed.explain(dataset.batch(1))) == expected
    assert features(mixed.explain(dataset)) == expected


def test_of_an_endless_dataset_a_part_is_taken_and_that_is_said(
    telling: pellucid.LoadedModel, said: list[str], rows: list[list[float]]
) -> None:
    array = np.array(rows, np.float32)
    endless = tf.data.Dataset.from_tensor_slices(array).repeat().batch(64)
    found = telling.explain(endless, steps=20)
    assert len(found) == 1000
    assert said == [
        "warning: the first 1,000 instances are explained, and there are more; limit=… takes others"
    ]
    said.clear()
    assert len(telling.explain(endless, limit=5)) == 5
    exactly = tf.data.Dataset.from_tensor_slices(array[[0] * 1000]).batch(64)
    assert len(telling.explain(exactly, steps=20)) == 1000
    assert len(telling.explain(rows, limit=2)) == 2
    assert len(telling.predict(endless, limit=3)) == 3
    assert said == []
    with pytest.raises(InstanceError, match="endless"):
        telling.index(endless)


def test_what_a_dataset_cannot_be_is_said(
    wine: pellucid.LoadedModel, diabetes: pellucid.LoadedModel
) -> None:
    pair = tf.data.Dataset.from_tensor_slices((np.zeros((4, 13)), np.zeros(4))).batch(2)
    with pytest.raises(InstanceError, match=r"13 inputs.* by their names"):
        wine.explain(pair)
    sparse = tf.data.Dataset.from_tensors(tf.sparse.from_dense([[1.0] * 10]))
    with pytest.raises(InstanceError, match=r"a SparseTensor.* dense"):
        diabetes.explain(sparse)
    empty = tf.data.Dataset.from_tensor_slices(np.zeros((0, 10), np.float32)).batch(2)
    with pytest.raises(InstanceError, match="no instances"):
        diabetes.explain(empty)
    wide = tf.data.Dataset.from_tensor_slices(np.zeros((4, 11), np.float32)).batch(2)
    with pytest.raises(InstanceError, match=r"instances\[0\].* \[10\].*\[11\]"):
        diabetes.explain(wide)
