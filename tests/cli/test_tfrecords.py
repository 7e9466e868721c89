"""TFRecord files at the commands, and tables and objects for a model of serialized examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pellucid.runtime.engine.tensorflow import tf

if TYPE_CHECKING:
    from conftest import Program

SPEC = {"age": tf.io.FixedLenFeature([], tf.float32), "city": tf.io.FixedLenFeature([], tf.string)}
ROWS = [(1.0, "rome"), (2.0, "oslo"), (3.0, "rome")]
SHAPLEY = ("--method", "sampled-shapley")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def serve(examples: Any) -> Any:
        p = tf.io.parse_example(examples, SPEC)
        return {"y": tf.tanh(p["age"] / 4) + tf.cast(tf.equal(p["city"], "rome"), tf.float32)}

    path = tmp_path_factory.mktemp("model") / "m"
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.string, "examples")
    module.serve = tf.function(serve, input_signature=[spec])
    tf.saved_model.save(module, str(path), signatures=module.serve)
    return path


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as file:
        for age, city in ROWS:
            feature = {
                "age": tf.train.Feature(float_list=tf.train.FloatList(value=[age])),
                "city": tf.train.Feature(bytes_list=tf.train.BytesList(value=[city.encode()])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            file.write(example.SerializeToString())
    return path


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_all_forms_of_the_same_records_have_the_same_answer(
    program: Program, model: Path, records: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("id,city,age\n" + "".join(f"p,{c},{a}\n" for a, c in ROWS))
    objects = [{"age": age, "city": city} for age, city in ROWS]
    (tmp_path / "a.json").write_text(json.dumps({"instances": objects}))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(it) + "\n" for it in objects))
    body = {"signature_name": "serving_default", "context": {"city": "rome"}}
    body["examples"] = [{"age": 1.0}, {"age": 2.0, "city": "oslo"}, {"age": 3.0}]  # type: ignore[assignment]
    (tmp_path / "classify.json").write_text(json.dumps(body))
    answers = []
    for name in ("a.tfrecord", "a.csv", "a.json", "a.jsonl", "classify.json"):
        run = program("explain", model, tmp_path / name, *SHAPLEY)
        assert run.code == 0, run.err
        found = json.loads(run.out)["explanations"]
        answers.append([it["attributions_by_label"][0]["attributions"] for it in found])
    assert answers == answers[:1] * 5
    assert [set(it) for it in answers[0]] == [{"age", "city"}] * 3


def test_a_record_that_has_changed_costs_itself_in_batch(
    program: Program, model: Path, records: Path, tmp_path: Path
) -> None:
    data = bytearray(records.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.tfrecord").write_bytes(bytes(data))
    run = program("batch", model, tmp_path / "in", "-o", tmp_path / "out", *SHAPLEY)
    assert run.code == 1
    (results,) = (tmp_path / "out").glob("explanation.results-*")
    assert len(lines(results)) == 2
    (error,) = lines(tmp_path / "out" / "errors.jsonl")
    assert error["error"].endswith("instances[1]: the checksum (CRC32C) of the record is wrong")
    run = program("explain", model, tmp_path / "in" / "b.tfrecord", *SHAPLEY)
    assert run.code == 1
    assert "instances[1]: the checksum (CRC32C) of the record is wrong" in run.err


def test_records_are_drawn_by_their_features(
    program: Program, model: Path, records: Path, tmp_path: Path
) -> None:
    run = program("visualize", model, records, *SHAPLEY, "-o", tmp_path / "drawn")
    assert run.code == 0, run.err
    names = [f"a-{i}.chart.png" for i in range(3)]
    assert [Path(it).name for it in run.out.decode().split()] == names


def test_the_advice_for_gradients_is_there_from_the_start(
    program: Program, model: Path, records: Path
) -> None:
    run = program("explain", model, records)
    assert run.code == 0, run.err
    assert "no attribution: 'city', which no gradient reaches" in run.err
    run = program("validate-metadata", model)
    assert run.code == 0, run.err


def test_a_draft_names_what_is_parsed(program: Program, model: Path) -> None:
    run = program("init-metadata", model, "-o", "-", "--for", "integrated-gradients")
    assert run.code == 0, run.err
    inputs = json.loads(run.out)["inputs"]
    assert "ParseExample" in inputs["age"]["input_tensor_name"]
    assert "'age', parsed of a record, is numeric" in run.err
