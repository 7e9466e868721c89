"""A report in a folder: a page, ``evaluation.json``, ``curves.npz`` and ``maps.npz``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pellucid.errors import OutputError, refuse_remote
from pellucid.evaluate.page import page_of
from pellucid.evaluate.result import Evaluation, packed
from pellucid.files import create, make_folder, put_in_place, remove
from pellucid.notices import Where

EVALUATION, CURVES, MAPS = "evaluation.json", "curves.npz", "maps.npz"
PAGE = "index.html"


def write_report(found: Evaluation, folder: Path) -> None:
    """Write a report, each file whole; ``evaluation.json``, which names the others, comes last.

    Raises OutputError.
    """
    files = {
        CURVES: packed(found.arrays()),
        MAPS: packed(found.maps()),
        PAGE: page_of(found),
        EVALUATION: found.json() + b"\n",
    }
    write_files(files, folder)


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into a folder, each whole, in their order. Raises OutputError."""
    refuse_remote(folder, OutputError)
    try:
        make_folder(folder)
        for name, data in files.items():
            aside = folder / f"{name}.partial"
            try:
                with create(aside) as file:
                    file.write(data)
                put_in_place(aside, folder / name)
            finally:
                remove(aside)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise OutputError(what, where=Where(file=str(folder))) from error
