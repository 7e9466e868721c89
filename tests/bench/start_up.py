"""What the shell waits for where nothing is explained: the whole command, in seconds of CPU."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rows import PHOTOS, SAMPLES, Row
from timing import in_subprocess, interleaved, middle

PROGRAM = [sys.executable, "-c", "from pellucid_cli.main import main; main()"]
WINE = SAMPLES / "wine" / "model"


def start_up(turns: int) -> Iterator[Row]:
    """Commands that need neither TensorFlow nor numpy, and one that needs only numpy."""
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder) / "cat.npz", Path(folder) / "cat.png"
        cat = PHOTOS / "images" / "cat.jpg"
        explain = ["explain", PHOTOS / "model", cat, "--steps", 4, "-q", "--raw", raw]
        in_subprocess([*PROGRAM, *map(str, explain)])()
        bounds: dict[str, tuple[float, list[object]]] = {
            "--help": (0.6, ["--help"]),
            "completion bash": (0.6, ["completion", "bash"]),
            "explain --help": (0.6, ["explain", "--help"]),
            "schema vertex": (0.6, ["schema", "vertex"]),
            "validate-metadata photos": (0.5, ["validate-metadata", PHOTOS / "model"]),
            "validate-metadata, SARIF": (0.5, ["validate-metadata", "--format", "sarif", WINE]),
            "init-metadata photos": (0.6, ["init-metadata", PHOTOS / "model", "-o", "-"]),
            "convert-metadata wine": (
                *(0.6, ["convert-metadata", WINE / "explanation_metadata.json"]),
            ),
            "visualize cat.npz": (
                *(1.0, ["visualize", raw, "--set", "type=outlines", "--force", "-o", out]),
            ),
        }
        cases = {
            name: in_subprocess([*PROGRAM, *map(str, arguments)])
            for name, (_, arguments) in bounds.items()
        }
        for name, used in interleaved(cases, turns).items():
            seconds = middle(used)
            yield Row(f"pellucid {name}", "seconds", seconds.cpu, seconds.wall, bounds[name][0])
