"""Metadata for a model that has none, from what its signature says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pellucid.errors import SpecError, did_you_mean
from pellucid.linter.encodings import decoded_pictures, embedded_lists, parsed_records
from pellucid.metadata import (
    Dialect,
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
    is_channels_first,
)
from pellucid.notices import Hint
from pellucid.saved_model import FLOAT_TYPES, MetaGraph, Shape, Signature, TensorInfo, tensor_info

_SMALLEST_IMAGE = 8


def infer_metadata(
    signature: Signature, output: str | None = None, meta_graph: MetaGraph | None = None
) -> ExplanationMetadata:
    """Return metadata that explains every input of a signature.

    Float inputs are numeric, or images when their shape is that of an image; all others are
    categorical. Where an input of the `meta_graph` holds serialized records, what is parsed of them
    are the inputs; of encoded pictures, it is the tensor that they are decoded to. `output` is a
    key of the signature; by default the only output, or the only one of floats. Raises `SpecError`
    that lists the outputs to choose from.
    """
    if not signature.inputs:
        raise SpecError(f"signature '{signature.key}' has no inputs, so nothing can be explained")
    key = _output_key(signature, output)
    inputs = tuple(_inputs(signature, key, meta_graph))
    if meta_graph is not None:
        inputs = _with_pictures(inputs, signature, key, meta_graph)
    return ExplanationMetadata(
        dialect=Dialect.AI_PLATFORM,
        inputs=inputs,
        output=OutputSpec(name=key, tensor_name=key),
        framework="tensorflow",
        signature_key=signature.key,
    )


def _inputs(signature: Signature, output: str, graph: MetaGraph | None) -> Iterator[InputSpec]:
    """Yield what is explained: the inputs, or what is parsed or decoded of them."""
    tensor = signature.outputs[output].name
    records = {} if graph is None else parsed_records(graph, signature, tensor)
    for name, info in signature.inputs.items():
        features = records[name].explained if name in records else ()
        lists = {}
        if graph is not None and name in records:
            lists = embedded_lists(graph, signature, tensor, records[name])
        # Features of two records, or a feature and an input, may have one name.
        prefix = f"{name}." if len(records) > 1 else ""
        for it in features:
            own = f"{name}." if it.name in signature.inputs else prefix
            modality = Modality.NUMERIC if it.dtype in FLOAT_TYPES else Modality.CATEGORICAL
            yield InputSpec(name=f"{own}{it.name}", tensor_name=it.tensor, modality=modality)
        for listed, behind in lists.items():
            own = f"{name}." if listed in signature.inputs else prefix
            # A group has one value, which is that of the whole list.
            group = f"{own}{listed}"
            yield InputSpec(name=group, tensor_name=behind, group_name=group)
        if not features and not lists:
            yield InputSpec(name=name, tensor_name=name, modality=_modality(info))


def _with_pictures(
    inputs: Sequence[InputSpec], signature: Signature, output: str, graph: MetaGraph
) -> tuple[InputSpec, ...]:
    """Return the inputs with the tensors that pictures among them are decoded to."""
    texts = {}
    for it in inputs:
        tensor = it.tensor_name or it.name
        info = signature.inputs.get(tensor)
        flat = tensor if info is None else info.name
        if tensor_info(graph, signature, flat).dtype == "string":
            texts[it.name] = flat
    found = decoded_pictures(graph, signature.outputs[output].name, texts)
    return tuple(
        replace(it, tensor_name=found[it.name], modality=Modality.IMAGE) if it.name in found else it
        for it in inputs
    )


def _output_key(signature: Signature, output: str | None) -> str:
    outputs: Mapping[str, TensorInfo] = signature.outputs
    if not outputs:
        raise SpecError(f"signature '{signature.key}' has no outputs, so nothing can be explained")
    keys = ", ".join(f"'{key}'" for key in outputs)
    if output is not None:
        if output in outputs:
            return output
        near = did_you_mean(output, list(outputs))
        raise SpecError(
            f"output '{output}' does not exist", hint=f"'{signature.key}' has {keys}{near}"
        )
    floats = [key for key, info in outputs.items() if info.dtype in FLOAT_TYPES]
    if len(outputs) == 1:
        return next(iter(outputs))
    if len(floats) == 1:
        return floats[0]
    raise SpecError(
        f"signature '{signature.key}' has several outputs",
        hint=Hint("choose one of {keys} with {output}", keys=keys),
    )


def _modality(info: TensorInfo) -> Modality:
    if info.dtype not in FLOAT_TYPES:
        return Modality.CATEGORICAL
    return Modality.IMAGE if _is_image(info.shape) else Modality.NUMERIC


def _is_image(shape: Shape) -> bool:
    """Only pictures with channels, last or first, are told from sequences and tables for sure."""
    if shape is None or len(shape) != 4:
        return False
    sizes = shape[2:] if is_channels_first(shape[1:]) else shape[1:3]
    channels = is_channels_first(shape[1:]) or shape[3] in (1, 3)
    return channels and all(it is None or it >= _SMALLEST_IMAGE for it in sizes)
