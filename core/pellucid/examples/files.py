"""Files of examples: each instance with an id, by which it is named as a neighbour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.errors import InstanceError
from pellucid.inputs import (
    ID,
    Beside,
    InputInfo,
    Instance,
    OnError,
    read_file,
    takes_texts,
)
from pellucid.inputs.found import Inputs, place_below
from pellucid.notices import Warn, Where
from pellucid.printable import encodable, printable
from pellucid.remote import address_of, is_folder

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
    within its folder, or the line or place (of several files: the file and that). A path may be an
    address. Raises `InstanceError`; what is wrong with one example is passed on instead.
    """
    for path in paths:
        _check(path)
    beside = replace(beside, kept=(*beside.kept, *EXTRAS))
    several = len(paths) > 1 or any(map(is_folder, paths))
    for path in paths:
        for file, within in _files(path, warn, texts=takes_texts(inputs)):
            found = _read(file, inputs, on_error=on_error, warn=warn, beside=beside)
            while True:
                try:
                    instance = next(found)
                    name = id_of(instance, printable(within), several=several)
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


def _check(path: Path) -> None:
    """Raise InstanceError for a path or an address that leads to nothing."""
    if address_of(path, InstanceError) is not None:
        Inputs(named=[str(path)]).check()
    elif not Path(path).exists():
        raise InstanceError("no such file or directory", where=Where(file=str(path)))


def _read(file: Path, inputs: Sequence[InputInfo], **options: Any) -> Iterator[Instance]:
    """Yield what is in a file; it is opened, and may be refused, when the first is asked for."""
    yield from read_file(file, inputs, **options)


def _files(path: Path, warn: Warn | None, *, texts: bool) -> Iterator[tuple[Path, str]]:
    """Yield the files that a path leads to, each with its path in the folder that was named."""
    address = address_of(path, InstanceError)
    if address is None and not path.is_dir():
        yield path, path.name
        return
    found = Inputs(named=[address or str(path)], texts=texts)
    for it in found:
        file = Path(it.path)
        within = file.relative_to(path).as_posix() if address is None else None
        yield file, within or place_below(it.path, str(address))
    if warn is not None and found.notice is not None:
        warn(found.notice)
