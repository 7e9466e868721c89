"""Deletion and insertion against the bare forward passes of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from methods import photo
from rows import Row, compared, rows_of
from timing import in_process, interleaved

from pellucid.evaluate import Picture, subject_of
from pellucid.evaluate.metrics.curves import curves

PHOTOS, STAGES = 16, 50


def judging(turns: int) -> Iterator[Row]:
    """16 photos in 50 stages, of a small network and of one of MobileNetV2's size."""
    _, x, _ = rows_of("photos", PHOTOS)
    picture = {"size": x.shape[1:3], "channels": 2}
    for name in ("photos", "MobileNetV2"):
        model, key, _ = photo(name)
        zero = {key: np.zeros_like(x[:1])}
        subjects = [
            subject_of(model, {key: x[i : i + 1]}, zero, 0, number=i,
                       picture=Picture(feature=key, **picture))
            for i in range(len(x))
        ]  # fmt: skip
        rankings = [it.generator().random(it.count) for it in subjects]
        many = [{key: np.repeat(x[i : i + 1], 2 * (STAGES - 1), axis=0)} for i in range(len(x))]

        def ours(subjects: Any = subjects, rankings: Any = rankings) -> None:
            for subject, ranking in zip(subjects, rankings, strict=True):
                curves(subject, ranking, STAGES)

        def bare(model: Any = model, many: Any = many) -> None:
            for rows in many:
                model.outputs(rows)

        cases = {"ours": in_process(ours), "bare forward": in_process(bare)}
        # So many passes of a large model take long, and vary little.
        measured = interleaved(cases, 2 if name == "MobileNetV2" else turns)
        what = f"deletion and insertion {name}, {PHOTOS}×{STAGES}"
        yield compared(what, "bare forward", measured, bound=1.1)
