"""A small run for the tests of the gallery: pictures, numbers, failures and awkward names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from pellucid.gallery.page import Entry, write_gallery

LABELS = ("cat", "dog", "heron", "<b>bold</b>")
BROKEN = (3, 11, 19)
COUNT = 40


def name_of(number: int) -> str:
    odd = {5: "50% #1?.png", 6: "a b&c+d;e.png", 7: "caf\udce9.png", 8: "two\nlines.png"}
    return f"in/{odd.get(number, f'{number:02}.png')}"


def picture(path: Path, number: int, *, size: tuple[int, int] = (96, 64)) -> str:
    """A picture of its own for each number: something must be seen to change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path)
    return path.name


def entries(folder: Path) -> Iterator[Entry]:
    """Forty inputs: three failed, one without a label, one without an original."""
    for number in range(COUNT):
        name = name_of(number)
        if number in BROKEN:
            reason = f"{name}: cannot be read as a picture: 0 bytes"
            yield Entry(name=name, error=reason, row={"input": name, "error": reason})
            continue
        picture(folder / f"overlays/{name}.png", number)
        picture(folder / f"originals/{name}", 100 + number)
        label = LABELS[number % 4] if number != 9 else None
        score = (number * 7 % COUNT) / COUNT
        attributions = [
            {"label_name": each, "example_score": score / (place + 1), "baseline_score": 0.125}
            for place, each in enumerate((label, "other"))
        ]
        yield Entry(
            name=name,
            overlay=f"overlays/{name}.png",
            original=f"originals/{name}" if number != 10 else None,
            thumbnail=None,
            label=label,
            score=score,
            approx_error=(number * 11 % COUNT) / 200,
            row={
                "instance": name.encode("utf-8", "replace").decode(),
                "prediction": [score, 1 - score],
                "explanation": {"attributions_by_label": attributions},
            },
        )


def make_run(folder: Path) -> Path:
    """Write the run and its gallery; return the page."""
    return write_gallery(folder, entries(folder), title="Pets & <birds>")


def make_large_run(folder: Path, count: int) -> Path:
    """Write a gallery of `count` entries, each with a thumbnail file of its own."""
    small = folder / "thumbnails"
    made = [small / picture(small / f"made-{k}.jpg", k, size=(224, 160)) for k in range(200)]

    def each() -> Iterator[Entry]:
        for number in range(count):
            name = f"holiday/2019/IMG_{number:05}.jpg"
            thumbnail = small / f"{number:05}.jpg"
            thumbnail.hardlink_to(made[number % len(made)])
            label = f"label {number % 50}"
            row = {
                "instance": name,
                "prediction": [number / count] * 10,
                "explanation": {"attributions_by_label": [{"label_name": label, "score": 0.5}]},
            }
            yield Entry(
                name=name,
                overlay=f"thumbnails/{thumbnail.name}",
                thumbnail=f"thumbnails/{thumbnail.name}",
                label=label,
                score=number * 7919 % count / count,
                approx_error=number * 104729 % count / count / 10,
                row=row,
                error=f"{name}: is empty" if number % 97 == 0 else None,
            )

    return write_gallery(folder, each(), title="10,000 holidays")
