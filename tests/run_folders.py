"""What a run of ``pellucid batch`` left behind, to be compared with what another did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder, timings aside: see `untimed`."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return untimed({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})


def untimed(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file, and the summary without the time that it took.

    Of two runs that differ, pytest then names the files; to compare their bytes letter by letter
    took it a quarter of an hour.
    """
    summary = json.loads(files["summary.json"])
    assert summary.pop("timing")["seconds"] > 0
    left = {**files, "summary.json": json.dumps(summary).encode()}
    return {name: sha256(data).hexdigest() for name, data in sorted(left.items())}
