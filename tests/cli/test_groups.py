"""A watermark in half of a class is found by ``batch``; where there is none, nothing is announced."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import validate
from PIL import Image

from clusters import local_cluster
from pellucid.metadata import published_schema
from pellucid.model import Array
from run_folders import contents

MARKED = 3
METADATA = {
    "inputs": {
        "image": {
            "input_tensor_name": "serving_default_image:0",
            "modality": "image",
            "domain": {"min": 0, "max": 1},
        }
    },
    "outputs": {"class": {"output_tensor_name": "StatefulPartitionedCall_1:0"}},
    "framework": "tensorflow",
}


def digits(*, marked: bool) -> tuple[Array, Array, Array]:
    """Four classes of handwritten digits, their labels, and which have a white corner."""
    from sklearn.datasets import load_digits

    data = load_digits(n_class=4)
    pictures = (data.images / 16).astype(np.float32)[..., np.newaxis]
    marks = np.zeros(len(pictures), bool)
    if marked:
        marks[np.flatnonzero(data.target == MARKED)[::2]] = True
        pictures[marks, :2, :2] = 1
    return pictures, data.target, marks


def trained(pictures: Array, labels: Array, directory: Path) -> None:
    import keras

    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            keras.layers.Conv2D(16, 3, activation="relu", padding="same"),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(pictures, labels, epochs=12, batch_size=32, verbose=0)
    network.export(str(directory), verbose=False)
    (directory / "explanation_metadata.json").write_text(json.dumps(METADATA))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """``models(marked)`` has learned of pictures of which some are marked, or none."""

    @cache
    def model(marked: bool) -> Path:
        directory = tmp_path_factory.mktemp("models") / "model"
        pictures, labels, _ = digits(marked=marked)
        trained(pictures, labels, directory)
        return directory

    return model


@pytest.mark.parametrize("marked", [True, False])
def test_a_watermark_is_a_group_of_its_own_and_clean_pictures_have_none(
    program: Any, models: Callable[[bool], Path], tmp_path: Path, marked: bool
) -> None:
    pictures, labels, marks = digits(marked=marked)
    if marked:  # those of the other classes are in the clean run
        pictures, marks = pictures[labels == MARKED], marks[labels == MARKED]
    else:
        pictures = pictures[::2]
    np.save(tmp_path / "in.npy", pictures)
    run = program("batch", models(marked), tmp_path / "in.npy", "-o", tmp_path / "out",
                  "--steps", 5, *([] if marked else ["--no-overlays"]))  # fmt: skip
    assert run.code == 0, run.err
    written = (tmp_path / "out/summary.json").read_text()
    summary = json.loads(written)
    validate(summary, published_schema("summary"))
    # Pictures have no number a line, and nothing is written as Python does.
    assert not re.search(r"^ *-?[\d.e-]+,?$", written, re.M) and "the seed" not in written
    first = min(path.name for path in (tmp_path / "out/summary").iterdir())
    assert len(summary["groups"]) == (1 if marked else 4)
    if not marked:
        assert "findings" not in summary and "as a watermark would" not in run.err
        assert not any(it["finding"] for it in summary["groups"].values())
        assert len(list((tmp_path / "out/summary").glob("*.groups.*.png"))) == 4
        return
    (sentence,) = summary["findings"]
    page = (tmp_path / "out/index.html").read_text()
    assert sentence in run.err and sentence in page and first == "00.groups.class [3].png"
    found = summary["groups"]["class [3]"]
    group = found["groups"][0]
    assert found["finding"] and group["cell"] in ([0, 0], [0, 1], [1, 0], [1, 1])
    assert group["apart"] > 5 and found["maps"] <= found["of"]
    numbers = [int(name.partition("[")[2].rstrip("]")) for name in group["inputs"]]
    assert len(numbers) == group["count"] and group["inputs"][0] == group["medoid"]
    assert marks[numbers].mean() >= 0.95 and len(numbers) >= 0.95 * marks.sum()


def test_truth_and_groups_of_a_cluster_are_those_of_one_process(
    program: Any, models: Callable[[bool], Path], tmp_path: Path
) -> None:
    pictures, labels, _ = digits(marked=True)
    chosen = np.flatnonzero(labels >= 2)[::2]
    for number in chosen:
        folder = tmp_path / f"in/{labels[number]}"
        folder.mkdir(parents=True, exist_ok=True)
        picture = np.round(pictures[number, ..., 0] * 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{number:04d}.png")
    command = ["batch", models(True), tmp_path / "in", "--steps", 3, "--truth", "folder"]
    command += ["--block-size", 16, "--write", "csv"]
    run = program(*command, "-o", tmp_path / "one")
    assert run.code == 0, run.err
    with local_cluster(1, threads=2) as cluster:
        where = ("--scheduler", cluster.scheduler_address)
        there = program(*command, "-o", tmp_path / "two", *where)
    assert there.code == 0, there.err
    expected = contents(tmp_path / "one")
    assert contents(tmp_path / "two") == expected
    summary = json.loads((tmp_path / "one/summary.json").read_text())
    assert summary["truth"]["count"] == len(chosen)
    assert summary["groups"]["class [3]"]["finding"] and summary["findings"]
    assert "summary/00.groups.class [3].png" in expected
