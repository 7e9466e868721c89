"""What each document means, and the exact text of what is said about its faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from drawn_specs import documents
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.metadata.documents.json_positions import load, read
from pellucid.metadata.documents.parse import dump_metadata, parse_metadata, parse_parameters
from pellucid.metadata.example_spec import Examples
from pellucid.metadata.parameters import (
    ExplanationParameters,
    IntegratedGradients,
    SampledShapley,
    SmoothGrad,
    Xrai,
)
from pellucid.metadata.published_schemas import schema
from pellucid.metadata.rules import RULES
from pellucid.metadata.spec import (
    ColorMap,
    Dialect,
    Domain,
    DomainBaseline,
    ExplanationMetadata,
    FileBaseline,
    InputSpec,
    Modality,
    OutputSpec,
    OverlayType,
    Polarity,
    RandomBaseline,
    ValueBaseline,
    Visualization,
    VisualizationType,
)
from pellucid.problems import Severity


def document(feature: object = None, output: object = None, **top: object) -> dict[str, Any]:
    """A whole AI Platform document around one input and one output."""
    return {
        "inputs": {"x": {"input_tensor_name": "x:0", **(feature or {})}},  # type: ignore[dict-item]
        "outputs": {"p": {"output_tensor_name": "p:0", **(output or {})}},  # type: ignore[dict-item]
        "framework": "tensorflow",
        **top,
    }


def vertex(feature: object = None, parameters: object = None) -> dict[str, Any]:
    """A whole Vertex ExplanationSpec around one input and one output."""
    return {
        "parameters": parameters or {"integratedGradientsAttribution": {"stepCount": 50}},
        "metadata": {
            "inputs": {"x": {"inputTensorName": "x:0", **(feature or {})}},  # type: ignore[dict-item]
            "outputs": {"p": {"outputTensorName": "p:0"}},
        },
    }


def said(value: object) -> list[str]:
    """Each problem of a document as ``CODE path: message``."""
    text = value if isinstance(value, str) else json.dumps(value)
    return [f"{it.code} {it.path}: {it.text()}" for it in parse_metadata(text).problems]


FAULTS: list[tuple[object, list[str]]] = [
    ({"a": 1}, [
        "MD011 : has no 'inputs', which is required",
        "MD011 : has no 'outputs', which is required",
            'MD020 : has no "framework": "tensorflow", which is assumed',
        "MD010 a: is not a known key; known keys are 'inputs', 'outputs', 'framework', "
        "'embeddings', 'sigdef_inputs', 'serving_sigdef_key', 'preparer_version' and 'tags'",
    ]),
    ([1], ["MD012 : must be an object, not a list"]),
    (document({"input_tensor_nam": "y"}), [
        "MD010 inputs.x.input_tensor_nam: is not a known key; did you mean "
        "'input_tensor_name'?",
    ]),
    (document({"inputTensorName": "y"}), [
        "MD010 inputs.x.inputTensorName: is not a known key; did you mean 'input_tensor_name'?",
    ]),
    (document({"featureValueDomain": {}}), [
        "MD010 inputs.x.featureValueDomain: is not a known key; did you mean 'domain'?",
    ]),
    (document({"input_tensor_name": 1}), [
        "MD012 inputs.x.input_tensor_name: must be a string, not the number 1",
    ]),
    (document({"input_tensor_name": None}), [
        "MD012 inputs.x.input_tensor_name: must be a string, not null",
    ]),
    (document({"encoding": "onehot"}), [
        "MD013 inputs.x.encoding: 'onehot' is not known, must be 'identity', "
        "'bag_of_features', 'bag_of_features_sparse', 'indicator', 'combined_embedding' or "
        "'concat_embedding'",
    ]),
    (document({"encoding": "indicator"}), [
        "MD030 inputs.x.encoding: encoding 'indicator' needs index_feature_mapping, "
        "a name per index",
    ]),
    (document({"encoding": "combined_embedding"}), [
        "MD032 inputs.x.encoding: encoding 'combined_embedding' needs encoded_tensor_name",
    ]),
    (document({"index_feature_mapping": ["a", "b", "a"]}), [
        "MD031 inputs.x.index_feature_mapping[2]: 'a' is there already, at index 0",
    ]),
    (document({"index_feature_mapping": ["a", 2]}), [
        "MD012 inputs.x.index_feature_mapping[1]: must be a string, not the number 2",
    ]),
    (document({"input_baselines": [True]}), [
        "MD037 inputs.x.input_baselines[0]: must be a number or a list, not true",
    ]),
    (document({"input_baselines": ["0.5"]}), [
        "MD037 inputs.x.input_baselines[0]: must be a number or a list, not the string '0.5'; "
        "write the number without quotes",
    ]),
    (document({"modality": "numeric", "input_baselines": ["the"]}), [
        "MD037 inputs.x.input_baselines[0]: must be a number or a list, not the string 'the'; "
        'words need "modality": "text" or "categorical", or an embedding',
    ]),
    (document({"input_baselines": [[[1, 2], [3]]]}), [
        "MD037 inputs.x.input_baselines[0]: its lists differ in length; all at one depth must "
        "be equally long",
    ]),
    (document({"input_baselines": [{"flie": "a.npy"}]}), [
        "MD037 inputs.x.input_baselines[0]: an object must be {\"file\": \"baseline.npy\"} or "
        "{\"random\": {\"seed\": 0}}; did you mean 'file'?",
    ]),
    (document({"input_baselines": [{"file": "a.txt"}]}), [
        "MD037 inputs.x.input_baselines[0]: 'a.txt' must be a .npy, .png or .jpg file",
    ]),
    (document({"input_baselines": ["min"]}), [
        "MD043 inputs.x.input_baselines[0]: 'min' is the end of a domain, but the input has none",
    ]),
    (document({"weight_values_name": "w:0"}), [
        "MD040 inputs.x.weight_values_name: weights need weight_indices_name and "
        "weight_dense_shape_name too",
    ]),
    (document({"domain": {"min": 1, "max": 1}}), [
        "MD042 inputs.x.domain: its least value 1 must be below its greatest value 1",
    ]),
    (document({"domain": {"original_stddev": 0}}), [
        "MD014 inputs.x.domain.original_stddev: 0 is out of range, must be more than 0",
    ]),
    (document({"modality": "image", "visualization": {"clip_above_percentile": 101}}), [
        "MD014 inputs.x.visualization.clip_above_percentile: 101 is out of range, must be 0 to 100",
    ]),
    (document({"modality": "image", "visualization": {"clip_above_percentile": 50}}), [
        "MD045 inputs.x.visualization.clip_above_percentile: the upper clip percentile 50 must be "
        "above the lower one, which is 62 where it is not written",
    ]),
    (document({"modality": "image", "visualization": {"clip_above_percentile": 63}}), []),
    (document(preparer_version="1.2"), [
        "MD025 preparer_version: '1.2' is not a semantic version such as '1.2.3'",
    ]),
    (document(framework="tensorfow"), [
        "MD021 framework: 'tensorfow' is not supported, must be 'tensorflow': Pellucid explains "
        "TensorFlow models; did you mean 'tensorflow'?",
    ]),
    ({"inputs": {"x": {"input_tensor_name": "x"}}, "outputs": {"p": {"output_tensor_name": "p"}}}, [
        "MD020 : has no \"framework\": \"tensorflow\", which is assumed",
    ]),
    (document(None, {"index_name_mapping": ["a", ["b", "a"]]}), [
        "MD031 outputs.p.index_name_mapping[1][1]: 'a' is there already, at index 0; the two are "
        "told apart by their index",
    ]),
    (vertex(None, {"integratedGradientsAttribution": {}}), [
        "MD011 parameters.integratedGradientsAttribution: has no 'stepCount', which is required; "
        "50 is a good value to start",
    ]),
    (vertex(None, {"integratedGradientsAttribution": {"stepCount": 250}}), [
        "MD015 parameters.integratedGradientsAttribution.stepCount: 250 is beyond the services' "
        "range 1 to 100; it is used anyway",
    ]),
    (vertex(None, {"sampledShapleyAttribution": {"pathCount": 0}}), [
        "MD011 parameters.sampledShapleyAttribution: has no 'pathCount' (0 means that it is not "
        "set), which is required; 50 is a good value to start",
    ]),
    (vertex(None, {"sampledShapleyAttribution": {"pathCount": "7"}}), [
        "MD012 parameters.sampledShapleyAttribution.pathCount: must be an integer, "
        "not the string '7'",
    ]),
    (vertex(None, {"topK": -2, "sampledShapleyAttribution": {"pathCount": 7}}), [
        "MD014 parameters.topK: -2 is out of range, must be 1 or more, or -1 for all",
    ]),
    (vertex(None, {"topK": 2}), [
        "MD060 parameters: has no method; add one of integratedGradientsAttribution, "
        "xraiAttribution, sampledShapleyAttribution, limeAttribution, examples",
    ]),
    (vertex(None, {"xraiAttribution": {"stepCount": 9}, "examples": {}}), [
        "MD060 parameters: has 'xraiAttribution' and 'examples'; keep exactly one method",
    ]),
    (vertex(None, {"xraiAttribution": {"stepCount": 9}}), [
        "MD048 metadata.inputs.x: XRAI explains images only; set \"modality\": \"image\"",
    ]),
    (vertex({"modality": "image", "visualization": {"type": "OUTLINES"}},
            {"xraiAttribution": {"stepCount": 9}}), [
        "MD049 metadata.inputs.x.visualization.type: 'outlines' is not recommended for XRAI; "
        "use 'pixels'",
    ]),
    (vertex({"indicesTensorName": "i", "denseShapeTensorName": "s"}), [
        "MD039 metadata.inputs.x.indicesTensorName: gradients of a sparse input are taken at "
        "encoded_tensor_name; name it or use sampled Shapley",
    ]),
    (vertex(None, {"integratedGradientsAttribution": {"stepCount": 5, "smoothGradConfig": {
        "noiseSigma": 0.1, "featureNoiseSigma": {"noiseSigma": [{"name": "y", "sigma": 1}]}}}}), [
        "MD061 parameters.integratedGradientsAttribution.smoothGradConfig: has both 'noiseSigma' "
        "and 'featureNoiseSigma'; keep one",
        "MD062 parameters.integratedGradientsAttribution.smoothGradConfig.featureNoiseSigma."
        "noiseSigma[0].name: 'y' is not an input of the metadata",
    ]),
    (vertex(None, {"outputIndices": [[1, 2], 3], "sampledShapleyAttribution": {"pathCount": 7}}), [
        "MD012 parameters.outputIndices: must be one index or more, all of as many numbers as "
        "the output has axes",
    ]),
    ({"metadata": vertex()["metadata"]}, [
        "MD022 : has no 'parameters'; integrated gradients in 50 steps is assumed",
    ]),
    ({**vertex(), "parametres": {}}, [
        "MD010 parametres: is not a known key; did you mean 'parameters'?",
    ]),
    ('{"a": 1,}', ["MD001 : a comma before '}' is not JSON; remove it"]),
    ('{"inputs": {"x": {"input_tensor_name": NaN}}}', [
        "MD011 : has no 'outputs', which is required",
        "MD020 : has no \"framework\": \"tensorflow\", which is assumed",
        "MD003 inputs.x.input_tensor_name: NaN is not JSON; write a number",
        "MD012 inputs.x.input_tensor_name: must be a string, not the number 0",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "messages"), FAULTS)
def test_messages(value: object, messages: list[str]) -> None:
    assert said(value) == messages


def test_all_problems_at_once_with_their_places() -> None:
    text = """{
  "inputs": {
    "image": {
      "input_tensor_name": "x:0",
      "modality": "image",
      "visualization": {"polarty": "both", "type": "blob"},
\t"input_baselines": [0, 1]
    },
    "other": {"input_tensor_name": "y:0", "input_baselines": [0]},
    "other": {"input_tensor_name": "z:0", "input_baselines": 3}
  },
  "outputs": {},
  "framework": "torch"
}"""
    found = [(it.line, it.column, it.code) for it in parse_metadata(text, file="m.json").problems]
    assert found == [
        (6, 25, "MD010"),
        (6, 52, "MD013"),
        (10, 5, "MD002"),
        (10, 62, "MD034"),
        (10, 62, "MD036"),
        (12, 14, "MD023"),
        (13, 16, "MD021"),
    ]
    assert str(parse_metadata(text, file="m.json").problems[0]) == (
        "m.json:6:25: inputs.image.visualization.polarty: is not a known key; did you mean "
        "'polarity'? [MD010 unknown-key]"
    )


def test_the_example_of_ai_platform() -> None:
    """The schema of seed 002 with its placeholders filled in."""
    parsed = parse_metadata(
        json.dumps(
            document(
                {
                    "input_tensor_name": "Placeholder:0",
                    "input_baselines": [0, 1.0],
                    "modality": "image",
                    "visualization": {
                        "type": "Outlines",
                        "polarity": "positive",
                        "clip_below_percentile": 70,
                        "clip_above_percentile": 99.9,
                        "color_map": "pink_green",
                        "overlay_type": "mask",
                    },
                }
            )
        )
    )
    assert parsed.problems == ()
    assert parsed.parameters is None
    assert parsed.metadata == ExplanationMetadata(
        dialect=Dialect.AI_PLATFORM,
        framework="tensorflow",
        inputs=(
            InputSpec(
                name="x",
                tensor_name="Placeholder:0",
                modality=Modality.IMAGE,
                input_baselines=(ValueBaseline(0), ValueBaseline(1.0)),
                visualization=Visualization(
                    type=VisualizationType.OUTLINES,
                    polarity=Polarity.POSITIVE,
                    clip_below_percentile=70,
                    clip_above_percentile=99.9,
                    color_map=ColorMap.PINK_GREEN,
                    overlay_type=OverlayType.MASK_BLACK,
                ),
            ),
        ),
        output=OutputSpec(name="p", tensor_name="p:0"),
    )


VERTEX_SPEC = {
    "parameters": {
        "topK": -1,
        "xraiAttribution": {
            "stepCount": 25,
            "smoothGradConfig": {
                "noisySampleCount": 5,
                "featureNoiseSigma": {"noiseSigma": [{"name": "image", "sigma": 2}]},
            },
            "blurBaselineConfig": {"maxBlurSigma": 4},
        },
    },
    "metadata": {
        "inputs": {
            "image": {
                "inputTensorName": "x:0",
                "modality": "image",
                "encoding": "IDENTITY",
                "inputBaselines": ["min", {"random": {"seed": 3}}, {"file": "grey.png"}],
                "featureValueDomain": {
                    "minValue": -1,
                    "maxValue": 1,
                    "originalMean": 0.5,
                    "originalStddev": 0.25,
                },
                "visualization": {
                    "type": "PIXELS",
                    "clipPercentLowerbound": 0,
                    "colorMap": "PINK_WHITE_GREEN",
                    "overlayType": "NONE",
                },
                "groupName": "g",
            }
        },
        "outputs": {"p": {"outputTensorName": "p:0", "indexDisplayNameMapping": [["a"], ["b"]]}},
        "latentSpaceSource": "embedding",
    },
}


def snaked(value: Any) -> Any:
    """The same document in the proto's snake_case."""
    if isinstance(value, dict):
        spelled = ("".join(f"_{it.lower()}" if it.isupper() else it for it in key) for key in value)
        return dict(zip(spelled, map(snaked, value.values()), strict=True))
    return [snaked(it) for it in value] if isinstance(value, list) else value


@pytest.mark.parametrize("spec", [VERTEX_SPEC, snaked(VERTEX_SPEC)], ids=["camel", "snake"])
def test_an_explanation_spec_of_vertex(spec: object, tmp_path: Path) -> None:
    parsed = parse_metadata(json.dumps(spec), file=str(tmp_path / "spec.json"))
    assert parsed.problems == ()
    assert parsed.parameters == ExplanationParameters(
        top_k=-1,
        method=Xrai(
            step_count=25,
            smooth_grad=SmoothGrad(noisy_sample_count=5, feature_noise_sigma=(("image", 2.0),)),
            max_blur_sigma=4.0,
        ),
    )
    assert parsed.metadata == ExplanationMetadata(
        dialect=Dialect.VERTEX,
        inputs=(
            InputSpec(
                name="image",
                tensor_name="x:0",
                modality=Modality.IMAGE,
                input_baselines=(
                    DomainBaseline("min"),
                    RandomBaseline(3),
                    FileBaseline(str(tmp_path / "grey.png")),
                ),
                domain=Domain(minimum=-1, maximum=1, original_mean=0.5, original_stddev=0.25),
                visualization=Visualization(
                    type=VisualizationType.PIXELS,
                    clip_below_percentile=0,
                    color_map=ColorMap.PINK_WHITE_GREEN,
                    overlay_type=OverlayType.NONE,
                ),
                group_name="g",
            ),
        ),
        output=OutputSpec(name="p", tensor_name="p:0", index_name_mapping=(("a",), ("b",))),
        latent_space_source="embedding",
    )


def test_what_is_unusual_and_accepted() -> None:
    feature = {
        "input_tensor_dtype": "DT_FLOAT",
        "is_sequential": False,
        "gradient_tensor_names": ["g:0"],
        "weight_values_name": "w:0",
        "weight_indices_name": "w:1",
        "weight_dense_shape_name": "w:2",
        "modality": "structured",
    }
    top = {"embeddings": {}, "sigdef_inputs": {}, "serving_sigdef_key": "s", "tags": ["serve"]}
    parsed = parse_metadata(json.dumps(document(feature, preparer_version="1.0.0-rc.1", **top)))
    assert parsed.problems == ()
    assert parsed.metadata is not None
    assert parsed.metadata.signature_key == "s"
    assert parsed.metadata.tags == ("serve",)


def test_an_empty_input_is_valid_in_vertex() -> None:
    spec: dict[str, Any] = {"inputs": {"review": {}}, "outputs": {"p": {}}}
    parsed = parse_metadata(json.dumps(spec))
    assert parsed.problems == ()
    assert parsed.metadata is not None
    assert parsed.metadata.dialect is Dialect.VERTEX
    assert parsed.metadata.inputs == (InputSpec(name="review"),)


@pytest.mark.parametrize("modality", [{"modality": "text"}, {}])
def test_words_are_baselines_of_text_and_of_what_nobody_says_is_none(
    modality: dict[str, str],
) -> None:
    parsed = parse_metadata(json.dumps(document({**modality, "input_baselines": [["a"]]})))
    assert parsed.problems == ()
    assert parsed.metadata is not None
    assert parsed.metadata.inputs[0].input_baselines == (ValueBaseline(("a",)),)


def test_an_error_in_the_parameters_leaves_the_metadata() -> None:
    parsed = parse_metadata(json.dumps(vertex(None, {"topK": 1})))
    assert parsed.metadata is not None
    assert parsed.parameters is None
    parsed = parse_metadata(json.dumps(vertex({"encoding": "x"})))
    assert parsed.metadata is None
    assert parsed.draft is not None
    assert parsed.parameters is not None


def test_parameters_by_themselves() -> None:
    made, problems = parse_parameters(
        {"integratedGradientsAttribution": {"numIntegralSteps": 20}, "outputIndices": [3, 5]}
    )
    assert problems == ()
    assert made == ExplanationParameters(
        method=IntegratedGradients(step_count=20), output_indices=((3,), (5,))
    )
    made, _ = parse_parameters({"parameters": {"examples": {"neighborCount": 3}}})
    assert made == ExplanationParameters(method=Examples(neighbor_count=3))
    made, _ = parse_parameters({"sampled_shapley_attribution": {}}, dialect=Dialect.AI_PLATFORM)
    assert made == ExplanationParameters(method=SampledShapley(path_count=50))


def test_parameters_over_a_base_keep_what_they_do_not_say() -> None:
    base = ExplanationParameters(method=SampledShapley(path_count=7), top_k=2)
    made, problems = parse_parameters({"topK": 3}, base=base)
    assert (made, problems) == (
        ExplanationParameters(method=SampledShapley(path_count=7), top_k=3),
        (),
    )
    made, problems = parse_parameters({"topk": -3}, base=base)
    assert made is None
    assert [it.code for it in problems] == ["MD014", "MD017"]


def test_every_rule_is_whole() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
    for code, rule in RULES.items():
        assert rule.code == code
        assert rule.doc.endswith((".", '."'))


@given(documents())
@settings(max_examples=200, deadline=None)
def test_what_is_dumped_is_parsed_to_the_same(metadata: ExplanationMetadata) -> None:
    dumped = dump_metadata(metadata)
    parsed = parse_metadata(json.dumps(dumped))
    assert [it for it in parsed.problems if it.severity is Severity.ERROR] == []
    assert parsed.metadata == metadata
    jsonschema.Draft202012Validator(schema(metadata.dialect)).validate(dumped)


@pytest.mark.parametrize("dialect", Dialect)
def test_the_published_schemas_are_schemas(dialect: Dialect) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(dialect))


@pytest.mark.parametrize(("value", "messages"), FAULTS)
def test_an_editor_accepts_what_we_accept(value: object, messages: list[str]) -> None:
    """The schema alone sees less than we do, but nothing that we would let pass."""
    if isinstance(value, str):
        return
    spec = isinstance(value, dict) and value.keys() & {"metadata", "parameters"}
    dialect = Dialect.VERTEX if spec else Dialect.AI_PLATFORM
    wrong = list(jsonschema.Draft202012Validator(schema(dialect)).iter_errors(value))
    errors = [it for it in messages if RULES[it[:5]].severity is Severity.ERROR]
    assert not wrong or errors
    structural = {"MD010", "MD012", "MD013", "MD014", "MD023", "MD024"}
    if any(it[:5] in structural and "[" not in it.split(":")[0] for it in errors):
        assert wrong or "outputIndices" in str(errors)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(st.text(max_size=5), it, max_size=3),
    max_leaves=12,
)
KEYS = ["inputs", "outputs", "metadata", "parameters", "x", "encoding", "domain", "topK", "min"]
alike = st.recursive(
    json_values | st.sampled_from(["image", "OUTLINES", "indicator", 0, -1, 1e300]),
    lambda it: st.dictionaries(
        st.sampled_from(KEYS) | st.sampled_from(["input_baselines", "visualization", "examples"]),
        it,
        max_size=4,
    ),
    max_leaves=20,
)


@given(json_values | alike)
@settings(max_examples=400, deadline=None)
def test_any_json_gives_problems_and_never_a_traceback(value: object) -> None:
    parsed = parse_metadata(json.dumps(value), file="m.json")
    assert (parsed.metadata is None) or isinstance(value, dict)
    for problem in parsed.problems:
        assert problem.code in RULES
        assert "\n" not in str(problem)
        assert (problem.line or 0) >= 1
        assert (problem.column or 0) >= 1


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\u \n\t\ufeff"ab', max_size=40))
@settings(max_examples=400, deadline=None)
def test_the_strict_reader_agrees_with_json(text: str) -> None:
    value, source = load(text)
    try:
        expected = json.loads(text)
    except ValueError:
        assert source is not None
        assert source.faults
        return
    slow = read(text)
    if source is None:
        assert slow.faults == []
        assert value == expected
        assert slow.value == expected
    else:
        assert {it.code for it in source.faults} <= {"MD001", "MD002", "MD003", "MD004"}


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("", "expected a value, the text ends here", 1, 1),
        ("{\n  'a': 1}", 'expected a key in double quotes, found "\'"', 2, 3),
        ('{"a" 1}', "expected ':' after the key, found '1'", 1, 6),
        ("[1 2]", "expected ',' or ']', found '2'", 1, 4),
        ("[1,\n]", "a comma before ']' is not JSON; remove it", 1, 3),
        ('{"a": nul}', "expected a value, found 'nul'", 1, 7),
        ("{} {}", "there is more after the end of the document", 1, 4),
        ('"\\ud800"', "half of a surrogate pair is not a character; write both", 1, 1),
        ("[" * 9999, "lists and objects are nested more than 200 deep", 1, 202),
    ],
)
def test_syntax(text: str, message: str, line: int, column: int) -> None:
    (problem,) = parse_metadata(text).problems
    assert (problem.code, problem.message) == ("MD001", message)
    assert (problem.line, problem.column) == (line, column)
