"""Both ends of `forked`: a process that has imported TensorFlow, and the command that asks it.

``python fork_server.py SOCKET`` listens until its stdin is closed, and runs the program in a copy of
itself for whoever asks; ``python fork_server.py SOCKET call [ARGUMENT]...`` asks: the program gets
its arguments, environment, directory and standard streams, and its end is passed on. With ``child
DESCRIPTOR``, the copy is a process of ``batch --jobs``, whose connection the descriptor is.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import re
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

ENDS = (signal.SIGINT, signal.SIGTERM)
AT = "FORKED_AT"
# What Python says of the files that it opens and changes; the first arguments are paths.
FILES = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir")


def serve(path: str) -> None:
    """Fork for each that connects."""
    import jsonschema  # noqa: F401

    import pellucid.runtime.engine.tensorflow
    import pellucid_cli
    from pellucid.errors import DependencyError
    from pellucid_cli.main import main

    for package in (pellucid, pellucid_cli):  # or each copy would import again what it needs
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            with suppress(DependencyError):
                importlib.import_module(module.name)
    gc.freeze()  # or each copy looks through all of TensorFlow for garbage, and copies its pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that keep
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        while 0 not in select.select([0, listening], [], [])[0]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                keep(connection, main)
            connection.close()


def keep(connection: socket.socket, main: Any) -> NoReturn:
    """Run the program in a child; say which process it is, and how it ended."""
    data, streams, *_ = socket.recv_fds(connection, 2**16, 4)
    while not data.endswith(b"\n"):
        data += connection.recv(2**16)
    pid = os.fork()
    if pid == 0:
        connection.close()
        run(json.loads(data), streams, main)
    for stream in streams:
        os.close(stream)
    with suppress(OSError):  # whoever asked may be gone
        connection.sendall(b"%d\n" % pid)
    gone = False
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if select.select([] if gone else [connection], [], [], 0.01)[0]:
            gone = True
            os.kill(pid, signal.SIGKILL)
    with suppress(OSError):
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(ended[1]))
    os._exit(0)


def run(request: dict[str, Any], streams: list[int], main: Any) -> NoReturn:
    """Be the program."""
    # A shell's background jobs do not hear Ctrl-C, nor do those of `nohup` a hang-up; these do.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for number, stream in enumerate(streams[:3]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if at := os.environ.pop(AT, None):
        signal_at(*json.loads(at))
    sys.argv = ["pellucid", *request["arguments"]]
    code: object = 1
    try:
        if streams[3:]:
            from pellucid.batch.engines import child

            sys.argv = ["-c", str(streams[3])]
            exec(child._PROGRAM, {})
            code = 0
        else:
            main()
    except SystemExit as stop:
        code = stop.code
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def signal_at(number: int, patterns: list[str]) -> None:
    """Send this process a signal when it is about to touch what matches, one after the other."""
    left = [re.compile(pattern) for pattern in reversed(patterns)]

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in FILES or not left:
            return
        paths = [os.fsdecode(it) for it in arguments[:2] if isinstance(it, str | bytes)]
        if any(left[-1].search(f"{event} {path}") for path in paths):
            left.pop()
            if not left:
                os.kill(os.getpid(), number)

    sys.addaudithook(heard)


def call(path: str, arguments: list[str], *passed: int) -> int:
    """Have the program run; return its exit code, or end as it ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # until there is somebody to pass them on to
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        request = {
            "arguments": arguments,
            "environment": dict(os.environ),
            "directory": os.getcwd(),
        }
        data = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(connection, [data], [0, 1, 2, *passed])
        connection.sendall(data[sent:])
        for descriptor in passed:
            os.close(descriptor)  # or nobody would see that the copy has closed its own
        with connection.makefile("r") as answers:
            pid = int(answers.readline())

            def pass_on(number: int, frame: object) -> None:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

            for number in ENDS:
                signal.signal(number, pass_on)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            code = int(answers.readline())
    if code < 0:
        if -code in ENDS:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    if sys.argv[2:3] == ["call"]:
        raise SystemExit(call(sys.argv[1], sys.argv[3:]))
    if sys.argv[2:3] == ["child"]:
        raise SystemExit(call(sys.argv[1], [], int(sys.argv[3])))
    sys.path.pop(0)  # the program sees no modules of tests
    serve(sys.argv[1])
