"""A predictor that others might run: a linear model behind each protocol, in plain Python.

It writes tensors by its own few lines, so that what asks it is not tested against itself. What it
answers instead is chosen by a test.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

WEIGHTS = np.array([[1.0, -2.0], [3.0, 0.5], [0.0, 1.0]])
V2 = {
    "name": "linear",
    "versions": ["1"],
    "platform": "any",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
    "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1, 2]}],
}
# As TensorFlow Serving writes it: sizes are strings.
TF = {
    "model_spec": {"name": "linear", "signature_name": "", "version": "1"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "__saved_model_init_op": {"inputs": {}, "outputs": {}, "method_name": ""},
                "serving_default": {
                    "inputs": {
                        "x": {
                            "dtype": "DT_FLOAT",
                            "tensor_shape": {
                                "dim": [{"size": "-1", "name": ""}, {"size": "3", "name": ""}],
                                "unknown_rank": False,
                            },
                            "name": "serving_default_x:0",
                        }
                    },
                    "outputs": {
                        "y": {
                            "dtype": "DT_DOUBLE",
                            "tensor_shape": {
                                "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
                                "unknown_rank": False,
                            },
                            "name": "StatefulPartitionedCall:0",
                        }
                    },
                    "method_name": "tensorflow/serving/predict",
                },
            }
        }
    },
}


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]

    @property
    def rows(self) -> np.ndarray:
        """The rows that it asks for."""
        length = self.headers.get("inference-header-content-length")
        if length is not None:
            shape = json.loads(self.body[: int(length)])["inputs"][0]["shape"]
            return np.frombuffer(self.body[int(length) :], "<f4").reshape(shape)
        document = json.loads(self.body)
        if "instances" in document:
            return np.array(document["instances"])
        inputs = document["inputs"]
        if isinstance(inputs, dict):
            return np.array(inputs["x"])
        return np.reshape(inputs[0]["data"], inputs[0]["shape"])


@dataclass
class Reply:
    """What is sent back; a `body` that is no bytes is sent as JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0


Answering = Callable[[Asked], Reply | None]


class StandIn:
    """A predictor that runs: `asked` are the requests for predictions, `answer` replies to them."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.described = 0
        self.extensions: list[str] = []
        self.metadata: Any = V2
        self.answer: Answering = linear
        self.gone = threading.Event()
        self.url = ""


def linear(asked: Asked) -> Reply:
    """What the model says, as each protocol has it."""
    return reply(asked, asked.rows @ WEIGHTS)


def reply(asked: Asked, scores: Any) -> Reply:
    """Return scores in the form of the protocol that was spoken."""
    values = np.asarray(scores).tolist()
    if asked.path.endswith("/infer"):
        shape = list(np.shape(scores))
        flat = np.asarray(scores).ravel()
        tensor: dict[str, Any] = {"name": "y", "datatype": "FP64", "shape": shape}
        if "inference-header-content-length" not in asked.headers:
            return Reply({"model_name": "linear", "outputs": [{**tensor, "data": flat.tolist()}]})
        data = flat.astype("<f8").tobytes()
        tensor["parameters"] = {"binary_data_size": len(data)}
        head = json.dumps({"model_name": "linear", "outputs": [tensor]}).encode()
        return Reply(head + data, headers={"Inference-Header-Content-Length": str(len(head))})
    if b'"inputs"' in asked.body:
        return Reply({"outputs": values})
    return Reply({"predictions": values})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        stand_in: StandIn = self.server.stand_in
        if self.path == "/v2":
            self._send(Reply({"name": "any", "extensions": stand_in.extensions}))
        elif self.path in ("/v2/models/linear", "/v1/models/linear/metadata"):
            stand_in.described += 1
            found = stand_in.metadata
            self._send(found if isinstance(found, Reply) else Reply(found))
        else:
            self._send(Reply({"error": "there is nothing"}, 404))

    def do_POST(self) -> None:
        stand_in: StandIn = self.server.stand_in
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, body, self.client_address)
        stand_in.asked.append(asked)
        found = stand_in.answer(asked)
        if found is None:  # nothing is ever sent, until whoever asked goes away
            self.connection.settimeout(60)
            if self.connection.recv(1) == b"":
                stand_in.gone.set()
            self.close_connection = True
            return
        self._send(found)

    def _send(self, found: Reply) -> None:
        body = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
        self.send_response(found.status)
        headers = {"Content-Type": "application/json", **found.headers}
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) - found.cut])
        if found.cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Run a predictor until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    stand_in = StandIn()
    server.stand_in = stand_in  # type: ignore[attr-defined]
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
