"""Inputs that are explained at the tensors behind them, as metadata say it."""

from __future__ import annotations

from dataclasses import replace

from pellucid.errors import SpecError
from pellucid.linter.encodings.encoded_tensors import EncodedTensor, encoded_tensors
from pellucid.linter.encodings.parsed_records import in_records
from pellucid.metadata import ExplanationMetadata, InputSpec, Modality, ValueBaseline
from pellucid.saved_model import (
    FLOAT_TYPES,
    MetaGraph,
    Signature,
    resolve_tensor,
    tensor_info,
)


def embedded(
    feature: InputSpec, behind: EncodedTensor, graph: MetaGraph, signature: Signature
) -> InputSpec:
    """Return a feature with the tensor behind it, and the baseline that gradients start from.

    That is what the model makes of the empty text, or of id 0, which is padding where there is any.
    What is parsed of a record cannot be given to the model, so that it starts from 0 behind it.
    """
    tensor = resolve_tensor(graph, signature, feature.tensor_name or feature.name, role="input")
    text = tensor_info(graph, signature, tensor.tensor).dtype == "string"
    feature = replace(
        feature,
        encoding=behind.encoding,
        encoded_tensor_name=behind.tensor,
        modality=Modality.TEXT if behind.sequence or behind.cut else feature.modality,
    )
    if all(it.name != tensor.tensor for it in signature.inputs.values()):
        return replace(feature, encoded_baselines=(ValueBaseline(0),))
    return replace(feature, input_baselines=(ValueBaseline("" if text else 0),))


def with_embeddings(
    metadata: ExplanationMetadata, graph: MetaGraph, signature: Signature
) -> ExplanationMetadata:
    """Return inferred metadata in which words and ids are explained at their embeddings.

    Where all inputs are of floats, they stay as they are; and so do whole numbers that are numbers,
    and what is parsed of a record.
    """
    # What is changed in a record has the record's tensor, and a name of its own.
    given = {
        it.name: signature.inputs.get(it.name) if it.tensor_name == it.name else None
        for it in metadata.inputs
    }
    if all(info is None or info.dtype in FLOAT_TYPES for info in given.values()):
        return metadata
    output = metadata.output.tensor_name or metadata.output.name
    inputs = {
        it.name: resolve_tensor(graph, signature, it.tensor_name or it.name, role="input").tensor
        for it in metadata.inputs
        if it.tensor_name not in signature.inputs or given[it.name] is not None
    }
    flat = resolve_tensor(graph, signature, output, role="output").tensor
    found = {
        name: it
        for name, it in encoded_tensors(graph, signature, flat, inputs).items()
        if it.encoding.is_embedding and it.looked_up and given[name] is not None
    }
    return replace(
        metadata,
        inputs=tuple(
            embedded(it, found[it.name], graph, signature) if it.name in found else it
            for it in metadata.inputs
        ),
    )


def encodings_of(
    metadata: ExplanationMetadata, meta_graph: MetaGraph, signature: Signature
) -> dict[str, EncodedTensor]:
    """Return `encoded_tensors` of the inputs that metadata name; {} where a name is wrong.

    Those of several outputs are returned where they are the same for all. What is explained in a
    record has none.
    """
    apart = in_records(metadata, meta_graph, signature)
    try:
        outputs = [
            resolve_tensor(meta_graph, signature, it.tensor_name or it.name, role="output").tensor
            for it in metadata.outputs
        ]
        inputs = {
            it.name: resolve_tensor(
                meta_graph, signature, it.tensor_name or it.name, role="input"
            ).tensor
            for it in metadata.inputs
            if it.name not in apart
        }
    except SpecError:
        return {}
    first, *others = (encoded_tensors(meta_graph, signature, it, inputs) for it in outputs)
    return {
        name: it for name, it in first.items() if all(other.get(name) == it for other in others)
    }
