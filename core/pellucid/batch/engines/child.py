"""A process that does as it is told, through a connection, and may be killed for it.

It imports nothing from the current directory, where the inputs of strangers may lie: Python itself
would look there first for whatever a process that is begun with ``-c`` imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

# Isolated, it sees the installed packages alone; what this process may import, it is told.
_PROGRAM = """
import sys
from multiprocessing import connection
handle = int(sys.argv[1])
there = getattr(connection, "PipeConnection", connection.Connection)(handle)
sys.path[:] = there.recv()
target, argument = there.recv()
target(argument, there)
"""


@dataclass(frozen=True, eq=False)
class Child:
    """A process, and the connection to it; it ends when that is closed."""

    process: subprocess.Popen[bytes]
    connection: Connection

    def end(self) -> int:
        """Close the connection, and kill the process unless it ends at once; its exit code."""
        self.connection.close()
        try:
            return self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def start(
    target: Callable[[Any, Connection], object], argument: object, environment: Mapping[str, str]
) -> Child:
    """Have ``target(argument, connection)`` called in a new process.

    `environment` is what it finds in its environment beside ours: numpy and TensorFlow look there
    when they are imported.
    """
    ours, theirs = Pipe()
    command = [sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno())]
    told = {**os.environ, **environment}
    if sys.platform == "win32":
        os.set_handle_inheritable(theirs.fileno(), True)
        process = subprocess.Popen(command, env=told, stdin=subprocess.DEVNULL, close_fds=False)
    else:
        process = subprocess.Popen(
            command, env=told, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )
    theirs.close()
    child = Child(process, ours)
    try:
        ours.send([path for path in sys.path if path])
        ours.send((target, argument))
    except BrokenPipeError:
        pass  # it has died already, which whoever listens sees
    return child
