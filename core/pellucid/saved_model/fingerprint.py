"""Which model it was: a hash of what decides its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pellucid.saved_model.directory import model_file

CHUNK = 2**20


def fingerprint(directory: Path) -> str:
    """Return the SHA-256 of a SavedModel's graph, variables and assets, as hexadecimal digits.

    Of a checkpoint its index is read, which holds a checksum of every variable; the values
    themselves may be many gigabytes. Raises ModelError where there is no model, and OSError.
    """
    digest = hashlib.sha256()
    for path in _files(directory):
        digest.update(f"{path.relative_to(directory).as_posix()} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _files(directory: Path) -> Iterator[Path]:
    yield model_file(directory)
    variables = sorted(it for it in (directory / "variables").glob("*") if it.is_file())
    yield from [it for it in variables if it.suffix == ".index"] or variables
    yield from sorted(it for it in (directory / "assets").rglob("*") if it.is_file())
