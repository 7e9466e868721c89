"""``pellucid suggest-baseline``: what it prints is what the numbers say, and can be followed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.api.judging.baselines import NEAREST
from pellucid.inputs import read_file


@pytest.fixture
def bare(samples: Path, tmp_path: Path) -> Path:
    """The wine model without metadata: its baseline is 0, which no wine is near."""
    model = tmp_path / "model"
    shutil.copytree(samples / "wine/model", model)
    (model / "explanation_metadata.json").unlink()
    return model


def test_a_better_baseline_is_found_and_the_advice_can_be_followed(
    program: Any, bare: Path, samples: Path, tmp_path: Path
) -> None:
    table, out = samples / "wine/examples.csv", tmp_path / "mean.npz"
    asked = ("suggest-baseline", bare, table, "--ignore-column", "id", "--limit", 16)
    quick = ("--method", "ig:steps=10", "--stages", 6)
    run = program(*asked, *quick, "-o", out)
    assert run.code == 0, run.err
    said = run.out.decode().splitlines()
    assert "By deletion 'mean' is ahead of 'zero' by 0." in run.out.decode()
    assert f"on the command line: --baseline {out}" in said
    assert "16 instances are few: ask 20 or more before you change it." in said
    (line,) = (it for it in said if it.startswith("in explanation_metadata.json: "))
    written = json.loads(line.partition(": ")[2])

    one = samples / "wine/instances.json"
    by_file = json.loads(program("explain", bare, one, "--baseline", out).out)
    assert program("init-metadata", bare).code == 0
    file = bare / "explanation_metadata.json"
    draft = json.loads(file.read_bytes())
    for name, it in written["inputs"].items():
        draft["inputs"][name].update(it)
    file.write_text(json.dumps(draft))
    followed = json.loads(program("explain", bare, one).out)
    scores = [
        it["explanations"][0]["attributions_by_label"][0]["baseline_score"]
        for it in (by_file, followed)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)

    none = tmp_path / "none.npz"
    again = program(*asked, *quick, "-o", none)
    assert "By deletion no baseline is better than 'as it is': keep it." in again.out.decode()
    assert "in explanation_metadata.json" not in again.out.decode()
    assert "none.npz is not written" in again.err and not none.exists()


def test_pictures_are_judged_by_what_fills_holes_from_around_them(
    program: Any, samples: Path
) -> None:
    folder = samples / "digits/images"
    run = program(
        "suggest-baseline", samples / "digits/model", folder, "--method", "ig:steps=8",
        "--examples", folder, "--format", "json", "--limit", 3,
    )  # fmt: skip
    assert run.code == 0, run.err
    found = json.loads(run.out)
    names = [it["name"] for it in found["evaluation"]["candidates"] if not it["control"]]
    assert names == ["zero", "white", "black and white", "blur", "mean", "noise", "nearest"]
    assert found["metric"] == "road" and found["before"] == "zero"
    assert [*found["metadata"]["black and white"].values()] == [{"input_baselines": [0.0, 1.0]}]
    maps = {it: found["evaluation"]["values"]["road"][it] for it in names}
    assert len({tuple(it) for it in maps.values()}) == len(names)
    assert any("nearest of" in note for note in found["notes"])


def test_the_nearest_are_of_another_label_and_are_averaged(samples: Path) -> None:
    """Against a search by hand, and one explanation from each of them."""
    from pellucid.api.judging import baselines

    model = pellucid.load(samples / "wine/model")
    rows = list(read_file(samples / "wine/examples.csv", model.inputs, beside=model.beside))[:40]
    instance, others = rows[0], rows[1:]
    made = baselines._Made(baselines.one_output(model), [instance], others, 0)
    inputs = made._near(instance).inputs
    chosen = np.array([[float(it.value[0]) for it in spec.input_baselines] for spec in inputs]).T

    keys = [model.explainer.input_keys[spec.name] for spec in inputs]
    table = np.array([[float(it.tensors[key][0]) for key in keys] for it in rows])
    labels = [it.labels[0].index for it in model.explain(rows)]
    gaps = ((table[1:] - table[0]) / table[1:].std(axis=0)) ** 2
    unlike = [k for k in range(len(others)) if labels[k + 1] != labels[0]]
    nearest = sorted(unlike, key=lambda k: gaps[k].sum())[:NEAREST]
    np.testing.assert_allclose(chosen, table[1:][nearest], rtol=1e-6)


def test_what_cannot_be_judged_is_said(program: Any, samples: Path, tmp_path: Path) -> None:
    wine, rows = samples / "wine/model", samples / "wine/instances.json"
    text = samples / "code_or_prose"
    none = program("suggest-baseline", wine)
    assert none.code == 2 and "no input" in none.err
    for name in ("completeness", "seed", "max_sensitivity", "randomization"):
        judge = program("suggest-baseline", wine, rows, "--metrics", f"insertion, {name}")
        assert judge.code == 2 and f"'{name}' is no judge of baselines" in judge.err
    suffix = program("suggest-baseline", wine, rows, "-o", tmp_path / "a.png")
    assert suffix.code == 2 and "neither a .npy nor a .npz" in suffix.err
    unknown = program("suggest-baseline", wine, rows, "--method", "igg")
    assert unknown.code == 2 and "'igg' is not a method" in unknown.err
    words = program("suggest-baseline", text / "model", text / "instances.json")
    assert (
        words.code == 2
        and "no explained input is a picture or holds floating point numbers" in words.err
    )
    one = program("suggest-baseline", wine, rows, "--limit", 1, "--stages", 3)
    assert one.code == 0, one.err
    assert "The mean is left out: there are fewer than two instances." in one.out.decode()
    seven = samples / "digits/images/seven.png"
    few = program("suggest-baseline", samples / "digits/model", seven, "--stages", 3)
    assert "fewer than 6 instances cannot tell it from 'zero': give more." in few.out.decode()
    holes = program("suggest-baseline", wine, rows, "--limit", 1, "--metrics", "road")
    assert holes.code == 2 and "judged by road: it is for pictures" in holes.err
