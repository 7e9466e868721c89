"""What each input is taken to want of a picture: as asked for, as documented, or as built in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pellucid.errors import SpecError
from pellucid.metadata import (
    AssumedPixels,
    Domain,
    ExplanationMetadata,
    InputSpec,
    Modality,
    PixelLayout,
    PixelSettings,
    PixelSource,
)
from pellucid.notices import Hint
from pellucid.saved_model import (
    MetaGraph,
    Pixels,
    SavedModelFile,
    Signature,
    TensorInfo,
    find_pixels,
    may_be_picture,
    resolve_tensor,
)

_NUMBERS = ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "uint16", "int16",
            "int32", "int64")  # fmt: skip


def assume_pixels(
    metadata: ExplanationMetadata,
    model: SavedModelFile,
    meta_graph: MetaGraph,
    signature: Signature,
    asked: PixelSettings = PixelSettings(),
) -> tuple[ExplanationMetadata, tuple[AssumedPixels, ...]]:
    """Return metadata that say what was found, and what is assumed of each input of a request.

    In this order: what is `asked` for, the domain of the metadata, the graph; else pixels are 0..1,
    or the bytes of a type that holds such. Only images are given a domain. Raises SpecError where
    channels cannot stand where they are asked to, and ModelError where attributes of the graph are
    damaged.
    """
    given = {} if _before(meta_graph, signature) else _features(metadata, meta_graph, signature)
    requested = _before(meta_graph, signature) or signature
    _check_channels(requested, asked)
    found = tuple(_assumed(model, meta_graph, requested, given, asked))
    by_input = {it.input: it for it in found}
    inputs = []
    for feature in metadata.inputs:
        key = next((key for key, spec in given.items() if spec is feature), None)
        it = by_input.get(key) if key is not None else None
        inputs.append(feature if it is None else _told(feature, it))
    return replace(metadata, inputs=tuple(inputs)), found


def _before(meta_graph: MetaGraph, signature: Signature) -> Signature | None:
    """Return the signature that a request goes through before the one that is explained."""
    if signature.key != "xai_model":
        return None
    return meta_graph.signatures.get("xai_preprocess")


def _features(
    metadata: ExplanationMetadata, meta_graph: MetaGraph, signature: Signature
) -> dict[str, InputSpec]:
    """Return the features that are inputs of a signature, by key."""
    keys = {info.name: key for key, info in signature.inputs.items()}
    found = {}
    for feature in metadata.inputs:
        written = feature.tensor_name or feature.name
        try:
            tensor = resolve_tensor(meta_graph, signature, written, role="input").tensor
        except SpecError:
            continue  # which the check of the document says
        if tensor in keys:
            found[keys[tensor]] = feature
    return found


def _assumed(
    model: SavedModelFile,
    meta_graph: MetaGraph,
    requested: Signature,
    given: dict[str, InputSpec],
    asked: PixelSettings,
) -> Iterator[AssumedPixels]:
    for key, info in requested.inputs.items():
        if not _takes_pixels(info):
            continue
        found = find_pixels(meta_graph, requested, key, model.directory)
        feature = given.get(key)
        source, (low, high) = _range(
            info, None if feature is None else feature.domain, found, asked
        )
        order = asked.order or (found.order if found is not None else None) or "rgb"
        first = asked.channels_first
        if (first is None or not _may_stand(info, first)) and found is not None:
            first = found.channels_first
        yield AssumedPixels(
            input=key,
            low=low,
            high=high,
            layout=PixelLayout(order=order, channels_first=first),
            source=source,
            reason=None if found is None else found.reason,
            graph=graph_range(found),
            graph_order=found.order if found is not None else None,
        )


def _takes_pixels(info: TensorInfo) -> bool:
    return info.dtype in _NUMBERS and (info.shape is None or may_be_picture(info.shape))


def _may_stand(info: TensorInfo, first: bool) -> bool:
    """Whether the channels of a picture may be first, or last: the other axis is not 1, 3 or 4."""
    if info.shape is None or len(info.shape) < 4:
        return True
    here, there = (1, -1) if first else (-1, 1)
    return info.shape[here] in (1, 3, 4, None) and (
        info.shape[here] is not None or info.shape[there] not in (1, 3, 4)
    )


def _check_channels(requested: Signature, asked: PixelSettings) -> None:
    first = asked.channels_first
    pictures = {key: it for key, it in requested.inputs.items() if _takes_pixels(it)}
    if first is None or not pictures or any(_may_stand(it, first) for it in pictures.values()):
        return
    key = next(iter(pictures))
    words = ("first", "last") if first else ("last", "first")
    raise SpecError(
        f"channels-{words[0]} was asked for, and the channels of input '{key}' come {words[1]}",
        hint=Hint("leave it out of {pixels}"),
    )


def _range(
    info: TensorInfo, domain: Domain | None, found: Pixels | None, asked: PixelSettings
) -> tuple[PixelSource, tuple[float, float]]:
    if asked.low is not None and asked.high is not None:
        return PixelSource.OPTION, (asked.low, asked.high)
    if domain is not None:
        return PixelSource.METADATA, domain.range
    graph = graph_range(found)
    integer = not info.dtype.startswith(("float", "bfloat"))
    if graph is not None and not integer:
        return PixelSource.GRAPH, graph
    if integer:
        return PixelSource.TYPE, (-128.0, 127.0) if info.dtype == "int8" else (0.0, 255.0)
    return PixelSource.DEFAULT, (0.0, 1.0)


def graph_range(found: Pixels | None) -> tuple[float, float] | None:
    """Return the range that a graph tells, if it tells one."""
    if found is None or found.low is None or found.high is None:
        return None
    return found.low, found.high


def _told(feature: InputSpec, it: AssumedPixels) -> InputSpec:
    told = replace(feature, pixel_layout=it.layout)
    if feature.modality is Modality.IMAGE and it.source is not PixelSource.DEFAULT:
        return replace(told, domain=Domain(minimum=it.low, maximum=it.high))
    return told
