"""Other libraries, each in an environment of its own under ``bench/``, as cases to measure."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from timing import Used

# alibi imports spacy, which imports click, which nothing asks for.
PACKAGES = {
    "xplique": ["xplique"],
    "alibi": ["alibi[tensorflow]", "click"],
    "saliency": ["saliency"],
    "lime": ["lime", "tensorflow-cpu"],
    "shap": ["shap", "tensorflow-cpu"],
}
GRADIENTS = ("xplique", "alibi")


class NoPeer(Exception):
    """A peer cannot be measured here; the sentence says why."""


def environment(name: str, folder: Path) -> Path:
    """Return the peer's interpreter, after installing the peer at the first time."""
    home = folder / name
    python = home / "bin" / "python"
    stamp = home / ".installed"
    if not stamp.exists():
        for command in (
            [sys.executable, "-m", "venv", str(home)],
            [str(python), "-m", "pip", "install", "--quiet", *PACKAGES[name]],
        ):
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode:
                raise NoPeer(f"cannot be installed: {_last_line(run.stderr)}")
        stamp.touch()
    return python


@dataclass(slots=True)
class Peer:
    """A library that runs in another process and waits for its turns."""

    name: str
    tensorflow: str
    attributions: NDArray[np.float64]
    _process: subprocess.Popen[str]

    def run(self) -> Used:
        """Let it explain the rows once."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return Used(*json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()


def start(name: str, folder: Path, model_dir: Path, x: object, target: object) -> Peer:
    """Start a peer on the rows `x`; it has run once when this returns. Raises NoPeer."""
    python = environment(name, folder)
    script = "peer_worker.py" if name in GRADIENTS else "method_worker.py"
    worker = Path(__file__).with_name(script)
    rows, result = folder / "rows.npz", folder / f"{name}.npy"
    np.savez(rows, x=x, target=target)  # type: ignore[arg-type]
    log = folder / f"{name}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(python), str(worker), name, str(model_dir), str(rows), str(result)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    for line in process.stdout:  # libraries chat on stdout, too
        if line.startswith("ready "):
            return Peer(name, line.split()[1], np.load(result), process)
    process.wait()
    raise NoPeer(f"does not run: {_last_line(log.read_text())}")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:160] if lines else "it says nothing"
