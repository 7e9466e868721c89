"""A pipe in the place of a file is refused at once; what a shell hands over is read."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REFUSED = "is a pipe, a socket or a device, not a file"


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Any]:
    """``pipe(name)`` is a pipe; whoever opens it and waits for a writer finds nothing in it."""
    made: list[Path] = []

    def make(path: Path) -> Path:
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        made.append(path)
        threading.Thread(target=lambda: os.close(os.open(path, os.O_WRONLY)), daemon=True).start()
        return path

    yield make
    for path in made:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))  # lets the thread go


@pytest.mark.parametrize("name", ["it.png", "it.json", "it.jsonl", "it.csv.gz", "it.npy", "it"])
@pytest.mark.parametrize("command", ["explain", "batch"])
def test_an_input(
    program: Any, digits: Path, tmp_path: Path, pipe: Any, command: str, name: str
) -> None:
    out = ("-o", tmp_path / "out") if command == "batch" else ()
    run = program(command, digits, pipe(tmp_path / name), *out)
    assert run.code == 1 and f"{tmp_path / name}: " in run.err and REFUSED in run.err


def test_every_other_file(
    program: Any, digits: Path, seven: Path, tmp_path: Path, pipe: Any
) -> None:
    it = pipe(tmp_path / "it.npz")
    folder = tmp_path / "folder"
    folder.mkdir()
    pipe(folder / "explanation.results-00000-of-00001")
    for arguments in (
        ("visualize", it),
        ("batch", digits, "--files-from", it, "-o", tmp_path / "out"),
        ("validate-metadata", it),
        ("validate-metadata", "--files-from", it),
        ("convert-metadata", it),
        ("gallery", folder),
        ("explain", digits, seven, "--metadata", it),
        ("explain", digits, seven, "--class-names", it),
        ("index", digits, it, "-o", tmp_path / "index.npz"),
        ("serve", digits, "--token-file", it, "--port", 0),
    ):
        run = program(*arguments)
        assert run.code in (1, 2) and REFUSED in run.err + run.out.decode(), arguments


@pytest.mark.parametrize(
    "name",
    ["saved_model.pb", "explanation_metadata.json", "variables/variables.index", "labels.txt"],
)
def test_a_file_of_the_model(
    program: Any, digits: Path, seven: Path, copy_of: Any, pipe: Any, name: str
) -> None:
    model = copy_of(digits)
    pipe(model / name)
    run = program("explain", model, seven)
    there = name == "labels.txt"  # which is not asked for: what is no file is no file of labels
    assert run.code == (0 if there else 2), run.err


def test_what_a_shell_hands_over(program: Any, digits: Path, samples: Path, tmp_path: Path) -> None:
    request = (samples / "digits/instances.json").read_bytes()
    wanted = program("explain", digits, samples / "digits/instances.json", "--steps", 2)
    assert wanted.code == 0

    def handed(data: bytes) -> tuple[int, str]:
        reading, writing = os.pipe()

        def write() -> None:
            with os.fdopen(writing, "wb") as file:
                file.write(data)

        threading.Thread(target=write).start()
        return reading, f"/dev/fd/{reading}"

    reading, name = handed(request)
    found = program("explain", digits, name, "--steps", 2)
    os.close(reading)
    assert (found.code, found.out) == (0, wanted.out)
    assert program("explain", digits, "-", "--steps", 2, stdin=request).out == wanted.out
    shutil.copy(samples / "digits/images/two.png", tmp_path)
    reading, name = handed(f"{tmp_path}/two.png\n".encode())
    listed = program(
        "batch", digits, "--files-from", name, "-o", tmp_path / "out", "-q", "--steps", 2
    )
    os.close(reading)
    assert listed.code == 0, listed.err
