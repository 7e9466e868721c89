"""Which file of a directory is the SavedModel, and what to say where there is none."""

from __future__ import annotations

from pathlib import Path

from pellucid.errors import ModelError, meant, refuse_remote
from pellucid.notices import Where

MODEL_NAMES = ("saved_model.pb", "saved_model.pbtxt")
AGAIN = "copy or export the model again"
"""What helps against damaged files."""


def model_file(directory: Path) -> Path:
    """Return the path of ``saved_model.pb`` or ``saved_model.pbtxt`` in `directory`.

    Raises `ModelError` that says what is there instead, and OSError.
    """
    refuse_remote(directory, ModelError)
    if not directory.exists():
        raise ModelError(
            "does not exist",
            where=Where(file=str(directory)),
            hint=f"{_near_name(directory)}give the directory that holds saved_model.pb",
        )
    if not directory.is_dir():
        raise ModelError(
            "is a file",
            where=Where(file=str(directory)),
            hint="give the directory that holds saved_model.pb, not a file",
        )
    for name in MODEL_NAMES:
        if (directory / name).is_file():
            return directory / name
    inner = [it.parent for it in directory.glob("*/saved_model.pb*")]
    inner = inner or [it.parent for it in directory.glob("*/*/saved_model.pb*")]
    if inner:
        # Of versions 1, 2, 10 the newest, as TensorFlow Serving does.
        best = max(inner, key=lambda it: (it.name.isdigit(), len(it.name), it.name))
        what = f"has no saved_model.pb, but {best} has one"
        raise ModelError(what, where=Where(file=str(directory)), hint="give that")
    raise ModelError(
        "has no saved_model.pb or saved_model.pbtxt, so it is not a SavedModel",
        where=Where(file=str(directory)),
        hint="export one with model.export(...) or tf.saved_model.save(...)",
    )


def _near_name(directory: Path) -> str:
    parent = directory.parent
    names = [it.name for it in parent.iterdir() if it.is_dir()] if parent.is_dir() else []
    near = meant(directory.name, names).removesuffix("?")
    return f"{near}; " if near else ""
