"""``pellucid visualize SAVED.npz``: explanations drawn again, without the model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def saved(program: Any, samples: Path, kept: Path, tmp_path: Path) -> Path:
    """A copy of an archive that is made once."""
    photos, out = samples / "photos", kept / "saved.npz"
    if not out.exists():
        pictures = [photos / "images/cat.jpg", photos / "images/rocket.jpg"]
        run = program(
            *("explain", photos / "model", *pictures, "--steps", 8, "--top-k", 2, "-q"),
            *("--raw", out, "-o", kept / "answer.json"),
        )
        assert run.code == 0, run.err
    return Path(shutil.copy(out, tmp_path))


def pixels(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(
    "arguments",
    [(), ("--panel",), ("--set", "polarity=both"), ("--gif", "--frames", "3"), ("--labels", "2")],
)
def test_the_pictures_are_those_of_the_model(
    program: Any, samples: Path, saved: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    photos = samples / "photos"
    pictures = [photos / "images/cat.jpg", photos / "images/rocket.jpg"]
    anew = program(
        *("visualize", photos / "model", *pictures, "--steps", 8, "-q", *arguments),
        *("-o", tmp_path / "anew"),
    )
    again = program("visualize", saved, "-o", tmp_path / "again", *arguments)
    assert anew.code == again.code == 0, anew.err + again.err
    names = [Path(line).name for line in again.out.decode().splitlines()]
    assert names == [Path(line).name for line in anew.out.decode().splitlines()]
    assert {name.split(".")[0] for name in names} == {"cat", "rocket"}
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "anew" / name).read_bytes()


def test_the_photo_need_not_be_there_any_more(
    program: Any, samples: Path, copy_of: Any, tmp_path: Path
) -> None:
    seven = tmp_path / "seven.png"
    seven.write_bytes((samples / "digits/images/seven.png").read_bytes())
    raw, digits = tmp_path / "seven.npz", samples / "digits/model"
    run = program("explain", digits, seven, "--raw", raw, "-o", tmp_path / "answer.json")
    assert run.code == 0, run.err
    original = pixels(seven)
    seven.unlink()
    out = tmp_path / "seven.overlay.png"
    nothing = ("--set", "overlay_multiplier=0")
    assert program("visualize", raw, "-o", out, *nothing).code == 0
    magnified = original.repeat(8, axis=0).repeat(8, axis=1)
    assert np.abs(pixels(out).astype(int) - magnified).max() <= 1


def test_files_of_the_same_name_are_told_apart(program: Any, saved: Path, tmp_path: Path) -> None:
    run = program("visualize", saved, saved, "-o", tmp_path / "out")
    names = [Path(line).name for line in run.out.decode().splitlines()]
    assert names == [
        "cat.overlay.png",
        "rocket.overlay.png",
        "cat-2.overlay.png",
        "rocket-3.overlay.png",
    ]


def test_a_folder_stands_for_what_was_saved_in_it(
    program: Any, saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "attributions/deep"
    folder.mkdir(parents=True)
    for name in ("b.npz", "a.npz"):
        (folder / name).write_bytes(saved.read_bytes())
    run = program("visualize", folder.parent, "-o", tmp_path / "out")
    assert run.code == 0, run.err
    assert len(run.out.decode().splitlines()) == 4
    run = program("visualize", tmp_path / "out", "-o", tmp_path / "other")
    assert run.code == 2 and "no input" in run.err


def test_labels_that_were_not_saved_are_missed(program: Any, saved: Path, tmp_path: Path) -> None:
    run = program("visualize", saved, "-o", tmp_path / "out", "--labels", 5)
    assert run.code == 0
    assert "warning: cat: 2 labels were saved; see explain --top-k\n" in run.err


def test_what_is_for_explaining_is_refused(program: Any, saved: Path, tmp_path: Path) -> None:
    for arguments, sentence in (
        (("--steps", 5), "--steps is for explaining; what was saved is explained already"),
        (("--method", "xrai"), "--method is for explaining"),
        (("--compare", "ig,xrai"), "--compare explains anew: name the model and its inputs"),
        (("cat.jpg",), "'cat.jpg' is no saved explanation"),
    ):
        run = program("visualize", saved, *arguments, "-o", tmp_path / "out")
        assert run.code == 2 and sentence in run.err, run.err
        assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_or_not_ours_costs_one_sentence(
    program: Any, tmp_path: Path
) -> None:
    missing, wrong = tmp_path / "missing.npz", tmp_path / "wrong.npz"
    run = program("visualize", missing)
    assert run.code == 2 and run.err == f"error: {missing}: No such file or directory\n"
    wrong.write_bytes(b"no archive")
    run = program("visualize", wrong)
    assert run.code == 1 and run.err.startswith(f"error: {wrong}: not an .npz file")


def test_an_edited_file_says_how_to_draw_again(
    program: Any, samples: Path, saved: Path, tmp_path: Path
) -> None:
    """ "To create another visualization with the same model, update the settings in the file." """
    document = json.loads((samples / "photos/model/explanation_metadata.json").read_text())
    (feature,) = document["inputs"].values()
    settings = {"type": "Pixels", "polarity": "both", "overlay_type": "none"}
    feature["visualization"] = {**feature.get("visualization", {}), **settings}
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(document))
    words = [f"--set={key}={value}" for key, value in settings.items()]
    drawn, typed, plain = (tmp_path / name for name in ("drawn", "typed", "plain"))
    assert program("visualize", saved, "--metadata", edited, "-o", drawn).code == 0
    assert program("visualize", saved, *words, "-o", typed).code == 0
    assert program("visualize", saved, "-o", plain).code == 0
    name = "cat.overlay.png"
    assert (drawn / name).read_bytes() == (typed / name).read_bytes()
    assert (drawn / name).read_bytes() != (plain / name).read_bytes()
    document["inputs"] = {"other": feature}
    edited.write_text(json.dumps(document))
    run = program("visualize", saved, "--metadata", edited, "-o", drawn)
    assert run.code == 2
    assert (
        f"{edited}: inputs: describes 'other', and the pictures that were explained are" in run.err
    )


def test_settings_that_nobody_wrote_are_said_so_that_they_can_be_typed(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(samples / "photos/model", model)
    file = model / "explanation_metadata.json"
    document = json.loads(file.read_text())
    (feature,) = document["inputs"].values()
    feature.pop("visualization", None)
    file.write_text(json.dumps(document))
    cat, raw = samples / "photos/images/cat.jpg", tmp_path / "cat.npz"
    run = program(
        *("explain", model, cat, "--steps", 4, "-v", "--raw", raw, "-o", tmp_path / "answer.json")
    )
    (words,) = re.findall(r"cat.jpg, [^,]+, image: chosen for this picture: (.*)", run.err)
    picked = dict(it.split("=") for it in words.split(" ")[1::2])
    assert set(picked) == {"blur_sigma", "clip_below_percentile"}
    with np.load(raw) as archive:
        written = json.loads(archive["pellucid.json"].tobytes())
    assert written["instances"][0]["labels"][0]["chosen"] == {
        "image": [f"{key}={value}" for key, value in picked.items()]
    }
    by_itself = program("visualize", raw, "-v", "-o", tmp_path / "a.png")
    assert f"chosen for this picture: {words}" in by_itself.err
    typed = program("visualize", raw, "-v", *words.split(" "), "-o", tmp_path / "b.png")
    assert "chosen" not in typed.err
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it["metadata"]["inputs"].clear(), "its metadata are damaged"),
        (lambda it: it["instances"][0]["labels"].clear(), "has neither labels nor neighbors"),
        (lambda it: it["instances"][0].update(source=7), "instances[0].source is not of the type"),
        (lambda it: it["instances"][0].update(source="a\0/../..\0"), ""),
    ],
)
def test_a_tampered_file_costs_one_sentence(
    program: Any, saved: Path, tmp_path: Path, change: Any, said: str
) -> None:
    with np.load(saved) as archive:
        arrays = dict(archive)
    document = json.loads(arrays["pellucid.json"].tobytes())
    change(document)
    arrays["pellucid.json"] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    path = tmp_path / "tampered.npz"
    np.savez(path, **arrays)
    for more in (("-o", tmp_path / "drawn"), ("--show",)):
        run = program("visualize", path, *more)
        assert run.code == (1 if said else 0) and said in run.err, run.err
        assert run.err.count("\n") == run.code
