"""``pellucid parity``: our own answers are the same, and what was set otherwise is named."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Recorded = Callable[..., Path]


@pytest.fixture
def recorded(program: Any, samples: Path, tmp_path: Path) -> Recorded:
    """Return a folder with the answer that `explain` gives to the request of a sample model."""

    def make(sample: str, *options: object, model: Path | None = None, form: str = "auto") -> Path:
        folder = tmp_path / f"recorded-{len([*tmp_path.iterdir()])}"
        folder.mkdir()
        request = folder / "a.request.json"
        shutil.copy(samples / sample / "instances.json", request)
        if sample == "digits":
            pictures = [samples / "digits" / "images" / f"{it}.png" for it in ("seven", "three")]
            coded = [base64.b64encode(it.read_bytes()).decode() for it in pictures]
            request.write_text(json.dumps({"instances": [{"image": {"b64": it}} for it in coded]}))
        run = program("explain", model or samples / sample / "model", request, "--format", form,
                      "-o", folder / "a.response.json", *options)  # fmt: skip
        assert run.code == 0, run.err
        return folder

    return make


@pytest.mark.parametrize("sample", ["wine", "digits", "code_or_prose"])
def test_our_own_answers_are_exact(
    program: Any, samples: Path, recorded: Recorded, sample: str
) -> None:
    run = program("parity", samples / sample / "model", recorded(sample), "--format", "json")
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["agrees"] and found["count"] > 1 and not found["reasons"]
    assert {row["verdict"] for row in found["answers"]} == {"exact"}
    kinds = {"score", "baseline score", "picture" if sample == "digits" else "attribution"}
    assert kinds <= {*found["kinds"]}


def test_the_other_dialect_and_batch_lines_are_exact_too(
    program: Any, samples: Path, recorded: Recorded, tmp_path: Path
) -> None:
    run = program("parity", samples / "wine" / "model", recorded("wine", form="vertex"))
    assert run.code == 0 and "all that was recorded is the same to 1e-06" in run.out.decode()
    rows = samples / "wine" / "examples.csv"
    out = tmp_path / "run"
    run = program(
        "batch", samples / "wine" / "model", rows, "-o", out, "--limit", 3, "--no-gallery"
    )
    assert run.code == 0, run.err
    (lines,) = out.glob("explanation.results-*")
    (tmp_path / "lines").mkdir()
    shutil.copy(lines, tmp_path / "lines" / "results.jsonl")
    run = program("parity", samples / "wine" / "model", tmp_path / "lines")
    assert run.code == 0, run.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--steps", 20], "20 steps instead of 50"),
        (["--quadrature", "trapezoid"], "The trapezoid rule instead of gauss-legendre"),
        (["--quadrature", "midpoint", "--steps", 10], "10 steps"),
        (["--baseline", "1"], "The baseline 1 brings"),
        (["--logits"], "The logit instead of the probability brings the scores together"),
    ],
)
def test_what_was_set_otherwise_is_named(
    program: Any, samples: Path, recorded: Recorded, options: list[object], said: str
) -> None:
    folder = recorded("wine", *options)
    run = program("parity", samples / "wine" / "model", folder, "--tolerance", 1e-4)
    assert run.code == 1 and "3 of 3 answers differ" in run.err
    assert said in run.out.decode()
    if "midpoint" in options:
        assert "he midpoint rule instead of gauss-legendre" in run.out.decode()
    if "--quadrature" not in options:  # what differs within the tolerance has a reason, too
        assert said in program("parity", samples / "wine" / "model", folder).out.decode()


def test_pictures_tell_how_they_were_drawn(
    program: Any, samples: Path, recorded: Recorded, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(samples / "digits" / "model", model)
    metadata = json.loads((model / "explanation_metadata.json").read_text())
    drawn = metadata["inputs"]["image"]["visualization"]
    for changes, said in (
        ({"percentile": "share"}, "Percentile share brings the pictures together"),
        ({"polarity": "both"}, "Polarity both brings the pictures together"),
    ):
        metadata["inputs"]["image"]["visualization"] = {**drawn, **changes}
        (model / "explanation_metadata.json").write_text(json.dumps(metadata))
        folder = recorded("digits", model=model)
        run = program("parity", samples / "digits" / "model", folder, "-o", folder / "report")
        assert run.code == 1 and said in run.out.decode(), run.out.decode()
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert page.count('<button type="button" class="tile"') == 0 or "recorded" in page
    assert json.loads((folder / "report" / "parity.json").read_bytes())["agrees"] is False


def test_pixels_that_were_fed_otherwise_are_named(
    program: Any, samples: Path, recorded: Recorded, tmp_path: Path
) -> None:
    folder = recorded("digits", "--pixels", "0..255")
    run = program("parity", samples / "digits" / "model", folder)
    assert run.code == 1
    assert "Pixels 0..255 bring" in run.out.decode(), run.out.decode()


def test_weights_that_are_others_are_explained_by_no_setting(program: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    def model(scale: float, directory: Path) -> Path:
        class Scores(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
            def __call__(self, x: Any) -> Any:
                z = x @ (scale * tf.constant([[1.0, -1.0], [0.5, 0.2], [0.3, -0.7]]))
                return {"scores": tf.nn.softmax(z)}

        module = Scores()
        tf.saved_model.save(module, str(directory), signatures=module.__call__)
        return directory

    served, here = model(1.0, tmp_path / "served"), model(0.98, tmp_path / "here")
    folder = tmp_path / "recorded"
    folder.mkdir()
    request = folder / "a.request.json"
    rows = np.random.default_rng(0).normal(size=(4, 3)).round(3).tolist()
    request.write_text(json.dumps({"instances": rows}))
    run = program("explain", served, request, "-o", folder / "a.response.json")
    assert run.code == 0, run.err
    run = program("parity", here, folder, "--tolerance", 0.001)
    assert run.code == 1
    assert "No setting explains that scores differ by" in run.out.decode()
    assert "the model itself answers otherwise" in run.out.decode()
    assert program("parity", served, folder).code == 0


def test_samples_agree_within_their_error(program: Any, samples: Path, recorded: Recorded) -> None:
    shapley = ("--method", "sampled-shapley", "--errors")
    folder = recorded("wine", *shapley, "--seed", 3)
    run = program("parity", samples / "wine" / "model", folder, *shapley)
    assert run.code == 0 and "or its error" in run.out.decode(), run.out.decode()


def test_kserves_patches_are_compared(program: Any, samples: Path, tmp_path: Path) -> None:
    lime = ("--method", "lime", "--samples", 60, "--segmentation", "slic", "--format", "kserve")
    folder = tmp_path / "recorded"
    folder.mkdir()
    coded = base64.b64encode((samples / "digits" / "images" / "seven.png").read_bytes()).decode()
    request = {
        "instances": [{"image": {"b64": coded}}],
        "num_samples": 60,
        "segmentation_alg": "slic",
    }
    (folder / "a.request.json").write_text(json.dumps(request))
    run = program("explain", samples / "digits" / "model", folder / "a.request.json", *lime[2:],
                  "-o", folder / "a.response.json")  # fmt: skip
    assert run.code == 0, run.err
    run = program("parity", samples / "digits" / "model", folder, "--format", "json")
    assert run.code == 0, run.out
    assert json.loads(run.out)["kinds"]["mask"]["exact"] == 10


def test_what_cannot_be_compared_is_said_and_costs_itself(
    program: Any, samples: Path, recorded: Recorded
) -> None:
    folder = recorded("wine")
    (folder / "b.response.json").write_text("{}")
    late = {
        "request": json.loads((folder / "a.request.json").read_text()),
        "response": {"error": "late"},
    }
    (folder / "c.json").write_text(json.dumps(late))
    run = program("parity", samples / "wine" / "model", folder, "--format", "json")
    assert run.code == 1 and "2 could not be compared" in run.err
    found = json.loads(run.out)
    assert found["count"] == 3 and len(found["failed"]) == 2
    assert "is answered by an error: late" in found["failed"][1]
    assert program("parity", samples / "wine" / "model").code == 2


def test_a_recorded_prediction_is_compared_without_an_explanation(
    program: Any, samples: Path, recorded: Recorded
) -> None:
    import pellucid

    folder, model = recorded("wine"), samples / "wine" / "model"
    request = json.loads((folder / "a.request.json").read_text())
    said = [np.asarray(it).tolist() for it in pellucid.load(model).predict(request["instances"])]
    exchange = {"path": "/v1/models/wine:predict", "request": request}
    answer = {"predictions": said}
    (folder / "b.json").write_text(json.dumps({**exchange, "response": answer}))
    run = program("parity", model, folder, "--format", "json")
    assert run.code == 0, run.err
    assert json.loads(run.out)["kinds"]["prediction"]["exact"] == len(said)
    answer["predictions"][0] = [0.0 for _ in said[0]]
    (folder / "b.json").write_text(json.dumps({**exchange, "response": answer}))
    run = program("parity", model, folder, "--format", "json")
    assert run.code == 1 and json.loads(run.out)["kinds"]["prediction"]["differs"] == 1


def test_more_outputs_than_are_explained_here_are_not_passed_over(
    program: Any, samples: Path, recorded: Recorded
) -> None:
    folder = recorded("wine")
    path = folder / "a.response.json"
    answer = json.loads(path.read_text())
    for explanation in answer["explanations"]:
        (label,) = explanation["attributions_by_label"]
        del label["label_index"]
        explanation["attributions_by_label"].append(label)
    path.write_text(json.dumps(answer))
    run = program("parity", samples / "wine" / "model", folder)
    assert run.code == 1 and "differ in label choice" in run.out.decode()


@pytest.mark.parametrize("key", ["explanationSpecOverride", "explanation_spec_override"])
def test_outputs_that_a_request_chose_are_no_difference_of_choice(
    program: Any, samples: Path, recorded: Recorded, key: str
) -> None:
    folder = recorded("wine")
    path = folder / "a.request.json"
    request = json.loads(path.read_text())
    path.write_text(json.dumps({**request, key: {"parameters": {"outputIndices": [2]}}}))
    model = samples / "wine" / "model"
    run = program("explain", model, path, "-o", folder / "a.response.json", "--force")
    assert run.code == 0, run.err
    assert program("parity", model, folder).code == 0


def test_the_answer_that_the_documents_print_is_that_of_the_model_it_implies(
    program: Any, tmp_path: Path
) -> None:
    """AI Platform's documents print the answer of a notebook: a duration, by ten columns.

    Its attributions are those of a line from 0 to 1 through the weights that they are; its score is
    0.1 % from their sum, which its approx_error says.
    """
    import tensorflow as tf

    printed = [
        -0.0, 1.501250445842743, 4.4058547498107075, 0.016078486742916454, -0.03749384209513669,
        -0.0, -0.2621846305120581, -0.0, -0.0, 0.0,
    ]  # fmt: skip
    label = {
        "approx_error": 0.001017811509478243,
        "attributions": {"data": printed},
        "baseline_score": 14.049912452697754,
        "example_score": 19.667699813842773,
        "label_index": 0,
        "output_name": "duration",
    }

    class Duration(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 10), tf.float32, name="data")])
        def __call__(self, data: Any) -> Any:
            return {"duration": data @ tf.constant(printed)[:, tf.newaxis] + 14.049912452697754}

    module = Duration()
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.__call__)
    exchange = {
        "request": {"instances": [{"data": [1.0] * 10}]},
        "response": {"explanations": [{"attributions_by_label": [label]}]},
    }
    (tmp_path / "a.json").write_text(json.dumps(exchange))
    run = program("parity", tmp_path / "model", tmp_path / "a.json", "--format", "json")
    assert run.code == 0, run.err
    fields = {it["path"]: it for it in json.loads(run.out)["answers"][0]["fields"]}
    assert fields["duration: data"]["verdict"] == "exact"
    assert fields["duration: baseline score"]["verdict"] == "exact"
    assert fields["duration: score"]["difference"] == pytest.approx(3e-4, rel=0.1)
    strict = program("parity", tmp_path / "model", tmp_path / "a.json", "--tolerance", 1e-4)
    assert strict.code == 1
    assert "No setting explains that scores differ by 0.00029" in strict.out.decode()
