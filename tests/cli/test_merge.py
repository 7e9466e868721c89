"""``pellucid batch --shard`` and ``pellucid merge``: parts of a run become one."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_parts_are_merged_into_what_one_run_writes(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    """With pictures, arrays and a gallery; what is said of it can be typed."""
    asked = ("batch", samples / "digits/model", samples / "digits/images", "--block-size", 2)
    more = ("--steps", 5, "--raw", "--write", "csv")
    parts = [tmp_path / f"p{it}" for it in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        run = program(*asked, *more, "-o", part, "--shard", f"{number}/3")
        said = (
            f"{part}: 2 explained, 0 failed, in part {number}/3; pellucid merge puts all 3 together"
        )
        assert (run.code, run.err.splitlines()[-1]) == (0, said)
    merged = program("merge", *parts, "-o", tmp_path / "all")
    assert merged.code == 0 and merged.err == f"{tmp_path / 'all'}: 6 explained, 0 failed\n"
    assert program(*asked, *more, "-o", tmp_path / "one").code == 0
    both = [
        {
            it.relative_to(tmp_path / name): it.read_bytes()
            for it in (tmp_path / name).rglob("*")
            if it.is_file() and it.name != "summary.json"
        }
        for name in ("all", "one")
    ]
    assert both[0] == both[1] and len(both[0]) == 16
    for wrong in ("0/3", "4/3", "3", "a/b", "1/3/4"):
        run = program(*asked, "-o", tmp_path / "x", "--shard", wrong)
        assert run.code == 2 and f"'{wrong}' is not I/N" in run.err
    lost = program("merge", *parts[:2], "-o", tmp_path / "x")
    assert lost.code == 2 and "part 3 of 3 is missing" in lost.err
