"""TFRecord files: records one after the other, each with checksums of its length and its bytes."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import IO, Any, cast

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs.files import MOST_UNPACKED, opened, suffix_of
from pellucid.inputs.input_info import InputInfo
from pellucid.notices import Where


def is_tfrecord(path: str | PathLike[str]) -> bool:
    """Whether a file is called so: ``x.tfrecord``, ``x.tfrecord.gz``, ``x.tfrecord-00000-of-2``."""
    return suffix_of(path).startswith(".tfrecord")


def record_input(inputs: Sequence[InputInfo], where: Where) -> InputInfo:
    """Return the input that takes records. Raises InstanceError where none does, or several do."""
    texts = [info for info in inputs if info.is_string]
    found = [info for info in texts if info.record is not None] or texts
    if len(found) == 1 and len(inputs) == 1:
        return found[0]
    wants = ", ".join(f"'{info.name}' is {info.wants}" for info in inputs)
    what = "a TFRecord file is for models of one input, which takes serialized records; "
    raise InstanceError(f"{what}here, {wants}", where=where)


def read_records(path: str | PathLike[str], source: str) -> Iterator[bytes | InstanceError]:
    """Yield the records of a file, in the place of one whose bytes have changed an error.

    Raises InstanceError where it cannot be told where the next record begins.
    """
    with opened(path, source) as packed:
        file = _unpacked(packed)
        number = 0
        try:
            while head := file.read(12):
                where = Where(file=source, instance=number)
                yield _record(file, head, where)
                number += 1
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            what = f"the compressed file is damaged ({error})"
            raise InstanceError(what, where=Where(file=source, instance=number)) from None


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    """Return a file decompressed, as TFRecord files are whatever their names."""
    buffered = io.BufferedReader(cast(Any, file))
    if buffered.peek(2)[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.open(buffered, "rb"))
    return cast(IO[bytes], buffered)


def _record(file: IO[bytes], head: bytes, where: Where) -> bytes | InstanceError:
    if len(head) < 12:
        raise InstanceError("the file ends within the record's length", where=where)
    length, check = struct.unpack("<QI", head)
    if masked(head[:8]) != check:
        what = "the checksum (CRC32C) of the record's length is wrong, so that it has no end"
        hint = "" if where.instance else "is it a TFRecord file?"
        raise InstanceError(what, where=where, hint=hint)
    if length > MOST_UNPACKED:
        raise InstanceError(
            f"the record would have {length:,} bytes, more than {MOST_UNPACKED:,}", where=where
        )
    data, tail = file.read(length), file.read(4)
    if len(data) < length or len(tail) < 4:
        raise InstanceError("the file ends within the record", where=where)
    if masked(data) != struct.unpack("<I", tail)[0]:
        return InstanceError("the checksum (CRC32C) of the record is wrong", where=where)
    return data


def masked(data: bytes) -> int:
    """Return the checksum that TFRecord files have: a CRC32C, turned and shifted."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of bytes.

    Long data are cut into as many rows as they have columns; all rows are taken on together, and
    the checksum of one is moved over the next by a table for that many zeros.
    """
    width = int(len(data) ** 0.5)
    if width < 32:
        return _taken(0xFFFFFFFF, data) ^ 0xFFFFFFFF
    whole = len(data) // width * width
    rows = np.frombuffer(data, np.uint8, whole).reshape(-1, width)
    crc = np.zeros(len(rows), np.uint32)
    crc[0] = 0xFFFFFFFF
    for column in rows.T:
        crc = _TABLE[(crc ^ column) & 0xFF] ^ (crc >> np.uint32(8))
    # Each bit of a checksum, moved over a row of zeros.
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(width):
        bits = _TABLE[bits & 0xFF] ^ (bits >> np.uint32(8))
    moved, total = bits.tolist(), 0
    for one in crc.tolist():
        shifted = 0
        for place in range(32):
            if total >> place & 1:
                shifted ^= moved[place]
        total = shifted ^ one
    return _taken(total, data[whole:]) ^ 0xFFFFFFFF


def _taken(crc: int, data: bytes) -> int:
    for byte in data:
        crc = _LIST[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _table() -> Any:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(
            table & 1, table >> np.uint32(1) ^ np.uint32(0x82F63B78), table >> np.uint32(1)
        )
    return table.astype(np.uint32)


_TABLE = _table()
_LIST = _TABLE.tolist()
