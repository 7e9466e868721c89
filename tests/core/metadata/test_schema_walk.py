"""The published schemas and the reader are one judge: what one accepts, the other accepts."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import SpecError
from pellucid.metadata import Dialect, published_schema
from pellucid.metadata.documents.document import Finding, opened
from pellucid.metadata.documents.parameters import parse_parameters
from pellucid.metadata.documents.parse import parse_metadata, parse_visualization
from pellucid.metadata.documents.schema_walk import walk
from pellucid.metadata.rules import RULES
from pellucid.problems import Severity

PUBLISHED = {
    name: jsonschema.Draft202012Validator(published_schema(name))
    for name in ("ai-platform", "vertex", "parameters")
}
BETWEEN_VALUES = frozenset(
    {
        *("MD002", "MD030", "MD031", "MD032", "MD033", "MD034", "MD038", "MD039", "MD040", "MD041"),
        *("MD042", "MD043", "MD044", "MD045", "MD046", "MD047", "MD048", "MD060", "MD061", "MD062"),
        "MD063",
    }
)
"""Rules about two values, or two spellings of a key: those no schema says."""
BETWEEN_NUMBERS = (
    "its lists differ in length",
    "must be a number or a list, not the string",
    "must be one index or more, all of as many numbers",
)
"""What rules of single values also say of two: the lengths of lists, and words without a text."""

IMAGE: dict[str, Any] = {
    "input_tensor_name": "x:0",
    "modality": "image",
    "encoding": "identity",
    "input_baselines": [0, [[0.5, 1], [0, 1.0]], "min", {"file": "a.PNG"}, {"random": {"seed": 3}}],
    "domain": {"min": 0, "max": 1, "original_mean": 0.5, "original_stddev": 0.25},
    "visualization": {
        "type": "Pixels",
        "polarity": "both",
        "clip_below_percentile": 3,
        "clip_above_percentile": 99.5,
        "color_map": "viridis",
        "overlay_type": "mask",
        "overlay_multiplier": 0.6,
        "output_format": "png",
        "blur_sigma": 2,
        "percentile": "rank",
    },
    "group_name": "g",
}
WORDS: dict[str, Any] = {
    "input_tensor_name": "w:0",
    "modality": "text",
    "encoding": "bag_of_features",
    "index_feature_mapping": ["a", "b"],
    "encoded_tensor_name": "e:0",
    "encoded_baselines": [["a"], [0], 1, 2, {"random": {}}],
    "indices_tensor_name": "i:0",
    "dense_shape_tensor_name": "s:0",
}
WEIGHTS = {f"weight_{it}_name": "v:0" for it in ("values", "indices", "dense_shape")}
OUTPUT = {"output_tensor_name": "p:0", "index_name_mapping": [["a", "b"], ["c", "d"]]}
ONLY = {
    "is_sequential": True,
    "gradient_tensor_names": [],
    "input_tensor_type": "DT",
    "indices_tensor_dtype": 1,
}
WHOLE: dict[str, Any] = {
    "inputs": {"x": IMAGE, "w": WORDS | WEIGHTS | ONLY},
    "outputs": {"p": OUTPUT | {"output_tensor_dtype": "DT_FLOAT"}},
    "framework": "TensorFlow",
    "embeddings": {"x": [1]},
    "sigdef_inputs": None,
    "serving_sigdef_key": "serve",
    "preparer_version": "1.2.3-rc.1",
    "tags": ["serve"],
}
VERTEX_NAMES = {
    "domain": "featureValueDomain",
    "min": "minValue",
    "max": "maxValue",
    "clip_below_percentile": "clipPercentLowerbound",
    "clip_above_percentile": "clipPercentUpperbound",
    "index_name_mapping": "indexDisplayNameMapping",
}


def in_vertex(value: Any) -> Any:
    """The same document in camelCase, but for what is text in it."""
    if isinstance(value, dict):
        camel = {key: key.title().replace("_", "") for key in value if "_" in key}
        names = {key: it[:1].lower() + it[1:] for key, it in camel.items()} | VERTEX_NAMES
        return {names.get(key, key): in_vertex(it) for key, it in value.items()}
    return [in_vertex(it) for it in value] if isinstance(value, list) else value


SAMPLED = {"sampledShapleyAttribution": {"pathCount": 10}, "topK": -1}
GRADIENTS: dict[str, Any] = {
    "integratedGradientsAttribution": {
        "numIntegralSteps": 150,
        "smoothGradConfig": {
            "noisySampleCount": 3,
            "noiseSigma": 0,
            "featureNoiseSigma": {"noiseSigma": [{"name": "x", "sigma": 1}]},
        },
        "blurBaselineConfig": {"maxBlurSigma": 2.5},
    },
    "outputIndices": [[0, 1], [2, 2.0]],
}
NEIGHBORS: dict[str, Any] = {
    "examples": {
        "neighborCount": 3,
        "exampleGcsSource": {"dataFormat": "jsonl", "gcsSource": {"uris": ["a"]}},
        "nearestNeighborSearchConfig": {
            "config": {
                "dimensions": 8,
                "distanceMeasureType": "L1_DISTANCE",
                "algorithmConfig": {"treeAhConfig": {"leafNodesToSearchPercent": 7}},
            }
        },
        "presets": {"modality": "Image", "query": "FAST"},
    }
}
METADATA = in_vertex(
    {"inputs": {"x": IMAGE, "w": WORDS | WEIGHTS, "e": {}}, "outputs": {"p": OUTPUT}}
) | {"latentSpaceSource": "l", "featureAttributionsSchemaUri": "u"}
BASES: list[tuple[str, Any]] = [
    ("ai-platform", WHOLE),
    ("vertex", METADATA),
    ("vertex", {"metadata": METADATA, "parameters": GRADIENTS}),
    ("parameters", SAMPLED),
    ("parameters", GRADIENTS),
    ("parameters", NEIGHBORS),
]
OTHERS: list[Any] = [
    *(None, True, False, 0, 1, -1, -3, 50, 101, 2**63, -(2**70), 0.0, 3.0, 0.5, -0.5, 1e300, 99.9),
    *("", "image", "Image", "OUTLINES", "outlines", "indicator", "1.2.3", "1.2", "tensorflow"),
    *("Tensorflow2", "torch", "a.npy", "a.PNG", "a.txt", "min", "0.5", "VIRIDIS", "é", "x"),
    *(
        [],
        [[]],
        {},
        [0],
        ["a"],
        [{}],
        [None],
        [[0], [1, 2]],
        [True],
        [[["a"]]],
        [2.0, -1],
        {"x": 1},
    ),
    *({"file": "a.npy"}, {"file": 1}, {"random": {}}, {"random": {"seed": -1}}, {"random": 1}),
    *([{"name": "x"}], {"stepCount": 1}, [{"file": "a.npy"}, 1], [{"flie": 1}], {"x": {}, "y": {}}),
]


def places_in(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    for key in (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    ):
        yield from places_in(value[key], (*place, key))


def get(value: Any, place: tuple[Any, ...]) -> Any:
    for part in place:
        value = value[part]
    return value


def respelled(word: str, letters: int, dialect: str) -> str:
    """A word in another letter case, and with underscores where Vertex takes them."""
    cased = [it.swapcase() if letters >> at & 1 else it for at, it in enumerate(word)]
    return ("_" if letters % 5 == 0 and dialect != "ai-platform" else "").join(cased)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[str, Any]:
    """A document that a few changes make another, and the name of the schema that it is for."""
    name, base = draw(st.sampled_from(BASES))
    document = copy.deepcopy(base)
    for number in draw(st.lists(st.integers(0, 2**40), max_size=4)):
        kind, number = number % 6, number // 6
        places = list(places_in(document))
        place, number = places[number % len(places)], number // len(places)
        others = OTHERS
        if kind == 1:  # of the same type
            now = get(document, place)
            others = [it for it in OTHERS if type(it) is type(now)] or OTHERS
        other = copy.deepcopy(others[number % len(others)])
        if not place:
            continue
        within, key = get(document, place[:-1]), place[-1]
        if isinstance(within, list) or kind < 2:
            within[key] = other
            continue
        item = within.pop(key)
        if kind == 2:  # the key is respelled, at the end of the object
            within[respelled(key, number, name)] = item
        elif kind == 3:  # there is another key
            within |= {key: item, ["encodin", "x_dtype", "topK", key + "s"][number % 4]: other}
        elif kind == 4 and isinstance(item, str):
            within[key] = respelled(item, number, "ai-platform")
        elif kind == 4:
            within[key] = item
    return name, document


def findings_of(name: str, document: Any) -> list[Finding]:
    """What the judge finds, without what two values say about each other."""
    found: list[Finding] = []
    if name == "parameters":
        walk(document, "parameters", Dialect.VERTEX, found)
        return found
    keys = {key.lower() for key in document} if isinstance(document, dict) else set()
    dialect = Dialect(name)
    spec = dialect is Dialect.VERTEX and keys & {"parameters", "metadata"}
    walk(document, "spec" if spec else "metadata", dialect, found)
    return found


@given(drawn())
@settings(max_examples=1000, deadline=None)
def test_the_published_schema_accepts_exactly_what_the_judge_accepts(case: tuple[str, Any]) -> None:
    name, document = case
    errors = [it for it in findings_of(name, document) if RULES[it.code].severity is Severity.ERROR]
    if not any(it.code == "MD002" for it in errors):
        assert PUBLISHED[name].is_valid(document) == (not errors), errors


@given(drawn())
@settings(max_examples=600, deadline=None)
def test_the_reader_refuses_for_two_values_only_what_the_published_schema_accepts(
    case: tuple[str, Any],
) -> None:
    name, document = case
    if name == "parameters":
        problems = parse_parameters(document)[1] if isinstance(document, dict) else ()
    else:
        parsed = parse_metadata(document)
        if parsed.draft is None or parsed.draft.dialect.value != name:
            return
        problems = parsed.problems
    errors = [it for it in problems if it.severity is Severity.ERROR]
    if not PUBLISHED[name].is_valid(document):
        assert errors or not isinstance(document, dict)
    elif isinstance(document, dict):
        for it in errors:
            between = it.code in BETWEEN_VALUES or it.message.startswith(BETWEEN_NUMBERS)
            assert between, f"{it} in {document}"


@given(drawn())
@settings(max_examples=300, deadline=None)
def test_an_object_says_what_its_text_says(case: tuple[str, Any]) -> None:
    _, document = case
    of_object, of_text = parse_metadata(document), parse_metadata(json.dumps(document))
    assert of_object == of_text or of_text.problems
    assert (of_object.metadata, of_object.parameters) == (of_text.metadata, of_text.parameters)
    written = [
        sorted((it.code, it.path, it.message) for it in p.problems) for p in (of_object, of_text)
    ]
    assert written[0] == written[1]
    assert all(it.line is None for it in of_object.problems)
    if isinstance(document, dict):
        plain, text = parse_parameters(document), parse_parameters(json.dumps(document))
        assert plain[0] == text[0]
        assert [it.code for it in plain[1]] == sorted(it.code for it in text[1])


def test_a_visualization_is_a_text_or_an_object() -> None:
    settings = {"type": "Pixels", "clip_below_percentile": 3}
    assert parse_visualization(json.dumps(settings)) == parse_visualization(settings)
    for wrong in ({"blur_sigma": float("nan")}, '{"blur_sigma": NaN}'):
        with pytest.raises(SpecError, match=r"^visualization.blur_sigma: NaN is not JSON; write a"):
            parse_visualization(wrong)
    with pytest.raises(SpecError, match=r"^visualization: expected a value, the text ends here"):
        parse_visualization("")


VERTEX = {
    "metadata": {"inputs": {"x": {"encoding": "IDENTITY"}}, "outputs": {"p": {}}},
    "parameters": {"integratedGradientsAttribution": {"stepCount": 9}},
}
AI_PLATFORM = {
    "inputs": {"x": {"input_tensor_name": "x:0", "encoding": "identity"}},
    "outputs": {"p": {"output_tensor_name": "p:0"}},
    "framework": "tensorflow",
}


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): renamed(it, names) for key, it in value.items()}
    return names.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("names", "findings"),
    [
        ({}, []),
        ({"encoding": "Encoding"}, ["MD017"]),
        ({"inputs": "INPUTS", "outputs": "Outputs"}, ["MD017", "MD017"]),
        ({"identity": "Identity", "IDENTITY": "identity"}, []),
        (
            {
                "stepCount": "step_count",
                "integratedGradientsAttribution": "integrated_gradients_attribution",
            },
            [],
        ),
        ({"metadata": "Metadata"}, ["MD017"]),
    ],
)
@pytest.mark.parametrize("document", [AI_PLATFORM, VERTEX], ids=["ai-platform", "vertex"])
def test_another_spelling_is_accepted_by_the_schema_as_by_the_reader(
    document: Any, names: Mapping[str, str], findings: list[str]
) -> None:
    written = renamed(document, names)
    name = "ai-platform" if document is AI_PLATFORM else "vertex"
    assert PUBLISHED[name].is_valid(written)
    found = [it.code for it in parse_metadata(written).problems]
    assert found == (findings if written != document else [])


def test_an_editor_offers_the_services_own_spelling() -> None:
    feature = published_schema("vertex")["$defs"]["input"]
    assert {"encoding", "inputBaselines"} <= feature["properties"].keys()
    assert "IDENTITY" in feature["properties"]["encoding"]["anyOf"][0]["enum"]
    assert not [key for key in feature["properties"] if "_" in key]


def test_what_kind_of_document_it_is_is_told_by_keys_in_any_case_and_no_more() -> None:
    alone = {"meta_data": VERTEX["metadata"]}
    assert not PUBLISHED["vertex"].is_valid(alone)
    assert "MD010" in [it.code for it in parse_metadata(alone).problems]
    beside = alone | {"PARAMETERS": VERTEX["parameters"]}
    assert PUBLISHED["vertex"].is_valid(beside)
    parsed = parse_metadata(beside)
    assert [it.code for it in parsed.problems] == ["MD017", "MD017"]
    assert parsed.metadata is not None and parsed.parameters is not None


@pytest.mark.parametrize("key", ["encodin", "en_coding", "encoding ", "Kelvin", "encoding\n"])
def test_another_key_is_refused_by_both(key: str) -> None:
    document = renamed(AI_PLATFORM, {"encoding": key})
    (problem,) = parse_metadata(document).problems
    assert problem.code == "MD010"
    # Python's `$` lets a last newline pass, that of the schema's dialect does not.
    assert key.endswith("\n") or not PUBLISHED["ai-platform"].is_valid(document)


def test_two_spellings_of_one_key_are_the_one_thing_that_no_schema_sees() -> None:
    document = renamed(AI_PLATFORM, {})
    document["inputs"]["x"]["Encoding"] = "identity"
    assert [it.code for it in parse_metadata(document).problems] == ["MD017", "MD002"][::-1]
    assert PUBLISHED["ai-platform"].is_valid(document)


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ([None], "must be a number or a list, not null"),
        ([[0, {"file": "a.npy"}]], "must be a number or a list, not an object"),
        ([[]], "an empty list has no values; write a number, which broadcasts"),
        ([{"random": {"seed": -1}}], "the seed must be an integer from 0, not the number -1"),
        ([{"random": {"seed": 2**63}}], "the seed must be an integer from 0, not the number 9.22337e+18"),
        ([{"random": {"sed": 1}}], "an object must be"),
        ([{"file": "a.npy\n"}], "'a.npy\\n' must be a .npy, .png or .jpg file"),
        ([{"file": "a.npy", "random": {}}], "an object must be"),
        ([{"File": "a.npy"}], "an object must be"),
        ([json.loads("[" * 17 + "0" + "]" * 17)], "lists are nested more than 16 deep"),
    ],
)  # fmt: skip
def test_a_wrong_baseline_is_one_fault_of_the_whole(feature: Any, message: str) -> None:
    document = renamed(AI_PLATFORM, {})
    document["inputs"]["x"]["input_baselines"] = [0, *feature]
    document["inputs"]["y"] = {"input_tensor_name": "y:0", "input_baselines": [0]}
    baseline, count = parse_metadata(document).problems[::-1]
    assert (baseline.code, baseline.path) == ("MD037", "inputs.x.input_baselines[1]")
    assert baseline.message.startswith(message)
    assert (count.code, count.path) == (
        "MD034",
        "inputs.y.input_baselines",
    )  # it counts all the same


@pytest.mark.parametrize("depth", [30, 190, 900])
@pytest.mark.parametrize(
    "field", ["index_name_mapping", "output_tensor_name", "index_name_mapping_key"]
)
def test_lists_of_any_depth_are_a_fault_and_no_traceback(depth: int, field: str) -> None:
    document = renamed(AI_PLATFORM, {})
    document["outputs"]["p"][field] = "@"
    text = json.dumps(document).replace('"@"', "[" * depth + '"a"' + "]" * depth)
    assert any(it.code in ("MD012", "MD001") for it in parse_metadata(text).problems)
    value: Any = "a"
    for _ in range(depth):
        value = [value]
    document["outputs"]["p"][field] = value
    assert any(it.code in ("MD012", "MD001") for it in parse_metadata(document).problems)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    made, problems = parse_parameters(
        {"sampledShapleyAttribution": {"pathCount": 7.0}, "outputIndices": [[1.0, 2]], "topK": 2.0}
    )
    assert problems == () and made is not None
    assert repr(made.output_indices) == "((1, 2),)"
    assert repr(made.top_k) == "2"


def test_what_is_wrong_with_the_other_method_is_said_too() -> None:
    _, problems = parse_parameters({"xraiAttribution": {}, "sampledShapleyAttribution": {}})
    assert [it.code for it in problems] == ["MD011", "MD011", "MD060"]


def calls_of(work: Callable[[], object]) -> int:
    """How many functions of Python are called: what grows as time does, and is no clock."""
    count = 0

    def called(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def bad(kind: str, count: int) -> Any:
    document = renamed(AI_PLATFORM, {})
    feature: Any = document["inputs"]["x"]
    match kind:
        case "unknown keys":
            feature |= {f"key{at}": at for at in range(count)}
        case "inputs without a tensor":
            document["inputs"] = {f"x{at}": {"modality": "imag"} for at in range(count)}
        case "outputs of a wrong type":
            document["outputs"] = {f"p{at}": at for at in range(count)}
        case "names that are numbers":
            feature["index_feature_mapping"] = list(range(count))
        case "baselines of nothing":
            feature["input_baselines"] = [None] * count
        case "good names":
            document["outputs"]["p"]["index_name_mapping"] = [[f"n{at}"] for at in range(count)]
    return document


@pytest.mark.parametrize(
    "kind",
    [
        *("unknown keys", "inputs without a tensor", "outputs of a wrong type"),
        *("names that are numbers", "baselines of nothing", "good names"),
    ],
)
def test_the_work_grows_with_the_faults_and_not_with_their_square(kind: str) -> None:
    parse_metadata(json.dumps(bad(kind, 3)))
    few, many = (
        calls_of(lambda n=n: parse_metadata(json.dumps(bad(kind, n))))  # type: ignore[misc]
        for n in (100, 400)
    )
    assert many < 4.4 * few


def test_scalars_of_the_right_type_cost_nothing() -> None:
    """A list of names or numbers is not followed item by item: a function call would be 100 ns."""
    names = {"metadata": {"inputs": {"x": {"indexFeatureMapping": [str(at) for at in range(999)]}},
                          "outputs": {"p": {}}}}  # fmt: skip
    document = opened(names).value
    found: list[Finding] = []
    assert calls_of(lambda: walk(document, "spec", Dialect.VERTEX, found)) < 2500


def every(rule: Any) -> Iterator[Any]:
    yield rule
    for part in rule.values() if isinstance(rule, dict) else rule if isinstance(rule, list) else ():
        yield from every(part)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_a_schema_with_its_own_words_only(name: str) -> None:
    schema = published_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    keys = {key for it in every(schema) if isinstance(it, dict) for key in it}
    assert not {"x-rule", "x-ignore-case"} & keys
