"""Names of classes are found where the model really has them, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model.class_names import ClassNames, find_class_names
from pellucid.saved_model.reader import read
from places import SAMPLES, SHARED

CLASSES = ["ant", "bee", "cat"]
ROW = tf.TensorSpec([None, 4], tf.float32, name="x")


def found(
    directory: Path, output: str = "scores", key: str = "serving_default"
) -> ClassNames | None:
    model = read(directory)
    graph = model.meta_graph()
    return find_class_names(graph, graph.signatures[key], output, directory)


class Classifier(tf.Module):
    """A linear classifier that answers with scores, and with whatever `more` adds to them."""

    def __init__(self, more: Any) -> None:
        super().__init__()
        self.weights = tf.Variable(np.ones((4, 3), np.float32))
        self.more = more

    @tf.function(input_signature=[ROW])
    def __call__(self, x: Any) -> Any:
        scores = tf.nn.softmax(x @ self.weights)
        return {"scores": scores, **self.more(scores)}


def save(directory: Path, more: Any) -> Path:
    module = Classifier(more)
    tf.saved_model.save(module, str(directory), signatures=module.__call__)
    return directory


def test_a_constant_that_the_best_class_is_looked_up_in(tmp_path: Path) -> None:
    def more(scores: Any) -> Any:
        best = tf.gather(tf.constant(CLASSES), tf.argmax(scores, axis=1))
        return {"label": tf.strings.upper(best)}

    assert found(save(tmp_path, more)) == ClassNames(
        names=tuple(CLASSES), source="the constant behind output 'label'"
    )


def test_a_constant_behind_nested_functions_and_their_arguments(tmp_path: Path) -> None:
    @tf.function
    def look_up(names: Any, index: Any) -> Any:
        return tf.gather(names, index)

    @tf.function
    def outer(scores: Any) -> Any:
        return tf.reduce_max(scores, axis=1), look_up(tf.constant(CLASSES), tf.argmax(scores, 1))

    names = found(save(tmp_path, lambda scores: {"label": outer(scores)[1]}))
    assert names is not None and names.names == tuple(CLASSES)


def test_constants_that_do_not_fit_are_not_taken(tmp_path: Path) -> None:
    """Another length, the same name twice, or two that could both be meant."""

    def lookup(*tables: list[str]) -> Any:
        def more(scores: Any) -> Any:
            index = tf.argmax(scores, axis=1)
            texts = [tf.gather(tf.constant(table), index) for table in tables]
            return {"label": tf.strings.join(texts) if len(texts) > 1 else texts[0]}

        return more

    assert found(save(tmp_path / "a", lookup([*CLASSES, "dog"]))) is None
    assert found(save(tmp_path / "b", lookup(["ant", "bee", "bee"]))) is None
    assert found(save(tmp_path / "c", lookup(CLASSES, ["une", "deux", "trois"]))) is None


def test_words_that_no_output_is_made_of_are_no_names(tmp_path: Path) -> None:
    """A vocabulary of as many words as there are classes belongs to an input."""

    def more(scores: Any) -> Any:
        known = tf.reduce_any(tf.equal(tf.constant(CLASSES)[None, :], "bee"), axis=1)
        return {"known": tf.cast(known, tf.float32) + scores[:, 0]}

    assert found(save(tmp_path, more)) is None


def test_a_table_of_tensorflow_1(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        scores = v1.nn.softmax(x)
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.range(3, dtype=tf.int64), tf.constant(CLASSES)),
            "?",
        )
        label = table.lookup(v1.argmax(scores, axis=1))
        session.run(v1.tables_initializer())
        v1.saved_model.simple_save(
            session, str(tmp_path / "m"), {"x": x}, {"scores": scores, "label": label},
            legacy_init_op=v1.tables_initializer(),
        )  # fmt: skip
    names = found(tmp_path / "m")
    assert names is not None and names.names == tuple(CLASSES)


def test_a_file_of_labels_among_the_assets(tmp_path: Path) -> None:
    directory = save(tmp_path / "m", lambda _: {})
    folder = directory / "assets.extra"
    folder.mkdir()
    (folder / "vocabulary.txt").write_text("a\nb\nc\n")
    assert found(directory) is None
    (folder / "labels.txt").write_text("ant\nbee\n")
    assert found(directory) is None
    (folder / "labels.txt").write_bytes(b"ant\r\nbee\r\ncat\r\n\n")
    assert found(directory) == ClassNames(names=tuple(CLASSES), source="assets.extra/labels.txt")
    (folder / "class_names.txt").write_text("Ameise\nBiene\nKatze\n")
    assert found(directory) is None


def test_an_output_of_strings_of_the_same_shape_carries_the_names(tmp_path: Path) -> None:
    def more(scores: Any) -> Any:
        return {"classes": tf.strings.as_string(tf.argsort(scores))}

    assert found(save(tmp_path, more)) == ClassNames(key="classes", source="output 'classes'")


@pytest.mark.skipif(not SHARED.is_dir(), reason="no models of strangers here")
def test_the_classification_signature_of_an_estimator() -> None:
    model = SHARED / "models" / "iris_tf1_estimator" / "model"
    carried = ClassNames(key="classes", source="output 'classes'")
    assert found(model) == found(model, key="classification") == carried
    # Its other signature answers with the best class alone.
    assert found(model, "probabilities", "predict") is None


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/model")), ids=lambda it: it.parent.name)
def test_the_sample_models_have_no_names_themselves(path: Path) -> None:
    for key, signature in read(path).meta_graph().signatures.items():
        for output in signature.outputs:
            assert found(path, output, key) is None


def test_the_names_are_used_when_the_model_is_explained(program: Any, tmp_path: Path) -> None:
    def more(scores: Any) -> Any:
        return {"label": tf.gather(tf.constant(CLASSES), tf.argmax(scores, axis=1))}

    model = save(tmp_path / "m", more)
    run = program("init-metadata", model)
    assert run.code == 0
    assert "output 'scores' [?, 3], with names from the constant behind output 'label'\n" in run.err
    run = program("explain", model, "-", stdin=b'{"instances": [[1, 2, 3, 4]]}')
    (explanation,) = json.loads(run.out)["explanations"]
    assert explanation["attributions_by_label"][0]["label_name"] == "ant"
