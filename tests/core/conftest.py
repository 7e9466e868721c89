"""The models of `zoo`, each built once in a session."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, object]]:
    """``built(name)`` returns the model's directory and its `zoo.Sample`."""
    from zoo import ZOO, build

    done: dict[str, tuple[Path, object]] = {}

    def get(name: str) -> tuple[Path, object]:
        if name not in done:
            directory = tmp_path_factory.mktemp(name) / "model"
            directory.mkdir()
            done[name] = directory, build(ZOO[name], directory)
        return done[name]

    return get
