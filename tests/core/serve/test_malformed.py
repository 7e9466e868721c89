"""Ten thousand requests that are wrong in every way: none is a 500, and memory stays flat."""

from __future__ import annotations

import gc
import http.client
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import Running, serving

from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import SAMPLES

REQUESTS = 10_000
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())
TEXTS = json.loads((SAMPLES / "code_or_prose" / "instances.json").read_text())
BASES = [
    ("/v1/models/wine", WINES),
    ("/v1/projects/p/models/wine", WINES),
    ("/v1/projects/p/locations/l/endpoints/wine", WINES),
    ("/v1/models/code_or_prose", TEXTS),
    ("/v1beta1/projects/p/locations/l/endpoints/code_or_prose", TEXTS),
]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 10**30, -(10**30), 1e308, 0.1, "", "x", "\ud800", "\0", "é" * 300),
    *([], [[]], {}, {"b64": "AAAA"}, {"b64": 3}, {"b64": "?"}, {"file": "/etc/passwd"}, "min"),
    *([1, [2]], {"a": {"b": {"c": []}}}, [None] * 50, "NaN", {"": ""}, [[[[[[[1]]]]]]]),
]
KEYS = [
    *("instances", "parameters", "signature_name", "top_labels", "num_samples", "min_weight"),
    *("positive_only", "segmentation_alg", "explanationSpecOverride", "model", "", "é"),
]
OVERRIDES = [
    *("parameters", "metadata", "topK", "outputIndices", "integratedGradientsAttribution"),
    *("stepCount", "smoothGradConfig", "inputs", "alcohol", "inputBaselines", "visualization"),
]
PATHS = [
    "/",
    "//",
    "/v1",
    "/v1/models/",
    "/v1/models/:explain",
    "/v1/models/wine:",
    "/%00",
    "/%C3%A9",
    "/%ff",
]


def spoiled(value: Any, dice: random.Random) -> Any:
    """A document with something in it put in place of something else."""
    match value:
        case dict() if value and dice.random() < 0.8:
            key = dice.choice(list(value))
            made = dict(value)
            if dice.random() < 0.2:
                del made[key]
            else:
                made[key] = spoiled(value[key], dice)
            return made
        case list() if value and dice.random() < 0.8:
            place = dice.randrange(len(value))
            return [*value[:place], spoiled(value[place], dice), *value[place + 1 :]]
    return dice.choice(ODD)


def override(dice: random.Random, depth: int = 0) -> Any:
    if depth > 3 or dice.random() < 0.2:
        return dice.choice(ODD)
    keys = dice.sample(OVERRIDES, dice.randint(1, 3))
    return {key: override(dice, depth + 1) for key in keys}


def body(base: Any, dice: random.Random) -> bytes:
    kind = dice.randrange(8)
    if kind == 0:
        return dice.randbytes(dice.randrange(200))
    if kind == 1:
        return dice.choice([b"[", b'{"a":']) * dice.randrange(1, 3000)
    document = {**base, dice.choice(KEYS): dice.choice(ODD)} if kind == 2 else base
    if kind == 3:
        document = {**base, "explanationSpecOverride": override(dice)}
    if kind > 3:
        document = spoiled(base, dice)
    text = json.dumps(document).encode()
    if kind == 7:
        place = dice.randrange(len(text))
        text = text[:place] + dice.randbytes(1) + text[place + dice.randrange(20) :]
    return text


def request(dice: random.Random) -> tuple[str, str, bytes, dict[str, str]]:
    path, base = dice.choice(BASES)
    path += dice.choice([":explain", ":predict", ":predict", ":train", "", "/versions/1:predict"])
    if dice.random() < 0.03:
        path = dice.choice(PATHS)
    method = dice.choice(["POST"] * 12 + ["GET", "PUT", "OPTIONS"])
    headers = {}
    if dice.random() < 0.1:
        name = dice.choice(["X-Server-Timeout", "Content-Encoding", "Origin", "Content-Type"])
        headers[name] = dice.choice(["", "1e9", "-1", "gzip", "null", "http://x", "text/html"])
    return method, path, body(base, dice), headers


def resident() -> int:
    """The memory of this process in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sent(running: Running, seeds: range) -> Counter[int]:
    found: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    for seed in seeds:
        method, path, data, headers = request(random.Random(seed))
        connection.putrequest(method, path.replace(" ", "%20"), skip_accept_encoding=True)
        # Whoever does not say what it accepts gets the page at /, which is no JSON.
        always = {"Accept": "application/json", "Content-Length": str(len(data))}
        for name, value in {**headers, **always}.items():
            connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        content = answer.read()
        found[answer.status] += 1
        assert answer.status < 500, (seed, method, path, data[:300], content[:500])
        if answer.status == 200 or content:
            json.loads(content)
        if answer.will_close:
            connection.close()
    connection.close()
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_malformed_requests_are_told_so_and_leave_nothing_behind() -> None:
    models = [f"{name}={SAMPLES / name / 'model'}" for name in ("wine", "code_or_prose")]
    settings = ServerSettings(poll=0, limits=Limits(evaluations=5000))
    with serving(*models, settings=settings) as running, ThreadPoolExecutor(4) as pool:
        send: Callable[[range], Counter[int]] = lambda seeds: sent(running, seeds)  # noqa: E731

        def parts(first: int, last: int) -> list[range]:
            return [range(first + i, last, 4) for i in range(4)]

        found = sum(pool.map(send, parts(0, REQUESTS // 2)), Counter[int]())
        running.log.clear()
        half = resident()
        found += sum(pool.map(send, parts(REQUESTS // 2, REQUESTS)), Counter[int]())
        running.log.clear()
        grown = resident() - half
    assert found.total() == REQUESTS
    assert all(found[status] >= 10 for status in (200, 400, 403, 404, 405, 415)), found
    assert grown < 32 * 2**20, f"{grown / 2**20:.0f} MiB more after {REQUESTS // 2} requests"
