"""``batch --truth``: the true labels of inputs, what is matched to them, and what is said of it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from pellucid.metadata import published_schema
from places import SAMPLES


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve wines with their cultivar: one of them false, one no class, one not known."""
    path = tmp_path_factory.mktemp("wines") / "wines.csv"
    with (SAMPLES / "wine/examples.csv").open() as source, path.open("w", newline="") as out:
        rows = list(csv.DictReader(source))[:12]
        writer = csv.DictWriter(out, [*rows[0], "kind"])
        writer.writeheader()
        for number, row in enumerate(rows):
            kind = row["id"].partition("/")[0]
            odd = {2: kind.upper().replace("_", "-"), 3: "cultivar_9", 4: "", 5: _other(kind)}
            writer.writerow({**row, "kind": odd.get(number, kind)})
    return path


def _other(kind: str) -> str:
    return "cultivar_2" if kind == "cultivar_1" else "cultivar_1"


def entries_of(folder: Path) -> dict[str, Any]:
    found = re.search(r'id="entries">(.*?)</script>', (folder / "index.html").read_text(), re.S)
    assert found is not None
    entries: dict[str, Any] = json.loads(found[1])
    return entries


def test_a_column_is_the_truth_of_all_parts_as_of_one_run(
    program: Any, samples: Path, table: Path, tmp_path: Path
) -> None:
    asked = ("batch", samples / "wine/model", table, "--steps", 5, "--block-size", 4)
    more = ("--truth", "kind", "--write", "csv")
    run = program(*asked, *more, "-o", tmp_path / "one")
    assert run.code == 0
    said = run.err.splitlines()
    assert said[-1] == (
        "9 of 10 right (90.00%); cultivar_1 read as cultivar_2: 1; 1 with a truth that is no "
        "class; 1 without a truth"
    )
    (odd,) = (line for line in said if "cultivar_9" in line)
    assert "the truth 'cultivar_9' is no class; did you mean 'cultivar_" in odd
    (loose,) = (line for line in said if "letter case" in line)
    assert re.search(r"'CULTIVAR-\d' is the class 'cultivar_\d'", loose)
    summary = json.loads((tmp_path / "one/summary.json").read_text())
    validate(summary, published_schema("summary"))
    assert summary["plan"]["settings"]["truth"] == {"column": "kind"}
    found = summary["truth"]
    assert (found["count"], found["correct"], found["accuracy"]) == (10, 9, 0.9)
    assert {"truth": "cultivar_1", "label": "cultivar_2", "count": 1} in found["confusion"]
    assert sum(it["count"] for it in found["confusion"]) == 10
    assert found["unmatched"] == [{"truth": "cultivar_9", "count": 1}] and found["without"] == 1
    with (tmp_path / "one/table.csv").open() as lines:
        truths = {int(row["instance"]): row["truth"] for row in csv.DictReader(lines)}
    assert [truths[it] for it in (3, 4, 5)] == ["", "", "cultivar_1"]
    result = (tmp_path / "one/explanation.results-00000-of-00001").read_text()
    assert "kind" not in result and "truth" not in result
    entries = entries_of(tmp_path / "one")
    assert entries["mistakes"] == ["cultivar_2"] and entries["mistake"].index(0) == 5
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    again = program("gallery", tmp_path / "copy")
    assert again.code == 0 and "the truth is not in the lines of results" in again.err
    assert "truths" not in entries_of(tmp_path / "copy")
    for part in (1, 2):
        done = program(*asked, *more, "-o", tmp_path / f"{part}", "--shard", f"{part}/2")
        assert done.code == 0
    merged = program("merge", tmp_path / "1", tmp_path / "2", "-o", tmp_path / "all")
    assert merged.err.splitlines()[-1] == said[-1]
    for name in ("index.html", "table.csv", "explanation.results-00000-of-00001"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert json.loads((tmp_path / "all/summary.json").read_text())["truth"] == found
    other = program(*asked, "--write", "csv", "-o", tmp_path / "one", "--truth", "folder")
    assert other.code == 2
    assert "(truth is folder, and was not set; truth.column is not set, and was kind; " in other.err


@pytest.mark.parametrize(
    "truth, sentence",
    [
        ("kint", "has no column 'kint', which was to be the truth; did you mean 'kind'?"),
        ("none.csv", "there is no file none.csv"),
    ],
)
def test_a_truth_that_is_not_there_is_named(
    program: Any, samples: Path, table: Path, tmp_path: Path, truth: str, sentence: str
) -> None:
    model = samples / "wine/model"
    run = program("batch", model, table, "-o", tmp_path / "out", "--truth", truth)
    assert run.code and sentence in run.err
    both = program("batch", model, table, "-o", tmp_path, "--truth", "id", "--id-column", "id")
    assert both.code == 2 and "'id' is the id; --truth names another column" in both.err


def test_folders_and_files_of_names_are_the_same_truth(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    """And the file of names, which lies among the inputs, is none of them."""
    source = tmp_path / "digits"
    truths = {"five": "five", "seven": "7", "two": "three"}
    for name, truth in truths.items():
        (source / truth).mkdir(parents=True)
        shutil.copy(samples / f"digits/images/{name}.png", source / truth)
    rows = "".join(f"{name}.png,{truth}\n" for name, truth in truths.items())
    (source / "truth.csv").write_text(f"name,label\n{rows}")
    asked = ("batch", samples / "digits/model", source, "--steps", 5, "-o")
    folders = program(*asked, tmp_path / "a", "--truth", "folder")
    named = program(*asked, tmp_path / "b", "--truth", source / "truth.csv")
    assert named.code == 0 and folders.code == 1  # there, the file is an input that fails
    last = "1 of 3 right (33.33%); five read as four: 1; three read as two: 1"
    assert folders.err.splitlines()[-1] == named.err.splitlines()[-1] == last
    indices = "numbers in the truth are indices of classes, from 0: '7' is the class 'seven'"
    assert indices in folders.err and indices in named.err
    both = [json.loads((tmp_path / it / "summary.json").read_text())["truth"] for it in "ab"]
    assert both[0] == both[1]
