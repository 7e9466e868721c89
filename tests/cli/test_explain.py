"""``pellucid explain``: what it answers, where, and with which exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

START = [sys.executable, "-c", "from pellucid_cli.main import main; main()"]


@pytest.fixture
def digits(samples: Path) -> Path:
    return samples / "digits" / "model"


@pytest.fixture
def seven(samples: Path) -> Path:
    return samples / "digits" / "images" / "seven.png"


def copy_of(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "model"))


def test_stdout_is_one_json_document_and_nothing_else(
    program: Any, digits: Path, seven: Path
) -> None:
    run = program("explain", digits, seven)
    assert run.code == 0 and run.err == ""
    (explanation,) = json.loads(run.out)["explanations"]
    (label,) = explanation["attributions_by_label"]
    assert label["label_index"] == 7 and label["label_name"] == "seven"
    assert list(label["attributions"]["image"]) == ["b64_jpeg"]


def test_an_output_file_is_written_once_and_replaced_only_by_force(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    out = tmp_path / "response.json"
    assert program("explain", digits, seven, "-o", out).out == b""
    first = out.read_bytes()
    assert json.loads(first)["explanations"]
    again = program("explain", digits, seven, "-o", out)
    assert again.code == 2
    assert again.err == f"error: {out}: exists; add --force to overwrite it\n"
    assert program("explain", digits, seven, "-o", out, "--force").code == 0
    assert out.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["response.json"]


def test_raw_keeps_the_arrays_behind_the_pictures(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    run = program("explain", digits, seven, "--raw", tmp_path / "raw.npz")
    label = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]
    with np.load(tmp_path / "raw.npz") as raw:
        values = raw["0/0/values/image"]
        assert values.shape == (28, 28) and values.dtype == np.float64
        assert raw["0/inputs/image"].shape == (28, 28)
        score, baseline, error = raw["0/0/scores"]
    assert score == label["example_score"] and baseline == label["baseline_score"]
    assert abs(values.sum() - (score - baseline)) / abs(score - baseline) == pytest.approx(error)
    assert error == pytest.approx(label["approx_error"])


@pytest.mark.parametrize(
    "arguments, count",
    [((), 1), (("--top-k", 3), 3), (("--top-k", -1), 10), (("--output-index", 4), 1)],
)
def test_which_outputs(
    program: Any, digits: Path, seven: Path, arguments: tuple[Any, ...], count: int
) -> None:
    run = program("explain", digits, seven, *arguments)
    labels = json.loads(run.out)["explanations"][0]["attributions_by_label"]
    scores = [label["example_score"] for label in labels]
    assert len(labels) == count and scores == sorted(scores, reverse=True)
    assert labels[0]["label_index"] == (4 if "--output-index" in arguments else 7)


def test_several_inputs_of_several_kinds_are_one_response(
    program: Any, digits: Path, seven: Path, samples: Path
) -> None:
    request = samples / "digits" / "instances.json"
    run = program("explain", digits, seven, request, "--steps", 5, "-q")
    assert run.code == 0
    count = len(json.loads(request.read_text())["instances"])
    assert len(json.loads(run.out)["explanations"]) == 1 + count


def test_stdin_is_read_only_when_it_is_asked_for(program: Any, samples: Path) -> None:
    model = samples / "wine" / "model"
    request = (samples / "wine" / "instances.json").read_bytes()
    run = program("explain", model, "-", stdin=request)
    assert run.code == 0 and len(json.loads(run.out)["explanations"]) == 3
    silent = program("explain", model)
    assert silent.code == 2 and "no input: name a request" in silent.err


def test_groups_and_names_as_the_metadata_say(program: Any, samples: Path) -> None:
    run = program("explain", samples / "wine/model", samples / "wine/instances.json")
    label = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]
    attributions = label["attributions"]
    assert len(attributions) == 12 and "phenols" in attributions
    assert "flavanoids" not in attributions and "total_phenols" not in attributions
    assert all(np.shape(value) == (1,) for value in attributions.values())
    total = sum(value[0] for value in attributions.values())
    assert total == pytest.approx(label["example_score"] - label["baseline_score"], rel=0.02)


def test_text_is_explained_word_by_word(program: Any, samples: Path) -> None:
    text = {"text": "The quick brown fox jumps over the lazy dog."}
    run = program("explain", samples / "code_or_prose/model", "-", stdin=json.dumps(text).encode())
    label = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]
    values = np.array(label["attributions"]["tokens"])
    assert label["label_name"] == "prose" and values.shape == (64,)
    # Ten words and marks; what follows is padding, which is the baseline itself.
    assert np.count_nonzero(values) == 10 and not values[10:].any()


def test_vertex_and_table(program: Any, samples: Path) -> None:
    model, request = samples / "diabetes/model", samples / "diabetes/instances.json"
    vertex = json.loads(program("explain", model, request, "--format", "vertex").out)
    assert list(vertex) == ["explanations", "predictions", "deployedModelId"]
    first = vertex["explanations"][0]["attributions"][0]
    assert first["outputIndex"] == [0] and first["outputName"] == "progression"
    assert vertex["predictions"][0] == [pytest.approx(first["instanceOutputValue"])]
    table = program("explain", model, request, "--format", "table").out.decode()
    assert "progression [0] = 75.35" in table and "\x1b" not in table
    assert table.index("s5") < table.index("bmi")  # the largest first


def test_no_metadata_are_inferred_and_it_says_so(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    model = copy_of(digits, tmp_path)
    (model / "explanation_metadata.json").unlink()
    run = program("explain", model, seven)
    assert run.code == 0
    assert run.err == (
        f"warning: {model}: no explanation_metadata.json; inferred from signature "
        "'serving_default': inputs 'image', output 'output_0'\n"
    )
    label = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]
    assert np.shape(label["attributions"]["image"]) == (28, 28)


def test_blur_noise_and_several_baselines_change_the_answer(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    model = samples / "digits/model"
    metadata = json.loads((model / "explanation_metadata.json").read_text())
    metadata["inputs"]["image"]["modality"] = "numeric"
    del metadata["inputs"]["image"]["visualization"]
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(metadata))
    metadata["inputs"]["image"]["input_baselines"] = [0, 1]
    two = tmp_path / "two.json"
    two.write_text(json.dumps(metadata))

    def values(*arguments: Any) -> Any:
        image = samples / "digits/images/seven.png"
        run = program("explain", model, image, "-q", *arguments)
        assert run.code == 0, run.err
        label = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]
        return np.array(label["attributions"]["image"])

    reference = values("--metadata", plain)
    for arguments in (
        ("--metadata", two),
        ("--metadata", plain, "--blur-sigma", 4),
        ("--metadata", plain, "--noisy-samples", 2),
        ("--metadata", plain, "--quadrature", "midpoint", "--steps", 3),
    ):
        other = values(*arguments)
        assert other.shape == reference.shape and np.isfinite(other).all()
        assert np.abs(other - reference).max() > 1e-4, arguments
    seeded = [values("--metadata", plain, "--noisy-samples", 2, "--seed", s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(seeded[0], seeded[1])
    assert np.abs(seeded[0] - seeded[2]).max() > 1e-6


def test_a_spec_file_sets_the_parameters(program: Any, samples: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(
        '{"parameters": {"topK": 2, "integratedGradientsAttribution": {"stepCount": 7}}}'
    )
    image = samples / "digits/images/seven.png"
    run = program("explain", samples / "digits/model", image, "--spec", spec)
    labels = json.loads(run.out)["explanations"][0]["attributions_by_label"]
    assert labels[0]["label_index"] == 7 and len(labels) == 2
    spec.write_text(
        '{"parameters": {"topK": 2, "integratedGradientsAttribution": {"stepCont": 7}}}'
    )
    run = program("explain", samples / "digits/model", image, "--spec", spec)
    assert run.code == 2 and "did you mean 'stepCount'?" in run.err


def test_xrai_ranks_regions_of_pictures(program: Any, samples: Path, tmp_path: Path) -> None:
    """The cup is the best region of its photo: the heat is larger inside its outline than outside."""
    photos = samples / "photos"
    raw = tmp_path / "raw.npz"
    run = program(
        "explain", photos / "model", photos / "images/coffee.jpg", "--method", "xrai", "--raw", raw
    )
    assert run.code == 0, run.err
    with np.load(raw) as arrays:
        heat, ranks = arrays["0/0/values/image"], arrays["0/0/ranks/image"]
    assert heat.shape == ranks.shape == (224, 224)
    best = ranks == 1
    assert heat[best].min() == heat.max() and ranks.min() == 1
    # Regions are painted with one value each, the better ranks with the greater values.
    for rank in range(1, 6):
        region, following = heat[ranks == rank], heat[ranks == rank + 1]
        assert np.ptp(region) == 0 and region[0] >= following[0]
    # The cup and its handle stand in the middle of the picture.
    rows, columns = np.nonzero(ranks <= 3)
    assert 60 < rows.mean() < 160 and 60 < columns.mean() < 160


def test_lime_says_how_stable_it_is_beside_its_attributions(program: Any, samples: Path) -> None:
    digits = samples / "digits"
    run = program(
        "explain", digits / "model", digits / "images/seven.png", "--method", "lime",
        "--samples", 400, "--top-k", 2,
    )  # fmt: skip
    assert run.code == 0, run.err
    (explanation,) = json.loads(run.out)["explanations"]
    assert list(explanation) == ["attributions_by_label", "diagnostics"]
    assert len(explanation["attributions_by_label"]) == len(explanation["diagnostics"]) == 2
    for label, said in zip(
        explanation["attributions_by_label"], explanation["diagnostics"], strict=True
    ):
        assert label["approx_error"] is None
        assert 0 < said["r_squared"] <= 1 and 0.5 < said["stability"] <= 1


def test_lime_warns_of_coefficients_that_are_noise(program: Any, samples: Path) -> None:
    photos = samples / "photos"
    run = program(
        "explain", photos / "model", photos / "images/cat.jpg", "--method", "lime", "--samples", 60
    )
    assert run.code == 0 and "with another seed, the coefficients would be others" in run.err


def test_shapley_values_of_regions_sum_to_the_change_of_the_output(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    digits, raw = samples / "digits", tmp_path / "raw.npz"
    run = program(
        "explain", digits / "model", digits / "images/seven.png", "--method", "sampled-shapley",
        "--players", "regions", "--paths", 6, "--raw", raw, "-q",
    )  # fmt: skip
    assert run.code == 0, run.err
    with np.load(raw) as arrays:
        values, (score, baseline, _) = arrays["0/0/values/image"], arrays["0/0/scores"]
    assert values.sum() == pytest.approx(score - baseline, rel=1e-5)
    assert len(np.unique(values)) < 120  # a value for each region, not for each of 784 pixels
    wine = samples / "wine"
    run = program(
        "explain", wine / "model", wine / "instances.json", "--method", "sampled-shapley",
        "--players", "regions",
    )  # fmt: skip
    assert run.code == 2
    assert run.err == "error: players: regions are of pictures, and no explained input is one\n"


def test_a_method_that_does_not_fit_is_refused_before_anything_is_computed(
    program: Any, samples: Path
) -> None:
    wine = samples / "wine"
    run = program("explain", wine / "model", wine / "instances.json", "--method", "xrai")
    assert run.code == 2 and "XRAI explains images" in run.err
    text = samples / "code_or_prose"
    run = program("explain", text / "model", text / "instances.json", "--method", "xrai", "-q")
    assert run.code == 2


@pytest.mark.parametrize("name", ["diabetes", "wine", "tf1_embedding", "code_or_prose"])
def test_sampled_shapley_sums_to_the_change_of_the_output(
    program: Any, samples: Path, name: str
) -> None:
    sample = samples / name
    run = program(
        "explain", sample / "model", sample / "instances.json", "--method", "sampled-shapley",
        "--paths", 10, "-q",
    )  # fmt: skip
    assert run.code == 0, run.err
    for explanation in json.loads(run.out)["explanations"]:
        (label,) = explanation["attributions_by_label"]
        total = sum(np.sum(value) for value in label["attributions"].values())
        assert total == pytest.approx(
            label["example_score"] - label["baseline_score"], rel=1e-5, abs=1e-6
        )


# Bad input: one sentence, the right exit code, nothing half-written.


def refused(run: Any, code: int, sentence: str) -> None:
    assert run.code == code
    assert run.err == f"error: {sentence}\n"
    if code == 1:
        assert json.loads(run.out) == {"error": sentence}
    else:
        assert run.out == b""


def test_a_missing_or_truncated_model(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    refused(
        program("explain", gone, seven),
        2,
        f"{gone}: does not exist; give the directory that holds saved_model.pb",
    )
    gone.mkdir()
    refused(
        program("explain", gone, seven),
        2,
        f"{gone}: has no saved_model.pb or saved_model.pbtxt, so it is not a SavedModel; "
        "export one with model.export(...) or tf.saved_model.save(...)",
    )
    model = copy_of(digits, tmp_path)
    pb = model / "saved_model.pb"
    pb.write_bytes(pb.read_bytes()[:3000])
    refused(
        program("explain", model, seven),
        2,
        f"{pb}: is truncated or damaged, it cannot be read as a SavedModel; copy or export the "
        "model again",
    )


def test_absent_variables(program: Any, digits: Path, seven: Path, tmp_path: Path) -> None:
    model = copy_of(digits, tmp_path)
    shutil.rmtree(model / "variables")
    refused(
        program("explain", model, seven),
        2,
        f"{model}/variables: does not exist, and the graph has variables; copy it beside the model",
    )


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            ("--tag-set", "train"),
            "{model}: has no graph tagged 'train'; choose a tag set that exists: 'serve'",
        ),
        (
            ("--signature", "serving_defalt"),
            "signature 'serving_defalt' does not exist; the model has 'serve', 'serving_default'; "
            "did you mean 'serving_default'?",
        ),
        (
            ("--output", "output_1"),
            "'output_1' is not a tensor of the model; did you mean 'output_0'?",
        ),
        (
            ("--output-index", "44"),
            "outputIndices: 44 is outside the output, whose shape for one instance is [10]",
        ),
        (("--top-k", "0"), "top_k: 0 is out of range, must be 1 or more, or -1 for all"),
    ],
)
def test_what_the_model_does_not_have(
    program: Any, digits: Path, seven: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    refused(program("explain", digits, seven, *arguments), 2, sentence.format(model=digits))


def test_an_unknown_tensor_name_and_broken_json_in_the_metadata(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    model = copy_of(digits, tmp_path)
    metadata = model / "explanation_metadata.json"
    text = metadata.read_text()
    metadata.write_text(text.replace("serving_default_image:0", "serving_default_imge:0"))
    refused(
        program("explain", model, seven),
        2,
        f"{metadata}: inputs.image.input_tensor_name: 'serving_default_imge:0' is not a tensor of "
        "the model; did you mean 'serving_default_image:0'? [MD102 unknown-tensor]",
    )
    metadata.write_text('{"inputs": {,}')
    refused(
        program("explain", model, seven),
        2,
        f"{metadata}:1:13: expected a key in double quotes, found ',' [MD001 json-syntax]",
    )


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("r.json", b'{"instances": [1, 2', "{path}:1:20: not JSON: Expecting ',' delimiter"),
        (
            "r.json",
            b'{"instances": [[1, 2], [3, 4]]}',
            "{path}: instances[0]: input 'image' is float32 [28, 28], got a list of shape [2]",
        ),
        ("p.png", b"\x89PNG\r\n\x1a\nrubbish", None),
        ("r.json", b"", "{path}: the file is empty"),
        ("r.jsonl", b'{"image": 3}\n', "{path}:1.image: input 'image' is float32 [28, 28], "
         "got a single value, 3"),
    ],
)  # fmt: skip
def test_an_input_that_does_not_fit(
    program: Any, digits: Path, tmp_path: Path, name: str, content: bytes, sentence: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    run = program("explain", digits, path)
    if sentence is None:
        assert run.code == 1 and run.err.startswith(f"error: {path}: ") and run.err.count("\n") == 1
    else:
        refused(run, 1, sentence.format(path=path))


def test_one_bad_instance_leaves_no_explanations(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    """If explanation fails for any instance, the response body contains no explanations."""
    request = json.loads((samples / "diabetes/instances.json").read_text())
    request["instances"][2][4] = "many"
    path = tmp_path / "r.json"
    path.write_text(json.dumps(request))
    out = tmp_path / "out.json"
    run = program("explain", samples / "diabetes/model", path, "-o", out)
    sentence = f"{path}: instances[2][4]: input 'patient' is float32 [10], got the string \"many\""
    assert run.code == 1 and run.out == b"" and run.err == f"error: {sentence}\n"
    assert json.loads(out.read_text()) == {"error": sentence}


def test_a_directory_where_a_file_was_meant_and_an_unwritable_output(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    refused(
        program("explain", digits, tmp_path), 1, f"{tmp_path}: is a directory; name the files in it"
    )
    refused(
        program("explain", digits, seven, "-o", tmp_path),
        2,
        f"{tmp_path}: is a directory; name a file in it",
    )
    nowhere = tmp_path / "no" / "x.json"
    refused(
        program("explain", digits, seven, "-o", nowhere),
        2,
        f"{nowhere}: cannot be written: there is no directory {nowhere.parent}",
    )


def test_a_disk_that_is_full_leaves_nothing_behind(
    program: Any, digits: Path, seven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    out = tmp_path / "x.json"
    run = program("explain", digits, seven, "-o", out)
    assert run.code == 2
    assert run.err == f"error: {out}: cannot be written: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_traceback_is_shown_only_when_asked_for(program: Any, seven: Path, tmp_path: Path) -> None:
    quiet = program("explain", tmp_path, seven)
    loud = program("--traceback", "explain", tmp_path, seven)
    assert "Traceback" not in quiet.err and "Traceback" in loud.err
    assert loud.err.endswith(quiet.err) and quiet.code == loud.code == 2


def test_an_unknown_option_or_command_names_the_nearest(program: Any, digits: Path) -> None:
    run = program("explain", digits, "--stps", 3)
    assert run.code == 2 and "--steps" in run.err
    run = program("explan")
    assert run.code == 2 and "explain" in run.err


def test_a_closed_pipe_is_one_sentence(samples: Path) -> None:
    """The reader takes one line of a response that is larger than a pipe holds, and leaves."""
    photos = samples / "photos"
    images = sorted((photos / "images").iterdir())
    command = [
        *START,
        "explain",
        str(photos / "model"),
        *map(str, images * 3),
        "--steps",
        "2",
        "-q",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 141
    assert error == "error: the output was closed before all of it was written\n"


def test_control_c_is_one_sentence_and_leaves_no_file(samples: Path, tmp_path: Path) -> None:
    photos = samples / "photos"
    images = sorted((photos / "images").iterdir())
    out = tmp_path / "x.json"
    # A shell starts what runs in the background with the signal ignored, and so its children.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [sys.executable, "-c", heard + START[-1], "explain", str(photos / "model"),
         *map(str, images), "-o", str(out),
         "--steps", "100", "--noisy-samples", "50", "-v"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = process.stderr.readline()  # it has loaded the model, and is at work
    assert "explained by way of GraphRoad" in said
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert error.strip() == "error: interrupted"  # on a line of its own, after the ^C
    assert list(tmp_path.iterdir()) == []


def test_an_environment_variable_stands_for_an_option(
    program: Any, digits: Path, seven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_EXPLAIN_TOP_K", "2")
    run = program("explain", digits, seven)
    assert len(json.loads(run.out)["explanations"][0]["attributions_by_label"]) == 2
