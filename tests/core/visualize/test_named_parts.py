"""What an explanation is about, by name: columns with their values, words where they stood."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import explanations, label

from pellucid.errors import SpecError
from pellucid.metadata.spec import Encoding, InputSpec, Modality
from pellucid.visualize.figures import Shown
from pellucid.visualize.named_parts import Part, parts, texts, wholes
from pellucid.visualize.waterfall import waterfall


def test_columns_have_their_values_and_groups_none() -> None:
    found = explanations(
        [
            InputSpec(name="age"),
            InputSpec(name="color"),
            InputSpec(name="a", group_name="ab"),
            InputSpec(name="b", group_name="ab"),
        ],
        {"age": 41.5, "color": np.array(b"red", object), "a": 1.0, "b": 2.0},
        [label({"age": 1.0, "color": -2.0, "ab": [3.0]})],
    )
    assert parts(found[0], found[0].labels[0], found.metadata) == [
        Part(name="age", attribution=1.0, value="41.5"),
        Part(name="color", attribution=-2.0, value="red"),
        Part(name="ab", attribution=3.0),
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (13.86, "13.86"),
        (123456.0, "123456"),
        (-250000.0, "-250000"),
        (1716899.25, "1716899.25"),
        (0.00012345678, "0.00012346"),
        (1e20, "1e+20"),
        (float("nan"), "nan"),
    ],
)
def test_no_digit_before_the_point_is_lost(value: float, written: str) -> None:
    found = explanations([InputSpec(name="x")], {"x": value}, [label({"x": 1.0})])
    (part,) = parts(found[0], found[0].labels[0], found.metadata)
    assert part.value == written


def test_elements_of_a_bag_have_its_names_and_those_of_a_vector_numbers() -> None:
    found = explanations(
        [
            InputSpec(
                name="patient",
                encoding=Encoding.BAG_OF_FEATURES,
                index_feature_mapping=("sex", "bmi"),
            ),
            InputSpec(name="v"),
        ],
        {"patient": [2.0, 22.6], "v": [[7.0, 8.0]]},
        [label({"sex": [0.5], "bmi": [1.5], "v": [[0.1, 0.2]]})],
    )
    assert parts(found[0], found[0].labels[0], found.metadata) == [
        Part(name="sex", attribution=0.5, value="2"),
        Part(name="bmi", attribution=1.5, value="22.6"),
        Part(name="v[0,0]", attribution=0.1, value="7"),
        Part(name="v[0,1]", attribution=0.2, value="8"),
    ]


def text_of(words: list[str], value: object) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    found = explanations(
        [InputSpec(name="tokens", modality=Modality.TEXT)],
        {"tokens": np.zeros(len(words))},
        [label({"tokens": np.arange(len(words)) + 1.0})],
        given={"tokens": np.array([w.encode() for w in words], object)},
    )
    (text,) = texts(found[0], found[0].labels[0], found.metadata, value)
    assert not parts(found[0], found[0].labels[0], found.metadata)
    return text.words, text.gaps, text.rest


def test_words_are_written_as_in_the_text_that_was_given() -> None:
    written = 'def  f(self):\n    return "ß"  # more'
    words, gaps, rest = text_of(["def", "f", "(", "self", ")", ":", "return"], {"text": written})
    assert words == ("def", "f", "(", "self", ")", ":", "return")
    assert gaps == ("", "  ", "", "", "", "", "\n    ") and rest == ' "ß"  # more'
    assert "".join(g + w for g, w in zip(gaps, words, strict=True)) + rest == written


def test_a_model_may_write_words_small() -> None:
    words, gaps, _ = text_of(["the", "cat"], "The CAT")
    assert words == ("The", "CAT") and gaps == ("", " ")


@pytest.mark.parametrize("value", [None, 5, {"text": "something else"}, "cat the"])
def test_words_of_which_the_text_is_not_known_have_spaces_between(value: object) -> None:
    assert text_of(["the", "cat"], value) == (("the", "cat"), ("", " "), "")


def test_padding_is_left_out_unless_it_counts() -> None:
    spec = InputSpec(name="t", modality=Modality.TEXT)
    words = np.array([b"a", b"b", b"", b""], object)
    for weights, shown in (([1.0, 2.0, 0.0, 0.0], 2), ([1.0, 2.0, 0.0, 0.1], 4)):
        found = explanations([spec], {"t": words}, [label({"t": weights})])
        (text,) = texts(found[0], found[0].labels[0], found.metadata)
        assert len(text.words) == shown


def test_a_chart_beside_a_text_has_a_bar_for_the_text_and_ends_at_the_score() -> None:
    """Where the last bar ends beside the score is said to be the error of the attributions."""
    found = explanations(
        [InputSpec(name="t", modality=Modality.TEXT), InputSpec(name="price")],
        {"t": np.array(["so", "good"], object), "price": 3.0},
        [label({"t": [0.5, -0.2], "price": 0.1})],
    )
    one = found[0].labels[0]
    (column,) = parts(found[0], one, found.metadata)
    (whole,) = wholes(found[0], one, found.metadata)
    assert whole == Part(name="t", attribution=pytest.approx(0.3))
    shown = Shown(found, 0, one)
    said = {"title": shown.title, "subtitle": f"{shown.method}\n{one.quality}"}
    expected = waterfall([column, whole], baseline=0.25, score=one.score, **said)
    np.testing.assert_array_equal(shown.waterfall(), expected)


def test_a_column_beside_a_text_can_be_plotted_with_the_text_as_one_bar() -> None:
    pytest.importorskip("matplotlib").use("agg")
    found = explanations(
        [InputSpec(name="t", modality=Modality.TEXT), InputSpec(name="price")],
        {"t": np.array(["so", "good"], object), "price": 3.0},
        [label({"t": [0.5, -0.2], "price": 0.1})],
    )
    axis = found.plot(feature="price")
    assert [it.get_text() for it in axis.get_yticklabels()] == ["t", "price = 3"]
    with pytest.raises(SpecError, match="'prize' is not explained; did you mean 'price'"):
        found.plot(feature="prize")
