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


def test_errors_are_seen_in_pictures_old_and_new(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    digits, raw = samples / "digits", tmp_path / "seven.npz"
    model, seven = digits / "model", digits / "images/seven.png"
    lime = ("--method", "lime", "--samples", 100, "-q")
    made = {}
    for name, given in {"plain": (), "faded": ("--errors",)}.items():
        run = program("visualize", model, seven, "-o", tmp_path / f"{name}.png", *lime, *given)
        assert run.code == 0, run.err
        made[name] = pixels(tmp_path / f"{name}.png")
    assert np.abs(made["plain"] - made["faded"]).mean() > 0.5
    assert program("explain", model, seven, "--raw", raw, *lime).code == 0
    run = program("visualize", raw, "-o", tmp_path / "again.png", "--errors", "-q")
    assert run.code == 0, run.err
    np.testing.assert_array_equal(pixels(tmp_path / "again.png"), made["faded"])


def test_where_no_errors_are_known_that_is_said(program: Any, photos: Path, tmp_path: Path) -> None:
    cat = photos / "images/cat.jpg"
    arguments = ("--method", "xrai", "--steps", 4, "--errors")
    run = program("visualize", photos / "model", cat, "-o", tmp_path / "a.png", *arguments)
    assert run.code == 0, run.err
    assert "warning: XRAI has no errors of single values: its regions are chosen by" in run.err
    assert "are known" not in run.err
    raw = tmp_path / "cat.npz"
    given = (*arguments, "--raw", raw, "-o", tmp_path / "cat.json")
    explained = program("explain", photos / "model", cat, *given)
    assert "warning: XRAI has no errors of single values" in explained.err, explained.err
    run = program("visualize", raw, "-o", tmp_path / "b.png", "--errors")
    assert "warning: cat: no errors of single values are known" in run.err


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
    assert not (tmp_path / "one.png").exists()


def test_requests_tables_and_texts_are_drawn_too(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    def drawn(name: str, *arguments: Any) -> list[str]:
        sample = samples / name
        out = tmp_path / f"{name}{len(arguments)}"
        run = program(
            "visualize", sample / "model", sample / "instances.json", "-o", out, "-q", *arguments
        )
        assert run.code == 0, run.err
        paths = [Path(line) for line in run.out.decode().splitlines()]
        assert all(path.parent == out and path.stat().st_size > 100 for path in paths)
        return [path.name for path in paths]

    assert drawn("digits")[0] == "instances-0.overlay.png"
    assert drawn("wine") == [f"instances-{i}.chart.png" for i in range(3)]
    assert drawn("code_or_prose")[:3] == [
        "instances-0.text.png",
        "instances-0.text.html",
        "instances-1.text.png",
    ]
    assert drawn("wine", "--labels", 3)[0] == "instances-0.labels.png"
    assert drawn("wine", "--compare", "ig,shapley")[0] == "instances-0.compare.png"


def test_the_suffix_of_a_file_says_what_is_written(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    digits, seven = samples / "digits/model", samples / "digits/images/seven.png"
    forms = {"a.png": "PNG", "a.jpg": "JPEG", "a.gif": "GIF"}
    for name, form in forms.items():
        run = program("visualize", digits, seven, "-o", tmp_path / name, "-q")
        assert run.code == 0, run.err
        with Image.open(tmp_path / name) as picture:
            assert picture.format == form
    text = samples / "code_or_prose/model"
    page = tmp_path / "a.html"
    said = b'{"text": "import this"}'
    run = program("visualize", text, "-", "-o", page, "-q", stdin=said)
    assert run.code == 0 and page.read_text().startswith("<!DOCTYPE html>")
    run = program("visualize", text, "-", "-o", tmp_path / "b.gif", "-q", stdin=said)
    assert run.code == 2 and run.err == (
        f"error: {tmp_path / 'b.gif'}: what is drawn here is no gif file; try .png\n"
    )
    run = program("visualize", digits, seven, "--set", "output_format=jpeg", "-o", tmp_path / "f")
    assert run.out.decode() == f"{tmp_path / 'f' / 'seven.overlay.jpg'}\n"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("--labels", "2", "--compare", "ig"), "--compare and --labels do not go together"),
        (("--gif", "--labels", "2"), "--labels and --gif do not go together"),
        (("--panel", "--compare", "ig"), "--panel and --compare do not go together"),
        (("--actual", "five"), "--actual is written on --labels and --panel"),
        (("--compare", "ig", "--method", "xrai"), "leave out --method"),
        (("--compare", "ig,limes"), "'limes' is not a method; did you mean 'lime'?"),
        (("--set", "polarity"), "'polarity' is not KEY=VALUE"),
    ],
)
def test_what_cannot_be_had_costs_one_sentence(
    program: Any, samples: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    digits, seven = samples / "digits/model", samples / "digits/images/seven.png"
    run = program("visualize", digits, seven, "-o", tmp_path, *arguments)
    assert run.code == 2 and sentence in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_percentile_is_a_rank_or_a_share(program: Any, photos: Path, tmp_path: Path) -> None:
    """Below the 70th rank lie 70 % of the pixels, whatever share of the attribution they have."""
    given = ("--set", "overlay_type=none", "--set", "polarity=both")
    clip = ("--set", "clip_below_percentile=70")
    share = draw(program, photos, tmp_path / "a.png", *given, *clip, "--percentile", "share")
    rank = draw(program, photos, tmp_path / "b.png", *given, *clip)
    assert rank.any(2).mean() == pytest.approx(0.3, abs=0.02)
    assert share.any(2).mean() < 0.2


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
