"""Metadata for a model that has none, from what its signature says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pellucid.errors import SpecError, did_you_mean
from pellucid.linter.encodings import (
    decoded_pictures,
    embedded_lists,
    feature_names,
    parsed_records,
)
from pellucid.metadata import (
    Dialect,
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
    RecordForm,
    is_channels_first,
)
from pellucid.notices import Hint, Notice
from pellucid.saved_model import FLOAT_TYPES, MetaGraph, Shape, Signature, TensorInfo, tensor_info

_SMALLEST_IMAGE = 8
# What is shorter is a few columns; a vector as long as that is none that its elements are read of.
_SHORTEST_SERIES, _LONG_VECTOR = 3, 200
# What is as large on both sides, and not long, may be a picture without channels.
_PICTURE_SIDE = 16
_PICTURES = ("image", "img", "photo", "picture", "pixel")


def infer_metadata(
    signature: Signature, output: str | None = None, meta_graph: MetaGraph | None = None
) -> ExplanationMetadata:
    """Return metadata that explains every input of a signature.

    Float inputs are numeric, or images or series when their shape is that of one; all others are
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
    called = feature_names(records, signature)
    for name, info in signature.inputs.items():
        features = [*_features(name, records, called, signature, tensor, graph)]
        yield from features
        if not features:
            modality = _modality(name, info)
            if (
                modality is Modality.SERIES
                and graph is not None
                and _is_sparse(graph, signature, name)
            ):
                modality = Modality.NUMERIC
            yield InputSpec(name=name, tensor_name=name, modality=modality)


def _features(
    key: str,
    records: Mapping[str, RecordForm],
    called: Mapping[str, Mapping[str, str]],
    signature: Signature,
    output: str,
    graph: MetaGraph | None,
) -> Iterator[InputSpec]:
    """Yield the features of the records of an input, if it holds any.

    One that can only be changed in the record has the input's own tensor: its name tells it.
    """
    if graph is None or key not in records:
        return
    form, names = records[key], called[key]
    for it in form.explained:
        info = tensor_info(graph, signature, it.tensor or "")
        numbers = Modality.NUMERIC if info.dtype in FLOAT_TYPES else Modality.CATEGORICAL
        picture = info.shape is not None and _is_image(info.shape)
        modality = Modality.IMAGE if numbers is Modality.NUMERIC and picture else numbers
        yield InputSpec(name=names[it.name], tensor_name=it.tensor, modality=modality)
    lists = embedded_lists(graph, signature, output, form)
    for it in form.inside:
        name, behind = names[it.name], lists.get(it.name)
        if behind is not None:
            # A group has one value, which is that of the whole list.
            yield InputSpec(name=name, tensor_name=behind, group_name=name)
        else:
            modality = Modality.NUMERIC if it.dtype in FLOAT_TYPES else Modality.CATEGORICAL
            yield InputSpec(name=name, tensor_name=key, modality=modality)


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


def series_notices(metadata: ExplanationMetadata, signature: Signature) -> Iterator[Notice]:
    """Yield what was taken for a series by its shape, and what to do if it is none."""
    for it in metadata.inputs:
        if it.modality is Modality.SERIES and it.name in signature.inputs:
            _, steps, *channels = signature.inputs[it.name].shape or (None, None)
            length = "any number of" if steps is None else f"{steps:,}"
            of = f" of {channels[0]} channel{'s' * (channels[0] != 1)}" if channels else ""
            yield Notice(
                f"input '{it.name}' is taken for a series: {length} steps{of}",
                hint=Hint("if it is none, set its modality in the metadata to numeric or image"),
            )


def is_named_picture(name: str) -> bool:
    """Whether an input is called a picture."""
    return any(word in name.lower() for word in _PICTURES)


def _is_sparse(graph: MetaGraph, signature: Signature, name: str) -> bool:
    tensors = graph.message.signature_def[signature.key].inputs[name]
    return bool(tensors.WhichOneof("encoding") != "name")


def _modality(name: str, info: TensorInfo) -> Modality:
    if info.dtype not in FLOAT_TYPES:
        return Modality.CATEGORICAL
    if _is_image(info.shape):
        return Modality.IMAGE
    return Modality.SERIES if _is_series(name, info.shape) else Modality.NUMERIC


def _is_series(name: str, shape: Shape) -> bool:
    """Whether a tensor is [batch, time, channels], or [batch, time] with many steps or any number.

    What has the proportions of a picture, or is called one, may be a picture without channels.
    """
    if shape is None or len(shape) not in (2, 3) or is_named_picture(name):
        return False
    _, steps, *channels = shape
    if not channels:
        return steps is None or steps >= _LONG_VECTOR
    if channels[0] is None or steps is None:
        return channels[0] is not None
    short, long = sorted((steps, channels[0]))
    picture = short == long or (short >= _PICTURE_SIDE and long < 2 * short)
    return steps >= _SHORTEST_SERIES and not picture


def _is_image(shape: Shape) -> bool:
    """Only pictures with channels, last or first, are told from sequences and tables for sure."""
    if shape is None or len(shape) != 4:
        return False
    sizes = shape[2:] if is_channels_first(shape[1:]) else shape[1:3]
    channels = is_channels_first(shape[1:]) or shape[3] in (1, 3)
    return channels and all(it is None or it >= _SMALLEST_IMAGE for it in sizes)
