"""A model that never ends is given up, and said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from forked import Forks


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that counts for ever where an input is 300."""
    import tensorflow as tf

    class Endless(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x")])
        def __call__(self, x: Any) -> Any:
            (times,) = tf.while_loop(
                lambda i: (i < 1) | tf.reduce_any(tf.equal(x, 300.0)),
                lambda i: [i + 1],
                [tf.constant(0)],
            )
            return {"y": tf.reduce_sum(x * tf.cast(times, tf.float32), 1, keepdims=True)}

    path = tmp_path_factory.mktemp("endless") / "model"
    module = Endless()
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    return path


def test_explain_gives_up_and_fails_as_for_a_bad_instance(
    forks: Forks, endless: Path, tmp_path: Path
) -> None:
    given, out = tmp_path / "in.json", tmp_path / "out.json"
    settings = ("--timeout", 1, "--method", "sampled-shapley", "--paths", 2)
    given.write_text('{"instances": [[1, 2, 3]]}')
    assert forks.start("explain", endless, given, *settings).wait() == 0
    given.write_text('{"instances": [[1, 2, 300]]}')
    child = forks.start("explain", endless, given, "-o", out, *settings)
    assert child.wait() == 1, child.err
    sentence = f"{given}: instances[0]: was not explained within 1 s; give it longer with --timeout"
    assert child.err.endswith(f"error: {sentence}\n")
    assert json.loads(out.read_text()) == {"error": sentence}
