"""Real models: what is held, zero gradients, scores that are none, in every command and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pellucid
from core.serve.serving import serving
from pellucid.errors import InstanceError, NotDifferentiableError
from pellucid.notices import Message
from pellucid.runtime.engine.tensorflow import tf

ROW = tf.TensorSpec([None, 3], tf.float32, "x")
IMAGE = tf.TensorSpec([None, 16, 16, 3], tf.float32, "x")
WEIGHTS = np.array([[3.0, -3.0], [1.0, 0.0], [0.0, 2.0]], np.float32)


def saturated(x: Any) -> Any:
    """A softmax that is 1 in float32 on nearly all of the way to (1, 1, 1)."""
    return tf.nn.softmax(4000.0 * (x @ WEIGHTS))


def stairs(x: Any) -> Any:
    return tf.nn.softmax(tf.sign(x) @ WEIGHTS)


def beside_stairs(x: Any) -> Any:
    """A bucket counts, and the gradient goes another way."""
    above = tf.cast(tf.raw_ops.Bucketize(input=x, boundaries=[0.5]), tf.float32)
    return tf.reduce_sum(above, 1, keepdims=True) + 1e-6 * tf.reduce_sum(x, 1, keepdims=True)


def logarithm(x: Any) -> Any:
    return tf.math.log(x @ tf.abs(WEIGHTS))


def held(x: Any, word: Any) -> Any:
    """The word is held; what it adds does not make the attributions of the numbers wrong."""
    length = tf.cast(tf.strings.length(word), tf.float32)
    return tf.reduce_sum(x, 1) * length


def dark(x: Any) -> Any:
    """The more of the first channel, the less: the best channel of each pixel has no part in it."""
    return -tf.reduce_mean(x[..., 0], [1, 2])[:, None]


MODELS: dict[str, tuple[Callable[..., Any], list[tf.TensorSpec]]] = {
    "saturated": (saturated, [ROW]),
    "stairs": (stairs, [ROW]),
    "beside_stairs": (beside_stairs, [ROW]),
    "logarithm": (logarithm, [ROW]),
    "held": (held, [ROW, tf.TensorSpec([None], tf.string, "word")]),
    "dark": (dark, [IMAGE]),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    done: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in done:
            function, signature = MODELS[name]
            done[name] = tmp_path_factory.mktemp(name)
            module = tf.Module()
            module.f = tf.function(lambda **x: {"y": function(**x)}).get_concrete_function(
                **{it.name: it for it in signature}
            )
            tf.saved_model.save(module, str(done[name]), signatures=module.f)
        return done[name]

    return build


@pytest.fixture
def instances(tmp_path: Path) -> Callable[[Any], Path]:
    def write(rows: Any) -> Path:
        path = tmp_path / "rows.json"
        path.write_text(json.dumps({"instances": rows}))
        return path

    return write


def explained(directory: Path, rows: Any, **options: Any) -> tuple[Any, list[str]]:
    heard: list[Message] = []
    model = pellucid.load(directory, warn=heard.append, **options)
    found = model.explain(rows)
    return found, [str(it) for it in heard if "no explanation_metadata" not in str(it)]


# Zero gradients


def test_a_saturated_softmax_says_so_and_the_logits_explain_it(built: Any) -> None:
    found, (heard,) = explained(built("saturated"), [[1.0, 1.0, 1.0]])
    assert found[0].labels[0].approx_error > 0.99
    assert "the softmax of the output is saturated at the instance (1)" in heard
    assert "explain the score before it with logits=True, or take more steps=…" in heard
    after, heard_then = explained(built("saturated"), [[1.0, 1.0, 1.0]], logits=True)
    assert heard_then == [] and after[0].labels[0].approx_error < 1e-5


def test_more_steps_find_where_a_softmax_is_not_saturated(built: Any) -> None:
    found, _ = explained(built("saturated"), [[1.0, 1.0, 1.0]], steps=5000)
    assert found[0].labels[0].approx_error < 0.05


@pytest.mark.parametrize("company", [[], [[0.0, 0.0, 0.0]], [[0.5, 1.0, 0.0]] * 2])
def test_a_step_is_refused_by_its_name_alone_and_in_company(built: Any, company: Any) -> None:
    row = [1.0, 2.0, -1.0]
    with pytest.raises(NotDifferentiableError) as caught:
        explained(built("stairs"), [row, *company])
    assert "exactly 0 everywhere between baseline and instance: operation '" in str(caught.value)
    assert "Sign' (Sign) on the way from 'x' to the output is a step" in str(caught.value)
    found, heard = explained(built("stairs"), [row], method="sampled-shapley")
    assert found[0].labels[0].approx_error in (0, None) and not any("step" in it for it in heard)


def test_a_bucket_beside_a_gradient_is_named_and_shapley_needs_none(built: Any) -> None:
    _, (heard,) = explained(built("beside_stairs"), [[1.0, 2.0, 3.0]])
    assert "part of the way from 'x' to the output passes operation '" in heard
    assert "Bucketize' (Bucketize), which has no gradient; method='sampled-shapley'" in heard
    found, after = explained(built("beside_stairs"), [[1.0, 2.0, 3.0]], method="sampled-shapley")
    assert after == []
    np.testing.assert_allclose(found[0].labels[0].features["x"], [1, 1, 1], atol=1e-4)


def test_xrai_of_a_model_that_likes_it_dark_is_no_step(built: Any) -> None:
    pictures = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    together, heard = explained(built("dark"), pictures, method="xrai", steps=4)
    alone, heard_alone = explained(built("dark"), pictures[:1], method="xrai", steps=4)
    assert heard == heard_alone == []
    one, other = (it[0].labels[0].values["x"] for it in (together, alone))
    np.testing.assert_allclose(one, other, atol=1e-7)


# Scores that are none


REFUSED = "the score of baseline (0 for 'x') is -inf at output 'y' [0], and no attributions add up"


@pytest.mark.parametrize("method", ["integrated-gradients", "sampled-shapley"])
def test_a_baseline_at_minus_infinity_is_refused(built: Any, method: str) -> None:
    with pytest.raises(InstanceError) as caught:
        explained(built("logarithm"), [[1.0, 2.0, 3.0]], method=method, output_indices=[0])
    assert str(caught.value).startswith(f"instances[0]: {REFUSED}")


def test_in_all_commands(built: Any, program: Any, instances: Any, tmp_path: Path) -> None:
    directory, rows = built("logarithm"), instances([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    one = ("--output-index", 0)
    run = program("explain", directory, rows, *one)
    assert run.code == 1 and REFUSED in run.err and REFUSED in json.loads(run.out)["error"]
    drawn = program("visualize", directory, rows, *one, "-o", tmp_path / "x.png")
    assert drawn.code == 1 and REFUSED in drawn.err and not (tmp_path / "x.png").exists()
    out = tmp_path / "out"
    assert program("batch", directory, rows, *one, "--out", out).code == 1
    lines = (out / "errors.jsonl").read_text().splitlines()
    assert len(lines) == 2 and all(REFUSED in line for line in lines)


def test_over_http_too(built: Any) -> None:
    def load(directory: Path) -> Any:
        return pellucid.load(directory, warn=lambda message: None, output_indices=[0])

    with serving(f"m={built('logarithm')}", load=load) as server:
        answer = server.ask("POST", "/v1/models/m:explain", {"instances": [[1.0, 2.0, 3.0]]})
        assert answer.status == 400 and REFUSED in json.dumps(answer.json)
        # The instance itself has no score.
        answer = server.ask("POST", "/v1/models/m:explain", {"instances": [[0.0, 0.0, 0.0]]})
        assert answer.status == 400
        assert "the model's output is not finite (-inf at output 'y' [0])" in json.dumps(
            answer.json
        )


# What is held


HELD = "given no attribution: 'word', which no gradient reaches; "
ROWS = [{"x": [1.0, 2.0, 3.0], "word": "four"}, {"x": [1.0, 0.0, 3.0], "word": "or"}]


def test_what_is_held_is_said_once_and_stands_in_every_response(
    built: Any, program: Any, instances: Any, tmp_path: Path
) -> None:
    directory, rows = built("held"), instances(ROWS)
    run = program("explain", directory, rows)
    assert run.code == 0 and run.err.count(HELD) == 1
    assert "; --method sampled-shapley explains features without a gradient, too" in run.err
    first = json.loads(run.out)["explanations"][0]
    assert first["attributions_by_label"][0]["approx_error"] < 1e-5
    assert first["diagnostics"] == [{"held": ["word"]}]
    run = program("explain", directory, rows, "--format", "vertex")
    assert json.loads(run.out)["explanations"][1]["diagnostics"] == [{"held": ["word"]}]
    drawn = program("visualize", directory, rows, "-o", tmp_path / "drawn")
    assert drawn.code == 0 and drawn.err.count(HELD) == 1
    out = tmp_path / "out"
    done = program("batch", directory, rows, "--out", out, "--block-size", 1)
    assert done.code == 0 and done.err.count(HELD) == 1
    summary = json.loads((out / "summary.json").read_text())
    assert summary["held"] == ["word"] and summary["withWarnings"] == 0


def test_what_shapley_values_explain_is_not_held(built: Any, program: Any, instances: Any) -> None:
    run = program("explain", built("held"), instances(ROWS), "--method", "sampled-shapley")
    first = json.loads(run.out)["explanations"][0]
    assert run.code == 0 and HELD not in run.err and "diagnostics" not in first
    assert set(first["attributions_by_label"][0]["attributions"]) == {"x", "word"}


# Noise in units of pixels


def test_smoothgrad_says_its_noise(built: Any, program: Any, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(picture)
    asked = ("explain", built("dark"), picture, "--pixels", "0..255", "--steps", 2)
    run = program(*asked, "--noisy-samples", 2)
    assert "standard deviation 25.5 for 'x' (a tenth of its range, 0..255); set" in run.err
    assert "--noise-sigma" in run.err
    little = program(*asked, "--noisy-samples", 2, "--noise-sigma", 0.1)
    assert "warning: SmoothGrad's noise of 0.1 is less than 1% of the range of 'x'" in little.err
    assert "a tenth is usual: --noise-sigma 25.5" in little.err
    enough = program(*asked, "--noisy-samples", 2, "--noise-sigma", 25.5)
    assert enough.code == 0 and "SmoothGrad" not in enough.err
