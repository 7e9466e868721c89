"""What comes before a body, and what comes after an answer, has bounds; others never wait for it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from serving import Running, Stub, answering_stub, serving

from pellucid.serve import connection
from pellucid.serve.connection import HEAD_BYTES
from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import SAMPLES

PREDICT = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: localhost\r\n"
MODEL = f"m={SAMPLES / 'wine' / 'model'}"  # a directory: what is loaded from it is a stub
LIMITS = Limits(queue=2, body=2**16, bodies=2**20)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with answering_stub(MODEL, LIMITS) as running:
        yield running


def connected(running: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=60)


def everything(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts = []
    try:
        while part := connection.recv(2**16):
            parts.append(part)
    except ConnectionResetError:  # it closed while there was more to read
        pass
    return b"".join(parts)


def flood(connection: socket.socket, piece: bytes, most: int) -> int:
    """Send a piece again and again until the server has had enough; return the bytes it took."""
    sent = 0
    try:
        while sent < most:
            sent += connection.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /" + b"a" * 2**16, 414),
    ],
    ids=["words", "tls", "url"],
)
def test_what_never_became_a_request_is_in_the_log_and_nowhere_else(
    running: Running, capfd: pytest.CaptureFixture[str], sent: bytes, status: int
) -> None:
    running.log.clear()
    with connected(running) as asking:
        asking.sendall(sent)
        head, _, body = everything(asking).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    (line,) = running.log
    assert (line["status"], line["client"], line["error"]) == (
        status, "127.0.0.1", json.loads(body)["error"],
    )  # fmt: skip
    assert f'status="{status}"' in running.get("/metrics").data.decode()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "begin, piece, status",
    [
        (b"GET /", b"a" * 4096, b"414 "),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"a" * 4096, b"431 "),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: a\r\n" * 512, b"431 "),
        (b"", b"\r\n" * 2048, b"414 "),
    ],
    ids=["url", "header", "headers", "blank lines"],
)
def test_an_endless_head_is_refused_after_64_kib(
    running: Running, begin: bytes, piece: bytes, status: bytes
) -> None:
    with connected(running) as asking:
        asking.sendall(begin)
        # What the kernel holds on both sides is taken, too; an endless one would go on.
        assert flood(asking, piece, 2**26) < 2**26
    with connected(running) as asking:
        asking.sendall(begin + piece * (HEAD_BYTES // len(piece) + 1))
        answer = everything(asking)
    assert answer.startswith(b"HTTP/1.1 " + status) and b"connection: close" in answer
    assert "than 64 KiB" in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_a_head_of_nearly_64_kib_is_one(running: Running) -> None:
    with connected(running) as asking:
        fill = b"X: " + b"a" * (HEAD_BYTES - 200) + b"\r\n"
        one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + fill + b"\r\n"
        last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        asking.sendall(one + one + last)
        assert everything(asking).count(b"200 OK") == 3


def test_who_sends_a_head_slowly_is_cut_off(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    with connected(running) as silent, connected(running) as slow:
        slow.sendall(b"GET /healthz HT")
        assert b"408 Request Timeout" in everything(slow)
        assert everything(silent) == b""


def test_a_request_that_waits_is_not_cut_off_for_the_next_one_s_slow_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    stub = Stub()
    serve = serving(MODEL, settings=ServerSettings(poll=0), load=lambda path: stub)
    with serve as running, connected(running) as asking:
        body = b'{"instances": [1]}'
        asking.sendall(PREDICT + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert stub.started.wait(60)
        asking.sendall(b"GET /healthz HT")
        # Another connection is cut off meanwhile: the time is over.
        with connected(running) as silent:
            assert everything(silent) == b""
        stub.gate.set()
        assert asking.recv(2**16).startswith(b"HTTP/1.1 200 OK")
        assert b"408 Request Timeout" in everything(asking)


@pytest.mark.parametrize("path", [b"/v1/models/m:predict", b"/nowhere", b"/healthz"])
def test_an_endless_body_ends_the_connection(running: Running, path: bytes) -> None:
    chunk = b"10000\r\n" + b"a" * 2**16 + b"\r\n"
    with connected(running) as asking:
        asking.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n" % path)
        asking.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        assert flood(asking, chunk, 2**28) < 2**27


@pytest.mark.parametrize("piece", [b"a" * 4096, b"X: a\r\n" * 512], ids=["one", "many"])
@pytest.mark.parametrize("begin", [b"1;", b"0\r\n", b"0\r\nX: "])
def test_what_is_around_a_body_has_an_end(running: Running, begin: bytes, piece: bytes) -> None:
    with connected(running) as asking:
        asking.sendall(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n" + begin)
        assert flood(asking, piece, 2**26) < 2**26


def test_chunks_of_a_byte_are_a_body(running: Running) -> None:
    body = b'{"instances": [1]}' + b" " * 60_000
    with connected(running) as asking:
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        head = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        asking.sendall(PREDICT + head + chunks)
        assert b"200 OK" in everything(asking)


def test_bodies_that_drip_take_nobody_s_place(running: Running) -> None:
    with ExitStack() as stack:
        for _ in range(5 * LIMITS.queue):
            dripping = stack.enter_context(connected(running))
            dripping.sendall(PREDICT + b"Content-Length: 100\r\n\r\n{")
        assert running.post("/v1/models/m:predict", {"instances": [1.0]}).status == 200


def test_a_body_has_a_time_of_its_own() -> None:
    stub = Stub()
    settings = ServerSettings(poll=0, limits=Limits(body_seconds=0.1))
    with serving(MODEL, settings=settings, load=lambda path: stub) as running:
        with connected(running) as dripping:
            dripping.sendall(PREDICT + b"Content-Length: 100\r\n\r\n{")
            assert b"408 Request Timeout" in dripping.recv(2**16)
        stub.gate.set()
        assert running.post("/v1/models/m:predict", {"instances": [1.0]}).status == 200


def test_what_is_late_is_not_computed_to_the_end() -> None:
    """The answer is 504; the next one is computed at once, though rows were left."""
    from pellucid.cancellation import check

    class Slow(Stub):
        given_up = False

        def predict(self, instances: list[object]) -> list[object]:
            if not self.gate.is_set():
                try:
                    while not self.gate.wait(0.01):  # a block of rows after the other
                        check()
                except BaseException:
                    self.given_up = True
                    self.gate.set()
                    raise
            return [0.0 for _ in instances]

    stub = Slow()
    settings = ServerSettings(poll=0, limits=Limits(seconds=0.1))
    with serving(MODEL, settings=settings, load=lambda path: stub) as running:
        assert running.post("/v1/models/m:predict", {"instances": [1.0]}).status == 504
        assert stub.gate.wait(60) and stub.given_up


# By which name


def asked(running: Running, head: str) -> int:
    with connected(running) as asking:
        asking.sendall(head.encode() + b"Connection: close\r\n\r\n")
        return int(everything(asking).split()[1])


@pytest.mark.parametrize("path", ["/", "/v1/models", "/healthz", "/metrics", "/openapi.json"])
@pytest.mark.parametrize(
    "hosts, status",
    [
        (["localhost"], 200),
        (["127.0.0.1:8080"], 200),
        (["[::1]:80"], 200),
        (["evil.example"], 403),
        (["localhost.evil.example"], 403),
        (["192.168.1.1"], 403),
        (["localhost", "localhost"], 400),
        (["localhost", "evil.example"], 400),
        ([""], 400),
        (["a b"], 400),
        ([], 400),
    ],
)
def test_a_page_cannot_ask_by_a_name_of_its_own(
    running: Running, path: str, hosts: list[str], status: int
) -> None:
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    assert asked(running, f"GET {path} HTTP/1.1\r\n{lines}") == status
    assert running.get(path).status == 200


def test_http_1_0_has_no_host(running: Running) -> None:
    assert asked(running, "GET /healthz HTTP/1.0\r\n") == 200


def test_what_had_arrived_when_a_busy_server_was_ended_is_answered() -> None:
    busy, over = threading.Event(), threading.Event()

    class Slow(list[dict[str, Any]]):
        """A log that keeps the event loop."""

        def append(self, line: dict[str, Any]) -> None:
            super().append(line)
            busy.set()
            assert over.wait(120)

    with serving(MODEL, load=lambda path: Stub()) as running:
        running.log = Slow()
        assert running.get("/healthz").status == 200
        assert busy.wait(120)
        clients = [connected(running) for _ in range(20)]
        for client in clients:
            client.sendall(PREDICT + b"Content-Length: 2\r\n\r\n{}")
        running.end()
        time.sleep(0.2)  # longer than uvicorn takes to look whether it should end
        over.set()
        for client in clients:
            with client:
                assert client.recv(100).startswith(b"HTTP/1.1 503 ")
