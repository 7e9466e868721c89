"""What an operation that parses serialized records says of their features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pellucid.linter.gradient_walk import Body, data_inputs
from pellucid.metadata import RecordFeature, RecordKind
from pellucid.saved_model import node_name, shape_of, type_name

EXAMPLES = ("ParseExample", "ParseExampleV2", "ParseSingleExample")
PARSERS = (*EXAMPLES, "DecodeCSV")


def features_of(body: Body, name: str, flat: str) -> tuple[RecordFeature, ...]:
    """Return the features that a parser makes, whose flat name is `flat`.

    There are none where a key is no constant, and where rows of CSV are not written as here, with
    commas between all their cells.
    """
    message, attributes = body.nodes.message(name), body.nodes.attributes(name)
    inputs = data_inputs(message)
    if message.op != "DecodeCSV":
        return tuple(_features(body, str(message.op), inputs, attributes, flat))
    if not _is_plain(attributes):
        return ()
    types = list(attributes["OUT_TYPE"].list.type)
    return tuple(
        RecordFeature(
            name=f"column_{i + 1}", dtype=type_name(kind), shape=(), tensor=f"{flat}:{i}",
            required=_is_empty(body, default), default=_default(body, default),
        )
        for i, (kind, default) in enumerate(zip(types, inputs[1:], strict=True))
    )  # fmt: skip


def kind_of(op: str) -> RecordKind:
    """Return what a parser of this type takes."""
    return RecordKind.CSV if op == "DecodeCSV" else RecordKind.EXAMPLE


def tensors_of(body: Body, name: str, flat: str, feature: RecordFeature) -> list[str]:
    """Return all that a parser makes of a feature: values, and where these belong."""
    if feature.values is None:
        return [] if feature.tensor is None else [feature.tensor]
    attributes = body.nodes.attributes(name)
    sparse = len(attributes["sparse_types"].list.type)
    place = int(feature.values.rpartition(":")[2])
    if place < 2 * sparse:
        first = place - sparse
        return [f"{flat}:{first + i * sparse}" for i in range(3)]
    ragged = len(attributes["ragged_value_types"].list.type)
    return [feature.values, f"{flat}:{place + ragged}"]


def _is_plain(attributes: Mapping[str, Any]) -> bool:
    comma, some = attributes.get("field_delim"), attributes.get("select_cols")
    return (comma is None or comma.s in (b"", b",")) and (some is None or not some.list.i)


def _features(
    body: Body, op: str, inputs: Sequence[str], attributes: Mapping[str, Any], parser: str
) -> Iterator[RecordFeature]:
    dense_types = list(attributes["Tdense"].list.type)
    sparse_types = list(attributes["sparse_types"].list.type)
    ragged_types: list[int] = []
    keys: list[list[str] | None]
    if op == "ParseExampleV2":
        ragged_types = list(attributes["ragged_value_types"].list.type)
        keys = [_strings(body, it) for it in inputs[2:5]]
        defaults = inputs[5:]
    elif op == "ParseSingleExample":
        keys = [*(_texts(attributes[it].list.s) for it in ("sparse_keys", "dense_keys")), []]
        defaults = inputs[1:]
    else:
        split = 2 + len(sparse_types)
        names = [[_strings(body, it) for it in part] for part in (inputs[2:split], inputs[split:])]
        keys = [_joined(names[0]), _joined(names[1][: len(dense_types)]), []]
        defaults = inputs[split + len(dense_types) :]
    sparse_keys, dense_keys, ragged_keys = keys
    if sparse_keys is None or dense_keys is None or ragged_keys is None:
        return
    first = 3 * len(sparse_types)
    shapes = attributes["dense_shapes"].list.shape
    for i, (name, kind) in enumerate(zip(dense_keys, dense_types, strict=True)):
        shape = shape_of(shapes[i]) or ()
        listed = None in shape
        yield RecordFeature(
            name=name, dtype=type_name(kind), shape=shape, tensor=f"{parser}:{first + i}",
            required=not listed and _is_empty(body, defaults[i]), listed=listed,
            default=None if listed else _default(body, defaults[i]),
        )  # fmt: skip
    lists = [
        *zip(sparse_keys, sparse_types, range(len(sparse_types), first), strict=False),
        *zip(ragged_keys, ragged_types, range(first + len(dense_types), 2**31), strict=False),
    ]
    for name, kind, place in lists:
        yield RecordFeature(
            name=name, dtype=type_name(kind), shape=(None,), required=False, listed=True,
            values=f"{parser}:{place}",
        )  # fmt: skip


def _joined(keys: Sequence[list[str] | None]) -> list[str] | None:
    return None if None in keys else [it for key in keys for it in key or ()]


def _texts(values: Sequence[bytes]) -> list[str]:
    return [it.decode("utf-8", "replace") for it in values]


def _strings(body: Body, tensor: str) -> list[str] | None:
    """Return the values of a constant of strings."""
    value = _constant(body, tensor)
    return None if value is None else _texts(value.string_val)


def _is_empty(body: Body, tensor: str) -> bool:
    """Whether a default has no value, which says that there has to be one."""
    value = _constant(body, tensor)
    return value is not None and any(it.size == 0 for it in value.tensor_shape.dim)


def _default(body: Body, tensor: str) -> bytes | None:
    value = _constant(body, tensor)
    if value is None or _is_empty(body, tensor):
        return None
    return bytes(value.SerializeToString())


def _constant(body: Body, tensor: str) -> Any:
    """Return the value of a constant, which may have been given another shape."""
    name = node_name(tensor)
    if name in body.nodes and body.nodes.op(name) == "Reshape":
        name = node_name(data_inputs(body.nodes.message(name))[0])
    if name not in body.nodes or body.nodes.op(name) != "Const":
        return None
    return body.nodes.attributes(name)["value"].tensor
