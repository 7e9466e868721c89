"""A first draft of a model's metadata: what its signature, graph and assets say by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pellucid.errors import SpecError
from pellucid.linter.assumed_pixels import assume_pixels
from pellucid.linter.check_model import check, shape_text
from pellucid.linter.encodings import complete, with_embeddings
from pellucid.linter.infer import infer_metadata, is_named_picture
from pellucid.metadata import (
    AssumedPixels,
    Dialect,
    ExplanationMetadata,
    InputSpec,
    Modality,
    PixelSettings,
    is_channels_first,
)
from pellucid.notices import Hint, Message, Notice, Where
from pellucid.problems import Problem, Severity
from pellucid.saved_model import (
    ClassNames,
    MetaGraph,
    SavedModelFile,
    Shape,
    Signature,
    choose_signature,
    find_class_names,
)

_SMALLEST_PICTURE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Metadata that fit their model: how they were found, and what a person should change."""

    metadata: ExplanationMetadata
    notes: tuple[Message, ...]
    problems: tuple[Problem, ...]


def draft_metadata(
    model: SavedModelFile,
    dialect: Dialect = Dialect.AI_PLATFORM,
    *,
    signature_key: str | None = None,
    tags: Sequence[str] | None = None,
    output: str | None = None,
    pixels: PixelSettings = PixelSettings(),
    for_method: str | None = None,
) -> Draft:
    """Return metadata of a model that say which tensors are features and which is the prediction.

    Tensors have their full names, as the services want them; pictures have the domain that `pixels`
    says, or else the graph. With `for_method` they are complete for a method, zero being the
    baseline: what gradients do not reach has the tensor behind it, or is left out. Raises
    ModelError where there is no such signature, and SpecError where the output must be chosen or
    cannot be explained.
    """
    graph = model.meta_graph(tags)
    signature = choose_signature(graph, signature_key)
    inferred = with_embeddings(infer_metadata(signature, output, graph), graph, signature)
    key = inferred.output.name
    names = find_class_names(graph, signature, key, model.directory)
    metadata = replace(
        inferred,
        dialect=dialect,
        inputs=tuple(_input(it, graph, signature) for it in inferred.inputs),
        output=replace(
            inferred.output,
            tensor_name=signature.outputs[key].name,
            index_name_mapping=names.names if names else None,
            index_name_mapping_key=names.key if names else None,
        ),
        framework="tensorflow" if dialect is Dialect.AI_PLATFORM else None,
        signature_key=None,
        tags=tuple(tags) if tags is not None and dialect is Dialect.AI_PLATFORM else None,
    )
    # The signature that is taken anyway need not be named.
    if signature_key is not None and signature is not _default(graph):
        metadata = replace(metadata, signature_key=_only(dialect, signature.key))
    metadata, assumed = assume_pixels(metadata, model, graph, signature, pixels)
    completed: list[Message] = []
    if for_method is None:
        completed += _behind_said(metadata)
    else:
        metadata = complete(metadata, graph, signature, for_method, completed.append)
    problems, _ = check(metadata, model, signature.key, tags)
    _refuse(problems, model.directory)
    notes = *_notes(metadata, signature, names, signature_key, assumed), *completed
    return Draft(metadata=metadata, notes=notes, problems=problems)


def _behind_said(metadata: ExplanationMetadata) -> Iterator[Notice]:
    for it in metadata.inputs:
        if it.encoded_tensor_name is not None:
            yield Notice(f"input '{it.name}' is explained at '{it.encoded_tensor_name}'")


def _refuse(problems: Sequence[Problem], directory: Path) -> None:
    errors = [it for it in problems if it.severity is Severity.ERROR]
    if errors:
        where = Where(file=str(directory))
        raise SpecError(errors[0].message, errors, where=where, hint=errors[0].hint)


def _only(dialect: Dialect, key: str) -> str | None:
    return key if dialect is Dialect.AI_PLATFORM else None


def _default(graph: MetaGraph) -> Signature | None:
    found = graph.signatures
    return next((found[key] for key in ("xai_model", "serving_default") if key in found), None)


def _input(feature: InputSpec, graph: MetaGraph, signature: Signature) -> InputSpec:
    if feature.tensor_name != feature.name:  # what is parsed or decoded of an input
        inside = signature.inputs.get(feature.tensor_name or "")
        return feature if inside is None else replace(feature, tensor_name=inside.name)
    info = signature.inputs[feature.name]
    made = replace(feature, tensor_name=info.name)
    if _is_picture(feature.name, info.dtype, info.shape):
        made = replace(made, modality=Modality.IMAGE)
    tensors = graph.message.signature_def[signature.key].inputs[feature.name]
    if tensors.WhichOneof("encoding") == "coo_sparse":
        sparse: Any = tensors.coo_sparse
        return replace(
            made,
            indices_tensor_name=str(sparse.indices_tensor_name),
            dense_shape_tensor_name=str(sparse.dense_shape_tensor_name),
        )
    return made


def _is_picture(name: str, dtype: str, shape: Shape) -> bool:
    """Whether a tensor is a picture, by its rank and channels, its proportions and its name."""
    if shape is None or dtype not in ("float16", "bfloat16", "float32", "float64", "uint8"):
        return False
    first = len(shape) == 4 and is_channels_first(shape[1:])
    sizes = shape[2:] if first else shape[1:3]
    if any(it is not None and it < _SMALLEST_PICTURE for it in sizes):
        return False
    if len(shape) == 4:
        return first or shape[3] in (1, 3)
    square = len(shape) == 3 and sizes[0] is not None and sizes[0] == sizes[1]
    return square or (len(shape) == 3 and is_named_picture(name))


def _notes(
    metadata: ExplanationMetadata,
    signature: Signature,
    names: ClassNames | None,
    asked: str | None,
    assumed: Sequence[AssumedPixels],
) -> Iterator[Notice]:
    for feature in metadata.inputs:
        info = signature.inputs.get(feature.name)
        if info is not None and info.name == feature.tensor_name:
            shape = shape_text(signature.inputs[feature.name].shape)
            yield Notice(f"input '{feature.name}' {shape} is {feature.modality.value}")
        else:
            made = "parsed of a record" if info is None else "decoded in the graph"
            yield Notice(f"'{feature.name}', {made}, is {feature.modality.value}")
    images = {it.name for it in metadata.inputs if it.modality is Modality.IMAGE}
    for it in assumed:
        if it.input in images and it.sentence is not None:
            yield Notice(it.sentence, hint=it.hint)
            if it.layout.order == "bgr":
                hint = Hint("pass {pixels:bgr} on")
                yield Notice(f"metadata name no order of channels for '{it.input}'", hint=hint)
    output = metadata.output
    with_names = f", with names from {names.source}" if names else ""
    shape = shape_text(signature.outputs[output.name].shape)
    yield Notice(f"output '{output.name}' {shape}{with_names}")
    if metadata.dialect is Dialect.VERTEX and asked is not None:
        hint = Hint("pass {signature:{key}} on", key=signature.key)
        yield Notice("Vertex metadata name no signature", hint=hint)
