"""``pellucid diff``: the same model is the same, and what moved is found, said, and held to bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from pellucid.model import Array

NAMES = ("age", "income", "noise")


def columns(weights: Array, directory: Path, names: tuple[str, ...] = NAMES) -> Path:
    """A softmax over two classes of named columns, z = (x·w, −x·w)."""
    import tensorflow as tf

    class Scores(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(np.asarray(weights, np.float32)[:, np.newaxis])

        @tf.function(
            input_signature=[{it: tf.TensorSpec((None, 1), tf.float32, name=it) for it in names}]
        )
        def __call__(self, x: Any) -> Any:
            z = tf.concat([x[it] for it in names], axis=1) @ self.weights
            return {"scores": tf.nn.softmax(tf.concat([z, -z], axis=1))}

    module = Scores()
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.__call__})
    labels = directory / "labels.txt"
    labels.write_text("yes\nno\n")
    return directory


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = np.random.default_rng(1).normal(size=(40, 3)).round(3)
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([",".join(NAMES), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_two_exports_of_one_network_are_the_same(program: Any, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(4)
    network = keras.Sequential(
        [keras.Input((12, 12, 3), name="image"), keras.layers.Conv2D(4, 3, activation="relu"),
         keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax")]
    )  # fmt: skip
    network.export(str(tmp_path / "keras"), verbose=False)
    kernel, bias, matrix, offset = (np.array(it) for it in network.get_weights())
    graph = tf.Graph()
    with graph.as_default():
        picture = tf.compat.v1.placeholder(tf.float32, (None, 12, 12, 3), name="pixels")
        x = tf.nn.relu(tf.nn.conv2d(picture, tf.constant(kernel), 1, "VALID") + bias)
        scores = tf.nn.softmax(tf.reduce_mean(x, (1, 2)) @ tf.constant(matrix) + offset)
        with tf.compat.v1.Session() as session:
            tf.compat.v1.saved_model.simple_save(
                session, str(tmp_path / "tf1"), {"pixels": picture}, {"scores": scores}
            )
    pixels = np.random.default_rng(1).random((4, 12, 12, 3)).astype(np.float32)
    np.save(tmp_path / "in.npy", pixels)
    run = program(
        "diff", tmp_path / "keras", tmp_path / "tf1", tmp_path / "in.npy", "--format", "json"
    )
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["same"] and found["flips"] == 0 and found["count"] == 4
    assert max(it["largest"] for it in found["instances"]) < 1e-5
    assert found["verdict"][0].startswith("The models are the same on 4 instances")
    assert any("'image' of the first model is taken for 'pixels'" in it for it in found["notes"])


def test_a_column_that_counts_for_more_is_found_and_flips_are_named(
    program: Any, tmp_path: Path, table: Path
) -> None:
    one = columns(np.array([2.0, 1.0, 0.0]), tmp_path / "one")
    two = columns(np.array([1.0, 1.0, 1.0]), tmp_path / "two")
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    first, second = rows @ [2, 1, 0] > 0, rows @ [1, 1, 1] > 0
    run = program("diff", one, two, table, "--format", "json")
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["count"] == 40 and found["flips"] == (first != second).mean() > 0
    # Both attribute the change of a sigmoid in the direction x − 0 by w_i x_i / Σ w_j x_j.
    share = np.abs(rows * [2, 1, 0]) / np.abs(rows * [2, 1, 0]).sum(axis=1, keepdims=True)
    other = np.abs(rows) / np.abs(rows).sum(axis=1, keepdims=True)
    by_name = {it["name"]: it for it in found["elements"]}
    for i, name in enumerate(NAMES):
        assert by_name[name]["first"] == pytest.approx(share[:, i].mean(), abs=1e-4)
        assert by_name[name]["second"] == pytest.approx(other[:, i].mean(), abs=1e-4)
    assert by_name["noise"]["sure"] and by_name["age"]["sure"]
    moved = 0.5 * np.abs(share - other).sum(axis=1)
    assert found["share"] == pytest.approx(moved.mean(), abs=1e-4)
    said = program("diff", one, two, table).out.decode()
    assert "What grew most: noise from 0 %" in said and "to 'no'" in said
    assert "another training of the first model" in said


def test_bounds_decide_the_exit_code_and_are_tests_for_a_ci_system(
    program: Any, tmp_path: Path, table: Path
) -> None:
    one = columns(np.array([2.0, 1.0, 0.0]), tmp_path / "one")
    two = columns(np.array([1.0, 1.0, 1.0]), tmp_path / "two")
    run = program("diff", one, two, table, "--fail-over", "share=0.9,flips=0.9")
    assert run.code == 0, run.err
    run = program("diff", one, two, table, "--fail-over", "share=0.01,flips=0.9",
                  "--format", "junit")  # fmt: skip
    assert run.code == 1 and "share is 0." in run.err and "over 0.01" in run.err
    suite = ElementTree.fromstring(run.out)
    assert [suite.get(it) for it in ("tests", "failures", "errors")] == ["2", "1", "0"]
    failed = [it.get("name") for it in suite if it.find("failure") is not None]
    assert failed == ["share is at most 0.01"]
    for wrong in ("share", "shares=1", "share=x", "share=nan", "share=-1", "share=inf"):
        run = program("diff", one, two, table, "--fail-over", wrong)
        assert run.code == 2 and "--fail-over" in run.err


def test_another_training_of_the_first_model_tells_chance(
    program: Any, tmp_path: Path, table: Path
) -> None:
    one = columns(np.array([2.0, 1.0, 0.0]), tmp_path / "one")
    near = columns(np.array([2.0, 1.05, 0.05]), tmp_path / "near")
    far = columns(np.array([1.0, 1.0, 1.0]), tmp_path / "far")
    said = program("diff", one, far, table, "--control", near).out.decode()
    assert "the second model moved more, by +" in said
    said = program("diff", one, near, table, "--control", near).out.decode()
    assert "what moved is not told from chance" in said


def test_what_one_model_alone_takes_is_left_out_of_the_other(
    program: Any, tmp_path: Path, table: Path
) -> None:
    one = columns(np.array([2.0, 1.0]), tmp_path / "one", NAMES[:2])
    two = columns(np.array([2.0, 1.0, 0.5]), tmp_path / "two")
    run = program("diff", one, two, table, "--format", "json")
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["notes"] == ["'noise': only the second model takes it."]
    assert {it["name"]: it["first"] for it in found["elements"]}["noise"] == 0


def test_instances_that_fail_cost_themselves_and_are_named(
    program: Any, tmp_path: Path, table: Path
) -> None:
    one = columns(np.array([2.0, 1.0, 0.0]), tmp_path / "one")
    lines = table.read_text().splitlines()
    lines[3] = "1.0,x,2.0"
    table.write_text("\n".join(lines) + "\n")
    run = program("diff", one, one, table, "--format", "json")
    assert run.code == 1 and "1 of 40 instances were not compared" in run.err
    found = json.loads(run.out)
    assert found["count"] == 39 and not found["same"]
    (failed,) = found["failed"]
    assert failed["who"] == "both" and failed["number"] == 2 and "income" in failed["why"]
    assert failed["name"].endswith("rows.csv:4.income") and "rows.csv" not in failed["why"]


def test_where_nothing_is_compared_the_first_reason_is_said(
    program: Any, tmp_path: Path, table: Path
) -> None:
    one = columns(np.array([2.0, 1.0]), tmp_path / "one", NAMES[:2])
    run = program("diff", one, one, table)  # with a column that none takes
    assert run.code == 1 and "1 of 1 instances were not compared" in run.err
    assert "'noise'" in run.err


def vector(last: Callable[[Any], Any], directory: Path) -> Path:
    """A model of one vector x [3], without names."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return {"y": last(x)}

    module = Model()
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.__call__})
    return directory


def test_attributions_that_vanish_have_moved_wholly(
    program: Any, tmp_path: Path, table: Path
) -> None:
    import tensorflow as tf

    one = vector(lambda x: tf.reduce_sum(x, axis=1, keepdims=True), tmp_path / "one")
    dead = vector(lambda x: 0 * tf.reduce_sum(x, axis=1, keepdims=True), tmp_path / "dead")
    run = program("diff", one, dead, table, "--fail-over", "share=0.5", "--format", "json")
    assert run.code == 1 and "share is 1, over 0.5" in run.err
    assert json.loads(run.out)["share"] == 1


def test_one_vector_is_called_as_its_table_calls_it_and_a_measurement_does_not_flip(
    program: Any, tmp_path: Path, table: Path
) -> None:
    import tensorflow as tf

    one, two = (
        vector(lambda x, w=w: 10 * tf.reduce_sum(x * w, axis=1, keepdims=True), tmp_path / name)
        for name, w in (("one", [2.0, 1.0, 0.0]), ("two", [1.0, 1.0, 1.0]))
    )  # fmt: skip
    run = program("diff", one, two, table, "-o", tmp_path / "report")
    assert run.code == 0, run.err
    said = run.out.decode()
    assert "noise" in said and "x[" not in said
    assert "a measurement, which has no prediction that flips" in said
    assert "No prediction flips" not in said
    page = (tmp_path / "report" / "index.html").read_text()
    assert "noise" in page and "x[2]" not in page


def test_a_single_probability_flips_at_one_half_and_has_two_classes(
    program: Any, tmp_path: Path, table: Path
) -> None:
    import tensorflow as tf

    one, two = (
        vector(lambda x, w=w: tf.sigmoid(tf.reduce_sum(x * w, axis=1, keepdims=True)),
               tmp_path / name)
        for name, w in (("one", [2.0, 1.0, 0.0]), ("two", [-2.0, -1.0, 0.0]))
    )  # fmt: skip
    found = json.loads(program("diff", one, two, table, "--format", "json").out)
    assert found["flips"] == 1
    rows = np.loadtxt(table, delimiter=",", skiprows=1) @ [2, 1, 0] > 0
    said = [it["first"]["label"].endswith("> 0.5") for it in found["instances"]]
    assert said == rows.tolist() and len(found["classes"]) == 2


def test_models_without_a_common_input_or_class_are_refused(
    program: Any, tmp_path: Path, table: Path, samples: Path
) -> None:
    one = columns(np.array([2.0, 1.0, 0.0]), tmp_path / "one")
    other = columns(np.array([1.0, 1.0]), tmp_path / "other", ("x", "y"))
    run = program("diff", one, other, table)
    assert run.code == 2 and "no input is the same" in run.err
    renamed = columns(np.array([1.0, 1.0, 0.0]), tmp_path / "renamed")
    (renamed / "labels.txt").write_text("ja\nnein\n")
    run = program("diff", one, renamed, table)
    assert run.code == 2 and "no class of the two models is the same" in run.err
    assert "name the classes of both with --class-names" in run.err
    assert program("diff", one, renamed, table, "--class-names", "yes,no").code == 0
    assert program("diff", one, renamed).code == 2


def test_a_report_has_a_page_with_the_movers_and_replaces_no_other(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    wine = samples / "wine"
    run = program("diff", wine / "model", wine / "model", wine / "instances.json", "-o", tmp_path)
    assert run.code == 0 and run.out.decode().splitlines()[-1] == str(tmp_path / "index.html")
    assert json.loads((tmp_path / "diff.json").read_bytes())["same"]
    assert "The models are the same" in (tmp_path / "index.html").read_text(encoding="utf-8")
    run = program("diff", wine / "model", wine / "model", wine / "instances.json", "-o", tmp_path)
    assert run.code == 2 and "exists" in run.err
