"""The settings that hints name, as flags: those of the commands' options, so that none is stale."""

from __future__ import annotations

import shlex

import click

from pellucid.notices import Advice, Message

# The options whose keyword in Python is another.
_OPTIONS = {"tags": "tag_set"}
# By command; under "" those of all.
_known: dict[str, dict[str, click.Option]] = {"": {}}
# Commands that need nothing but a model, so that what is advised can be typed as it is.
_of_models: set[str] = set()
# What was typed of a model, for whoever asks for the same one.
_typed: list[click.Context] = []
_SAME = ("signature", "tag_set", "output")


def flag(setting: Advice) -> str:
    """Return a setting as it is typed: ``--output``, ``--query fast``, ``pellucid index --force``.

    Raises KeyError where no command has it.
    """
    command = setting.command.replace("_", "-")
    option = _known[command][_OPTIONS.get(setting.name, setting.name)]
    words = [f"pellucid {command}", *_model(command)] if command else []
    words.append(max(option.opts, key=len))
    if setting.value is not None and not option.is_flag:
        many = isinstance(setting.value, list | tuple)
        words.append(shlex.quote(",".join(setting.value) if many else str(setting.value)))
    return " ".join([*words, *_same(command, option)])


def asked_of(context: click.Context | None) -> None:
    """Remember what is typed of a model, which advice repeats; None forgets it.

    Only of a command of the program, which forgets it in the end: nobody does who parses a command
    by itself.
    """
    _typed[:] = [] if context is None or context.parent is None else [context]


def _model(command: str) -> list[str]:
    """Return the model that a command which needs no more is to be called with."""
    if command not in _of_models:
        return []
    given = _typed[0].params if _typed else {}
    names = given.get("names") or ()
    model = given.get("model_dir") or next(iter(names), None)
    return ["MODEL_DIR" if model is None else shlex.quote(str(model))]


def _same(command: str, advised: click.Option) -> list[str]:
    """Return what was typed to choose among the signatures and outputs of the model."""
    given = _typed[0].params if _typed and command in _of_models else {}
    words = []
    for name in _SAME:
        option = _known[command].get(name)
        if option is not None and option is not advised and given.get(name) is not None:
            words += [max(option.opts, key=len), shlex.quote(str(given[name]))]
    return words


def told(said: str | Message) -> str:
    """Return a sentence, with settings as flags."""
    return said if isinstance(said, str) else said.sentence(flag)


def learn(command: click.Command) -> None:
    """Add the options of a command to those that hints may name."""
    options = [it for it in command.params if isinstance(it, click.Option)]
    if [it.name for it in command.params if isinstance(it, click.Argument)] == ["model_dir"]:
        _of_models.add(str(command.name))
    _known[str(command.name)] = {str(it.name): it for it in options}
    _known[""] |= _known[str(command.name)]
