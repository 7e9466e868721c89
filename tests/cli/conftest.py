"""What the tests of the commands share: a model, a picture, and a model to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def digits(samples: Path) -> Path:
    return samples / "digits" / "model"


@pytest.fixture
def seven(samples: Path) -> Path:
    return samples / "digits" / "images" / "seven.png"


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """``copy_of(model)`` is a copy that a test may spoil."""

    def copy(model: Path) -> Path:
        return Path(shutil.copytree(model, tmp_path / "model"))

    return copy
