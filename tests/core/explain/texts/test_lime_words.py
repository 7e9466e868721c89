"""LIME of words, from a request to explanations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from served import ServedFunction

from pellucid.errors import SpecError
from pellucid.explain import Explainer
from pellucid.metadata import (
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Lime,
    Modality,
    OutputSpec,
    Players,
)
from pellucid.methods.texts import cut
from pellucid.methods.texts.text_lime import Sampling, lime_of_words
from pellucid.model import Array, FunctionModel, Tensors

TEXT = InputSpec(name="text", modality=Modality.TEXT)
TAG = InputSpec(name="tag", modality=Modality.CATEGORICAL)
SIZE = InputSpec(name="size")


def scores(x: Tensors) -> Array:
    """How often a text is good, and whether its tag is red."""
    texts = [value.decode() for value in x["text"].ravel()]
    first = np.array([text.count("good") - text.count("bad") for text in texts], np.float64)
    if "tag" in x:
        first = first + 2 * (x["tag"].ravel() == b"red")
    return np.stack([np.tanh(first / 4), -first], axis=1)


def by_tokens(x: Tensors) -> Array:
    """The share of good tokens, of which a text of spaces has none."""
    tokens = [value.decode().split() for value in x["text"].ravel()]
    share = [it.count("good") / len(it) if it else np.nan for it in tokens]
    return np.stack([share, share], axis=1)


def served(function: Any = scores) -> ServedFunction:
    return ServedFunction(FunctionModel(function, lambda x, t: {}, frozenset()), (2,))


def explainer(
    *specs: InputSpec, explicit: bool = True, function: Any = scores, **method: Any
) -> Explainer:
    return Explainer(
        model=served(function),
        metadata=ExplanationMetadata(inputs=specs, output=OutputSpec(name="y")),
        parameters=ExplanationParameters(method=Lime(**method), output_indices=((0,), (1,))),
        input_keys={spec.name: spec.name for spec in specs},
        explicit=explicit,
    )


def strings(*texts: str) -> Array:
    return np.array([text.encode() for text in texts], object)


@pytest.mark.parametrize("column", [False, True])
def test_each_text_has_the_coefficients_of_its_words(column: bool) -> None:
    texts = "a good, good film", "bad", "not so good as the last one"
    x = strings(*texts)
    found = explainer(TEXT, num_samples=80).explain({"text": x[:, None] if column else x})
    for number, (text, one) in enumerate(zip(texts, found, strict=True)):
        cuts = {"text": cut(text, "words")}
        expected = lime_of_words(
            served(), {"text": strings(text)}, cuts, [0, 1], Sampling(80), number=number
        )  # fmt: skip
        assert one.words == cuts
        for label, heat, r_squared in zip(
            one.labels, expected.heat(), expected.r_squared, strict=True
        ):
            np.testing.assert_allclose(label.features["text"], heat, rtol=0, atol=1e-12)
            assert label.diagnostics["r_squared"] == pytest.approx(r_squared)
            assert label.baseline_score == 0 and label.approx_error is None


def test_a_category_beside_a_text_is_in_or_out_as_a_whole_and_numbers_are_held() -> None:
    request = {
        "text": strings("good film"), "tag": strings("red"), "size": np.array([[1.0, 2.0]])
    }  # fmt: skip
    (found,) = explainer(TEXT, TAG, SIZE, num_samples=2000).explain(request)
    _, label = found.labels
    assert label.features["text"].shape == (2,) and label.features["tag"].shape == ()
    np.testing.assert_allclose(
        [*label.features["text"], label.features["tag"]], [-1, 0, -2], atol=0.1
    )
    assert found.held == ("size",) and "tag" not in found.words


def test_a_mask_that_one_text_needs_is_not_put_into_others() -> None:
    """What is between the words of the first is tokens; without the words of the second are none."""
    texts = "a, good - film !", "a good film"
    one = explainer(TEXT, function=by_tokens, num_samples=60)
    (alone,) = one.explain({"text": strings(texts[0])})
    first, second = one.explain({"text": strings(*texts)})
    np.testing.assert_array_equal(
        first.labels[0].features["text"], alone.labels[0].features["text"]
    )
    assert not any("'[UNK]'" in str(it) for it in first.general)
    assert any("'[UNK]'" in str(it) for it in second.general)


def test_what_is_no_text_is_explained_as_a_whole_alone_and_in_company() -> None:
    guess = InputSpec(name="text", modality=Modality.CATEGORICAL)
    one = explainer(guess, explicit=False, num_samples=50)
    (alone,) = one.explain({"text": strings("good")})
    first, second = one.explain({"text": strings("good", "this one is good, too")})
    assert alone.words == first.words == {} and len(second.words["text"].words) == 5
    for label in (alone.labels[0], first.labels[0]):
        assert label.features["text"].shape == () and label.features["text"] > 0


def test_players_and_bag_of_words_are_chosen() -> None:
    request = {"text": strings("good film, good")}
    (bag,) = explainer(TEXT, num_samples=60).explain(request)
    (places,) = explainer(TEXT, num_samples=60, bag_of_words=False).explain(request)
    (whole,) = explainer(TEXT, num_samples=60, players=Players.WHOLE).explain(request)
    first, _, last = bag.labels[0].features["text"]
    assert first == last
    first, _, last = places.labels[0].features["text"]
    assert first != last
    assert whole.words == {} and whole.labels[0].features["text"].shape == ()


@pytest.mark.parametrize("text", ["", " ", "?!", "\u202e שלום", "👩‍👩‍👧‍👦"])
def test_any_text_is_explained(text: str) -> None:
    found = explainer(TEXT, num_samples=20).explain({"text": strings(text, "good")})
    assert found[0].labels[0].features["text"].shape == (1 if text else 0,)
    assert not any("patch" in str(it) for it in found[0].warnings)


def test_numbers_alone_are_not_lime_s() -> None:
    def function(x: Tensors) -> Array:
        return np.asarray(x["size"] * 1.0)

    one = explainer(SIZE)
    model = ServedFunction(FunctionModel(function, lambda x, t: {}, frozenset()), (2,))
    with pytest.raises(SpecError, match="LIME explains one image, or texts, and the explained"):
        Explainer(model=model, metadata=one.metadata, parameters=one.parameters).explain(
            {"size": np.array([[1.0, 2.0]])}
        )


def test_words_that_count_alike_are_no_reason_to_warn() -> None:
    """What is left of their coefficients without their mean is rounding, whatever the seed."""

    def function(x: Tensors) -> Array:
        return np.array([[float(len(it.split())), 0.0] for it in x["text"]])

    one = explainer(TEXT, num_samples=500)
    model = ServedFunction(FunctionModel(function, lambda x, t: {}, frozenset()), (2,))
    asked = Explainer(model=model, metadata=one.metadata, parameters=one.parameters,
                      input_keys={"text": "text"})  # fmt: skip
    (found,) = asked.explain({"text": strings("five words that count alike")})
    assert not any("stability" in it.what for it in found.warnings)


def test_the_caption_names_a_segmentation_of_pictures_only() -> None:
    assert Lime().caption() == "LIME, 1000 samples, quickshift"
    assert Lime().caption(patches=False) == "LIME, 1000 samples"
