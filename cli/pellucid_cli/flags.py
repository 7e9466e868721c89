"""The settings that hints name, as flags: those of the commands' options, so that none is stale."""

from __future__ import annotations

import shlex

import click

from pellucid.notices import Advice, Message

# The options whose keyword in Python is another.
_OPTIONS = {"tags": "tag_set"}
# By command; under "" those of all.
_known: dict[str, dict[str, click.Option]] = {"": {}}


def flag(setting: Advice) -> str:
    """Return a setting as it is typed: ``--output``, ``--query fast``, ``pellucid index --force``.

    Raises KeyError where no command has it.
    """
    command = setting.command.replace("_", "-")
    option = _known[command][_OPTIONS.get(setting.name, setting.name)]
    words = [f"pellucid {command}"] if command else []
    words.append(max(option.opts, key=len))
    if setting.value is not None and not option.is_flag:
        many = isinstance(setting.value, list | tuple)
        words.append(shlex.quote(",".join(setting.value) if many else str(setting.value)))
    return " ".join(words)


def told(said: str | Message) -> str:
    """Return a sentence, with settings as flags."""
    return said if isinstance(said, str) else said.sentence(flag)


def learn(command: click.Command) -> None:
    """Add the options of a command to those that hints may name."""
    options = [it for it in command.params if isinstance(it, click.Option)]
    _known[str(command.name)] = {str(it.name): it for it in options}
    _known[""] |= _known[str(command.name)]
