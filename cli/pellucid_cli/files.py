"""Files as the commands write and read them: never half-written, never overwritten unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.errors import InstanceError, OutputError, refuse_remote
from pellucid.files import put_in_place
from pellucid.notices import Where
from pellucid.remote import address_of, find, place_of, put, refuse_web
from pellucid_cli.streams import read_stdin

if TYPE_CHECKING:
    from pellucid import LoadedModel
    from pellucid.inputs import Instance
    from pellucid.notices import Warn
    from pellucid_cli.options.given import Given


def write(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file aside and rename it into place; a pipe or a device is written to as it is.

    An object elsewhere appears as a whole, too.

    Raises OutputError if it exists and `force` is false, or if it cannot be written.
    """
    check_free(path, force=force)
    address = address_of(path, OutputError)
    if address is not None:
        put(address, data, OutputError)
        return
    temporary = None
    try:
        if _is_pipe(path):
            with path.open("wb") as pipe:
                pipe.write(data)
            return
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = file.name
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        put_in_place(Path(temporary), path)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise OutputError(what, where=Where(file=str(path))) from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


@contextmanager
def written_here(path: Path) -> Iterator[Path]:
    """Give the file to write for `path`; that of an address is put there when it is whole.

    Raises OutputError.
    """
    address = address_of(path, OutputError)
    if address is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        file = Path(folder, "whole")
        yield file
        put(address, file, OutputError)


def _files(inputs: Iterable[Given], model: LoadedModel) -> Iterator[Given]:
    """Yield each file of a folder, as `batch` finds them, of which one instance is picked."""
    from pellucid.batch import Inputs
    from pellucid.inputs import takes_texts

    for given in inputs:
        if given.form or not os.path.isdir(given.name):
            yield given
            continue
        for file in Inputs(named=[given.name], texts=takes_texts(model.inputs)):
            yield replace(given, name=file.path)


def _content(name: str) -> bytes:
    from pellucid.files import read_bytes

    try:
        return read_bytes(name)
    except FileNotFoundError:
        raise InstanceError("no such file", where=Where(file=name)) from None


def check_free(path: Path, *, force: bool) -> None:
    """Raise OutputError unless a file can be written at `path`; asked before any work is done."""
    where = Where(file=place_of(path))
    address = address_of(path, OutputError)
    if address is not None:
        refuse_web(address, OutputError)
        found = find(address, OutputError)
        if found is not None and found.folder:
            raise OutputError("is a folder", where=where, hint="name an object in it")
        if found is not None and not force:
            raise OutputError("exists", where=where, hint="add --force to overwrite it")
        return
    if path.is_dir():
        raise OutputError("is a directory", where=where, hint="name a file in it")
    if _is_pipe(path):
        return
    if path.exists() and not force:
        raise OutputError("exists", where=where, hint="add --force to overwrite it")
    parent = path.parent
    if not parent.is_dir():
        raise OutputError(f"cannot be written: there is no directory {parent}", where=where)
    if not os.access(parent, os.W_OK):
        raise OutputError(f"cannot be written: {parent} is not writable", where=where)


def check_report(folder: Path, *, force: bool) -> None:
    """Raise OutputError unless a report can be written into a folder, which need not exist yet."""
    from pellucid.evaluate import EVALUATION, PAGE

    refuse_remote(folder, OutputError)
    if folder.exists() and not folder.is_dir():
        raise OutputError("is not a folder", where=Where(file=str(folder)))
    if folder.is_dir():
        for name in (EVALUATION, PAGE):
            check_free(folder / name, force=force)


def _is_pipe(path: Path) -> bool:
    """Whether a path is no file to be replaced: /dev/null, /dev/stdout, a named pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def read_inputs(
    model: LoadedModel, inputs: Iterable[Given], warn: Warn, note: Warn, only: int | None = None
) -> tuple[LoadedModel, list[Instance]]:
    """Return the instances of all inputs, numbered through; ``-`` is stdin.

    With them comes the model with the settings that a request brings; requests with different ones
    are refused. `warn` and `note` are told what is worth knowing of the inputs. The one instance of
    the number `only` comes alone, and keeps its number.
    """
    from pellucid.inputs import read_data, read_file

    instances: list[Instance] = []
    chosen: list[tuple[str, LoadedModel]] = []
    passed = 0
    for given in inputs if only is None else _files(inputs, model):
        name = given.name
        brought: list[Mapping[str, object]] = []
        read = partial(read_file, name)
        if name == "-":
            read = partial(read_data, read_stdin(), source="<stdin>", suffix=given.form)
        elif given.form:
            read = partial(read_data, _content(name), source=name, suffix=given.form)
        found = read(
            model.inputs, warn=warn, note=note, settings=brought.append, beside=model.beside
        )
        if only is not None:
            for instance in found:
                if passed == only:
                    one = replace(instance, index=only)
                    return model.requested(brought[0]) if brought else model, [one]
                passed += 1
            continue
        before = len(instances)  # which grows while they come
        instances += (replace(instance, index=before + i) for i, instance in enumerate(found))
        chosen.append((name, model.requested(brought[0]) if brought else model))
    if only is not None:
        count = f"{passed:,} instance{'s' * (passed != 1)}"
        raise InstanceError(f"there is no instance {only:,}: the input has {count}, from 0 on")
    if not instances:
        raise InstanceError("there are no instances in the input")
    for name, other in chosen:
        if other.explainers != chosen[0][1].explainers:
            raise InstanceError(
                f"brings other settings than {chosen[0][0]}",
                where=Where(file=name),
                hint="explain them one at a time",
            )
    return chosen[0][1], instances
