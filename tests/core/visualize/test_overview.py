"""Many explanations at once: sums by class, samples by name, pictures of known numbers."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import SpecError
from pellucid.explain import Explanation, LabelAttribution
from pellucid.metadata import ExplanationMetadata, InputSpec, Modality, OutputSpec
from pellucid.responses import encode
from pellucid.visualize import (
    POINTS,
    Counted,
    Overview,
    Spots,
    beeswarm,
    chance,
    counted,
    dependence,
    importance,
    overview_pictures,
    spots,
    top_words,
    words,
)
from pellucid.visualize.overview.charts import shades, ticks
from pellucid.visualize.overview.scatter import _along, swarm
from places import SAMPLES

GREEN, PINK = (62, 137, 28), (197, 27, 125)
CLASSES = [("y", (0,), "cat"), ("y", (2,), "dog"), ("y", (10,), "bird")]


def one(i: int) -> Counted:
    """The i-th of a run: its attributions depend on its class and its number."""
    output, index, name = CLASSES[i % 3]
    generator = np.random.default_rng(i)
    return Counted(
        output=output,
        index=index,
        name=name,
        features={"a": np.array(generator.normal(i % 3)), "b": generator.normal(size=(2,))},
        words=[(f"w{generator.integers(9)}", float(generator.normal()))],
    )


def overview_of(numbers: Any) -> Overview:
    found = Overview()
    for i in numbers:
        counted = one(i)
        found.count(counted)
        spots = Spots.of({"a": (float(counted.features["a"]), float(i))})
        found.take(f"row {i}", {counted.key: spots})
    return found


def test_means_are_of_each_class_alone() -> None:
    means = overview_of(range(300)).means()
    assert means["instancesByClass"] == {"cat": 100, "dog": 100, "bird": 100}
    for place, (_, _, name) in enumerate(CLASSES):
        mine = [one(i).features for i in range(place, 300, 3)]
        for feature in ("a", "b"):
            each = np.stack([it[feature] for it in mine])
            np.testing.assert_allclose(means["meanAttributions"][name][feature], each.mean(0))
            absolute = means["meanAbsoluteAttributions"][name][feature]
            np.testing.assert_allclose(absolute, np.abs(each).mean(0))


def test_classes_are_in_the_order_of_their_indices_whoever_comes_first() -> None:
    """10 after 2, and outputs in their order; two classes of one name are told apart."""
    found = Overview()
    for output, index, name in [
        ("z", (10,), "b"),
        ("a", (3,), "b"),
        ("z", (2,), "a"),
        ("z", (1,), "a"),
    ]:
        found.count(Counted(output=output, index=index, name=name, features={}))
    assert list(found.classes) == ["z: a", "z[2]", "z: b", "a: b"]
    assert list(overview_of(range(9, 0, -1)).classes) == ["cat", "dog", "bird"]


@pytest.mark.parametrize("seed", range(5))
def test_parts_add_up_to_the_same_bytes(seed: int) -> None:
    """However a run is cut into blocks, its sample is the same; through JSON, all is exact."""
    whole = overview_of(range(4000))
    generator = random.Random(seed)
    cuts = sorted({0, 4000, *(generator.randrange(4000) for _ in range(7))})
    parts = Overview()
    for begin, end in pairwise(cuts):
        part = overview_of(range(begin, end))
        parts.add(Overview.read(json.loads(encode(part.document()))))
    assert parts.points == whole.points
    assert len(whole.points) == POINTS
    same = Overview.read(json.loads(encode(whole.document())))
    assert encode(same.means()) == encode(whole.means())
    for mine, other in zip(whole.means().values(), parts.means().values(), strict=True):
        assert json.dumps(list(mine)) == json.dumps(list(other))
    assert [it.pixels.tobytes() for it in overview_pictures(same, "m")] == [
        it.pixels.tobytes() for it in overview_pictures(whole, "m")
    ]


def test_the_sample_is_drawn_by_name_and_evenly() -> None:
    drawn = np.array([chance(f"row {i}") for i in range(4000)])
    assert ((drawn >= 0) & (drawn < 1)).all()
    counts = np.histogram(drawn, bins=10, range=(0, 1))[0]
    assert (np.abs(counts - 400) < 100).all()
    assert chance("row 7") == chance("row 7") != chance("row 8")
    assert 0 <= chance("\udcff") < 1


def test_memory_is_bounded_in_rows_and_words() -> None:
    found = Overview()
    for i in range(200):
        many = [(f"{i} {j}", 1.0) for j in range(500)]
        found.count(
            Counted(output="y", index=(), name="y", features={}, words=[("often", 2.0), *many])
        )
        for j in range(50):
            found.take(f"{i} {j}", {"y[]": Spots.of({"a": (0.0, 1.0)})})
    assert len(found.sample) <= 2 * POINTS
    (totals,) = found.totals.values()
    assert len(totals.words) <= 10_000
    assert totals.words["often"] == [200, 400.0, 400.0]


def test_words_that_were_forgotten_are_said() -> None:
    found, all_kept = Overview(), Overview()
    for i in range(21):
        many = [(f"{i} {j}", 1.0 + (i == 0)) for j in range(500)]
        part = Overview()
        part.count(Counted(output="y", index=(), name="y", features={}, words=many))
        found.add(Overview.read(json.loads(encode(part.document()))))
        if i < 20:
            all_kept.add(part)
    assert [it.forgotten for it in all_kept.totals.values()] == [False]
    read = Overview.read(json.loads(encode(found.document())))
    together = Overview()
    together.add(read)
    assert [it.forgotten for it in together.totals.values()] == [True]
    said, unsaid = words(together, "y[]", "y"), words(all_kept, "y[]", "y")
    assert said is not None and unsaid is not None
    assert len(said) > len(unsaid)  # by the sentence


def test_features_that_differ_in_shape_have_no_mean() -> None:
    found = Overview()
    for size in (2, 3, 2):
        found.count(Counted(output="y", index=(), name="y", features={"x": np.ones(size)}))
    assert found.means()["meanAttributions"] == {"y": {}}


# pictures


def count_of(pixels: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((pixels == np.array(color)).all(axis=2).sum())


def fixed(**means: tuple[float, ...]) -> Overview:
    """A class "y" of instances with these attributions."""
    found = Overview()
    for values in zip(*means.values(), strict=True):
        features = {name: np.array(it) for name, it in zip(means, values, strict=True)}
        counted = Counted(output="y", index=(), name="y", features=features)
        found.count(counted)
        named = {
            name: (it, float(i)) for i, (name, it) in enumerate(zip(means, values, strict=True))
        }
        spots = Spots.of(named)
        found.take(f"{found.totals['y[]'].count}", {counted.key: spots})
    return found


def test_bars_are_as_long_as_what_is_for_and_against() -> None:
    pixels = importance(fixed(a=(3.0, -1.0), b=(0.5, 0.5)), "m")
    assert pixels is not None
    green, pink = count_of(pixels, GREEN), count_of(pixels, PINK)
    # for: 3 / 2 and 0.5; against: 1 / 2
    assert green / pink == pytest.approx((1.5 + 0.5) / 0.5, rel=0.05)


def test_all_panels_have_one_scale() -> None:
    found = Overview()
    for index, size in enumerate((4.0, 1.0)):
        features = {"a": np.array(size)}
        found.count(Counted(output="y", index=(index,), name=f"c{index}", features=features))
    pixels = importance(found, "m")
    assert pixels is not None
    green = (pixels == np.array(GREEN)).all(axis=2).any(axis=0)
    runs = np.diff(np.flatnonzero(np.diff(green.astype(int))).reshape(-1, 2), axis=1).ravel()
    assert runs[0] / runs[1] == pytest.approx(4, rel=0.05)


def test_pictures_and_texts_have_no_bars() -> None:
    found = Overview(pictures=["image"])
    found.count(Counted(output="y", index=(), name="y", features={"image": np.ones((4, 4))}))
    assert importance(found, "m") is None
    assert list(overview_pictures(found, "m")) == []


def test_dots_lie_where_the_attributions_are_and_do_not_hide_each_other() -> None:
    x = np.array([0.0, 0.2, 0.1, 50.0])
    offsets = swarm(x, 18)
    assert offsets[3] == 0
    assert len(set(offsets[:3])) == 3
    crowd = swarm(np.zeros(1000), 18)
    assert np.abs(crowd).max() <= 18
    np.testing.assert_array_equal(swarm(np.array([]), 18), [])


def test_colours_go_from_low_to_high_and_gray_is_no_number() -> None:
    low, middle, high, none, word = shades([0.0, 50.0, 100.0, None, "red"]).tolist()
    assert low[2] > low[0] and high[0] > high[2]
    assert middle not in (low, high)
    assert none == word == [150, 153, 158]
    outlier = shades([*map(float, range(100)), 1e9]).tolist()
    assert outlier[0] != outlier[50] != outlier[99]


@pytest.mark.parametrize(
    "low, high, expected",
    [(0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-3.0, 7.0, [-2, 0, 2, 4, 6]), (5.0, 5.0, [5.0])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_swarms_and_single_features_are_drawn_of_whatever_values() -> None:
    found = Overview()
    values: list[Any] = [1.0, 2.0, "red", None, "a very long name of a category " * 9, 3.5]
    for i, value in enumerate(values * 20):
        features = {"kind": np.array(i % 7 - 3.0)}
        counted = Counted(output="y", index=(), name="y", features=features)
        found.count(counted)
        found.take(str(i), {counted.key: Spots.of({"kind": (i % 7 - 3.0, value)})})
    for pixels in (beeswarm(found, "y[]", "y"), dependence(found, "y[]", "kind", "y")):
        assert pixels is not None
        assert pixels.dtype == np.uint8 and pixels.shape[1] < 1200
    assert dependence(found, "y[]", "unknown", "y") is None
    assert words(found, "y[]", "y") is None


def test_top_words_are_by_what_they_add_to_a_text() -> None:
    found = Overview()
    for text in ([("good", 2.0), ("good", 1.0), ("the", 0.1)], [("bad", -1.0), ("the", 0.1)]):
        found.count(Counted(output="y", index=(), name="y", features={}, words=text))
    assert top_words(found, "y[]") == [("good", 2, 1.5), ("the", 2, 0.1), ("bad", 1, -0.5)]
    pixels = words(found, "y[]", "y")
    assert pixels is not None
    assert count_of(pixels, GREEN) > count_of(pixels, PINK) > 0


# of a call


@pytest.fixture(scope="module")
def wine() -> pellucid.Explanations:
    model = pellucid.load(SAMPLES / "wine/model", warn=lambda message: None)
    rows = json.loads((SAMPLES / "wine/instances.json").read_text())["instances"]
    return model.explain(rows, top_k=3)


def test_the_summary_of_a_call_is_its_table_grouped(wine: pellucid.Explanations) -> None:
    summary = wine.summary()
    table = summary.to_pandas().set_index(["label", "feature"])
    grouped = wine.to_pandas().groupby(["label", "feature"])["attribution"]
    for name, mean in grouped.mean().items():
        assert table.loc[name, "mean"] == pytest.approx(mean)
    for name, size in grouped.apply(lambda it: it.abs().mean()).items():
        assert table.loc[name, "mean_abs"] == pytest.approx(size)
    assert (table["instances"] == len(wine)).all()
    kinds = [it.kind for it in summary.pictures()]
    assert kinds[:2] == ["importance", "beeswarm"]
    assert kinds.count("dependence") == 9
    assert repr(summary).startswith("Summary(instances by class: 'cultivar_1' ")
    assert summary._repr_html_().count("<img") == 4
    assert repr(summary.beeswarm("cultivar_2")).startswith("OverviewPicture('beeswarm, cultivar_2'")


def test_a_group_has_no_value_and_a_feature_a_dependence(
    wine: pellucid.Explanations, tmp_path: Any
) -> None:
    summary = wine.summary()
    summary.dependence("ash", "cultivar_3").save(tmp_path / "ash.png")
    assert (tmp_path / "ash.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(SpecError, match="'phenols' has no value of its own"):
        summary.dependence("phenols")
    with pytest.raises(SpecError, match=r"feature: 'asch' is unknown; did you mean 'ash'\?"):
        summary.dependence("asch")
    with pytest.raises(SpecError, match=r"label: 'cultivar4' was not explained; did you mean"):
        summary.beeswarm("cultivar4")
    with pytest.raises(SpecError, match="no words"):
        summary.words()


def of_numbers(*values: float) -> Overview:
    found = Overview()
    for i, value in enumerate(values):
        found.count(Counted(output="y", index=(), name="y", features={"a": np.array(value)}))
        found.take(f"{i}", {"y[]": Spots.of({"a": (1.0, value)})})
    return found


def test_a_few_numbers_that_all_differ_lie_where_they_are_on_the_axis() -> None:
    """9 lies at 8/9 of the way from 1 to 10, not in the middle of three slots."""
    values: list[float | str | None] = [1.0, 9.0, 10.0]
    x, marks, _ = _along(values)
    np.testing.assert_allclose(x, [0, 8 / 9, 1])
    assert len(marks) > 3
    assert dependence(of_numbers(1.0, 9.0, 10.0), "y[]", "a", "y") is not None
    assert dependence(of_numbers(4.0), "y[]", "a", "y") is not None


def test_a_value_that_one_instance_has_is_drawn_above_its_name() -> None:
    x, marks, _ = _along(["rome", "oslo", "rome"])
    assert (x[1], "oslo") in marks


def test_a_text_beside_columns_counts_as_a_whole_too() -> None:
    """Or the price alone would seem to say what the class is."""
    metadata = ExplanationMetadata(
        inputs=(
            InputSpec(name="review", tensor_name="r:0", modality=Modality.TEXT),
            InputSpec(name="price", tensor_name="p:0"),
        ),
        output=OutputSpec(name="y", tensor_name="y:0"),
    )
    label = LabelAttribution(
        output="y", index=(), name="y", score=1.0, baseline_score=0.0, approx_error=0.0, values={},
        features={"review": np.array([0.5, -0.2]), "price": np.array([0.1])},
    )  # fmt: skip
    explanation = Explanation(
        prediction=np.array(1.0),
        labels=(label,),
        inputs={"review": np.array(["so", "good"], object), "price": np.array([3.0])},
    )
    features = counted(explanation, label, metadata).features
    assert {name: float(it.sum()) for name, it in features.items()} == {
        "review": pytest.approx(0.3),
        "price": 0.1,
    }
    assert spots(explanation, label, metadata) == Spots(
        ("price", "review"), (0.1, pytest.approx(0.3)), (3.0, None)
    )
    alone = replace(label, features={"review": label.features["review"]})
    assert counted(explanation, alone, metadata).features == {}


def test_a_large_picture_beside_columns_leaves_them_their_dots() -> None:
    metadata = ExplanationMetadata(
        inputs=(
            InputSpec(name="photo", tensor_name="x:0", modality=Modality.IMAGE),
            InputSpec(name="price", tensor_name="p:0"),
        ),
        output=OutputSpec(name="y", tensor_name="y:0"),
    )
    photo = np.full((40, 40, 3), 0.5)
    label = LabelAttribution(
        output="y", index=(), name="y", score=1.0, baseline_score=0.0, approx_error=0.0, values={},
        features={"photo": photo, "price": np.array([0.1])},
    )  # fmt: skip
    explanation = Explanation(
        prediction=np.array(1.0), labels=(label,), inputs={"photo": photo, "price": np.array([3.0])}
    )
    assert spots(explanation, label, metadata) == Spots(("price",), (0.1,), (3.0,))
