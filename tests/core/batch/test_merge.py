"""Parts of a run in folders of their own become what one run would have written."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from made import ABOUT, contents, engine, table

from pellucid.batch import Part, Run, Selection, Wanted, merge
from pellucid.batch import plan as planning
from pellucid.batch.output_folder import Folder
from pellucid.errors import OutputError

TABLE = Wanted(out="", table="csv")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    table(tmp_path / "in/a.csv", 30)
    table(tmp_path / "in/b.csv", 33, first=30)
    (tmp_path / "in/c.jsonl").write_text("[1, 2, 3]\nnothing\n[4, 5, 6]\n")
    return tmp_path / "in"


def run(source: Path, out: Path, part: Part | None = None, **options: Any) -> Any:
    made = Run(named=(str(source),), out=out, size=4, shard=part, wanted=TABLE, **options)
    return made.carry_out(engine(table=True))


def parts(source: Path, folder: Path, of: int, **options: Any) -> list[Path]:
    found = [folder / f"part{number}" for number in range(1, of + 1)]
    for number, out in enumerate(found, 1):
        outcome = run(source, out, Part(number, of), **options)
        assert outcome.stopped is None and outcome.done == outcome.total
    return found


@pytest.mark.parametrize("of", [1, 3, 8, 40])
def test_parts_put_together_are_the_bytes_of_one_run(
    source: Path, tmp_path: Path, of: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any order; more parts than blocks, too, of which some are empty; several result files."""
    monkeypatch.setattr(planning, "SHARD", 20)
    run(source, tmp_path / "one")
    folders = parts(source, tmp_path, of)
    before = contents(tmp_path / "part1")
    outcome = merge(folders[::-1], tmp_path / "all")
    assert (outcome.done, outcome.failed, outcome.fresh) == (66, 1, 66)
    assert contents(tmp_path / "all") == contents(tmp_path / "one")
    one, both = (Folder(tmp_path / it).summary() for it in ("one", "all"))
    assert {**both, "timing": None} == {**one, "timing": None}
    assert contents(tmp_path / "part1") == before
    assert merge(folders, tmp_path / "all").fresh == 0
    assert run(source, tmp_path / "all").fresh == 0


def test_a_merge_that_was_broken_off_goes_on(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "one")
    folders = parts(source, tmp_path, 3, selection=Selection(limit=60))
    run(source, tmp_path / "less", selection=Selection(limit=60))

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(folders, tmp_path / "all", on_block=stop)
    merge(folders, tmp_path / "all")
    assert contents(tmp_path / "all") == contents(tmp_path / "less")
    with pytest.raises(OutputError, match="belongs to another run"):
        merge(folders, tmp_path / "one")
    merge(folders, tmp_path / "one", force=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "less")


def test_a_part_that_was_stopped_goes_on(source: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    class Stopping:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

        def finishes(self, finished: Any) -> None:
            stop.set()

    made = Run(named=(str(source),), out=tmp_path / "p", size=4, shard=Part(1, 2), stop=stop)
    outcome = made.carry_out(engine(), Stopping())
    assert outcome.stopped == "interrupted" and outcome.total == 34
    again = Run(named=(str(source),), out=tmp_path / "p", size=4, shard=Part(1, 2))
    assert again.carry_out(engine()).done == 34
    for other in (Part(2, 2), Part(1, 3), None):
        with pytest.raises(OutputError, match=r"it is .*, and was part 1/2"):
            Run(named=(str(source),), out=tmp_path / "p", size=4, shard=other).carry_out(engine())


def test_what_is_no_whole_run_is_refused(source: Path, tmp_path: Path) -> None:
    first, second, third = parts(source, tmp_path, 3)
    out = tmp_path / "all"

    def refused(*folders: Path) -> str:
        with pytest.raises(OutputError) as caught:
            merge(folders, out)
        assert not out.exists()
        return str(caught.value)

    kept = contents(first)
    with pytest.raises(OutputError, match="is one of the parts"):
        merge([first, second, third], first.parent / "x/.." / first.name, force=True)
    assert contents(first) == kept
    assert "part 2 of 3 is missing" in refused(first, third)
    assert "is part 1, and so is" in refused(first, first, second, third)
    run(source, tmp_path / "one")
    assert "is a complete run" in refused(first, tmp_path / "one", third)
    assert "holds no part of a run" in refused(first, tmp_path, third)
    (lost,) = list((second / ".batch/blocks").rglob("0000004.json"))
    lost.unlink()
    assert "part 2/3 is not complete: block 5 of 17 is not explained" in refused(
        first, second, third
    )
    (second / ".batch/plan.json").write_text("{}")
    assert "holds no part of a run" in refused(first, second, third)
    others = parts(table(tmp_path / "other/a.csv", 66).parent, tmp_path / "others", 3)
    assert "is a part of another run" in refused(first, others[1], third)
    assert "other inputs" in refused(first, others[1], third)
    assert ABOUT.size == 4
