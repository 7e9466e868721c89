"""``pellucid evaluate`` in processes, and killed: the same command writes the same report."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from forked import Forks

FILES = ("evaluation.json", "curves.npz", "maps.npz", "index.html")


def command(samples: Path, out: Path, *more: object) -> list[object]:
    return [
        *("evaluate", samples / "wine/model", samples / "wine/examples.csv", "-o", out),
        *("--methods", "ig:steps=2,shapley:paths=2", "--metrics", "insertion,seed"),
        *("--stages", 3, "--limit", 70, *more),
    ]


def test_a_run_that_is_killed_writes_the_report_of_one_that_was_not(
    forks: Forks, program: Any, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forks.as_children(monkeypatch)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert program(*command(samples, whole)).code == 0
    second = r"os\.rename .*/00000064\.npz"
    child = forks.start(*command(samples, killed), at=(signal.SIGKILL, [second]))
    assert child.wait() == -signal.SIGKILL, child.err
    assert list(killed.glob(".evaluate/*.npz")) and not (killed / FILES[0]).exists()
    run = program(*command(samples, killed, "--seed", 1))
    assert run.code == 2 and "seed was 0 and is 1" in run.err and "--force" in run.err
    assert program(*command(samples, killed)).code == 0
    assert [it.read_bytes() for it in map(whole.joinpath, FILES)] == [
        it.read_bytes() for it in map(killed.joinpath, FILES)
    ]
    assert sorted(it.name for it in killed.iterdir()) == sorted(FILES)
    several = tmp_path / "several"
    assert program(*command(samples, several, "-j", 2)).code == 0
    assert (several / FILES[0]).read_bytes() == (whole / FILES[0]).read_bytes()


def test_the_mean_of_a_call_is_not_for_several_processes(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    run = program(*command(samples, tmp_path / "out", "-j", 2, "--baseline", "mean"))
    assert run.code == 2 and "the mean is that of all instances" in run.err


def test_pictures_larger_than_a_pipe_go_to_processes_and_come_back(
    forks: Forks, program: Any, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends one while the other sends, too, waits for ever."""
    forks.as_children(monkeypatch)
    photos = samples / "photos"
    quick = ("evaluate", photos / "model", photos / "images", "--methods", "ig:steps=2",
             "--metrics", "deletion", "--stages", 2, "--format", "json")  # fmt: skip
    # In a process of its own: how many threads an operation has is what its first model says.
    alone = subprocess.run([forks.command, *map(str, quick)], capture_output=True, check=False)
    several = program(*quick, "-j", 2)
    assert (alone.returncode, several.code) == (0, 0), several.err
    assert several.out == alone.stdout
