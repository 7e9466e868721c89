"""What the engines are tried on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made import table

from clusters import local_cluster

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    table(tmp_path / "in/a.csv", 30)
    table(tmp_path / "in/b.csv", 33, first=30)
    (tmp_path / "in/c.jsonl").write_text("[1, 2, 3]\nnothing\n[4, 5, 6]\n")
    return tmp_path / "in"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler with two workers on this machine."""
    with local_cluster(2) as found:
        yield found
