"""Checkpoints that were made up: small files that speak of huge ones, read in bounded memory."""

from __future__ import annotations

import shutil
import struct
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from pellucid.linter.lint_model import lint
from pellucid.saved_model import read
from pellucid.saved_model.checkpoint import (
    Entry,
    check_variables,
    checkpoint_entries,
    read_entry,
)
from pellucid.saved_model.pixels.variables import Variables
from pellucid.saved_model.protobuf import messages

MEMORY = 64 * 2**20


def varint(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def block(entries: Iterable[tuple[int, bytes, bytes]]) -> bytes:
    """A block of (letters shared with the key before, the others, value), with its trailer."""
    parts = [varint(s) + varint(len(k)) + varint(len(v)) + k + v for s, k, v in entries]
    return b"".join(parts) + struct.pack("<II", 0, 1) + b"\0" * 5


def table(data: bytes, handles: int = 1, overlap: int = 0) -> bytes:
    """A table of one block, which its index names so many times, each time a little shorter."""
    named = [
        (0, b"%06d" % i, varint(i * overlap) + varint(len(data) - 5 - i * overlap))
        for i in range(handles)
    ]
    index = block(named)
    footer = varint(0) * 2 + varint(len(data)) + varint(len(index) - 5)
    return data + index + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def header(shards: int = 1) -> tuple[int, bytes, bytes]:
    return (
        0,
        b"",
        bytes(messages()("tensorflow.BundleHeaderProto")(num_shards=shards).SerializeToString()),
    )


def entry(key: bytes, shared: int = 0, **fields: int) -> tuple[int, bytes, bytes]:
    made = messages()("tensorflow.BundleEntryProto")(dtype=1, **fields)
    return shared, key, bytes(made.SerializeToString())


def one_name_after_another() -> bytes:
    first = entry(b"x" * 100_000, size=4)
    return table(
        block([header(), first, *(entry(b"y", 100_000 + i, size=4) for i in range(20_000))])
    )


def one_block_many_times() -> bytes:
    return table(block([header(), *(entry(b"%05d" % i, size=4) for i in range(20_000))]), 50_000)


def blocks_that_overlap() -> bytes:
    return table(block([header(), *(entry(b"%05d" % i, size=4) for i in range(20_000))]), 50_000, 1)


@pytest.mark.parametrize(
    "made", [one_name_after_another, one_block_many_times, blocks_that_overlap]
)
def test_an_index_is_read_in_bounded_time_and_memory(made: object, tmp_path: Path) -> None:
    assert callable(made)
    variables = tmp_path / "variables"
    variables.mkdir()
    (variables / "variables.index").write_bytes(made())
    (variables / "variables.data-00000-of-00001").write_bytes(bytes(4))
    tracemalloc.start()
    try:
        assert checkpoint_entries(variables, messages()) == {}
        check_variables(tmp_path, messages())  # the index cannot tell how long the files are
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The tables above differ from real ones in one thing only."""
    (tmp_path / "variables.index").write_bytes(
        table(block([header(2), entry(b"net/a", size=4), entry(b"b", 4, size=8, shard_id=1)]))
    )
    found = checkpoint_entries(tmp_path, messages())
    assert {key: (it.shard, it.shards, it.size) for key, it in found.items()} == {
        "net/a": (0, 2, 4), "net/b": (1, 2, 8),
    }  # fmt: skip


@pytest.mark.parametrize("shards", [0, -1, 100_000, 2**31 - 1])
def test_a_number_of_files_that_nobody_writes_is_not_believed(shards: int, tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    index = tmp_path / "variables" / "variables.index"
    index.write_bytes(table(block([header(shards), entry(b"a", size=4, shard_id=3)])))
    (tmp_path / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(4))
    check_variables(tmp_path, messages())


@pytest.mark.parametrize(
    ("offset", "size"), [(0, 2**62), (2**62, 4), (-4, 4), (0, -1), (2**63 - 1, 2**63 - 1), (1, 4)]
)
def test_an_entry_beyond_its_file_is_none(offset: int, size: int, tmp_path: Path) -> None:
    (tmp_path / "variables.data-00000-of-00001").write_bytes(bytes(4))
    made = Entry(shape=(), dtype=1, shard=0, shards=1, offset=offset, size=size, sliced=False)
    tracemalloc.start()
    try:
        assert read_entry(tmp_path, made) is None
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_a_list_of_names_without_measure_is_not_written_out(samples: Path, tmp_path: Path) -> None:
    """One name and the size of a billion: the name stands for all of them."""
    model = tmp_path / "model"
    shutil.copytree(samples / "photos/model", model)
    path = model / "saved_model.pb"
    saved = messages()("tensorflow.SavedModel").FromString(path.read_bytes())
    graph = saved.meta_graphs[0].graph_def
    changed = 0
    for nodes in (graph.node, *(it.node_def for it in graph.library.function)):
        for node in nodes:
            if node.op == "Const" and node.attr["value"].tensor.string_val:
                tensor = node.attr["value"].tensor
                if len(tensor.tensor_shape.dim) == 1:
                    tensor.tensor_shape.dim[0].size = 2**40
                    changed += 1
    assert changed
    path.write_bytes(saved.SerializeToString())
    tracemalloc.start()
    try:
        meta_graph = read(model).meta_graph()
        Variables(meta_graph, model).read("nothing")
        lint(model)
        assert tracemalloc.get_traced_memory()[1] < 8 * MEMORY
    finally:
        tracemalloc.stop()
