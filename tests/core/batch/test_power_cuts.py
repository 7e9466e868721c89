"""A run that a power cut ended goes on from what the disk holds, and leaves the same bytes."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from made import contents, engine, table
from power_cuts import Disk, PowerCut

from pellucid.batch import Run
from pellucid.errors import OutputError

CUTS = 60


def carry_out(source: Path, out: Path, **options: Any) -> Any:
    return Run(named=(str(source),), out=out, **options).carry_out(engine())


def whole(out: Path) -> dict[str, bytes]:
    assert not (out / ".batch").exists() and (out / "summary.json").stat().st_size
    return contents(out)


@pytest.fixture
def expected(source: Path, tmp_path: Path) -> dict[str, bytes]:
    carry_out(source, tmp_path / "undisturbed")
    return whole(tmp_path / "undisturbed")


def test_what_a_run_has_left_when_it_ends_is_on_the_disk(
    source: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk")
    with disk.recorded():
        carry_out(source, disk.root / "made/out")
    after = disk.copy(tmp_path / "after") / "made/out"
    assert carry_out(source, after).fresh == 0
    assert whole(after) == expected


def test_after_a_power_cut_the_same_command_leaves_the_same_bytes(
    source: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    chance = random.Random(14)
    (tmp_path / "disk").mkdir()
    with (whole_run := Disk(tmp_path / "disk")).recorded():
        carry_out(source, whole_run.root / "out")
    fresh = 0
    for cut in sorted(chance.sample(range(whole_run.changes), CUTS)):
        shutil.rmtree(tmp_path / "disk")
        (tmp_path / "disk").mkdir()
        disk = Disk(tmp_path / "disk")
        with disk.recorded(cut), pytest.raises(PowerCut):
            carry_out(source, disk.root / "out")
        for number, how in enumerate((None, chance, chance)):
            out = disk.copy(tmp_path / f"{cut}-{number}", how) / "out"
            fresh += carry_out(source, out).fresh
            assert whole(out) == expected, (cut, number)
    assert 0 < fresh < 3 * CUTS * 14  # of some, blocks were left


@pytest.mark.parametrize("force", [True, False])
def test_after_a_power_cut_nothing_is_taken_for_what_it_is_not(
    source: Path, tmp_path: Path, force: bool
) -> None:
    """Over a complete run of other inputs, and on from one whose files have changed since."""
    chance = random.Random(15)
    before, lines = tmp_path / "before", source / "b/broken.jsonl"
    if force:
        table(tmp_path / "other/z.csv", 9)
        carry_out(tmp_path / "other", before / "out")
    else:
        other = lines.read_text().replace('"2"', "2")
        good = lines.read_text()
        lines.write_text(other)
        run = Run(named=(str(source),), out=before / "out", max_errors=-1)
        run.carry_out(engine())
        lines.write_text(good)
    carry_out(source, tmp_path / "undisturbed")
    expected = whole(tmp_path / "undisturbed")
    shutil.copytree(before, tmp_path / "disk")
    with (whole_run := Disk(tmp_path / "disk")).recorded():
        carry_out(source, whole_run.root / "out", force=force)
    for cut in sorted(chance.sample(range(whole_run.changes), CUTS // 2)):
        shutil.rmtree(tmp_path / "disk")
        shutil.copytree(before, tmp_path / "disk")
        disk = Disk(tmp_path / "disk")
        with disk.recorded(cut), suppress(PowerCut):
            carry_out(source, disk.root / "out", force=force)
        for number, how in enumerate((None, chance)):
            out = disk.copy(tmp_path / f"{cut}-{number}", how) / "out"
            try:
                carry_out(source, out)
            except OutputError as error:
                assert (force and "belongs to another run" in str(error)) or "in part" in str(error)
                carry_out(source, out, force=True)
            assert whole(out) == expected, (cut, number)
