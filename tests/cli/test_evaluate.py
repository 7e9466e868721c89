"""``pellucid evaluate``: a table, what follows from it, a report, and a gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def rows(samples: Path) -> Path:
    return samples / "wine" / "instances.json"


@pytest.fixture
def wine(samples: Path) -> Path:
    return samples / "wine" / "model"


def test_methods_and_controls_stand_side_by_side(program: Any, wine: Path, rows: Path) -> None:
    run = program("evaluate", wine, rows, "--methods", "ig:steps=10,shapley")
    assert run.code == 0, run.err
    lines = run.out.decode().splitlines()
    assert [line.split()[0] for line in lines[1:6]] == [
        "ig:steps=10", "shapley", "random", "difference", "first",
    ]  # fmt: skip
    assert lines[0].startswith("n = ") and "insertion ↑" in lines[0]
    assert "too few to tell methods apart" in run.out.decode()
    table = rows.with_name("examples.csv")
    more = program("evaluate", wine, table, "--methods", "ig,shapley", "--limit", 20)
    assert "By insertion" in more.out.decode() and "too few" not in more.out.decode()


def test_a_report_is_the_same_to_the_bit(
    program: Any, wine: Path, rows: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        run = program(
            "evaluate", wine, rows, "-o", tmp_path / name, "--format", "json", "--seed", 3
        )
        assert run.code == 0, run.err
    for file in ("evaluation.json", "curves.npz", "maps.npz", "index.html"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    found = json.loads((tmp_path / "a" / "evaluation.json").read_bytes())
    assert found == json.loads(run.out)
    n = len(found["instances"])
    with np.load(tmp_path / "a" / "curves.npz") as curves:
        assert curves["insertion/ig"].shape == (n, 51)
        area = (curves["insertion/ig"][:, 1:] + curves["insertion/ig"][:, :-1]).mean(axis=1) / 2
    np.testing.assert_allclose(found["values"]["insertion"]["ig"], area)
    assert found["table"]["insertion"]["ig"]["mean"] == pytest.approx(area.mean())
    shown = found["shown"][0]
    with np.load(tmp_path / "a" / "maps.npz") as maps:
        assert maps[f"{shown['number']}/ig"].shape == (len(shown["elements"]),)
    assert not list((tmp_path / "a").glob("*.partial"))
    run = program("evaluate", wine, rows, "-o", tmp_path / "a")
    assert run.code == 2 and "exists" in run.err


def test_a_report_has_a_page_and_replaces_no_other(
    program: Any, wine: Path, rows: Path, tmp_path: Path
) -> None:
    quick = ("evaluate", wine, rows, "--methods", "ig:steps=5", "--stages", 5, "-o", tmp_path)
    run = program(*quick)
    assert run.code == 0 and run.out.decode().splitlines()[-1] == str(tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "ig:steps=5" in page and "too few to tell methods apart" in page
    (tmp_path / "evaluation.json").unlink()
    (tmp_path / "index.html").write_text("mine")
    run = program(*quick)
    assert run.code == 2 and "index.html" in run.err and "exists" in run.err
    assert (tmp_path / "index.html").read_text() == "mine"
    assert program(*quick, "--force").code == 0


def test_a_picture_whose_name_is_no_text(
    program: Any, digits: Path, samples: Path, tmp_path: Path
) -> None:
    """Names of files are bytes: they are written as they can be."""
    odd = tmp_path / "caf\udce9 <b>.png"
    odd.write_bytes((samples / "digits" / "images" / "two.png").read_bytes())
    out = tmp_path / "report"
    run = program("evaluate", digits, odd, "--methods", "ig:steps=5", "--stages", 5, "-o", out)
    assert run.code == 0, run.err
    (found,) = json.loads((out / "evaluation.json").read_bytes())["instances"]
    assert found["name"].endswith(r"caf\xe9 <b>.png")
    assert r"caf\xe9 &lt;b&gt;.png" in (out / "index.html").read_text(encoding="utf-8")


def test_a_gate_says_in_a_sentence_what_is_worse(program: Any, wine: Path, rows: Path) -> None:
    """For deletion lower is better."""
    methods = ("--methods", "ig", "--stages", 5)
    held = program("evaluate", wine, rows, *methods, "--fail-under", "insertion=0.1")
    assert held.code == 0, held.err
    for bound in ("insertion=0.99", "deletion=0.01"):
        run = program("evaluate", wine, rows, *methods, "--fail-under", bound)
        (line,) = run.err.splitlines()
        assert run.code == 1 and line.startswith(f"error: worse than {bound}: "), run.err
    unknown = program("evaluate", wine, rows, "--fail-under", "road=0.5")
    assert unknown.code == 2 and "--metrics" in unknown.err
    assert program("evaluate", wine, rows, "--fail-under", "insertion").code == 2
    both = ("--metrics", "randomization", "--fail-under", "randomization=0.5")
    unranked = program("evaluate", wine, rows, *both)
    assert unranked.code == 2 and "has no better end" in unranked.err
    some = ("--methods", "ig,xrai", "--stages", 5, "--fail-under", "insertion=0.1")
    lost = program("evaluate", wine, rows, *some)
    assert lost.code == 1 and "xrai could not be judged" in lost.err


def test_a_gate_may_name_what_masks_bring(program: Any, digits: Path, tmp_path: Path) -> None:
    bound = ("--masks", tmp_path / "none", "--fail-under", "inside=0.5")
    run = program("evaluate", digits, tmp_path / "none.png", *bound)
    assert "is not among the metrics" not in run.err


def test_a_folder_of_pictures_is_judged_picture_by_picture(
    program: Any, digits: Path, samples: Path
) -> None:
    folder = samples / "digits" / "images"
    run = program(
        "evaluate", digits, folder, "--limit", 2, "--methods", "ig:blur,lime:slic,shapley:regions",
        "--stages", 5, "--format", "json",
    )  # fmt: skip
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["kind"] == "picture" and len(found["instances"]) == 2
    names = [it["name"] for it in found["candidates"]]
    assert names == [
        "ig:blur", "lime:slic", "shapley:regions", "random", "edges", "edges-blurred", "centre",
    ]  # fmt: skip
    said = {it["name"]: it["said"] for it in found["candidates"]}
    assert said["lime:slic"] == "LIME" and said["ig:blur"] == "integrated gradients"


def test_what_cannot_explain_the_input_is_left_out_with_the_reason(
    program: Any, wine: Path, rows: Path
) -> None:
    run = program("evaluate", wine, rows, "--methods", "ig,lime", "--stages", 5)
    assert run.code == 0
    assert "left out: lime: LIME explains one image" in run.out.decode()
    alone = program("evaluate", wine, rows, "--methods", "lime")
    assert alone.code == 2 and "no candidate can explain these instances" in alone.err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--methods", "igg"), "'igg' is not a method; did you mean 'ig'?"),
        (("--methods", "ig:blurr"), "'blurr' is no setting of integrated gradients"),
        (("--methods", "ig:steps=many"), "steps is a number, and 'many' is none"),
        (("--methods", "ig:steps=0"), "0 is out of range"),
        (("--methods", "ig,ig"), "there are two candidates 'ig'"),
        (("--metrics", "insertions"), "'insertions' is not a metric; did you mean 'insertion'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    program: Any, wine: Path, rows: Path, arguments: tuple[str, ...], said: str
) -> None:
    run = program("evaluate", wine, rows, *arguments)
    (line,) = run.err.splitlines()
    assert run.code == 2 and said in line, run.err


def test_candidates_of_a_file_have_names(
    program: Any, wine: Path, rows: Path, tmp_path: Path
) -> None:
    file = tmp_path / "candidates.json"
    parameters = {"quick": {"integratedGradientsAttribution": {"stepCount": 5}}}
    file.write_text(json.dumps(parameters))
    run = program("evaluate", wine, rows, "--methods", file, "--format", "json", "--stages", 5)
    assert run.code == 0, run.err
    first = json.loads(run.out)["candidates"][0]
    settings = first["settings"]["integratedGradientsAttribution"]
    assert (first["name"], settings["stepCount"]) == ("quick", 5)
    assert settings["quadrature"] == "GAUSS_LEGENDRE"
    for text, said in (
        ("[]", "no object of names and parameters"),
        ("{", "not JSON"),
        ('{"a": 3}', "a: is no object of parameters"),
        ('{"a": {}}', "has no method"),
    ):
        file.write_text(text)
        wrong = program("evaluate", wine, rows, "--methods", file)
        assert wrong.code == 2 and said in wrong.err, wrong.err


def test_no_instances_and_one(program: Any, wine: Path, rows: Path, tmp_path: Path) -> None:
    none = tmp_path / "none.json"
    none.write_text('{"instances": []}')
    run = program("evaluate", wine, none)
    assert run.code == 1 and "is an empty list" in run.err
    one = program("evaluate", wine, rows, "--limit", 1, "--stages", 5)
    assert one.code == 0 and "There is one instance" in one.out.decode()
    (tmp_path / "empty").mkdir()
    run = program("evaluate", wine, tmp_path / "empty")
    assert run.code == 1 and "holds no input" in run.err
    assert program("evaluate", wine).code == 2
