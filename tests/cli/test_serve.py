"""``pellucid serve``: what the program does around the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from places import SAMPLES

PROGRAM = (sys.executable, "-c", "from pellucid_cli.main import main; main()")
WINE = SAMPLES / "wine" / "model"


@contextmanager
def started(*arguments: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, and the address that it printed."""
    # A shell in the background leaves SIGINT ignored, and a child inherits that.
    run = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert run.stdout is not None
        yield run, run.stdout.readline().strip()
    finally:
        run.kill()
        run.communicate()


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers), timeout=60
        ) as found:
            return found.status, json.loads(found.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def until_ready(url: str) -> None:
    end = time.monotonic() + 120
    while ask(f"{url}/readyz")[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_it_prints_its_address_answers_and_ends_well_at_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    request = json.loads((SAMPLES / "wine" / "instances.json").read_text())
    many = {"instances": request["instances"] * 300}
    with started(WINE, "--access-log", log, "--method", "sampled-shapley") as (run, url):
        assert url.startswith("http://127.0.0.1:")
        # The port is open at once, and the model comes later.
        assert ask(f"{url}/healthz") == (200, {"status": "alive"})
        until_ready(url)
        answers: list[tuple[int, Any]] = []
        thread = threading.Thread(
            target=lambda: answers.append(ask(f"{url}/v1/models/wine:explain", many))
        )
        thread.start()
        end = time.monotonic() + 30
        while b"pellucid_admitted_requests 1.0" not in metrics(url):
            assert time.monotonic() < end
        run.send_signal(signal.SIGTERM)
        thread.join(60)
        ((status, body),) = answers
        assert status == 200 and len(body["explanations"]) == 900
        out, err = run.communicate(timeout=60)
        assert (run.returncode, out, err) == (0, "", "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["path"] == "/v1/models/wine:explain" and lines[-1]["instances"] == 900


def metrics(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as found:
        data: bytes = found.read()
        return data


@pytest.mark.slow
def test_ctrl_c_ends_it_with_130_and_a_token_is_asked_for() -> None:
    with started(WINE, PELLUCID_SERVE_TOKEN="secret") as (run, url):
        until_ready(url)
        assert ask(f"{url}/v1/models")[0] == 401
        assert ask(f"{url}/v1/models", Authorization="Bearer secret") == (200, {"models": ["wine"]})
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
        assert run.returncode == 130


def test_a_model_that_cannot_be_loaded_is_exit_2(program: Any, tmp_path: Path) -> None:
    run = program("serve", tmp_path / "nowhere")
    assert run.code == 2 and "does not exist" in run.err and run.out == b""
    (tmp_path / "saved_model.pb").write_bytes(b"nothing")
    run = program("serve", "--port", 0, f"odd={tmp_path}")
    assert run.code == 2 and run.err.startswith("error: ")


def test_an_address_that_others_reach_needs_a_token(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PELLUCID_SERVE_TOKEN", raising=False)
    run = program("serve", "--host", "0.0.0.0", WINE)
    assert run.code == 2 and "give --token-file, or --insecure to do without" in run.err


def test_options_of_one_model_are_not_for_several(program: Any) -> None:
    run = program("serve", WINE, SAMPLES / "digits" / "model", "--output", "x")
    assert run.code == 2 and "--output is for one model" in run.err


def test_a_port_that_is_taken_is_said(program: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = program("serve", "--port", port, WINE)
    assert run.code == 2
    assert f"127.0.0.1:{port}: cannot listen there: Address already in use" in run.err
