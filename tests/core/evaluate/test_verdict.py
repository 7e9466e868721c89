"""What is said of the numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pellucid.errors import DependencyError
from pellucid.evaluate import Evaluation, Instance, Judged, Metric, Provenance, cell, leading
from pellucid.evaluate.statistics import Interval


def metric(name, better="higher"):
    return Metric(name=name, title=name, better=better, means="M.", cannot="C.")


def evaluation(values, *, metrics=None, controls=("random", "edges", "centre"), **named):
    """Candidates by their numbers: ``{"insertion": {"ig": [...]}}``."""
    names = list(dict.fromkeys(name for found in values.values() for name in found))
    n = len(next(iter(next(iter(values.values())).values())))
    said = {"ig": "integrated gradients", "xrai": "XRAI", "centre": "the centre"}
    return Evaluation(
        kind="picture",
        candidates=tuple(
            Judged(name=it, said=said.get(it, it), control=it in controls) for it in names
        ),
        metrics=tuple(metrics or (metric(it, "lower" if it == "deletion" else "higher") for it in values)),
        instances=tuple(
            Instance(number=i, name=f"{i}.png", output=(0,), label="a", score=1, baseline_score=0)
            for i in range(n)
        ),
        values={m: {c: np.asarray(v, float) for c, v in f.items()} for m, f in values.items()},
        **named,
    )  # fmt: skip


def spread(mean, n=30, by=0.05, seed=0):
    return mean + np.random.default_rng(seed).normal(0, by, n)


def test_who_is_ahead_is_said_with_how_far() -> None:
    level = spread(0.5)
    found = evaluation({"insertion": {"ig": level, "xrai": level + spread(0.1, by=0.02, seed=1)}})
    (line,) = found.verdict
    assert line.startswith("By insertion XRAI is ahead of integrated gradients by 0.0"), line
    assert found.best("insertion") == "xrai"
    assert (
        found.ahead("insertion", "xrai", "ig").low > 0 > found.ahead("insertion", "ig", "xrai").high
    )


def test_lower_is_ahead_where_lower_is_better() -> None:
    found = evaluation({"deletion": {"ig": spread(0.5), "xrai": spread(0.2, seed=1)}})
    assert found.verdict[0].startswith("By deletion XRAI is ahead of integrated gradients by 0.2")


def test_what_is_chance_is_not_distinguishable_and_nobody_is_best() -> None:
    found = evaluation({"insertion": {"ig": spread(0.5), "xrai": spread(0.5, seed=1)}})
    assert "are not distinguishable (" in found.verdict[0]
    assert found.best("insertion") is None


def test_who_is_no_better_than_knowing_nothing_is_named() -> None:
    values = {
        "xrai": spread(0.8, seed=1), "ig": spread(0.5), "lime": spread(0.3, seed=2),
        "random": spread(0.3, seed=3), "edges": spread(0.5, seed=4), "centre": spread(0.2, seed=5),
    }  # fmt: skip
    found = evaluation({"insertion": values})
    assert found.verdict[1:] == (
        "By insertion lime is not distinguishable from random.",
        "By insertion integrated gradients is not better than edges, which know nothing of the model.",
    )
    worse = evaluation({"insertion": {"ig": spread(0.1), "random": spread(0.3, seed=1)}})
    assert worse.verdict == ("By insertion integrated gradients is worse than random.",)


def test_a_control_may_be_best() -> None:
    found = evaluation({"insertion": {"ig": spread(0.3), "edges": spread(0.9, seed=1)}})
    assert found.best("insertion") == "edges"
    assert "not better than edges" in found.verdict[-1]


def test_too_few_and_one() -> None:
    few = evaluation({"insertion": {"ig": spread(0.5, 19), "xrai": spread(0.1, 19)}})
    assert few.too_few and few.verdict[0].startswith("19 instances are too few to rank methods")
    enough = evaluation({"insertion": {"ig": spread(0.5, 20), "xrai": spread(0.1, 20)}})
    assert not enough.too_few and "too few" not in "".join(enough.verdict)
    one = evaluation({"insertion": {"ig": [0.5], "random": [0.1]}})
    assert one.verdict == (
        "There is one instance: nothing can be said of others, and no interval be given.",
    )


def test_of_fewer_than_six_nothing_is_said() -> None:
    five = evaluation({"insertion": {"ig": [0.9] * 5, "random": [0.1, 0.2, 0.1, 0.2, 0.1]}})
    assert five.verdict == (
        "5 instances are too few to tell methods apart: whatever they show may be chance.",
    )
    assert five.best("insertion") is None
    six = evaluation({"insertion": {"ig": [0.9] * 6, "random": [0.1, 0.2, 0.1, 0.2, 0.1, 0.2]}})
    assert six.best("insertion") == "ig"


def test_pairs_are_of_the_instances_that_both_have() -> None:
    ig = spread(0.5)
    ig[:5] = np.nan
    found = evaluation({"insertion": {"ig": ig, "xrai": spread(0.6, seed=1)}})
    assert found.ahead("insertion", "xrai", "ig").n == 25
    assert found.mean("insertion", "ig").n == 25


def test_who_does_not_depend_on_the_model_is_named() -> None:
    values = {"of another": np.ones(30), "ig": spread(0.1), "random": np.ones(30)}
    found = evaluation({"randomization": values}, metrics=(metric("randomization", None),))
    assert found.verdict == (
        "of another does not depend on the model: with random weights the maps stay as they are.",
    )
    assert found.ranking("randomization") == [] and found.best("randomization") is None


def test_a_document_has_every_number_and_null_where_there_is_none() -> None:
    found = evaluation({"insertion": {"ig": [0.5, np.nan], "random": [0.1, 0.2]}})
    document = json.loads(found.json())
    assert document["values"]["insertion"]["ig"] == [0.5, None]
    assert document["table"]["insertion"]["ig"] == {"mean": 0.5, "low": None, "high": None, "n": 1}
    assert document["version"] == 1 and document["verdict"] == list(found.verdict)
    assert document["metrics"][0]["means"] == "M."


def test_the_seed_resamples() -> None:
    values = {"insertion": {"ig": spread(0.5), "xrai": spread(0.6)}}
    a, b = (evaluation(values, provenance=Provenance(seed=seed)) for seed in (0, 1))
    assert a.mean("insertion", "ig") != b.mean("insertion", "ig")


def test_a_notebook_gets_a_table_in_which_names_are_no_html() -> None:
    found = evaluation({"insertion": {"<b>": spread(0.9), "ig": spread(0.1, seed=1)}})
    page = found._repr_html_()
    assert "&lt;b&gt;" in page and "<th><b></th>" not in page
    assert page.count("<td><b>") == 1  # the best


def test_a_frame_has_a_row_for_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    made = {}

    def frame(rows, columns):
        made.update(rows=rows, columns=columns)
        return made

    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=frame))
    found = evaluation({"insertion": {"ig": [0.5, 0.25]}})
    assert found.frame() is made and made["columns"][-1] == "value"
    assert made["rows"] == [("insertion", "ig", "0.png", 0.5), ("insertion", "ig", "1.png", 0.25)]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DependencyError, match="pip install pandas"):
        found.frame()


@pytest.mark.parametrize(
    "taken, found",
    [
        (["road", "deletion", "insertion"], ["insertion", "deletion"]),
        (["infidelity", "deletion"], ["deletion"]),
        (["sic", "aic"], ["sic"]),
        ([], []),
    ],
)
def test_which_metrics_lead(taken: list[str], found: list[str]) -> None:
    assert leading(taken) == found


@pytest.mark.parametrize(
    "found, text",
    [
        (Interval(0.5, 0.25, 0.75, 9), "0.50 [0.25, 0.75]"),
        (Interval(0.012345, None, None, 1), "0.012"),
        (Interval(None, None, None, 0), "–"),
        (Interval(0.0, -0.001, 0.2, 9), "0.00 [-0.001, 0.20]"),
    ],
)
def test_a_cell_is_short(found: Interval, text: str) -> None:
    assert cell(found) == text
