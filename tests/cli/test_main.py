"""The program as a whole: help, version, colour, completion, and errors that nobody expected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pellucid import __version__
from pellucid_cli.main import cli


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(program: Any, flag: str) -> None:
    run = program(flag)
    assert run.code == 0 and run.err == ""
    for name, command in cli.commands.items():
        assert name in run.out.decode()
        page = program(name, flag)
        assert page.code == 0 and page.out.decode().startswith(f"Usage: pellucid {name}")
        assert command.help


def test_version(program: Any) -> None:
    assert program("--version").out.decode() == f"pellucid, version {__version__}\n"


def test_run_as_a_module_it_imports_nothing_from_the_current_directory(tmp_path: Path) -> None:
    for name in ("click", "selectors", "tomllib", "pellucid"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')\n")
    command = [sys.executable, "-m", "pellucid_cli", "--version"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == f"pellucid, version {__version__}\n", run.stderr
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(program: Any, shell: str) -> None:
    run = program("completion", shell)
    assert run.code == 0 and "_PELLUCID_COMPLETE" in run.out.decode()


@pytest.mark.parametrize(
    "variables, flag, colour",
    [
        ({}, None, False),  # stderr is no terminal here
        ({"FORCE_COLOR": "1"}, None, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, None, False),
        ({"NO_COLOR": "1"}, "always", True),
        ({"FORCE_COLOR": "1"}, "never", False),
    ],
)
def test_colour(
    program: Any,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    flag: str,
    colour: bool,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = ["--color", flag] if flag else []
    run = program(*arguments, "explain", "nowhere", "x.png")
    assert run.code == 2 and ("\x1b[" in run.err) == colour


def test_an_internal_error_is_one_sentence_that_asks_for_a_report(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("pellucid_cli.options.shared.choose_device", broken)
    run = program("explain", "nowhere", "x.png")
    assert run.code == 2 and run.out == b""
    assert run.err == (
        "error: internal error, ZeroDivisionError: division by zero; please report it with what "
        "--traceback shows\n"
    )
