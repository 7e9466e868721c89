"""64 clients at once: every answer is right or says when to come again, and blocks are shared."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from typing import Any

import pytest
from serving import Running, serving

import pellucid
from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import SAMPLES

CLIENTS, REQUESTS = 64, 15
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())["instances"]


def ask(running: Running, start: threading.Barrier, number: int, found: list[Any]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=300)
    start.wait(300)
    for i in range(REQUESTS):
        wine = (number + i) % len(WINES)
        body = json.dumps({"instances": [WINES[wine]]}).encode()
        connection.request("POST", "/v1/models/wine:explain", body)
        answer = connection.getresponse()
        found.append((answer.status, wine, json.loads(answer.read()), answer.headers))
    connection.close()


def asked(settings: ServerSettings) -> tuple[list[Any], str]:
    found: list[Any] = []
    start = threading.Barrier(CLIENTS)
    with serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=settings) as running:
        threads = [
            threading.Thread(target=ask, args=(running, start, number, found))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        return found, running.get("/metrics").data.decode()


@pytest.mark.slow
def test_many_clients_get_their_own_answers_and_share_blocks() -> None:
    found, metrics = asked(ServerSettings(poll=0))
    assert Counter(status for status, *_ in found) == {200: CLIENTS * REQUESTS}
    model = pellucid.load(SAMPLES / "wine" / "model", warn=lambda sentence: None)
    scores = [e.labels[0].score for e in model.explain(WINES)]
    for _, wine, body, _ in found:
        (explanation,) = body["explanations"]
        (label,) = explanation["attributions_by_label"]
        assert label["example_score"] == pytest.approx(scores[wine], rel=1e-4)
    numbers = dict(
        line.rsplit(" ", 1) for line in metrics.splitlines() if line and not line.startswith("#")
    )
    instances = float(numbers["pellucid_block_instances_sum"])
    assert float(numbers["pellucid_block_instances_count"]) < instances


@pytest.mark.slow
def test_more_than_the_queue_holds_are_told_when_to_come_again() -> None:
    found, _ = asked(ServerSettings(poll=0, limits=Limits(queue=8)))
    # How many of them come while others are computed is a question of the machine.
    statuses = Counter(status for status, *_ in found)
    assert sum(statuses.values()) == CLIENTS * REQUESTS
    assert set(statuses) <= {200, 503} and statuses[200] >= 8
    assert all(int(headers["Retry-After"]) >= 1 for status, *_, headers in found if status == 503)
