"""The process: a socket, uvicorn, and an end that loses no request that was taken."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

if sys.platform != "win32":
    import uvloop

from pellucid.errors import OutputError
from pellucid.notices import Warn, Where
from pellucid.serve.app import application
from pellucid.serve.auth import Guard
from pellucid.serve.batcher import Batcher
from pellucid.serve.connection import Connection
from pellucid.serve.container import ContainerRoutes
from pellucid.serve.handler import Handler
from pellucid.serve.limits import Limits
from pellucid.serve.metrics import Metrics
from pellucid.serve.model_repository import Load, ModelEntry, ModelRepository
from pellucid.serve.recording import Recorder

KEEP_ALIVE = 65
"""Seconds that an idle connection is kept: more than load balancers do, who must close first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How a server runs; `poll` and `drain` are seconds, `record` is a folder for exchanges.

    `container` are the paths of a Vertex AI custom container, which serves a single model.
    """

    limits: Limits = Limits()
    guard: Guard = Guard()
    poll: float = 2.0
    drain: float = 30.0
    record: Path | None = None
    container: ContainerRoutes | None = None
    metrics_port: int | None = None


_ROUNDS = 5
"""How often the event loop goes round to take in what has arrived before the end."""


class EndingServer(uvicorn.Server):
    """Uvicorn's server, which ends well at SIGTERM and at Ctrl-C instead of dying of them."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_end = on_end
        self.interrupted = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain at the first signal and stop at once at the second."""
        signals = (signal.SIGINT, signal.SIGTERM)
        try:
            before = {number: signal.signal(number, self._end) for number in signals}
        except ValueError:  # not the main thread: whoever started this one ends it
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self.interrupted |= number == signal.SIGINT
        self.end()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what had arrived by now, before the socket is closed: else its clients are reset.

        On a busy server, connections wait to be accepted, and then to be read.
        """
        for _ in range(_ROUNDS):
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    def end(self) -> None:
        """Take no more requests, and stop when those that were taken are answered."""
        self._on_end()
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is any that is free. Raises OutputError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OutputError(
            f"cannot listen there: {error.strerror}", where=Where(name=f"{host}:{port}")
        ) from error
    except OverflowError as error:
        raise OutputError(f"{port} is no port", hint="choose 0 to 65535") from error


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    models: list[ModelEntry],
    load: Load,
    listening: socket.socket,
    settings: ServerSettings,
    *,
    say: Warn,
    write_log: Callable[[bytes], object],
    on_ready: Callable[[], None] = lambda: None,
    on_start: Callable[[Callable[[], None]], None] = lambda end: None,
) -> bool:
    """Serve until SIGTERM or SIGINT; return whether it was SIGINT.

    `load` loads a model directory. `on_start` is given a function that ends the server, and
    `on_ready` is called when the models answer. Raises PellucidError if a model cannot be loaded
    at the start.
    """
    work = _run(models, load, listening, settings, say, write_log, on_ready, on_start)
    if sys.platform == "win32":
        return asyncio.run(work)
    return uvloop.run(work)


def _is_ready(model: ModelEntry) -> bool:
    return model.default.loaded is not None


def _metrics_apart(
    metrics: Metrics, models: list[ModelEntry], listening: socket.socket, port: int | None
) -> contextlib.AbstractContextManager[None]:
    for model in models:
        metrics.watch(model.name, partial(_is_ready, model))
    return metrics.listening(listening.getsockname()[0], port)


async def _run(
    models: list[ModelEntry],
    load: Load,
    listening: socket.socket,
    settings: ServerSettings,
    say: Warn,
    write_log: Callable[[bytes], object],
    on_ready: Callable[[], None],
    on_start: Callable[[Callable[[], None]], None],
) -> bool:
    metrics = Metrics()
    batcher = Batcher(metrics.block)
    limits, recorder = settings.limits, _recorder(settings, say)
    repository = ModelRepository(
        models, load, batcher, say=say, on_reload=metrics.reloaded, seconds=limits.seconds
    )
    handler = Handler(repository, batcher, limits, settings.guard, metrics, recorder)
    failures: list[BaseException] = []

    def failed(error: BaseException) -> None:
        failures.append(error)
        server.end()

    app = application(
        handler,
        write_log,
        poll=settings.poll,
        loaded=on_ready,
        failed=failed,
        container=settings.container,
    )
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        http=Connection,
        ws="none",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(settings.drain)),
    )
    server = EndingServer(config, partial(setattr, handler, "draining", True))
    on_start(server.end)
    with listening, _metrics_apart(metrics, models, listening, settings.metrics_port):
        await server.serve(sockets=[listening])
    if failures:
        raise failures[0]
    return server.interrupted


def _recorder(settings: ServerSettings, say: Warn) -> Recorder | None:
    if settings.record is None:
        return None
    own = () if settings.container is None else (settings.container.predict,)
    return Recorder(settings.record, say, own)
