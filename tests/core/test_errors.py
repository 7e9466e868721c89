"""Which words are offered instead of one that is not known."""

from __future__ import annotations

import pytest

from pellucid.errors import did_you_mean


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("dens", ["dense", "dense_1", "dense_2", "x"], "'dense' or 'dense_2' or 'dense_1'"),
        ("output_9", ["output_0", "output_1"], "'output_1' or 'output_0'"),
        # One letter is missing, or the case is wrong: the others only look like it.
        ("alcohl_input", ["ash_input", "alcohol_input", "hue_input"], "'alcohol_input'"),
        ("md034", ["MD034", "MD043", "MD033"], "'MD034'"),
        ("Image", ["image", "image_2"], "'image'"),
    ],
)
def test_the_nearest_words_are_offered(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == f"; did you mean {said}?"


def test_nothing_is_offered_where_nothing_is_near() -> None:
    assert did_you_mean("temperature", ["x", "image"]) == ""
    assert did_you_mean("x", []) == ""
