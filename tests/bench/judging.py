"""Deletion and insertion against the bare forward passes of their rows; and all metrics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from methods import photo
from rows import PHOTOS as SAMPLE_PHOTOS
from rows import SAMPLES, Row, compared, rows_of
from timing import in_process, in_subprocess, interleaved

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
        # Another one at each turn: what was asked of a ranking is not asked again.
        generator = np.random.default_rng(0)
        many = [{key: np.repeat(x[i : i + 1], 2 * (STAGES - 1), axis=0)} for i in range(len(x))]

        def ours(subjects: Any = subjects, generator: Any = generator) -> None:
            for subject in subjects:
                curves(subject, generator.random(subject.count), STAGES)

        def bare(model: Any = model, many: Any = many) -> None:
            for rows in many:
                model.outputs(rows)

        cases = {"ours": in_process(ours), "bare forward": in_process(bare)}
        # So many passes of a large model take long, and vary little.
        measured = interleaved(cases, 2 if name == "MobileNetV2" else turns)
        what = f"deletion and insertion {name}, {PHOTOS}×{STAGES}"
        yield compared(what, "bare forward", measured, bound=1.1)


def all_metrics(quick: bool) -> Iterator[Row]:
    """Six photos by four methods and all metrics in two processes: once, as it takes minutes.

    It is to take 180 seconds on two processors at rest.
    """
    what, model = (
        "evaluate imagenet, 6 photos, 4 methods, all metrics",
        SAMPLES / "imagenet" / "model",
    )
    if quick or not model.exists():
        why = "takes minutes" if quick else "sample_models/imagenet/make.py makes the model"
        yield Row(what, "seconds", note=why)
        return
    command = [sys.executable, "-m", "pellucid_cli", "evaluate", str(model)]
    command += ["--methods", "ig,xrai,shapley:regions,lime:slic", "--metrics", "all", "-j", "2"]
    used = in_subprocess([*command, str(SAMPLE_PHOTOS / "images")])()
    yield Row(what, "seconds", used.cpu, used.wall)
