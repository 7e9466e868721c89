"""Which words of a text the rows of its embedding are."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.explain.texts import LookedUp, tokens_of, unseen_said


def looked_up(words: list[str], ids: list[int] | None = None) -> LookedUp:
    keys = np.array([it.encode() for it in words], object)
    return LookedUp(keys=keys, ids=None if ids is None else np.array(ids)[None])


@pytest.mark.parametrize(
    ("text", "looked", "found"),
    [
        ("The cat, the CAT!", ["the", "cat", "the", "cat"], ["The", "cat", "the", "CAT"]),
        ("don't  stop", ["dont", "stop"], ["don't", "stop"]),
        ("that a", ["a"], ["a"]),
        ("unbelievable", ["un", "##able"], ["un", "##able"]),
        ("unheard", ["un", "heard"], ["un", "heard"]),
        ("İstanbul IS big", ["is", "big"], ["IS", "big"]),
        ("日本語", ["日", "本", "語"], ["日", "本", "語"]),
        ("a b", ["a", "b", "a b"], ["a", "b", "a b"]),
        ("", [], []),
    ],
)
def test_they_are_written_as_in_the_text_where_they_are_found(
    text: str, looked: list[str], found: list[str]
) -> None:
    tokens = tokens_of(text.encode(), looked_up(looked), 9)
    assert tokens is not None
    assert list(tokens.cut.words) == found
    assert tokens.places == tuple(range(len(looked)))


def test_words_that_the_text_has_not_stand_as_the_model_looks_them_up() -> None:
    tokens = tokens_of(b"A b", looked_up(["a", "b", "a b"]), 9)
    assert tokens is not None and tokens.cut.text == "a b a b"


def test_what_is_cut_off_has_no_part() -> None:
    tokens = tokens_of(b"a b c", looked_up(["a", "b", "c"]), 2)
    assert tokens is not None and tokens.cut.words == ("a", "b")


def test_padding_between_words() -> None:
    keys = np.array([[b"a", b"", b"b", b""]], object)
    tokens = tokens_of(b"a b", LookedUp(keys=keys), 4)
    assert tokens is not None and tokens.places == (0, 2)


@pytest.mark.parametrize(
    "ids",
    [[3, 4, 5, 0], [3, 4, 3, 0, 1]],
    ids=["one word, two ids", "padding that differs"],
)
def test_ids_that_do_not_agree_with_the_words_say_that_they_are_not_known(ids: list[int]) -> None:
    assert tokens_of(b"a b a", looked_up(["a", "b", "a"], ids), len(ids)) is None


def test_ids_that_do() -> None:
    tokens = tokens_of(b"a b a", looked_up(["a", "b", "a"], [3, 4, 3, 0, 0]), 5)
    assert tokens is not None and tokens.places == (0, 1, 2)


def test_words_that_the_model_cuts_off_are_counted() -> None:
    keys = np.array([b"a", b"b", b"c", b"d", b"e", b""], object)
    cut_off = LookedUp(keys=keys, ids=np.array([[3, 4, 5]]))
    (said,) = unseen_said({"text": cut_off})
    assert str(said) == (
        "of the 5 words of 'text', the model sees the first 3, and never the other 2"
    )
    assert not unseen_said({"text": LookedUp(keys=keys, ids=np.zeros((1, 5)))})
    assert not unseen_said({"text": LookedUp(keys=keys, ids=np.zeros(3))})
    assert not unseen_said({"text": LookedUp(keys=keys)})
