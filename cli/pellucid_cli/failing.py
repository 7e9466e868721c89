"""How the program fails: a sentence on stderr, and an exit code."""

from __future__ import annotations

import os
import sys

import click


def colour() -> bool | None:
    """Whether to write colour; None leaves it to whether the stream is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def fail(sentence: str, code: int) -> int:
    """Say why, and return the exit code."""
    if "--traceback" in sys.argv:
        import traceback

        traceback.print_exc()
    for line in sentence.splitlines():
        head = click.style("error: ", fg="red", bold=True)
        click.echo(head + line.strip(), err=True, color=colour())
    return code
