"""Predictors that are down, slow, broken or somebody else: one sentence each, and nothing kept."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.cancellation import Cancelled, cancelled_when
from pellucid.errors import InstanceError, PredictorError
from pellucid.predictor import connection
from stand_in import WEIGHTS, Asked, Reply, StandIn, linear, reply

Loads = Callable[..., Any]
ROWS = np.array([[1, 2, 3], [0.1, -4, 5]], np.float32)
HTML = {"Content-Type": "text/html"}


def rows_of(asked: Asked, count: int) -> np.ndarray:
    return np.ones((count, 2))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda it: Reply({"error": "boom"}, 500), "answers 500: boom"),
        (lambda it: Reply(b"<html>x", 500, HTML), "answers 500 with text/html"),
        (lambda it: Reply(b"<html>x", 200, HTML), "answers with text/html instead of JSON"),
        (lambda it: Reply(b'{"predictions": [[1'), "answers with what is no JSON"),
        (lambda it: Reply(b"[" * 100_000), "answers with what is no JSON"),
        (lambda it: Reply(b"[]"), "answers with JSON that is no object"),
        (lambda it: Reply(b"zz", headers={"Content-Encoding": "gzip"}), "cannot be unpacked"),
        (lambda it: Reply({"other": 1}), "answers without a list of predictions"),
        (lambda it: reply(it, rows_of(it, 1)), "gives 1 rows of output 'y' for 2"),
        (lambda it: reply(it, rows_of(it, 3)), "gives 3 rows of output 'y' for 2"),
        (lambda it: reply(it, np.ones((2, 5))), "gives output 'y' of shape [2, 5], and its"),
        (lambda it: Reply({"predictions": [[1, 2], [3]]}), "what is no float64 of one shape"),
        (lambda it: Reply({"predictions": ["a", "b"]}), "what is no float64 of one shape"),
        (lambda it: Reply(b'{"predictions": [[NaN, 1], [1, 2]]}'), "gives NaN in output 'y'"),
        (lambda it: Reply({"predictions": [[None, 1.0], [1, 2]]}), "gives NaN in output 'y'"),
        (lambda it: Reply({"predictions": [{"z": 1}, {"z": 2}]}), "no output 'y'; there are 'z'"),
        (
            lambda it: Reply(b"", 302, {"Location": "http://elsewhere/"}),
            "redirects to http://elsewhere/, which is not followed",
        ),
        (lambda it: Reply({"error": "who?"}, 401), "answers 401: who?; give a file with its token"),
        (lambda it: Reply({}, 503), "answers 503"),
        (lambda it: Reply({}, 413), "one row is too large"),
    ],
)
def test_a_wrong_answer_is_told_in_a_sentence_that_names_the_predictor(
    loads: Loads, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, answer: Any, why: str
) -> None:
    monkeypatch.setattr(connection.Call, "sleep", lambda self, seconds: None)
    stand_in.answer = answer
    with pytest.raises(PredictorError) as caught:
        loads().predict(ROWS)
    assert why in str(caught.value)
    assert str(caught.value).startswith(f"predictor {stand_in.url}/v1/models/linear: ")
    assert "\n" not in str(caught.value)
    assert caught.value.answered


def test_what_was_wrong_is_not_kept(loads: Loads, stand_in: StandIn) -> None:
    model = loads()
    stand_in.answer = lambda asked: Reply({"error": "boom"}, 500)
    with pytest.raises(PredictorError):
        model.predict(ROWS)
    stand_in.answer = linear
    np.testing.assert_allclose(model.predict(ROWS), ROWS @ WEIGHTS, rtol=1e-6)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ({"name": "y", "datatype": "FP64", "shape": [2, 2]}, "gives an output 'y' that is none"),
        ({"name": "y", "datatype": "FP64", "data": [1, 2, 3, 4]}, "it has no shape"),
        (
            {"name": "y", "datatype": "FP64", "shape": [2, 2], "data": [1, 2, 3]},
            "3 elements are not those of shape [2, 2], 4",
        ),
        (
            {
                "name": "y",
                "datatype": "FP64",
                "shape": [2, 2],
                "parameters": {"binary_data_size": 8},
            },
            "0 bytes are not 4 elements of FP64, 32 bytes",
        ),
        ({"name": "y", "datatype": "FP65", "shape": [1], "data": [1]}, "'FP65' is no datatype"),
        ({"name": "other", "datatype": "FP64", "shape": [1], "data": [1]}, "no output 'y'"),
    ],
)
def test_a_wrong_tensor_of_the_open_protocol_is_told_in_a_sentence(
    loads: Loads, stand_in: StandIn, output: Any, why: str
) -> None:
    stand_in.answer = lambda asked: Reply({"outputs": [output]})
    with pytest.raises(PredictorError) as caught:
        loads("/v2/models/linear").predict(ROWS)
    assert why in str(caught.value)


def test_outputs_are_found_by_their_names_in_any_order(loads: Loads, stand_in: StandIn) -> None:
    def answer(asked: Asked) -> Reply:
        found = reply(asked, asked.rows @ WEIGHTS)
        other = {"name": "a", "datatype": "FP64", "shape": [1], "data": [7]}
        return Reply({"outputs": [other, *found.body["outputs"]]})

    stand_in.answer = answer
    model = loads("/v2/models/linear")
    np.testing.assert_allclose(model.predict(ROWS), ROWS @ WEIGHTS, rtol=1e-6)


def test_a_row_that_it_refuses_is_the_fault_of_the_instance(
    loads: Loads, stand_in: StandIn
) -> None:
    stand_in.answer = lambda asked: Reply({"error": "3 is too many"}, 400)
    with pytest.raises(InstanceError, match=r"refuses what it is asked \(400\): 3 is too many"):
        loads().predict(ROWS)


def test_a_predictor_that_is_not_there_cannot_be_reached(loads: Loads, stand_in: StandIn) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1/models/linear"
        stand_in.url = url.removesuffix("/v1/models/linear")
        with pytest.raises(PredictorError, match="cannot be reached: Connection refused") as caught:
            loads().predict(ROWS)
    assert not caught.value.late
    assert not caught.value.answered


def test_one_that_never_answers_is_late_and_sees_that_nobody_waits(
    loads: Loads, stand_in: StandIn
) -> None:
    stand_in.answer = lambda asked: None
    with pytest.raises(PredictorError, match=r"does not answer within 0.2 s") as caught:
        loads(timeout=0.2).predict(ROWS)
    assert caught.value.late
    assert stand_in.gone.wait(60)


def test_work_that_is_given_up_ends_its_requests(loads: Loads, stand_in: StandIn) -> None:
    arrived = threading.Event()

    def answer(asked: Asked) -> None:
        arrived.set()

    stand_in.answer = answer
    model = loads()
    with pytest.raises(Cancelled), cancelled_when(arrived.is_set):
        model.predict(ROWS)
    assert stand_in.gone.wait(60)


@pytest.mark.parametrize("status", [429, 503])
def test_one_that_is_busy_is_asked_again(loads: Loads, stand_in: StandIn, status: int) -> None:
    stand_in.answer = lambda asked: (
        Reply({}, status, {"Retry-After": "0"}) if len(stand_in.asked) < 3 else linear(asked)
    )
    np.testing.assert_allclose(loads().predict(ROWS), ROWS @ WEIGHTS, rtol=1e-6)
    assert len(stand_in.asked) == 3


def test_an_answer_that_breaks_off_is_asked_for_again(loads: Loads, stand_in: StandIn) -> None:
    def answer(asked: Asked) -> Reply:
        found = linear(asked)
        found.cut = 4 if len(stand_in.asked) < 3 else 0
        return found

    stand_in.answer = answer
    np.testing.assert_allclose(loads().predict(ROWS), ROWS @ WEIGHTS, rtol=1e-6)
    stand_in.answer = lambda asked: Reply({"predictions": []}, cut=3)
    said = "breaks off its answers: the rest of one is missing"
    with pytest.raises(PredictorError, match=said):
        loads().predict(ROWS)


def test_an_enormous_answer_is_not_read_to_its_end(
    loads: Loads, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LARGEST_ANSWER", 1000)
    stand_in.answer = lambda asked: Reply(b"[" + b"1," * 10_000)
    with pytest.raises(PredictorError, match="its answer has more than 1,000 bytes"):
        loads().predict(ROWS[:1])


def test_a_request_that_is_too_large_is_sent_in_halves(loads: Loads, stand_in: StandIn) -> None:
    stand_in.answer = lambda asked: Reply({}, 413) if len(asked.rows) > 3 else linear(asked)
    rows = np.arange(60, dtype=np.float32).reshape(20, 3)
    np.testing.assert_allclose(loads().predict(rows), rows @ WEIGHTS, rtol=1e-6)


def test_connections_are_kept(loads: Loads, stand_in: StandIn) -> None:
    model = loads()
    for _ in range(5):
        model.predict(ROWS)
    assert len({it.peer for it in stand_in.asked}) == 1


def test_a_token_is_sent_and_never_shown(
    loads: Loads, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_PREDICTOR_TOKEN", "of-the-environment")
    model = loads()
    model.predict(ROWS)
    file = tmp_path / "token"
    file.write_text("of-the-file\n")
    other = loads(token_file=file)
    (explanation,) = other.explain(ROWS[:1])
    sent = [it.headers["authorization"] for it in stand_in.asked]
    assert sent[0] == "Bearer of-the-environment"
    assert sent[-1] == "Bearer of-the-file"
    shown = f"{model!r} {other!r} {explanation!r} {other.provenance} {other.compiler!r}"
    assert "of-the" not in shown
    assert json.loads(json.dumps(other.provenance))["predictor"] == {
        "url": f"{stand_in.url}/v1/models/linear",
        "protocol": "kserve-v1",
    }


def test_a_certificate_has_to_be_trusted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out"]
    made += [certificate, "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    signature = tmp_path / "signature.json"
    tensors = [{"name": "x", "datatype": "FP32", "shape": [-1]}]
    signature.write_text(json.dumps({"inputs": tensors, "outputs": [{**tensors[0], "name": "y"}]}))

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            # Who closes a connection with a body unread takes the answer back.
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"predictions": [5.0]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://127.0.0.1:{server.server_port}/v1/models/linear"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        settings = {"warn": lambda message: None}
        from pellucid.predictor import PredictorSettings

        untrusting = pellucid.load(signature, predictor=PredictorSettings(url=url), **settings)
        with pytest.raises(PredictorError, match=r"cannot be trusted: self.signed certificate"):
            untrusting.predict([1.0])
        asked = PredictorSettings(url=url, ca_file=certificate)
        assert pellucid.load(signature, predictor=asked, **settings).predict([1.0]) == [5.0]
        server.shutdown()
        thread.join()
