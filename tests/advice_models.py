"""Models that are told something: each the least that sets off one message or several."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.linter import draft_metadata
from pellucid.metadata.documents import dump_metadata
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import read

FLOATS = tf.TensorSpec([None, 5], tf.float32)
IDS = tf.TensorSpec([None, 4], tf.int64)
PICTURE = tf.TensorSpec([None, 12, 12, 3], tf.float32)
METADATA = "explanation_metadata.json"

_draw = np.random.RandomState(0)
TABLE, WEIGHT = _draw.randn(10, 3).astype("f"), _draw.randn(5, 3).astype("f")
PIXEL_WEIGHT = _draw.randn(432, 3).astype("f")


def save(directory: Path, specs: dict[str, Any], *functions: Callable[..., Any]) -> Path:
    """Save functions of named tensors as signatures: the first is the default, unless it is alone
    with others of its own names."""
    module = tf.Module()
    signatures = {}
    for function in functions:
        traced = tf.function(function, autograph=False)
        one = {k: tf.TensorSpec(v.shape, v.dtype, k) for k, v in specs.items()}
        signatures[function.__name__] = traced.get_concrete_function(**one)
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return directory


def serving_default(x: Any) -> Any:
    return {"p": tf.nn.softmax(tf.tanh(x) @ WEIGHT)}


def other(x: Any) -> Any:
    return {"q": tf.nn.sigmoid(x @ WEIGHT)}


def another(x: Any) -> Any:
    return {"q": tf.nn.sigmoid(2 * x @ WEIGHT)}


def columns(directory: Path) -> Path:
    return save(directory, {"x": FLOATS}, serving_default, other)


def series(directory: Path) -> Path:
    def serving_default(x: Any) -> Any:
        return {"p": tf.nn.softmax(tf.reduce_mean(tf.tanh(x), 1) @ WEIGHT[:2])}

    return save(directory, {"x": tf.TensorSpec([None, 30, 2], tf.float32)}, serving_default)


def named_signatures(directory: Path) -> Path:
    return save(directory, {"x": FLOATS}, other, another)


def two_outputs(directory: Path) -> Path:
    def serving_default(x: Any) -> Any:
        return {"tone": tf.nn.sigmoid(x @ WEIGHT), "topic": 2 * tf.nn.softmax(x @ WEIGHT)}

    return save(directory, {"x": FLOATS}, serving_default)


def two_explained(directory: Path) -> Path:
    two_outputs(directory)
    outputs = {name: {"output_tensor_name": name} for name in ("tone", "topic")}
    document = {
        "framework": "tensorflow",
        "inputs": {"x": {"input_tensor_name": "x"}},
        "outputs": outputs,
    }
    (directory / METADATA).write_text(json.dumps(document), "utf-8")
    return directory


def vague(directory: Path) -> Path:
    """Its output is no softmax, but comes from one."""

    def serving_default(x: Any) -> Any:
        return {"p": 2 * tf.nn.softmax(x @ WEIGHT, name="shares")}

    return save(directory, {"x": FLOATS}, serving_default)


def normalised(directory: Path) -> Path:
    def serving_default(x: Any) -> Any:
        return {"p": tf.nn.softmax(2 * tf.math.l2_normalize(x, 1) @ WEIGHT)}

    return save(directory, {"x": FLOATS}, serving_default)


def normalised_pictures(directory: Path) -> Path:
    def serving_default(image: Any) -> Any:
        flat = tf.math.l2_normalize(tf.reshape(image, [-1, 432]), 1)
        return {"p": tf.nn.softmax(flat @ PIXEL_WEIGHT)}

    return save(directory, {"image": PICTURE}, serving_default)


def fills_holes(directory: Path) -> Path:
    def serving_default(x: Any) -> Any:
        return {"p": tf.nn.softmax(tf.where(tf.math.is_nan(x), 0.5, x) @ WEIGHT)}

    return save(directory, {"x": FLOATS}, serving_default)


def of_bytes(directory: Path) -> Path:
    """Sees nothing in pixels of 0..1, and nothing in the graph says so."""

    def serving_default(image: Any) -> Any:
        flat = tf.reshape(image, [-1, 432]) @ (PIXEL_WEIGHT / 432)
        return {"p": tf.nn.softmax(flat)}

    return save(directory, {"image": PICTURE}, serving_default)


def bgr(directory: Path) -> Path:
    def serving_default(image: Any) -> Any:
        caffe = image - np.array([103.939, 116.779, 123.68], "f")
        return {"p": tf.nn.softmax(tf.reshape(caffe, [-1, 432]) @ (PIXEL_WEIGHT / 432))}

    return save(directory, {"image": PICTURE}, serving_default)


def step(directory: Path) -> Path:
    def serving_default(x: Any) -> Any:
        return {"y": tf.reduce_sum(tf.sign(x), 1)}

    return save(directory, {"x": FLOATS}, serving_default)


def partly_bucket(directory: Path) -> Path:
    def serving_default(x: Any) -> Any:
        steps = tf.cast(tf.raw_ops.Bucketize(input=x, boundaries=[0.5]), tf.float32)
        return {"y": tf.reduce_sum(steps, 1) + 0.1 * tf.reduce_sum(x, 1)}

    return save(directory, {"x": FLOATS}, serving_default)


def logarithm(directory: Path) -> Path:
    """Has no score at zero."""

    def serving_default(x: Any) -> Any:
        return {"y": tf.math.log(tf.reduce_sum(x, 1))}

    return save(directory, {"x": FLOATS}, serving_default)


def late(directory: Path) -> Path:
    """Rises at once, on the way from zero to one, and is no sigmoid but comes from one."""

    def serving_default(x: Any) -> Any:
        return {"y": 2 * tf.nn.sigmoid(1000 * (x[:, 0] - 0.7))}

    return save(directory, {"x": FLOATS}, serving_default)


def saturated(directory: Path) -> Path:
    """A softmax that is 1 on nearly all of the way."""

    def serving_default(x: Any) -> Any:
        return {"p": tf.nn.softmax(4000 * (x @ WEIGHT))}

    return save(directory, {"x": FLOATS}, serving_default)


def _embedded(ids: Any) -> Any:
    return tf.reshape(tf.nn.embedding_lookup(TABLE, ids), [-1, 12])


def ids(directory: Path) -> Path:
    def serving_default(words: Any) -> Any:
        return {"p": tf.nn.softmax(_embedded(words) @ PIXEL_WEIGHT[:12])}

    return save(directory, {"words": IDS}, serving_default)


def of_another(directory: Path) -> Path:
    """Its metadata are those of a signature that has to be asked for."""

    def other(x: Any) -> Any:
        return {"p": tf.nn.softmax(tf.sin(x) @ WEIGHT)}

    save(directory, {"x": FLOATS}, serving_default, other)
    draft = draft_metadata(read(directory), signature_key="other")
    (directory / METADATA).write_text(json.dumps(dump_metadata(draft.metadata)), "utf-8")
    return directory


def looped_ids(directory: Path) -> Path:
    """They are looked up one after the other."""

    def serving_default(words: Any) -> Any:
        def step(i: Any, state: Any) -> Any:
            found = tf.nn.embedding_lookup(TABLE, tf.gather(words, i, axis=1))
            return i + 1, tf.tanh(state + found)

        state = tf.zeros([tf.shape(words)[0], 3])
        _, state = tf.while_loop(
            lambda i, _: i < 4,
            step,
            (0, state),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 3])),
        )
        return {"p": tf.nn.softmax(state)}

    return save(directory, {"words": IDS}, serving_default)


def ids_and_columns(directory: Path) -> Path:
    def serving_default(words: Any, x: Any) -> Any:
        both = tf.concat([_embedded(words), x], 1)
        return {"p": tf.nn.softmax(3 * tf.tanh(3 * both) @ PIXEL_WEIGHT[:17])}

    return save(directory, {"words": IDS, "x": FLOATS}, serving_default)


def joined_ids(directory: Path) -> Path:
    """Two inputs are looked up together, so that no tensor is of one of them alone."""

    def serving_default(words: Any, more: Any, x: Any) -> Any:
        table = tf.reshape(tf.nn.embedding_lookup(TABLE, tf.concat([words, more], 1)), [-1, 24])
        return {"p": tf.nn.softmax(tf.concat([table, x], 1) @ PIXEL_WEIGHT[:29])}

    return save(directory, {"words": IDS, "more": IDS, "x": FLOATS}, serving_default)


def only_joined_ids(directory: Path) -> Path:
    def serving_default(words: Any, more: Any) -> Any:
        table = tf.reshape(tf.nn.embedding_lookup(TABLE, tf.concat([words, more], 1)), [-1, 24])
        return {"p": tf.nn.softmax(table @ PIXEL_WEIGHT[:24])}

    return save(directory, {"words": IDS, "more": IDS}, serving_default)


def _of_texts(text: Any) -> Any:
    """Long words count; how many there are, too."""
    words = tf.strings.split(text)
    long = tf.reduce_sum(tf.cast(tf.strings.length(words) > 4, tf.float32), 1)
    count = tf.cast(words.row_lengths(), tf.float32)
    return {"y": tf.tanh(tf.stack([long / 10, count / 100 + long / 40], 1))}


TEXTS = tf.TensorSpec([None], tf.string)


def texts(directory: Path) -> Path:
    def serving_default(text: Any) -> Any:
        return _of_texts(text)

    return save(directory, {"text": TEXTS}, serving_default)


def lengths_of_texts(directory: Path) -> Path:
    """Nothing in the graph tells that these are texts."""

    def serving_default(text: Any) -> Any:
        length = tf.cast(tf.strings.length(text), tf.float32)
        return {"y": tf.tanh(tf.stack([length / 100, length / 50], 1))}

    return save(directory, {"text": TEXTS}, serving_default)


def mean_of_words(directory: Path) -> Path:
    """Of an empty text, there is no mean."""

    def serving_default(text: Any) -> Any:
        words = tf.strings.split(text)
        long = tf.reduce_sum(tf.cast(tf.strings.length(words) > 4, tf.float32), 1)
        return {
            "y": tf.stack([long, 1 + long], 1) / tf.cast(words.row_lengths()[:, None], tf.float32)
        }

    return save(directory, {"text": TEXTS}, serving_default)


def mean_of_plain_words(directory: Path) -> Path:
    """Of a text without words there is no mean, and what stands in brackets is none."""

    def serving_default(text: Any) -> Any:
        words = tf.strings.split(tf.strings.regex_replace(text, r"\[\w*\]", ""))
        long = tf.reduce_sum(tf.cast(tf.strings.length(words) > 4, tf.float32), 1)
        return {
            "y": tf.stack([long, 1 + long], 1) / tf.cast(words.row_lengths()[:, None], tf.float32)
        }

    return save(directory, {"text": TEXTS}, serving_default)


def texts_from_a_text(directory: Path) -> Path:
    """Its baseline is a text, and its metadata do not have to say that this is one."""
    texts(directory)
    document = {
        "framework": "tensorflow",
        "inputs": {"text": {"input_tensor_name": "text", "input_baselines": ["nothing"]}},
        "outputs": {"y": {"output_tensor_name": "y"}},
    }
    (directory / METADATA).write_text(json.dumps(document), "utf-8")
    return directory


def any_length(directory: Path) -> Path:
    def serving_default(x: Any) -> Any:
        return {"y": tf.reduce_sum(tf.tanh(x, name="each"), 1, keepdims=True)}

    return save(directory, {"x": tf.TensorSpec([None, None], tf.float32)}, serving_default)


def reading(directory: Path) -> Path:
    """Its answer waits for a file to be read."""
    file = directory.with_suffix(".txt")
    file.write_text("1", "utf-8")

    def serving_default(x: Any) -> Any:
        scale = tf.strings.to_number(tf.io.read_file(str(file)))
        return {"p": tf.nn.softmax(scale * x @ WEIGHT)}

    return save(directory, {"x": FLOATS}, serving_default)


def requests(folder: Path) -> dict[str, Path]:
    """Write the requests that are asked, and return them by name."""
    draw = np.random.RandomState(1)
    rows = draw.randn(3, 5).round(3)
    words = [[1, 2, 3, 4], [5, 6, 7, 8]]
    pictures = draw.rand(3, 12, 12, 3).round(3)
    holes = [[None, 1.0, 2.0, 1.0, 3.0], [1.0, 2.0, 1.0, 3.0, 1.0]]
    bodies: dict[str, Any] = {
        "holes": {"instances": holes},
        "no_word": {"instances": [[1, None, 3, 4]]},
        "target": {"instances": [{"x": [1.0, 2.0, 1.0, 3.0, 1.0], "target": 1}]},
        "with_id": {"instances": [{"x": [1.0, 2.0, 1.0, 3.0, 1.0], "id": "a"}]},
        "one": {"instances": rows[:1].tolist()},
        "rows": {"instances": rows.tolist()},
        "zero": {"instances": [[0.0] * 5]},
        "ones": {"instances": [[1.0, 2.0, 1.0, 3.0, 1.0]]},
        "words": {"instances": words},
        "both": {"instances": [{"words": words[0], "x": [1.0, -2.0, 1.5, 3.0, -1.0]}]},
        "joined": {"instances": [{"words": words[0], "more": words[1], "x": [1.0] * 5}]},
        "pair": {"instances": [{"words": words[0], "more": words[1]}]},
        "picture": {"instances": pictures[:1].tolist()},
        "pictures": {"instances": pictures.tolist()},
        "lengths": {"instances": [[1.0, 2.0], [1.0, 2.0, 3.0]]},
        "sentence": {"instances": ["a sentence that looks like nothing else"]},
        "color": {"instances": ["light blue"]},
        "story": {"instances": ["Another sentence of words. " * 60]},
        "three": {"instances": [[1.0, 2.0, 3.0]]},
        "signature": {"instances": rows.tolist(), "signature_name": "other"},
    }
    made = {}
    for name, body in bodies.items():
        made[name] = folder / f"{name}.json"
        made[name].write_text(json.dumps(body), "utf-8")
    return made
