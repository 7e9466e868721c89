"""``pellucid batch`` in several processes and on a cluster, with a real model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusters import local_cluster
from forked import Forks
from run_folders import contents


def test_processes_and_clusters_leave_the_bytes_of_one_process(
    program: Any, forks: Forks, samples: Path, tmp_path: Path
) -> None:
    command = ["batch", samples / "photos/model", samples / "photos/images", "--block-size", 2]
    command += ["--steps", 2, "--noisy-samples", 2, "--raw"]
    # In a process of its own: how many threads an operation has is what its first model says.
    one = forks.start(*command, "-o", tmp_path / "one")
    assert one.wait() == 0, one.err
    expected = contents(tmp_path / "one")
    assert len(expected) > 20
    run = program(*command, "-o", tmp_path / "two", "-j", 2)
    assert run.code == 0, run.err
    assert contents(tmp_path / "two") == expected
    with local_cluster(1, threads=2) as cluster:
        where = ["--scheduler", cluster.scheduler_address]
        run = program(*command, "-o", tmp_path / "three", *where)
        assert run.code == 0, run.err
    assert contents(tmp_path / "three") == expected


@pytest.mark.parametrize("options", [["-j", 2], ["--scheduler-file", "b.json"]])
def test_one_way_to_run_is_chosen(program: Any, tmp_path: Path, options: list[object]) -> None:
    run = program("batch", tmp_path, tmp_path, "-o", "x", "--scheduler", "tcp://a:1", *options)
    assert run.code == 2
    assert "choose one of --jobs, --scheduler and --scheduler-file" in run.err


def test_a_dry_run_says_what_would_be_and_writes_nothing(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["batch", samples / "digits/model", samples / "digits/images", "-o", out]
    run = program(*command, "--dry-run", "--steps", 3)
    assert run.code == 0 and not out.exists()
    lines = run.out.decode().splitlines()
    assert lines[0] == "6 inputs, in 1 blocks of 128"
    assert lines[1].startswith("about ") and lines[2].count(" free at ") == 1
    assert lines[3] == "measured on 6, of which 0 failed"
