"""Requests as JSON: bytes are read as text is, value by value and word by word."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InstanceError
from pellucid.inputs import parse_json

NUMBERS = ["0", "-0", "-0.0", "1E+2", "1e400", "-1e400", "1e-400", "9" * 18, "9" * 19, "9" * 40]
WORDS = [*NUMBERS, "0.1234567890123456789", "01", "1.", "NaN", "-Infinity", "null", "true", "{}"]
STRINGS = ['"a"', '"\\u0061"', '"a:b"', '"\\ud800"', '"é"', '"a\tb"', '""']


def outcome(written: str | bytes) -> str:
    try:
        return repr(parse_json(written))
    except InstanceError as error:
        return str(error)


def written(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(inner, max_size=3).map(lambda it: f"[{', '.join(it)}]")
    pairs = st.tuples(st.sampled_from(STRINGS), inner).map(": ".join)
    return lists | st.lists(pairs, max_size=3).map(lambda it: "{" + ",".join(it) + "}")


LEAVES = st.sampled_from(WORDS + STRINGS) | st.floats(allow_nan=False).map(repr)


@given(st.recursive(LEAVES, written, max_leaves=8), st.sampled_from(["", " ", "\n\ufeff", " x"]))
def test_bytes_are_read_as_their_text_is(document: str, after: str) -> None:
    for text in (document + after, '{"instances": [' + document + "]}" + after):
        assert outcome(text.encode()) == outcome(text)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_those_of_the_standard_library(number: str) -> None:
    body = f'{{"instances": [[{number}]]}}'
    assert outcome(body.encode()) == repr(json.loads(body))


def test_a_key_that_is_written_twice_is_refused_wherever_it_stands() -> None:
    for body in ('{"a": 1, "a": 2}', '{"a": [{"b": 1, "\\u0062": 2}]}', '{"a": 1, "\\u0061": []}'):
        with pytest.raises(InstanceError, match="is written twice"):
            parse_json(body.encode())
