"""``explain --reproduce``: what was explained before, made again and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.responses import archive_digest, digest_of, read_arrays

SETTINGS = ("--steps", 4, "--noisy-samples", 2, "--noise-sigma", 0.05, "--seed", 3, "-q")


@pytest.fixture
def saved(program: Any, digits: Path, seven: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A response and an .npz file of one explanation."""
    response, raw = tmp_path / "seven.json", tmp_path / "seven.npz"
    run = program("explain", digits, seven, "-o", response, "--raw", raw, *SETTINGS)
    assert run.code == 0, run.err
    return response, raw


def rewritten(path: Path, change: Any) -> Path:
    """A response whose provenance was changed, digest and all."""
    body = json.loads(path.read_bytes())
    provenance = body.pop("diagnostics")["provenance"]
    provenance.pop("digest")
    change(provenance)
    provenance["digest"] = digest_of({**body, "provenance": provenance})
    path.write_text(json.dumps({**body, "diagnostics": {"provenance": provenance}}))
    return path


def test_it_is_the_same_to_the_bit(
    program: Any, saved: tuple[Path, Path], digits: Path, seven: Path, tmp_path: Path
) -> None:
    response, raw = saved
    for file, given in ((raw, ()), (response, (seven,))):
        again = tmp_path / "again.json"
        run = program("explain", digits, *given, "--reproduce", file, "-o", again, "--force", "-q")
        assert (run.code, run.out.decode()) == (0, f"{file}: it is the same to the bit\n"), run.err
        assert again.read_bytes() == response.read_bytes()
    run = program("explain", digits, "--reproduce", response)
    assert run.code == 2 and "does not hold what was explained; name the INPUT, too" in run.err


def test_provenance_is_in_the_words_of_a_document(saved: tuple[Path, Path]) -> None:
    response, raw = saved
    ((key, said),) = json.loads(response.read_bytes())["diagnostics"].items()
    assert key == "provenance" and said["pellucid"] == pellucid.__version__ and said["seed"] == 3
    method = said["parameters"]["integratedGradientsAttribution"]
    assert method["quadrature"] == "GAUSS_LEGENDRE" and method["stepCount"] == 4
    assert method["smoothGradConfig"] == {"noisySampleCount": 2, "noiseSigma": 0.05}
    image = said["inputs"]["image"]
    assert (image["shape"], image["pixels"]["range"]) == ([28, 28], [0, 1])
    arrays = read_arrays(raw.read_bytes())
    document = json.loads(arrays["pellucid.json"].tobytes())
    assert document["provenance"]["digest"] == archive_digest(arrays, document)
    del said["digest"], document["provenance"]["digest"]
    assert document["provenance"] == said


def test_a_difference_is_found_and_so_is_another_version(
    program: Any, saved: tuple[Path, Path], digits: Path, seven: Path
) -> None:
    response, _ = saved

    def older(provenance: Any) -> None:
        provenance["tensorflow"] = "2.9.1"
        provenance["parameters"]["integratedGradientsAttribution"]["stepCount"] = 5

    run = program("explain", digits, seven, "--reproduce", rewritten(response, older), "-q")
    assert run.code == 1, run.err
    first, second = run.out.decode().splitlines()
    assert "it differs by " in first and " of the largest number, at explanations[0]." in first
    assert second.startswith(f"{response}: TensorFlow is 2.") and second.endswith(", and was 2.9.1")


def test_what_the_file_does_not_hold_is_asked_for(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    baseline, raw = tmp_path / "gray.npy", tmp_path / "a.npz"
    np.save(baseline, np.full((28, 28), 0.5, np.float32))
    given = ("--baseline", baseline, "--steps", 3, "-q")
    assert program("explain", digits, seven, "--raw", raw, *given).code == 0
    run = program("explain", digits, "--reproduce", raw, "-q")
    assert (
        run.code == 2 and "its baseline, gray.npy, is not in it; give it with --baseline" in run.err
    )
    moved = Path(shutil.copy(baseline, tmp_path / "moved.npy"))
    run = program("explain", digits, "--reproduce", raw, "--baseline", moved, "-q")
    same, named = run.out.decode().splitlines()
    assert (run.code, same) == (0, f"{raw}: it is the same to the bit")
    assert named == f"{raw}: 'baseline' is moved.npy, and was gray.npy"
    neighbours = rewritten(
        _response(program, digits, seven, tmp_path),
        lambda provenance: provenance.update(parameters={"examples": {"neighbors": 3}}),
    )
    run = program("explain", digits, seven, "--reproduce", neighbours)
    assert run.code == 2 and "has neighbours, which depend on an index" in run.err


def _response(program: Any, digits: Path, seven: Path, folder: Path) -> Path:
    path = folder / "response.json"
    assert program("explain", digits, seven, "--steps", 2, "-q", "-o", path).code == 0
    return path


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda body: body["explanations"][0]["attributions_by_label"][0].update(example_score=2.0),
         "was changed after it was written: its digest is another"),
        (lambda body: body["diagnostics"]["provenance"].update(sead=3),
         "provenance: 'sead' is unknown here; did you mean 'seed'?"),
        (lambda body: body["diagnostics"]["provenance"].update(seed="3"),
         "is neither a response nor an .npz file of explanations (provenance.seed is not of"),
        (lambda body: body.pop("diagnostics"), "says nothing of how it was made"),
        (lambda body: body.pop("explanations"), "is neither a response nor an .npz file"),
    ],
    ids=["number", "unknown", "type", "none", "other"],
)  # fmt: skip
def test_a_file_that_was_changed_is_refused(
    program: Any, saved: tuple[Path, Path], digits: Path, seven: Path, change: Any, sentence: str
) -> None:
    response, _ = saved
    body = json.loads(response.read_bytes())
    change(body)
    response.write_text(json.dumps(body))
    run = program("explain", digits, seven, "--reproduce", response)
    assert run.code == 2 and f"{response}: {sentence}" in run.err, run.err


def test_arrays_that_were_changed_other_models_and_settings_are_refused(
    program: Any, saved: tuple[Path, Path], digits: Path, samples: Path
) -> None:
    _, raw = saved
    with np.load(raw) as archive:
        arrays = dict(archive)
    arrays["0/0/values/image"][3, 3] += 1e-9
    np.savez(raw.with_name("changed.npz"), **arrays)
    run = program("explain", digits, "--reproduce", raw.with_name("changed.npz"))
    assert run.code == 2 and "its digest is another" in run.err
    run = program("explain", samples / "wine/model", "--reproduce", raw)
    assert run.code == 2 and "was explained by another model, whose fingerprint is" in run.err
    run = program("explain", digits, "--reproduce", raw, "--steps", 3)
    assert run.code == 2 and "takes the settings of FILE; leave out --steps" in run.err


def test_tables_texts_and_bytes_are_in_the_file(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    """The mean of what is missing, and of the baseline, are those of all instances again."""
    rows = (samples / "wine/examples.csv").read_text().splitlines()[:5]
    table = tmp_path / "rows.csv"
    table.write_text("\n".join([*rows[:4], rows[4].replace(rows[4].split(",")[1], "", 1)]))
    for name, inputs, given in (
        ("wine", table, ("--baseline", "mean", "--missing", "mean", "--why-not", 1, "--output-index", 0)),
        ("code_or_prose", samples / "code_or_prose/instances.json", ()),
        ("jpeg_bytes", samples / "jpeg_bytes/instances.json",
         ("--method", "sampled-shapley", "--players", "regions", "--paths", 1)),
    ):  # fmt: skip
        model, raw = samples / name / "model", tmp_path / f"{name}.npz"
        run = program("explain", model, inputs, "--raw", raw, "-q", *given)
        assert run.code == 0, run.err
        run = program("explain", model, "--reproduce", raw, "-q")
        assert (run.code, run.out.decode()) == (0, f"{raw}: it is the same to the bit\n"), run.err


@pytest.mark.parametrize("form", ["vertex", "kserve"])
def test_every_form_of_a_response_says_how_it_was_made(
    program: Any, digits: Path, seven: Path, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "response.json"
    lime = ("--method", "lime", "--samples", 40, "--pixels", "0..1", "-q")
    run = program("explain", digits, seven, "--format", form, "-o", file, *lime)
    assert run.code == 0, run.err
    body = json.loads(file.read_bytes())
    (image,) = body["diagnostics"]["provenance"]["inputs"].values()
    assert image["pixels"]["from"] == "option"
    run = program("explain", digits, seven, "--reproduce", file, "-q")
    assert (run.code, run.out.decode()) == (0, f"{file}: it is the same to the bit\n"), run.err


def test_names_that_were_forgotten_are_asked_for(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    names, raw, body = tmp_path / "names.txt", tmp_path / "a.npz", tmp_path / "a.json"
    names.write_text("\n".join(f"the {number}" for number in range(10)))
    made = ("--class-names", names, "--steps", 2, "-q", "--raw", raw, "-o", body)
    assert program("explain", digits, seven, *made).code == 0
    for file, given in ((raw, ()), (body, (seven,))):
        again = ("explain", digits, *given, "--reproduce", file, "-q")
        run = program(*again)
        assert run.code == 1
        said = run.out.decode().splitlines()[-1]
        assert said.endswith("its outputs had other names: give those of then with --class-names")
        run = program(*again, "--class-names", names)
        assert (run.code, run.out.decode()) == (0, f"{file}: it is the same to the bit\n")
