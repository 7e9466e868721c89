"""The settings that hints name, as flags: those of the commands' options, so that none is stale."""

from __future__ import annotations

import shlex
from functools import cache

import click

from pellucid.notices import Notice, Setting

# The options whose keyword in Python is another.
_OPTIONS = {"tags": "tag_set"}


def flag(setting: Setting) -> str:
    """Return a setting as it is typed: ``--output``, ``--query fast``, ``pellucid index --force``.

    Raises KeyError where no command has it.
    """
    command = setting.command.replace("_", "-")
    option = _options(command)[_OPTIONS.get(setting.name, setting.name)]
    words = [f"pellucid {command}"] if command else []
    words.append(max(option.opts, key=len))
    if setting.value is not None and not option.is_flag:
        many = isinstance(setting.value, list | tuple)
        words.append(shlex.quote(",".join(setting.value) if many else str(setting.value)))
    return " ".join(words)


def told(said: str | Notice) -> str:
    """Return a sentence, with settings as flags."""
    return said if isinstance(said, str) else said.sentence(flag)


@cache
def _options(command: str) -> dict[str, click.Option]:
    """Return the options of a command by their names, or those of all."""
    from pellucid_cli.main import cli

    commands = [cli.commands[command]] if command else list(cli.commands.values())
    options = (it for one in commands for it in one.params if isinstance(it, click.Option))
    return {str(it.name): it for it in options}
