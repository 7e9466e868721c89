"""A large body is read into the place where it stays, and its connection goes on as any other."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from serving import Running, Stub, answering_stub, serving, until

from pellucid.inputs import Instance
from pellucid.serve.handler import LARGE
from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import SAMPLES

MODEL = f"m={SAMPLES / 'wine' / 'model'}"  # a directory: what is loaded from it is a stub
LIMITS = Limits(body=2**20, bodies=2**21, body_seconds=60.0)
ROOM = b" " * LARGE


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with answering_stub(MODEL, LIMITS) as running:
        yield running


def request(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["POST /v1/models/m:predict HTTP/1.1", "Host: localhost", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def asking(running: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=60)


def answer(connection: socket.socket) -> tuple[int, Any]:
    """Return the status and the JSON of the next answer, and no byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("piece", [1000, 2**16 - 7, 2**22])
def test_requests_follow_a_large_body_on_its_connection(running: Running, piece: int) -> None:
    large = b'{"instances": [1.0, 2.0]' + ROOM + b"}"
    small = b'{"instances": [3.0]}'
    data = request(large) + request(small) + request(large) + request(small)
    with asking(running) as connection:
        for start in range(0, len(data), piece):
            connection.sendall(data[start : start + piece])
        found = [answer(connection) for _ in range(4)]
    assert [status for status, _ in found] == [200] * 4
    assert [len(said["predictions"]) for _, said in found] == [2, 1, 2, 1]


def test_what_is_wrong_in_a_large_body_is_told_as_in_a_small_one(running: Running) -> None:
    said = []
    for room in (b"", ROOM):
        for body in (b'{"instances": [1.0,]}', b'{"instances": ["a"]}', b"\xff\xfe", b"[1]"):
            found = running.post("/v1/models/m:predict", room + body)
            assert found.status == 400
            said.append(found.json["error"].replace(f"column {len(room) + 20}", "column 20"))
    assert [it.replace(f"offset {LARGE}", "offset 0") for it in said[4:]] == said[:4]


def test_two_large_bodies_are_predicted_at_a_time() -> None:
    both = threading.Barrier(2)

    class Together(Stub):
        def predict(self, instances: list[Instance]) -> list[Any]:
            both.wait(60)  # until the other is predicted, too
            return super().predict(instances)

    stub = Together()
    stub.gate.set()
    settings = ServerSettings(poll=0, limits=LIMITS)
    body = b'{"instances": [1.0]' + ROOM + b"}"
    with (
        serving(MODEL, settings=settings, load=lambda path: stub) as running,
        asking(running) as one,
        asking(running) as other,
    ):
        for connection in (one, other):
            connection.sendall(request(body))
        assert [answer(it)[0] for it in (one, other)] == [200, 200]


def test_who_waits_for_a_hundred_is_told_to_continue(running: Running) -> None:
    body = b'{"instances": [1.0]' + ROOM + b"}"
    with asking(running) as connection:
        connection.sendall(request(b"", "Expect: 100-continue", length=len(body)))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert answer(connection)[0] == 200


def test_who_goes_away_in_the_middle_is_noted(running: Running) -> None:
    running.log.clear()
    with asking(running) as connection:
        connection.sendall(request(ROOM, length=2 * LARGE))
    until(lambda: running.log)
    assert running.log[-1]["status"] == 499


def test_who_is_slow_in_the_middle_is_told_so_and_may_go_on() -> None:
    stub = Stub()
    stub.gate.set()
    settings = ServerSettings(poll=0, limits=replace(LIMITS, body_seconds=0.2))
    with (
        serving(MODEL, settings=settings, load=lambda path: stub) as running,
        asking(running) as connection,
    ):
        connection.sendall(request(ROOM, length=2 * LARGE))
        status, said = answer(connection)
        assert (status, said["error"]) == (408, "the body of the request did not come in time")
        connection.sendall(ROOM + request(b'{"instances": [1.0]}'))
        assert answer(connection)[0] == 200


def test_bodies_that_are_too_many_together_are_refused_and_leave_room_again(
    running: Running,
) -> None:
    path, whole = "/v1/models/m:predict", LIMITS.body
    with ExitStack() as stack:
        held = [stack.enter_context(asking(running)) for _ in range(3)]
        for connection in held:
            connection.sendall(request(b" " * (whole - 10), length=whole))
        # A large one would, while it comes, be too much for those that are not all there yet.
        until(lambda: running.post(path, b"1").status == 503)
        for connection in held:
            connection.sendall(b'{"a":1}   ')
            assert answer(connection)[0] == 400
    assert running.post(path, b" " * whole).status == 400
