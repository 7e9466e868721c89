"""Names that people give are quoted as they are, whatever signs they are made of, wherever."""

from __future__ import annotations

import json
import shutil
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

# What Rich would take for markup or for an emoji, what a path and JSON write otherwise.
NAMES = ("a[0]", "[bold]x[/bold]", "[/]", ":cat:", "a.b", 'a"b', "a]b[", "[link=x]y")


def test_tables_have_features_classes_and_examples_by_their_names(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(samples / "wine/model", tmp_path / "model"))
    file = model / "explanation_metadata.json"
    document = json.loads(file.read_text())
    features = document["inputs"]
    document["inputs"] = {
        name or key: features[key] for key, name in zip_longest(features, NAMES, fillvalue="")
    }
    (output,) = document["outputs"].values()
    output["index_name_mapping"] = list(NAMES[:3])
    file.write_text(json.dumps(document))
    wines = json.loads((samples / "wine/instances.json").read_text())["instances"]
    request = tmp_path / "wine.json"
    request.write_text(json.dumps({"instances": wines[:1]}))
    asked = (model, request, "--steps", 2)
    table = program("explain", *asked, "--top-k", 3, "--format", "table").out.decode()
    assert all(f"cultivar {name} = " in table for name in NAMES[:3])
    # The smallest attributions are not shown, and so perhaps not every name.
    rows = {line.split()[0] for line in table.splitlines() if line and str(request) not in line}
    assert rows <= {"feature", "phenols", "1", *document["inputs"]} and len(rows & {*NAMES}) > 5
    shown = program("visualize", *asked, "--show").out.decode()
    assert f"wine-0: {NAMES[0]}: 1.000\n" in shown
    assert f" {NAMES[0]} = 13.9 " in shown and f" {NAMES[1]} = 1.68 " in shown
    examples = tmp_path / "wines.jsonl"
    examples.write_text("".join(json.dumps({"id": name, **wines[0]}) + "\n" for name in NAMES))
    assert program("index", model, examples).code == 0
    near = program("explain", *asked[:2], "--method", "examples", "--format", "table").out.decode()
    assert sorted(line.split()[0] for line in near.splitlines()[-len(NAMES) :]) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("names", ["{0}, {0}", "[{0}, 'b'], [{0}, 'c']"])
def test_a_duplicate_is_quoted_as_it_is_written(
    name: str, names: str, program: Any, samples: Path, tmp_path: Path
) -> None:
    written = "[" + names.replace("'", '"').replace("{0}", json.dumps(name)) + "]"
    index = "0, 0" if "b" in names else "0"
    document = json.loads((samples / "wine/model/explanation_metadata.json").read_text())
    (output,) = document["outputs"].values()
    output["index_name_mapping"] = json.loads(written)
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(document))
    sentence = f"'{name}' is there already, at index {index}; the two are told apart by their index"
    for style in ("text", "github"):
        run = program("validate-metadata", file, "--select", "MD031", "--format", style)
        assert f"{sentence}\n" in run.out.decode()
    (found,) = json.loads(program("validate-metadata", file, "--format", "json").out)
    assert found["message"] == sentence
