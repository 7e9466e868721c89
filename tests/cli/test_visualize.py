"""``pellucid visualize``: the pictures it writes, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def pixels(path: Path) -> Any:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"), dtype=float)


@pytest.fixture
def photos(samples: Path) -> Path:
    return samples / "photos"


def draw(program: Any, photos: Path, out: Path, *arguments: Any) -> Any:
    cat = photos / "images/cat.jpg"
    run = program("visualize", photos / "model", cat, "-o", out, "--steps", 8, "-q", *arguments)
    assert run.code == 0, run.err
    assert run.out.decode() == f"{out}\n"
    return pixels(out)


def test_the_overlay_has_the_photo_s_own_size(program: Any, photos: Path, tmp_path: Path) -> None:
    with Image.open(photos / "images/cat.jpg") as cat:
        width, height = cat.size
    overlay = draw(program, photos, tmp_path / "cat.png")
    assert overlay.shape == (height, width, 3)
    # Grayscale below, green where the attribution is: green stands out somewhere, red nowhere.
    green = overlay[..., 1] - overlay[..., [0, 2]].max(axis=2)
    assert green.max() > 60 and (overlay[..., 0] - overlay[..., 1]).max() <= 1


def test_most_of_the_attribution_is_on_the_rocket(
    program: Any, photos: Path, tmp_path: Path
) -> None:
    """The rocket stands in the middle third of its photo, which is sky and lamps elsewhere."""
    out = tmp_path / "rocket.png"
    run = program("visualize", photos / "model", photos / "images/rocket.jpg", "-o", out)
    assert run.code == 0, run.err
    overlay = pixels(out)
    green = np.maximum(overlay[..., 1] - overlay[..., 0], 0)
    third = overlay.shape[1] // 3
    assert green[:, third:-third].sum() > 0.75 * green.sum() > 0


def test_settings_override_the_metadata(program: Any, photos: Path, tmp_path: Path) -> None:
    plain = draw(program, photos, tmp_path / "a.png")
    for i, setting in enumerate(("type=outlines", "polarity=negative", "overlay_type=none")):
        other = draw(program, photos, tmp_path / f"{i}.png", "--set", setting)
        assert np.abs(other - plain).mean() > 0.5, setting


@pytest.mark.parametrize(
    "setting, sentence",
    [
        ("polarity=sideways", "visualization.polarity: "),
        ("polarty=both", "visualization.polarty: "),
        ("clip_below_percentile=140", "visualization.clip_below_percentile: "),
    ],
)
def test_a_setting_is_checked_as_in_the_metadata(
    program: Any, photos: Path, tmp_path: Path, setting: str, sentence: str
) -> None:
    cat = photos / "images/cat.jpg"
    run = program("visualize", photos / "model", cat, "-o", tmp_path / "a.png", "--set", setting)
    assert run.code == 2 and run.err.startswith(f"error: {sentence}"), run.err
    assert list(tmp_path.iterdir()) == []


def test_a_panel_is_wider_than_the_photo_twice(program: Any, photos: Path, tmp_path: Path) -> None:
    overlay = draw(program, photos, tmp_path / "a.png")
    panel = draw(program, photos, tmp_path / "b.png", "--panel")
    assert panel.shape[1] > 2 * overlay.shape[1] and panel.shape[0] > overlay.shape[0]


def test_several_pictures_go_into_a_folder(program: Any, samples: Path, tmp_path: Path) -> None:
    digits = samples / "digits"
    images = sorted((digits / "images").iterdir())
    out = tmp_path / "new" / "folder"
    run = program("visualize", digits / "model", *images, "-o", out, "-q")
    assert run.code == 0, run.err
    expected = [out / f"{image.stem}.overlay.png" for image in images]
    assert run.out.decode().splitlines() == [str(path) for path in expected]
    assert all(path.exists() for path in expected)
    one_file = program("visualize", digits / "model", *images, "-o", tmp_path / "one.png", "-q")
    assert one_file.code == 2 and "name a folder" in one_file.err


def test_a_request_is_drawn_too_and_a_table_is_not(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    digits = samples / "digits"
    run = program("visualize", digits / "model", digits / "instances.json", "-o", tmp_path, "-q")
    assert run.out.decode().splitlines()[0] == str(tmp_path / "instance-0.overlay.png")
    wine = samples / "wine"
    run = program("visualize", wine / "model", wine / "instances.json", "-o", tmp_path, "-q")
    assert run.code == 2 and "no explained input is an image" in run.err


def test_a_file_is_not_overwritten_unasked(program: Any, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    out.write_bytes(b"mine")
    cat = photos / "images/cat.jpg"
    run = program("visualize", photos / "model", cat, "-o", out)
    assert run.code == 2 and run.err == f"error: {out}: exists; add --force to overwrite it\n"
    assert out.read_bytes() == b"mine"


def test_pictures_of_the_same_name_are_told_apart_and_stdin_has_a_name(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    digits = samples / "digits"
    (tmp_path / "other").mkdir()
    seven = digits / "images/seven.png"
    (tmp_path / "other/seven.png").write_bytes((digits / "images/two.png").read_bytes())
    out = tmp_path / "out"
    run = program(
        "visualize", digits / "model", seven, tmp_path / "other/seven.png", "-", "-o", out, "-q",
        stdin=seven.read_bytes(),
    )  # fmt: skip
    assert run.code == 0, run.err
    names = [Path(line).name for line in run.out.decode().splitlines()]
    assert names == ["seven.overlay.png", "seven-1.overlay.png", "instance-2.overlay.png"]
    first, second, third = (pixels(out / name) for name in names)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, third)
