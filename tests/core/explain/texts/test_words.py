"""Shapley values of words: against the definition, over texts of which words are left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from served import ServedFunction

from pellucid.errors import InstanceError, SpecError
from pellucid.explain import Explainer
from pellucid.metadata import (
    Dialect,
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Modality,
    OutputSpec,
    SampledShapley,
    ValueBaseline,
)
from pellucid.model import Array, FunctionModel, Tensors
from pellucid.responses.ai_platform import ai_platform
from pellucid.responses.vertex import vertex

GOOD = {"good": 2.0, "very": 0.5, "film": 0.25, "bad": -2.0}


def rated(text: str) -> float:
    """A word counts, twice after a "very", and less with each word in the text; a dash adds."""
    words = text.lower().replace(".", " ").split()
    score = sum(
        GOOD.get(word, 0.0) * (2 if i and words[i - 1] == "very" else 1)
        for i, word in enumerate(words)
    )
    return score / (1 + len(words)) + 0.125 * text.count("-")


def scores(x: Tensors) -> Array:
    texts = [value.decode() for value in x["text"].ravel()]
    beside = x["tag"] if "tag" in x else [b""] * len(texts)
    extra = np.array([len(tag) for tag in beside])
    first = np.array([rated(text) for text in texts]) * (1 + extra)
    return np.stack([first, -first], axis=1)


def served(function: Callable[[Tensors], Array] = scores) -> ServedFunction:
    return ServedFunction(FunctionModel(function, lambda x, t: {}, frozenset()), (2,))


def explainer(*specs: InputSpec, explicit: bool = True, **method: Any) -> Explainer:
    return Explainer(
        model=served(),
        metadata=ExplanationMetadata(inputs=specs, output=OutputSpec(name="y")),
        parameters=ExplanationParameters(
            method=SampledShapley(**method), output_indices=((0,), (1,))
        ),
        input_keys={spec.name: spec.name for spec in specs},
        explicit=explicit,
    )


TEXT = InputSpec(name="text", modality=Modality.TEXT)
TAG = InputSpec(name="tag", modality=Modality.CATEGORICAL)


def strings(*texts: str) -> Array:
    return np.array([text.encode() for text in texts], object)


def over_all_orders(worth: Callable[[frozenset[int]], float], p: int) -> Array:
    gains = np.zeros(p)
    orders = list(permutations(range(p)))
    for order in orders:
        there = frozenset[int]()
        for player in order:
            gains[player] += worth(there | {player}) - worth(there)
            there |= {player}
    return gains / len(orders)


TEXTS = ["A very good film. - good", "bad, bad film", "good", "very very bad"]


@pytest.mark.parametrize("column", [False, True])
def test_the_values_of_words_are_those_of_the_definition(column: bool) -> None:
    x = strings(*TEXTS)
    found = explainer(TEXT).explain({"text": x[:, None] if column else x})
    for text, explanation in zip(TEXTS, found, strict=True):
        # Written by hand: a word takes along what follows it, and the dash is its neighbour's.
        pieces = {"A very good film. - good": ["A ", "very ", "good ", "film. - ", "good"]}
        parts = pieces.get(text, [f"{word} " for word in text.split()])
        parts[-1] = parts[-1].strip()

        def worth(members: frozenset[int], parts: list[str] = parts) -> float:
            return rated("".join(parts[i] for i in sorted(members)).strip())

        expected = over_all_orders(worth, len(parts))
        for label, sign in zip(explanation.labels, (1, -1), strict=True):
            np.testing.assert_allclose(label.features["text"], sign * expected, atol=1e-12)
            assert label.baseline_score == 0 and label.approx_error == 0


def test_a_mask_takes_the_place_of_words() -> None:
    (found,) = explainer(TEXT, mask="bad").explain({"text": strings("very good film")})
    words = ["very", "good", "film"]

    def worth(members: frozenset[int]) -> float:
        return rated(" ".join(word if i in members else "bad" for i, word in enumerate(words)))

    np.testing.assert_allclose(
        found.labels[0].features["text"], over_all_orders(worth, 3), atol=1e-12
    )
    assert found.labels[0].baseline_score == pytest.approx(rated("bad bad bad"))


def test_a_category_beside_a_text_is_one_player() -> None:
    request = {"text": strings("good film"), "tag": strings("red wine")}
    (found,) = explainer(TEXT, TAG).explain(request)

    def worth(members: frozenset[int]) -> float:
        text = " ".join(word for i, word in enumerate(["good", "film"]) if i in members)
        return rated(text) * (1 + len("red wine") * (2 in members))

    expected = over_all_orders(worth, 3)
    np.testing.assert_allclose(found.labels[0].features["text"], expected[:2], atol=1e-12)
    np.testing.assert_allclose(found.labels[0].features["tag"], expected[2], atol=1e-12)


def test_two_texts_are_cut_each() -> None:
    spec = InputSpec(name="tag", modality=Modality.TEXT)
    request = {"text": strings("good film"), "tag": strings("so red")}
    (found,) = explainer(TEXT, spec).explain(request)
    features = found.labels[0].features
    assert features["text"].shape == features["tag"].shape == (2,)
    total = features["text"].sum() + features["tag"].sum()
    assert total == pytest.approx(found.labels[0].score)


def test_the_score_that_is_known_is_not_asked_again() -> None:
    asked: list[bytes] = []

    def listening(x: Tensors) -> Array:
        asked.extend(x["text"])
        return scores(x)

    made = replace(explainer(TEXT), model=served(listening))
    made = replace(made, parameters=replace(made.parameters, output_indices=((0,),)))
    made.explain({"text": strings("a very good film")})
    assert asked.count(b"a very good film") == 1 and asked.count(b"") == 1


def test_each_text_is_asked_once_for_all_outputs() -> None:
    asked: list[int] = []

    def counted(x: Tensors) -> Array:
        asked.append(len(x["text"]))
        return scores(x)

    text = "one two three four five six seven"
    one = explainer(TEXT, path_count=100)
    Explainer(
        model=served(counted),
        metadata=one.metadata,
        parameters=one.parameters,
        input_keys={"text": "text"},
    ).explain({"text": strings(text)})
    # All coalitions, and beside them the instance, and the baseline for each output.
    assert sum(asked) == 2**7 - 2 + 1 + 2


# What is text

TEXT_SAID = "'text' looks like text, with 4 words or more, and is explained word by word"
CATEGORY_SAID = "'text' looks like a category, with fewer than 4 words, and is explained as a whole"


@pytest.mark.parametrize(
    ("value", "words", "said"),
    [
        ("a film that is good", 5, [TEXT_SAID]),
        ("これはとても良い映画だと思いますので見てください", 24, [TEXT_SAID]),
        ("dark sea green", 0, [CATEGORY_SAID]),
        ("7f9c2ba4e88f827d616045507605853e", 0, [CATEGORY_SAID]),
        ("red", 0, []),
        ("", 0, []),
    ],
)
def test_a_string_without_metadata_is_text_by_its_looks(
    value: str, words: int, said: list[str]
) -> None:
    guess = InputSpec(name="text", modality=Modality.CATEGORICAL)
    guessing = explainer(guess, explicit=False, path_count=2)
    (alone,) = guessing.explain({"text": strings(value)})
    assert [len(it.words) for it in alone.words.values()] == [words][: bool(words)]
    assert [notice.what for notice in alone.general] == said
    # What is explained beside it changes nothing.
    others = ["red", value, "the best one that I have seen"]
    together = guessing.explain({"text": strings(*others)})[1]
    assert together.words == alone.words
    for one, other in zip(alone.labels, together.labels, strict=True):
        assert np.shape(one.values["text"]) == np.shape(other.values["text"])
        np.testing.assert_allclose(one.values["text"], other.values["text"], atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "players", "words"),
    [
        (TEXT, "elements", True),
        (TEXT, "whole", False),
        (InputSpec(name="text", modality=Modality.CATEGORICAL), "elements", False),
        (InputSpec(name="text", modality=Modality.CATEGORICAL), "words", True),
        (InputSpec(name="text", modality=Modality.TEXT, group_name="g"), "words", False),
        (InputSpec(name="text"), "elements", True),
    ],
)
def test_the_modality_and_the_call_go_before_looks(
    spec: InputSpec, players: str, words: bool
) -> None:
    from pellucid.metadata import Players

    one = explainer(spec, players=Players(players))
    (found,) = one.explain({"text": strings("a film that is good")})
    assert bool(found.words) == words


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0 jpeg and more of it", b"a\0b c d e"])
def test_bytes_are_no_text(data: bytes) -> None:
    def length(x: Tensors) -> Array:
        return np.array([[float(len(value)), 0.0] for value in x["text"]])

    one = explainer(TEXT)
    whole = Explainer(
        model=served(length), metadata=one.metadata, parameters=one.parameters,
        input_keys={"text": "text"},
    )  # fmt: skip
    (found,) = whole.explain({"text": np.array([data], object)})
    assert not found.words and float(found.labels[0].features["text"]) == len(data)


def test_a_baseline_of_words_leaves_the_text_whole() -> None:
    spec = InputSpec(
        name="text", modality=Modality.TEXT, input_baselines=(ValueBaseline("bad film"),)
    )
    request = {"text": strings("a good film")}
    assert not explainer(spec).explain(request)[0].words
    from pellucid.metadata import Players

    with pytest.raises(SpecError, match="not the empty text"):
        explainer(spec, players=Players.WORDS).explain(request)


# Bad input


@pytest.mark.parametrize("text", ["", " ", "?!", "\u202e שלום", "👩‍👩‍👧‍👦"])
def test_any_text_is_explained(text: str) -> None:
    found = explainer(TEXT).explain({"text": strings(text, "good")})
    assert found[0].labels[0].features["text"].shape == (1 if text else 0,)
    assert found[1].labels[0].features["text"].tolist() == [1.0]


def test_a_text_of_too_many_words_names_the_instance() -> None:
    texts = strings("good", "word " * 500)
    with pytest.raises(InstanceError, match="1500000 times") as refusal:
        explainer(TEXT, path_count=3000).explain({"text": texts}, numbers=[7, 8])
    assert refusal.value.where.instance == 8


@pytest.mark.parametrize(
    ("text", "parts", "count"),
    [("good film " * 1500, 2500, "3,000"), ("One good film. " * 4000, 666, "12,000")],
)
def test_a_long_text_is_explained_in_coarser_parts_which_is_said(
    text: str, parts: int, count: str
) -> None:
    (found,) = explainer(TEXT, path_count=1).explain({"text": strings(text)})
    cut = found.words["text"]
    assert len(cut.spans) == parts and "".join(cut.pieces) == text
    assert found.labels[0].features["text"].shape == (parts,)
    (said,) = found.general
    assert said.what == (
        f"'text' has {count} parts in {len(text):,} characters, and is explained in {parts:,} "
        "coarser ones"
    )


def test_a_pattern_that_goes_back_and_forth_for_ever_names_the_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pellucid.methods.texts import cuts

    monkeypatch.setattr(cuts, "SPLIT_SECONDS", 0.01)
    one = explainer(TEXT, split=r"(a|aa)+$")
    with pytest.raises(
        InstanceError, match=r"^instances\[8\]: the pattern '\(a\|aa\)\+\$' does"
    ) as refusal:
        one.explain({"text": strings("good", "a" * 5000 + "b")}, numbers=[7, 8])
    assert refusal.value.where.instance == 8


# Answers


def test_both_dialects_have_the_words_with_their_places_beside_the_attributions() -> None:
    one = explainer(TEXT)
    found = one.explain({"text": strings("good, good")})
    expected = {
        "text": [
            {"word": "good", "start": 0, "end": 4},
            {"word": "good", "start": 6, "end": 10},
        ]
    }
    answers = (
        ai_platform(found, one.metadata, lambda *_: {}),
        vertex(found, one.metadata, lambda *_: {}),
    )
    for answer in answers:
        said = answer["explanations"][0]["diagnostics"]
        assert [it["words"] for it in said] == [expected] * 2
        json.dumps(said)
    (label, _) = answers[0]["explanations"][0]["attributions_by_label"]
    assert np.asarray(label["attributions"]["text"]).shape == (2,)
    assert one.metadata.dialect is Dialect.AI_PLATFORM
