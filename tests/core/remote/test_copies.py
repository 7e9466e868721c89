"""A model elsewhere is copied once, whole, and again when it is another one."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import ModelError, UnsafeModelError
from pellucid.remote import cache_folder
from pellucid.saved_model import brought

MODEL = "memory://bucket/model"


def put_model(memory: Any, source: Path, address: str = MODEL) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"{address}/{path.relative_to(source).as_posix()}", path.read_bytes())


@pytest.fixture
def digits(samples: Path, memory: Any) -> Path:
    source = samples / "digits" / "model"
    put_model(memory, source)
    return source


def files(folder: Path) -> dict[str, bytes]:
    return {
        it.relative_to(folder).as_posix(): it.read_bytes()
        for it in folder.rglob("*")
        if it.is_file()
    }


def test_a_model_is_copied_once_with_its_metadata_and_nothing_below_other_folders(
    digits: Path, memory: Any
) -> None:
    memory.pipe_file(f"{MODEL}/logs/huge", b"x")
    said: list[str] = []
    copy = brought(MODEL, lambda it: said.append(str(it)))
    assert files(copy) == files(digits)
    assert said == [f"{MODEL}: copied to {copy}"]
    assert brought(MODEL, lambda it: said.append(str(it))) == copy and len(said) == 1


def test_a_model_that_is_written_anew_is_copied_anew(digits: Path, memory: Any) -> None:
    before = brought(MODEL, print)
    memory.pipe_file(f"{MODEL}/explanation_metadata.json", b"{}")
    after = brought(MODEL, print)
    assert before != after
    assert (after / "explanation_metadata.json").read_bytes() == b"{}"
    assert files(before) == files(digits)


@pytest.mark.parametrize(
    "name", ["variables/../../../out", "variables/a\\b", "variables//x", "variables/\x1b[31m"]
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written(
    name: str, digits: Path, memory: Any, tmp_path: Path
) -> None:
    memory.store[f"/bucket/model/{name}"] = memory.store["/bucket/model/saved_model.pb"]
    try:
        found = brought(MODEL, print)
    except ModelError as error:
        assert "has a name that no file of a model can have here" in str(error)
        assert "\x1b" not in str(error)
    else:  # the store itself took it for another name
        assert files(found).keys() <= files(digits).keys()
    outside = [it for it in tmp_path.rglob("*") if it.is_file()]
    assert all(it.is_relative_to(cache_folder()) for it in outside)


def test_a_copy_that_breaks_off_leaves_nothing(
    digits: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = type(memory).get_file

    def half(self: Any, address: str, path: str, **options: Any) -> None:
        original(self, address, path, **options)
        if "variables.data" in address:
            Path(path).write_bytes(b"half")

    monkeypatch.setattr(type(memory), "get_file", half)
    with pytest.raises(ModelError, match="the connection was lost in the middle"):
        brought(MODEL, print)
    assert not files(cache_folder())
    monkeypatch.undo()


def test_two_that_copy_at_a_time_find_the_same(digits: Path) -> None:
    found: list[Path] = []
    both = [threading.Thread(target=lambda: found.append(brought(MODEL, print))) for _ in "ab"]
    for it in both:
        it.start()
    for it in both:
        it.join()
    assert found[0] == found[1] and files(found[0]) == files(digits)
    assert len([*cache_folder().iterdir()]) == 1


def test_what_is_no_model_says_what_is_there(digits: Path, memory: Any) -> None:
    memory.pipe_file("memory://bucket/notes/readme.txt", b"")
    put_model(memory, digits, "memory://bucket/versions/2")
    put_model(memory, digits, "memory://bucket/versions/10")
    for address, said in {
        "memory://bucket/none": "there is no such folder",
        "memory://bucket/notes": "has no saved_model.pb, so it is not a SavedModel",
        "memory://bucket/versions": "but memory://bucket/versions/10 has one; give that",
    }.items():
        with pytest.raises(ModelError, match=said):
            brought(address, print)


def test_a_copy_is_judged_as_any_model_is(samples: Path, memory: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    import pellucid

    module = tf.Module()
    scores = tf.function(lambda x: x * tf.strings.to_number(tf.io.read_file("/etc/hostname")))
    wanted = tf.TensorSpec([None, 2], tf.float32, name="x")
    tf.saved_model.save(module, str(tmp_path / "m"), scores.get_concrete_function(wanted))
    put_model(memory, tmp_path / "m")
    with pytest.raises(UnsafeModelError, match="ReadFile"):
        pellucid.load(MODEL, warn=print)


def test_a_model_elsewhere_explains_as_it_does_here(digits: Path, samples: Path) -> None:
    import pellucid

    request = (samples / "digits" / "instances.json").read_bytes()
    instances = json.loads(request)["instances"][:1]
    here, there = (pellucid.load(it).explain(instances) for it in (digits, MODEL))
    assert there.json() == here.json()
    assert there.provenance["model"] == here.provenance["model"]
