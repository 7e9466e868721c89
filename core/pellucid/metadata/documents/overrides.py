"""What a request may choose for itself, beside its instances: the settings of two protocols.

Vertex: ``explanationSpecOverride``, parameters and, for each input, its baselines and
visualization. "Note that the attribution method cannot be changed." KServe's explainer: the five
keys of LIME, as numbers or as strings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from pellucid.errors import SpecError, did_you_mean
from pellucid.metadata.documents.document import Finding, describe, plain, problems_of
from pellucid.metadata.documents.json_positions import Path, path_text
from pellucid.metadata.documents.parameters import read_parameters
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.metadata.documents.schema_walk import walk
from pellucid.metadata.documents.serialize import dump_metadata
from pellucid.metadata.example_spec import Examples, Restriction
from pellucid.metadata.parameters import (
    METHOD_NAMES,
    ExplanationParameters,
    Lime,
    Method,
    Segmentation,
)
from pellucid.metadata.spec import Dialect, ExplanationMetadata
from pellucid.metadata.spellings import snake
from pellucid.problems import Problem, Severity

OVERRIDE = "explanationSpecOverride"
# The longer spelling is that of the explainer's own option.
KSERVE_KEYS = (
    "top_labels",
    "segmentation_alg",
    "segmentation_algorithm",
    "num_samples",
    "positive_only",
    "min_weight",
)
_YES = ("y", "yes", "t", "true", "on", "1")
_NO = ("n", "no", "f", "false", "off", "0")


def overridden(
    metadata: ExplanationMetadata,
    parameters: ExplanationParameters,
    request: Mapping[str, object],
    warn: Callable[[str], None],
) -> tuple[ExplanationMetadata, ExplanationParameters]:
    """Return metadata and parameters as a request wants them; `request` is all but its instances.

    `warn` is told of LIME's keys where the method is another. Keys of other meaning are left
    alone, as the services did. Raises SpecError: for another method, a value out of range, an
    input that is not there, and a baseline that names a file, which no request may.
    """
    for key in (OVERRIDE, "explanation_spec_override"):
        if request.get(key) is not None:
            override = _object(request[key], key, ("parameters", "metadata", "examplesOverride"))
            if override.get("parameters") is not None:
                parameters = _parameters(override["parameters"], key, metadata, parameters)
            if override.get("examplesOverride") is not None:
                parameters = _examples(override["examplesOverride"], key, parameters)
            if override.get("metadata") is not None:
                metadata = _metadata(override["metadata"], key, metadata)
    given = {key: request[key] for key in KSERVE_KEYS if key in request}
    if given and isinstance(parameters.method, Lime):
        parameters = _lime(given, parameters, parameters.method)
    elif given:
        warn(
            f"the request sets {', '.join(given)}, which only LIME has; the method is "
            f"{METHOD_NAMES[type(parameters.method)]}"
        )
    return metadata, parameters


def _parameters(
    value: object, where: str, metadata: ExplanationMetadata, before: ExplanationParameters
) -> ExplanationParameters:
    findings: list[Finding] = []
    path = (where, "parameters")
    names = [spec.name for spec in metadata.inputs]
    value = plain(value, findings, path)
    made = read_parameters(value, findings, path, base=before, inputs=names)
    _refuse(problems_of(findings, None, None))
    assert made is not None, "parameters without problems, over others, are parameters"
    if type(made.method) is not type(before.method):
        raise SpecError(
            f"{where}.parameters: the method is {METHOD_NAMES[type(before.method)]} and a request "
            f"cannot change it; {METHOD_NAMES[type(made.method)]} needs a deployment of its own"
        )
    if made.top_k != before.top_k and made.output_indices is before.output_indices:
        made = replace(made, output_indices=None)  # what the request asks for goes before
    if made.method is before.method:
        return made
    return replace(made, method=_merged(before.method, made.method))


def _examples(value: object, where: str, before: ExplanationParameters) -> ExplanationParameters:
    if not isinstance(before.method, Examples):
        raise SpecError(
            f"{where}.examplesOverride: the method is {METHOD_NAMES[type(before.method)]}, which "
            "has no examples"
        )
    method = _overridden_examples(value, (where, "examplesOverride"), before.method)
    return replace(before, method=method)


def _overridden_examples(value: object, path: Path, before: Examples) -> Examples:
    """Return the parameters as a request wants them. Raises SpecError.

    ``neighborCount``; ``crowdingCount``, "maximum number of examples to return with the same
    crowding tag"; ``restrictions``, tokens to allow and to deny. Embeddings are neither taken in
    nor given out.
    """
    findings: list[Finding] = []
    section = walk(value, "examplesOverride", Dialect.VERTEX, findings, path)
    if section is None or findings:
        problems = problems_of(findings, None, None)
        raise SpecError("\n".join(f"{p.path}: {p.message}" for p in problems), problems)
    if section.get("data_format") == "embeddings" or section.get("return_embeddings"):
        raise SpecError(
            f"{path_text(path)}: embeddings are neither taken in nor returned; send instances"
        )
    restrictions = tuple(
        Restriction(
            namespace=it.get("namespace_name") or "",
            allow=frozenset(it.get("allow") or ()),
            deny=frozenset(it.get("deny") or ()),
        )
        for it in section.get("restrictions") or ()
    )
    return replace(
        before,
        neighbor_count=section.get("neighbor_count") or before.neighbor_count,
        crowding_count=section.get("crowding_count") or before.crowding_count,
        restrictions=restrictions or before.restrictions,
    )


def _merged(before: Method, written: Method) -> Method:
    """Return what is written, with the settings that Vertex has no words for as they were.

    Steps that are written take the place of a tolerance.
    """
    if isinstance(before, Examples) and isinstance(written, Examples):
        return replace(before, neighbor_count=written.neighbor_count)  # the index is what it is
    ours = {"quadrature", "players", "max_steps", "max_paths"}
    kept = {f.name: getattr(before, f.name) for f in fields(before) if f.name in ours}
    return replace(written, **kept)


def _metadata(value: object, where: str, before: ExplanationMetadata) -> ExplanationMetadata:
    """Read the override as part of the whole document, so that all of its rules hold."""
    where = f"{where}.metadata"
    inputs = _object(_object(value, where, ("inputs",)).get("inputs", {}), f"{where}.inputs")
    known = {spec.name for spec in before.inputs}
    # Keys that only AI Platform has would make it a document of that dialect again.
    bare = replace(before, dialect=Dialect.VERTEX, framework=None, signature_key=None, tags=None)
    document = dump_metadata(bare)
    for name, override in inputs.items():
        if name not in known:
            raise SpecError(
                f"{where}.inputs: '{name}' is not an input of the metadata"
                + did_you_mean(name, sorted(known))
            )
        place = f"{where}.inputs.{name}"
        for key, item in _object(override, place, ("inputBaselines", "visualization")).items():
            feature = document["inputs"][name]
            if key == "visualization":
                item = {**feature.get(key, {}), **_object(item, f"{place}.{key}")}
            else:
                _refuse_files(item, f"{place}.{key}")
                feature.pop("encodedBaselines", None)
            feature[key] = item
    parsed = parse_metadata(document)
    _refuse([replace(p, path=f"{where}.{p.path}") for p in parsed.problems])
    assert parsed.metadata is not None, "a document without errors has metadata"
    return replace(before, inputs=parsed.metadata.inputs)


def _refuse_files(item: object, where: str) -> None:
    if isinstance(item, Mapping) and "file" in item:
        raise SpecError(f"{where}: a request cannot name a file; send the values")
    for part in item if isinstance(item, list) else ():
        if isinstance(part, Mapping):
            _refuse_files(part, where)


def _refuse(problems: list[Problem] | tuple[Problem, ...]) -> None:
    errors = [p for p in problems if p.severity is Severity.ERROR]
    if errors:
        raise SpecError("\n".join(f"{p.path}: {p.message}" for p in errors), tuple(errors))


def _object(value: object, where: str, keys: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return an object with its keys in camel case. Raises SpecError for one that is not known."""
    if not isinstance(value, dict):
        raise SpecError(f"{where}: must be an object, not {describe(value)}")
    if keys is None:
        return dict(value)
    spelled = {snake(key): key for key in keys}
    made = {}
    for key, item in value.items():
        if snake(key) not in spelled:
            near = did_you_mean(key, list(keys))
            raise SpecError(f"{where}: '{key}' is unknown, it may have {', '.join(keys)}{near}")
        made[spelled[snake(key)]] = item
    return made


def _lime(
    given: Mapping[str, object], parameters: ExplanationParameters, method: Lime
) -> ExplanationParameters:
    for key, value in given.items():
        match key:
            case "top_labels":
                count = _whole(key, value, least=1)
                method = replace(method, top_labels=count)
                parameters = replace(parameters, top_k=count, output_indices=None)
            case "num_samples":
                method = replace(method, num_samples=_whole(key, value, least=2))
            case "min_weight":
                method = replace(method, min_weight=_number(key, value))
            case "positive_only":
                method = replace(method, positive_only=_truth(key, value))
            case _:
                method = replace(method, segmentation_alg=_algorithm(key, value))
    return replace(parameters, method=method)


def _number(key: str, value: object) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise SpecError(f"{key}: must be a number, not {describe(value)}") from None
    if not math.isfinite(number):
        raise SpecError(f"{key}: must be a finite number, not {describe(value)}")
    return number


def _whole(key: str, value: object, *, least: int) -> int:
    number = _number(key, value)
    if number != int(number):
        raise SpecError(f"{key}: must be a whole number, not {describe(value)}")
    if not least <= number < 2**31:
        raise SpecError(f"{key}: {int(number)} is out of range, must be {least} or more")
    return int(number)


def _truth(key: str, value: object) -> bool:
    """Read a boolean as KServe's explainer did, and as JSON has it, at which that one failed."""
    word = str(value).lower() if isinstance(value, str | bool | int) else ""
    if word not in (*_YES, *_NO):
        raise SpecError(f"{key}: must be true or false, not {describe(value)}")
    return word in _YES


def _algorithm(key: str, value: object) -> Segmentation:
    names = [it.value for it in Segmentation]
    if value not in names:
        near = did_you_mean(value, names) if isinstance(value, str) else ""
        raise SpecError(
            f"{key}: must be {', '.join(names[:-1])} or {names[-1]}, not {describe(value)}{near}"
        )
    return Segmentation(value)
