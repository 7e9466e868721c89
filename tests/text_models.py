"""Small models of words and ids, written by different roads, and what each makes of an embedding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.runtime.engine.tensorflow import tf

WORDS = [
    *("the", "movie", "was", "a", "very", "good", "bad", "film", "plot", "acting", "great"),
    "boring",
]
TEXTS = ["The movie, was a very GOOD film!", "boring  plot"]
SPLIT = [["the", "movie", "was", "a", "very", "good", "film"], ["boring", "plot"]]


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A model that was exported, and a part of it.

    `embed` makes embeddings [n, t, d] of instances, `head` the output of these and of the instances
    they belong to, whose masks stay as they are.
    """

    directory: Path
    instances: list[Any]
    embed: Callable[[list[Any]], Any]
    head: Callable[[Any, list[Any]], Any]
    empty: Any = ""


def words_of(text: str) -> list[str]:
    """Cut a text as the models here do."""
    return text.lower().replace(",", "").replace("!", "").split()


def ids_of(texts: list[str], length: int, first: int = 2, unknown: int = 1) -> np.ndarray:
    """Return the ids of words as Keras counts them: 0 is padding, 1 is any other word."""
    rows = [
        [WORDS.index(it) + first if it in WORDS else unknown for it in words_of(text)]
        for text in texts
    ]
    return np.array([(row + [0] * length)[:length] for row in rows])


def _keras() -> Any:
    import keras

    keras.utils.set_random_seed(7)
    return keras, keras.layers


def _vectorized(length: int | None, **options: Any) -> Any:
    import keras

    return keras.layers.TextVectorization(
        vocabulary=WORDS, output_sequence_length=length, **options
    )


def pooled(directory: Path) -> TextModel:
    """Keras: a text [n, 1], a mask over what is padding, and a mean."""
    keras, layers = _keras()
    text = keras.Input((1,), dtype="string", name="text")
    table = layers.Embedding(14, 6, mask_zero=True)
    dense = layers.Dense(1, activation="sigmoid")
    out = dense(layers.GlobalAveragePooling1D()(table(_vectorized(9)(text))))
    keras.Model(text, out).export(directory, verbose=False)

    def head(rows: Any, texts: list[Any]) -> Any:
        mask = tf.cast(ids_of(texts, 9) != 0, tf.float32)[..., None]
        return dense(tf.reduce_sum(rows * mask, 1) / tf.reduce_sum(mask, 1))

    return TextModel(
        directory=directory, instances=TEXTS, embed=lambda it: table(ids_of(it, 9)), head=head
    )


def recurrent(directory: Path) -> TextModel:
    """Keras: a text [n], and LSTMs, which are loops, forward and back."""
    keras, layers = _keras()
    text = keras.Input((), dtype="string", name="text")
    table, lstm = layers.Embedding(14, 6), layers.Bidirectional(layers.LSTM(5))
    dense = layers.Dense(3, activation="softmax")
    keras.Model(text, dense(lstm(table(_vectorized(9)(text))))).export(directory, verbose=False)
    return TextModel(
        directory=directory,
        instances=TEXTS,
        embed=lambda it: table(ids_of(it, 9)),
        head=lambda rows, texts: dense(lstm(rows)),
    )


def as_long_as_it_is(directory: Path) -> TextModel:
    """Keras: nothing is padded but beside longer texts; padding counts in the mean."""
    keras, layers = _keras()
    text = keras.Input((1,), dtype="string", name="text")
    table, dense = layers.Embedding(14, 6), layers.Dense(2, activation="tanh")
    mean = layers.GlobalAveragePooling1D()
    keras.Model(text, dense(mean(table(_vectorized(None)(text))))).export(directory, verbose=False)
    return TextModel(
        directory=directory,
        instances=TEXTS,
        embed=lambda it: table(ids_of(it, max(len(words_of(text)) for text in it))),
        head=lambda rows, texts: dense(mean(rows)),
    )


def attention(directory: Path) -> TextModel:
    """Keras: ids [n, 8], a convolution and attention; saved by TensorFlow itself."""
    keras, layers = _keras()
    ids = keras.Input((8,), dtype="int32", name="ids")
    table, conv = layers.Embedding(14, 6), layers.Conv1D(6, 3, padding="same", activation="tanh")
    heads, pool = layers.MultiHeadAttention(2, 3), layers.GlobalAveragePooling1D()
    dense = layers.Dense(2, activation="softmax")

    def head(rows: Any, given: Any = None) -> Any:
        found = conv(rows)
        return dense(pool(found + heads(found, found)))

    model = keras.Model(ids, head(table(ids)))
    tf.saved_model.save(model, str(directory))
    return TextModel(
        directory=directory,
        instances=ids_of(TEXTS, 8).tolist(),
        embed=lambda it: table(np.array(it)),
        head=head,
        empty=[0] * 8,
    )


def version_1(directory: Path) -> TextModel:
    """TensorFlow 1: a text [n], cut at spaces, looked up in a file, and a mask of its own."""
    v1, draw = tf.compat.v1, np.random.RandomState(3)
    table, weight = draw.randn(13, 5).astype("f"), draw.randn(5, 2).astype("f")
    file = directory.parent / "words.txt"
    file.write_text("\n".join(WORDS), "utf-8")

    def head(rows: Any, texts: list[Any]) -> Any:
        places = np.arange(rows.shape[1])
        mask = np.array([places < len(it.split()) for it in texts])[..., None]
        return tf.nn.softmax(tf.reduce_sum(tf.tanh(rows) * mask, 1) @ weight)

    with tf.Graph().as_default(), v1.Session() as session:
        text = v1.placeholder(tf.string, [None], "text")
        found = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            1,
        )  # fmt: skip
        words = v1.sparse_tensor_to_dense(v1.string_split(text), default_value="")
        variable = v1.get_variable("table", initializer=table)
        rows = tf.nn.embedding_lookup(variable, found.lookup(words))
        mask = tf.cast(tf.not_equal(words, ""), tf.float32)[..., None]
        out = tf.nn.softmax(tf.reduce_sum(tf.tanh(rows) * mask, 1) @ weight)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        signature = v1.saved_model.signature_def_utils.predict_signature_def(
            {"text": text}, {"scores": out}
        )
        builder = v1.saved_model.builder.SavedModelBuilder(str(directory))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=v1.tables_initializer(),
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
        )  # fmt: skip
        builder.save()

    def embed(texts: list[Any]) -> Any:
        length = max(len(it.split()) for it in texts)
        known = [[WORDS.index(w) if w in WORDS else 12 for w in it.split()] for it in texts]
        return table[np.array([row + [12] * (length - len(row)) for row in known])]

    plain = ["movie was unheard of", "boring plot"]
    return TextModel(directory=directory, instances=plain, embed=embed, head=head)


def module(directory: Path) -> TextModel:
    """A module with a table that can be changed, which the checkpoint holds."""
    draw = np.random.RandomState(4)
    table, weight = draw.randn(14, 5).astype("f"), draw.randn(5, 3).astype("f")

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 1)
            self.words.insert(tf.constant(WORDS), tf.range(2, 14, dtype=tf.int64))
            self.table = tf.Variable(table)

        @tf.function
        def __call__(self, text: Any) -> Any:
            words = tf.strings.split(tf.strings.lower(text)).to_tensor("", shape=[None, 9])
            ids = tf.where(words == "", tf.zeros([], tf.int64), self.words.lookup(words))
            rows = tf.nn.embedding_lookup(self.table, ids)
            return {"scores": tf.nn.softmax(tf.reduce_mean(tf.sin(rows), 1) @ weight)}

    made = Module()
    spec = tf.TensorSpec([None], tf.string, name="text")
    tf.saved_model.save(made, str(directory), made.__call__.get_concrete_function(spec))
    return TextModel(
        directory=directory,
        instances=["The movie WAS good", "boring plot"],
        embed=lambda it: table[ids_of(it, 9)],
        head=lambda rows, texts: tf.nn.softmax(tf.reduce_mean(tf.sin(rows), 1) @ weight),
    )


ROADS = [pooled, recurrent, as_long_as_it_is, attention, version_1, module]


def by_tape(model: TextModel, instance: Any, target: int, start: Any = None) -> np.ndarray:
    """Return the integrated gradients of one instance at its embedding, summed over the last axis.

    The path begins at the empty instance beside this one, so that it is as long, or at `start`.
    """
    stop, empty = np.asarray(model.embed([instance, model.empty]), np.float32)
    step = stop - (empty if start is None else start)
    nodes, weights = np.polynomial.legendre.leggauss(50)
    points = tf.constant((stop - step * ((1 - nodes) / 2)[:, None, None]).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(points)
        score = tf.reduce_sum(model.head(points, [instance] * 50)[:, target])
    slope = np.asarray(tape.gradient(score, points), np.float64)
    return np.asarray((np.tensordot(weights / 2, slope, 1) * step).sum(-1))
