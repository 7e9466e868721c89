"""What a server does under load, and with requests that are too slow, too large or given up."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from serving import Answer, Running, Stub, serving, until

from pellucid.inputs.readers import Instance
from pellucid.metadata.parameters import ExplanationParameters, Lime, SampledShapley
from pellucid.serve.batcher import Batcher
from pellucid.serve.deadline import Deadline
from pellucid.serve.http_errors import HttpError
from pellucid.serve.limits import Limits
from places import SAMPLES

Stubbed = Callable[..., tuple[Running, Stub]]
PATHS = {
    "kserve": "/v1/models/stub:predict",
    "ai-platform": "/v1/projects/p/models/stub:predict",
    "vertex": "/v1/projects/p/locations/l/endpoints/stub:predict",
}


def admitted(running: Running) -> int:
    text = running.get("/metrics").data.decode()
    (line,) = [it for it in text.splitlines() if it.startswith("pellucid_admitted_requests ")]
    return round(float(line.split()[1]))


@pytest.fixture
def batchers(monkeypatch: pytest.MonkeyPatch) -> list[Batcher]:
    """The batchers of the servers that a test starts."""
    made: list[Batcher] = []

    def batcher(*arguments: Any) -> Batcher:
        made.append(Batcher(*arguments))
        return made[-1]

    monkeypatch.setattr("pellucid.serve.server.Batcher", batcher)
    return made


@pytest.fixture
def time_is_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """``time_is_up()`` ends the deadline of the latest request; none ends by itself."""
    begun: list[Callable[[], None]] = []

    class ByHand(Deadline):
        def __enter__(self) -> Deadline:
            super().__enter__()
            self._timer.cancel()
            begun.append(partial(asyncio.get_running_loop().call_soon_threadsafe, self._over))
            return self

    monkeypatch.setattr("pellucid.serve.handler.Deadline", ByHand)
    return lambda: begun[-1]()


def test_requests_that_wait_are_one_block(stubbed: Stubbed, batchers: list[Batcher]) -> None:
    running, stub = stubbed()
    (batcher,) = batchers
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(running.post, PATHS["kserve"], {"instances": [0]})
        assert stub.started.wait(60)
        rest = [pool.submit(running.post, PATHS["kserve"], {"instances": [n]}) for n in range(1, 9)]
        until(lambda: batcher.rows_waiting == 8)
        stub.gate.set()
        assert first.result().json == {"predictions": [0]}
        assert [r.result().json["predictions"] for r in rest] == [[2 * n] for n in range(1, 9)]
    assert [len(block) for block in stub.blocks] == [1, 8]


@pytest.mark.parametrize(
    "protocol, status", [("kserve", 503), ("ai-platform", 429), ("vertex", 429)]
)
def test_a_full_queue_says_when_to_come_again(stubbed: Stubbed, protocol: str, status: int) -> None:
    running, stub = stubbed(limits=Limits(queue=2))
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(running.post, PATHS[protocol], {"instances": [1]}) for _ in range(2)]
        until(lambda: admitted(running) == 2)
        refused = running.post(PATHS[protocol], {"instances": [1]})
        assert refused.status == status
        assert int(refused.headers["retry-after"]) >= 1
        # Probes and metrics are answered all the same.
        assert running.get("/healthz").status == 200 and running.get("/readyz").status == 200
        stub.gate.set()
        assert [job.result().status for job in held] == [200, 200]
    assert running.post(PATHS[protocol], {"instances": [1]}).status == 200


def test_bodies_count_until_they_are_answered(stubbed: Stubbed) -> None:
    running, stub = stubbed(limits=Limits(bodies=10))
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(running.post, PATHS["kserve"], {"instances": [1]})
        assert stub.started.wait(60)
        assert running.post(PATHS["kserve"], {"instances": [1]}).status == 503
        stub.gate.set()
        assert held.result().status == 200
    assert running.post(PATHS["kserve"], {"instances": [1]}).status == 200


def test_a_deadline_is_kept_and_the_place_is_free_again(
    stubbed: Stubbed, time_is_up: Callable[[], None]
) -> None:
    running, stub = stubbed(limits=Limits(seconds=7))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(running.post, PATHS["vertex"], {"instances": [1]})
        assert stub.started.wait(60)
        time_is_up()
        answer = asked.result()
    assert (answer.status, answer.json["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    assert "not computed within 7 s" in answer.json["error"]["message"]
    assert admitted(running) == 0
    stub.gate.set()
    assert running.post(PATHS["vertex"], {"instances": [2]}).status == 200


@pytest.mark.parametrize(
    "header, value",
    [("X-Server-Timeout", "0.2"), ("x-envoy-expected-rq-timeout-ms", "200")],
)
def test_a_client_says_how_long_it_waits(
    stubbed: Stubbed, time_is_up: Callable[[], None], header: str, value: str
) -> None:
    running, stub = stubbed()
    with ThreadPoolExecutor(1) as pool:
        body = {"instances": [1]}
        asked = pool.submit(running.ask, "POST", PATHS["kserve"], body, {header: value})
        assert stub.started.wait(60)
        time_is_up()
        answer = asked.result()
    assert answer.status == 504 and "not computed within 0.2 s" in answer.json["error"]


def test_a_deadline_passes_by_itself(stubbed: Stubbed) -> None:
    running, _ = stubbed(limits=Limits(seconds=0.1))
    # Reading counts, too, and takes long on a machine that is busy.
    assert running.post(PATHS["kserve"], {"instances": [1]}).status in (408, 504)


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan"])
def test_a_timeout_that_is_none_is_refused(stubbed: Stubbed, value: str) -> None:
    running, _ = stubbed()
    headers = {"X-Server-Timeout": value}
    assert running.ask("POST", PATHS["kserve"], {"instances": [1]}, headers).status == 400


def test_who_goes_away_frees_its_place_and_is_not_computed(stubbed: Stubbed) -> None:
    running, stub = stubbed(limits=Limits(queue=2))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(running.post, PATHS["kserve"], {"instances": [1]})
        assert stub.started.wait(60)
        leaver = http.client.HTTPConnection("127.0.0.1", running.port)
        leaver.request("POST", PATHS["kserve"], b'{"instances": [2]}')
        until(lambda: admitted(running) == 2)
        leaver.close()
        until(lambda: admitted(running) == 1)
        stub.gate.set()
        assert first.result().status == 200
    assert stub.blocks == [[1.0]]
    until(lambda: any(line["status"] == 499 for line in running.log))


def test_a_body_that_is_too_large_is_a_413(stubbed: Stubbed) -> None:
    running, _ = stubbed(limits=Limits(body=1000))
    for size in (1001, 3000):
        answer = running.post(PATHS["vertex"], b" " * size)
        assert answer.status == 413, size
        assert "more than 1,000 bytes" in answer.json["error"]["message"]


def test_a_body_without_a_length_is_measured_too(stubbed: Stubbed) -> None:
    running, _ = stubbed(limits=Limits(body=1000))
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    parts = iter([b" " * 400] * 4)
    connection.request("POST", PATHS["kserve"], parts, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_what_is_far_too_large_is_refused_unread(stubbed: Stubbed) -> None:
    running, _ = stubbed(limits=Limits(body=1000))
    with socket.create_connection(("127.0.0.1", running.port)) as raw:
        head = f"POST {PATHS['kserve']} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
        raw.sendall(head.encode() + b" " * 5000)
        raw.settimeout(60)
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_too_many_instances_are_a_413(stubbed: Stubbed) -> None:
    running, _ = stubbed(limits=Limits(instances=3))
    answer = running.post(PATHS["kserve"], {"instances": [1, 2, 3, 4]})
    assert answer.status == 413 and "at most 3" in answer.json["error"]


def test_a_compressed_body_is_a_415(stubbed: Stubbed) -> None:
    running, _ = stubbed()
    headers = {"Content-Encoding": "gzip"}
    assert running.ask("POST", PATHS["kserve"], b"\x1f\x8b", headers).status == 415


def test_parameters_that_cost_too_much_are_refused() -> None:
    override = {
        "integratedGradientsAttribution": {
            "stepCount": 100,
            "smoothGradConfig": {"noisySampleCount": 50, "noiseSigma": 0.1},
        },
        "topK": 3,
    }
    request = json.loads((SAMPLES / "wine" / "instances.json").read_text())
    request["explanationSpecOverride"] = {"parameters": override}
    from pellucid.serve.server import ServerSettings

    settings = ServerSettings(poll=0, limits=Limits(evaluations=10_000))
    with serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=settings) as running:
        path = "/v1/projects/p/locations/l/endpoints/wine:explain"
        answer = running.post(path, request)
        assert answer.status == 413 and "15,000 evaluations" in answer.json["error"]["message"]
        baselines = {name: {"inputBaselines": [0.0] * 50} for name in request["instances"][0]}
        request["explanationSpecOverride"]["metadata"] = {"inputs": baselines}
        answer = running.post(path, request)
        assert answer.status == 413 and "750,000 evaluations" in answer.json["error"]["message"]
        del request["explanationSpecOverride"]["metadata"]
        override["topK"] = 2
        assert running.post(path, request).status == 200


WINE = Instance(None, {"x": np.zeros(13, np.float32)})
SHAPLEY = ExplanationParameters(method=SampledShapley(path_count=50))


@pytest.mark.parametrize(
    "parameters, outputs, sentence",
    [
        (SHAPLEY, 3, None),
        (replace(SHAPLEY, top_k=-1), 200, "130,000 evaluations"),
        (ExplanationParameters(top_k=-1), 3000, "150,000 evaluations"),
        (ExplanationParameters(top_k=50_000), 1000, None),
        (ExplanationParameters(method=Lime(num_samples=10**6)), 3, "1,000,000 evaluations"),
    ],
)
def test_what_an_instance_costs(
    parameters: ExplanationParameters, outputs: int, sentence: str | None
) -> None:
    own = ExplanationParameters()
    if sentence is None:
        assert Limits().check([WINE], parameters, own, outputs) >= 1
        return
    with pytest.raises(HttpError, match=sentence):
        Limits().check([WINE], parameters, own, outputs)
    # What the server was started with is never too much.
    assert Limits().check([WINE], parameters, parameters, outputs) >= 1


def test_explanations_that_are_large_are_computed_a_few_at_a_time() -> None:
    photo = Instance(None, {"x": np.zeros((224, 224, 3), np.float32)})
    own = ExplanationParameters()
    assert Limits().check([photo], own, own, 1000) == 222
    assert Limits().check([photo], ExplanationParameters(top_k=100), own, 1000) == 2
    with pytest.raises(HttpError, match="ask for fewer outputs"):
        Limits().check([photo], ExplanationParameters(top_k=500), own, 1000)


def ended(running: Running) -> bool:
    """Whether the server takes no more requests."""
    try:
        return running.get("/readyz").status == 503
    except OSError:
        return True


def test_what_was_taken_is_answered_when_the_server_ends(stubbed: Stubbed) -> None:
    from pellucid.serve.server import ServerSettings

    stub = Stub()
    jobs: list[Answer] = []
    with serving(
        f"stub={SAMPLES / 'wine' / 'model'}",
        settings=ServerSettings(poll=0),
        load=lambda path: stub,
    ) as running:

        def ask() -> None:
            jobs.append(running.post(PATHS["kserve"], {"instances": [4]}))

        thread = threading.Thread(target=ask)
        thread.start()
        assert stub.started.wait(60)
        # It is still being computed when the server is told to end, and for a while after that.
        threading.Thread(target=lambda: (until(lambda: ended(running)), stub.gate.set())).start()
    thread.join(60)
    assert [job.json for job in jobs] == [{"predictions": [8]}]


def test_an_error_that_nobody_expects_is_a_500_without_its_innards(
    stubbed: Stubbed, caplog: Any
) -> None:
    running, stub = stubbed()

    def broken(instances: Any) -> Any:
        raise ZeroDivisionError("a secret")

    stub.predict = broken  # type: ignore[method-assign]
    answer = running.post(PATHS["vertex"], {"instances": [1]})
    assert answer.status == 500 and answer.json["error"]["status"] == "INTERNAL"
    assert b"secret" not in answer.data
    assert running.get("/healthz").status == 200
