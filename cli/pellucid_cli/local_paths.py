"""Paths and addresses on the command line: who takes an address, and what stands for one here.

Every command imports this, at start-up, so that it knows neither metadata nor models.
"""

from __future__ import annotations

from pathlib import Path

import click

from pellucid.errors import OutputError, PellucidError, refuse_remote
from pellucid.remote import Map, address_of, mapped

_MODEL = {"model_dir", "metadata", "spec"}
# The parameters of each command that take an address, ``s3://bucket/key``, as well as a path.
_ELSEWHERE = {
    "batch": {*_MODEL, "inputs", "out"},
    "evaluate": {*_MODEL, "inputs"},
    "explain": {*_MODEL, "inputs", "out", "raw"},
    "gallery": {"folder"},
    "index": {*_MODEL, "examples", "out"},
    "init-metadata": {"model_dir"},
    "serve": {*_MODEL, "models"},
    "suggest-baseline": {*_MODEL, "inputs"},
    "validate-metadata": {"paths"},
    "visualize": {*_MODEL, "names", "out"},
}
_MAPS = "pellucid.maps"


def map_option(command: click.Command) -> None:
    """Give a command that takes addresses the option that maps them to directories."""
    if command.name in _ELSEWHERE:
        command.params.append(
            click.Option(
                ["--map", "maps"],
                multiple=True,
                metavar="ADDRESS=DIR",
                is_eager=True,
                expose_value=False,
                callback=_keep,
                help="Take what lies at an address from a directory: gs://bucket=/data/bucket; "
                "holds for the files that metadata name, too. May be repeated.",
            )
        )


def maps_here() -> tuple[Map, ...]:
    """Return the directories that stand for addresses, in the command that runs."""
    context = click.get_current_context(silent=True)
    found: tuple[Map, ...] = () if context is None else context.meta.get(_MAPS, ())
    return found


def _keep(context: click.Context, _: click.Parameter, written: tuple[str, ...]) -> None:
    context.meta[_MAPS] = tuple(Map.parse(it) for it in written)


def keep_local(command: click.Command, parameter: click.Parameter) -> None:
    """Let a parameter that takes paths see to addresses, ``gs://bucket/model``, when it is read.

    Those that are mapped become paths, and the others are refused where paths alone are taken.
    ``NAME=MODEL_DIR`` is a path, too. Options that take anything else are left alone.
    """
    takes_text = isinstance(parameter, click.Argument) and parameter.type is click.STRING
    file_or_names = str(getattr(parameter, "metavar", None)).startswith("FILE|")
    if not (isinstance(parameter.type, click.Path) or takes_text or file_or_names):
        return
    writes = parameter.name in ("out", "raw", "access_log")
    error = OutputError if writes else PellucidError
    takes = parameter.name in _ELSEWHERE.get(command.name or "", ())
    inner = parameter.callback

    def seen(item: object) -> object:
        text = "" if item is None else str(item)
        if ":/" not in text:
            return item
        name, equals, path = text.partition("=")
        named = bool(equals) and address_like(path) and not address_like(name)
        here = mapped(path if named else text, maps_here())
        if here != (path if named else text):
            text = f"{name}={here}" if named else here
            return Path(text) if isinstance(item, Path) else text
        (address_of if takes else refuse_remote)(path if named else text, error)
        return item

    def read(context: click.Context, here: click.Parameter, value: object) -> object:
        value = tuple(map(seen, value)) if isinstance(value, tuple | list) else seen(value)
        return value if inner is None else inner(context, here, value)

    parameter.callback = read


def address_like(text: str) -> bool:
    """Whether a text begins as an address does."""
    scheme, colon, _ = text.partition(":/")
    return bool(colon) and len(scheme) > 1 and scheme.replace("+", "").isalnum()
