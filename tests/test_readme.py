"""The README: its commands run, its reference is that of ``--help``, and it names every option."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pellucid_cli.main import cli
from places import ROOT

README = ROOT / "README.md"
MARK = "<!-- reference -->"
TEXT = README.read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
SCRIPTS = [
    lines
    for language, block in BLOCKS
    if language == "sh"
    # What installs is tested by the continuous integration itself.
    if (
        lines := [
            line.split("  #")[0].strip()
            for line in block.splitlines()
            if line.strip() and not line.startswith(("make ", "pip install "))
        ]
    )
]


# Lines of these blocks belong together, as a server and what is asked of it.
SESSIONS = [block for language, block in BLOCKS if language == "bash"]


def reference() -> str:
    """The help of the program and of each command, as Markdown."""
    parts = []
    pages: list[tuple[str, click.Command]] = [("pellucid", cli)]
    pages += [(f"pellucid {name}", command) for name, command in sorted(cli.commands.items())]
    for name, command in pages:
        context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
        context.help_option_names = ["-h", "--help"]
        parts.append(f"### {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def test_the_reference_is_that_of_help(request: pytest.FixtureRequest) -> None:
    before, _, written = TEXT.partition(MARK)
    if request.config.getoption("--golden"):
        README.write_text(f"{before}{MARK}\n\n{reference()}")
        written = f"\n\n{reference()}"
    assert written.strip() == reference().strip(), "run `make golden`"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_and_option_is_documented(name: str) -> None:
    text = TEXT.partition(MARK)[2]
    assert f"pellucid {name}" in TEXT
    for parameter in cli.commands[name].params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert option in text, f"{name} {option}"


def test_both_make_targets_stand_on_the_first_screen() -> None:
    first = "\n".join(TEXT.splitlines()[:40])
    assert "make demo" in first and "make test" in first
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", TEXT))
    assert {"demo", "test", "check", "samples", "golden", "bench", "help"} <= named <= targets


@pytest.mark.parametrize("lines", SCRIPTS, ids=lambda lines: lines[0])
def test_the_commands_of_the_readme_run(lines: list[str], tmp_path: Path) -> None:
    """Run a block as a stranger would, in a directory with the sample models, by a real shell."""
    (tmp_path / "sample_models").symlink_to(ROOT / "sample_models")
    scripts = Path(sys.executable).parent
    for command in lines:
        run = subprocess.run(
            ["bash", "-ec", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, run.stderr
        assert "Traceback" not in run.stderr
        for word, following in zip(words := shlex.split(command), words[1:], strict=False):
            if word in ("-o", "--raw"):
                assert (tmp_path / following).exists(), following


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_of_the_readme_runs(session: str, tmp_path: Path) -> None:
    (tmp_path / "sample_models").symlink_to(ROOT / "sample_models")
    scripts = Path(sys.executable).parent
    run = subprocess.run(
        ["bash", "-ec", f"trap 'kill $(jobs -p)' EXIT\n{session}"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert '"error"' not in run.stdout and run.stdout.count('"explanations"') >= 3


def test_the_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for language, block in BLOCKS if language == "python"]
    directory = Path.cwd()
    os.chdir(ROOT)
    try:
        exec(compile(block, "README.md", "exec"), {})
    finally:
        os.chdir(directory)
    out = capsys.readouterr().out
    assert '"explanations"' in out and "'bmi'" in out
