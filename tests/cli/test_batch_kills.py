"""A run that is killed, interrupted or out of disk: the same command leaves the same folder."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from PIL import Image

from forked import Forks

KILLS = 20


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    server = Forks(tmp_path_factory.mktemp("runs"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, lines and files that are none of these."""
    from places import SAMPLES

    folder = tmp_path_factory.mktemp("inputs") / "in"
    images = sorted((SAMPLES / "digits/images").iterdir())
    for number in range(120):
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


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, timings aside."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    summary = json.loads(found["summary.json"])
    assert summary.pop("timing")["seconds"] > 0
    return {**found, "summary.json": json.dumps(summary).encode()}


@pytest.fixture(scope="module")
def undisturbed(
    forks: Forks, many: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], float]:
    """What a run leaves that nobody disturbs, and how long it takes."""
    from places import SAMPLES

    out = tmp_path_factory.mktemp("undisturbed") / "out"
    child = forks.start(*command(SAMPLES, many, out))
    started = monotonic()
    assert child.wait() == 1, child.err  # some inputs are broken
    return contents(out), monotonic() - started


def test_killed_at_random_points_a_run_ends_in_the_same_bytes(
    forks: Forks,
    many: Path,
    samples: Path,
    tmp_path: Path,
    undisturbed: tuple[dict[str, bytes], float],
) -> None:
    expected, whole = undisturbed
    assert len(expected) > 250
    chance = random.Random(6)
    kills = runs = 0
    while kills < KILLS or runs == 0:
        out = tmp_path / f"out{runs}"
        while True:
            child = forks.start(*command(samples, many, out))
            if kills < KILLS:
                sleep(chance.uniform(0.2, 1.0) * whole)
                child.signal(signal.SIGKILL)
            code = child.wait()
            if code != -signal.SIGKILL:
                break
            kills += 1
        assert code == 1, child.err
        assert contents(out) == expected
        shutil.rmtree(out)
        runs += 1


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_interrupt_ends_after_the_blocks_in_flight_and_says_how_to_go_on(
    forks: Forks,
    many: Path,
    samples: Path,
    tmp_path: Path,
    number: int,
    code: int,
    undisturbed: tuple[dict[str, bytes], float],
) -> None:
    out = tmp_path / "out"
    child = forks.start(*command(samples, many, out))
    child.until(out, ".batch/blocks/*/*.json")
    child.signal(number)
    assert child.wait() == code, child.err
    assert "stopping after the blocks in flight" in child.err
    assert child.err.endswith(", of 137: interrupted; the same command goes on from there\n")
    assert not (out / "summary.json").exists()
    before = len(list(out.glob(".batch/blocks/*/*.json")))
    assert 0 < before < 23
    again = forks.start(*command(samples, many, out))
    assert again.wait() == 1
    assert "of 137 are done; going on from there" in again.err
    assert contents(out) == undisturbed[0]


def test_the_second_interrupt_ends_it_at_once(
    forks: Forks, many: Path, samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    child = forks.start(*command(samples, many, out), "--steps", 5000)
    child.until(out, ".batch/plan.json")
    sleep(0.5)
    child.signal(signal.SIGINT)
    sleep(0.2)
    child.signal(signal.SIGINT)
    assert child.wait(20) == 130, child.err


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted by root alone")
def test_a_full_disk_stops_the_run_and_says_so(
    forks: Forks,
    many: Path,
    samples: Path,
    tmp_path: Path,
    undisturbed: tuple[dict[str, bytes], float],
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
        assert said.endswith("of 137 inputs are done, and the same command goes on from there")
        assert not any(out.glob(".batch/tmp/*"))
        assert os.system(f"mount -o remount,size=64m {disk}") == 0
        again = forks.start(*command(samples, many, out))
        assert again.wait() == 1, again.err
        # The page names the originals by their way from the folder, which lies elsewhere.
        found, expected = ({**it, "index.html": b""} for it in (contents(out), undisturbed[0]))
        assert found == expected
    finally:
        os.system(f"umount {disk}")
