"""Every rule is documented, and its examples are what the linter says they are."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rules_of_files import UNWRITTEN

from pellucid.linter.lint_model import lint
from pellucid.metadata.published_schemas import schema
from pellucid.metadata.rules import RULES, page
from pellucid.metadata.spec import Dialect
from places import ROOT, SAMPLES, SHARED

PAGES = (ROOT / "core" / "pellucid" / "metadata" / "rules.md").read_text("utf-8")

# The model that the examples of a rule are for.
MODELS = {
    **dict.fromkeys(("MD101", "MD102", "MD105", "MD107", "MD109", "MD110", "MD111"), "digits"),
    **dict.fromkeys(("MD103", "MD108"), "code_or_prose"),
    **dict.fromkeys(("MD104", "MD106"), "diabetes"),
    "MD115": "photos",
}
AROUND: dict[str | None, dict[str, Any]] = {
    None: {
        "inputs": {"x": {"input_tensor_name": "x:0"}},
        "outputs": {"p": {"output_tensor_name": "p:0"}},
    },
    "digits": {
        "inputs": {"image": {"input_tensor_name": "image"}},
        "outputs": {"digit": {"output_tensor_name": "output_0"}},
    },
    "diabetes": {
        "inputs": {"patient": {"input_tensor_name": "patient"}},
        "outputs": {"progression": {"output_tensor_name": "output_0"}},
    },
    "photos": {
        "inputs": {"image": {"input_tensor_name": "image"}},
        "outputs": {"p": {"output_tensor_name": "output_0"}},
    },
    "code_or_prose": {
        "inputs": {"tokens": {"input_tensor_name": "StatefulPartitionedCall/embedded_tokens:0"}},
        "outputs": {"p": {"output_tensor_name": "probabilities"}},
    },
}
VERTEX = {
    "inputs": {"x": {"inputTensorName": "x:0"}},
    "outputs": {"p": {"outputTensorName": "p:0"}},
}

MESSAGES = {
    "MD001": "MD001 : a comment is not JSON; remove it",
    "MD002": "MD002 framework: the key is there already, in line 1",
    "MD003": "MD003 inputs.x.input_baselines[0]: NaN is not JSON; write a number",
    "MD010": "MD010 inputs.x.modalty: is not a known key; did you mean 'modality'?",
    "MD011": "MD011 inputs.x: has no 'input_tensor_name', which is required",
    "MD012": "MD012 inputs.x.input_baselines: must be a list or a number, not the string '0.5'",
    "MD013": "MD013 inputs.x.modality: 'picture' is not known, must be 'numeric', 'image', 'text', 'categorical', 'structured' or 'series'",
    "MD014": "MD014 inputs.x.visualization.clip_below_percentile: -1 is out of range, must be 0 to 100",
    "MD015": "MD015 parameters.integratedGradientsAttribution.stepCount: 250 is beyond the services' range 1 to 100; it is used anyway",
    "MD016": "MD016 inputs.x.input_tensor_type: has no effect any more; remove it",
    "MD017": "MD017 Framework: the key is written 'framework'",
    "MD020": 'MD020 : has no "framework": "tensorflow", which is assumed',
    "MD021": "MD021 framework: 'pytorch' is not supported, must be 'tensorflow': Pellucid explains TensorFlow models",
    "MD022": "MD022 : has no 'parameters'; integrated gradients in 50 steps is assumed",
    "MD023": "MD023 metadata.outputs: has 2 outputs; exactly one can be explained",
    "MD024": "MD024 inputs: has no input; add at least one feature",
    "MD025": "MD025 preparer_version: '1.2' is not a semantic version such as '1.2.3'",
    "MD030": "MD030 inputs.x.encoding: encoding 'bag_of_features' needs index_feature_mapping, a name per index",
    "MD031": "MD031 inputs.x.index_feature_mapping[2]: 'cat' is there already, at index 0",
    "MD032": "MD032 inputs.x.encoding: encoding 'concat_embedding' needs encoded_tensor_name",
    "MD033": "MD033 inputs.x: has both input and encoded baselines; keep one kind",
    "MD034": "MD034 inputs.y.input_baselines: has 1 baseline, input 'x' has 2; all inputs with baselines need the same number",
    "MD035": "MD035 inputs.x.input_baselines: has 11 baselines, the services allowed 10",
    "MD036": "MD036 inputs.x.input_baselines: is one number; write it as [0.5]",
    "MD037": 'MD037 inputs.x.input_baselines[0]: an object must be {"file": "baseline.npy"} or {"random": {"seed": 0}}; did you mean \'file\'?',
    "MD038": "MD038 inputs.x.indices_tensor_name: a sparse input needs dense_shape_tensor_name too",
    "MD039": "MD039 metadata.inputs.x.indicesTensorName: gradients of a sparse input are taken at encoded_tensor_name; name it or use sampled Shapley",
    "MD040": "MD040 inputs.x.weight_values_name: weights need weight_indices_name and weight_dense_shape_name too",
    "MD041": "MD041 inputs.x.domain: has 'min' alone; give both ends or neither",
    "MD042": "MD042 inputs.x.domain: its least value 1 must be below its greatest value 0",
    "MD043": "MD043 inputs.x.input_baselines[0]: 'min' is the end of a domain, but the input has none",
    "MD044": "MD044 inputs.x.visualization: is for images only, modality is 'numeric'; set it to 'image'",
    "MD045": "MD045 inputs.x.visualization.clip_below_percentile: the lower clip percentile 99 must be below the upper one 50",
    "MD046": "MD046 inputs.x.visualization.blur_sigma: belongs to type 'pixels', not 'outlines'",
    "MD047": "MD047 outputs.p: has both 'index_name_mapping' and 'index_name_mapping_key'; keep one",
    "MD048": 'MD048 metadata.inputs.x: XRAI explains images only; set "modality": "image"',
    "MD049": "MD049 metadata.inputs.x.visualization.type: 'outlines' is not recommended for XRAI; use 'pixels'",
    "MD060": "MD060 parameters: has 'sampledShapleyAttribution' and 'xraiAttribution'; keep exactly one method",
    "MD061": "MD061 parameters.integratedGradientsAttribution.smoothGradConfig: has both 'noiseSigma' and 'featureNoiseSigma'; keep one",
    "MD062": "MD062 parameters.integratedGradientsAttribution.smoothGradConfig.featureNoiseSigma.noiseSigma[0].name: 'z' is not an input of the metadata",
    "MD063": "MD063 parameters.integratedGradientsAttribution: has both 'stepCount' and 'numIntegralSteps'; keep one",
    "MD101": "MD101 serving_sigdef_key: signature 'serving_defualt' does not exist; the model has 'serve', 'serving_default'; did you mean 'serving_default'?",
    "MD102": "MD102 inputs.image.input_tensor_name: 'serving_default_imgae:0' is not a tensor of the model; did you mean 'serving_default_image:0'?",
    "MD103": 'MD103 metadata.inputs.tokens.inputTensorName: gradients need a float tensor and \'xai_model_tokens:0\' is string; in the metadata, to \'tokens\' add "encoding": "CONCAT_EMBEDDING", "encodedTensorName": "StatefulPartitionedCall_1/StatefulPartitionedCall/Gather:0", or explain with method=\'sampled-shapley\'',
    "MD104": "MD104 inputs.patient.modality: an image is [batch, height, width], [batch, height, width, 1 or 3] or [batch, 1 or 3, height, width] and 'serving_default_patient:0' is [?, 10]",
    "MD105": "MD105 inputs.image.input_baselines[0]: has shape [3] and 'serving_default_image:0' is [?, 28, 28]; write that shape without or with the batch axis, or one number",
    "MD106": "MD106 inputs.patient.index_feature_mapping: has 3 names, the last axis of 'serving_default_patient:0' has 10",
    "MD107": "MD107 outputs.digit.index_name_mapping: has shape [2], one instance of 'StatefulPartitionedCall_1:0' is [10]; write a name for each index",
    "MD108": "MD108 outputs.p.output_tensor_name: 'xai_model_tokens:0' is string, not a float score; explain 'probabilities'",
    "MD109": "MD109 outputs.digit.index_name_mapping_key: 'labels' is not an output of 'serving_default'; it has 'output_0'",
    "MD110": "MD110 inputs.image.input_baselines[0]: the file '{folder}/grey.npy' does not exist",
    "MD115": "MD115 inputs.image.modality: a series is [batch, time] or [batch, time, channels] and 'serving_default_image:0' is [?, 224, 224, 3]",
    "MD111": "MD111 inputs.image.input_baselines[0]: is text and 'serving_default_image:0' is float32",
}


def examples(code: str) -> tuple[str, str]:
    wrong, right = re.findall(r"^```json\n(.*?)^```$", page(code), re.DOTALL | re.MULTILINE)
    return wrong, right


def whole(code: str, part: str) -> str:
    """A part of a document with what it leaves out, unless it is about the text or leaves nothing."""
    text = "{" + part + "}"
    if code < "MD010":
        return text
    document = json.loads(text)
    if "metadata" in document or {"inputs", "outputs"} <= document.keys():
        return text
    if "parameters" in document:
        return json.dumps({**document, "metadata": VERTEX})
    framework = {} if "Framework" in document else {"framework": "tensorflow"}
    return json.dumps({**AROUND[MODELS.get(code)], **framework, **document})


@pytest.fixture
def said(tmp_path: Path) -> Callable[[str, str], list[str]]:
    """What the linter says of a part of a document."""

    def run(code: str, part: str) -> list[str]:
        folder = tmp_path
        if code in MODELS:
            folder = shutil.copytree(SAMPLES / MODELS[code] / "model", tmp_path / "model")
        file = folder / "explanation_metadata.json"
        file.write_text(whole(code, part), "utf-8")
        return [f"{it.code} {it.path}: {it.text()}" for it in lint(file).problems]

    return run


def test_every_rule_has_its_page_and_every_page_its_rule() -> None:
    titles = re.findall(r"^## (.*)$", PAGES, re.MULTILINE)
    assert titles == [f"{rule.code} {rule.name}" for rule in RULES.values()]


def test_every_rule_is_found_by_its_example_or_by_a_test_of_files() -> None:
    assert set(MESSAGES) == set(RULES) - UNWRITTEN


@pytest.mark.parametrize("code", RULES)
def test_a_page_says_what_the_rule_says_and_where_it_comes_from(code: str) -> None:
    rule, text = RULES[code], page(code)
    words = " ".join(text.replace("`", "").split())
    assert f"{rule.severity.value.capitalize()}. {rule.doc}" in words
    assert len(textwrap.dedent(text).strip().splitlines()) > 4
    assert "Wrong:" in text and "Right:" in text
    *_, clause = text.strip().split("\n\n")
    assert not clause.startswith(("Wrong", "Right", "```"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the services' documentation is not here")
@pytest.mark.parametrize("code", RULES)
def test_a_clause_is_quoted_as_it_is_written(code: str) -> None:
    clause = " ".join(page(code).strip().split("\n\n")[-1].split())
    if clause.startswith(("From AI Platform", "From Vertex AI")):
        seeds = " ".join(it.read_text("utf-8") for it in (SHARED / "seeds").glob("00[23]_*.txt"))
        written = " ".join(seeds.split())
        for quotation in re.findall(r'"([^"]+)"', clause):
            for part in quotation.split("[…]"):
                assert part.replace("`", "").strip(" .:") in written


@pytest.mark.parametrize("code", sorted(set(RULES) - UNWRITTEN))
def test_the_wrong_example_of_a_page_is_found_in_these_words(
    code: str, said: Callable[[str, str], list[str]], tmp_path: Path
) -> None:
    found = said(code, examples(code)[0])
    if code < "MD010":
        found = [it for it in found if it.startswith(code)]
    assert [it.replace(str(tmp_path / "model"), "{folder}") for it in found] == [MESSAGES[code]]
    assert MESSAGES[code].startswith(code)


@pytest.mark.parametrize("code", sorted(set(RULES) - UNWRITTEN))
def test_the_right_example_of_a_page_is_without_a_fault(
    code: str, said: Callable[[str, str], list[str]]
) -> None:
    found = said(code, examples(code)[1])
    if code < "MD010":
        found = [it for it in found if it.startswith(code)]
    assert found == []


@pytest.mark.parametrize("code", sorted(it for it in set(RULES) - UNWRITTEN if it > "MD005"))
def test_an_editor_takes_the_right_example_of_a_page(code: str) -> None:
    document = json.loads(whole(code, examples(code)[1]))
    dialect = Dialect.VERTEX if "metadata" in document else Dialect.AI_PLATFORM
    jsonschema.Draft202012Validator(schema(dialect)).validate(document)
