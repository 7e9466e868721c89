"""Whether the files of ``variables/`` are all there and as long as their index says.

``variables.index`` is a LevelDB table whose values are TensorFlow's ``BundleEntryProto``: data
blocks of prefix-compressed entries, an index block that points at them, and a footer of 48 bytes.
Only sizes are compared, so a check costs one small file read, whatever the size of the weights.
Values of small entries are read where they lie.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import ModelError
from pellucid.files import open_file, read_bytes
from pellucid.notices import Where
from pellucid.saved_model.directory import AGAIN

_FOOTER = 48
_MAGIC = 0xDB4775248B80FB57
_LETTERS = 100  # all keys written out are at most so many times as long as the table
_TRAILER = 5  # one byte of compression type, four of checksum
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")


class _NotATableError(Exception):
    """The bytes are not a table that this reader understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a value of the checkpoint lies: in shard `shard` of `shards`; `dtype` is a number.

    `sliced` tells that it is stored in several parts, under other keys.
    """

    shape: tuple[int, ...]
    dtype: int
    shard: int
    shards: int
    offset: int
    size: int
    sliced: bool


def is_lfs_pointer(path: Path) -> bool:
    """Return whether the file is the small text that Git LFS leaves in place of a large file."""
    with open_file(path) as file:
        return file.read(len(_LFS_POINTER)) == _LFS_POINTER


def check_variables(directory: Path, messages: Callable[[str], Any]) -> None:
    """Raise ModelError if something is wrong with the checkpoint in ``directory/variables``.

    `messages` gives the class of a TensorFlow message by its full name. Raises OSError, too.
    """
    variables = directory / "variables"
    if not variables.is_dir():
        raise _fault(
            variables, "does not exist, and the graph has variables", "copy it beside the model"
        )
    index = variables / "variables.index"
    if not index.is_file():
        raise _fault(index, "does not exist", "a checkpoint is an index and its data files")
    files = sorted(it for it in variables.iterdir() if it.name.startswith("variables."))
    for path in files:
        if is_lfs_pointer(path):
            raise _fault(path, "is a Git LFS pointer, not the weights", "run `git lfs pull`")
    if index.stat().st_size == 0:
        raise _fault(index, "is empty (0 bytes)", AGAIN)
    lengths = _shard_lengths(read_bytes(index), messages)
    counts = [len(lengths or ())] + [
        int(found[2]) for it in files if (found := _SHARD.fullmatch(it.name))
    ]
    # Without a readable index, the names say how many data files there are; there is at least one.
    total = counts[0] or max(counts[1:], default=1)
    if total > 99_999:
        raise _fault(index, "is damaged", AGAIN)
    for shard in range(total):
        path = variables / f"variables.data-{shard:05d}-of-{total:05d}"
        if not path.is_file():
            hint = f"the weights are in {total} such file(s), copy them all"
            raise _fault(path, "does not exist", hint)
        size, wanted = path.stat().st_size, (lengths or {}).get(shard, 0)
        if size < wanted:
            what = f"is truncated, {size} bytes where variables.index speaks of {wanted}"
            raise _fault(path, what, AGAIN)


def _fault(path: Path, what: str, hint: str) -> ModelError:
    return ModelError(what, where=Where(file=str(path)), hint=hint)


def checkpoint_entries(variables: Path, messages: Callable[[str], Any]) -> dict[str, Entry]:
    """Return what the checkpoint in a directory holds by key, {} where its index cannot be read."""
    from google.protobuf.message import DecodeError

    entry_type = messages("tensorflow.BundleEntryProto")
    found: dict[str, Entry] = {}
    shards = 1
    try:
        for key, value in _entries(read_bytes(variables / "variables.index")):
            if not key:
                shards = messages("tensorflow.BundleHeaderProto").FromString(value).num_shards
                continue
            entry = entry_type.FromString(value)
            found[key.decode()] = Entry(
                shape=tuple(int(it.size) for it in entry.shape.dim),
                dtype=entry.dtype,
                shard=entry.shard_id,
                shards=shards,
                offset=entry.offset,
                size=entry.size,
                sliced=bool(entry.slices),
            )
    except (_NotATableError, DecodeError, IndexError, struct.error, UnicodeDecodeError, OSError):
        return {}
    return found


def read_entry(variables: Path, entry: Entry) -> bytes | None:
    """Return the bytes of an entry, None where its file is missing or does not have them."""
    path = variables / f"variables.data-{entry.shard:05d}-of-{entry.shards:05d}"
    try:
        with open_file(path) as file:
            # A size that is made up would be allocated before anything is read.
            if (
                not 0
                <= entry.offset
                <= entry.offset + entry.size
                <= os.fstat(file.fileno()).st_size
            ):
                return None
            file.seek(entry.offset)
            content = file.read(entry.size)
    except OSError:
        return None
    return content if len(content) == entry.size else None


def _shard_lengths(table: bytes, messages: Callable[[str], Any]) -> dict[int, int] | None:
    """Return the least length of each data file, or None where the index cannot tell."""
    from google.protobuf.message import DecodeError

    entry_type = messages("tensorflow.BundleEntryProto")
    try:
        lengths: dict[int, int] = {}
        for key, value in _entries(table):
            if not key:
                shards = messages("tensorflow.BundleHeaderProto").FromString(value).num_shards
                if not 0 < shards <= 99_999:
                    return None
                lengths = dict.fromkeys(range(shards), 0)
                continue
            entry = entry_type.FromString(value)
            if entry.shard_id in lengths and entry.offset >= 0 and entry.size >= 0:
                end = entry.offset + entry.size
                lengths[entry.shard_id] = max(lengths[entry.shard_id], end)
    except (_NotATableError, DecodeError, IndexError, struct.error, UnicodeDecodeError):
        return None
    return lengths


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < _FOOTER or struct.unpack("<Q", table[-8:])[0] != _MAGIC:
        raise _NotATableError
    footer = table[-_FOOTER:]
    _, at = _varint(footer, 0)  # the handle of the metaindex block: offset and size
    _, at = _varint(footer, at)
    # A table that was made up may name a block a million times, and let each key go on where a long
    # one ended; in one that was written, blocks do not overlap, and names are of some length.
    unread, letters = len(table), _LETTERS * len(table)
    for _, handle, _ in _block(table, footer[at:], letters):
        unread -= _varint(handle, _varint(handle, 0)[1])[0]
        if unread < 0:
            raise _NotATableError
        for key, value, left in _block(table, handle, letters):
            yield key, value
            letters = left


def _block(table: bytes, handle: bytes, letters: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield key and value of each entry, and how many of so many `letters` of keys are left."""
    offset, at = _varint(handle, 0)
    size, _ = _varint(handle, at)
    if offset + size + _TRAILER > len(table) or size < 4 or table[offset + size] != 0:
        raise _NotATableError  # out of the file, or compressed
    block = table[offset : offset + size]
    end = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    key, at = b"", 0
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        letters -= len(key)
        if letters < 0:
            raise _NotATableError
        yield key, block[at + fresh : at + fresh + length], letters
        at += fresh + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _NotATableError
