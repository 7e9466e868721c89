"""The program in processes that can be killed, without waiting for TensorFlow each time.

A process imports TensorFlow and then waits; for each run it makes a copy of itself, which loads the
model and does the work. Run as a script, this file is that process: it reads a request a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any


@dataclass
class Child:
    """A run of the program in a process of its own."""

    pid: int
    _ask: Any
    _err: Path

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 120) -> int:
        """The exit code, or minus the signal that ended it; too long a run is killed."""
        return int(self._ask({"wait": self.pid, "seconds": seconds}))

    @property
    def err(self) -> str:
        return self._err.read_text()

    def until(self, folder: Path, pattern: str, *, seconds: float = 60) -> None:
        """Wait for a file that matches."""
        end = monotonic() + seconds
        while not any(folder.glob(pattern)):
            assert monotonic() < end, self.err
            sleep(0.005)


class Forks:
    """Starts runs of the program: ``start("batch", …)``."""

    def __init__(self, scratch: Path) -> None:
        self._scratch, self._count = scratch, 0
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, *arguments: object) -> Child:
        self._count += 1
        err = self._scratch / f"{self._count}.err"
        request = {"argv": [str(it) for it in arguments], "err": str(err)}
        return Child(int(self._ask(request)), self._ask, err)

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def serve() -> None:
    import pellucid.runtime.engine.tensorflow  # noqa: F401
    from pellucid_cli.main import main

    while line := sys.stdin.readline():
        request = json.loads(line)
        if "wait" in request:
            status = end_of(request["wait"], request["seconds"])
            print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
            continue
        pid = os.fork()
        if pid:
            print(json.dumps(pid), flush=True)
            continue
        # A shell's background jobs do not hear Ctrl-C; these do.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, name, mode in ((0, os.devnull, os.O_RDONLY), (1, os.devnull, os.O_WRONLY)):
            os.dup2(os.open(name, mode), number)
        os.dup2(os.open(request["err"], os.O_WRONLY | os.O_CREAT), 2)
        sys.argv = ["pellucid", *request["argv"]]
        try:
            main()
        except SystemExit as stop:
            sys.stderr.flush()
            os._exit(stop.code if isinstance(stop.code, int) else 1)


def end_of(pid: int, seconds: float) -> int:
    end = monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        sleep(0.005)


if __name__ == "__main__":
    serve()
