"""Options as records: made once of what was typed, in the order that help shows."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pellucid_cli.options.records import record


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    height: int
    name: str | None


sized = record(
    "size",
    Size,
    click.option("--height", type=int, default=2),
    click.option("--as", "name"),
    click.option("--gone", is_flag=True, expose_value=False),
)


def called(*arguments: str) -> dict[str, Any]:
    given: dict[str, Any] = {}

    @click.command()
    @click.argument("first")
    @sized
    @click.option("--last", is_flag=True)
    def command(**options: Any) -> None:
        """Say what this does."""
        given.update(options)

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    return {**given, "output": result.output}


def test_a_command_is_given_its_options_as_one_frozen_record() -> None:
    given = called("a", "--as", "b", "--gone", "--last")
    assert given == {"first": "a", "size": Size(height=2, name="b"), "last": True, "output": ""}
    with pytest.raises(FrozenInstanceError):
        given["size"].height = 3


def test_help_has_the_options_where_the_record_stands() -> None:
    text = called("--help")["output"]
    places = [text.index(word) for word in ("Say what", "--height", "--as", "--gone", "--last")]
    assert places == sorted(places)
