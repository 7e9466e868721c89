"""A run that was broken off goes on from there; one that has become another is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from made import ABOUT, contents, engine, table

from pellucid.batch import Run, Selection, Wanted
from pellucid.errors import OutputError


class Killed(BaseException):
    """The process is dead: nothing that it would still do happens."""


def carry_out(source: Path, out: Path, **options: Any) -> Any:
    about = options.pop("about", ABOUT)
    table = options.pop("table", None)
    wanted = Wanted(out=str(out), table=table)
    run = Run(named=(str(source),), out=out, wanted=wanted, **options)
    return run.carry_out(engine(about, table=table is not None))


def dying(monkeypatch: pytest.MonkeyPatch, after: int) -> Callable[[], bool]:
    """Let the process die before its n-th change of a file; tells whether it did."""
    left = [after]

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return change(*arguments, **options)

        return changed

    opened = os.open

    def created(path: Any, flags: int, *rest: Any) -> int:
        descriptor = opened(path, flags, *rest)
        if flags & os.O_CREAT:
            left[0] -= 1
            if left[0] < 0:
                os.close(descriptor)  # it is there, and empty
                raise Killed
        return descriptor

    monkeypatch.setattr(os, "open", created)
    for change in ("replace", "unlink", "rmdir", "mkdir"):
        monkeypatch.setattr(os, change, counted(getattr(os, change)))
    return lambda: left[0] < 0


def test_killed_before_any_change_of_a_file_the_same_command_leaves_the_same_folder(
    source: Path, tmp_path: Path
) -> None:
    carry_out(source, tmp_path / "undisturbed", table="csv")
    expected = contents(tmp_path / "undisturbed")
    assert len(expected) == 18
    assert len(expected["table.csv"].splitlines()) == 1 + 3 * 13
    after, died = 0, True
    while died:
        out = tmp_path / f"out{after}"
        with pytest.MonkeyPatch.context() as patch:
            killed = dying(patch, after)
            with suppress(Killed):
                carry_out(source, out, table="csv")
            died = killed()
        carry_out(source, out, table="csv")
        assert contents(out) == expected, after
        assert not (out / ".batch").exists()
        after += 1
    assert after > 40


def test_a_block_whose_part_of_the_table_is_lost_is_done_again(
    source: Path, tmp_path: Path
) -> None:
    carry_out(source, tmp_path / "undisturbed", table="parquet")
    stop = Event()
    out = tmp_path / "out"

    class Watches:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: stop.set() if name == "finishes" else None

    run = Run(
        named=(str(source),), out=out, stop=stop, wanted=Wanted(out=str(out), table="parquet")
    )
    run.carry_out(engine(table=True), Watches())
    (part,) = out.glob(".batch/blocks/*/*.table")
    part.write_bytes(part.read_bytes()[:-9])
    carry_out(source, out, table="parquet")
    assert contents(out) == contents(tmp_path / "undisturbed")


def killed_and_again(out: Path, after: int, run: Callable[..., Any], **again: Any) -> bool:
    """Run, dying at the n-th change of a file, and run again; whether it died."""
    with pytest.MonkeyPatch.context() as patch:
        killed = dying(patch, after)
        with suppress(Killed):
            run()
        died = killed()
    try:
        run(**again)
    except OutputError as error:
        # What is left of another run is never taken for this one.
        assert "belongs to another run" in str(error) or "is cleared in part" in str(error)
        run(force=True)
    assert not (out / ".batch").exists()
    return died


def test_killed_while_it_begins_anew_it_leaves_nothing_of_the_other_run(
    source: Path, tmp_path: Path
) -> None:
    carry_out(source, tmp_path / "undisturbed", size=3)
    expected = contents(tmp_path / "undisturbed")
    table(tmp_path / "other/z.csv", 9)
    out, after, died = tmp_path / "out", 0, True
    before = [tmp_path / "complete", tmp_path / "broken off"]
    for folder, run_other in zip(before, (carry_out, broken_off), strict=True):
        carry_out(tmp_path / "other", out)
        run_other(tmp_path / "other", out, force=True)
        out.rename(folder)
    while died:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(before[after % 2], out)

        def run(force: bool = True) -> None:
            carry_out(source, out, size=3, force=force)

        died = killed_and_again(out, after, run, force=False)
        assert contents(out) == expected, after
        after += 1
    assert after > 40


def test_killed_while_it_begins_anew_what_is_left_does_not_pass_for_the_run_before(
    source: Path, tmp_path: Path
) -> None:
    carry_out(source, tmp_path / "undisturbed")
    expected = contents(tmp_path / "undisturbed")
    out, refused = tmp_path / "out", 0
    for after in range(25):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(tmp_path / "undisturbed", out)
        with pytest.MonkeyPatch.context() as patch:
            dying(patch, after)
            with suppress(Killed):
                carry_out(source, out, size=3, force=True)
        try:
            carry_out(source, out)
        except OutputError:
            refused += 1
        else:
            assert contents(out) == expected, after
    assert refused > 10


def test_killed_while_it_does_changed_files_again_it_forgets_none(
    source: Path, tmp_path: Path
) -> None:
    broken = source / "b/broken.jsonl"
    good = source / "b/good"
    good.write_text("[1, 2, 3]\nnothing\n[4, 5, 7]\n")
    out, after, died = tmp_path / "out", 0, True
    broken.write_text("[1, 2, 3]\n[1, 2, 3]\n[4, 5, 6]\n")
    os.utime(broken, (0, 0))
    broken_off(source, tmp_path / "broken off")
    shutil.copy2(good, broken)
    carry_out(source, tmp_path / "undisturbed")
    expected = contents(tmp_path / "undisturbed")
    while died:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(tmp_path / "broken off", out)
        died = killed_and_again(out, after, lambda: carry_out(source, out))
        assert contents(out) == expected, after
        after += 1
    assert after > 20


def test_a_run_that_is_complete_is_not_done_twice(source: Path, tmp_path: Path) -> None:
    first = carry_out(source, tmp_path / "out")
    assert (first.done, first.failed, first.fresh) == (14, 1, 14)
    before = (tmp_path / "out/summary.json").read_bytes()
    second = carry_out(source, tmp_path / "out")
    assert (second.done, second.failed, second.fresh) == (14, 1, 0)
    assert (tmp_path / "out/summary.json").read_bytes() == before
    third = carry_out(source, tmp_path / "out", force=True)
    assert third.fresh == 14


def broken_off(source: Path, out: Path, **options: Any) -> None:
    """A run whose third block was never begun."""
    run = Run(named=(str(source),), out=out, **options)

    class Two:
        finished = 0

        def warns(self, sentence: str) -> None: ...

        def notes(self, sentence: str) -> None: ...

        def begins(self, total: int, done: int, failed: int) -> None: ...

        def finishes(self, finished: object) -> None:
            self.finished += 1
            if self.finished == 2:
                run.stop.set()

    outcome = run.carry_out(engine(), Two())
    assert outcome.stopped == "interrupted" and outcome.done == 8


CHANGES = {
    "the model changed": {"about": replace(ABOUT, model="1" * 64)},
    "seed is 1, and was 0": {"about": replace(ABOUT, settings={"seed": 1})},
    "limit is 3, and was not set": {"selection": Selection(limit=3)},
    "blockSize is 5, and was 4": {"size": 5},
}


@pytest.mark.parametrize("reason", CHANGES)
@pytest.mark.parametrize("complete", [True, False])
def test_another_run_is_refused_with_the_reason(
    source: Path, tmp_path: Path, reason: str, complete: bool
) -> None:
    out = tmp_path / "out"
    (carry_out if complete else broken_off)(source, out)
    before = contents(out)
    with pytest.raises(OutputError) as caught:
        carry_out(source, out, **CHANGES[reason])
    assert str(caught.value) == (
        f"{out}: belongs to another run ({reason}); name another folder, or add force=True to "
        "start over"
    )
    assert contents(out) == before
    assert carry_out(source, out, force=True, **CHANGES[reason]).fresh


def test_another_list_of_inputs_is_refused_and_the_difference_named(
    source: Path, tmp_path: Path
) -> None:
    broken_off(source, tmp_path / "out")
    table(source / "b/ab.csv", 1)
    with pytest.raises(
        OutputError, match=r"other inputs: file 2 is \S+/ab.csv, and was \S+/broken.jsonl"
    ):
        carry_out(source, tmp_path / "out")
    (source / "b/ab.csv").unlink()
    (source / "b/c.csv").unlink()
    with pytest.raises(OutputError, match=r"file 3 is missing, and was \S+/c.csv"):
        carry_out(source, tmp_path / "out")
    table(source / "b/c.csv", 7, first=5)
    with pytest.raises(OutputError, match=r"c.csv holds 7 instances, and held 6"):
        carry_out(source, tmp_path / "out")


def test_what_was_made_of_a_file_that_has_changed_is_done_again(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    broken_off(source, out)
    (source / "b/broken.jsonl").write_text("[1, 2, 3]\n[1, 2, 3]\n[4, 5, 6]\n")
    outcome = carry_out(source, out)
    # The second block holds the last row of a.csv and the three lines; the first is as it was.
    assert (outcome.done, outcome.failed, outcome.fresh) == (14, 0, 10)
    carry_out(source, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_inputs_that_have_changed_after_the_run_are_said_to(source: Path, tmp_path: Path) -> None:
    carry_out(source, tmp_path / "out")
    table(source / "a.csv", 5, first=50)
    with pytest.raises(OutputError, match=r"some inputs have changed since"):
        carry_out(source, tmp_path / "out")


def test_one_run_at_a_time_writes_a_folder(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inner: list[str] = []

    class Second:
        def warns(self, sentence: str) -> None: ...

        def notes(self, sentence: str) -> None: ...

        def begins(self, total: int, done: int, failed: int) -> None:
            # It is refused before anybody waits for its model.
            second = Run(named=(str(source),), out=out)
            with pytest.raises(OutputError, match="another run is writing here"):
                second.carry_out(None)  # type: ignore[arg-type]
            inner.append("refused")

        def finishes(self, finished: object) -> None: ...

    Run(named=(str(source),), out=out).carry_out(engine(), Second())
    assert inner == ["refused"]


def test_a_folder_that_has_become_read_only_says_so_and_not_that_there_is_something(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "out/.batch/tmp/left"
    left.parent.mkdir(parents=True)
    left.touch()

    def refuse(path: object, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        patched.setattr(os, "rmdir", refuse)
        with pytest.raises(OutputError, match="cannot be written: Permission denied"):
            carry_out(source, tmp_path / "out")


def test_a_folder_with_files_of_others_is_kept_and_what_is_theirs_survives_force(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "overlays").mkdir(parents=True)
    (out / "overlays/mine.jpg").write_text("mine")
    with pytest.raises(OutputError, match="is not empty; add force=True to write into it"):
        carry_out(source, out)
    carry_out(source, out, force=True)
    assert (out / "overlays/mine.jpg").read_text() == "mine"


def test_the_summary_adds_up_what_the_lines_say(source: Path, tmp_path: Path) -> None:
    carry_out(source, tmp_path / "out", size=3)
    lines = [
        json.loads(line)
        for line in (tmp_path / "out/explanation.results-00000-of-00001").read_text().splitlines()
    ]
    assert [line["number"] for line in lines] == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13]
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert (summary["explained"], summary["failed"]) == (13, 1)
    assert sum(summary["meanAttributions"]["y"]["x"]) * 13 == pytest.approx(
        sum(it["sum"] for it in lines)
    )
    assert summary["approxError"] == {"median": 4.0, "p95": pytest.approx(9.4), "max": 10.0}
