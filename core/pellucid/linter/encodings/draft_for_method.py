"""What a draft of metadata needs for one method: encoded tensors for gradients, and baselines."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from pellucid.errors import SpecError
from pellucid.linter.encodings.embedded_inputs import embedded
from pellucid.linter.encodings.encoded_tensors import EncodedTensor, encoded_tensors
from pellucid.linter.encodings.parsed_records import in_records
from pellucid.linter.gradient_flow import slopes
from pellucid.metadata import (
    METHODS,
    BaseMethod,
    ExplanationMetadata,
    InputSpec,
    Modality,
    RecordFeature,
    ValueBaseline,
)
from pellucid.notices import Hint, Notice, Warn
from pellucid.saved_model import FLOAT_TYPES, MetaGraph, Signature, resolve_tensor, tensor_info


def complete(
    metadata: ExplanationMetadata,
    graph: MetaGraph,
    signature: Signature,
    method: str,
    note: Warn,
) -> ExplanationMetadata:
    """Return metadata that a method can do with, whose baselines are zero.

    Raises SpecError for a method that there is not, and where gradients reach no input at all.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise SpecError(f"'{method}' is not a method", hint=f"choose one of {known}")
    kind = METHODS[method]
    inside = in_records(metadata, graph, signature)
    found: dict[str, EncodedTensor] = {}
    lost: list[str] = []
    if kind.uses_gradients:
        found, lost = _behind(metadata, graph, signature, inside)
    if len(lost) == len(metadata.inputs):
        raise SpecError(
            f"no gradient reaches {_listed(lost)}, nor a tensor behind one of them alone",
            hint=Hint("explain with {explain.method:sampled-shapley}"),
        )
    inputs = []
    for feature in metadata.inputs:
        if feature.name in lost:
            continue
        behind = found.get(feature.name)
        if behind is None:
            own = inside[feature.name][1] if feature.name in inside else None
            inputs.append(_completed(feature, own, graph, signature, kind))
        else:
            inputs.append(embedded(feature, behind, graph, signature))
        if behind is not None:
            note(Notice(f"input '{feature.name}' is explained at '{behind.tensor}'"))
        if behind is not None and behind.others:
            others = _listed(behind.others)
            note(Notice(f"input '{feature.name}' goes into {others} as well, which is held"))
    if lost:
        note(
            Notice(
                f"no gradient reaches {_listed(lost)}: left out, and held as given",
                hint=Hint("to explain everything, draft with {for_method:sampled-shapley} instead"),
            )
        )
    return replace(metadata, inputs=tuple(inputs))


def _behind(
    metadata: ExplanationMetadata, graph: MetaGraph, signature: Signature, inside: Collection[str]
) -> tuple[dict[str, EncodedTensor], list[str]]:
    """Return the tensors behind inputs that gradients do not reach, and the inputs without one."""
    written = metadata.output.tensor_name or metadata.output.name
    output = resolve_tensor(graph, signature, written, role="output").tensor
    inputs = {
        it.name: resolve_tensor(graph, signature, it.tensor_name or it.name, role="input").tensor
        for it in metadata.inputs
    }
    apart = {name: tensor for name, tensor in inputs.items() if name not in inside}
    found = encoded_tensors(graph, signature, output, apart)
    comes = slopes(graph, output)
    lost = [
        name
        for name, tensor in inputs.items()
        if name not in found
        and not (tensor_info(graph, signature, tensor).dtype in FLOAT_TYPES and comes(tensor))
    ]
    return found, lost


def _completed(
    feature: InputSpec,
    own: RecordFeature | None,
    graph: MetaGraph,
    signature: Signature,
    kind: type[BaseMethod],
) -> InputSpec:
    """Return a feature with a baseline, unless the method has its own.

    `own` is what it is in its record, if it is explained there: a value that is left out of its
    list has nothing in its place.
    """
    tensor = tensor_info(graph, signature, feature.tensor_name or feature.name)
    text = (own or tensor).dtype == "string"
    if text and feature.modality is Modality.NUMERIC:
        feature = replace(feature, modality=Modality.CATEGORICAL)
    written = not kind.default_baselines and not (own is not None and own.listed)
    zero = ValueBaseline("" if text else 0)
    return replace(feature, input_baselines=(zero,) if written else ())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
