"""``--why-not``: what speaks for seven rather than five, in every command that explains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.inputs import read_file
from pellucid.visualize import Shown

LOGITS = "what is explained of 'probabilities' is the difference of two logits"


def test_it_is_the_difference_of_two_responses(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    """In the response, in arrays and over the logits, which nobody asked for."""
    found = {}
    for name, given in {
        "both": ("--why-not", "five"),
        "seven": ("--output-index", 7, "--logits"),
        "five": ("--output-index", 5, "--logits"),
    }.items():
        raw = tmp_path / f"{name}.npz"
        run = program("explain", digits, seven, "--steps", 6, "--raw", raw, *given)
        assert run.code == 0, run.err
        assert (LOGITS in run.err) == (name == "both")
        with np.load(raw) as arrays:
            found[name] = arrays["0/0/values/image"]
        if name == "both":
            (label,) = json.loads(run.out)["explanations"][0]["attributions_by_label"]
            assert (label["label_name"], label["label_index"]) == ("seven rather than five", 7)
    np.testing.assert_allclose(found["both"], found["seven"] - found["five"], rtol=0, atol=1e-6)


def test_titles_say_rather_than(digits: Path, seven: Path) -> None:
    model = pellucid.load(digits, warn=lambda said: None)
    instances = list(read_file(str(seven), model.inputs))
    explanations = model.explain(instances, why_not="five", steps=2)
    again = model.configured(why_not="five")
    assert again.explainer.model is model.configured(why_not=5).explainer.model, "compiled once"
    label = explanations[0].labels[0]
    assert Shown(explanations, 0, label).title.startswith("seven rather than five: ")
    assert explanations.draw(0)["image"].title.startswith("seven rather than five: ")
    assert "seven rather than five" in repr(explanations)


@pytest.mark.parametrize(
    "label, code, sentence",
    [
        ("sevne", 2, "error: why_not: 'sevne' is no label of the output 'probabilities'; did you"),
        ("seven", 1, "its label is seven itself, which nothing speaks for rather than it; name "
         "another by --why-not, or what is explained by --output-index"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(
    program: Any, digits: Path, seven: Path, label: str, code: int, sentence: str
) -> None:
    run = program("explain", digits, seven, "--why-not", label)
    assert run.code == code and sentence in run.err, run.err


def test_a_regression_has_no_other_label(program: Any, samples: Path) -> None:
    directory = samples / "diabetes"
    run = program("explain", directory / "model", directory / "instances.json", "--why-not", "x")
    assert run.code == 2
    assert "is one number, and there is no other to compare it with" in run.err


def test_batches_and_evaluations_compare_too(program: Any, samples: Path, tmp_path: Path) -> None:
    wine, rows = samples / "wine/model", samples / "wine/examples.csv"
    run = program(
        "batch", wine, rows, "-o", tmp_path, "--limit", 4, "--why-not", "cultivar_2", "-q"
    )
    assert run.code in (0, 1), run.err
    (results,) = tmp_path.glob("explanation.results-*")
    explained = [json.loads(line)["explanation"] for line in results.read_text().splitlines()]
    names = {it["attributions_by_label"][0]["label_name"] for it in explained}
    assert names and all(name.endswith(" rather than cultivar_2") for name in names)
    errors = (tmp_path / "errors.jsonl").read_text()
    assert len(explained) + errors.count("is cultivar_2 itself") == 4
    given = ("--methods", "ig:steps=4", "--output-index", 0, "--why-not", "cultivar_2")
    judged = program("evaluate", wine, rows, "--limit", 3, "--format", "json", *given)
    assert judged.code == 0, judged.err
    found = json.loads(judged.out)
    assert found["provenance"]["why_not"] == "cultivar_2"
    scores = [it["score"] for it in found["instances"]]
    one = program(
        "explain", wine, rows, "--output-index", 0, "--why-not", "cultivar_2", "--steps", 2
    )
    expected = [
        it["attributions_by_label"][0]["example_score"]
        for it in json.loads(one.out)["explanations"][:3]
    ]
    assert scores == pytest.approx(expected)
