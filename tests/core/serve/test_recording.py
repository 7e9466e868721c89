"""Exchanges are kept while a service answers: bodies alone, and nothing is lost for it."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import Running, serving

from pellucid.comparison.recorded import Exchange, read_recorded
from pellucid.errors import OutputError, SpecError
from pellucid.notices import Message
from pellucid.serve.auth import Guard
from pellucid.serve.proxy import Proxy, proxy, run_proxy
from pellucid.serve.recording import Recorder
from pellucid.serve.server import ServerSettings, address, listen
from places import SAMPLES
from stand_in import Asked, Reply, StandIn, standing_in

REQUEST = json.loads((SAMPLES / "wine" / "instances.json").read_text())
EXPLAIN, SECRET = "/v1/models/wine:explain", "tell-nobody"


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(it.read_text()) for it in sorted(folder.glob("*.json"))]


@contextmanager
def proxied(target: str, folder: Path) -> Iterator[Running]:
    """Run a proxy before `target` in a thread, until the block ends."""
    said: list[Message] = []
    proxy = Proxy(target, Recorder(folder, said.append), Guard())
    listening = listen("127.0.0.1", 0)
    running = Running(listening.getsockname()[1], address(listening), said)
    started = threading.Event()

    def on_start(end: Callable[[], None]) -> None:
        running.end = end
        started.set()

    thread = threading.Thread(
        target=run_proxy, args=(proxy, listening), kwargs={"on_start": on_start}
    )
    thread.start()
    assert started.wait(60)
    try:
        yield running
    finally:
        running.end()
        thread.join()


def test_a_server_keeps_what_it_answers_and_parity_reads_it(program: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    settings = ServerSettings(poll=0, record=folder)
    with serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=settings) as running:
        headers = {"Authorization": f"Bearer {SECRET}", "X-Other": SECRET}
        found = running.ask("POST", f"{EXPLAIN}?key={SECRET}", REQUEST, headers)
        assert found.status == 200
        assert running.post("/v1/models/wine:predict", REQUEST).status == 200
        assert running.post(EXPLAIN, {"instances": []}).status == 400
        assert running.get("/v1/models/wine").status == 200
    explained, predicted = kept(folder)
    assert explained == {
        "path": EXPLAIN, "status": 200, "request": REQUEST, "response": found.json,
    }  # fmt: skip
    assert predicted["path"].endswith(":predict") and "predictions" in predicted["response"]
    assert not any(SECRET in it.read_text() for it in folder.iterdir())
    assert {oct(it.stat().st_mode & 0o777) for it in folder.iterdir()} == {"0o600"}
    (folder / "000002.json").unlink()
    run = program("parity", SAMPLES / "wine" / "model", folder)
    assert run.code == 0 and "the same to 1e-06" in run.out.decode(), run.err


def test_a_proxy_passes_on_what_comes_and_keeps_the_bodies(tmp_path: Path) -> None:
    answer = {"explanations": [{"attributions_by_label": []}]}

    def reply(asked: Asked) -> Reply:
        return Reply(
            gzip.compress(json.dumps(answer).encode()), headers={"Content-Encoding": "gzip"}
        )

    with standing_in() as service, proxied(f"{service.url}/base/", tmp_path) as running:
        service.answer = reply
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Encoding": "gzip", "X-Mine": "é"}
        body = gzip.compress(json.dumps(REQUEST).encode())
        found = running.ask("POST", f"{EXPLAIN}?key={SECRET}", body, headers)
        (asked,) = service.asked
    assert (found.status, found.headers["content-encoding"]) == (200, "gzip")
    assert json.loads(gzip.decompress(found.data)) == answer
    assert asked.path == f"/base{EXPLAIN}?key={SECRET}" and asked.body == body
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert kept(tmp_path) == [
        {"path": EXPLAIN, "status": 200, "request": REQUEST, "response": answer}
    ]
    (one,) = read_recorded(tmp_path)
    assert isinstance(one, Exchange) and one.response == answer


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply({"error": "no"}, 404), 404),
        (Reply(b"<html>", 200), 200),
        (Reply({"error": "busy"}, 503, {"Retry-After": "3"}), 503),
        (Reply([1, 2], 200), 200),
    ],
)
def test_errors_and_what_is_no_exchange_are_passed_on_and_not_kept(
    tmp_path: Path, reply: Reply, status: int
) -> None:
    with standing_in() as service, proxied(service.url, tmp_path) as running:
        service.answer = lambda asked: reply
        found = running.post(EXPLAIN, REQUEST)
        assert found.status == status
        assert found.headers.get("retry-after") == reply.headers.get("Retry-After")
        assert running.get("/v2").status == 200
    assert kept(tmp_path) == []


def test_a_service_that_is_down_or_cuts_its_answer_is_a_502(tmp_path: Path) -> None:
    with standing_in() as service, proxied(service.url, tmp_path) as running:
        service.answer = lambda asked: Reply({"explanations": []}, cut=3)
        found = running.post(EXPLAIN, REQUEST)
        assert found.status == 502
        assert found.json["error"].startswith(f"{service.url} breaks off its answer: ")
    with proxied(service.url, tmp_path) as running:
        found = running.post(EXPLAIN, REQUEST)
        assert found.status == 502
        assert found.json["error"] == f"{service.url} cannot be reached: Connection refused"
        assert running.ask("GET", "/", None, {"Host": "evil.example"}).status == 403
    assert kept(tmp_path) == []


def test_a_service_that_is_late_is_a_504(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "READ_SECONDS", 0.2)
    with standing_in() as service, proxied(service.url, tmp_path) as running:
        service.answer = lambda asked: None
        found = running.post(EXPLAIN, REQUEST)
    assert found.status == 504
    assert found.json["error"] == f"{service.url} does not answer within 0.2 s"


def test_numbers_go_on_and_a_folder_that_fails_stops_the_recording_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Message] = []
    body = json.dumps({"instances": []}).encode()
    Recorder(tmp_path, said.append).take(EXPLAIN, body, 200, b"{}")
    recorder = Recorder(tmp_path, said.append)
    recorder.take(EXPLAIN, body, 200, b"{}")
    assert [it.name for it in sorted(tmp_path.iterdir())] == ["000001.json", "000002.json"]

    def full(*arguments: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    for _ in range(3):
        recorder.take(EXPLAIN, body, 200, b"{}")
    monkeypatch.undo()
    (one,) = said
    assert "nothing more is recorded" in one.sentence() and "No space left" in one.sentence()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        Recorder(tmp_path / "file", said.append)


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    with standing_in() as service, proxied(service.url, tmp_path) as running:
        service.answer = lambda asked: Reply({"predictions": json.loads(asked.body)["instances"]})

        def ask(number: int) -> None:
            found = running.post("/v1/models/m:predict", {"instances": [number]})
            assert found.json == {"predictions": [number]}

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(40)]
        for it in threads:
            it.start()
        for it in threads:
            it.join()
    found = kept(tmp_path)
    assert sorted(it["request"]["instances"][0] for it in found) == [*range(40)]
    assert all(it["response"]["predictions"] == it["request"]["instances"] for it in found)


@pytest.mark.parametrize(
    "target", ["gs://bucket", "host:80", "https://", "https://u:p@h", "http://h?k=1"]
)
def test_what_is_no_url_of_a_service_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(SpecError):
        Proxy(target, Recorder(tmp_path, lambda said: None), Guard())


def test_the_command_prints_its_address_and_how_many_were_kept(forks: Any, tmp_path: Path) -> None:
    import signal
    import subprocess
    import urllib.request

    stand_in: StandIn
    with standing_in() as stand_in:
        stand_in.answer = lambda asked: Reply({"predictions": [1]})
        run = subprocess.Popen(
            [forks.command, "record", str(tmp_path), "--to", stand_in.url, "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert run.stdout is not None
            url = run.stdout.readline().strip()
            data = json.dumps({"instances": [1]}).encode()
            with urllib.request.urlopen(f"{url}/v1/models/m:predict", data, timeout=120) as found:
                assert json.loads(found.read()) == {"predictions": [1]}
            run.send_signal(signal.SIGTERM)
            _, said = run.communicate(timeout=120)
        finally:
            run.kill()
            run.communicate()
    assert run.returncode == 0 and "1 exchange kept" in said
    assert len(kept(tmp_path)) == 1
