"""Which models and metadata files a command line names: paths, folders of models, globs, lists."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from pellucid.errors import ModelError, did_you_mean
from pellucid.files import read_bytes
from pellucid.metadata import METADATA_FILE
from pellucid.remote import address_of, file_copy, place_of
from pellucid.saved_model import MODEL_NAMES, brought
from pellucid_cli.streams import read_stdin, say

_MARKS = (METADATA_FILE, *MODEL_NAMES)


def chosen(arguments: Iterable[str], files_from: str | None, *, null: bool) -> list[Path]:
    """Return what to check, each model once: models, metadata files, and models below directories.

    A model directory holds saved_model.pb or metadata; any other directory stands for the models
    below it. Raises a usage error for a path that does not exist and a glob that matches nothing.
    """
    listed = [*arguments, *(_read_list(files_from, null=null) if files_from else ())]
    if not listed and files_from is None:
        raise click.UsageError("name a model directory, a metadata file, or --files-from")
    found: dict[str, Path] = {}
    for word in listed:
        for path in _expand(word):
            # A hook names the model and its metadata, which are one thing to check.
            whole = path.parent if path.name in _MARKS and not path.is_dir() else path
            found.setdefault(os.path.realpath(whole), path)
    return list(found.values())


def _read_list(source: str, *, null: bool) -> list[str]:
    if source == "-":
        data = read_stdin()
    else:
        try:
            data = read_bytes(source)
        except OSError as error:
            message = f"--files-from: {source}: cannot be read: {error.strerror or error}"
            raise click.UsageError(message) from error
    words = data.split(b"\0") if null else data.splitlines()
    return [os.fsdecode(word) for word in words if word.strip()]


def _expand(word: str) -> Iterator[Path]:
    address = address_of(word)
    if address is not None:
        yield _copy(address)
        return
    path = Path(word)
    if path.is_dir():
        # A directory without any model is checked itself, which says what is missing.
        yield from [path] if _holds(os.listdir(path), _MARKS) else list(_below(path)) or [path]
    elif path.exists() or not glob.has_magic(word):
        if not path.exists():
            raise click.UsageError(f"path '{word}' does not exist{_near(path)}")
        yield path
    else:
        matches = [Path(match) for match in sorted(glob.glob(word, recursive=True))]
        models = [it for path in matches for it in _match(path)]
        if not models:
            raise click.UsageError(f"the pattern '{word}' matches no model and no metadata")
        yield from models


def _copy(address: str) -> Path:
    """Return the copy of a model, or of a metadata file, that lies elsewhere, and say where it is.

    That of a metadata file alone has no model beside it.
    """
    if address.lower().endswith(".json"):
        path = file_copy(address, ModelError)
    else:
        path = brought(address, lambda message: None)
    say(f"{place_of(address)}: is checked as its copy, {path}")
    return path


def _near(path: Path) -> str:
    there = [it.name for it in path.parent.iterdir()] if path.parent.is_dir() else []
    return did_you_mean(path.name, there)


def _match(path: Path) -> Iterable[Path]:
    """Yield what a match of a pattern stands for; ``models/**`` matches variables, too."""
    if path.is_dir():
        return _below(path)
    return [path] if path.name in _MARKS or path.suffix == ".json" else []


def _below(top: Path) -> Iterator[Path]:
    """Yield the models at and below a directory, and metadata that lie there without a model."""
    for folder, folders, files in os.walk(top):
        # Hidden directories hold copies: version control, environments, caches.
        folders[:] = sorted(it for it in folders if not it.startswith("."))
        if _holds(files, MODEL_NAMES):
            folders.clear()
            yield Path(folder)
        elif METADATA_FILE in files:
            yield Path(folder, METADATA_FILE)


def _holds(names: Iterable[str], wanted: Iterable[str]) -> bool:
    return not set(names).isdisjoint(wanted)
