"""Streams that are closed, full, or read by nobody: the work is done, or one sentence says why not."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forked import Forks

PROGRAM = shlex.join([sys.executable, "-m", "pellucid_cli"])
CLOSED = "error: stdout is closed\n"
LEFT = "error: the output was closed before all of it was written\n"
FULL = "error: No space left on device\n"


def shell(words: str, *names: object, program: str = PROGRAM) -> tuple[int, str]:
    """Run words of a shell, ``$0`` and so on in them; return the exit code and what was said.

    BROKEN is a pipe that nobody reads.
    """
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            ["bash", "-c", words.replace("PELLUCID", program).replace("BROKEN", f"{writing}")]
            + [str(it) for it in names],
            capture_output=True,
            text=True,
            timeout=600,
            pass_fds=[writing],
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.fixture
def saved(program: Any, digits: Path, seven: Path, tmp_path: Path) -> Path:
    path = tmp_path / "seven.npz"
    asked = ("explain", digits, seven, "--steps", 2, "--raw", path, "-o", tmp_path / "seven.json")
    assert program(*asked).code == 0
    return path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("PELLUCID schema >&-", 2, CLOSED),
        ("PELLUCID schema >/dev/full", 2, FULL),
        ("PELLUCID --help >&-", 0, ""),
        ("PELLUCID --help >/dev/full", 2, FULL),
        ("PELLUCID --version >&-", 0, ""),
        ("PELLUCID --help >&BROKEN", 141, LEFT),
        ("PELLUCID explain --help >&BROKEN", 141, LEFT),
        ("PELLUCID schema >&BROKEN", 141, LEFT),
        ("PELLUCID validate-metadata --explain all >&BROKEN", 141, LEFT),
        ("PELLUCID nonsense 2>&-", 2, ""),
        ("PELLUCID nonsense 2>/dev/full", 2, ""),
        ("PELLUCID nonsense 2>&BROKEN", 2, ""),
        ("PELLUCID convert-metadata - <&-", 1, "error: stdin is closed\n"),
        ("PELLUCID validate-metadata --files-from - <&-", 1, "error: stdin is closed\n"),
    ],
)
def test_what_needs_no_model(words: str, code: int, said: str) -> None:
    assert shell(words) == (code, said)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("PELLUCID visualize $0 --show >&-", 2, CLOSED),
        ("PELLUCID visualize $0 -o $1 >&- 2>&- <&-", 0, ""),
        ("PELLUCID visualize $0 --show >/dev/full", 2, FULL),
        ("PELLUCID visualize $0 --show >&BROKEN", 141, LEFT),
    ],
)
def test_saved_explanations(saved: Path, tmp_path: Path, words: str, code: int, said: str) -> None:
    path = tmp_path / "it.png"
    assert shell(words, saved, path) == (code, said)
    # No file was opened in the place of stdout and written into by whoever prints.
    assert not path.exists() or path.read_bytes().startswith(b"\x89PNG")


def test_a_run(forks: Forks, digits: Path, seven: Path, tmp_path: Path) -> None:
    """`batch` says how it went on stderr, if that is there, and needs no stdout."""
    for number, closed in enumerate((">&-", "2>&-", "2>/dev/full", "2>&BROKEN")):
        out = tmp_path / f"{number}"
        words = f"PELLUCID batch $0 $1 -o $2 --steps 2 --json-log {closed}"
        # What is not there at all cannot be passed on to a copy of another process.
        started = PROGRAM if closed.endswith("&-") else shlex.quote(str(forks.command))
        code, said = shell(words, digits, seven, out, program=started)
        assert code == 0 and ('"event": "end"' in said) == (closed == ">&-")
        assert (out / "summary.json").exists()


def test_whoever_needs_stdout_says_so_before_the_work(
    program: Any, digits: Path, seven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "stdout", None)
    for command in (
        ("explain", digits, seven),
        ("visualize", digits, seven, "--show"),
        ("batch", digits, seven, "-o", out, "--dry-run"),
        ("validate-metadata", digits),
        ("convert-metadata", digits / "explanation_metadata.json"),
        ("init-metadata", digits, "-o", "-"),
        ("completion", "bash"),
    ):
        run = program(*command)
        assert (run.code, run.out, run.err) == (2, b"", CLOSED), command
    for command in (
        ("explain", digits, seven, "-o", tmp_path / "it.json", "--steps", 2),
        ("batch", digits, seven, "-o", out, "--steps", 2),
        ("gallery", out),
        ("visualize", digits, seven, "-o", tmp_path / "it.png", "--show", "--steps", 2),
    ):
        assert program(*command).code == 0
