"""Makes the modules of this directory importable by name, and keeps its tests off the disk."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no disk: hundreds of runs sync thousands of files, which nobody reads."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of two tables and a file of which one line is bad."""
    from made import table

    table(tmp_path / "in/a.csv", 5)
    table(tmp_path / "in/b/c.csv", 6, first=5)
    (tmp_path / "in/b/broken.jsonl").write_text('[1, 2, 3]\n[1, "2", 3]\n[4, 5, 6]\n')
    return tmp_path / "in"
