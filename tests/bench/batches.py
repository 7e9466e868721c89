"""A folder of pictures explained by `batch`, against a bare loop over as many rows.

The pictures are crops of the sample photos, and digits dimmed more and more, so that no two are the
same. Memory is read after each block: flat means that a million would fit, too.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event

import numpy as np
from hand_written import hand_written
from PIL import Image
from rows import BENCH, SAMPLES, Row
from timing import Used, in_process

import pellucid
from pellucid.batch import Finished, Run, Wanted, Work, in_threads
from pellucid.inputs.readers import read_file

ROWS = 50
"""How many rows the loop has in memory; it goes over them until it has done as many as we."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a run took, what the loop took, and how memory grew from the first to the last tenth."""

    count: int
    ours: Used
    loop: Used
    growth: float


def folders(quick: bool) -> Iterator[Row]:
    """Whole runs over folders: throughput against the bare loop, and whether memory grows."""
    for name, count in (("digits", 10_000), ("photos", 1_000)):
        done = run(name, count // 10 if quick else count, BENCH)
        what = f"batch of {done.count:,} {name}"
        yield Row(
            what,
            "hand-written loop",
            done.ours.cpu / done.loop.cpu,
            done.ours.wall / done.loop.wall,
            note=f"{done.count / done.ours.wall:.1f}/s, all files written",
            bound=1 / 0.9,
        )
        yield Row(f"memory of {what}", "last tenth / first", done.growth, bound=1.05)


class Memory:
    """Reads the resident memory after each block."""

    def __init__(self) -> None:
        self.resident: list[int] = []

    def warns(self, sentence: str) -> None:
        """Nothing is said."""

    def notes(self, sentence: str) -> None:
        """Nothing is said."""

    def begins(self, total: int, done: int, failed: int) -> None:
        """Nothing is said."""

    def finishes(self, finished: Finished) -> None:
        """A block is written."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.resident.append(pages)

    @property
    def growth(self) -> float:
        """Last tenth over first tenth, once the first tenth of all has warmed up."""
        warm = self.resident[len(self.resident) // 10 :]
        tenth = max(1, len(warm) // 10)
        return median(warm[-tenth:]) / median(warm[:tenth])


def run(name: str, count: int, scratch: Path) -> Done:
    """Explain `count` pictures made of a sample model's."""
    directory = Path(tempfile.mkdtemp(dir=scratch))
    try:
        (digits if name == "digits" else photos)(directory / "in", count)
        model = pellucid.load(SAMPLES / name / "model", warn=lambda sentence: None)
        paths = sorted((directory / "in").rglob("*.*"))[:ROWS]
        read = [next(iter(read_file(path, model.inputs))) for path in paths]
        (key,) = read[0].tensors
        x = np.stack([np.asarray(it.tensors[key], np.float32) for it in read])
        loop = hand_written(
            SAMPLES / name / "model", x, model.explainer.model.outputs({key: x}).argmax(1)
        )
        model.explain(read[:2])  # compiled before the clock starts, as the loop is
        memory = Memory()

        def ours() -> None:
            out, stop = directory / "out", Event()
            work = Work(model, Wanted(out=str(out)))
            job = Run(named=(str(directory / "in"),), out=out, stop=stop)
            outcome = job.carry_out(in_threads(work, stop), memory)
            assert outcome.explained == count

        def theirs() -> None:
            for _ in range(count // len(x)):
                loop()

        before = in_process(theirs)()
        mine = in_process(ours)()
        after = in_process(theirs)()
        mean = Used((before.cpu + after.cpu) / 2, (before.wall + after.wall) / 2)
        return Done(count, mine, mean, memory.growth)
    finally:
        shutil.rmtree(directory)


def photos(folder: Path, count: int) -> None:
    """Write crops of the sample photos, JPEG of 200 to 480 pixels."""
    chance = np.random.default_rng(0)
    pictures = [Image.open(it).convert("RGB") for it in _pictures("photos")]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        share = chance.uniform(0.7, 0.98)
        width, height = int(picture.width * share), int(picture.height * share)
        x, y = chance.integers(picture.width - width), chance.integers(picture.height - height)
        path = folder / f"{number // 100:03d}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.crop((int(x), int(y), int(x) + width, int(y) + height)).save(path, quality=90)


def digits(folder: Path, count: int) -> None:
    """Write the sample digits, dimmed more and more."""
    pictures = [np.asarray(Image.open(it), np.float64) for it in _pictures("digits")]
    for number in range(count):
        dimmed = pictures[number % len(pictures)] * (1 - 0.5 * number / count)
        path = folder / f"{number // 1000:03d}" / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(dimmed.astype(np.uint8)).save(path)


def _pictures(name: str) -> list[Path]:
    return sorted((SAMPLES / name / "images").iterdir())
