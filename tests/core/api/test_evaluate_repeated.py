"""``model.evaluate``: how often instances are explained again, and runs that are broken off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.api.judging import Journal, evaluation
from pellucid.errors import OutputError, SpecError
from pellucid.inputs import read_file

REPEATED = "max_sensitivity,randomization,seed"


@pytest.fixture
def digits(samples: Path) -> pellucid.LoadedModel:
    return pellucid.load(samples / "digits" / "model")


@pytest.fixture
def wine(samples: Path) -> pellucid.LoadedModel:
    return pellucid.load(samples / "wine" / "model")


def pictures(model: pellucid.LoadedModel, samples: Path, count: int = 2) -> list[Any]:
    files = sorted((samples / "digits" / "images").glob("*.png"))[:count]
    return [it for file in files for it in read_file(file, model.inputs)]


def rows(samples: Path) -> list[Any]:
    request = json.loads((samples / "wine" / "instances.json").read_bytes())
    return request["instances"][:3] * 2


def test_repeats_of_pictures_are_few_unless_all_are_asked_for(digits: Any, samples: Path) -> None:
    """Both are said: how many, and who is repeated with fewer samples."""
    given = pictures(digits, samples)
    chosen = "ig:steps=2,lime:slic:samples=200"
    few = digits.evaluate(given, chosen, REPEATED)
    assert few.provenance.repeats == "few"
    assert len(few.curves["randomization"]["ig:steps=2"][0]) == 2
    (note,) = [it for it in few.notes if "Repeats" in it]
    assert "1 moved input instead of 10" in note and "Maps of lime:slic:samples=200 are" in note
    whole = digits.evaluate(given, chosen, REPEATED, repeats="all")
    assert whole.provenance.repeats == "all" and not any("Repeats" in it for it in whole.notes)
    assert len(whole.curves["randomization"]["ig:steps=2"][0]) == 4
    last = [it.values["randomization"]["ig:steps=2"] for it in (few, whole)]
    np.testing.assert_array_equal(*last)
    with pytest.raises(SpecError, match="choose all or few"):
        digits.evaluate(given, chosen, REPEATED, repeats="some")


def test_few_repeats_are_told_of_the_metrics_that_were_taken(digits: Any, samples: Path) -> None:
    """Where nothing is repeated less, as by two seeds of few samples, nothing is told."""
    given = pictures(digits, samples, 1)

    def told(methods: str, metrics: str) -> str:
        notes = digits.evaluate(given, methods, metrics).notes
        return " ".join(it for it in notes if "Repeats" in it)

    moved = told("ig:steps=2", "max_sensitivity")
    assert "1 moved input instead" in moved and "weights" not in moved and "samples" not in moved
    drawn = told("ig:steps=2", "randomization")
    assert "weights drawn anew" in drawn and "moved" not in drawn
    seeds = told("lime:slic:samples=200", "seed")
    assert "maps of lime:slic:samples=200 are repeated with about 150 samples" in seeds
    assert "moved" not in seeds and "weights" not in seeds
    assert told("lime:slic:samples=100", "seed") == ""


def test_a_repeat_of_fewer_samples_is_compared_with_a_map_of_as_many(
    digits: Any, samples: Path
) -> None:
    """So that it is what a candidate of so many samples has."""
    given = pictures(digits, samples)
    few = digits.evaluate(given, "lime:slic:samples=900", REPEATED).values
    own = digits.evaluate(given, "lime:slic:samples=150", REPEATED).values
    for metric in (*REPEATED.split(","), "randomization_ssim"):
        np.testing.assert_array_equal(
            few[metric]["lime:slic:samples=900"], own[metric]["lime:slic:samples=150"]
        )


def test_tables_are_repeated_in_full(wine: Any, samples: Path) -> None:
    found = wine.evaluate(rows(samples), "ig:steps=2", REPEATED)
    assert found.provenance.repeats == "all"
    assert len(found.curves["randomization"]["ig:steps=2"][0]) == 4


class BrokenOffError(Exception):
    pass


def broken_off(wine: Any, given: Any, journal: Journal, after: int, **named: Any) -> None:
    done: list[int] = []

    def count() -> None:
        done.append(1)
        if len(done) > after:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        wine.evaluate(given, CHOSEN, journal=journal, on_done=count, **named)


CHOSEN = ("ig:steps=3", "lime", "shapley:paths=4")


def test_a_run_that_is_broken_off_goes_on_to_the_same_bytes(
    wine: Any, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of the candidates fails at, and warns of, is counted once."""
    monkeypatch.setattr(evaluation, "TOGETHER", 1)
    given, named = rows(samples), {"stages": 4, "metrics": "insertion,max_sensitivity,seed"}
    whole = wine.evaluate(given, CHOSEN, **named)
    journal = Journal(tmp_path / "out")
    broken_off(wine, given, journal, 3, **named)
    kept = sorted(it.name for it in journal.state.glob("*.npz"))
    assert len(kept) == 4
    judged: list[int] = []
    before = evaluation.Judge.judge
    monkeypatch.setattr(
        evaluation.Judge,
        "judge",
        lambda self, some: judged.append(some[0][0]) or before(self, some),
    )
    (journal.state / kept[1]).write_bytes(b"PK, but no further")
    again = wine.evaluate(given, CHOSEN, journal=journal, **named)
    assert judged == [1, 4, 5], "what is damaged, and what was not done"
    assert again.json() == whole.json()
    for one, other in ((again.arrays(), whole.arrays()), (again.maps(), whole.maps())):
        assert [*one] == [*other]
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    journal.end()
    assert not journal.state.exists()


def test_another_evaluation_does_not_go_on(
    wine: Any, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "TOGETHER", 1)
    given = rows(samples)
    broken_off(wine, given, Journal(tmp_path), 1, stages=4)
    with pytest.raises(OutputError, match=r"stages was 4 and is 5.*start over"):
        wine.evaluate(given, CHOSEN, journal=Journal(tmp_path), stages=5)
    found = wine.evaluate(given, CHOSEN, journal=Journal(tmp_path, force=True), stages=5)
    assert found.json() == wine.evaluate(given, CHOSEN, stages=5).json()


def test_instances_that_changed_are_judged_again(
    wine: Any, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "TOGETHER", 1)
    given = rows(samples)
    broken_off(wine, given, Journal(tmp_path), 3, stages=4)
    changed = [given[0], given[2], *given[2:]]
    found = wine.evaluate(changed, CHOSEN, journal=Journal(tmp_path), stages=4)
    assert found.json() == wine.evaluate(changed, CHOSEN, stages=4).json()


def test_curves_of_changed_maps_are_coarse_unless_all_are_asked_for(
    digits: Any, samples: Path
) -> None:
    """They are every fifth point of the whole ones, and are said to be."""
    given = pictures(digits, samples, 1)
    chosen = "insertion,insertion_smoothed,insertion_patches"
    few = digits.evaluate(given, "ig:steps=2", chosen)
    (note,) = [it for it in few.notes if "changed maps" in it]
    assert "have 10 stages instead of 50 (deletion_smoothed, deletion_patches, insert" in note
    whole = digits.evaluate(given, "ig:steps=2", chosen, repeats="all")
    assert not any("changed maps" in it for it in whole.notes)
    for metric in ("deletion_smoothed", "insertion_smoothed", "insertion_patches"):
        for name, curve in few.curves[metric].items():
            np.testing.assert_allclose(curve, whole.curves[metric][name][:, ::5], rtol=1e-5)
    assert few.curves["insertion"]["edges"].shape == (1, 51)
    short = digits.evaluate(given, "ig:steps=2", chosen, stages=10)
    assert not any("changed maps" in it for it in short.notes)
