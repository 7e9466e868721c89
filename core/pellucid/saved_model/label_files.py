"""Names of classes as people keep them: a line each, a JSON list, or a map of indices and names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pellucid.errors import SpecError, refuse_remote
from pellucid.files import read_text
from pellucid.notices import Where
from pellucid.saved_model.directory import LABEL_FILES

Names = TypeVar("Names")
_LARGEST: Final = 1 << 24


def class_names_of(written: str, kind: str = "class names") -> tuple[tuple[str, ...], str]:
    """Return the names that `written` means, and where they come from; `kind` is what they are.

    It is the path of a file, or names with commas between them. Raises SpecError for a file that
    is not there, or that holds no names.
    """
    refuse_remote(written, SpecError)
    path = Path(written)
    if path.exists():
        return read_class_names(path), written
    if "," in written and not path.suffix:
        return tuple(name.strip() for name in written.split(",")), "the names given"
    raise SpecError(
        "no such file",
        where=Where(file=written),
        hint=f"{kind} are a file (a name a line, or JSON), or names with commas between them",
    )


def read_class_names(path: Path) -> tuple[str, ...]:
    """Return the names in a file, by index.

    Lines of text; or JSON: a list, an object from index to name (or to [id, name], as Keras keeps
    ImageNet's), or one from name to index. Raises SpecError.
    """
    where = Where(file=str(path))
    try:
        if path.stat().st_size > _LARGEST:
            raise SpecError("is too large for a list of class names", where=where)
        text = read_text(path, "utf-8-sig")
    except UnicodeDecodeError:
        raise SpecError("is not UTF-8 text", where=where) from None
    except OSError as error:
        raise SpecError(f"cannot be read ({error.strerror})", where=where) from None
    if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            if path.suffix.lower() == ".json":
                raise SpecError(f"not JSON: {error}", where=where) from None
        else:
            return _of_json(value, where)
    names = tuple(line.strip() for line in text.rstrip().splitlines())
    if not names or not all(names):
        where = replace(where, line=names.index("") + 1 if names else 1)
        raise SpecError("has no name", where=where, hint="each line is the name of a class")
    return names


def label_files(directory: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield the files of names that lie beside a model or among its assets, with what they hold."""
    for folder in (directory, directory / "assets", directory / "assets.extra"):
        for name in LABEL_FILES:
            path = folder / name
            # What a link leads to elsewhere is no part of the model.
            if path.is_file() and path.resolve().is_relative_to(directory.resolve()):
                try:
                    yield path, read_class_names(path)
                except SpecError:
                    continue


def told_apart(names: Names) -> tuple[Names, tuple[str, ...]]:
    """Return names of which each occurs once, by index where it did not, and those that did not.

    They may be nested, as those of an output with several axes. ImageNet has two cranes: they
    become ``crane (134)`` and ``crane (517)``.
    """
    counts = Counter(_leaves(names))
    twice = tuple(name for name, count in counts.items() if count > 1)
    return (_by_index(names, set(twice), ()) if twice else names), twice


def _leaves(names: Any) -> Iterator[str]:
    if isinstance(names, tuple):
        for part in names:
            yield from _leaves(part)
    else:
        yield names


def _by_index(names: Any, twice: set[str], index: tuple[int, ...]) -> Any:
    if isinstance(names, tuple):
        return tuple(_by_index(it, twice, (*index, at)) for at, it in enumerate(names))
    return f"{names} ({', '.join(map(str, index))})" if names in twice else names


def _of_json(value: object, where: Where) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        found = {_index(k, v): _name(k, v) for k, v in value.items()}
        missing = next((i for i in range(len(value)) if i not in found), None)
        if missing is not None:
            raise SpecError(
                f"has no name for index {missing}",
                where=where,
                hint="its keys are indices and its values names, or the other way round",
            )
        value = [found[i] for i in range(len(value))]
    if not isinstance(value, list) or not value:
        raise SpecError("is neither a list of names nor an object of them by index", where=where)
    for index, name in enumerate(value):
        if not isinstance(name, str) or not name:
            raise SpecError(f"entry {index} is no name", where=where)
    return tuple(value)


def _index(key: object, value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(key) if isinstance(key, str) and key.strip().isdecimal() else None


def _name(key: object, value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return key
    return value[-1] if isinstance(value, list) and value else value
