"""How much memory this process may still take: of the machine, of its control groups, of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pellucid.files import read_bytes

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

ADDRESSED = 0.7
"""Of address space, the share that becomes memory: it is taken in larger pieces (measured)."""

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def free_memory(proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """Return the bytes that can still be had, None where nothing tells.

    It is the least of what the machine has (with its swap space), of what is left below the limits
    of control groups, whose caches of files are given up, and of address space below ``ulimit -v``.
    """
    found = [*_of_machine(proc), *_of_groups(proc, groups), *_of_process(proc)]
    return max(0, min(found)) if found else None


def _of_machine(proc: Path) -> Iterator[int]:
    sizes = _numbers(proc / "meminfo")
    if "MemAvailable" in sizes:
        yield 1024 * (sizes["MemAvailable"] + sizes.get("SwapFree", 0))


def _of_process(proc: Path) -> Iterator[int]:
    if resource is None:
        return
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _numbers(proc / "self" / "status").get("VmSize")
    if most != resource.RLIM_INFINITY and used is not None:
        yield int(ADDRESSED * (most - 1024 * used))


def _of_groups(proc: Path, groups: Path) -> Iterator[int]:
    """Yield what is left in the groups of this process, and in those around them."""
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        root = groups / "memory" if kinds else groups
        limit, usage, cache = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if kinds
            else ("memory.max", "memory.current", "inactive_file")
        )
        here = root / path.lstrip("/")
        for group in (here, *here.parents):
            most, used = _text(group / limit).strip(), _text(group / usage).strip()
            if most.isdecimal() and used.isdecimal():
                yield int(most) - int(used) + _numbers(group / "memory.stat").get(cache, 0)
            if group == root:
                break


def _numbers(file: Path) -> dict[str, int]:
    """Return the numbers of lines such as ``name: 12 kB``."""
    found = re.findall(r"^(\w+):?\s+(\d+)", _text(file), re.M)
    return {name: int(number) for name, number in found}


def _text(file: Path) -> str:
    try:
        return read_bytes(file).decode("utf-8", "replace")
    except OSError:
        return ""
