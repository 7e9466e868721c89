"""The program in processes of its own, without waiting for TensorFlow each time.

A process imports TensorFlow and then waits; for each run it makes a copy of itself, which loads the
model and does the work. `Forks.command` is an executable that behaves as ``pellucid`` does, for
shells and for ``subprocess``: `Forks.folder` on the PATH is all that a shell needs.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import fork_server
from pellucid.batch.engines import child

# What a process of ``--jobs`` is begun with, in place of what it does.
_ASKING = """
import runpy, sys
sys.argv = [*{asks}, sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

PATIENCE = 600  # seconds, after which what is bound to happen never will


@dataclass
class Child:
    """A run of the program, and the file that its stderr goes to."""

    process: subprocess.Popen[bytes]
    _err: Path

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, or minus the signal that ended it."""
        return self.process.wait(PATIENCE)

    @property
    def err(self) -> str:
        return self._err.read_text()

    def until_said(self, words: str) -> None:
        """Wait for words on stderr."""
        end = time.monotonic() + PATIENCE
        while words not in self.err:
            assert time.monotonic() < end and self.process.poll() is None, self.err
            time.sleep(0.005)


class Forks:
    """Starts runs of the program: ``start("batch", …)``, or anybody who calls `command`.

    ``at=(signal, patterns)`` sends the run a signal when it has come to what matches the patterns,
    one after the other: not after some time, but at a place. They are searched in what the run is
    about to do with a file, such as ``os.rename /out/x.json``.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="forks-"))  # sockets have short paths only
        self.command = self.folder / "pellucid"
        self._count = 0
        path = self.folder / "socket"
        ask = shlex.join([sys.executable, "-IS", fork_server.__file__, str(path), "call"])
        self.command.write_text(f'#!/bin/sh\nexec {ask} "$@"\n')
        self.command.chmod(0o755)
        self._server = subprocess.Popen(
            [sys.executable, fork_server.__file__, str(path)], stdin=subprocess.PIPE
        )
        end = time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < end and self._server.poll() is None
            time.sleep(0.01)

    def start(self, *arguments: object, at: tuple[int, Sequence[str]] | None = None) -> Child:
        self._count += 1
        path = self.folder / f"{self._count}.err"
        with path.open("wb") as err:
            process = subprocess.Popen(
                [self.command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
                env=os.environ | ({fork_server.AT: json.dumps(at)} if at else {}),
            )
        return Child(process, path)

    def as_children(self, patch: pytest.MonkeyPatch) -> None:
        """Have the processes of ``--jobs`` be forks, too.

        How they are started is then not what is tested; see `tests/core/batch/engines` for that.
        """
        asks = [fork_server.__file__, str(self.folder / "socket"), "child"]
        patch.setattr(child, "_PROGRAM", _ASKING.format(asks=asks))

    def close(self) -> None:
        self._server.communicate()
        shutil.rmtree(self.folder)
