"""Explanation parameters: which method with which settings, and which outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any

from pellucid.errors import did_you_mean
from pellucid.metadata.call_settings import converted
from pellucid.metadata.documents.document import (
    Finding,
    Section,
    camel,
    describe,
    problems_of,
    walk,
)
from pellucid.metadata.documents.examples import read_examples
from pellucid.metadata.documents.json_positions import Path, quoted
from pellucid.metadata.example_spec import Examples
from pellucid.metadata.method import spelling_of
from pellucid.metadata.parameters import METHODS, ExplanationParameters, Method, SmoothGrad
from pellucid.metadata.spec import Dialect
from pellucid.problems import Problem, Severity

_BY_KEY: Mapping[str, type[Method]] = {it.key: it for it in METHODS.values() if it.key is not None}


def parse_parameters(
    document: Mapping[str, object],
    *,
    base: ExplanationParameters | None = None,
    inputs: Collection[str] | None = None,
    dialect: Dialect = Dialect.VERTEX,
    text: str | None = None,
    file: str | None = None,
) -> tuple[ExplanationParameters | None, tuple[Problem, ...]]:
    """Read parameters in either spelling; None if a problem is an error.

    A whole ExplanationSpec is accepted too, of which ``parameters`` is read. What the document
    leaves out is taken from `base`; without a base it must choose a method. `inputs` are the names
    that ``featureNoiseSigma`` may use. AI Platform's parameters have a default of 50 steps or
    paths, Vertex requires them. With `text` the problems have their places.
    """
    path: Path = ()
    value: object = dict(document)
    for key in ("parameters", "explanation_parameters", "explanationParameters"):
        if isinstance(document, dict) and key in document:
            path, value = (key,), document[key]
    findings: list[Finding] = []
    made = read_parameters(value, findings, path, base=base, inputs=inputs, dialect=dialect)
    problems = problems_of(findings, text, file)
    bad = any(it.severity is Severity.ERROR for it in problems)
    return None if bad else made, problems


def read_parameters(
    value: object,
    findings: list[Finding],
    path: Path = (),
    *,
    base: ExplanationParameters | None = None,
    inputs: Collection[str] | None = None,
    dialect: Dialect = Dialect.VERTEX,
) -> ExplanationParameters | None:
    """Read parameters that stand at `path` of a document; None where there is no method."""
    section = walk(value, "parameters", Dialect.VERTEX, findings, path)
    if section is None:
        return None
    chosen = [key for key in section.spelled if key in _BY_KEY]
    method = base.method if base else None
    if len(chosen) > 1:
        listed = " and ".join(f"'{section.spelled[key]}'" for key in chosen)
        findings.append(
            Finding(code="MD060", message=f"has {listed}; keep exactly one method", path=path)
        )
    elif chosen:
        inner = section.section(chosen[0])
        method = _method(_BY_KEY[chosen[0]], inner, findings, inputs, dialect) if inner else None
    elif base is None:
        known = ", ".join(map(camel, _BY_KEY))
        findings.append(
            Finding(code="MD060", message=f"has no method; add one of {known}", path=path)
        )
    made = base or ExplanationParameters()
    made = replace(made, method=method or made.method)
    if section.get("top_k") is not None:
        made = replace(made, top_k=section.get("top_k"))
    if section.get("output_indices") is not None:
        indices = _indices(section, findings)
        made = replace(made, output_indices=indices)
    return made if method else None


def _method(
    kind: type[Method],
    section: Section,
    findings: list[Finding],
    inputs: Collection[str] | None,
    dialect: Dialect,
) -> Method:
    """Return a method from its object; that of examples is more than its fields."""
    if kind is Examples:
        return read_examples(section, findings)
    made = _values(kind, section, findings, dialect)
    for it in fields(kind):
        if spelling_of(it).record is SmoothGrad:
            inner = section.section(spelling_of(it).keys[0])
            made[it.name] = _smooth_grad(inner, findings, inputs) if inner else None
    return kind(**made)


def _values(
    kind: type[Any], section: Section, findings: list[Finding], dialect: Dialect
) -> dict[str, Any]:
    """Return the numbers and words that a document sets of the fields of a record."""
    made = {}
    for it in fields(kind):
        names = spelling_of(it)
        place = section if names.inside is None else section.section(names.inside)
        if place is None or names.setting is None or not names.keys:
            continue
        given = [key for key in names.keys if key in place]
        if len(given) > 1:
            message = (
                f"has both {' and '.join(quoted(place.spelled[key]) for key in given)}; keep one"
            )
            findings.append(Finding(code="MD063", message=message, path=place.path))
        # What AI Platform called otherwise had a default there, and Vertex requires it.
        if not given and len(names.keys) > 1 and dialect is Dialect.VERTEX:
            message = (
                f"has no '{camel(names.keys[0])}', which is required; {it.default} is a good value "
                "to start"
            )
            findings.append(Finding(code="MD011", message=message, path=place.path))
        values = [place.get(key) for key in given if place.get(key) is not None]
        if values:
            made[it.name] = converted(names.setting, values[0])
    return made


def _smooth_grad(
    section: Section, findings: list[Finding], inputs: Collection[str] | None
) -> SmoothGrad:
    if "noise_sigma" in section and "feature_noise_sigma" in section:
        message = "has both 'noiseSigma' and 'featureNoiseSigma'; keep one"
        findings.append(Finding(code="MD061", message=message, path=section.path))
    by_feature = section.section("feature_noise_sigma")
    sigmas: dict[str, float] = {}
    for item in (by_feature.get("noise_sigma") or []) if by_feature else []:
        name = item.get("name")
        if name is None:
            continue
        if inputs is not None and name not in inputs:
            near = did_you_mean(name, list(inputs))
            message = f"{quoted(name)} is not an input of the metadata{near}"
            findings.append(Finding(code="MD062", message=message, path=item.at("name")))
        if name in sigmas:
            message = f"{quoted(name)} has its noise already; keep one"
            findings.append(Finding(code="MD031", message=message, path=item.at("name")))
        sigma = item.get("sigma")
        sigmas[name] = 0.1 if sigma is None else float(sigma)
    return SmoothGrad(
        **_values(SmoothGrad, section, findings, Dialect.VERTEX),
        feature_noise_sigma=tuple(sigmas.items()) if by_feature is not None else None,
    )


def _indices(section: Section, findings: list[Finding]) -> tuple[tuple[int, ...], ...] | None:
    """Return each index as a tuple: ``[3, 5]`` of a vector, ``[[0, 1], [2, 2]]`` of a matrix."""
    made: list[tuple[int, ...]] = []
    path = section.at("output_indices")
    for place, item in enumerate(section.get("output_indices")):
        index = item if isinstance(item, list) else [item]
        for part in index:
            if isinstance(part, bool) or not isinstance(part, int):
                message = f"must be an integer or a list of integers, not {describe(part)}"
                findings.append(Finding(code="MD012", message=message, path=(*path, place)))
                return None
            if not 0 <= part < 2**63:
                message = f"{describe(part)[11:]} is out of range, must be 0 or more"
                findings.append(Finding(code="MD014", message=message, path=(*path, place)))
                return None
        made.append(tuple(index))
    if len({len(index) for index in made}) > 1 or () in made or not made:
        message = "must be one index or more, all of as many numbers as the output has axes"
        findings.append(Finding(code="MD012", message=message, path=path))
        return None
    return tuple(made)
