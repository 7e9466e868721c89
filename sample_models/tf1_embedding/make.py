"""Train the `tf1_embedding` sample model: code or prose again, as TensorFlow 1 exported it.

Data: as in `code_or_prose`, the standard library's code against its docstrings (PSF licence; see
`../corpus.py`).
Network: a `tf.compat.v1` graph with reference variables and a lookup table held in the graph: 32
tokens (strings), an embedding in 8 dimensions, their mean over the tokens present, a dense layer
with tanh, softmax. Exported with `tf.compat.v1.saved_model.simple_save`; the tables are
initialized by its `legacy_init_op`.
Score: accuracy 0.961 on 4010 snippets of modules that were not trained on (half of each class).

Run `python sample_models/tf1_embedding/make.py`; it writes `model/` and `instances.json` beside
itself.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import corpus

HERE = Path(__file__).resolve().parent

LENGTH, WORDS, WIDTH = 32, 2000, 8
v1 = tf.compat.v1


def padded(text: str) -> list[str]:
    """The first 32 tokens, filled up with empty strings."""
    return (corpus.tokens(text) + [""] * LENGTH)[:LENGTH]


def variable(name: str, shape: list[int], deviation: float) -> Any:
    """A reference variable, as TensorFlow 1 made them."""
    start = v1.random_normal_initializer(stddev=deviation)
    return v1.get_variable(name, shape, initializer=start, use_resource=False)


def build(words: list[str]) -> tuple[Any, Any, Any, Any]:
    """The graph: tokens, labels, probabilities and one training step."""
    tokens = v1.placeholder(tf.string, [None, LENGTH], name="tokens")
    labels = v1.placeholder(tf.int64, [None], name="labels")
    pairs = tf.lookup.KeyValueTensorInitializer(words, list(range(1, WORDS)), tf.string, tf.int64)
    ids = tf.lookup.StaticHashTable(pairs, default_value=0, name="vocabulary").lookup(tokens)
    table = variable("words", [WORDS, WIDTH], 0.1)
    present = tf.cast(tf.not_equal(tokens, ""), tf.float32)
    embedded = v1.nn.embedding_lookup(table, ids)
    embedded = tf.multiply(embedded, present[:, :, tf.newaxis], name="embedding/lookup")
    length = tf.maximum(tf.reduce_sum(present, axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(embedded, axis=1) / length
    hidden = tf.tanh(
        mean @ variable("dense/kernel", [WIDTH, 16], 0.3) + variable("dense/bias", [16], 0.0)
    )
    logits = hidden @ variable("logits/kernel", [16, 2], 0.3) + variable("logits/bias", [2], 0.0)
    probabilities = tf.nn.softmax(logits, name="probabilities")
    loss = tf.reduce_mean(
        v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    return tokens, labels, probabilities, v1.train.AdamOptimizer(5e-3).minimize(loss)


def main() -> None:
    """Train, score, export."""
    train_part, test_part = corpus.snippets()
    words = corpus.vocabulary(train_part, WORDS - 1)
    x = np.array([padded(text) for text, _ in train_part], dtype=object)
    y = np.array([label for _, label in train_part])
    x_test = np.array([padded(text) for text, _ in test_part], dtype=object)
    y_test = np.array([label for _, label in test_part])
    shutil.rmtree(HERE / "model", ignore_errors=True)
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(7)
        tokens, labels, probabilities, step = build(words)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        rng = np.random.default_rng(7)
        for _ in range(6):
            order = rng.permutation(len(x))
            for i in range(0, len(x) - 63, 64):
                part = order[i : i + 64]
                session.run(step, {tokens: x[part], labels: y[part]})
        scores = session.run(probabilities, {tokens: x_test})
        accuracy = float(np.mean(scores.argmax(1) == y_test))
        print(f"accuracy on {len(x_test)} snippets of modules not trained on: {accuracy:.4f}")
        v1.saved_model.simple_save(
            session,
            str(HERE / "model"),
            inputs={"tokens": tokens},
            outputs={"probabilities": probabilities},
            legacy_init_op=v1.tables_initializer(),
        )
    metadata = {
        "inputs": {
            "tokens": {
                "input_tensor_name": "tokens:0",
                "encoding": "concat_embedding",
                "encoded_tensor_name": "embedding/lookup:0",
                "modality": "text",
            }
        },
        "outputs": {
            "probabilities": {
                "output_tensor_name": "probabilities:0",
                "index_name_mapping": corpus.LABELS,
            }
        },
        "framework": "tensorflow",
    }
    (HERE / "model/explanation_metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    instances = [{"tokens": padded(text)} for text, _ in test_part[4:8]]
    (HERE / "instances.json").write_text(json.dumps({"instances": instances}) + "\n")


if __name__ == "__main__":
    main()
