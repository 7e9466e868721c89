"""Completeness, two seeds, and random weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from judged import of_columns, of_picture
from small_network import SIZE, pictures

import pellucid
from pellucid.evaluate import Settings, Trial
from pellucid.evaluate.metrics.sanity import SANITY, rank_correlation, similarity

COMPLETENESS, SEED, RANDOMIZATION = SANITY


class Again:
    def __init__(self, anew):
        self.anew = anew

    def plain(self, candidate):
        return None

    def seeded(self, candidate, seed):
        return self.anew(candidate)

    def reinitialised(self, candidate, share):
        return self.anew(candidate)


def test_ranks_correlate_as_scipy_says() -> None:
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 9, (2, 40))  # with equal ones
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert rank_correlation(first, first * 3 - 1) == pytest.approx(1)
    assert math.isnan(rank_correlation(first, np.ones(40)))


def test_a_map_is_similar_to_itself_whatever_its_unit() -> None:
    first = np.random.default_rng(0).normal(size=(20, 20))
    assert similarity(first, 5 * first) == pytest.approx(1)
    assert similarity(first, -first) < 0.2
    assert math.isnan(similarity(first[:2], first[:2]))


def test_completeness_is_what_the_method_says() -> None:
    trial = Trial(
        subject=of_columns([1], [1]), maps={"a": np.ones(1), "b": np.ones(1), "random": np.ones(1)},
        controls=frozenset({"random"}), errors={"a": 0.25},
    )  # fmt: skip
    found = COMPLETENESS.judge(trial, Settings())
    assert found.values == {"completeness": {"a": 0.25}}
    assert [*found.missing] == [("completeness", "b")]


def test_two_seeds_are_of_those_that_draw() -> None:
    answers = {"a": np.array([3.0, 2, 1]), "b": None, "c": "it fails"}
    trial = Trial(
        subject=of_columns([1, 1, 1], [1, 1, 1]),
        maps={name: np.array([1.0, 2, 3]) for name in answers},
        again=Again(answers.__getitem__),
    )
    found = SEED.judge(trial, Settings())
    assert found.values == {"seed": {"a": pytest.approx(-1)}}
    assert found.missing == {
        ("seed", "b"): "it draws no random numbers", ("seed", "c"): "it fails",
    }  # fmt: skip


def test_a_map_that_stays_does_not_depend_on_the_model() -> None:
    """Edges, and the gradient of another network, which is the same whatever the weights."""
    subject = of_picture(pictures()[0], 0)
    other, random = np.random.default_rng(0).normal(size=(2, SIZE * SIZE))
    trial = Trial(
        subject=subject, maps={"of another": other, "of this": random, "edges": other * 2},
        controls=frozenset({"edges"}),
        again=Again(lambda name: other),
    )  # fmt: skip
    found = RANDOMIZATION.judge(trial, Settings())
    assert found.values["randomization"]["of another"] == 1.0
    assert found.values["randomization"]["edges"] == 1.0
    assert abs(found.values["randomization"]["of this"]) < 0.3
    assert found.values["randomization_ssim"]["of another"] == pytest.approx(1)
    assert len(found.curves["randomization"]["of this"]) == 4


@pytest.fixture
def digits(samples: Path) -> pellucid.LoadedModel:
    return pellucid.load(samples / "digits" / "model")


def test_integrated_gradients_depend_on_the_model(digits: pellucid.LoadedModel) -> None:
    images = np.random.default_rng(0).random((3, 28, 28)).astype(np.float32)
    shape = digits.inputs[0].instance_shape
    found = digits.evaluate(images.reshape(-1, *shape), "ig:steps=5", "randomization")
    assert abs(found.mean("randomization", "ig:steps=5").mean) < 0.6
    assert found.mean("randomization", "edges").mean == 1.0
    assert not any("depend on the model" in it for it in found.verdict)


def test_weights_are_drawn_anew_from_the_output_down(digits: pellucid.LoadedModel) -> None:
    """By hand: the kernels of the graph, the nearest to the output first, keep mean and spread."""
    compiler = digits.compiler
    x = {
        digits.inputs[0].name: np.random.default_rng(0).random(
            (1, *digits.inputs[0].instance_shape), np.float32
        )
    }
    before = weights(compiler.model(gradients=False))
    last = weights(compiler.reinitialised(1 / 3, 0).model(gradients=False))
    all_of_them = weights(compiler.reinitialised(1.0, 0).model(gradients=False))
    changed = [name for name in before if not np.array_equal(before[name], last[name])]
    assert 0 < len(changed) < len(before)
    ends = {name: before[name].shape for name in changed}
    assert any(shape[-1] == 10 for shape in ends.values()), "the kernel before the ten outputs"
    assert not any(len(shape) == 4 and shape[2] == 1 for shape in ends.values()), "the first one"
    for name, value in all_of_them.items():
        assert not np.array_equal(before[name], value)
        assert value.std() == pytest.approx(before[name].std(), rel=0.3)
        if name in changed:
            np.testing.assert_array_equal(last[name], value)
    output = compiler.model(gradients=False).outputs(x)
    assert not np.allclose(output, compiler.reinitialised(1.0, 0).model(gradients=False).outputs(x))
    again = compiler.reinitialised(1.0, 0).model(gradients=False).outputs(x)
    np.testing.assert_array_equal(
        compiler.reinitialised(1.0, 0).model(gradients=False).outputs(x), again
    )
    assert np.array_equal(output, compiler.model(gradients=False).outputs(x))


def test_kernels_of_one_row_or_column_are_weights_and_biases_are_not(tmp_path: Path) -> None:
    from pellucid.runtime.engine.tensorflow import tf

    generator = np.random.default_rng(1)
    shapes = {"wide": (1, 6), "lookup": (8, 1), "last": (6, 1), "bias": (1, 6), "one": (1, 1)}
    made = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    kept = {name: tf.constant(it, tf.float32, name=name) for name, it in made.items()}

    @tf.function(input_signature=[tf.TensorSpec([None, 1], name="x")])  # type: ignore[misc]
    def f(x):
        hidden = tf.tanh(x @ kept["wide"] + kept["bias"])
        near = tf.gather(kept["lookup"], tf.cast(x[:, 0], tf.int32))
        return {"y": hidden @ kept["last"] * kept["one"] + near}

    module = tf.Module()
    module.f = f
    tf.saved_model.save(module, str(tmp_path), signatures=f)
    model = pellucid.load(tmp_path, warn=lambda said: None)
    found = weights(model.compiler.model(gradients=False)).values()
    assert sorted(it.shape for it in found) == [(1, 6), (6, 1), (8, 1)]
    assert not any(np.allclose(it, made["bias"]) for it in found)


def weights(model):
    """The kernels of a compiled model, by the names of their nodes."""
    from pellucid.runtime.engine.tensorflow import tf
    from pellucid.runtime.graph.reinitialise import weights_of

    backend = model._backend
    names = weights_of(backend.flat, backend._output, set(backend.tensors.values()))
    return {n: tf.make_ndarray(backend.flat.nodes[n].attr["value"].tensor) for n in names}
