"""Files of class names, in every form that people keep them in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pellucid.errors import SpecError
from pellucid.saved_model.label_files import (
    class_names_of,
    label_files,
    read_class_names,
    told_apart,
)

NAMES = ("cat", "dog", "crane, the bird")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "cat\ndog\ncrane, the bird\n"),
        ("labels.txt", "\ufeffcat\r\n dog \r\ncrane, the bird\r\n\r\n"),
        ("labels.json", json.dumps(NAMES)),
        ("labels", json.dumps(NAMES)),
        ("labels.json", json.dumps({"2": NAMES[2], "0": "cat", "1": "dog"})),
        ("labels.json", json.dumps({n: i for i, n in enumerate(NAMES)})),
        ("labels.json", json.dumps({str(i): [f"n{i:08}", n] for i, n in enumerate(NAMES)})),
    ],
)
def test_names_are_read_by_index(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_class_names(tmp_path / name) == NAMES
    assert class_names_of(str(tmp_path / name)) == (NAMES, str(tmp_path / name))


def test_names_may_be_given_as_they_are() -> None:
    assert class_names_of("cat, dog ,a b")[0] == ("cat", "dog", "a b")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.json", "{", "a.json: not JSON"),
        ("a.json", "3", "a.json: is neither a list of names nor an object of them by index"),
        ("a.json", "[]", "a.json: is neither a list of names nor an object of them by index"),
        ("a.json", '["cat", 3]', "a.json: entry 1 is no name"),
        ("a.json", '{"0": "cat", "2": "dog"}', "a.json: has no name for index 1"),
        ("a.json", '{"cat": "Felis"}', "a.json: has no name for index 0"),
        ("a.txt", "cat\n\ndog\n", "a.txt:2: has no name"),
        ("a.txt", "", "a.txt:1: has no name"),
    ],
)
def test_what_holds_no_names_is_said_to(
    name: str, text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SpecError) as error:
        read_class_names(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}") and sentence in str(error.value)


def test_a_file_that_is_not_there_is_no_list_of_names(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"missing\.txt: no such file"):
        class_names_of(str(tmp_path / "missing.txt"))


def test_files_beside_the_model_and_in_its_assets_are_found(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "assets").mkdir(parents=True)
    (model / "labels.txt").write_text("cat\ndog\n")
    (model / "assets" / "class_names.json").write_text('["a", "b", "c"]')
    (model / "classes.json").write_text("damaged")
    (tmp_path / "classes.txt").write_text("outside\n")
    (model / "classes.txt").symlink_to(tmp_path / "classes.txt")
    found = {path.relative_to(model).as_posix(): names for path, names in label_files(model)}
    assert found == {"labels.txt": ("cat", "dog"), "assets/class_names.json": ("a", "b", "c")}


def test_names_that_occur_twice_are_told_apart_by_index() -> None:
    assert told_apart(("crane", "cat", "crane")) == (("crane (0)", "cat", "crane (2)"), ("crane",))
    assert told_apart(("a", "b")) == (("a", "b"), ())
