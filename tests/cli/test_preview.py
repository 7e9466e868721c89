"""``pellucid visualize --show``: pictures on the terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

HALF = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▀")


@pytest.fixture
def colors(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a terminal with 24-bit colour says of itself; to be set before the program runs."""
    return {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm", "COLUMNS": "80"}


def show(program: Any, samples: Path, name: str, *arguments: Any) -> Any:
    sample = samples / name
    inputs = sample / "images/seven.png"
    if not inputs.exists():
        inputs = sample / "instances.json"
    return program("visualize", sample / "model", inputs, "--show", "-q", *arguments)


def test_half_blocks_are_the_picture_and_its_overlay(
    program: Any,
    samples: Path,
    tmp_path: Path,
    colors: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "seven.png"
    # `program` takes colour away; `--color always` brings it back.
    for name, value in colors.items():
        monkeypatch.setenv(name, value)
    sample = samples / "digits"
    run = program(
        *("--color", "always", "visualize", sample / "model", sample / "images/seven.png"),
        *("--show", "-o", out, "-q"),
    )
    assert run.code == 0 and run.out.decode() == f"{out}\n"
    assert "seven: 0." in run.err
    rows = [HALF.findall(line) for line in run.err.splitlines() if "▀" in line]
    pixels = np.array(rows, int).reshape(len(rows), -1, 2, 3).transpose(0, 2, 1, 3)
    pixels = pixels.reshape(2 * len(rows), -1, 3)
    assert pixels.shape[1] <= 78 and abs(pixels.shape[0] - pixels.shape[1] / 2) <= 1
    overlay = pixels[:, pixels.shape[1] // 2 :]
    with Image.open(out) as written:
        expected = written.convert("RGB").resize(overlay.shape[1::-1], Image.Resampling.BOX)
    assert np.array_equal(overlay, np.asarray(expected))


def test_without_colour_pictures_are_of_characters(
    program: Any, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = show(program, samples, "digits")
    assert run.code == 0 and "\x1b" not in run.out.decode()
    assert set(run.out.decode()) & set("░▒▓█") and "seven: 0." in run.out.decode()
    assert list(tmp_path.iterdir()) == []


def test_columns_are_bars_and_words_are_words(
    program: Any, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wine = show(program, samples, "wine").out.decode()
    assert re.search(r"alcohol = 13\.9 +\+0\.192 +█{24}\n", wine)
    text = show(program, samples, "code_or_prose").out.decode()
    assert 'def fill(self, text=""):\n' in text
