"""Files of examples: each instance with an id, by which it is named as a neighbour."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.errors import InstanceError, refuse_remote
from pellucid.inputs import (
    ID,
    IMAGE_SUFFIXES,
    PARQUET,
    SEPARATED,
    Beside,
    InputInfo,
    Instance,
    OnError,
    read_file,
)
from pellucid.notices import Warn, Where
from pellucid.printable import encodable, printable

SUFFIXES = IMAGE_SUFFIXES | {".json", ".jsonl", ".ndjson", *SEPARATED, PARQUET}
EXTRAS = (ID, "restricts", "crowding_tag")
"""What may stand beside the inputs of an example, and of an instance that is compared with them."""


def read_examples(
    paths: Sequence[Path],
    inputs: Sequence[InputInfo],
    *,
    on_error: OnError | None = None,
    warn: Warn | None = None,
    beside: Beside = Beside(),
) -> Iterator[tuple[str, Instance]]:
    """Yield the examples in files and folders, with their ids.

    An id is what the example gives as ``id``, or as `beside` says; else the path of a picture
    within its folder, or the line (of several files: the file and the line). Raises
    `InstanceError`; what is wrong with one example is passed on instead.
    """
    for path in paths:
        refuse_remote(path, InstanceError)
        if not path.exists():
            raise InstanceError("no such file or directory", where=Where(file=str(path)))
    beside = replace(beside, kept=(*beside.kept, *EXTRAS))
    several = len(paths) > 1 or any(path.is_dir() for path in paths)
    for path in paths:
        for file in _files(path):
            within = file.relative_to(path) if path.is_dir() else Path(file.name)
            found = _read(file, inputs, on_error=on_error, warn=warn, beside=beside)
            while True:
                try:
                    instance = next(found)
                    name = id_of(instance, printable(within.as_posix()), several=several)
                    check_restricts(instance)
                except StopIteration:
                    break
                except InstanceError as error:
                    if on_error is None:
                        raise
                    on_error(error)
                else:
                    yield name, instance


def id_of(instance: Instance, file: str, *, several: bool) -> str:
    """Return what an instance of a file is called."""
    given = instance.extras.get(ID)
    if given is None and instance.image is not None:
        return file
    if given is None:
        line = instance.extras.get("line", instance.index)
        return f"{file}:{line}" if several else str(line)
    if isinstance(given, bool) or not isinstance(given, str | int | float) or given == "":
        raise InstanceError("'id' must be text or a number", where=instance.where)
    return encodable(str(given))


def check_restricts(instance: Instance) -> None:
    """Raise InstanceError unless the restricts of an example are as the service has them."""
    written = instance.extras.get("restricts") or []
    objects = isinstance(written, list) and all(
        isinstance(it, dict)
        and all(isinstance(it.get(key, []), list) for key in ("allow", "deny"))
        and isinstance(it.get("namespace", it.get("namespaceName")), str)
        for it in written
    )
    if not objects:
        raise InstanceError(
            "'restricts' must be a list of objects, "
            '{"namespace": "…", "allow": ["…"], "deny": ["…"]}',
            where=instance.where,
        )


def _read(file: Path, inputs: Sequence[InputInfo], **options: Any) -> Iterator[Instance]:
    """Yield what is in a file; it is opened, and may be refused, when the first is asked for."""
    yield from read_file(file, inputs, **options)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = False
    for directory, directories, files in os.walk(path):
        directories.sort()
        for name in sorted(files):
            if name[0] != "." and Path(name).suffix.lower() in SUFFIXES:
                found = True
                yield Path(directory, name)
    if not found:
        raise InstanceError(
            "holds no example",
            where=Where(file=str(path)),
            hint="examples are pictures, .json, .jsonl and .csv files",
        )
