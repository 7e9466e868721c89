"""Options as one frozen record each: made once, of what was typed, when a command is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])
Decorator = Callable[[Command], Command]


def record(
    name: str, make: Callable[..., object], *options: Decorator[Command]
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Return the decorator that adds options to a command, and hands them over as one argument.

    The argument is called `name`; `make`, a record's class as a rule, is given the values by the
    names of the options.
    """

    def decorate(command: Callable[..., object]) -> Callable[..., object]:
        names: list[str] = []

        @wraps(command)
        def called(**given: object) -> object:
            values = {it: given.pop(it) for it in names}
            return command(**given, **{name: make(**values)})

        before = len(getattr(called, "__click_params__", ()))
        for option in reversed(options):
            option(called)
        parameters: list[click.Parameter] = called.__click_params__  # type: ignore[attr-defined]
        names += (str(it.name) for it in parameters[before:] if it.expose_value)
        return called

    return decorate
