"""How a run goes, on stderr: a bar on a terminal, a line a minute elsewhere, or JSON Lines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pellucid.notices import Message
from pellucid_cli.flags import told
from pellucid_cli.options.shared import Console
from pellucid_cli.streams import Styled, line, say

if TYPE_CHECKING:
    from pellucid.batch import Estimate, Finished, Outcome

INTERVAL = 60.0
"""Seconds between two lines about progress."""

TOLD = 5
"""How many failures are named; the others are in errors.jsonl."""


@dataclass
class Pace:
    """How much is done, and how fast; `fresh` counts what was done since the start."""

    total: int = 0
    done: int = 0
    failed: int = 0
    fresh: int = 0
    started: float = field(default_factory=time.monotonic)

    def begin(self, total: int, done: int, failed: int) -> None:
        """Start the clock."""
        self.total, self.done, self.failed = total, done, failed
        self.started = time.monotonic()

    def add(self, count: int, failed: int) -> None:
        """Count what was finished."""
        self.done += count
        self.fresh += count
        self.failed += failed

    @property
    def per_second(self) -> float:
        """How many inputs were done each second."""
        return self.fresh / max(time.monotonic() - self.started, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this pace."""
        return (self.total - self.done) / self.per_second if self.fresh else None

    def sentence(self) -> str:
        """Say it."""
        parts = [f"{self.done:,} of {self.total:,} done ({self.done / max(self.total, 1):.0%})"]
        parts.append(f"{self.failed:,} failed")
        if self.fresh:
            parts.append(rate_text(self.per_second))
        if self.seconds_left:
            parts.append(f"{duration(self.seconds_left)} left")
        return ", ".join(parts)


class Lines:
    """Says how far it is once a minute, and names the first failures."""

    def __init__(self, console: Console) -> None:
        self.console, self.pace = console, Pace()
        self._told = 0
        self._next = 0.0

    def warns(self, message: Message) -> None:
        self.say(Styled("warning: ", "yellow"), told(message))

    def notes(self, message: Message) -> None:
        self.say(told(message))

    def begins(self, total: int, done: int, failed: int) -> None:
        self.pace.begin(total, done, failed)
        self._next = time.monotonic() + INTERVAL
        if done:
            self.say(f"{done:,} of {total:,} are done; going on from there")

    def finishes(self, finished: Finished) -> None:
        self.pace.add(len(finished.records), finished.failed)
        for record in finished.records:
            if record.error is not None:
                self._tell(told(record.error))
        self.moved()

    def moved(self) -> None:
        """Show how far it is, if it is time to."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + INTERVAL
            self.say(self.pace.sentence())

    def say(self, *parts: str | Styled) -> None:
        """Print a line for people."""
        if not self.console.quiet:
            say(*parts)

    def _tell(self, sentence: str) -> None:
        self._told += 1
        if self._told <= TOLD:
            self.say(Styled("failed: ", "red"), sentence)
        if self._told == TOLD:
            self.say("further failures are named in errors.jsonl only")


class Bar(Lines):
    """Shows a bar with rate and time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        self.progress = Progress(*columns, console=RichConsole(stderr=True), transient=True)
        self._task = self.progress.add_task("loading the model", total=None, pace="")

    def begins(self, total: int, done: int, failed: int) -> None:
        super().begins(total, done, failed)
        self.progress.update(self._task, description="explaining", total=total, completed=done)

    def moved(self) -> None:
        parts = [rate_text(self.pace.per_second)]
        if self.pace.seconds_left:
            parts.append(f"{duration(self.pace.seconds_left)} left")
        if self.pace.failed:
            parts.append(f"[red]{self.pace.failed:,} failed[/]")
        self.progress.update(self._task, completed=self.pace.done, pace=", ".join(parts))

    def say(self, *parts: str | Styled) -> None:
        # The console moves the bar out of the way.
        from rich.text import Text

        self.progress.console.print(Text.from_ansi(line(*parts)), soft_wrap=True)


class JsonLog(Lines):
    """Writes each event as a line of JSON."""

    def warns(self, message: Message) -> None:
        self.event("warning", message=told(message))

    def notes(self, message: Message) -> None:
        self.event("note", message=told(message))

    def begins(self, total: int, done: int, failed: int) -> None:
        self.pace.begin(total, done, failed)
        self._next = time.monotonic() + INTERVAL
        self.event("begin", total=total, done=done, failed=failed)

    def finishes(self, finished: Finished) -> None:
        for record in finished.records:
            if record.error is not None:
                self.event("failure", input=record.name, error=told(record.error))
        super().finishes(finished)

    def moved(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + INTERVAL
            self.event("progress", **self._numbers())

    def say(self, *parts: str | Styled) -> None:
        return

    def end(self, outcome: Outcome) -> None:
        """Write how it ended."""
        self.event("end", stopped=outcome.stopped, **self._numbers())

    def event(self, event: str, **what: object) -> None:
        """Write one line."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        say(json.dumps({"time": now, "event": event, **what}))

    def _numbers(self) -> dict[str, object]:
        pace, left = self.pace, self.pace.seconds_left
        return {
            "total": pace.total,
            "done": pace.done,
            "failed": pace.failed,
            "perSecond": round(pace.per_second, 3),
            "secondsLeft": None if left is None else round(left, 1),
        }


Progress: TypeAlias = Lines | Bar | JsonLog


@contextmanager
def progress(console: Console, *, as_json: bool) -> Iterator[Progress]:
    """Show how a run goes in the way that suits where stderr leads."""
    if as_json:
        yield JsonLog(console)
    elif console.progress:
        bar = Bar(console)
        with bar.progress:
            yield bar
    else:
        yield Lines(console)


def duration(seconds: float) -> str:
    """Say how long: ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def rate_text(per_second: float) -> str:
    """Say how fast: ``12.3/s``, ``8.4/min``."""
    return f"{per_second:.1f}/s" if per_second >= 0.5 else f"{per_second * 60:.1f}/min"


def estimate_lines(found: Estimate, out: Path) -> list[str]:
    """Say what a run would be."""
    each = found.seconds / max(found.inputs, 1)
    total = sum(found.sizes.values())
    parts = [f"{amount(size)} {name}" for name, size in sorted(found.sizes.items())]
    lines = [
        f"{found.inputs:,} inputs, in {found.blocks:,} blocks of {found.size}",
        f"about {duration(found.seconds)} at {rate_text(1 / max(each, 1e-9))}",
        f"about {amount(total)} ({', '.join(parts)}); {amount(found.free)} are free at {out}",
        f"measured on {found.tried}, of which {len(found.failures)} failed",
    ]
    return [*lines, *(f"  {told(failure)}" for failure in found.failures[:TOLD])]


def amount(size: float) -> str:
    """Say how many bytes: ``1.4 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"
