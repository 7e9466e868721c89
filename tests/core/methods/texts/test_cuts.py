"""Texts in parts: what a word is in every script, and what is left of a text without some."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import SpecError
from pellucid.methods.texts import coarser, cut, cuts, text_model
from pellucid.methods.texts.text_model import Written, encoded, text_of

FAMILY, FLAGS, THUMB = "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The quick, can't stop 3.14!", ["The", "quick", "can't", "stop", "3.14"]),
        ("हिन्दी शब्द", ["हिन्दी", "शब्द"]),
        ("你好 hello", ["你", "好", "hello"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        (f"{FAMILY} ok {FLAGS} {THUMB}!", [FAMILY, "ok", "🇩🇪", "🇫🇷", THUMB]),
        ("cafe\u0301 na\u0308ive", ["cafe\u0301", "na\u0308ive"]),
        ("?!...", ["?!..."]),
        (" \n", [" \n"]),
        ("", []),
        ("\udcff abc", ["abc"]),
    ],
)
def test_words_are_those_of_unicode(text: str, words: list[str]) -> None:
    assert list(cut(text, "words").words) == words


@pytest.mark.parametrize(
    ("split", "text", "parts"),
    [
        ("characters", f"a {FAMILY}e\u0301{THUMB}", ["a", FAMILY, "e\u0301", THUMB]),
        ("sentences", 'One. "Two!" Three…\nfour', ["One.", '"Two!"', "Three…", "four"]),
        ("sentences", "你好。再见！", ["你好。", "再见！"]),
        (r",\s*", "a b, c,,d", ["a b", "c", "d"]),
        (r"\W+", "can't stop", ["can", "t", "stop"]),
    ],
)
def test_a_text_is_split_as_asked(split: str, text: str, parts: list[str]) -> None:
    assert list(cut(text, split).words) == parts


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError) as refusal:
        cut("a", "(")
    assert refusal.value.where.path == "split"


@pytest.mark.parametrize(
    ("text", "members", "left"),
    [
        ("The quick fox.", [1, 1, 0], "The quick"),
        ("The quick fox.", [0, 1, 1], "quick fox."),
        ("The quick fox.", [1, 0, 1], "The fox."),
        ('He said "yes", twice', [1, 0, 1, 1], 'He "yes", twice'),
        ("f(x, y)", [1, 0, 1], "f(y)"),
        ("  a b ", [0, 1], "b "),
        ("a b", [0, 0], ""),
    ],
)
def test_a_word_takes_its_punctuation_and_space_along(
    text: str, members: list[int], left: str
) -> None:
    assert cut(text, "words").kept(list(map(bool, members))) == left


def test_a_mask_stands_where_words_are_missing() -> None:
    found = cut('He said "yes".', "words")
    assert found.kept([False, True, False], "[MASK]") == '[MASK] said "[MASK]".'


@pytest.mark.parametrize("split", ["words", "characters", "sentences", r"\W+", "b*"])
@given(text=st.text(max_size=40))
def test_all_parts_are_the_text_and_none_is_nothing(split: str, text: str) -> None:
    found = cut(text, split)
    count = len(found.spans)
    assert "".join(found.pieces) == found.kept([True] * count) == text if count else text == ""
    assert found.kept([True] * count, "x") == text
    assert found.kept([False] * count) == ""
    assert all(start < end for start, end in found.spans)


@given(data=st.binary(max_size=30))
def test_bytes_that_are_no_text_come_back(data: bytes) -> None:
    assert encoded(text_of(data)) == data


@pytest.mark.parametrize(
    ("split", "text", "most", "parts"),
    [
        ("words", "a b. c d. e f.", 4, ["a b.", "c d.", "e f."]),
        ("words", "a b. c d. e f.", 2, ["a b.", "c d. e f."]),
        ("words", "a b c, d e", 2, ["a b", "c, d e"]),
        ("characters", "abcde", 2, ["ab", "cde"]),
        ("words", "a b", 2, ["a", "b"]),
    ],
)
def test_a_text_of_many_parts_is_cut_more_coarsely(
    split: str, text: str, most: int, parts: list[str]
) -> None:
    assert list(coarser(cut(text, split), split, most).words) == parts


@pytest.mark.parametrize("long", [0, 2**17])
@given(text=st.text(alphabet="ab ,\u2003é\n", max_size=60), mask=st.sampled_from([None, "", "[M]"]))
def test_many_rows_are_written_as_each_alone(long: int, text: str, mask: str | None) -> None:
    found = cut(text, "words")
    rows = np.random.default_rng(len(text)).random((9, len(found.spans))) < 0.5
    expected = [found.kept(row, mask).encode() for row in rows.tolist()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_model, "LONG", long)
        assert Written(found, mask).of(rows) == expected


def test_the_example_of_the_module() -> None:
    assert doctest.testmod(cuts).failed == 0
