"""Which model it was: a hash of what decides its answers, and what tells that it may have changed.

A fingerprint is of the content, and the same wherever the model lies. A stamp is of the files as
they lie there, costs next to nothing, and says when a fingerprint is worth taking again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pellucid.files import open_file
from pellucid.saved_model.directory import MODEL_NAMES, Stamp, model_file

CHUNK = 2**20


def fingerprint(directory: Path) -> str:
    """Return the SHA-256 of a SavedModel's graph, variables and assets, as hexadecimal digits.

    Of a checkpoint its index is read, which holds a checksum of every variable; the values
    themselves may be many gigabytes. Raises ModelError where there is no model, and OSError.
    """
    digest = hashlib.sha256()
    variables = _files(directory, "variables/*")
    read = [it for it in variables if it.suffix == ".index"] or variables
    for path in (model_file(directory), *read, *_files(directory, "assets/**/*")):
        digest.update(f"{path.relative_to(directory).as_posix()} {path.stat().st_size}\n".encode())
        with open_file(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def stamp(directory: Path, *extras: str) -> Stamp:
    """Return what changes whenever a file of a SavedModel is written, and () while one vanishes.

    `extras` are files of the directory that count, too, where they are there. A checkpoint's values
    count by their own files: an index that is the same may have been there before they were whole.
    """
    found = [directory / name for name in (*MODEL_NAMES, *extras) if (directory / name).is_file()]
    try:
        found += [*_files(directory, "variables/*"), *_files(directory, "assets/**/*")]
        states = [(path.relative_to(directory).as_posix(), path.stat()) for path in found]
    except OSError:
        return ()
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


def _files(directory: Path, pattern: str) -> list[Path]:
    return sorted(it for it in directory.glob(pattern) if it.is_file())
