"""How the program fails: a sentence on stderr, and an exit code."""

from __future__ import annotations

import os
import sys

from pellucid_cli.streams import Styled, say


def colour() -> bool | None:
    """Whether to write colour; None leaves it to whether the stream is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def fail(sentence: str, code: int) -> int:
    """Say why, and return the exit code."""
    if "--traceback" in sys.argv:
        import traceback

        for line in traceback.format_exc().splitlines():
            say(line)
    for line in sentence.splitlines():
        say(Styled("error: ", "red", bold=True), line.strip(), color=colour())
    return code
