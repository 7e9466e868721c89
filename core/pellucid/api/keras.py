"""What `load` is given: a SavedModel directory, a file of Keras, or a Keras model in memory.

The first two may lie elsewhere: then they are copied here, once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.errors import ModelError
from pellucid.files import open_file
from pellucid.notices import Notice, Warn, Where
from pellucid.saved_model import brought

_KERAS = (b"PK\x03\x04", b"\x89HDF\r\n\x1a\n")
_TFLITE = b"TFL3"


def saved_directory(model: Any, say: Warn, *, allow_code: bool, note: Warn | None = None) -> Path:
    """Return the SavedModel directory of what is to be explained, exported if it has to be.

    `say` is told where an export lies, `note` where the copy of a model from elsewhere. Raises
    ModelError and UnsafeModelError.
    """
    if not isinstance(model, str | Path):
        if not callable(getattr(model, "export", None)):
            raise ModelError(
                f"a {type(model).__name__} is no model",
                hint="give the path of a SavedModel directory, of a .keras or .h5 file, or a Keras "
                "model",
            )
        from pellucid.runtime import exported_model

        return exported_model(model)
    path = brought(model, note or say)
    if not path.is_file():
        return path
    with open_file(path) as file:
        head = file.read(8)
    if head[4:] == _TFLITE:
        raise ModelError(
            "is a TensorFlow Lite model, which keeps neither gradients nor the names of inputs",
            where=Where(file=str(path)),
            hint="give the SavedModel or the Keras model that it was converted from",
        )
    if not head.startswith(_KERAS):
        return path  # of which the reader says that it is no directory
    from pellucid.runtime import exported_file

    directory, cached = exported_file(path, allow_code=allow_code)
    what = f"exported by Keras to {directory}{', earlier' if cached else ''}"
    say(Notice(what, Where(file=str(path))))
    return directory
