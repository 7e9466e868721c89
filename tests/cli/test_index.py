"""``pellucid index`` and ``explain --method examples``, as they are typed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WINES = "wine/instances.json"


@pytest.fixture
def wine(samples: Path) -> Path:
    return samples / "wine/model"


@pytest.fixture
def wines(samples: Path, tmp_path: Path) -> Path:
    body = json.loads((samples / WINES).read_text())
    lines = [{"id": f"w{i}", **instance} for i, instance in enumerate(body["instances"])]
    path = tmp_path / "wines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_index_and_explain(
    program: Any, wine: Path, wines: Path, samples: Path, tmp_path: Path
) -> None:
    made = program("index", wine, wines, "-o", tmp_path / "i.npz")
    assert (made.code, made.out) == (0, b"")
    assert made.err.startswith(f"{tmp_path / 'i.npz'}: 3 examples, 8 numbers each from '")
    assert made.err.endswith("/Relu:0', squared l2 distance in standard deviations\n")
    run = program(
        "explain", wine, samples / WINES, "--method", "examples", "--index", tmp_path / "i.npz",
        "--neighbors", "2",
    )  # fmt: skip
    assert (run.code, run.err) == (0, "")
    found = json.loads(run.out)["explanations"]
    assert [one["neighbors"][0]["neighborId"] for one in found] == ["w0", "w1", "w2"]
    assert [list(one) for one in found] == [["neighbors"]] * 3
    assert [len(one["neighbors"]) for one in found] == [2, 2, 2]


def test_a_table_names_the_examples(
    program: Any, wine: Path, wines: Path, samples: Path, tmp_path: Path
) -> None:
    program("index", wine, wines, "-o", tmp_path / "i.npz")
    run = program(
        "explain", wine, samples / WINES, "--method", "examples", "--index", tmp_path / "i.npz",
        "--format", "table",
    )  # fmt: skip
    lines = run.out.decode().splitlines()
    assert lines[0].endswith("[0]: cultivar cultivar_1 = 0.9999; nearest examples")
    assert lines[1].split() == ["example", "distance"]
    name, distance = lines[2].split()
    assert name == "w0" and float(distance) < 1e-6
    assert sum("instances[1]: cultivar" in line for line in lines) == 1


def test_a_picture_and_a_folder_of_pictures(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    made = program("index", digits, seven.parent, "-o", tmp_path / "i.npz", "--query", "fast")
    assert made.code == 0, made.err
    for query in ("fast", "precise"):
        run = program(
            "explain", digits, seven, "--method", "examples", "--index", tmp_path / "i.npz",
            "--query", query, "--raw", tmp_path / f"{query}.npz",
        )  # fmt: skip
        neighbors = json.loads(run.out)["explanations"][0]["neighbors"]
        # A kernel may add up one row in another order than several.
        nearest = {"neighborId": "seven.png", "neighborDistance": pytest.approx(0, abs=1e-9)}
        assert neighbors[0] == nearest
        assert len(neighbors) == 6
        with np.load(tmp_path / f"{query}.npz") as raw:
            assert raw["0/neighbors/ids"].tolist() == [it["neighborId"] for it in neighbors]
            assert raw["0/neighbors/distances"].tolist() == [
                it["neighborDistance"] for it in neighbors
            ]


def test_the_default_place_is_in_the_model_directory(
    program: Any, copy_of: Callable[[Path], Path], wine: Path, wines: Path, samples: Path
) -> None:
    model = copy_of(wine)
    missing = program("explain", model, samples / WINES, "--method", "examples")
    assert missing.code == 2
    assert missing.err == (
        f"error: {model / 'examples.npz'}: there is no index; make one with pellucid index "
        "MODEL_DIR EXAMPLES\n"
    )
    assert program("index", model, wines).code == 0
    assert program("explain", model, samples / WINES, "--method", "examples").code == 0
    again = program("index", model, wines)
    assert again.code == 2
    assert again.err.endswith("examples.npz: exists; add --force to overwrite it\n")
    assert program("index", model, wines, "--force", "-q").err == ""


def test_what_is_indexed_is_what_explain_refuses_when_the_model_changed(
    program: Any, copy_of: Callable[[Path], Path], wine: Path, wines: Path, samples: Path
) -> None:
    model = copy_of(wine)
    assert program("index", model, wines).code == 0
    with (model / "saved_model.pb").open("ab") as file:
        file.write(b"\x08\x01")  # the version of the schema, once more
    run = program("explain", model, samples / WINES, "--method", "examples")
    assert run.code == 2
    assert "examples.npz: was made with another model" in run.err


def test_bad_examples_are_said_and_the_rest_is_indexed(
    program: Any, wine: Path, wines: Path, tmp_path: Path
) -> None:
    text = wines.read_text()
    wines.write_text('{"id": "bad", "alcohol": 3}\n' + text + "no json\n")
    run = program("index", wine, wines, "-o", tmp_path / "i.npz")
    assert run.code == 1
    lines = run.err.splitlines()
    assert lines[0].startswith(f"warning: {wines}:1: bad: missing inputs")
    assert lines[1].startswith(f"warning: {wines}:5:1: not JSON")
    assert lines[2].startswith(f"{tmp_path / 'i.npz'}: 3 examples")
    assert lines[3] == "2 examples failed"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "there are no examples; name a file or a folder of them"),
        (("missing.jsonl",), 1, "missing.jsonl: no such file or directory"),
        (("WINES", "--latent", "no"), 2, "'no' is not a tensor of the model"),
        (("WINES", "--modality", "sound"), 2, "'sound' is not one of"),
    ],
)
def test_what_cannot_be_indexed_leaves_no_file(
    arguments: tuple[str, ...], code: int, sentence: str,
    program: Any, wine: Path, wines: Path, tmp_path: Path,
) -> None:  # fmt: skip
    written = [str(wines) if it == "WINES" else it for it in arguments]
    run = program("index", wine, *written, "-o", tmp_path / "i.npz")
    assert run.code == code
    assert sentence in run.err
    assert os.listdir(tmp_path) == ["wines.jsonl"]


def test_a_batch_of_neighbours(
    program: Any, wine: Path, wines: Path, samples: Path, tmp_path: Path
) -> None:
    program("index", wine, wines, "-o", tmp_path / "i.npz")
    run = program(
        "batch", wine, samples / WINES, "-o", tmp_path / "out", "--method", "examples", "--index",
        tmp_path / "i.npz", "--neighbors", "1",
    )  # fmt: skip
    assert run.code == 0, run.err
    (results,) = (tmp_path / "out").glob("explanation.results*")
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line["explanation"]["neighbors"][0]["neighborId"] for line in lines] == ["w0", "w1", "w2"]  # fmt: skip


def test_there_is_nothing_to_draw(program: Any, digits: Path, seven: Path, tmp_path: Path) -> None:  # fmt: skip
    program("index", digits, seven, "-o", tmp_path / "i.npz")
    run = program(
        "visualize", digits, seven, "--method", "examples", "--index", tmp_path / "i.npz", "-o",
        tmp_path / "p.png",
    )  # fmt: skip
    assert run.code == 2
    assert "error: visualize draws attributions, and the method is examples" in run.err


def test_neighbours_are_saved_and_read_again(program: Any, digits: Path, seven: Path, tmp_path: Path) -> None:  # fmt: skip
    from pellucid.api.explanations import unpack

    program("index", digits, seven.parent, "-o", tmp_path / "i.npz")
    run = program(
        "explain", digits, seven, "--method", "examples", "--index", tmp_path / "i.npz", "--raw",
        tmp_path / "saved.npz",
    )  # fmt: skip
    assert unpack((tmp_path / "saved.npz").read_bytes(), "saved.npz").json() == run.out
    run = program("visualize", tmp_path / "saved.npz", "-o", tmp_path / "p.png")
    assert run.code == 2
    assert "error: visualize draws attributions, and the method is examples" in run.err
