"""Integrated gradients of texts and ids, without metadata: at the embedding, word by word."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import InstanceError
from pellucid.linter import draft_metadata
from pellucid.metadata.documents import dump_metadata
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import read
from text_models import (
    ROADS,
    SPLIT,
    TEXTS,
    WORDS,
    TextModel,
    as_long_as_it_is,
    attention,
    by_tape,
    ids_of,
    pooled,
    recurrent,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def loaded(model: TextModel, said: list[str] | None = None, **options: Any) -> Any:
    notes = [] if said is None else said
    return pellucid.load(
        model.directory, warn=lambda _: None, note=lambda it: notes.append(str(it)), **options
    )


@pytest.mark.parametrize("build", ROADS, ids=lambda it: it.__name__)
def test_they_are_those_of_a_tape_at_the_embedding_with_and_without_metadata(
    build: Callable[[Path], TextModel], tmp_path: Path
) -> None:
    model = build(tmp_path / "model")
    found = loaded(model).explain(model.instances)
    for one, instance in zip(found, model.instances, strict=True):
        (label,), (value,) = one.labels, one.labels[0].features.values()
        wanted = by_tape(model, instance, label.index[0] if label.index else 0)
        kept = wanted[: len(value)]
        np.testing.assert_allclose(value, kept, rtol=0, atol=1e-6 * np.abs(wanted).max())
        assert not wanted[len(value) :].any()  # of padding, which is left out
        assert label.diagnostics == {}
        assert value.sum() == pytest.approx(label.score - label.baseline_score, abs=1e-4)
    # What init-metadata writes gives the same.
    draft = draft_metadata(read(model.directory), for_method="integrated-gradients")
    file = tmp_path / "drafted.json"
    file.write_bytes(json.dumps(dump_metadata(draft.metadata)).encode())
    again = loaded(model, metadata=file).explain(model.instances)
    for one, other in zip(found, again, strict=True):
        for (name, value), same in zip(
            one.labels[0].features.items(), other.labels[0].features.values(), strict=True
        ):
            np.testing.assert_array_equal(value, same)
            assert one.words.get(name) == other.words.get(name)


@pytest.mark.parametrize("method", ["sampled-shapley", "lime"])
def test_where_no_words_have_no_score_unknown_ones_stand_for_those_left_out(
    method: str, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(7)
    layers, text = keras.layers, keras.Input((1,), dtype="string", name="text")
    ids = layers.TextVectorization(vocabulary=WORDS)(text)  # as long as the text
    mean = layers.GlobalAveragePooling1D()(layers.Embedding(14, 6, mask_zero=True)(ids))
    model = keras.Model(text, layers.Dense(1, activation="sigmoid")(mean))
    model.export(tmp_path / "model", verbose=False)
    said: list[str] = []
    load = pellucid.load(tmp_path / "model", method=method, warn=lambda it: said.append(str(it)))
    words = ["a", "very", "good", "film"]
    found = load.explain([" ".join(words), "boring plot, bad acting"])
    assert [it for it in said if "unknown" in it] == [
        "the model has no score for texts whose words are all left out, so that words that are "
        "left out are replaced by an unknown one, '[UNK]'; choose another with mask=…"
    ]
    label = found[0].labels[0]
    asked = [
        " ".join(word if code >> i & 1 else "nowhere" for i, word in enumerate(words))
        for code in range(16)
    ]
    worth = model(np.array(asked)[:, None]).numpy().ravel().astype(np.float64)
    assert label.baseline_score == pytest.approx(worth[0], abs=1e-6)
    if method == "sampled-shapley":
        for i, value in enumerate(label.features["text"]):
            gains = [
                (worth[code | 1 << i] - worth[code]) / (4 * math.comb(3, bin(code).count("1")))
                for code in range(16)
                if not code >> i & 1
            ]
            assert value == pytest.approx(sum(gains), abs=1e-6)


def test_words_are_those_of_the_text(tmp_path: Path) -> None:
    """The model writes them small and leaves out marks; their places are those of the text."""
    model, said = pooled(tmp_path / "model"), list[str]()
    found = loaded(model, said).explain(model.instances)
    for one, text, words in zip(found, TEXTS, SPLIT, strict=True):
        cut = one.words["text"]
        assert cut.text == text
        assert [it.lower() for it in cut.words] == words
    (note,) = said
    assert "explained at its embedding" in note
    assert "from that of the empty text" in note
    document = json.loads(found.json())["explanations"][0]["diagnostics"][0]
    assert document["baseline"] == "'text': the embedding of the empty text"
    assert document["words"]["text"][1] == {"word": "movie", "start": 4, "end": 9}


@pytest.mark.parametrize("written", ["zero", {"text": "bad film"}])
def test_another_baseline(written: Any, tmp_path: Path) -> None:
    """Of zeros, padding counts where nothing masks it: it has no word, and is said."""
    model, said = pooled(tmp_path / "model"), list[str]()
    (one,) = loaded(model, said, baseline=written).explain(TEXTS[:1])
    start = np.zeros((9, 6), "f") if written == "zero" else np.asarray(model.embed(["bad film"]))[0]
    wanted = by_tape(model, TEXTS[0], 0, start)
    (label,) = one.labels
    np.testing.assert_allclose(label.features["text"], wanted[:7], rtol=0, atol=1e-7)
    assert label.diagnostics.get("padding of text", 0) == pytest.approx(wanted[7:].sum(), abs=1e-7)
    assert "zero" in said[0] if written == "zero" else "as written" in said[0]


def test_ids_have_the_shape_that_they_came_in(tmp_path: Path) -> None:
    model, said = attention(tmp_path / "model"), list[str]()
    found = loaded(model, said).explain(model.instances)
    (value,) = found[1].labels[0].features.values()
    assert value.shape == (8,)
    assert "from that of id 0" in said[0]


def test_shapley_still_plays_with_the_words(tmp_path: Path) -> None:
    model = recurrent(tmp_path / "model")
    (one,) = loaded(model, method="sampled-shapley").explain(TEXTS[:1])
    assert one.words["text"].words == ("The", "movie", "was", "a", "very", "GOOD", "film")
    assert one.labels[0].features["text"].shape == (7,)


def test_a_title_and_a_body_and_numbers_beside_ids(tmp_path: Path) -> None:
    """One table for two texts; ids beside floats: all of them at once, as a tape has them."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(5)
    layers = keras.layers
    title, body = (keras.Input((1,), dtype="string", name=it) for it in ("title", "body"))
    ids, x = keras.Input((3,), dtype="int64", name="ids"), keras.Input((2,), name="x")
    cut, table = (
        layers.TextVectorization(vocabulary=WORDS, output_sequence_length=5),
        [layers.Embedding(14, 4) for _ in range(2)],
    )
    mean, dense = layers.GlobalAveragePooling1D(), layers.Dense(2, activation="softmax")
    flat = layers.Flatten()

    def head(one: Any, other: Any, rows: Any, numbers: Any) -> Any:
        return dense(layers.Concatenate()([mean(one), mean(other), flat(rows), numbers]))

    out = head(table[0](cut(title)), table[0](cut(body)), table[1](ids), x)
    keras.Model([title, body, ids, x], out).export(tmp_path / "model", verbose=False)
    instance = {"title": "great film", "body": "boring plot, bad", "ids": [3, 0, 5], "x": [1.0, -2]}
    model = pellucid.load(tmp_path / "model", output_indices=[1], warn=lambda _: None)
    (one,) = model.explain([instance])
    features = one.labels[0].features

    def ends(words: list[str], given: list[int], numbers: list[float]) -> list[Any]:
        found = [table[0](ids_of([it], 5)) for it in words]
        return [*found, table[1](np.array([given])), tf.constant([numbers], tf.float32)]

    stop = ends([instance["title"], instance["body"]], [3, 0, 5], [1.0, -2.0])
    start = ends(["", ""], [0, 0, 0], [0.0, 0.0])
    total = [np.zeros(it.shape) for it in stop]
    for node, weight in zip(*np.polynomial.legendre.leggauss(50), strict=True):
        points = [a + (node + 1) / 2 * (b - a) for a, b in zip(start, stop, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(points)
            score = head(*points)[0, 1]
        for place, slope in enumerate(tape.gradient(score, points)):
            total[place] += weight / 2 * np.asarray(slope * (stop[place] - start[place]))
    wanted = [it[0].sum(-1) for it in total[:3]] + [total[3][0]]
    for name, value, length in zip(instance, wanted, (2, 3, 3, 2), strict=True):
        np.testing.assert_allclose(features[name], value[:length], rtol=0, atol=1e-6)
    assert one.words["body"].words == ("boring", "plot", "bad")


def test_texts_of_different_lengths_do_not_pad_each_other(tmp_path: Path) -> None:
    model = as_long_as_it_is(tmp_path / "model")
    together = loaded(model).explain(model.instances)
    for one, instance in zip(together, model.instances, strict=True):
        (alone,) = loaded(model).explain([instance])
        np.testing.assert_array_equal(
            one.labels[0].features["text"], alone.labels[0].features["text"]
        )


def test_words_that_are_summed_up_are_players(tmp_path: Path) -> None:
    """Gradients would have one number for the text; who asks for them gets it."""
    import keras

    text = keras.Input((1,), dtype="string", name="text")
    layer = keras.layers.TextVectorization(vocabulary=WORDS, output_mode="multi_hot")
    dense = keras.layers.Dense(1, activation="tanh")
    keras.Model(text, dense(layer(text))).export(tmp_path / "model", verbose=False)
    said: list[str] = []
    model = pellucid.load(tmp_path / "model", warn=lambda it: said.append(str(it)))
    (one,) = model.explain(["good film"])
    assert one.words["text"].words == ("good", "film")
    assert "the model sums up the words of 'text'" in said[1]
    asked = pellucid.load(tmp_path / "model", method="integrated-gradients", warn=lambda _: None)
    (one,) = asked.explain(["good film"])
    assert one.labels[0].features["text"].shape == (1,)


def test_empty_text_and_words_that_nobody_knows(tmp_path: Path) -> None:
    model = recurrent(tmp_path / "model")
    empty, unknown = loaded(model).explain(["", "zyzzyva, zyzzyva"])
    assert empty.labels[0].features["text"].shape == (0,)
    assert unknown.words["text"].words == ("zyzzyva", "zyzzyva")


@pytest.mark.parametrize("column", [False, True])
def test_words_that_are_summed_without_padding_are_one_text_for_gradients(
    column: bool, tmp_path: Path
) -> None:
    """The rows of their embedding are the words of all texts, and no instances."""
    module = tf.Module()
    module.weights = tf.Variable(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))
    words = tf.constant(["good", "bad", "film", "a"])
    entries = tf.lookup.KeyValueTensorInitializer(words, tf.range(1, 5, dtype=tf.int64))
    module.table = tf.lookup.StaticHashTable(entries, 0)

    @tf.function(
        input_signature=[tf.TensorSpec([None, 1] if column else [None], tf.string, "text")]
    )
    def serve(text: Any) -> Any:
        cut = tf.strings.split(tf.squeeze(text, 1) if column else text)
        ids = tf.ragged.map_flat_values(module.table.lookup, cut)
        rows = tf.ragged.map_flat_values(lambda it: tf.gather(module.weights, it), ids)
        return {"y": tf.tanh(tf.reduce_sum(tf.reduce_sum(rows, axis=1), axis=1, keepdims=True))}

    module.serve = serve
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=serve)
    loaded = pellucid.load(tmp_path / "model", warn=lambda it: None)
    texts = np.array(["a good film", "bad film"], object)
    given = texts[:, None] if column else texts
    assert [it.labels[0].features["text"].shape for it in loaded.explain(given)] == [(3,), (2,)]
    for found in loaded.explain(given, method="integrated-gradients"):
        label = found.labels[0]
        assert label.features["text"].sum() == pytest.approx(
            label.score - label.baseline_score, abs=1e-3
        )


def test_a_baseline_that_is_longer_than_the_text_is_refused_and_a_shorter_one_is_not(
    tmp_path: Path,
) -> None:
    as_long_as_it_is(tmp_path / "model")

    def explained(baseline: str) -> Any:
        written = json.dumps({"text": baseline})
        chosen = pellucid.load(tmp_path / "model", warn=lambda it: None, baseline=written)
        return chosen.explain(["good film"], method="integrated-gradients")

    with pytest.raises(InstanceError) as refusal:
        explained("the film was not good at all")
    said = str(refusal.value)
    assert "the baseline of 'text' has (7, 6) numbers behind it, and the instance (2, 6)" in said
    assert said.endswith("; choose a baseline=… that is no longer than the instance")
    assert len(explained("bad film")[0].labels[0].features["text"]) == 2
