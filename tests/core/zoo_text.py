"""Strings: lookup tables of every kind, images as bytes, base64, serialized examples."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from zoo import Net, Sample, export, float_rows, metadata, model, normal

from pellucid.runtime.engine.tensorflow import tf

WORDS = ["cat", "dog", "fish", "bird"]
TABLE = normal(5, 4)
ASKED = np.array([["cat", "dog"], ["bird", "unheard"]], object)
FOUND = TABLE[np.array([[0, 1], [3, 4]])]
STRINGS = tf.TensorSpec([None, 2], tf.string)


def _serve(directory: Path, table: Any, tracked: Any = None, look_up: Any = None) -> Sample:
    """Words → ids → embedding → network."""
    net, embedding = Net(), tf.Variable(TABLE)

    @tf.function
    def embedded(words: Any) -> Any:
        ids = (look_up or table.lookup)(words)
        return tf.identity(tf.nn.embedding_lookup(embedding, ids), "embedded")

    export(
        directory,
        lambda words: net(tf.reduce_sum(embedded(words), 1)),
        [net, embedding, table, tracked],
        words=STRINGS,
    )
    return Sample(
        x={"words": ASKED},
        points={"words": FOUND},
        function=lambda words: net(tf.reduce_sum(words, 1)),
        metadata=metadata(
            {
                "words": {
                    "input_tensor_name": "words",
                    "encoded_tensor_name": "embedded",
                    "encoding": "concat_embedding",
                }
            },
            "output_0",
        ),
    )


@model
def static_table(directory: Path) -> Sample:
    initializer = tf.lookup.KeyValueTensorInitializer(WORDS, np.arange(4))
    return _serve(directory, tf.lookup.StaticHashTable(initializer, 4))


@model
def asset_table(directory: Path) -> Sample:
    file = directory.parent / f"{directory.name}.vocabulary.txt"
    file.write_text("\n".join(WORDS), "utf-8")
    initializer = tf.lookup.TextFileInitializer(
        str(file),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    sample = _serve(directory, tf.lookup.StaticHashTable(initializer, 4))
    file.unlink()
    return sample


@model
def bucket_table(directory: Path) -> Sample:
    initializer = tf.lookup.KeyValueTensorInitializer(WORDS, np.arange(4, dtype=np.int64))
    return _serve(directory, tf.lookup.StaticVocabularyTable(initializer, 1))


@model
def mutable_table(directory: Path) -> Sample:
    """What it holds is in the checkpoint."""
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 4)
    table.insert(WORDS, np.arange(4))
    return _serve(directory, table)


@model
def dense_table(directory: Path) -> Sample:
    table = tf.lookup.experimental.DenseHashTable(tf.string, tf.int64, 4, "", "-")
    table.insert(WORDS, np.arange(4))

    def look_up(words: Any) -> Any:
        return tf.reshape(table.lookup(tf.reshape(words, [-1])), tf.shape(words))

    return _serve(directory, table, look_up=look_up)


@model
def keras_string_lookup(directory: Path) -> Sample:
    layer = tf.keras.layers.StringLookup(vocabulary=WORDS)

    def look_up(words: Any) -> Any:
        return (layer(words) - 1) % 5

    return _serve(directory, layer.lookup_table, layer, look_up)


@model
def keras_text_vectorization(directory: Path) -> Sample:
    layer = tf.keras.layers.TextVectorization(vocabulary=WORDS, output_sequence_length=2)

    def look_up(words: Any) -> Any:
        return (layer(tf.strings.reduce_join(words, 1, separator=" ")) - 2) % 5

    return _serve(directory, layer._lookup_layer.lookup_table, layer, look_up)


def _images() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)


def _of_bytes(directory: Path, decode: Any, files: list[bytes]) -> Sample:
    net = Net(8 * 8 * 3)

    def serve(image_bytes: Any) -> Any:
        pixels = tf.map_fn(decode, image_bytes, fn_output_signature=tf.uint8)
        scaled = tf.image.convert_image_dtype(tf.reshape(pixels, [-1, 8, 8, 3]), tf.float32)
        return net(tf.reshape(tf.identity(scaled, "scaled"), [-1, 8 * 8 * 3]))

    export(directory, serve, net, image_bytes=float_rows(dtype=tf.string))
    return Sample(
        x={"image_bytes": np.array(files, object)},
        points={"image_bytes": _images().astype(np.float32) / 255},
        function=lambda image_bytes: net(tf.reshape(image_bytes, [-1, 8 * 8 * 3])),
        metadata=metadata(
            {
                "image_bytes": {
                    "input_tensor_name": "image_bytes",
                    "encoded_tensor_name": "scaled",
                    "encoding": "identity",
                }
            },
            "output_0",
        ),
    )


def _png(image: np.ndarray) -> bytes:
    return bytes(tf.io.encode_png(image).numpy())


@model
def image_bytes(directory: Path) -> Sample:
    return _of_bytes(
        directory,
        lambda b: tf.ensure_shape(tf.io.decode_image(b, 3, expand_animations=False), [8, 8, 3]),
        [_png(i) for i in _images()],
    )


@model
def base64_text(directory: Path) -> Sample:
    return _of_bytes(
        directory,
        lambda b: tf.io.decode_png(tf.io.decode_base64(b), 3),
        [base64.urlsafe_b64encode(_png(i)) for i in _images()],
    )


@model
def examples_in_a_function(directory: Path) -> Sample:
    net = Net()
    x = normal(2, 4)

    def serve(examples: Any) -> Any:
        features = {
            "a": tf.io.FixedLenFeature([4], tf.float32),
            "tags": tf.io.RaggedFeature(tf.string),
        }
        parsed = tf.io.parse_example(examples, features)
        lengths = tf.cast(parsed["tags"].row_lengths(), tf.float32)
        return net(tf.identity(parsed["a"], "parsed")) * (1.0 + lengths[:, None])

    export(directory, serve, net, examples=float_rows(dtype=tf.string))

    def example(a: np.ndarray) -> bytes:
        message = tf.train.Example()
        message.features.feature["a"].float_list.value.extend(a.tolist())
        message.features.feature["tags"].bytes_list.value.extend([b"x", b"y"])
        return bytes(message.SerializeToString())

    return Sample(
        x={"examples": np.array([example(a) for a in x], object)},
        points={"a": x},
        function=lambda a, examples: 3.0 * net(a),
        metadata=metadata({"a": {"input_tensor_name": "parsed"}}, "output_0"),
    )
