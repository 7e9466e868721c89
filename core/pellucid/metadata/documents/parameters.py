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
    opened,
    problems_of,
    within_model,
)
from pellucid.metadata.documents.examples import read_examples
from pellucid.metadata.documents.json_positions import Path, quoted
from pellucid.metadata.documents.schema_walk import walk
from pellucid.metadata.example_spec import Examples
from pellucid.metadata.method import spelling_of
from pellucid.metadata.parameters import METHODS, ExplanationParameters, Method, SmoothGrad
from pellucid.metadata.spec import Dialect
from pellucid.metadata.spellings import camel
from pellucid.problems import Problem, Severity

_BY_KEY: Mapping[str, type[Method]] = {it.key: it for it in METHODS.values() if it.key is not None}


def parse_parameters(
    given: str | Mapping[str, object],
    *,
    base: ExplanationParameters | None = None,
    inputs: Collection[str] | None = None,
    dialect: Dialect = Dialect.VERTEX,
    file: str | None = None,
) -> tuple[ExplanationParameters | None, tuple[Problem, ...]]:
    """Read parameters, a JSON text or an object in either spelling; None if a problem is an error.

    A whole ExplanationSpec, or the Model that has it, is accepted too: its ``parameters`` are read.
    What the document leaves out is taken from `base`; without a base it must choose a method.
    `inputs` are the names that ``featureNoiseSigma`` may use. AI Platform's parameters have a
    default of 50 steps or paths, Vertex requires them. `file` is named in the problems.
    """
    document = opened(given)
    in_text = document.problems(file)
    if any(it.code == "MD001" for it in in_text):
        return None, in_text
    path, value = within_model(document.value)
    for key in ("parameters", "explanation_parameters", "explanationParameters"):
        if isinstance(value, dict) and key in value:
            path, value = (*path, key), value[key]
            break
    findings: list[Finding] = []
    made = read_parameters(value, findings, path, base=base, inputs=inputs, dialect=dialect)
    problems = (*in_text, *problems_of(findings, document, file))
    bad = any(it.severity is Severity.ERROR for it in problems)
    return None if bad else made, problems


def _written_last(key: str) -> tuple[bool, str]:
    """Order methods by their keys, those that attribute first."""
    return key == Examples.key, key


def read_parameters(
    value: object,
    findings: list[Finding],
    path: Path = (),
    *,
    base: ExplanationParameters | None = None,
    inputs: Collection[str] | None = None,
    dialect: Dialect = Dialect.VERTEX,
) -> ExplanationParameters | None:
    """Read parameters that stand at `path` of a document; None where there is not a method."""
    defaults = dialect is Dialect.AI_PLATFORM
    section = walk(value, "parameters", Dialect.VERTEX, findings, path, defaults=defaults)
    return parameters_of(section, findings, base=base, inputs=inputs) if section else None


def parameters_of(
    section: Section,
    findings: list[Finding],
    *,
    base: ExplanationParameters | None = None,
    inputs: Collection[str] | None = None,
) -> ExplanationParameters | None:
    """Return the parameters that an object of a document says; None where there is not a method."""
    chosen = [key for key in sorted(_BY_KEY, key=_written_last) if key in section]
    method = base.method if base else None
    if len(chosen) > 1:
        listed = " and ".join(f"'{section.spelled[key]}'" for key in chosen)
        findings.append(
            Finding(
                code="MD060", message=f"has {listed}; keep exactly one method", path=section.path
            )
        )
    elif chosen:
        inner = section.section(chosen[0])
        method = _method(_BY_KEY[chosen[0]], inner, findings, inputs) if inner else None
    elif base is None:
        known = ", ".join(map(camel, _BY_KEY))
        findings.append(
            Finding(code="MD060", message=f"has no method; add one of {known}", path=section.path)
        )
    made = base or ExplanationParameters()
    made = replace(made, method=method or made.method)
    top_k = section.get("top_k")
    if top_k is None and chosen and section.get("output_indices") is None:
        top_k = _count_of_outputs(_BY_KEY[chosen[0]], section.section(chosen[0]))
    if top_k is not None:
        made = replace(made, top_k=top_k)
    if section.get("output_indices") is not None:
        indices = _indices(section, findings)
        made = replace(made, output_indices=indices)
    return made if method else None


def _count_of_outputs(kind: type[Method], section: Section | None) -> int | None:
    """Return how many outputs the object of a method itself asks for, if it does."""
    for it in fields(kind):
        names = spelling_of(it)
        for key in names.keys if names.counts_outputs and section is not None else ():
            count: int | None = section.get(key) if section is not None else None
            if count is not None:
                return count
    return None


def _method(
    kind: type[Method],
    section: Section,
    findings: list[Finding],
    inputs: Collection[str] | None,
) -> Method:
    """Return a method from its object; that of examples is more than its fields."""
    if kind is Examples:
        return read_examples(section, findings)
    made = _values(kind, section, findings)
    for it in fields(kind):
        if spelling_of(it).record is SmoothGrad:
            inner = section.section(spelling_of(it).keys[0])
            made[it.name] = _smooth_grad(inner, findings, inputs) if inner else None
    return kind(**made)


def _values(kind: type[Any], section: Section, findings: list[Finding]) -> dict[str, Any]:
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
        **_values(SmoothGrad, section, findings),
        feature_noise_sigma=tuple(sigmas.items()) if by_feature is not None else None,
    )


def _indices(section: Section, findings: list[Finding]) -> tuple[tuple[int, ...], ...] | None:
    """Return each index as a tuple: ``[3, 5]`` of a vector, ``[[0, 1], [2, 2]]`` of a matrix."""
    written = section.get("output_indices")
    made = tuple(tuple(it) if isinstance(it, list) else (it,) for it in written)
    if len({len(index) for index in made}) > 1:
        message = "must be one index or more, all of as many numbers as the output has axes"
        path = section.at("output_indices")
        findings.append(Finding(code="MD012", message=message, path=path))
        return None
    return made
