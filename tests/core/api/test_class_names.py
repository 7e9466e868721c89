"""Names of classes without writing JSON: given, found beside the model, and told apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zoo import Net, export, float_rows, metadata, normal

import pellucid
from pellucid.errors import SpecError
from pellucid.notices import Message


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net, directory = Net(), tmp_path_factory.mktemp("names") / "model"
    export(directory, lambda x: {"out": net(x)}, [net], x=float_rows(4))
    return directory


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(saved, tmp_path / "model"))


def names(
    model: Path, say: Callable[[Message], None] = lambda _: None, **options: Any
) -> list[str]:
    found = pellucid.load(model, warn=say, top_k=-1, **options).explain(normal(1, 4, seed=5))
    return [str(label.name) for label in sorted(found[0].labels, key=lambda it: it.index)]


def test_names_are_given_by_a_file_or_as_they_are(model: Path, tmp_path: Path) -> None:
    count = len(names(model))
    given = [f"class {i}" for i in range(count)]
    (tmp_path / "mine.txt").write_text("\n".join(given))
    assert names(model, class_names=str(tmp_path / "mine.txt")) == given
    assert names(model, class_names=",".join(given)) == given


@pytest.mark.parametrize("place", ["labels.txt", "class_names.txt", "assets/labels.txt"])
def test_names_beside_the_model_are_found_and_said(place: str, model: Path) -> None:
    count = len(names(model))
    given = [f"class {i}" for i in range(count)]
    (model / place).parent.mkdir(exist_ok=True)
    (model / place).write_text("\n".join(given))
    said: list[Message] = []
    assert names(model, said.append) == given
    assert f"{model / place}: gives the names of the {count} classes" in map(str, said)


def test_names_that_do_not_fit_are_not_taken_in_silence(model: Path) -> None:
    count = len(names(model))
    (model / "labels.txt").write_text("one\n" * (count + 1))
    said: list[Message] = []
    assert names(model, said.append) == ["None"] * count
    sentence = f"{model / 'labels.txt'}: has {count + 1} names, and the output has {count}"
    assert any(str(it).startswith(sentence) for it in said)


def test_too_few_names_given_are_an_error(model: Path) -> None:
    count = len(names(model))
    with pytest.raises(SpecError, match=rf"has 2 names, and the output 'out' has {count}"):
        names(model, class_names="a,b")


def test_names_that_occur_twice_are_told_apart(model: Path) -> None:
    count = len(names(model))
    said: list[Message] = []
    given = ",".join(["crane"] * 2 + [str(i) for i in range(2, count)])
    assert names(model, said.append, class_names=given)[:2] == ["crane (0)", "crane (1)"]
    assert any("'crane' named more than one class" in str(it) for it in said)


def test_written_names_go_before_found_ones_and_given_before_both(model: Path) -> None:
    count = len(names(model))
    document = metadata({"x": {"input_tensor_name": "x"}}, "out")
    (output,) = document["outputs"].values()
    output["index_name_mapping"] = [f"written {i}" for i in range(count)]
    (model / "explanation_metadata.json").write_text(json.dumps(document))
    (model / "labels.txt").write_text("\n".join(f"found {i}" for i in range(count)))
    assert names(model)[0] == "written 0"
    given = ",".join(f"given {i}" for i in range(count))
    assert names(model, class_names=given)[0] == "given 0"
