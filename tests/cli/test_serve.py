"""``pellucid serve``: what the program does around the server."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tiny_pictures
from forked import Forks
from places import SAMPLES
from waiting import until

WINE = SAMPLES / "wine" / "model"


@contextmanager
def started(
    forks: Forks, *arguments: object, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, and the address that it printed."""
    run = subprocess.Popen(
        [forks.command, "serve", "--port", "0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
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
            urllib.request.Request(url, data, headers), timeout=120
        ) as found:
            return found.status, json.loads(found.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def until_ready(url: str) -> None:
    until(lambda: ask(f"{url}/readyz")[0] == 200)


@pytest.mark.slow
def test_it_prints_its_address_answers_and_ends_well_at_sigterm(
    forks: Forks, tmp_path: Path
) -> None:
    log = tmp_path / "access.jsonl"
    request = (SAMPLES / "wine" / "instances.json").read_bytes()
    with started(forks, WINE, "--access-log", log, "--drain", 120) as (run, url):
        assert url.startswith("http://127.0.0.1:")
        # The port is open at once, and the model comes later.
        assert ask(f"{url}/healthz") == (200, {"status": "alive"})
        until_ready(url)
        # A request that has been taken, and of which half is still to come when the signal does.
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
        connection.putrequest("POST", "/v1/models/wine:explain")
        connection.putheader("Content-Length", str(len(request)))
        connection.endheaders(request[:100])
        until(lambda: b"pellucid_receiving_requests 1.0" in metrics(url))
        run.send_signal(signal.SIGTERM)
        until(lambda: not is_ready(url))
        connection.send(request[100:])
        answer = connection.getresponse()
        assert answer.status == 200 and len(json.loads(answer.read())["explanations"]) == 3
        connection.close()
        out, err = run.communicate(timeout=120)
        assert (run.returncode, out, err) == (0, "", "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["path"] == "/v1/models/wine:explain" and lines[-1]["instances"] == 3


def is_ready(url: str) -> bool:
    try:
        return ask(f"{url}/readyz")[0] == 200
    except OSError:  # it does not listen any more
        return False


def metrics(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/metrics", timeout=120) as found:
        data: bytes = found.read()
        return data


@pytest.mark.slow
def test_ctrl_c_ends_it_with_130_and_a_token_is_asked_for(forks: Forks) -> None:
    with started(forks, WINE, PELLUCID_SERVE_TOKEN="secret") as (run, url):
        until_ready(url)
        assert ask(f"{url}/v1/models")[0] == 401
        assert ask(f"{url}/v1/models", Authorization="Bearer secret") == (200, {"models": ["wine"]})
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=120)
        assert run.returncode == 130


def test_a_model_that_cannot_be_loaded_is_exit_2(program: Any, tmp_path: Path) -> None:
    run = program("serve", tmp_path / "nowhere")
    assert run.code == 2 and "does not exist" in run.err and run.out == b""
    (tmp_path / "saved_model.pb").write_bytes(b"nothing")
    run = program("serve", "--port", 0, f"odd={tmp_path}")
    assert run.code == 2 and run.err.startswith("error: ")


def test_models_as_tensorflow_serving_has_them(forks: Forks, program: Any, tmp_path: Path) -> None:
    (tmp_path / "models" / "wine").mkdir(parents=True)
    lost = program("serve", "--model-base", tmp_path / "models")
    assert lost.code == 2 and "has no versions: models lie there as" in lost.err
    (tmp_path / "model.config").write_text("model_config_list {\n  confg {}\n}\n")
    wrong = program("serve", "--model-config", tmp_path / "model.config")
    assert wrong.code == 2 and "model.config:2:3: is no model.config" in wrong.err
    shutil.copytree(WINE, tmp_path / "models" / "wine" / "3")
    twice = program("serve", WINE, "--model-base", tmp_path / "models")
    assert twice.code == 2 and "two models are called 'wine'" in twice.err
    with started(forks, "--model-base", tmp_path / "models") as (_, url):
        until_ready(url)
        status = ask(f"{url}/v1/models/wine/versions/3")[1]["model_version_status"]
        assert [it["version"] for it in status] == ["3"]


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


@pytest.mark.slow
def test_what_pictures_are_taken_for_is_said_once_and_in_each_answer(
    forks: Forks, tmp_path: Path
) -> None:
    model = tiny_pictures.build(tmp_path, "trained_on_bytes")
    request = {"instances": [{"b64": base64.b64encode(tiny_pictures.png()).decode()}]}
    with started(forks, model) as (run, url):
        until_ready(url)
        doubt = (
            "pixels are 0..1, since nothing says otherwise, and the model's answer hardly depends "
            "on them; at 0..255 it does"
        )
        for _ in range(2):
            status, answer = ask(f"{url}/v1/models/trained_on_bytes:explain", request)
            assert status == 200
            (found,) = answer["explanations"][0]["diagnostics"]
            assert found["pixels"]["image"]["warning"] == doubt
        run.send_signal(signal.SIGTERM)
        err = run.communicate(timeout=300)[1]
    said = [line for line in err.splitlines() if "pixels are" in line]
    assert said == [f"warning: {model}: input 'image': {doubt}; try --pixels 0..255"]
