"""Measuring on a machine that others use as well: CPU time, interleaved, medians of ratios.

What is compared runs in turns, so that whatever slows the machine slows all of it; a ratio is the
median over the turns, never a ratio of two medians.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of CPU (user and system, all threads) and on the clock."""

    cpu: float
    wall: float


Case = Callable[[], Used]
Measured = dict[str, list[Used]]


def in_process(work: Callable[[], object]) -> Case:
    """A case that runs here; threads count, child processes do not."""

    def run() -> Used:
        # Of all threads, and finer than the hundredths of a second of os.times.
        before, start = time.process_time(), time.perf_counter()
        work()
        return Used(time.process_time() - before, time.perf_counter() - start)

    return run


def in_subprocess(command: Sequence[str], directory: str | None = None) -> Case:
    """A case that is a whole process, from its start to its end."""
    # Without compiled bytecode one measures the compiler; see shared conventions on start-up.
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS")
    environment = {k: v for k, v in os.environ.items() if k not in left_out}

    def run() -> Used:
        start = time.perf_counter()
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)  # reaped here, not by Popen
        if child.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")
        return Used(used.ru_utime + used.ru_stime, time.perf_counter() - start)

    return run


def cpu_of(pid: int) -> float:
    """The CPU seconds of a process so far, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def interleaved(cases: Mapping[str, Case], turns: int) -> Measured:
    """Run all cases once to warm up, then in turns."""
    for case in cases.values():
        case()
    measured: Measured = {name: [] for name in cases}
    for _ in range(turns):
        for name, case in cases.items():
            measured[name].append(case())
    return measured


def ratio(ours: Sequence[Used], theirs: Sequence[Used]) -> Used:
    """The median of the ratios of the turns, of CPU and of wall time."""
    pairs = list(zip(ours, theirs, strict=True))
    return Used(median(a.cpu / b.cpu for a, b in pairs), median(a.wall / b.wall for a, b in pairs))


def middle(used: Sequence[Used]) -> Used:
    """The medians of the seconds."""
    return Used(median(u.cpu for u in used), median(u.wall for u in used))
