"""``--predictor``: each command explains what somebody else runs, and says what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stand_in import V2, Reply, StandIn, standing_in

Program = Any
REQUEST = {"instances": [[1.0, 2.0, 3.0], [4.0, -1.0, 2.0], [0.5, 0.5, 9.0]]}


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with standing_in() as running:
        yield running


@pytest.fixture
def signature(tmp_path: Path) -> Path:
    file = tmp_path / "signature.json"
    file.write_text(json.dumps(V2))
    return file


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(REQUEST))
    return file


def test_every_command_that_explains_asks_a_predictor(
    program: Program, stand_in: StandIn, signature: Path, request_file: Path, tmp_path: Path
) -> None:
    asked = ["--predictor", f"{stand_in.url}/v1/models/linear"]
    run = program("explain", signature, request_file, *asked)
    assert run.code == 0, run.err
    assert "sampled Shapley explains what a predictor says, as it gives no gradients" in run.err
    first = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]
    assert first["attributions"]["x"] == [1.0, 6.0, 0.0]
    picture, folder, report = tmp_path / "a.png", tmp_path / "out", tmp_path / "report"
    one = tmp_path / "one.json"
    one.write_text(json.dumps({"instances": REQUEST["instances"][:1]}))
    for words in (
        ["visualize", signature, one, *asked, "-o", picture],
        ["batch", signature, request_file, *asked, "-o", folder],
        ["evaluate", signature, request_file, *asked, "-o", report],
    ):
        run = program(*words)
        assert run.code == 0, run.err
    assert picture.stat().st_size > 1000
    assert json.loads((folder / "summary.json").read_text())["explained"] == 3
    assert stand_in.url in next(report.glob("*.html")).read_text()


def test_the_address_of_a_predictor_stands_for_its_model(
    program: Program, stand_in: StandIn, request_file: Path, tmp_path: Path
) -> None:
    url = f"{stand_in.url}/v2/models/linear"
    folder = tmp_path / "out"
    assert program("batch", url, request_file, "-o", folder).code == 0
    run = program("explain", url, request_file, "--method", "sampled-shapley", "--format", "table")
    assert run.code == 0, run.err
    assert f"{url}: no explanation_metadata.json; inferred from signature" in run.err
    refused = program("index", url, request_file)
    assert refused.code == 2
    assert "nothing is written to a server of the web" in refused.err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["--method", "xrai"], 2, "XRAI needs more of a model than its predictions"),
        (["--logits"], 2, "a predictor gives its output, and not what is before a softmax"),
        (["--predictor-protocol", "grpc-v2"], 2, "predictors are asked over HTTP"),
        (["--predictor-token-file", "none"], 2, "No such file"),
        (["--predictor-ca-file", "none"], 2, "none: No such file"),
    ],
)
def test_what_a_predictor_cannot_do_is_said(
    program: Program,
    stand_in: StandIn,
    signature: Path,
    request_file: Path,
    words: list[str],
    code: int,
    why: str,
) -> None:
    scheme = "https" if "--predictor-ca-file" in words else "http"
    url = f"{stand_in.url.replace('http', scheme)}/v1/models/linear"
    run = program("explain", signature, request_file, "--predictor", url, *words)
    assert run.code == code
    assert why in run.err
    assert run.err.count("error") + run.err.count("Error") == 1
    assert stand_in.asked == []


def test_a_batch_stops_where_nobody_answers_and_goes_on_later(
    program: Program, stand_in: StandIn, signature: Path, request_file: Path, tmp_path: Path
) -> None:
    words = ["batch", signature, request_file, "-o", tmp_path / "out", "--predictor"]
    down = program(*words, "http://127.0.0.1:9/v1/models/linear")
    assert down.code == 2
    assert "predictor http://127.0.0.1:9/v1/models/linear: cannot be reached" in down.err
    assert not list((tmp_path / "out").glob("explanation.results*"))
    # One that answers nonsense for an instance has answered it.
    wrong = {-1.0}

    def answer(asked: Any) -> Reply:
        from stand_in import linear

        broken = any(float(row[1]) in wrong for row in asked.rows)
        return Reply({"error": "boom"}, 500) if broken else linear(asked)

    stand_in.answer = answer
    run = program(*words, f"{stand_in.url}/v1/models/linear", "--force")
    assert run.code == 1
    (failed,) = (tmp_path / "out" / "errors.jsonl").read_text().splitlines()
    assert "answers 500: boom" in failed
