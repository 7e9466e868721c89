"""``pellucid explain``: what it answers, where, and with which exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

START = [sys.executable, "-c", "from pellucid_cli.main import main; main()"]


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
    assert list(vertex) == ["explanations", "predictions", "deployedModelId", "diagnostics"]
    first = vertex["explanations"][0]["attributions"][0]
    assert first["outputIndex"] == [0] and first["outputName"] == "progression"
    assert vertex["predictions"][0] == [pytest.approx(first["instanceOutputValue"])]
    table = program("explain", model, request, "--format", "table").out.decode()
    assert "progression = 75.35" in table and "\x1b" not in table
    assert table.index("s5") < table.index("bmi")  # the largest first


def test_no_metadata_are_inferred_and_it_says_so(
    program: Any, digits: Path, seven: Path, tmp_path: Path, copy_of: Any
) -> None:
    model = copy_of(digits)
    (model / "explanation_metadata.json").unlink()
    run = program("explain", model, seven)
    assert run.code == 0
    assert run.err == (
        f"warning: {model}: no explanation_metadata.json; inferred from signature "
        "'serving_default': inputs 'image', output 'output_0'\n"
        "input 'image': pixels are 0..1, since nothing says otherwise; set another range with "
        "--pixels\n"
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


def test_tables_have_an_error_beside_each_value(program: Any, samples: Path) -> None:
    wine = samples / "wine"
    arguments = ["explain", wine / "model", wine / "instances.json", "--format", "table"]
    plain = program(*arguments)
    assert plain.code == 0 and "±" not in plain.out.decode()
    sampled = program(*arguments, "--method", "sampled-shapley", "--paths", 4)
    compared = program(*arguments, "--steps", 5, "--errors")
    for run in (sampled, compared):
        lines = [it for it in run.out.decode().splitlines() if "█" in it]
        assert run.code == 0 and lines and all(" ± " in line for line in lines), run.out.decode()
    assert "quadrature_error" in compared.out.decode()


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


def test_an_environment_variable_stands_for_an_option(
    program: Any, digits: Path, seven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_EXPLAIN_TOP_K", "2")
    run = program("explain", digits, seven)
    assert len(json.loads(run.out)["explanations"][0]["attributions_by_label"]) == 2
