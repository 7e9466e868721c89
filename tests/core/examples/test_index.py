"""The file of an index: what goes in comes out, and what is no index is refused."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.errors import DependencyError, InstanceError, ModelError, OutputError, SpecError
from pellucid.examples.index import ExampleIndex, Origin, open_index
from pellucid.examples.writer import IndexWriter
from pellucid.metadata.example_spec import Distance, Examples, Normalization, Query, Restriction
from pellucid.model import Array
from tampering import ARRAYS, DEEP, tampered

ORIGIN = Origin(files="abc", signature="serving_default", latent="dense:0", domains={"x": [0, 1]})
RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(500, 8)).astype(np.float32) * np.arange(1, 9, dtype=np.float32) + 3


def write(
    path: Path,
    vectors: Array = VECTORS,
    *,
    distance: Distance = Distance.SQUARED_L2,
    normalization: Normalization = Normalization.NONE,
    query: Query = Query.PRECISE,
    extras: Sequence[Any] | None = None,
    blocks: int = 3,
) -> ExampleIndex:
    ids = [f"é{i}" for i in range(len(vectors))]
    extras = extras or [{}] * len(vectors)
    with IndexWriter(path, ORIGIN, distance, normalization, query) as writer:
        for part in np.array_split(np.arange(len(vectors)), blocks):
            chosen = part.tolist()
            writer.add([ids[i] for i in chosen], vectors[part], [extras[i] for i in chosen])
        return writer.finish()


def found(index: ExampleIndex, vectors: Array, **options: Any) -> list[list[tuple[str, float]]]:
    return [
        [(it.id, it.distance) for it in row] for row in index.search(vectors, Examples(**options))
    ]


def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    index = write(tmp_path / "i.npz")
    assert index.origin == ORIGIN
    assert len(index) == 500
    assert [index.id_at(i) for i in (0, 1, 9, 10, 499)] == ["é0", "é1", "é9", "é10", "é499"]
    np.testing.assert_array_equal(index.vectors, VECTORS)
    assert isinstance(index.vectors, np.memmap)
    (row,) = found(index, VECTORS[[17]], neighbor_count=3)
    every = ((VECTORS[17].astype(float) - VECTORS) ** 2).sum(axis=1)
    nearest = np.argsort(every, kind="stable")[:3]
    assert [name for name, _ in row] == [f"é{i}" for i in nearest]
    np.testing.assert_allclose([d for _, d in row], every[nearest], rtol=1e-12)


def test_it_is_an_archive_that_numpy_opens(tmp_path: Path) -> None:
    write(tmp_path / "i.npz")
    with np.load(tmp_path / "i.npz") as archive:
        np.testing.assert_array_equal(archive["vectors"], VECTORS)
        names = archive["ids"].tobytes().decode()
    assert names == "".join(f"é{i}" for i in range(500))
    with zipfile.ZipFile(tmp_path / "i.npz") as archive:
        assert json.loads(archive.read("index.json"))["examples"] == 500
        assert archive.testzip() is None


@pytest.mark.parametrize("query", Query)
def test_the_same_examples_make_the_same_file_however_they_come(
    tmp_path: Path, query: Query
) -> None:
    for name, blocks in (("a", 1), ("b", 7), ("c", 7)):
        write(tmp_path / name, query=query, blocks=blocks)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert (tmp_path / "a").read_bytes()[:2000] == (tmp_path / "b").read_bytes()[:2000]
    a, b = (open_index(tmp_path / name) for name in "ab")
    assert found(a, VECTORS[:5]) == found(b, VECTORS[:5])


@pytest.mark.parametrize("normalization", Normalization)
def test_a_query_is_normalized_as_the_examples_were(
    tmp_path: Path, normalization: Normalization
) -> None:
    index = write(tmp_path / "i.npz", normalization=normalization)
    plain = VECTORS.astype(np.float64)
    scaled = {
        Normalization.NONE: plain,
        Normalization.UNIT_L2_NORM: plain / np.sqrt((plain**2).sum(axis=1, keepdims=True)),
        Normalization.STANDARD: (plain - plain.mean(axis=0)) / plain.std(axis=0),
    }[normalization]
    every = ((scaled[33] - scaled) ** 2).sum(axis=1)
    (row,) = found(index, VECTORS[[33]], neighbor_count=20)
    assert [name for name, _ in row] == [f"é{i}" for i in np.argsort(every)[:20]]
    np.testing.assert_allclose([d for _, d in row], np.sort(every)[:20], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("distance", [d for d in Distance if d is not Distance.L1])
def test_a_fast_search_finds_nearly_all_and_measures_them_exactly(
    tmp_path: Path, distance: Distance
) -> None:
    index = write(tmp_path / "i.npz", distance=distance, query=Query.FAST)
    exact = found(index, VECTORS[:100], query=Query.PRECISE)
    fast = found(index, VECTORS[:100])
    pairs = list(zip(exact, fast, strict=True))
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]) > 0.99
    assert all(row == sorted(row, key=lambda it: it[1]) for row in fast)


def test_as_many_candidates_as_examples_make_a_fast_search_exact(tmp_path: Path) -> None:
    index = write(tmp_path / "i.npz", query=Query.FAST)
    exact = found(index, VECTORS[:20] + 0.1, query=Query.PRECISE)
    assert found(index, VECTORS[:20] + 0.1, candidates=500) == exact


def test_more_neighbours_than_examples_are_all_of_them(tmp_path: Path) -> None:
    index = write(tmp_path / "i.npz", VECTORS[:4], query=Query.FAST)
    for query in Query:
        assert [len(row) for row in found(index, VECTORS[:2], query=query)] == [4, 4]


def test_a_precise_index_has_no_graph(tmp_path: Path) -> None:
    index = write(tmp_path / "i.npz")
    with pytest.raises(SpecError, match=r"i\.npz: was made for precise searches; make it again"):
        found(index, VECTORS[:1], query=Query.FAST)


def test_without_usearch_it_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usearch", None)
    with pytest.raises(DependencyError, match=r"pip install 'pellucid\[neighbors\]'"):
        write(tmp_path / "i.npz", query=Query.FAST)
    assert os.listdir(tmp_path) == []
    assert len(write(tmp_path / "i.npz")) == 500


def test_a_fast_search_by_l1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no fast search by the L1 distance"):
        write(tmp_path / "i.npz", distance=Distance.L1, query=Query.FAST)
    assert os.listdir(tmp_path) == []


def test_at_most_so_many_of_a_crowding_tag(tmp_path: Path) -> None:
    """Brute force: walk the whole ranking and take what the tags still let in."""
    extras = [{"crowding_tag": "abc"[i % 3]} if i % 4 else {} for i in range(500)]
    for query in Query:
        index = write(tmp_path / "i.npz", extras=extras, query=query)
        (ranking,) = found(index, VECTORS[[5]], neighbor_count=500, candidates=500)
        taken: dict[str, int] = {}
        expected = []
        for name, distance in ranking:
            tag = extras[int(name[1:])].get("crowding_tag")
            if tag is not None:
                taken[tag] = taken.get(tag, 0) + 1
            if tag is None or taken[tag] <= 2:
                expected.append((name, distance))
        (row,) = found(index, VECTORS[[5]], neighbor_count=40, crowding_count=2, candidates=500)
        assert row == expected[:40]
        (row,) = found(index, VECTORS[[5]], neighbor_count=499, crowding_count=1)
        assert len(row) == 125 + 3


@pytest.mark.parametrize("query", Query)
def test_only_what_the_restrictions_let_through(tmp_path: Path, query: Query) -> None:
    def restricts(i: int) -> list[dict[str, Any]]:
        color = {"namespace": "color", "allow": [["red", "blue", "green"][i % 3]]}
        return [color, {"namespace": "shop", "allow": ["all"], "deny": ["x"] if i % 5 == 0 else []}]

    extras = [{"restricts": restricts(i)} for i in range(500)]
    index = write(tmp_path / "i.npz", extras=extras, query=query)

    def places(*restrictions: Restriction) -> set[int]:
        (row,) = found(index, VECTORS[[0]], neighbor_count=500, restrictions=restrictions)
        return {int(name[1:]) for name, _ in row}

    red, blue = (frozenset([word]) for word in ("red", "blue"))
    whole = range(500)
    assert places(Restriction(namespace="color", allow=red)) == set(whole[::3])
    assert places(Restriction(namespace="color", allow=red | blue, deny=blue)) == set(whole[::3])
    assert places(Restriction(namespace="color", deny=red)) == {i for i in whole if i % 3}
    assert places(
        Restriction(namespace="color", allow=red),
        Restriction(namespace="shop", allow=frozenset(["all", "x"])),
    ) == {i for i in whole if i % 3 == 0 and i % 5}
    assert places(Restriction(namespace="size", allow=red)) == set()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"files": "x"}, "with another model: its graph, its variables or its assets"),
        ({"signature": "s"}, "with the signature 'serving_default', and this is 's'"),
        ({"latent": "t:0"}, "of the tensor 'dense:0', and the latent space is 't:0'"),
        ({"domains": {"x": [-1, 1]}}, r"with the domain \[0, 1\] of input 'x', which is \[-1, 1\]"),
        ({"domains": {}}, r"with the domain \[0, 1\] of input 'x', which is None now"),
    ],
)
def test_the_difference_of_two_origins_is_a_reason(change: dict[str, Any], sentence: str) -> None:
    assert ORIGIN.difference(replace(ORIGIN)) is None
    reason = ORIGIN.difference(replace(ORIGIN, **change))
    assert reason is not None
    with pytest.raises(SpecError, match=sentence):
        raise SpecError(reason)


def add(path: Path, *blocks: tuple[list[str], Array]) -> None:
    origin = ORIGIN, Distance.SQUARED_L2, Normalization.NONE, Query.PRECISE
    with IndexWriter(path, *origin) as writer:
        for ids, vectors in blocks:
            writer.add(ids, vectors, [{}] * len(ids))


def test_an_id_is_that_of_one_example(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="the id 'a' is that of two examples"):
        add(tmp_path / "i.npz", (["a"], VECTORS[:1]), (["b", "a"], VECTORS[:2]))
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="there are no examples"):
        write(tmp_path / "i.npz", VECTORS[:0], blocks=1)
    with pytest.raises(ModelError, match="'dense:0' has 3 elements for the example 'b' and 8"):
        add(tmp_path / "i.npz", (["a"], VECTORS[:1]), (["b"], VECTORS[:1, :3]))
    assert os.listdir(tmp_path) == []
    with pytest.raises(OutputError, match=r"missing/i\.npz: cannot be written"):
        write(tmp_path / "missing/i.npz")


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.npz: there is no index; make one with pellucid"):
        open_index(tmp_path / "none.npz")
    (tmp_path / "text").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    data = write(tmp_path / "i.npz").path.read_bytes()
    (tmp_path / "half").write_bytes(data[: len(data) // 2])
    for name in ("text", "other.npz", "half", "."):
        with pytest.raises(SpecError, match="is not an index of examples"):
            open_index(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "later.npz", "w") as archive:
        archive.writestr("index.json", '{"format": 2}')
    with pytest.raises(SpecError, match="is an index of format 2, this version reads 1"):
        open_index(tmp_path / "later.npz")


def test_vectors_of_another_size_are_refused(tmp_path: Path) -> None:
    index = write(tmp_path / "i.npz")
    with pytest.raises(SpecError, match="its vectors have 8 elements, and those of the instances"):
        found(index, VECTORS[:1, :5])


def searched(path: Path) -> None:
    """Open an index and search it; only errors of ours may come of it."""
    with suppress(SpecError):
        index = open_index(path)
        index.search(VECTORS[:2], Examples(neighbor_count=3, crowding_count=1))
        restricted = Restriction(namespace="n", allow=frozenset("a"))
        index.search(VECTORS[:2], Examples(neighbor_count=3, restrictions=(restricted,)))
        index.origin.difference(ORIGIN)


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, bytes]:
    """What is in an index, by name."""
    extras = [{"restricts": [{"namespace": "n", "allow": ["a"]}], "crowding_tag": "t"}] * 5
    write(tmp_path / "whole.npz", VECTORS[:5], extras=extras)
    with zipfile.ZipFile(tmp_path / "whole.npz") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def put_together(path: Path, parts: dict[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def test_whatever_stands_in_an_index_is_an_error_of_the_file(
    parts: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "changed.npz"
    searched(put_together(path, parts))
    for header in tampered(json.loads(parts["index.json"])):
        searched(put_together(path, {**parts, "index.json": json.dumps(header).encode()}))
    for name in parts:
        for other in ARRAYS:
            out = io.BytesIO()
            np.save(out, other)
            searched(put_together(path, {**parts, name: out.getvalue()}))
        for data in (b"", DEEP.encode(), parts[name][:-1], parts[name][:70]):
            searched(put_together(path, {**parts, name: data}))
        searched(put_together(path, {key: it for key, it in parts.items() if key != name}))
    with pytest.raises(SpecError):
        open_index(put_together(path, parts, compression=zipfile.ZIP_DEFLATED))


def test_ids_and_tags_of_an_index_are_within_it(parts: dict[str, bytes], tmp_path: Path) -> None:
    for name, array in (
        ("tags", np.full((5, 2), 7, np.int32)),
        ("tags", np.full((5, 2), -1, np.int32)),
        ("id_ends", np.array([3, 2, 1, 0, 15])),
        ("id_ends", np.array([3, 6, 9, 12, 2**40])),
    ):
        out = io.BytesIO()
        np.save(out, array)
        with pytest.raises(SpecError, match="is not an index of examples"):
            open_index(put_together(tmp_path / "it.npz", {**parts, f"{name}.npy": out.getvalue()}))
