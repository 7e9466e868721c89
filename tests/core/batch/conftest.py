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
