"""What the graph itself tells, without TensorFlow: gradients, operations, and who wrote it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from pellucid.errors import ModelError, SpecError
from pellucid.linter.check_model import OUTSIDE
from pellucid.linter.encodings import EncodedTensor, encodings_of, way_out
from pellucid.linter.gradient_flow import Reach, Way, ways
from pellucid.linter.gradient_walk import MOST_STEPS
from pellucid.linter.reachability import running
from pellucid.linter.safety import ends_of, escaping_assets, touches_of
from pellucid.metadata import ExplanationMetadata, ExplanationParameters, InputSpec
from pellucid.metadata.documents import Finding, quoted, spelled
from pellucid.notices import Hint, Where
from pellucid.problems import Severity
from pellucid.saved_model import (
    FLOAT_TYPES,
    MetaGraph,
    Role,
    Signature,
    names,
    node_name,
    ragged_inputs,
    resolve_tensor,
    table_version,
    tensor_info,
    tensors_of,
)

DENSE = Hint.plain("save a signature that takes a dense tensor, and makes it ragged itself")


def gradient_findings(
    metadata: ExplanationMetadata,
    meta_graph: MetaGraph,
    signature: Signature,
    parameters: ExplanationParameters | None = None,
    notes: list[str] | None = None,
) -> list[Finding]:
    """Return what is in the way of the gradients that the metadata ask for.

    Without `parameters` the method is not known, so what only gradients need is a warning. Names
    that do not resolve, and tensors that are not of floats, are the business of other rules. What
    could not be found out is added to `notes`.
    """
    method = parameters.method if parameters else None
    gradients = method is None or method.uses_gradients
    explained: dict[str, tuple[InputSpec, str]] = {}
    for feature in metadata.inputs:
        encoded = feature.encoded_tensor_name if gradients else None
        written = encoded or feature.tensor_name or feature.name
        tensor = _resolved(meta_graph, signature, written, "input")
        if tensor is not None:
            field = "encoded_tensor_name" if encoded else "input_tensor_name"
            explained[tensor] = feature, field
    findings = []
    found: dict[str, EncodedTensor] | None = None
    outputs = (
        _resolved(meta_graph, signature, it.tensor_name or it.name, "output")
        for it in metadata.outputs
    )
    for output in dict.fromkeys(outputs):
        if output is None or not _floats(meta_graph, signature, output):
            continue
        for tensor, way in ways(meta_graph, output, explained).items():
            feature, field = explained[tensor]
            if way.reach is Reach.UNKNOWN and notes is not None:
                notes.append(_unknown(output, tensor))
            slopes = gradients and _floats(meta_graph, signature, tensor)
            said = _said(way, tensor, output, gradients=slopes)
            if said is None:
                continue
            code, message, advised = said
            if advised and found is None:
                found = encodings_of(metadata, meta_graph, signature)
            hint = way_out(found or {}, metadata.dialect, of=feature.name) if advised else None
            path = ("inputs", feature.name, spelled(field, metadata.dialect))
            severity = Severity.WARNING if code == "MD120" and method is None else None
            findings.append(
                Finding(code=code, message=message, path=path, severity=severity, hint=hint)
            )
    return findings


def _unknown(output: str, tensor: str) -> str:
    return (
        f"whether a gradient gets from {quoted(output)} to {quoted(tensor)} is not known: more "
        f"than {MOST_STEPS} operations are not followed"
    )


def _resolved(meta_graph: MetaGraph, signature: Signature, written: str, role: Role) -> str | None:
    try:
        return resolve_tensor(meta_graph, signature, written, role=role).tensor
    except SpecError:
        return None


def _said(way: Way, tensor: str, output: str, *, gradients: bool) -> tuple[str, str, bool] | None:
    """Return the rule that is broken, how, and whether there is a way out of it."""
    if way.reach is Reach.UNCONNECTED:
        what = (
            f"{quoted(output)} does not depend on {quoted(tensor)}, so that every attribution is 0"
        )
        return "MD122", what, False
    if not gradients:
        return None
    if way.reach is Reach.NOTHING:
        what = (
            f"no gradient gets from {quoted(output)} to {quoted(tensor)}: operation "
            f"'{way.node}' ({way.op}) in between has none"
        )
        return "MD120", what, True
    if way.reach is Reach.ZERO:
        where = f": operation '{way.node}' ({way.op}) in between is a step" if way.node else ""
        what = (
            f"the gradient at {quoted(tensor)} is 0 everywhere{where}; integrated gradients would "
            "say that it does not matter"
        )
        return "MD121", what, True
    return None


def _floats(meta_graph: MetaGraph, signature: Signature, tensor: str) -> bool:
    return tensor_info(meta_graph, signature, tensor).dtype in (*FLOAT_TYPES, "unknown")


def operation_findings(
    meta_graph: MetaGraph, signature: Signature, tensors: Iterable[str]
) -> list[Finding]:
    """Return what explaining needs and TensorFlow does not have, and whether that is too new."""
    findings = _versions(meta_graph)
    bodies = {name: it.nodes for name, it in meta_graph.functions.items()}
    known = names() | meta_graph.functions.keys()
    unknown = {
        name: ops
        for name, it in ((None, meta_graph.nodes), *bodies.items())
        if (ops := it.ops - known)
    }
    if not unknown:
        return findings
    run = running(meta_graph, ends_of(meta_graph, signature, tensors))
    found: dict[str, str] = {}
    for function, ops in unknown.items():
        nodes = meta_graph.nodes if function is None else bodies[function]
        for message in nodes.messages():
            if message.op in ops and run.holds(function, message.name):
                inside = f" in function '{function}'" if function else ""
                found.setdefault(message.op, f"'{message.name}'{inside}")
    for op, place in sorted(found.items()):
        message = (
            f"needs the operation '{op}' ({place}), which TensorFlow {table_version()[0]} does not "
            "have: it was written with an add-on or a custom operation"
        )
        findings.append(Finding(code="MD123", message=message, path=()))
    return findings


def ragged_findings(meta_graph: MetaGraph, signature: Signature) -> list[Finding]:
    """Return what no request can carry: inputs that cut others into rows."""
    return [
        Finding(code="MD126", message=what, path=(), hint=DENSE)
        for what in _cutting(meta_graph, signature)
    ]


def refuse_ragged(meta_graph: MetaGraph, signature: Signature, directory: Path) -> None:
    """Raise ModelError for a signature with an input that no request can carry."""
    for what in _cutting(meta_graph, signature):
        raise ModelError(what, where=Where(file=str(directory)), hint=DENSE)


def refuse_unfed(
    metadata: ExplanationMetadata,
    meta_graph: MetaGraph,
    signature: Signature,
    tensors: Sequence[str],
    file: Path,
) -> None:
    """Raise SpecError where `tensors` need a value that no request for the signature brings.

    That is so with metadata that were written for another signature. All names are flat, those that
    are explained being first, as the output need not know what these are made of.
    """
    fed = {node_name(it) for it in tensors_of(meta_graph, signature.key)}
    cuts = {node_name(it) for it in tensors[: len(metadata.inputs)]} - fed
    for place, tensor in enumerate(tensors):
        stops = fed if place < len(metadata.inputs) else fed | cuts
        for unfed in _placeholders(meta_graph, tensor, stops):
            if unfed in fed:
                continue
            others = [
                key
                for key in meta_graph.signatures
                if unfed in map(node_name, tensors_of(meta_graph, key))
            ]
            depends = "" if node_name(tensor) == unfed else f"depends on '{unfed}:0', which "
            raise SpecError(
                f"the metadata name '{tensor}', which {depends}the signature '{signature.key}' "
                "does not feed",
                where=Where(file=str(file)),
                hint=Hint("choose {signature:{key}}, or write metadata for this one", key=others[0])
                if others
                else "name tensors that depend on its inputs alone",
            )


def _placeholders(meta_graph: MetaGraph, tensor: str, stops: Collection[str]) -> Iterator[str]:
    """Yield the placeholders that a tensor depends on, not looking behind the nodes `stops`."""
    nodes = meta_graph.nodes
    name = node_name(tensor)
    while name and name not in nodes:
        name = name.rpartition("/")[0]
    waiting, seen = [name], {name, ""}
    while waiting:
        here = waiting.pop()
        if here in nodes and nodes.op(here) == "Placeholder":
            yield here
        if here in stops or here not in nodes:
            continue
        for source in nodes.input_names(here):
            if source not in seen:
                seen.add(source)
                waiting.append(source)


def _cutting(meta_graph: MetaGraph, signature: Signature) -> Iterator[str]:
    for key in ragged_inputs(meta_graph, signature):
        yield (
            f"input {quoted(key)} of signature {quoted(signature.key)} says where the rows of a "
            "ragged tensor end: it has no value for each instance, so that no request can carry it"
        )


def safety_findings(
    meta_graph: MetaGraph, signature: Signature, tensors: Iterable[str]
) -> list[Finding]:
    """Return what of the model touches more than tensors."""
    findings = [
        Finding(code=OUTSIDE, message=f"the asset '{name}' lies outside of assets/", path=())
        for name in escaping_assets(meta_graph)
    ]
    for touch in touches_of(meta_graph, signature, tensors):
        message = f"{touch.where} {touch.what}{touch.because}"
        if touch.runs:
            hint = Hint("explaining refuses to run it without {allow_unsafe_ops:True}")
            findings.append(Finding(code="MD130", message=message, path=(), hint=hint))
        else:
            message += "; explaining does not run it"
            findings.append(Finding(code="MD131", message=message, path=()))
    return findings


def _versions(meta_graph: MetaGraph) -> list[Finding]:
    known, graphs = table_version()
    wrote, least = meta_graph.tensorflow_version, meta_graph.graph.versions.min_consumer
    if least > graphs:
        message = (
            f"asks for a TensorFlow that reads graphs of version {least}; {known} reads them up "
            f"to {graphs}"
        )
        return [Finding(code="MD125", message=message, path=())]
    if _minor(wrote) > _minor(known):
        message = (
            f"was written by TensorFlow {wrote}; operations that are newer than {known} are not "
            "known here"
        )
        return [Finding(code="MD124", message=message, path=())]
    return []


def _minor(version: str) -> tuple[int, ...]:
    """Return major and minor number, () of what is no version."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    return tuple(map(int, found.groups())) if found else ()
