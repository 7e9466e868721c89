"""Files of examples: what each one is called, and what may stand beside its inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import DependencyError, InstanceError
from pellucid.examples.files import read_examples
from pellucid.inputs.input_info import InputInfo

VECTOR = (InputInfo(name="x", dtype="float32", shape=(None, 2)),)
PICTURE = (InputInfo(name="image", dtype="float32", shape=(None, 4, 4, 3)),)


def ids(*paths: Path, inputs: Any = VECTOR) -> list[str]:
    return [name for name, _ in read_examples(paths, inputs)]


def lines(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def test_an_id_is_what_the_example_says(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"id": "first", "x": [1, 2]}, {"id": 17, "x": [3, 4]})
    assert ids(path) == ["first", "17"]
    (tmp_path / "b.csv").write_text("id,u,v\np1,1,2\np2,3,4\n")
    assert ids(tmp_path / "b.csv") == ["p1", "p2"]
    request = {"instances": [{"id": "r", "x": [1, 2]}, {"x": [3, 4]}]}
    (tmp_path / "c.json").write_text(json.dumps(request))
    assert ids(tmp_path / "c.json") == ["r", "1"]


def test_else_it_is_the_line_and_of_several_files_the_file_as_well(tmp_path: Path) -> None:
    a = tmp_path / "a.jsonl"
    a.write_text("[1, 2]\n\n[3, 4]\n")
    b = lines(tmp_path / "b.jsonl", [5, 6])
    assert ids(a) == ["1", "3"]
    assert ids(a, b) == ids(tmp_path) == ["a.jsonl:1", "a.jsonl:3", "b.jsonl:1"]


def test_a_picture_is_called_by_its_path_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "set/cats").mkdir(parents=True)
    for name in ("set/b.png", "set/cats/a.png", "set/.hidden.png", "set/cats/c.JPG"):
        with (tmp_path / name).open("wb") as file:
            Image.new("RGB", (9, 9), "red").save(file, "PNG")
    (tmp_path / "set/notes.txt").write_text("not one of them")
    assert ids(tmp_path / "set", inputs=PICTURE) == ["b.png", "cats/a.png", "cats/c.JPG"]
    assert ids(tmp_path / "set/cats/a.png", inputs=PICTURE) == ["a.png"]


@pytest.mark.parametrize("name", [True, [1], {"a": 1}, ""])
def test_an_id_that_is_none_is_refused(name: Any, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"id": name, "x": [1, 2]})
    with pytest.raises(InstanceError, match="'id' must be text or a number"):
        ids(path)


@pytest.mark.parametrize(
    "restricts", ["red", [1], [{"allow": ["a"]}], [{"namespace": "a", "deny": "b"}]]
)
def test_restricts_that_are_none_are_refused(restricts: Any, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"id": "a", "x": [1, 2], "restricts": restricts})
    with pytest.raises(InstanceError, match="'restricts' must be a list of objects"):
        ids(path)


def test_empty_restricts_are_none(tmp_path: Path) -> None:
    """As in the service's own example of a request: ``"restricts": "", "crowding_tag": ""``."""
    extras = {"restricts": "", "crowding_tag": ""}
    path = lines(tmp_path / "a.jsonl", {"id": "a", "x": [1, 2], **extras})
    ((_, instance),) = read_examples([path], VECTOR)
    assert instance.extras == {"line": 1, "id": "a", **extras}
    np.testing.assert_array_equal(instance.tensors["x"], [1, 2])


def test_what_is_wrong_is_passed_on_and_the_rest_is_read(tmp_path: Path) -> None:
    a = lines(tmp_path / "a.jsonl", {"id": "1", "x": [1]}, {"id": "2", "x": [1, 2]}, {"id": [], "x": [1, 2]}, {"id": "4", "x": [3, 4]})  # fmt: skip
    b = lines(tmp_path / "b.jsonl", {"id": "5", "x": [1, 2]})
    errors: list[InstanceError] = []
    (tmp_path / "c.jsonl").write_bytes(b"[1, 2]\n\xff\n")
    (tmp_path / "d.json").write_text("")
    paths = [a, tmp_path / "c.jsonl", tmp_path / "d.json", b]
    found = [name for name, _ in read_examples(paths, VECTOR, on_error=errors.append)]
    assert found == ["2", "4", "c.jsonl:1", "5"]
    said = [str(error) for error in errors]
    assert "a.jsonl:1: 1: x: input 'x' is float32 [2]" in said[0]
    assert "'id' must be text or a number" in said[1]
    assert "c.jsonl:2: not UTF-8 text" in said[2]
    assert "d.json: the file is empty" in said[3]
    assert len(said) == 4


def test_a_file_that_is_not_there_is_refused_before_any_is_read(tmp_path: Path) -> None:
    a = lines(tmp_path / "a.jsonl", {"id": "1", "x": [1, 2]})
    with pytest.raises(InstanceError, match="no: no such file or directory"):
        next(read_examples([a, tmp_path / "no"], VECTOR, on_error=print))


def test_a_bucket_without_its_package_says_what_to_install() -> None:
    with pytest.raises(DependencyError, match=r"gs://bucket/ex.*; type pip install gcsfs"):
        ids(Path("gs://bucket/examples.jsonl"))


def test_a_folder_is_read_in_the_order_of_batch_without_what_a_run_wrote(tmp_path: Path) -> None:
    for name in ("z.jsonl", "a/x.jsonl", "b/summary.json", "b/table.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        lines(tmp_path / name, {"x": [1, 2]})
    (tmp_path / "b/.batch").mkdir()
    said: list[object] = []
    found = [name for name, _ in read_examples([tmp_path], VECTOR, warn=said.append)]
    assert found == ["a/x.jsonl:1", "z.jsonl:1"]
    assert [str(it) for it in said] == [f"{tmp_path / 'b'}: what an earlier run wrote is left out"]


def test_a_folder_without_examples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InstanceError, match="holds no input"):
        ids(tmp_path)
