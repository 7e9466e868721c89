"""What a request may choose for itself, beside its instances: ``explanationSpecOverride``.

Parameters and, for each input, its baselines and visualization. "Note that the attribution method
cannot be changed."
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from pellucid.errors import SpecError, meant
from pellucid.metadata.documents.document import Finding, describe, plain, problems_of
from pellucid.metadata.documents.json_positions import Path, path_text
from pellucid.metadata.documents.parameters import read_parameters
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.metadata.documents.schema_walk import walk
from pellucid.metadata.documents.serialize import dump_metadata
from pellucid.metadata.example_spec import Examples, Restriction
from pellucid.metadata.method import spelling_of
from pellucid.metadata.parameters import ExplanationParameters, Method
from pellucid.metadata.spec import Dialect, ExplanationMetadata
from pellucid.metadata.spellings import snake
from pellucid.notices import Where
from pellucid.problems import Problem, Severity

OVERRIDES = ("explanationSpecOverride", "explanation_spec_override")


def overridden(
    metadata: ExplanationMetadata,
    parameters: ExplanationParameters,
    request: Mapping[str, object],
) -> tuple[ExplanationMetadata, ExplanationParameters]:
    """Return metadata and parameters as a request wants them; `request` is all but its instances.

    Keys of other meaning are left alone, as the services did. Raises SpecError: for another method,
    a value out of range, an input that is not there, and a baseline that names a file, which no
    request may.
    """
    for key in OVERRIDES:
        if request.get(key) is not None:
            override = _object(request[key], key, ("parameters", "metadata", "examplesOverride"))
            if override.get("parameters") is not None:
                place = f"{key}.parameters"
                parameters = parameters_of_call(override["parameters"], place, metadata, parameters)
            if override.get("examplesOverride") is not None:
                parameters = _examples(override["examplesOverride"], key, parameters)
            if override.get("metadata") is not None:
                metadata = _metadata(override["metadata"], key, metadata)
    return metadata, parameters


def parameters_of_call(
    value: object, where: str, metadata: ExplanationMetadata, before: ExplanationParameters
) -> ExplanationParameters:
    """Return parameters as a request wants them, which has `value` at `where`. Raises SpecError."""
    findings: list[Finding] = []
    path = tuple(where.split("."))
    names = [spec.name for spec in metadata.inputs]
    value = plain(value, findings, path)
    made = read_parameters(value, findings, path, base=before, inputs=names)
    _refuse(problems_of(findings, None, None))
    assert made is not None, "parameters without problems, over others, are parameters"
    if type(made.method) is not type(before.method):
        raise SpecError(
            f"the method is {before.method.name} and a request cannot change it",
            where=Where(path=where),
            hint=f"{made.method.name} needs a deployment of its own",
        )
    if made.top_k != before.top_k and made.output_indices is before.output_indices:
        made = replace(made, output_indices=None)  # what the request asks for goes before
    if made.method is before.method:
        return made
    return replace(made, method=_merged(before.method, made.method))


def _examples(value: object, where: str, before: ExplanationParameters) -> ExplanationParameters:
    if not isinstance(before.method, Examples):
        raise SpecError(
            f"the method is {before.method.name}, which has no examples",
            where=Where(path=f"{where}.examplesOverride"),
        )
    method = _choice_of_examples(value, (where, "examplesOverride"), before.method)
    return replace(before, method=method)


def _choice_of_examples(value: object, path: Path, before: Examples) -> Examples:
    """Return the parameters as a request wants them. Raises SpecError.

    ``neighborCount``; ``crowdingCount``, "maximum number of examples to return with the same
    crowding tag"; ``restrictions``, tokens to allow and to deny. Embeddings are neither taken in
    nor given out.
    """
    findings: list[Finding] = []
    section = walk(value, "examplesOverride", Dialect.VERTEX, findings, path)
    if section is None or findings:
        problems = problems_of(findings, None, None)
        raise SpecError("\n".join(p.said() for p in problems), problems)
    if section.get("data_format") == "embeddings" or section.get("return_embeddings"):
        raise SpecError(
            "embeddings are neither taken in nor returned",
            where=Where(path=path_text(path)),
            hint="send instances",
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
    """Return what is written, with the settings that Vertex cannot express as they were.

    Steps that are written take the place of a tolerance.
    """
    if isinstance(before, Examples) and isinstance(written, Examples):
        return replace(before, neighbor_count=written.neighbor_count)  # the index is what it is
    ours = (it.name for it in fields(before) if not spelling_of(it).keys)
    kept = {name: getattr(before, name) for name in ours if name != "tolerance"}
    return replace(written, **kept)


def _metadata(value: object, where: str, before: ExplanationMetadata) -> ExplanationMetadata:
    """Read the override as part of the whole document, so that all of its rules hold."""
    where = f"{where}.metadata"
    inputs = _object(_object(value, where, ("inputs",)).get("inputs", {}), f"{where}.inputs")
    known = {spec.name for spec in before.inputs}
    # Keys that only AI Platform has would make it a document of that dialect again.
    bare = replace(
        before, dialect=Dialect.VERTEX, framework=None, signature_key=None, tags=None, others=()
    )
    document = dump_metadata(bare)
    for name, override in inputs.items():
        if name not in known:
            raise SpecError(
                f"'{name}' is not an input of the metadata",
                where=Where(path=f"{where}.inputs"),
                hint=meant(name, sorted(known)),
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
        place = Where(path=where)
        raise SpecError("a request cannot name a file", where=place, hint="send the values")
    for part in item if isinstance(item, list) else ():
        if isinstance(part, Mapping):
            _refuse_files(part, where)


def _refuse(problems: list[Problem] | tuple[Problem, ...]) -> None:
    errors = [p for p in problems if p.severity is Severity.ERROR]
    if errors:
        raise SpecError("\n".join(p.said() for p in errors), tuple(errors))


def _object(value: object, where: str, keys: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return an object with its keys in camel case. Raises SpecError for one that is not known."""
    if not isinstance(value, dict):
        what = f"must be an object, not {describe(value)}"
        raise SpecError(what, where=Where(path=where))
    if keys is None:
        return dict(value)
    spelled = {snake(key): key for key in keys}
    made = {}
    for key, item in value.items():
        if snake(key) not in spelled:
            raise SpecError(
                f"'{key}' is unknown, it may have {', '.join(keys)}",
                where=Where(path=where),
                hint=meant(key, list(keys)),
            )
        made[spelled[snake(key)]] = item
    return made
