"""`pellucid serve` under 64 clients, against `pellucid batch` over the same instances.

Run alone: ``python tests/bench/serve_load.py [--seconds 60] [--clients 64]``. Each client holds one
connection and asks again as soon as it is answered. Throughput is compared on the clock and, since
others may use the machine, in CPU seconds for an instance; latencies are of this run. Ends with 1
if a bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from timing import in_subprocess

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-c", "from pellucid_cli.main import main; main()"]
SAMPLE = ROOT / "sample_models" / "digits"
LEAST_THROUGHPUT, MOST_SPREAD = 0.85, 4.0
DELIBERATE = {429, 503}


@dataclass
class Load:
    """What the clients saw: statuses, and the seconds of each answer with an explanation."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


def instances() -> list[object]:
    found: list[object] = json.loads((SAMPLE / "instances.json").read_text())["instances"]
    return found


async def client(port: int, bodies: list[bytes], number: int, end: float, load: Load) -> None:
    """Ask one request after the other over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        body = bodies[number % len(bodies)]
        number += 1
        start = time.perf_counter()
        head = f"POST /v1/models/digits:explain HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer[9:12])
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
        load.statuses[status] += 1
        if status == 200:
            load.seconds.append(time.perf_counter() - start)
        else:
            await asyncio.sleep(1)  # as Retry-After says
    writer.close()


async def clients(port: int, count: int, seconds: float) -> Load:
    bodies = [json.dumps({"instances": [instance]}).encode() for instance in instances()]
    load = Load()
    end = time.perf_counter() + seconds
    await asyncio.gather(*(client(port, bodies, i, end, load) for i in range(count)))
    return load


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def served(count: int, seconds: float) -> tuple[Load, float, float]:
    """Return the load, the answers of a second, and the CPU seconds of an answer."""
    arguments = ["serve", "--port", "0", "-q", str(SAMPLE / "model")]
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        while True:
            try:
                urllib.request.urlopen(f"{url}/readyz").close()
                break
            except urllib.error.HTTPError:
                time.sleep(0.2)
        port = int(url.rpartition(":")[2])
        asyncio.run(clients(port, count, min(3.0, seconds)))  # everything is warm then
        before, start = cpu_of(server.pid), time.perf_counter()
        load = asyncio.run(clients(port, count, seconds))
        wall, cpu = time.perf_counter() - start, cpu_of(server.pid) - before
        server.terminate()
        if server.wait(60):
            raise RuntimeError(f"the server ended with {server.returncode}")
    answers = load.statuses[200]
    return load, answers / wall, cpu / answers


def batched(seconds: float) -> tuple[float, float]:
    """Return the instances of a second, and the CPU seconds of one, without the start."""
    few, many = 200, 200 + int(300 * seconds)
    with tempfile.TemporaryDirectory() as folder:
        lines = [json.dumps(instance) for instance in instances()]
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
    options = parser.parse_args()
    rates = [batched(options.seconds / 4)]
    load, rate, cpu = served(options.clients, options.seconds)
    rates.append(batched(options.seconds / 4))
    batch_rate, batch_cpu = (median(values) for values in zip(*rates, strict=True))
    cuts = quantiles(load.seconds, n=100)
    spread = cuts[98] / cuts[49]
    errors = {s: n for s, n in load.statuses.items() if s != 200 and s not in DELIBERATE}
    throughput = rate / batch_rate
    print(f"{options.clients} clients for {options.seconds:g} s: {dict(load.statuses)}")
    print(f"serve {rate:7.1f} instances/s  {1000 * cpu:6.2f} ms CPU each")
    print(f"batch {batch_rate:7.1f} instances/s  {1000 * batch_cpu:6.2f} ms CPU each")
    print(f"throughput {throughput:.2f} x batch on the clock, {batch_cpu / cpu:.2f} x in CPU")
    print(f"p50 {1000 * cuts[49]:.0f} ms, p99 {1000 * cuts[98]:.0f} ms: {spread:.2f} x")
    good = max(throughput, batch_cpu / cpu) >= LEAST_THROUGHPUT
    return 0 if not errors and good and spread < MOST_SPREAD else 1


if __name__ == "__main__":
    raise SystemExit(main())
