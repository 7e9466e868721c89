"""Serialized records: what a string input holds, as the operation that parses it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pellucid.linter.encodings.encoded_tensors import encoded_tensors
from pellucid.linter.encodings.forward_walk import Forward
from pellucid.linter.gradient_flow import locate
from pellucid.linter.gradient_walk import Body, data_inputs
from pellucid.metadata import RecordFeature, RecordForm, RecordKind
from pellucid.saved_model import MetaGraph, Shape, Signature, node_name, shape_of, type_name

_EXAMPLES = ("ParseExample", "ParseExampleV2")
# A row for each instance, whatever number of values it has.
_SUMS = ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN", "SegmentSum", "SegmentMean")
_PARSERS = (*_EXAMPLES, "DecodeCSV")


def parsed_records(
    meta_graph: MetaGraph, signature: Signature, output: str
) -> dict[str, RecordForm]:
    """Return what the inputs hold that the graph parses before anything else is made of them.

    `output` is the flat name of the tensor that is explained. An input that several operations
    parse, or one whose keys are no constants, has no form.
    """
    texts = {key: it.name for key, it in signature.inputs.items() if it.dtype == "string"}
    known = meta_graph.nodes.ops.union(*(it.nodes.ops for it in meta_graph.functions.values()))
    if not texts or known.isdisjoint(_PARSERS):
        return {}
    forward, found = Forward(meta_graph, output), {}
    for key, tensor in texts.items():
        reached = forward.after(tensor, stop=lambda spot: spot.op in _PARSERS)
        parsers = {it.name.rpartition(":")[0]: it for it in reached if it.op in _PARSERS}
        if len(parsers) == 1:
            form = _form(meta_graph, *parsers)
            if form is not None:
                found[key] = replace(form, features=_used(forward, output, form))
    return found


def embedded_lists(
    meta_graph: MetaGraph, signature: Signature, output: str, form: RecordForm
) -> dict[str, str]:
    """Return, for features of any length, the tensor that has a row for each instance behind them.

    That is what a lookup of all their values is summed up to, as `embedding_lookup_sparse` does.
    """
    if not form.listed:
        return {}
    tensors = {it.name: it.tensor for it in form.features if it.used}
    found = encoded_tensors(meta_graph, signature, output, tensors)
    return {
        name: it.tensor
        for name, it in found.items()
        if name in form.listed and not it.others and _op(meta_graph, it.tensor) in _SUMS
    }


def _op(meta_graph: MetaGraph, tensor: str) -> str | None:
    place = locate(meta_graph, tensor)
    if place is None or place.name not in place.bodies[-1].nodes:
        return None
    return place.bodies[-1].nodes.op(place.name)


def _used(forward: Forward, output: str, form: RecordForm) -> tuple[RecordFeature, ...]:
    """Return the features, each with whether the output depends on its values."""

    def reaches(feature: RecordFeature) -> bool:
        return any(spot.name == output for spot in forward.after(feature.tensor))

    return tuple(replace(it, used=it.listed or reaches(it)) for it in form.features)


def _form(meta_graph: MetaGraph, parser: str) -> RecordForm | None:
    place = locate(meta_graph, f"{parser}:0")
    if place is None:
        return None
    body = place.bodies[-1]
    message = body.nodes.message(place.name)
    attributes = body.nodes.attributes(place.name)
    inputs = data_inputs(message)
    if message.op == "DecodeCSV":
        if not _is_plain(attributes):
            return None
        types = list(attributes["OUT_TYPE"].list.type)
        columns = tuple(
            RecordFeature(
                name=f"column_{i + 1}", dtype=type_name(kind), shape=(), tensor=f"{parser}:{i}",
                required=_is_empty(body, default),
            )
            for i, (kind, default) in enumerate(zip(types, inputs[1:], strict=True))
        )  # fmt: skip
        return RecordForm(kind=RecordKind.CSV, features=columns)
    features = tuple(_features(body, str(message.op), inputs, attributes, parser))
    return RecordForm(kind=RecordKind.EXAMPLE, features=features) if features else None


def _is_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether rows have commas between all their cells, as they are written here."""
    comma, some = attributes.get("field_delim"), attributes.get("select_cols")
    return (comma is None or comma.s in (b"", b",")) and (some is None or not some.list.i)


def _features(
    body: Body, op: str, inputs: Sequence[str], attributes: Mapping[str, Any], parser: str
) -> Iterator[RecordFeature]:
    """Yield the features that a parser of examples makes, none where a key is no constant."""
    dense_types = list(attributes["Tdense"].list.type)
    sparse_types = list(attributes["sparse_types"].list.type)
    ragged_types: list[int] = []
    if op == "ParseExampleV2":
        ragged_types = list(attributes["ragged_value_types"].list.type)
        keys = [_strings(body, it) for it in inputs[2:5]]
        defaults = inputs[5:]
    else:
        split = 2 + len(sparse_types)
        names = [[_strings(body, it) for it in part] for part in (inputs[2:split], inputs[split:])]
        dense = names[1][: len(dense_types)]
        keys = [_joined(names[0]), _joined(dense), []]
        defaults = inputs[split + len(dense_types) :]
    sparse_keys, dense_keys, ragged_keys = keys
    if sparse_keys is None or dense_keys is None or ragged_keys is None:
        return
    first = 3 * len(sparse_types)
    shapes = attributes["dense_shapes"].list.shape
    for i, (name, kind) in enumerate(zip(dense_keys, dense_types, strict=True)):
        shape: Shape = shape_of(shapes[i])
        yield RecordFeature(
            name=name, dtype=type_name(kind), shape=shape or (), tensor=f"{parser}:{first + i}",
            required=None not in (shape or ()) and _is_empty(body, defaults[i]),
            listed=None in (shape or ()),
        )  # fmt: skip
    for i, (name, kind) in enumerate(zip(sparse_keys, sparse_types, strict=True)):
        yield RecordFeature(
            name=name, dtype=type_name(kind), shape=(None,), required=False, listed=True,
            tensor=f"{parser}:{len(sparse_types) + i}",
        )  # fmt: skip
    for i, (name, kind) in enumerate(zip(ragged_keys, ragged_types, strict=True)):
        yield RecordFeature(
            name=name, dtype=type_name(kind), shape=(None,), required=False, listed=True,
            tensor=f"{parser}:{first + len(dense_types) + i}",
        )  # fmt: skip


def _joined(keys: Sequence[list[str] | None]) -> list[str] | None:
    return None if None in keys else [it for key in keys for it in key or ()]


def _strings(body: Body, tensor: str) -> list[str] | None:
    """Return the values of a constant of strings."""
    value = _constant(body, tensor)
    return None if value is None else [it.decode("utf-8", "replace") for it in value.string_val]


def _is_empty(body: Body, tensor: str) -> bool:
    """Whether a default has no value, which says that there has to be one."""
    value = _constant(body, tensor)
    return value is not None and any(it.size == 0 for it in value.tensor_shape.dim)


def _constant(body: Body, tensor: str) -> Any:
    name = node_name(tensor)
    if name not in body.nodes or body.nodes.op(name) != "Const":
        return None
    return body.nodes.attributes(name)["value"].tensor
