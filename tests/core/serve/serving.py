"""A server for a test: in a thread of this process, so that TensorFlow is imported once."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pellucid.api import load as load_model
from pellucid.errors import InstanceError
from pellucid.inputs.columns import Beside
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.readers import Instance
from pellucid.metadata.parameters import ExplanationParameters
from pellucid.metadata.spec import OutputSpec
from pellucid.notices import Message
from pellucid.saved_model.reader import Signature, TensorInfo
from pellucid.serve.limits import Limits
from pellucid.serve.model_repository import ModelEntry, model_entries
from pellucid.serve.server import ServerSettings, address, listen, run
from waiting import until as until


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its headers in lower case, and its bytes."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Running:
    """A server that runs: where it is, what it said and logged, and how to end it."""

    port: int
    url: str
    said: list[Message] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    end: Callable[[], None] = lambda: None

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request; a body that is not bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            found = connection.getresponse()
            lowered = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, lowered, found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, body, names)


@contextmanager
def serving(
    *models: str,
    entries: Sequence[ModelEntry] = (),
    settings: ServerSettings = ServerSettings(poll=0),
    load: Callable[[Path], Any] = lambda directory: load_model(
        directory, warn=lambda sentence: None
    ),
) -> Iterator[Running]:
    """Serve models, ``[NAME=]DIR``, until the block ends."""
    listening = listen("127.0.0.1", 0)
    running = Running(listening.getsockname()[1], address(listening))
    ready = threading.Event()
    ends: list[Callable[[], None]] = []
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            run(
                [*model_entries(models, running.said.append), *entries],
                load,
                listening,
                settings,
                say=running.said.append,
                write_log=lambda line: running.log.append(json.loads(line)),
                on_ready=ready.set,
                on_start=ends.append,
            )
        except BaseException as error:
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(120)
        if failures:
            raise failures[0]
        running.end = ends[0]
        yield running
    finally:
        if ends:
            ends[0]()
        thread.join(120)
        assert not thread.is_alive()


@dataclass(eq=False)
class Stub:
    """A model of one number that answers when it is told to: `gate` is open or shut."""

    inputs = (InputInfo(name="x", dtype="float32", shape=(None,)),)
    parameters = ExplanationParameters()
    signature = "serving_default"
    beside = Beside()
    metadata = SimpleNamespace(outputs=(OutputSpec(name="y"),), inputs=())
    explainers: tuple[()] = ()

    def __init__(self, explainers: tuple[()] = ()) -> None:
        output = TensorInfo(name="y:0", dtype="float32", shape=(None,))
        signature = Signature(
            key="serving_default", inputs={}, outputs={"y": output}, method_name=""
        )
        self.compiler = SimpleNamespace(
            signature=signature, model=lambda gradients: None, predictor=None
        )
        self.gate = threading.Event()
        self.started = threading.Event()
        self.blocks: list[list[float]] = []

    def explain(self, instances: list[Instance]) -> Any:
        raise InstanceError("this model only predicts")

    def predict(self, instances: list[Instance]) -> list[Any]:
        self.started.set()
        assert self.gate.wait(120)
        values = [float(instance.tensors["x"]) for instance in instances]
        self.blocks.append(values)
        return [np.float32(2 * value) for value in values]


@contextmanager
def answering_stub(model: str, limits: Limits) -> Iterator[Running]:
    """Serve a stub that answers at once, under a model's name, until the block ends."""
    stub = Stub()
    stub.gate.set()
    settings = ServerSettings(poll=0, limits=limits)
    with serving(model, settings=settings, load=lambda path: stub) as running:
        yield running
