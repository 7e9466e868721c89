"""Writes the descriptors of TensorFlow's SavedModel messages for ``pellucid.saved_model.reader``.

Run ``python tests/make_descriptors.py`` with a TensorFlow installed; the result is
``core/pellucid/saved_model/saved_model.fds.gz``. The descriptors describe messages that the TensorFlow
authors wrote and publish under the Apache License 2.0.
"""

from __future__ import annotations

import gzip
from pathlib import Path

TARGET = Path(__file__).parent.parent / "core" / "pellucid" / "saved_model" / "saved_model.fds.gz"


def descriptors() -> bytes:
    """Return a serialized FileDescriptorSet of the two messages and all that they need."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
    from tensorflow.core.protobuf import saved_model_pb2, tensor_bundle_pb2

    result = FileDescriptorSet()
    seen: set[str] = set()

    def add(file: object) -> None:
        name = getattr(file, "name")  # noqa: B009 - the two protobuf runtimes share no type
        if name in seen:
            return
        seen.add(name)
        for dependency in sorted(getattr(file, "dependencies"), key=lambda it: it.name):  # noqa: B009
            add(dependency)
        message = FileDescriptorProto()
        getattr(file, "CopyToProto")(message)  # noqa: B009
        # Options are for code generators; leaving them out keeps the file small.
        message.ClearField("options")
        result.file.append(message)

    add(saved_model_pb2.DESCRIPTOR)
    add(tensor_bundle_pb2.DESCRIPTOR)
    return result.SerializeToString(deterministic=True)


if __name__ == "__main__":
    # A fixed time stamp, so that the same TensorFlow gives the same bytes.
    TARGET.write_bytes(gzip.compress(descriptors(), compresslevel=9, mtime=0))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
