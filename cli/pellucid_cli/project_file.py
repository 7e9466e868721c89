"""The options that a project sets: ``[tool.pellucid]`` of its pyproject.toml, or pellucid.toml.

A table that is named after a command holds that command's options, under their long names; a key
outside of these tables is for every command that has the option. What is typed counts before the
environment, and the environment before the file, of which the nearest above the working directory
is read. Paths in it are relative to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Final, TypeAlias

import click
from click.core import ParameterSource

from pellucid.errors import PellucidError, did_you_mean
from pellucid.files import read_bytes

PYPROJECT, OWN = "pyproject.toml", "pellucid.toml"
META: Final = "pellucid.project_file"
"""Where a context keeps the file that was read."""

ASKED_FOR = frozenset(
    {"allow_unsafe_ops", "allowed_host", "force", "insecure", "scheduler", "scheduler_file"}
)
"""Options that no file sets: who wrote it need not be who bears what they do."""

MOST = 16
"""As many known keys are listed where none is like the one that was written."""

Keys: TypeAlias = tuple[str, ...]
Values: TypeAlias = dict[str, object]
"""Values of parameters, by the names that click knows them by."""


class ProjectFileError(PellucidError):
    """A project's file that cannot be used, in one sentence with its name and the key."""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file with options: `table` is that of Pellucid, `prefix` what leads to it."""

    path: Path
    table: Mapping[str, object] = field(default_factory=dict)
    prefix: str = ""

    @property
    def name(self) -> str:
        """What people call it: its path, or its name if it lies in the working directory."""
        return self.path.name if self.path.parent == Path.cwd() else str(self.path)

    def fault(self, keys: Keys, message: str) -> ProjectFileError:
        """Return the error that something is wrong with a key."""
        return ProjectFileError(f"{self.name}: {self.prefix}{'.'.join(keys)}: {message}")


def find(start: Path) -> ProjectFile | None:
    """Return the nearest file with options, in `start` or above it. Raises ProjectFileError.

    Within a directory, pellucid.toml comes first; a pyproject.toml counts if it has the table.
    """
    for folder in (start, *start.parents):
        table = _read(folder / OWN)
        if table is not None:
            return ProjectFile(folder / OWN, table)
        tools = (_read(folder / PYPROJECT, only_with=b"pellucid") or {}).get("tool")
        if isinstance(tools, dict) and "pellucid" in tools:
            table = tools["pellucid"]
            if not isinstance(table, dict):
                file = ProjectFile(folder / PYPROJECT, prefix="tool.")
                raise file.fault(("pellucid",), "must be a table, [tool.pellucid]")
            return ProjectFile(folder / PYPROJECT, table, "tool.pellucid.")
    return None


def _read(path: Path, only_with: bytes = b"") -> dict[str, object] | None:
    """Return what a TOML file says; None if there is none, or if it lacks a word."""
    try:
        data = read_bytes(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    if only_with not in data:
        return None
    # Imported here, since most projects have no such file, and every command is to start quickly.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    name = ProjectFile(path).name
    try:
        document: dict[str, object] = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise ProjectFileError(f"{name}: is not UTF-8, as TOML has to be") from None
    except tomllib.TOMLDecodeError as error:
        raise ProjectFileError(f"{name}: is not TOML: {_lowered(str(error))}") from None
    return document


def set_defaults(
    context: click.Context, program: click.Group, command: click.Command, arguments: Sequence[str]
) -> None:
    """Let the project's file set what is not typed and not in the environment, if it is needed.

    Raises ProjectFileError.
    """
    typed = [*takewhile(lambda word: word != "--", arguments)]
    if not _settable(command) or not set(typed).isdisjoint(context.help_option_names):
        return
    try:
        file = find(Path.cwd())
    except FileNotFoundError:  # the working directory was removed
        return
    if file is None:
        return
    own, commands = defaults(file, program)
    context.default_map = commands
    context.meta[META] = file
    for name, value in own.items():
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            context.params[name] = value


def note(context: click.Context) -> str | None:
    """Return which options of a command the project's file set, as a sentence; None if it did not.

    What is typed and what the environment says take their place.
    """
    file = context.meta.get(META)
    names = [
        key
        for key, parameter in _settable(context.command).items()
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.DEFAULT_MAP
    ]
    return f"{file.name} sets {', '.join(names)}" if file is not None and names else None


def defaults(file: ProjectFile, program: click.Group) -> tuple[Values, dict[str, Values]]:
    """Return what a file sets of the program's own options, and of those of each command.

    All of it is judged, whichever command is to run. Raises ProjectFileError.
    """
    own: Values = {}
    made: dict[str, Values] = {name: {} for name in program.commands}
    known = {name: _settable(command) for name, command in program.commands.items()}
    tables = {name: table for name, table in file.table.items() if isinstance(table, dict)}
    _check_spellings(file, (), file.table)
    for key, value in file.table.items():
        if _dashed(key) in known and key not in tables:
            raise file.fault((key,), f"must be a table, [{file.prefix}{key}]")
        if key not in tables:
            for command, parameter in _meant(file, key, program, known):
                into = own if command is None else made[command]
                into[str(parameter.name)] = _judged(file, (key,), value, parameter, command)
    for name, table in tables.items():
        command = _dashed(name)
        if command not in known:
            raise _unknown(file, (name,), "is not a command", list(known))
        _check_spellings(file, (name,), table)
        for key, value in table.items():
            if _dashed(key) not in known[command]:
                what = f"is not an option of {command}"
                raise _unknown(file, (name, key), what, list(known[command]))
            parameter = known[command][_dashed(key)]
            judged = _judged(file, (name, key), value, parameter, command)
            made[command][str(parameter.name)] = judged
    return own, made


def _check_spellings(file: ProjectFile, keys: Keys, table: Mapping[str, object]) -> None:
    """Raise ProjectFileError for a key that is there twice, once with dashes."""
    seen: dict[str, str] = {}
    for key in table:
        first = seen.setdefault(_dashed(key), key)
        if first != key:
            raise file.fault((*keys, key), f"is there already, as {first}; keep one")


def _settable(command: click.Command) -> dict[str, click.Parameter]:
    """Return what a file may set of a command, by its keys: options, and paths of any number."""
    found: dict[str, click.Parameter] = {}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            # A traceback is for one run, of which it says more.
            if parameter.expose_value and parameter.name != "traceback":
                found[max(parameter.opts, key=len).lstrip("-")] = parameter
        elif parameter.nargs == -1 and isinstance(parameter.type, click.Path):
            found[str(parameter.name)] = parameter
    return found


def _meant(
    file: ProjectFile,
    key: str,
    program: click.Group,
    known: Mapping[str, Mapping[str, click.Parameter]],
) -> Iterator[tuple[str | None, click.Parameter]]:
    """Yield what a key outside of the commands' tables sets; None is the program itself."""
    own = _settable(program)
    having = [name for name, keys in known.items() if _dashed(key) in keys]
    if _dashed(key) not in own and not having:
        every = dict.fromkeys(it for keys in known.values() for it in keys)
        what = "is neither a command nor an option of one"
        raise _unknown(file, (key,), what, [*known, *own, *every])
    if _dashed(key) in own:
        yield None, own[_dashed(key)]
    for name in having:
        yield name, known[name][_dashed(key)]


def _unknown(file: ProjectFile, keys: Keys, what: str, known: Sequence[str]) -> ProjectFileError:
    near = did_you_mean(_dashed(keys[-1]), known)
    listed = f"; there are {', '.join(known)}" if len(known) < MOST else ""
    return file.fault(keys, what + (near or listed or "; pellucid COMMAND --help lists them"))


def _judged(
    file: ProjectFile, keys: Keys, value: object, parameter: click.Parameter, command: str | None
) -> object:
    """Return a value as click takes it for a parameter. Raises ProjectFileError."""
    if parameter.name in ASKED_FOR:
        flag = max(parameter.opts, key=len)
        variable = _dashed(f"PELLUCID-{command}-{parameter.name}").replace("-", "_").upper()
        raise file.fault(keys, f"is not taken from a file; type {flag}, or set {variable}")
    several = parameter.nargs == -1 or parameter.multiple
    given = value if several and isinstance(value, list) else [value]
    kinds, wanted = _kinds(parameter)
    for item in given:
        if not isinstance(item, kinds) or (isinstance(item, bool) and bool not in kinds):
            listed = f"{wanted}, or a list of such" if several else wanted
            raise file.fault(keys, f"must be {listed}, not {_described(item)}")
    given = [_located(item, parameter, file.path.parent) for item in given]
    made = given if several else given[0]
    try:
        parameter.process_value(click.Context(click.Command(command)), made)
    except click.BadParameter as error:
        of = f"for {command}, " if len(keys) == 1 and command is not None else ""
        raise file.fault(keys, of + _lowered(error.message).rstrip(".")) from None
    return made


def _kinds(parameter: click.Parameter) -> tuple[tuple[type, ...], str]:
    """Return the types of TOML that a parameter takes, and what they are called."""
    if isinstance(parameter, click.Option) and parameter.count:
        return (bool, int), "a whole number"
    if isinstance(parameter.type, click.types.BoolParamType):
        return (bool,), "true or false"
    if isinstance(parameter.type, click.types.IntParamType):
        return (int,), "a whole number"
    if isinstance(parameter.type, click.types.FloatParamType):
        return (int, float), "a number"
    return (str,), "text in quotes"


def _described(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else "a date or time"


def _located(value: object, parameter: click.Parameter, folder: Path) -> object:
    """Return a path that is meant from `folder` as seen from the working directory below it."""
    if not isinstance(value, str) or value == "-" or "://" in value or folder == Path.cwd():
        return value
    path = os.path.join(os.path.relpath(folder), value)
    # Some options take names, too, in place of a file of them.
    file_or_names = str(parameter.metavar).startswith("FILE|") and os.path.isfile(path)
    return path if isinstance(parameter.type, click.Path) or file_or_names else value


def _dashed(key: str) -> str:
    return key.replace("_", "-")


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
