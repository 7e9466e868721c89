"""Records made of values: a ``tf.train.Example`` by the names of its features, or a row of CSV.

What is parsed by the model is what people have before they serialize it; so they may give it as it
is, and each value is looked at as that of any other input.
"""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs.input_info import InputInfo, Missing
from pellucid.inputs.strict_json import kind_of
from pellucid.inputs.tensors import check_names, is_binary, to_array
from pellucid.metadata import RecordForm, RecordKind
from pellucid.model import Array
from pellucid.notices import Where


def feature_inputs(info: InputInfo) -> tuple[InputInfo, ...]:
    """Return the features of an input's records, as inputs of their own."""
    assert info.record is not None, "only such an input has features"
    fills = info.fill if isinstance(info.fill, Mapping) else {}
    # A record is made of what one instance says: it knows no mean.
    missing = Missing.REFUSE if info.missing is Missing.MEAN else info.missing
    return tuple(
        InputInfo(
            name=it.name,
            dtype=it.dtype,
            shape=(None, *it.shape),
            optional=not it.required,
            record_of=info.record.kind,
            missing=missing,
            fill=fills.get(it.name),
        )
        for it in info.record.features
    )


def named_inputs(inputs: Sequence[InputInfo], titles: Sequence[str]) -> Sequence[InputInfo]:
    """Return what the columns of a table with these titles are: inputs, or a record's features."""
    lone = inputs[0] if len(inputs) == 1 else None
    if lone is None or lone.record is None or lone.name in titles:
        return inputs
    return feature_inputs(lone)


def with_records(value: object, inputs: Sequence[InputInfo], where: Where) -> object:
    """Return an instance's value with what it says of the features of records serialized.

    Raises InstanceError for features that do not fit, or that are not there.
    """
    lone = inputs[0] if len(inputs) == 1 else None
    if not isinstance(value, Mapping) or is_binary(value):
        listed = isinstance(value, list | tuple)
        if lone is not None and listed and _kind(lone) is RecordKind.CSV:
            return {lone.name: _record(value, lone, where)}
        return value
    if lone is not None and lone.record is not None and [*value] != [lone.name]:
        return {lone.name: _record(value, lone, where)}
    by_name = {info.name: info for info in inputs}
    return {
        name: _record(it, by_name[name], where.below(str(name)))
        if isinstance(it, Mapping) and not is_binary(it) and _kind(by_name.get(name)) is not None
        else it
        for name, it in value.items()
    }


def _kind(info: InputInfo | None) -> RecordKind | None:
    return None if info is None or info.record is None else info.record.kind


def _record(value: Any, info: InputInfo, where: Where) -> bytes:
    form, features = info.record, feature_inputs(info)
    assert form is not None, "it was asked for"
    if not isinstance(value, Mapping):
        if len(value) != len(features):
            wants = f"{len(features)} column{'s' * (len(features) != 1)}"
            what = f"input '{info.name}' is {form.kind.value} of {wants}, got "
            raise InstanceError(f"{what}{kind_of(value)} of {len(value)}", where=where)
        value = {it.name: cell for it, cell in zip(features, value, strict=True)}
    optional = {it.name for it in features if it.optional}
    given = {name: it for name, it in value.items() if it is not None or name not in optional}
    check_names([*given], {it.name: it for it in features}, where, "feature")
    found = {
        it.name: _values(given[it.name], it, where.below(it.name))
        for it in features
        if it.name in given
    }
    return serialized_example(found) if form.kind is RecordKind.EXAMPLE else _row(found, form)


def _values(value: object, info: InputInfo, where: Where) -> Array:
    """Return what a feature is given, in a row; one value may stand for a list of one."""
    if info.instance_shape == (None,) and not isinstance(value, list | tuple | np.ndarray):
        value = [value]
    return to_array(value, info, where).ravel()


def _row(found: Mapping[str, Array], form: RecordForm) -> bytes:
    out = io.StringIO()
    cells = [_cell(found[it.name][0]) if it.name in found else "" for it in form.features]
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue().encode("utf-8", "surrogateescape")


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return repr(value.item())


# The wire format of protocol buffers: a field is its number and kind in one varint, and for kind 2
# a length and so many bytes.


def serialized_example(features: Mapping[str, Array]) -> bytes:
    """Return a serialized tf.train.Example, its features in the order of their names."""
    entries = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _feature(features[name])))
        for name in sorted(features)
    )
    return _field(1, entries)


def _feature(values: Array) -> bytes:
    if values.dtype == object:
        return _field(1, b"".join(_field(1, it) for it in values.tolist()))
    if values.dtype.kind == "f":
        return _field(2, _field(1, struct.pack(f"<{values.size}f", *values.tolist())))
    return _field(3, _field(1, b"".join(map(_varint, values.tolist()))))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
