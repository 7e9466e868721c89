"""Which file of a directory is the SavedModel, and what to say where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from pellucid.errors import ModelError, UnsafeModelError, meant, refuse_remote
from pellucid.metadata import METADATA_FILE
from pellucid.notices import Hint, Notice, Warn, Where
from pellucid.remote import (
    address_of,
    file_copy,
    files_of,
    find,
    folder_copy,
    name_in,
    shown_address,
)

Stamp: TypeAlias = tuple[tuple[str, int, int], ...]
"""Files by their names, with their sizes and times, or, elsewhere, versions."""
MODEL_NAMES = ("saved_model.pb", "saved_model.pbtxt")
LABEL_FILES = (
    *("labels.txt", "class_names.txt", "classes.txt", "labels.json", "class_names.json"),
    *("classes.json", "imagenet_class_index.json"),
)
"""What a file of class names is usually called, in the model's directory and among its assets."""
# What is read of a model without being named.
_BESIDE = (METADATA_FILE, "fingerprint.pb", "examples.npz", *LABEL_FILES)
_FOLDERS = ("variables", "assets", "assets.extra", "debug")
AGAIN = "copy or export the model again"
"""What helps against damaged files."""


def brought(model: str | Path, say: Warn) -> Path:
    """Return a model that is on this machine: of an address, its copy, made now if need be.

    `say` is told where that lies. Raises ModelError, and DependencyError for a store whose package
    is missing.
    """
    address = address_of(model, ModelError)
    if address is None:
        return Path(model)
    if address_of_folder(model) is None:
        return file_copy(address, ModelError)
    copy, there = folder_copy(address, MODEL_NAMES, _FOLDERS, ModelError)
    if not there:
        say(Notice(f"copied to {copy}", Where(file=shown_address(address))))
    return copy


def stamp_of_address(address: str) -> Stamp:
    """Return what changes whenever a file of a model elsewhere is written.

    Raises ModelError where there is no model, and where that cannot be known.
    """
    if address_of_folder(address) is not None:
        files = files_of(address, MODEL_NAMES, _FOLDERS, ModelError)
        return tuple((name, it.size, it.version) for name, it in files)
    found = find(address, ModelError)
    if found is None:
        raise ModelError("there is no such object", where=Where(file=shown_address(address)))
    return ((name_in(address), found.size, found.version),)


def address_of_folder(model: str | Path) -> str | None:
    """Return the address of a SavedModel elsewhere, None for a file there, and for what is here."""
    address = address_of(model, ModelError)
    is_file = name_in(address).lower().endswith((".keras", ".h5")) if address else True
    return None if is_file else address


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


def refuse_strays(directory: Path) -> None:
    """Raise UnsafeModelError where a file of a model, its links followed, lies elsewhere.

    The directory itself may be a link, and so may what is in it, as long as it leads nowhere else.
    """
    for error in strays(directory):
        raise error


def strays(directory: Path) -> Iterator[UnsafeModelError]:
    """Yield an error for each link among a model's files that leads out of its directory."""
    home = directory.resolve()
    waiting = [directory / name for name in (*MODEL_NAMES, *_BESIDE, *_FOLDERS)]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop(0)
        try:
            target = path.resolve()
        except (OSError, RuntimeError):  # a link to itself, which nobody can read
            continue
        if not target.is_relative_to(home):
            yield UnsafeModelError(
                "leads out of the model's directory, and loading would read what is there",
                where=Where(file=str(path)),
                hint=Hint(
                    "put the file there, or, if you trust the model, add {allow_unsafe_ops:True}"
                ),
            )
        elif target not in seen and target.is_dir():
            seen.add(target)
            waiting += (path / name for name in sorted(os.listdir(target)))


def _near_name(directory: Path) -> str:
    parent = directory.parent
    names = [it.name for it in parent.iterdir() if it.is_dir()] if parent.is_dir() else []
    near = meant(directory.name, names).removesuffix("?")
    return f"{near}; " if near else ""
