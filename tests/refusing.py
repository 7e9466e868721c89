"""A model of serialized records that refuses some of them, each at another operation."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.runtime.engine.tensorflow import tf


def record(price: float, photo: bytes | None = None) -> bytes:
    """A record that the model takes, if the price is at most 10 and the photo a JPEG."""
    photo = tf.io.encode_jpeg(np.zeros((2, 2, 3), np.uint8)).numpy() if photo is None else photo
    features = {
        "price": tf.train.Feature(float_list=tf.train.FloatList(value=[price])),
        "photo": tf.train.Feature(bytes_list=tf.train.BytesList(value=[photo])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return bytes(example.SerializeToString())


def refused() -> dict[str, tuple[bytes, str]]:
    """Records that it refuses: by the way, and what TensorFlow says of them, and where."""
    return {
        # What TensorFlow says of this one quotes it, and is no UTF-8.
        "not a record": (b"\xff\xfegarbage", r"value: '\xff\xfegarbage' (at "),
        "without a feature": (b"", "lacks the feature 'photo' (string), which the model requires"),
        "a damaged photo": (record(1, b"no photo"), "DecodeJpeg"),
        "an assertion": (record(11), "[a price is at most 10]"),
    }


def begins(kind: str) -> str:
    """Return how the sentence on a refused record begins."""
    return "the record " if kind == "without a feature" else "the model cannot take this: "


def request(*records: bytes) -> dict[str, Any]:
    return {"instances": [{"b64": base64.b64encode(it).decode()} for it in records]}


def build(directory: Path) -> None:
    spec = {
        "price": tf.io.FixedLenFeature([], tf.float32),
        "photo": tf.io.FixedLenFeature([], tf.string),
    }

    def decoded(photo: Any) -> Any:
        return tf.cast(tf.io.decode_jpeg(photo, 3)[0, 0, 0], tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "record")])
    def serve(record: Any) -> Any:
        parsed = tf.io.parse_example(record, spec)
        red = tf.map_fn(decoded, parsed["photo"], fn_output_signature=tf.float32)
        price = tf.identity(parsed["price"], name="price")
        with tf.control_dependencies(
            [tf.debugging.assert_less_equal(price, 10.0, "a price is at most 10")]
        ):
            return {"y": price * price + red}

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(directory), signatures=serve)
    (directory / "explanation_metadata.json").write_text(
        '{"inputs": {"price": {"input_tensor_name": "price"}}, "framework": "tensorflow", '
        '"outputs": {"y": {"output_tensor_name": "y"}}}'
    )
