"""A folder that batch wrote, read back: names, pictures, numbers and failures, in either layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gallery_run import picture
from pellucid.errors import SpecError
from pellucid.gallery.page import Entry
from pellucid.gallery.run_folder import read_entries


def line(instance: object, **more: Any) -> dict[str, Any]:
    label = {"label_name": "cat", "example_score": 0.5, "approx_error": 0.01, "attributions": {}}
    return {"instance": instance, "explanation": {"attributions_by_label": [label]}, **more}


def write(folder: Path, *shards: list[dict[str, Any]], errors: list[dict[str, Any]] = []) -> None:  # noqa: B006
    folder.mkdir(exist_ok=True)
    files = {
        f"explanation.results-{number:05}-of-{len(shards):05}": rows
        for number, rows in enumerate(shards)
    }
    for name, rows in {**files, "errors.jsonl": errors}.items():
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_picture_is_found_by_the_place_of_its_input(tmp_path: Path) -> None:
    names = ["root/in/x.png", "root/in/sub/x.png", "root/in/sub/y.jpg"]
    write(tmp_path, [line(name) for name in names])
    picture(tmp_path / "overlays" / "x.png.png", 0)
    picture(tmp_path / "overlays" / "sub" / "x.png.png", 1)
    picture(tmp_path / "overlays" / "sub" / "y.jpg.jpg", 2)
    picture(tmp_path / "thumbnails" / "sub" / "y.jpg.jpg", 2)
    picture(tmp_path / "originals" / "x.png.jpg", 2)
    found = list(read_entries(tmp_path))
    assert [entry.name for entry in found] == names
    assert [entry.overlay for entry in found] == [
        "overlays/x.png.png", "overlays/sub/x.png.png", "overlays/sub/y.jpg.jpg",
    ]  # fmt: skip
    assert [entry.thumbnail for entry in found] == [None, None, "thumbnails/sub/y.jpg.jpg"]
    assert [entry.original for entry in found] == ["originals/x.png.jpg", None, None]


def test_the_input_itself_is_the_original_while_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "in" / "a #1.png", 0)
    write(tmp_path / "out", [line("in/a #1.png"), line("in/gone.png")])
    assert [e.original for e in read_entries(Path("out"))] == ["../in/a #1.png", None]


@pytest.mark.parametrize(
    "explanation",
    [
        {
            "attributions_by_label": [
                {"label_name": "cat", "example_score": 0.75, "approx_error": 0.125}
            ]
        },
        {
            "attributions": [
                {
                    "outputDisplayName": "cat",
                    "instanceOutputValue": 0.75,
                    "approximationError": 0.125,
                }
            ]
        },
    ],
)
def test_both_services_forms_are_read(tmp_path: Path, explanation: dict[str, Any]) -> None:
    row = {"instance": {"x": 1}, "prediction": [0.75], "explanation": explanation}
    write(tmp_path, [row])
    assert list(read_entries(tmp_path)) == [
        Entry(name="instance 1", label="cat", score=0.75, approx_error=0.125, row=row)
    ]


def test_a_line_without_a_label_a_number_or_an_explanation_is_no_fault(tmp_path: Path) -> None:
    write(tmp_path, [{"instance": [1], "explanation": {"attributions": [{}]}}, {}])
    assert [(e.label, e.score, e.approx_error) for e in read_entries(tmp_path)] == [(None,) * 3] * 2


def test_failures_come_last_with_their_reason(tmp_path: Path) -> None:
    failed = {"input": "in/b.png", "error": "in/b.png: is empty"}
    write(tmp_path, [line("in/a.png")], errors=[failed])
    assert list(read_entries(tmp_path))[1] == Entry(
        name="in/b.png", row=failed, error="in/b.png: is empty"
    )


def test_shards_follow_each_other(tmp_path: Path) -> None:
    write(tmp_path, [line("a.png"), line("b.png")], [line("c.png")])
    (tmp_path / ".explanation.results-00000-of-00002.partial").write_text("{")
    assert [entry.name for entry in read_entries(tmp_path)] == ["a.png", "b.png", "c.png"]


def test_the_instances_of_a_file_have_their_pictures_in_order(tmp_path: Path) -> None:
    write(tmp_path, [line([number]) for number in range(11)])
    for number in range(11):
        picture(tmp_path / "overlays" / f"r.jsonl.{number}.png", number)
    found = list(read_entries(tmp_path))
    assert [e.overlay for e in found] == [f"overlays/r.jsonl.{n}.png" for n in range(11)]
    assert found[10].name == "r.jsonl.10"


def test_a_line_says_which_overlays_are_its_own(tmp_path: Path) -> None:
    """Wherever they lie: the places of the inputs would say otherwise, or nothing."""
    named = ["overlays/b.png.png", "overlays/deep/r.jsonl.7.x.jpg", "overlays/a.png.png"]
    instances = ["in/a.png", [1.0], {"x": [2.0]}]
    rows = [
        line(instance, overlays={"x": overlay, "y": "overlays/y.png"})
        for instance, overlay in zip(instances, named, strict=True)
    ]
    write(tmp_path, rows)
    for number, overlay in enumerate(named):
        picture(tmp_path / overlay, number)
    picture(tmp_path / "thumbnails/deep/r.jsonl.7.x.jpg", 1)
    picture(tmp_path / "originals/b.png.jpg", 1)
    found = list(read_entries(tmp_path))
    assert [entry.overlay for entry in found] == named
    assert found[1].thumbnail == "thumbnails/deep/r.jsonl.7.x.jpg"
    assert found[0].original == "originals/b.png.jpg"
    assert [entry.name for entry in found] == ["in/a.png", "deep/r.jsonl.7.x", "a.png"]


def test_an_overlay_that_is_gone_or_outside_is_none(tmp_path: Path) -> None:
    picture(tmp_path / "overlays/a.png.png", 0)
    picture(tmp_path / "elsewhere.png", 0)
    named: list[object] = ["overlays/gone.png", "overlays/../elsewhere.png", "elsewhere.png", 5]
    rows = [line("in/a.png", overlays={"x": name}) for name in named]
    write(tmp_path, [*rows, line("in/a.png", overlays="overlays/a.png.png")])
    assert [entry.overlay for entry in read_entries(tmp_path)] == [None] * 5


def test_rather_no_picture_than_a_wrong_one(tmp_path: Path) -> None:
    write(tmp_path, [line([0]), line([1])])
    picture(tmp_path / "overlays" / "r.jsonl.1.png", 0)
    assert [entry.overlay for entry in read_entries(tmp_path)] == [None, None]


def test_text_is_its_own_name_and_base64_is_not(tmp_path: Path) -> None:
    rows = [
        "Version 2.0 is out.",
        "QUJD" * 100,
        {"b64": "QUJD"},
        {"text": "Two words"},
        {"x": 1, "t": "a b"},
    ]
    write(tmp_path, [line(row) for row in rows])
    assert [entry.name for entry in read_entries(tmp_path)] == [
        "Version 2.0 is out.", "instance 2", "instance 3", "Two words", "instance 5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, sentence",
    [
        ('{"instance": ', "explanation.results-00000-of-00001:2: is not JSON: "),
        ("[1]", "explanation.results-00000-of-00001:2: is no JSON object, as each line must be"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    write(tmp_path, [line("a.png")])
    with (tmp_path / "explanation.results-00000-of-00001").open("a") as file:
        file.write(text + "\n")
    with pytest.raises(SpecError) as refused:
        list(read_entries(tmp_path))
    assert str(refused.value).startswith(f"{tmp_path}/{sentence}")


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        read_entries(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path}: holds no explanation.results-… file; name a folder that batch wrote"
    )
