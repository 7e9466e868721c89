"""Explanation parameters: which method with which settings, and which outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from pellucid.errors import did_you_mean
from pellucid.metadata.documents.document import Finding, Section, opened, problems_of
from pellucid.metadata.documents.examples import read_examples
from pellucid.metadata.documents.json_positions import Path, quoted
from pellucid.metadata.documents.schema_walk import walk
from pellucid.metadata.parameters import (
    ExplanationParameters,
    IntegratedGradients,
    Method,
    SampledShapley,
    SmoothGrad,
    Xrai,
)
from pellucid.metadata.spec import Dialect
from pellucid.problems import Problem, Severity

_METHODS = {
    "sampled_shapley_attribution": "sampledShapleyAttribution",
    "integrated_gradients_attribution": "integratedGradientsAttribution",
    "xrai_attribution": "xraiAttribution",
    "examples": "examples",
}


def parse_parameters(
    given: str | Mapping[str, object],
    *,
    base: ExplanationParameters | None = None,
    inputs: Collection[str] | None = None,
    dialect: Dialect = Dialect.VERTEX,
    file: str | None = None,
) -> tuple[ExplanationParameters | None, tuple[Problem, ...]]:
    """Read parameters, a JSON text or an object in either spelling; None if a problem is an error.

    A whole ExplanationSpec is accepted too, of which ``parameters`` is read. What the document
    leaves out is taken from `base`; without a base it must choose a method. `inputs` are the names
    that ``featureNoiseSigma`` may use. AI Platform's parameters have a default of 50 steps or
    paths, Vertex requires them. `file` is named in the problems.
    """
    document = opened(given)
    in_text = document.problems(file)
    if any(it.code == "MD001" for it in in_text):
        return None, in_text
    path: Path = ()
    value = document.value
    for key in ("parameters", "explanation_parameters", "explanationParameters"):
        if isinstance(document.value, dict) and key in document.value:
            path, value = (key,), document.value[key]
    findings: list[Finding] = []
    made = read_parameters(value, findings, path, base=base, inputs=inputs, dialect=dialect)
    problems = (*in_text, *problems_of(findings, document, file))
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
    """Return the parameters that an object of a document says; None where there is no method."""
    chosen = [name for name in _METHODS if name in section]
    method = base.method if base else None
    if len(chosen) > 1:
        listed = " and ".join(f"'{section.spelled[name]}'" for name in chosen)
        findings.append(
            Finding(
                code="MD060", message=f"has {listed}; keep exactly one method", path=section.path
            )
        )
    elif chosen:
        inner = section.section(chosen[0])
        method = _method(chosen[0], inner, findings, inputs) if inner else None
    elif base is None:
        known = ", ".join(_METHODS.values())
        findings.append(
            Finding(code="MD060", message=f"has no method; add one of {known}", path=section.path)
        )
    made = replace(base or ExplanationParameters(), method=method or IntegratedGradients())
    if section.get("top_k") is not None:
        made = replace(made, top_k=section.get("top_k"))
    if section.get("output_indices") is not None:
        indices = _indices(section, findings)
        made = replace(made, output_indices=indices)
    return made if method else None


def _method(
    name: str,
    section: Section,
    findings: list[Finding],
    inputs: Collection[str] | None,
) -> Method:
    if name == "examples":
        return read_examples(section, findings)
    if name == "sampled_shapley_attribution":
        count = _count(section, "path_count", "num_paths", findings)
        return SampledShapley(path_count=count)
    steps = _count(section, "step_count", "num_integral_steps", findings)
    blur = section.section("blur_baseline_config")
    kind = Xrai if name == "xrai_attribution" else IntegratedGradients
    return kind(
        step_count=steps,
        smooth_grad=_smooth_grad(section.section("smooth_grad_config"), findings, inputs),
        max_blur_sigma=_float(blur.get("max_blur_sigma")) if blur else None,
    )


def _count(section: Section, name: str, old: str, findings: list[Finding]) -> int:
    if name in section and old in section:
        message = f"has both '{section.spelled[name]}' and '{section.spelled[old]}'; keep one"
        findings.append(Finding(code="MD063", message=message, path=section.path))
    return section.get(name) or section.get(old) or 50


def _smooth_grad(
    section: Section | None, findings: list[Finding], inputs: Collection[str] | None
) -> SmoothGrad | None:
    if section is None:
        return None
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
        noisy_sample_count=section.get("noisy_sample_count") or SmoothGrad().noisy_sample_count,
        noise_sigma=_float(section.get("noise_sigma")),
        feature_noise_sigma=tuple(sigmas.items()) if by_feature is not None else None,
    )


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


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
