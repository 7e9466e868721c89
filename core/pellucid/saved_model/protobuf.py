"""TensorFlow's messages without TensorFlow, and a lighter reading of those that are large.

The messages are TensorFlow's own (Copyright The TensorFlow Authors, Apache License 2.0): their
descriptors, gzipped in ``saved_model.fds.gz`` and written by ``tests/make_descriptors.py``,
feed a private protobuf pool, so that they cannot clash with ``import tensorflow`` in one process.

A graph may have a million nodes and weigh two gigabytes, nearly all of it attributes that nobody
asks for. In the light messages, the same fields with the same numbers, they stay bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

_LIGHT = ("GraphDef", "FunctionDefLibrary", "FunctionDef", "NodeDef")
_AS_BYTES = {
    "GraphDef": ("debug_info",),
    "NodeDef": ("device", "attr", "experimental_debug_info", "experimental_type"),
}


class WireError(Exception):
    """Bytes that are no message."""


@cache
def messages() -> Callable[[str], Any]:
    """Return what gives the class of a message by its full name.

    ``tensorflow.GraphDef`` is TensorFlow's, ``light.GraphDef`` the lighter one; a
    ``light.Attribute`` is one entry of a node's attributes.
    """
    import gzip
    from importlib.resources import files

    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    data = (files("pellucid.saved_model") / "saved_model.fds.gz").read_bytes()
    pool = DescriptorPool()
    full = FileDescriptorSet.FromString(gzip.decompress(data)).file
    for file in full:
        pool.AddSerializedFile(file.SerializeToString())
    pool.AddSerializedFile(_light(full).SerializeToString())
    return lambda name: GetMessageClass(pool.FindMessageTypeByName(name))


def _light(full: Iterable[Any]) -> Any:
    """Return the light messages, made of TensorFlow's."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

    result = FileDescriptorProto(name="light.proto", package="light", syntax="proto3")
    for file in full:
        result.dependency.append(file.name)
        result.message_type.extend(it for it in file.message_type if it.name in _LIGHT)
    for message in result.message_type:
        for field in message.field:
            parts = field.type_name.split(".")
            if field.name in _AS_BYTES.get(message.name, ()):
                field.type = FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
            elif parts[1:] and parts[2] in _LIGHT:
                field.type_name = ".".join(["", "light", *parts[2:]])
        if message.name == "NodeDef":
            del message.nested_type[:]
    entry = result.message_type.add(name="Attribute")
    entry.field.add(name="key", number=1, label=1, type=FieldDescriptorProto.TYPE_STRING)
    entry.field.add(
        name="value",
        number=2,
        label=1,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".tensorflow.AttrValue",
    )
    return result


def fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield the fields of a message: the number, all of its bytes, and those of its value.

    The value is empty for a field that is a number. Raises WireError.
    """
    at, end = 0, len(data)
    while at < end:
        start = at
        tag, at = _varint(data, at)
        kind, first = tag & 7, at
        if kind == 0:
            _, at = _varint(data, at)
            first = at
        elif kind == 2:
            size, first = _varint(data, at)
            at = first + size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
            first = at
        else:
            raise WireError
        if at > end or tag < 8:
            raise WireError
        yield tag >> 3, data[start:at], data[first:at]


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise WireError
