"""Compressed files that hold far more than they say."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pellucid.errors import InstanceError
from pellucid.inputs import files


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_UNPACKED", 1000)


def packed(path: Path, data: bytes) -> Path:
    with gzip.open(path, "wb") as file:
        file.write(data)
    return path


def test_a_file_that_is_read_whole_has_an_end(tmp_path: Path) -> None:
    assert files.read_bytes(packed(tmp_path / "a.json.gz", b" " * 1000)) == b" " * 1000
    with pytest.raises(InstanceError, match="once it is decompressed"):
        files.read_bytes(packed(tmp_path / "b.json.gz", b" " * 1001))


def test_a_line_has_an_end_and_a_file_of_lines_need_not_have_one(tmp_path: Path) -> None:
    rows = packed(tmp_path / "a.csv.gz", b"1,2\n" * 1000)
    assert sum(1 for _ in files.lines_of(rows, "a")) == 1000
    with pytest.raises(InstanceError, match="a:2: has more than"):
        list(files.lines_of(packed(tmp_path / "b.csv.gz", b"1\n" + b"2" * 1001), "a"))


def test_what_is_not_compressed_is_as_long_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b" " * 5000)
    assert len(files.read_bytes(path)) == 5000
