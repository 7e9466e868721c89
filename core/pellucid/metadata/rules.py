"""The rules of the linter: each has a stable code, a name, a severity and a sentence for people.

Codes below MD100 are about the document alone, from MD100 on about the document and its model.
A code is never given to another rule. ``rules.md`` beside this file is their documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pellucid.problems import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: ``MD034 baseline-count``.

    One that is `of_models` holds of a model without metadata, too, whose metadata are inferred.
    """

    code: str
    name: str
    severity: Severity
    doc: str
    of_models: bool


def _error(code: str, name: str, doc: str, *, of_models: bool = False) -> Rule:
    return Rule(code=code, name=name, severity=Severity.ERROR, doc=doc, of_models=of_models)


def _warning(code: str, name: str, doc: str, *, of_models: bool = False) -> Rule:
    return Rule(code=code, name=name, severity=Severity.WARNING, doc=doc, of_models=of_models)


_ALL = (
    _error(
        "MD001",
        "json-syntax",
        "The file is not JSON (RFC 8259): no comments, no trailing commas, double quotes.",
    ),
    _error(
        "MD002",
        "duplicate-key",
        "An object has the same key twice; readers differ in which one they take.",
    ),
    _error(
        "MD003",
        "not-a-finite-number",
        "NaN and Infinity are not JSON, and a number such as 1e999 has no finite value.",
    ),
    _warning(
        "MD004",
        "byte-order-mark",
        "The file starts with a byte order mark, which JSON forbids writers to add. It is skipped.",
    ),
    _error(
        "MD005",
        "unreadable-file",
        "The file cannot be read: it is missing, or its rights forbid it.",
    ),
    _error(
        "MD010",
        "unknown-key",
        "The key belongs to no field of this object, so what it says would be ignored.",
    ),
    _error("MD011", "missing-key", "A required key is missing."),
    _error(
        "MD012",
        "wrong-type",
        'The value has another JSON type than its field. true is not a number, nor is "0.5".',
    ),
    _error("MD013", "unknown-value", "The value is none of those that the field can have."),
    _error("MD014", "out-of-range", "The number lies outside the range that can be computed."),
    _warning(
        "MD015",
        "beyond-service-range",
        "Google's services refuse the number; Pellucid computes it all the same.",
    ),
    _warning("MD016", "deprecated-key", "The key is deprecated and has no effect."),
    _warning(
        "MD017",
        "key-case",
        "The key is written in another case than the documentation's. It is accepted.",
    ),
    _warning(
        "MD020",
        "framework-missing",
        'AI Platform required "framework": "tensorflow". It is assumed.',
    ),
    _error("MD021", "framework", "Pellucid explains TensorFlow models and no others."),
    _warning(
        "MD022",
        "parameters-missing",
        "An ExplanationSpec must have parameters. Integrated gradients in 50 steps is assumed.",
    ),
    _error(
        "MD023",
        "one-output",
        "Vertex metadata have exactly one output, and AI Platform's at least one.",
    ),
    _error(
        "MD024", "no-input", "At least one input is needed, or there is nothing to attribute to."
    ),
    _error(
        "MD025",
        "preparer-version",
        "preparer_version is a strict semantic version: major.minor.patch.",
    ),
    _error(
        "MD030",
        "feature-names-missing",
        "The encodings bag_of_features, bag_of_features_sparse and indicator need names "
        "for each index: index_feature_mapping.",
    ),
    _error(
        "MD031",
        "duplicate-name",
        "A name occurs twice, so that two attributions could not be told apart. Names of classes "
        "are told apart by their index, and this is a warning.",
    ),
    _error(
        "MD032",
        "encoded-tensor-missing",
        "The encodings combined_embedding and concat_embedding are explained at "
        "encoded_tensor_name, which is missing.",
    ),
    _error(
        "MD033",
        "two-kinds-of-baselines",
        "input_baselines and encoded_baselines of one input exclude each other.",
    ),
    _error(
        "MD034",
        "baseline-count",
        "Baselines are taken together by position across inputs, so all inputs that "
        "have baselines have the same number of them.",
    ),
    _warning(
        "MD035",
        "many-baselines",
        "Google's limit was 10 baselines for each input. More are computed all the same.",
    ),
    _warning(
        "MD036", "bare-baseline", "Baselines are a list. A single number is read as a list of one."
    ),
    _error(
        "MD037",
        "baseline-form",
        'A baseline is a number, nested lists of numbers of one shape, "min", "max", '
        '{"file": "baseline.npy"} or {"random": {"seed": 0}}.',
    ),
    _error(
        "MD038",
        "sparse-pair",
        "A sparse input has both indices_tensor_name and dense_shape_tensor_name.",
    ),
    _error(
        "MD039",
        "sparse-gradient",
        "Integrated gradients and XRAI of a sparse input are taken at encoded_tensor_name.",
    ),
    _error(
        "MD040",
        "weights-triple",
        "The weights of a sparse input are three tensors: weight_values_name, "
        "weight_indices_name and weight_dense_shape_name, all or none.",
    ),
    _error("MD041", "domain-pair", "A domain has both its minimum and its maximum, or neither."),
    _error("MD042", "domain-order", "The minimum of a domain lies below its maximum."),
    _error(
        "MD043",
        "domain-missing",
        'The baselines "min" and "max" are the ends of the domain, which must be given.',
    ),
    _error(
        "MD044",
        "visualization-of-no-image",
        "Only attributions of inputs with modality image can be drawn.",
    ),
    _error("MD045", "clip-order", "The lower clip percentile lies below the upper one."),
    _error(
        "MD046",
        "visualization-key",
        "blur_sigma belongs to type pixels, shade_within_outlines to type outlines.",
    ),
    _error(
        "MD047",
        "two-kinds-of-names",
        "Output names are given by a static mapping or by an output of the model, never both.",
    ),
    _error("MD048", "xrai-of-no-image", "XRAI explains images: every input has modality image."),
    _warning(
        "MD049",
        "xrai-outlines",
        '"outlines is not recommended for XRAI", which attributes to whole regions.',
    ),
    _error("MD060", "one-method", "Parameters choose exactly one method."),
    _error(
        "MD061",
        "two-kinds-of-noise",
        "noiseSigma is for all features, featureNoiseSigma for each; never both.",
    ),
    _error("MD062", "noise-of-no-input", "featureNoiseSigma names inputs of the metadata."),
    _error(
        "MD063",
        "two-spellings",
        "One thing is said twice in two spellings, such as stepCount and numIntegralSteps.",
    ),
    _error(
        "MD100", "bad-model", "The SavedModel beside the document cannot be read.", of_models=True
    ),
    _error(
        "MD101",
        "unknown-signature",
        "The model has no such signature or tag set, or several to choose from.",
    ),
    _error("MD102", "unknown-tensor", "The model has no tensor of that name."),
    _error(
        "MD103",
        "not-differentiable",
        "Integrated gradients and XRAI need a floating-point tensor. Name one behind "
        "the lookup in encoded_tensor_name, or use sampled Shapley. Without parameters "
        "this is a warning.",
    ),
    _error(
        "MD104",
        "image-shape",
        "An image tensor is [batch, height, width], or [batch, height, width, 1 or 3].",
    ),
    _error(
        "MD105",
        "baseline-shape",
        "A baseline has the shape of its tensor without or with the batch axis, or is a "
        "number, which broadcasts.",
    ),
    _error("MD106", "feature-count", "index_feature_mapping has one name for each index."),
    _error("MD107", "name-shape", "The mapping of output names has the shape of the output."),
    _error(
        "MD108",
        "output-dtype",
        "The output that is explained is a floating-point tensor.",
        of_models=True,
    ),
    _error(
        "MD109", "names-output", "The key that carries the names is an output of the signature."
    ),
    _error("MD110", "baseline-file", "The file of a baseline does not exist."),
    _error("MD111", "baseline-dtype", "Text is a baseline of string tensors only, and vice versa."),
    _warning(
        "MD112",
        "cannot-infer",
        "The model has no metadata, and its signature alone does not say what to "
        "explain, so that the output has to be named.",
    ),
    _error(
        "MD113",
        "preprocess-outputs",
        "The outputs of the signature xai_preprocess are the inputs of xai_model, by name.",
    ),
    _warning(
        "MD114",
        "pixel-range",
        "The domain of a picture is the range that the graph takes, as far as the graph tells. The "
        "domain is followed.",
    ),
    _error(
        "MD115",
        "series-shape",
        "A series is [batch, time] or [batch, time, channels].",
    ),
    _error(
        "MD120",
        "no-gradient",
        "No gradient gets from the output back to an explained tensor, so integrated gradients "
        "and XRAI cannot explain it. Without parameters this is a warning.",
        of_models=True,
    ),
    _warning(
        "MD121",
        "zero-gradient",
        "The gradient at an explained tensor is 0 everywhere, because a step lies between it and "
        "the output. Integrated gradients and XRAI would say that it does not matter.",
        of_models=True,
    ),
    _warning(
        "MD122",
        "not-connected",
        "The output does not depend on an explained tensor at all.",
        of_models=True,
    ),
    _error(
        "MD123",
        "unknown-operation",
        "The model needs an operation that TensorFlow does not have, from an add-on or of its own.",
        of_models=True,
    ),
    _warning(
        "MD124",
        "newer-tensorflow",
        "The model was written by a newer TensorFlow than the linter knows.",
        of_models=True,
    ),
    _error(
        "MD125",
        "graph-version",
        "The graph asks for a newer TensorFlow than the linter knows.",
        of_models=True,
    ),
    _error(
        "MD126",
        "ragged-input",
        "Each input of the signature has a value for each instance; the row splits of a ragged "
        "tensor have none.",
        of_models=True,
    ),
    _error(
        "MD127",
        "endless-calls",
        "Functions of the model call each other in a circle, or without measure.",
        of_models=True,
    ),
    _error(
        "MD130",
        "unsafe-operation",
        "Explaining would run an operation that touches more than tensors: files, the network, "
        "Python or the process.",
        of_models=True,
    ),
    _warning(
        "MD131",
        "unsafe-operation-elsewhere",
        "A part of the model that explaining does not run touches more than tensors.",
        of_models=True,
    ),
    _error(
        "MD132",
        "asset-path",
        "A file that the model reads lies outside of its directory.",
        of_models=True,
    ),
    _error(
        "MD140",
        "cannot-explain",
        "On a trial, the model cannot be loaded, or a baseline instance cannot be explained.",
    ),
)

RULES: dict[str, Rule] = {rule.code: rule for rule in _ALL}
"""Every rule by its code."""


def is_rule(word: str) -> bool:
    """Return whether a word is a code, the beginning of one, or the name of a rule."""
    return any(rule_matches(word, code, rule.name) for code, rule in RULES.items())


def rule_matches(word: str, code: str, name: str) -> bool:
    """Return whether `word` is the code of a rule, the beginning of it, or the rule's name."""
    return bool(word) and (code.startswith(word.upper()) or name == word.lower())


def page(code: str) -> str:
    """Return the documentation of a rule, as Markdown: what is wrong, what is right, and why."""
    return _pages()[code]


@cache
def _pages() -> dict[str, str]:
    text = (files("pellucid.metadata") / "rules.md").read_text("utf-8")
    sections = text.split("\n## ")[1:]
    return {section.partition(" ")[0]: f"## {section.strip()}\n" for section in sections}
