"""A run that is killed, interrupted or out of disk: the same command leaves the same folder."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
from pathlib import Path

import pytest
from PIL import Image

from forked import Forks
from run_folders import contents

KILLS = 6


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, lines and files that are none of these."""
    from places import SAMPLES

    folder = tmp_path_factory.mktemp("inputs") / "in"
    images = sorted((SAMPLES / "digits/images").iterdir())
    for number in range(60):
        place = folder / f"{number % 3}" / f"{number:03d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(images[number % len(images)]) as picture:
            picture.rotate(number / 10).save(place)
    (folder / "0/broken.png").write_bytes(b"\x89PNG, but no further")
    (folder / "1/empty.jpg").write_bytes(b"")
    request = json.loads((SAMPLES / "digits/instances.json").read_text())["instances"]
    lines = [json.dumps(it) for it in request[:2]]
    (folder / "lines.jsonl").write_text("\n".join([lines[0], "nothing", lines[1]] * 5))
    return folder


def command(samples: Path, source: Path, out: Path) -> list[object]:
    return [
        *("batch", samples / "digits/model", source, "-o", out),
        *("--steps", 4, "--block-size", 6, "--raw", "--noisy-samples", 2),
    ]


@pytest.fixture(scope="module")
def undisturbed(
    forks: Forks, many: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What a run leaves that nobody disturbs."""
    from places import SAMPLES

    out = tmp_path_factory.mktemp("undisturbed") / "out"
    child = forks.start(*command(SAMPLES, many, out))
    assert child.wait() == 1, child.err  # some inputs are broken
    return contents(out)


def test_killed_at_random_points_a_run_ends_in_the_same_bytes(
    forks: Forks,
    many: Path,
    samples: Path,
    tmp_path: Path,
    undisturbed: dict[str, str],
) -> None:
    assert len(undisturbed) > 130
    chance = random.Random(6)
    kills = runs = 0
    while kills < KILLS or runs == 0:
        out = tmp_path / f"out{runs}"
        while True:
            touched = [re.escape(str(out))] * chance.randrange(1, 300)
            at = (signal.SIGKILL, touched) if kills < KILLS else None
            child = forks.start(*command(samples, many, out), at=at)
            code = child.wait()
            if code != -signal.SIGKILL:
                break
            kills += 1
        assert code == 1, child.err
        assert contents(out) == undisturbed
        shutil.rmtree(out)
        runs += 1


@pytest.mark.parametrize(
    "number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_one_interrupt_ends_after_the_blocks_in_flight_and_says_how_to_go_on(
    forks: Forks,
    many: Path,
    samples: Path,
    tmp_path: Path,
    number: int,
    code: int,
    undisturbed: dict[str, str],
) -> None:
    out = tmp_path / "out"
    second = [
        r"os\.rename .*/\.batch/blocks/.*\.json$"
    ] * 2  # the first block is written, the second not yet
    child = forks.start(*command(samples, many, out), at=(number, second))
    assert child.wait() == code, child.err
    assert "stopping after the blocks in flight" in child.err
    assert child.err.endswith(", of 77: interrupted; the same command goes on from there\n")
    assert not (out / "summary.json").exists()
    before = len(list(out.glob(".batch/blocks/*/*.json")))
    assert 0 < before < 13
    again = forks.start(*command(samples, many, out))
    assert again.wait() == 1
    assert "of 77 are done; going on from there" in again.err
    assert contents(out) == undisturbed


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("place", [r"open .*/saved_model\.pb$", r"os\.rename .*/index\.html$"])
def test_between_blocks_one_signal_ends_it_at_once(
    forks: Forks,
    many: Path,
    samples: Path,
    tmp_path: Path,
    number: int,
    code: int,
    place: str,
    undisturbed: dict[str, str],
) -> None:
    """While the model is loaded, and while the page is written."""
    out = tmp_path / "out"
    child = forks.start(*command(samples, many, out), at=(number, [place]))
    assert child.wait() == code, child.err
    assert child.err.endswith("stopped; the same command goes on from there\n")
    assert not (out / "summary.json").exists()
    if "index" in place:
        assert forks.start(*command(samples, many, out)).wait() == 1
        assert contents(out) == undisturbed


def test_the_second_interrupt_ends_it_at_once(
    forks: Forks, many: Path, samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    # The first block is begun when its pictures are read, and takes for ever.
    begun = [r"os\.rename .*/\.batch/plan\.json$", f"open {re.escape(str(many / '0'))}"]
    for_ever = ("--steps", 10**6, "--block-size", 40)
    child = forks.start(*command(samples, many, out), *for_ever, at=(signal.SIGINT, begun))
    child.until_said("stopping after the blocks in flight")
    child.signal(signal.SIGINT)
    assert child.wait() == 130, child.err
    assert not list(out.glob(".batch/blocks/*/*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted by root alone")
def test_a_full_disk_stops_the_run_and_says_so(
    forks: Forks,
    many: Path,
    samples: Path,
    tmp_path: Path,
    undisturbed: dict[str, str],
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=1500k tmpfs {disk} 2>/dev/null"):
        pytest.skip("no file system can be mounted here")
    try:
        out = disk / "out"
        child = forks.start(*command(samples, many, out))
        assert child.wait() == 2
        (said,) = (line for line in child.err.splitlines() if line.startswith("error: "))
        assert "cannot be written: No space left on device; " in said
        assert said.endswith("of 77 inputs are done, and the same command goes on from there")
        assert not any(out.glob(".batch/tmp/*"))
        assert os.system(f"mount -o remount,size=64m {disk}") == 0
        again = forks.start(*command(samples, many, out))
        assert again.wait() == 1, again.err
        # The page names the originals by their way from the folder, which lies elsewhere.
        found, expected = ({**it, "index.html": ""} for it in (contents(out), undisturbed))
        assert found == expected
    finally:
        os.system(f"umount {disk}")
