"""Which files are explained: all that are inputs, once each, in an order that never changes."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import VECTOR, table

from pellucid.batch.items import Item, decode, items_of
from pellucid.errors import InstanceError
from pellucid.files import fitting, name_of, shown
from pellucid.inputs import Instance
from pellucid.inputs.found import Inputs, names_in, root_of
from pellucid.printable import printable


def decoded(item: Item) -> Instance:
    (found,) = decode([item], VECTOR)
    if isinstance(found, InstanceError):
        raise found
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b/2.png", "b/10.png", "a.jpg", "c.csv", "b/.hidden/x.png", ".x.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1,2,3\n")
    return tmp_path


def paths(root: Path, *named: str, **options: Any) -> list[str]:
    found = Inputs(named=[str(root / name) for name in named], **options)
    return [os.path.relpath(it.path, root) for it in found]


def test_a_directory_is_walked_in_the_order_of_names(tree: Path) -> None:
    assert paths(tree, "") == ["a.jpg", "b/10.png", "b/2.png", "c.csv"]


def test_a_file_is_explained_once_however_often_it_is_named(tree: Path) -> None:
    assert paths(tree, "b", "b/2.png", "*.jpg", "") == ["b/10.png", "b/2.png", "a.jpg", "c.csv"]
    listed = (str(tree / name) for name in ("a.jpg", "notes.txt", "a.jpg"))
    assert paths(tree, "a.jpg", listed=listed) == ["a.jpg", "notes.txt"]


def test_patterns_are_sorted_and_reach_into_directories(tree: Path) -> None:
    assert paths(tree, "**/*.png") == ["b/10.png", "b/2.png"]
    assert paths(tree, "[bc]*") == ["b/10.png", "b/2.png", "c.csv"]


def test_what_leads_to_nothing_is_said_to(tree: Path) -> None:
    (tree / "empty").mkdir()
    for name, reason in (
        ("gone", "no such file or directory"),
        ("*.bmp", "matches no file"),
        (
            "empty",
            "holds no input; inputs are pictures, and .json, .jsonl, .csv, .tsv, .parquet, .tfrecord and .npy files",
        ),
    ):
        with pytest.raises(InstanceError, match=f"{re.escape(str(tree / name))}: {reason}"):
            Inputs(named=[str(tree / name)]).check()


def test_links_to_files_are_followed_and_links_to_directories_are_not(tree: Path) -> None:
    (tree / "b/round").symlink_to(tree)
    (tree / "b/link.png").symlink_to(tree / "a.jpg")
    assert paths(tree, "b") == ["b/10.png", "b/2.png", "b/link.png"]


def test_the_folder_that_is_written_is_not_read(tree: Path) -> None:
    assert paths(tree, "", avoided=os.path.realpath(tree / "b")) == ["a.jpg", "c.csv"]


def test_what_an_earlier_run_wrote_is_no_input_and_is_named(tree: Path) -> None:
    for root in ("b", "b/run"):
        for name in (
            "summary.json", "explanation.results-00000-of-00001", "overlays/2.png.png", "index.html",
        ):  # fmt: skip
            path = tree / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
    found = Inputs(named=[str(tree)])
    assert [os.path.relpath(it.path, tree) for it in found] == ["a.jpg", "c.csv"]
    assert found.left_out == [str(tree / "b")]
    # Of a folder that is named, what else is in it are inputs.
    assert paths(tree, "b") == ["b/10.png", "b/2.png"]
    (tree / "b/summary.json").unlink()
    assert "b/overlays/2.png.png" in paths(tree, "")  # which nobody says a run wrote


def test_a_pattern_does_not_find_what_is_written(tree: Path) -> None:
    (tree / "b/out/overlays").mkdir(parents=True)
    (tree / "b/out/overlays/2.png").write_bytes(b"")
    avoided = {"avoided": os.path.realpath(tree / "b/out")}
    assert paths(tree, "**/*.png", **avoided) == ["b/10.png", "b/2.png"]
    assert paths(tree, "b/*", **avoided) == ["b/10.png", "b/2.png"]
    assert paths(tree, "b/out/*/*.png", **avoided) == ["b/out/overlays/2.png"]


def test_a_pipe_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "b/pipe.png")
    (pipe,) = (it for it in Inputs(named=[str(tree / "b")]) if it.path.endswith("pipe.png"))
    (item,) = items_of(pipe, str(tree), VECTOR)
    with pytest.raises(InstanceError, match="is a pipe, a socket or a device, not a file"):
        decoded(item)


def test_a_directory_that_cannot_be_read_is_one_failure(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def denied(path: str) -> Any:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    found = {Path(it.path).name: it.problem for it in Inputs(named=[str(tree)])}
    assert found == {"a.jpg": None, "b": "cannot be read (Permission denied)", "c.csv": None}


def test_places_are_below_the_deepest_directory_that_holds_everything(tree: Path) -> None:
    assert root_of([str(tree / "b")], ()) == str(tree / "b")
    assert root_of([str(tree / "b"), str(tree / "a.jpg")], ()) == str(tree)
    assert root_of([str(tree / "b/*.png")], ()) == str(tree / "b")
    assert root_of([], [str(tree / "b/2.png")]) == str(tree / "b")


def test_names_come_one_a_line_or_ended_by_nul() -> None:
    assert list(names_in(io.BytesIO(b"a\nb c\r\n\nd"), null=False)) == ["a", "b c", "d"]
    assert list(names_in(io.BytesIO(b"a\nb\0\xff\0c"), null=True)) == ["a\nb", "\udcff", "c"]


@given(st.binary(max_size=40).filter(lambda name: b"/" not in name))
def test_a_name_is_printable_and_can_be_turned_back(name: bytes) -> None:
    text = shown(os.fsdecode(name))
    assert "\n" not in text and text.encode().decode() == text
    assert os.fsencode(name_of(text)) == name


def test_names_as_people_read_them() -> None:
    assert shown("caf\u00e9 1.png") == "caf\u00e9 1.png"
    assert shown(os.fsdecode(b"a\nb\xff\x1b[2J.png")) == r"a\nb\xff\x1b[2J.png"
    assert printable("a\\b\n\udcff") == r"a\b\n\xff"


def test_a_long_name_leaves_room_for_suffixes_and_stays_its_own() -> None:
    long = ["ä" * 120 + end for end in ("1", "2")]
    cut = [fitting(name) for name in long]
    assert all(len(name.encode()) <= 200 for name in cut) and cut[0] != cut[1]
    assert fitting("short.png") == "short.png"


def test_rows_that_fail_do_not_shift_the_others(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf[1, 2, 3]\n\n[1, "\xff"]\nnothing\n[4, 5, 6]')
    (given_,) = Inputs(named=[str(path)])
    items = list(items_of(given_, str(tmp_path), VECTOR, number=7))
    assert [(it.number, it.index, it.line) for it in items] == [
        (7, 0, 1), (8, 1, 3), (9, 2, 4), (10, 3, 5)
    ]  # fmt: skip
    assert decoded(items[3]).index == 10
    for item in items[1:3]:
        with pytest.raises(InstanceError) as caught:
            decoded(item)
        assert str(caught.value).startswith(item.name) and caught.value.index == item.index


def test_a_table_that_breaks_off_fails_where_it_does(tmp_path: Path) -> None:
    path = table(tmp_path / "rows.csv", 3)
    path.write_text(path.read_text() + '1,"2,3\n4,5,6\n')
    (given_,) = Inputs(named=[str(path)])
    items = list(items_of(given_, str(tmp_path), VECTOR))
    assert [it.kind for it in items] == ["row", "row", "row", "failed"]
    with pytest.raises(InstanceError, match=f"{path}:6: not CSV: unexpected end of data"):
        decoded(items[-1])


def test_an_empty_file_of_rows_is_one_failure(tmp_path: Path) -> None:
    for name in ("a.csv", "b.jsonl", "c.json"):
        (tmp_path / name).write_text("\n")
        (given_,) = Inputs(named=[str(tmp_path / name)])
        (item,) = items_of(given_, str(tmp_path), VECTOR)
        assert item.kind == "failed" and item.content.where.file == str(tmp_path / name)
