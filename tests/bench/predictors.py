"""LIME of what another process answers, against the same model in this one.

Run alone: ``python tests/bench/predictors.py [--turns 5]``. The other process is ``pellucid serve``
on this machine; the CPU time is that of both, and each call asks for all of its samples anew.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from rows import SAMPLES, Row, compared, rows_of
from timing import Case, Used, cpu_of, in_process, interleaved

import pellucid

PROGRAM = [sys.executable, "-c", "from pellucid_cli.main import main; main()"]
SETTINGS: dict[str, Any] = {"method": "lime", "samples": 1000, "top_k": 1}
BOUNDS = {"oip-v2": 1.5, "kserve-v1": 3.0}
_PATHS = {"oip-v2": "v2/models/{}", "kserve-v1": "v1/models/{}"}


@contextmanager
def served(arguments: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Run ``pellucid serve`` until it is left; yields its address, once it is ready, and its pid."""
    command = [*PROGRAM, "serve", "--port", "0", "-q", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            while True:
                try:
                    urllib.request.urlopen(f"{url}/readyz").close()
                    break
                except urllib.error.HTTPError:
                    time.sleep(0.2)
            yield url, server.pid
        finally:
            server.terminate()
        if server.wait(60):
            raise RuntimeError(f"the server ended with {server.returncode}")


def beside(work: Case, pid: int) -> Case:
    """A case whose CPU time is that of another process, too."""

    def run() -> Used:
        before = cpu_of(pid)
        used = work()
        return Used(used.cpu + cpu_of(pid) - before, used.wall)

    return run


def predictors(turns: int) -> Iterator[Row]:
    """Yield a row for raw bytes, and one for JSON."""
    model, x, _ = rows_of("photos", 6)
    one = [x[1]]
    local = model.configured(**SETTINGS)
    with served([str(SAMPLES / "photos" / "model")]) as (url, pid):
        cases: dict[str, Case] = {"in process": in_process(lambda: local.explain(one))}
        asked = {}
        for protocol, path in _PATHS.items():
            address = f"{url}/{path.format('photos')}"
            asked[protocol] = pellucid.load(
                SAMPLES / "photos" / "model", predictor=address, warn=lambda sentence: None
            ).configured(**SETTINGS)
            cases[protocol] = beside(in_process(lambda it=asked[protocol]: it.explain(one)), pid)
        measured = interleaved(cases, turns)
        values = {name: _values(it.explain(one)) for name, it in asked.items()}
    expected = _values(local.explain(one))
    for protocol, bound in BOUNDS.items():
        off = np.abs(values[protocol] - expected).max()
        figures = {"ours": measured[protocol], "in process": measured["in process"]}
        what = f"LIME photos, 1000 samples, a predictor's ({protocol})"
        yield compared(what, "in process", figures, f"values differ by {off:.1g}", bound)


def _values(explanations: Any) -> Any:
    return np.concatenate([it.ravel() for it in explanations[0].labels[0].values.values()])


def main() -> int:
    """Measure, print a line for each protocol, and return whether a bound was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    rows = list(predictors(parser.parse_args().turns))
    for row in rows:
        print(
            f"{row.what}: CPU {row.cpu:.2f}, clock {row.wall:.2f}, at most {row.bound}; {row.note}"
        )
    return int(any(row.missed for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
