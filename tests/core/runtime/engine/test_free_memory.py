"""What is free is the least that the machine, groups of processes and the process itself leave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pellucid.runtime.engine.free_memory import free_memory


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = "MemTotal: 9000 kB\nMemAvailable:    4000 kB\nSwapFree:  1000 kB\n"


def test_the_machine_has_what_is_available_and_its_swap_space(tmp_path: Path) -> None:
    proc = written(tmp_path, {"meminfo": MEMINFO})
    assert free_memory(proc, tmp_path / "none") == 5000 * 1024


def test_a_group_leaves_what_it_and_those_around_it_do_not_use(tmp_path: Path) -> None:
    proc = written(tmp_path / "proc", {"meminfo": MEMINFO, "self/cgroup": "0::/a/b\n"})
    groups = written(
        tmp_path / "groups",
        {
            "a/b/memory.max": "max\n",
            "a/b/memory.current": "10\n",
            "a/memory.max": "3000000\n",
            "a/memory.current": "1000000\n",
            "a/memory.stat": "anon 5\ninactive_file 4000\n",
        },
    )
    assert free_memory(proc, groups) == 2_004_000


def test_groups_of_the_first_version_are_read_too(tmp_path: Path) -> None:
    proc = written(
        tmp_path / "proc", {"meminfo": MEMINFO, "self/cgroup": "5:cpu:/x\n4:memory:/c\n0::/\n"}
    )
    groups = written(
        tmp_path / "groups",
        {
            "memory/c/memory.limit_in_bytes": "700\n",
            "memory/c/memory.usage_in_bytes": "900\n",
            "memory/c/memory.stat": "total_inactive_file 100\n",
        },
    )
    assert free_memory(proc, groups) == 0


def test_of_address_space_most_becomes_memory(tmp_path: Path) -> None:
    proc = written(tmp_path, {"meminfo": MEMINFO, "self/status": "VmSize:\t 2000 kB\n"})
    program = (
        "import resource; from pathlib import Path\n"
        "from pellucid.runtime.engine.free_memory import free_memory\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3_000_000 * 1024, -1))\n"
        f"print(free_memory(Path({str(proc)!r}), Path('none')))"
    )
    asked = [sys.executable, "-c", program]
    small = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert int(small.stdout) == 5000 * 1024  # of the machine, which has less
    (proc / "meminfo").write_text("MemAvailable: 9000000 kB\n")
    large = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert int(large.stdout) == int(0.7 * (3_000_000 - 2000) * 1024)


def test_where_nothing_tells_nothing_is_known(tmp_path: Path) -> None:
    assert free_memory(tmp_path, tmp_path) is None
