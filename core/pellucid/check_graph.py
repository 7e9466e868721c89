"""What the graph itself tells, without TensorFlow: gradients, operations, and who wrote it."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.check import FLOAT_TYPES
from pellucid.document import Finding, spelled
from pellucid.errors import SpecError
from pellucid.gradient_path import Reach, Way, ways
from pellucid.json_source import quoted
from pellucid.saved_model_pb import MetaGraph, Signature
from pellucid.spec import (
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    IntegratedGradients,
    Severity,
    Xrai,
)
from pellucid.tensor_names import Role, resolve_tensor, tensor_info


def gradient_findings(
    metadata: ExplanationMetadata,
    meta_graph: MetaGraph,
    signature: Signature,
    parameters: ExplanationParameters | None = None,
) -> list[Finding]:
    """Return what is in the way of the gradients that the metadata ask for.

    Without `parameters` the method is not known, so what only gradients need is a warning. Names
    that do not resolve, and tensors that are not of floats, are the business of other rules.
    """

    def resolved(written: str, role: Role) -> str | None:
        try:
            return resolve_tensor(meta_graph, signature, written, role=role).tensor
        except SpecError:
            return None

    method = parameters.method if parameters else None
    gradients = method is None or isinstance(method, IntegratedGradients | Xrai)
    output = resolved(metadata.output.tensor_name or metadata.output.name, "output")
    if output is None:
        return []
    explained: dict[str, tuple[InputSpec, str]] = {}
    for feature in metadata.inputs:
        encoded = feature.encoded_tensor_name if gradients else None
        tensor = resolved(encoded or feature.tensor_name or feature.name, "input")
        if tensor is not None:
            field = "encoded_tensor_name" if encoded else "input_tensor_name"
            explained[tensor] = feature, field
    findings = []
    for tensor, way in ways(meta_graph, output, explained).items():
        feature, field = explained[tensor]
        dtype = tensor_info(meta_graph, signature, tensor).dtype
        said = _said(way, tensor, output, field, dtype, gradients)
        if said is not None:
            code, message = said
            path = ("inputs", feature.name, spelled(field, metadata.dialect))
            severity = Severity.WARNING if code == "MD120" and method is None else None
            findings.append(Finding(code=code, message=message, path=path, severity=severity))
    return findings


def _said(
    way: Way, tensor: str, output: str, field: str, dtype: str, gradients: bool
) -> tuple[str, str] | None:
    if way.reach is Reach.UNCONNECTED:
        return "MD122", (
            f"{quoted(output)} does not depend on {quoted(tensor)}, so that every attribution is 0"
        )
    if not gradients or dtype not in (*FLOAT_TYPES, "unknown"):
        return None
    behind = (
        ""
        if field == "encoded_tensor_name"
        else "name a tensor behind it in encoded_tensor_name or "
    )
    if way.reach is Reach.NOTHING:
        return "MD120", (
            f"no gradient gets from {quoted(output)} to {quoted(tensor)}: operation "
            f"'{way.node}' ({way.op}) in between has none; {behind}use sampled Shapley"
        )
    if way.reach is Reach.ZERO:
        where = f": operation '{way.node}' ({way.op}) in between is a step" if way.node else ""
        return "MD121", (
            f"the gradient at {quoted(tensor)} is 0 everywhere{where}; integrated gradients would "
            f"say that it does not matter; {behind}use sampled Shapley"
        )
    return None


def operation_findings(meta_graph: MetaGraph, needed: Iterable[str]) -> list[Finding]:
    """Return the operations among `needed` that TensorFlow does not have, and what is too new."""
    return []
