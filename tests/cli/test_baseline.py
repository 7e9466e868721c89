"""``--baseline`` at the command line: what each command makes of it, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import advice_models


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return advice_models.columns(tmp_path_factory.mktemp("models") / "columns")


@pytest.fixture
def request_of(tmp_path: Path) -> Any:
    def written(count: int) -> Path:
        rows = np.random.RandomState(0).randn(count, 5).tolist()
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps({"instances": rows}), "utf-8")
        return path

    return written


def test_visualize_takes_the_mean_of_all_that_it_draws(
    program: Any, columns: Path, request_of: Any, tmp_path: Path
) -> None:
    """However many are explained at a time."""
    run = program(
        "visualize", columns, request_of(18), "--baseline", "mean", "-o", tmp_path / "drawn"
    )
    assert run.code == 0
    assert "\nbaseline: the mean of 18 instances\n" in run.err
    assert len(list((tmp_path / "drawn").iterdir())) == 18


@pytest.mark.parametrize("kind", ["zero", "0.5"])
def test_what_was_typed_is_not_repeated(
    kind: str, program: Any, columns: Path, request_of: Any
) -> None:
    run = program("explain", columns, request_of(2), "--baseline", kind)
    assert run.code == 0
    assert "baseline" not in run.err


def test_batch_takes_a_baseline_and_no_mean(
    program: Any, columns: Path, request_of: Any, tmp_path: Path
) -> None:
    """A mean of what is read piece by piece would be that of no call."""
    command = ("batch", columns, request_of(3), "-o", tmp_path / "run", "--no-gallery")
    refused = program(*command, "--baseline", "mean")
    assert refused.code == 2
    assert "error: baseline: the mean is that of the instances of one call" in refused.err
    np.save(tmp_path / "mean.npy", np.full(5, 0.5))
    assert program(*command, "--baseline", tmp_path / "mean.npy").code == 0
    changed = program(*command, "--baseline", "noise")
    assert changed.code == 2
    assert "baseline is noise, and was mean.npy" in changed.err, (
        "a run does not go on with another one"
    )


def test_serve_takes_no_mean(program: Any, columns: Path) -> None:
    refused = program("serve", columns, "--port", "0", "--baseline", "mean")
    assert refused.code == 2
    assert "--baseline mean is that of the instances of one call" in refused.err
