"""How a run goes, as people and programs read it."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from pellucid_cli.options.shared import Console
from pellucid_cli.output.batch_progress import INTERVAL, Lines, Pace, amount, duration, rate_text


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time, "monotonic", found.monotonic)
    return found


def block(count: int, *errors: str) -> SimpleNamespace:
    records = [SimpleNamespace(name="n", error=error) for error in errors]
    records += [SimpleNamespace(name="n", error=None)] * (count - len(errors))
    return SimpleNamespace(records=records, failed=len(errors))


def test_the_pace_is_that_of_this_time(clock: Clock) -> None:
    pace = Pace()
    pace.begin(total=1000, done=400, failed=2)
    assert pace.seconds_left is None
    clock.now += 20
    pace.add(100, 1)
    assert pace.per_second == 5 and pace.seconds_left == 100
    assert pace.sentence() == "500 of 1,000 done (50%), 3 failed, 5.0/s, 2 min left"


def test_without_a_terminal_there_is_a_line_a_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(Console())
    lines.begins(100, 10, 0)
    for _ in range(5):
        clock.now += INTERVAL / 2
        lines.finishes(block(10))
    assert capsys.readouterr().err.splitlines() == [
        "10 of 100 are done; going on from there",
        "30 of 100 done (30%), 0 failed, 20.0/min, 4 min left",
        "50 of 100 done (50%), 0 failed, 20.0/min, 2 min left",
    ]


def test_the_first_failures_are_named_and_the_others_counted(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(Console())
    lines.begins(100, 0, 0)
    lines.finishes(block(10, *(f"{i}.png: bad" for i in range(8))))
    said = capsys.readouterr().err.splitlines()
    assert said[:5] == [f"failed: {i}.png: bad" for i in range(5)]
    assert said[5:] == ["further failures are named in errors.jsonl only"]
    quiet = Lines(Console(quiet=1))
    quiet.begins(100, 1, 0)
    quiet.finishes(block(1, "a"))
    assert capsys.readouterr().err == ""


def test_durations_rates_and_sizes_are_written_for_people() -> None:
    assert [duration(s) for s in (45.2, 89, 600, 12_000, 190_000)] == [
        "45 s", "89 s", "10 min", "3 h 20 min", "2 d 4 h"
    ]  # fmt: skip
    assert [rate_text(r) for r in (123.4, 0.5, 0.1)] == ["123.4/s", "0.5/s", "6.0/min"]
    assert [amount(b) for b in (0, 999, 1500, 46.1e6, 1.2345e13)] == [
        "0 B", "999 B", "1.5 kB", "46.1 MB", "12.3 TB"
    ]  # fmt: skip
