"""Inputs for several models at once, each as that model reads it, and reports of comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pellucid.errors import InstanceError, OutputError, refuse_remote
from pellucid.notices import Message, Where
from pellucid.printable import printable
from pellucid_cli.files import check_free
from pellucid_cli.flags import told
from pellucid_cli.options.shared import Console

if TYPE_CHECKING:
    from pellucid import LoadedModel
    from pellucid.comparison import Given, Read, Reading
    from pellucid.notices import Warn


Found = TypeVar("Found", bound="Compared")


@dataclass(frozen=True, slots=True)
class ConsoleOf(Console):
    """Speaks of one of several models, by its name."""

    name: str = ""

    @classmethod
    def of(cls, console: Console, name: str) -> ConsoleOf:
        """Return who speaks of the model of this name."""
        return cls(console.verbose, console.quiet, name)

    def warn(self, said: str | Message) -> None:
        """Say a warning."""
        Console.warn(self, f"{printable(self.name)}: {told(said)}")

    def say(self, said: str | Message) -> None:
        """Say something that everybody should know."""
        Console.say(self, f"{printable(self.name)}: {told(said)}")


def check_report(folder: Path, names: Iterable[str], *, force: bool) -> None:
    """Raise OutputError unless a report can be written into a folder, which need not exist yet."""
    refuse_remote(folder, OutputError)
    if folder.exists() and not folder.is_dir():
        raise OutputError("is not a folder", where=Where(file=str(folder)))
    for name in names if folder.is_dir() else ():
        check_free(folder / name, force=force)


class Compared(Protocol):
    """What came of a comparison."""

    def json(self) -> bytes:
        """Return all of it as JSON."""
        ...


def deliver(
    found: Found,
    out: Path | None,
    form: str,
    files: Mapping[str, Callable[[Found], bytes]],
    printed: Mapping[str, Callable[[Found], str]],
) -> None:
    """Write `files` into the folder `out`, if there is one, and print what `form` asks for.

    After a table comes where its page is.
    """
    from pellucid.evaluate import PAGE, write_files
    from pellucid_cli.streams import put, write, write_bytes

    if out is not None:
        write_files({name: make(found) for name, make in files.items()}, out)
    if form == "json":
        write_bytes(found.json() + b"\n")
        return
    write(printed[form](found))
    if form == "table" and out is not None:
        put(str(out / PAGE))


def given_to(
    models: Sequence[LoadedModel], inputs: Iterable[str], warn: Warn, *, limit: int | None
) -> Iterator[Given]:
    """Yield the instances of files, folders and patterns, as each model reads them; ``-`` is stdin.

    What is said of an input is said once, of the first model.
    """
    from pellucid.batch import Inputs
    from pellucid.comparison import Given
    from pellucid.inputs import takes_texts

    readings = _readings(models)
    told: set[str] = set()

    def tell(said: Message) -> None:
        sentence = said.sentence()
        if sentence not in told:
            told.add(sentence)
            warn(said)

    count = 0
    for name in inputs:
        stdin = _stdin() if name == "-" else None
        texts = takes_texts(models[0].inputs)
        paths = [name] if stdin else [it.path for it in Inputs(named=[name], texts=texts)]
        for path in paths:
            read = [_read(path, stdin, it, tell) for it in readings]
            missing = InstanceError("is not read, since the other model reads it in another way")
            for found in zip_longest(*read, fillvalue=missing):
                place = next((it.place for it in found if not isinstance(it, InstanceError)), path)
                count += 1
                yield Given(name=place, read=found)
                if limit is not None and count >= limit:
                    return


def _stdin() -> bytes:
    from pellucid_cli.streams import read_stdin

    return read_stdin()


def _readings(models: Sequence[LoadedModel]) -> list[Reading]:
    """Return how each model reads: the first leaves out what any other alone takes."""
    from pellucid.comparison import match

    first, *others = models
    found = [match(first, it) for it in others]
    ignored = dict.fromkeys(name for it in found for name in it.first.beside.ignored)
    own = found[0].first
    beside = replace(own.beside, ignored=tuple(ignored))
    return [replace(own, beside=beside), *(it.second for it in found)]


def _read(path: str, data: bytes | None, reading: Reading, warn: Warn) -> Iterator[Read]:
    """Yield the instances of a file in their order, or the errors of those that cannot be read."""
    from pellucid.inputs import read_data, read_file

    wrong: list[InstanceError] = []
    read = partial(read_file, path) if data is None else partial(read_data, data, source="<stdin>")
    try:
        found = read(reading.inputs, warn=warn, beside=reading.beside, on_error=wrong.append)
        for record in found:
            yield from wrong
            wrong.clear()
            yield reading.own(record)
    except InstanceError as error:
        wrong.append(error)
    yield from wrong
