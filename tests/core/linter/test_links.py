"""Symbolic links: what a model reads lies in its own directory, wherever that is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import pellucid
from pellucid.errors import UnsafeModelError
from pellucid.linter.lint_model import lint
from places import SAMPLES


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLES / "digits/model", tmp_path / "model"))


def moved(model: Path, name: str, to: Path) -> None:
    """Move a file or folder, and leave a link to it."""
    to.parent.mkdir(exist_ok=True)
    shutil.move(model / name, to)
    (model / name).symlink_to(os.path.relpath(to, (model / name).parent))


NAMES = (
    "saved_model.pb",
    "variables",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "explanation_metadata.json",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_leads_out_is_refused_before_anything_is_read(name: str, model: Path) -> None:
    moved(model, name, model.parent / "elsewhere" / "secret")
    (problem,) = lint(model).problems
    said = "leads out of the model's directory, and loading would read what is there"
    assert (problem.code, problem.file, problem.message) == ("MD132", str(model / name), said)
    with pytest.raises(UnsafeModelError) as stop:
        pellucid.load(model)
    assert str(stop.value) == (
        f"{model / name}: {said}; put the file there, or, if you trust the model, add "
        "allow_unsafe_ops=True"
    )
    assert pellucid.load(model, allow_unsafe_ops=True, warn=lambda _: None).signature


@pytest.mark.parametrize("name", ["labels.txt", "assets/classes.txt", "assets.extra/x", "debug/y"])
def test_a_file_that_is_read_without_being_named_may_not_lead_out(name: str, model: Path) -> None:
    path = model / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("/etc/passwd")
    with pytest.raises(UnsafeModelError, match="leads out of the model's directory"):
        pellucid.load(model)
    assert [it.code for it in lint(model / "explanation_metadata.json").problems] == ["MD132"]


def test_a_link_in_a_folder_that_a_link_leads_to_is_found(model: Path) -> None:
    (model / "other").mkdir()
    (model / "assets").symlink_to("other")
    (model / "other" / "words.txt").symlink_to("/etc/passwd")
    assert [it.code for it in lint(model).problems] == ["MD132"]


def test_links_that_stay_inside_are_no_finding(model: Path, tmp_path: Path) -> None:
    for name in ("saved_model.pb", "variables/variables.index", "explanation_metadata.json"):
        moved(model, name, model / "kept" / name.rpartition("/")[2])
    (model / "loop").symlink_to("loop")
    (model / "assets").symlink_to(".")
    (tmp_path / "link").symlink_to("model")
    for directory in (model, tmp_path / "link"):
        assert lint(directory).problems == ()
        assert pellucid.load(directory, warn=lambda _: None).signature
