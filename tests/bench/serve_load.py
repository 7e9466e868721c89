"""`pellucid serve` under 64 clients, against `pellucid batch` over the same instances.

Run alone: ``python tests/bench/serve_load.py [--seconds 60] [--clients 64] [--pictures 512]``. Each
client holds one connection and asks again as soon as it is answered. Both sides do the same for an
instance: the same model, method and steps, and a JPEG of its overlay in the answer, which `batch`
draws for a line of results with ``--no-overlays``, too: that leaves out the files for people, and
the gallery. What is equal within a block is asked of the model once, and the blocks of `batch` are
the larger ones: with few pictures, ``--pictures 3`` say, their repetition is measured, and what
serving costs beside the model. Throughput is compared on the clock, with the clients on the same
processors; what they cost is printed, too. `batch` runs before and after. Latencies are of this run.
Ends with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import uvloop
from predictors import PROGRAM
from predictors import served as running
from timing import cpu_of, in_subprocess

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_models" / "digits"
LEAST_THROUGHPUT, MOST_SPREAD = 0.85, 4.0
DELIBERATE = {429, 503}
LOST = 0  # the status of a connection that the server closed


@dataclass
class Load:
    """What the clients saw: statuses, and the seconds of each answer with an explanation.

    `cpu` are the seconds that the clients themselves took.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0


def instances(count: int) -> list[object]:
    """Return so many pictures, of which no two are equal."""
    found = np.asarray(json.loads((SAMPLE / "instances.json").read_text())["instances"])
    dimmed = 1 - np.arange(count) / (4 * count)
    pictures = found[np.arange(count) % len(found)] * dimmed[:, np.newaxis, np.newaxis]
    different: list[object] = pictures.round(4).tolist()
    return different


class Client(asyncio.Protocol):
    """Asks every `step`-th request, over and over, over one connection, until told to end.

    It does next to nothing itself: what clients cost on a machine that they share with the server
    is taken from the server's rate.
    """

    def __init__(self, requests: list[bytes], number: int, step: int, load: Load) -> None:
        self._requests, self._number, self._step = requests, number, step
        self._load = load
        self._data = b""
        self.deadline = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        if self.deadline:
            self._transport.close()
            return
        self._number += self._step
        self._start = time.perf_counter()
        self._transport.write(self._requests[self._number % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        data = self._data = self._data + data
        head, end, body = data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        if not end or len(body) < int(length):
            return  # the rest is still coming
        self._data = b""
        status = int(data[9:12])
        self._load.statuses[status] += 1
        if status == 200:
            self._load.seconds.append(time.perf_counter() - self._start)
            self._ask()
        else:
            asyncio.get_running_loop().call_later(1, self._ask)  # as Retry-After says

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or not self.deadline:
            self._load.statuses[LOST] += 1
        self.ended.set_result(None)


async def clients(port: int, count: int, seconds: float, pictures: list[object]) -> Load:
    bodies = [json.dumps({"instances": [picture]}).encode() for picture in pictures]
    head = (
        "POST /v1/models/digits:explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n"
    )
    requests = [head.format(len(body)).encode() + body for body in bodies]
    load = Load()
    loop = asyncio.get_running_loop()
    made = [
        (
            await loop.create_connection(
                lambda i=i: Client(requests, i, count, load), "127.0.0.1", port
            )
        )[1]
        for i in range(count)
    ]
    before = time.process_time()
    await asyncio.sleep(seconds)
    load.cpu = time.process_time() - before
    for client in made:
        client.deadline = True
    await asyncio.wait_for(asyncio.gather(*(client.ended for client in made)), 120)
    return load


def served(count: int, seconds: float, pictures: list[object]) -> tuple[Load, float, float]:
    """Return the load, the answers of a second, and the CPU seconds of an answer."""
    with running([str(SAMPLE / "model")]) as (url, pid):
        port = int(url.rpartition(":")[2])
        uvloop.run(clients(port, count, min(3.0, seconds), pictures))  # everything is warm then
        before, start = cpu_of(pid), time.perf_counter()
        load = uvloop.run(clients(port, count, seconds, pictures))
        wall, cpu = time.perf_counter() - start, cpu_of(pid) - before
    answers = load.statuses[200]
    return load, answers / wall, cpu / answers


def batched(seconds: float, pictures: list[object]) -> tuple[float, float]:
    """Return the instances of a second, and the CPU seconds of one, without the start."""
    few, many = 128, 128 + max(1024, int(100 * seconds))
    with tempfile.TemporaryDirectory() as folder:
        lines = [json.dumps(instance) for instance in pictures]
        file = Path(folder) / "instances.jsonl"
        file.write_text("\n".join(lines[i % len(lines)] for i in range(many)) + "\n")
        used = []
        for limit in (few, many):
            command = ["batch", str(SAMPLE / "model"), str(file), "-q", "--no-overlays"]
            command += ["-o", f"{folder}/{limit}", "--limit", str(limit)]
            used.append(in_subprocess([*PROGRAM, *command])())
    first, last = used
    count = many - few
    return count / (last.wall - first.wall), (last.cpu - first.cpu) / count


def main() -> int:
    """Measure, print a table, and return whether a bound was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=512)
    options = parser.parse_args()
    pictures = instances(options.pictures)
    rates = [batched(options.seconds / 4, pictures)]
    load, rate, cpu = served(options.clients, options.seconds, pictures)
    rates.append(batched(options.seconds / 4, pictures))
    batch_rate, batch_cpu = (median(values) for values in zip(*rates, strict=True))
    cuts = quantiles(load.seconds, n=100)
    spread = cuts[98] / cuts[49]
    errors = {s: n for s, n in load.statuses.items() if s != 200 and s not in DELIBERATE}
    throughput = rate / batch_rate
    print(f"{options.clients} clients for {options.seconds:g} s: {dict(load.statuses)}")
    print(f"serve {rate:7.1f} instances/s  {1000 * cpu:6.2f} ms CPU each")
    print(f"batch {batch_rate:7.1f} instances/s  {1000 * batch_cpu:6.2f} ms CPU each")
    print(f"clients {1000 * load.cpu / len(load.seconds):31.2f} ms CPU each, on the same cores")
    print(f"throughput {throughput:.2f} x batch on the clock, {batch_cpu / cpu:.2f} x in CPU")
    print(f"p50 {1000 * cuts[49]:.0f} ms, p99 {1000 * cuts[98]:.0f} ms: {spread:.2f} x")
    good = not errors and throughput >= LEAST_THROUGHPUT and spread < MOST_SPREAD
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
