"""The options of methods are their settings: the same names, values and bounds, the same defaults."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from enum import Enum
from pathlib import Path
from typing import Any

import click
import pytest

from pellucid.metadata import METHODS, SETTINGS, Setting, spelling_of
from pellucid_cli.main import cli

COMMANDS = ("explain", "visualize", "batch", "serve")
# Their defaults are found when they are asked for, or stand in an object that is off by default.
NOT_IN_A_FIELD = {"index", "query", "noise_sigma"}
# How many labels KServe's form has: others have one, as with every method.
ONLY_KSERVE = {"top_labels"}


def option(command: str, name: str) -> Any:
    (found,) = [it for it in cli.commands[command].params if it.name == name]
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_method_can_be_chosen(command: str) -> None:
    assert list(option(command, "method").type.choices) == list(METHODS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("name", "setting"), SETTINGS.items(), ids=SETTINGS)
def test_a_setting_is_an_option_with_the_same_bounds(
    command: str, name: str, setting: Setting
) -> None:
    kind = option(command, name).type
    if issubclass(setting.kind, Enum):
        assert list(kind.choices) == [it.value for it in setting.kind]
    elif setting.kind is int:
        assert isinstance(kind, click.IntRange) and kind.min == setting.least and not kind.min_open
    elif setting.kind is bool:
        assert isinstance(kind, click.types.BoolParamType)
    elif setting.kind is float and setting.above is None:
        assert type(kind) is click.types.FloatParamType
    elif setting.kind is float:
        assert isinstance(kind, click.FloatRange) and kind.min == setting.above and kind.min_open
    elif setting.kind is str:
        assert kind is click.STRING
    else:
        assert setting.kind is Path and isinstance(kind, click.Path)


def test_the_defaults_that_help_tells_are_those_of_the_methods() -> None:
    usual: dict[str, str] = {"method": next(iter(METHODS))}
    for method in METHODS.values():
        for it in fields(method):
            setting = spelling_of(it).setting
            if (
                setting not in {None, *ONLY_KSERVE}
                and it.default is not MISSING
                and it.default is not None
            ):
                usual.setdefault(setting, str(getattr(it.default, "value", it.default)))
    told = {
        name: found[1]
        for name in ("method", *SETTINGS)
        if (found := re.search(r"\[default: (.*?)\]", option("explain", name).help))
    }
    assert {name: it for name, it in told.items() if name not in NOT_IN_A_FIELD} == usual
