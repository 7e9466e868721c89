"""LIME of texts: the `lime` package's coefficients, and what leaves words out of a text."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from typing import Any

import lime_package
import numpy as np
import pytest

from pellucid.errors import InstanceError
from pellucid.methods import lime as of_images
from pellucid.methods import ridge
from pellucid.methods.texts import cut
from pellucid.methods.texts import text_lime as module
from pellucid.methods.texts.text_lime import Sampling, lime_of_words, parts, samples
from pellucid.model import Array, FunctionModel, Tensors

SAID = json.loads(lime_package.FILE.read_text("utf-8"))
CLASSES = [0, 1, 2]
TOKEN = "UNKWORDZ"  # what the package puts in the place of words, where their places count


def model_of(function: Callable[[Tensors], Array]) -> FunctionModel:
    return FunctionModel(function, lambda x, target: {}, frozenset())


MODEL = model_of(lambda x: lime_package.scores([text.decode() for text in x["text"]]))


def strings(*texts: str) -> Array:
    return np.array([text.encode() for text in texts], object)


def agrees_with_the_package(case: Any) -> None:
    bag = case["bag"]
    sampling = Sampling(case["samples"], None if bag else TOKEN, bag)
    cuts = {"text": cut(case["text"], r"\W+")}
    x = {"text": strings(case["text"])}
    found = lime_of_words(MODEL, x, cuts, CLASSES, sampling, seed=case["seed"])
    words = cuts["text"].words
    assert case["words"] == list(dict.fromkeys(words) if bag else words)
    np.testing.assert_allclose(found.coefficients, case["coefficients"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.intercepts, case["intercepts"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("number", range(len(SAID)))
def test_the_same_seed_gives_the_package_s_coefficients(number: int) -> None:
    agrees_with_the_package(SAID[number])


FAULTS: dict[str, tuple[Any, str, Any]] = {
    "another kernel width": (of_images, "KERNEL_WIDTH", 0.3),
    "alpha 0.01": (ridge, "ALPHA", 0.01),
    "half of the words": (
        module,
        "samples",
        lambda n, p, random: np.vstack([np.ones(p, bool), random.randint(0, 2, (n - 1, p)) > 0]),
    ),
    "words that are there and not exchanged": (
        module, "samples", lambda n, p, random: ~samples(n, p, random)
    ),
    "no bag": (module, "parts", lambda cuts, whole={}, *, bag: parts(cuts, whole, bag=not bag)),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FAULTS[name])
    with pytest.raises((AssertionError, IndexError)):
        agrees_with_the_package(SAID[0])


def test_all_places_of_a_word_have_its_coefficient() -> None:
    text = "bad, so bad film"
    cuts = {"text": cut(text, "words")}
    found = lime_of_words(MODEL, {"text": strings(text)}, cuts, CLASSES, Sampling(100))
    heat = found.heat()
    assert found.coefficients.shape == (3, 3) and heat.shape == (3, 4)
    np.testing.assert_array_equal(heat[:, 0], heat[:, 2])


def test_several_texts_and_a_string_beside_them_are_one_linear_model() -> None:
    """Of a sum over words, each coefficient is what its word adds, but for the ridge's pull."""

    def scores(x: Tensors) -> Array:
        found = [
            one.count(b"good") + 2 * two.count(b"good") + 3 * (tag == b"red") + 0 * held
            for one, two, tag, held in zip(x["one"], x["two"], x["tag"], x["held"], strict=True)
        ]
        return np.array(found, np.float64)[:, None]

    x = {"one": strings("good film"), "two": strings("so good"), "tag": strings("red"),
         "held": np.array([1.5])}  # fmt: skip
    cuts = {name: cut(x[name][0].decode(), "words") for name in ("one", "two")}
    whole = {"tag": strings("")}
    found = lime_of_words(model_of(scores), x, cuts, [0], Sampling(4000), whole=whole)
    np.testing.assert_allclose(found.heat()[0], [1, 0, 0, 2, 3], atol=0.1)
    places = parts(cuts, whole)
    assert [it.tolist() for it in places.values()] == [[0, 1], [2, 3], 4]


def test_a_mask_stands_where_words_are_left_out() -> None:
    asked: list[bytes] = []

    def scores(x: Tensors) -> Array:
        asked.extend(x["text"])
        return np.array([[float(len(it))] for it in x["text"]])

    cuts = {"text": cut("so good", "words")}
    x = {"text": strings("so good")}
    lime_of_words(model_of(scores), x, cuts, [0], Sampling(50, "[M]"))
    assert set(asked) == {b"so good", b"[M] good", b"so [M]", b"[M] [M]"}
    # Rows that are drawn twice are asked once.
    assert len(asked) == 4
    asked.clear()
    lime_of_words(model_of(scores), x, cuts, [0], Sampling(50))
    assert set(asked) == {b"so good", b" good", b"so ", b" "}


def test_an_instance_s_samples_depend_on_its_place_and_on_nothing_else() -> None:
    cuts = {"text": cut(lime_package.TEXTS[0], "words")}
    x = {"text": strings(lime_package.TEXTS[0])}
    one, again, other = (
        lime_of_words(MODEL, x, cuts, CLASSES, Sampling(50), seed=3, number=number)
        for number in (4, 4, 5)
    )
    assert one.coefficients.tobytes() == again.coefficients.tobytes()
    assert not np.allclose(one.coefficients, other.coefficients)


@pytest.mark.filterwarnings("error")
def test_an_empty_text_has_nothing_to_attribute() -> None:
    found = lime_of_words(MODEL, {"text": strings("")}, {"text": cut("", "words")}, CLASSES)
    assert found.coefficients.shape == (3, 0) and np.isnan(found.stability).all()


def test_an_output_that_is_not_finite_without_words_is_refused() -> None:
    model = model_of(lambda x: np.array([[1.0 if b"a" in it else np.nan] for it in x["text"]]))
    cuts = {"text": cut("a b", "words")}
    with pytest.raises(InstanceError, match=r"^with words of 'text' left out, the model's output"):
        lime_of_words(model, {"text": strings("a b")}, cuts, [0])


def test_the_module_s_example_runs() -> None:
    assert doctest.testmod(module).failed == 0
