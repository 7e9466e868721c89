"""Rows written as a grid are plain JSON, and are read as whatever reads JSON reads them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pellucid.inputs import InputInfo
from pellucid.inputs.grids import WORD, GridReader, GridWriter, Layout

HEAD = b'{"instances":['.ljust(2 * WORD)


def placed(body: bytes) -> memoryview:
    """Return bytes as a server has them: where words begin."""
    room = np.empty(len(body) + 64, np.uint8)
    first = -room.ctypes.data % 64
    room[first : first + len(body)] = np.frombuffer(body, np.uint8)
    return room.data[first : first + len(body)]


def reader(shape: tuple[int, ...], dtype: str = "float32") -> GridReader:
    return GridReader([InputInfo(name="x", dtype=dtype, shape=(None, *shape))])


def mixed(pictures: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rows that are one of two pictures cell by cell."""
    generator = np.random.default_rng(seed)
    which = generator.integers(0, 2, (count, *pictures.shape[1:-1], 1)).astype(bool)
    return np.where(which, pictures[0], pictures[1])


def numbers(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind != "f":
        info = np.iinfo(dtype)
        return generator.integers(info.min, info.max, (2, *shape), dtype, endpoint=True)
    found = generator.normal(size=(2, *shape)).astype(dtype)
    found.ravel()[:4] = [0, -1e-30, 3e38 if dtype == "float32" else 1e300, 0.1]
    return found


@pytest.mark.parametrize(
    "shape, dtype",
    [
        *(((60, 50, 3), dtype) for dtype in ("float32", "float64", "uint8", "int64", "uint64")),
        *((shape, "float32") for shape in ((3, 60, 50), (100, 100), (9000,), (50, 60, 4, 1))),
        ((9000,), "int64"),
    ],
)
def test_what_is_written_is_read_by_us_and_by_all_others(
    shape: tuple[int, ...], dtype: str
) -> None:
    writer, reading = GridWriter(shape, np.dtype(dtype)), reader(shape, dtype)
    for seed in range(3):
        rows = mixed(numbers(shape, dtype, seed), 4, seed)
        for some in (rows[:1], rows[1:], rows):
            body = HEAD + bytes(writer.write(some)) + b'], "a": 1}'
            theirs = np.array(json.loads(body)["instances"], dtype)
            np.testing.assert_array_equal(theirs, some)
            found = reading.read(placed(body))
            assert found is not None
            assert json.loads(found[0]) == {"instances": [], "a": 1}
            np.testing.assert_array_equal(found[1]["x"], some)
            assert found[1]["x"].dtype == np.dtype(dtype)
            assert len(body) - len(HEAD) - 10 == len(some) * writer.row_bytes - WORD


def test_numbers_that_are_no_json_are_not_written() -> None:
    rows = np.ones((1, 100, 100), np.float32)
    writer = GridWriter((100, 100), rows.dtype)
    writer.write(rows)
    rows[0, 50, 50] = np.nan
    with pytest.raises(ValueError, match="no JSON"):
        writer.write(rows)


def strictly(body: bytes) -> Any:
    try:
        found = json.loads(body)["instances"]
        rows = np.array(found, np.float64)
    except (ValueError, KeyError, TypeError):
        return None
    return rows if rows.shape[1:] == (90, 32, 3) and rows.dtype == np.float64 else None


@pytest.mark.parametrize("warm", [False, True])
def test_a_grid_with_something_wrong_is_no_grid(warm: bool) -> None:
    shape = (90, 32, 3)
    writer, reading = GridWriter(shape, np.dtype(np.float32)), reader(shape)
    rows = mixed(numbers(shape, "float32", 0).clip(-9, 9), 2, 0)
    good = HEAD + bytes(writer.write(rows)) + b"]}"
    generator = np.random.default_rng(1)
    marks = b'[],. 0123456789-+eE\t"x{}:n'
    read = 0
    for _ in range(400):
        body = bytearray(good)
        start = int(generator.integers(len(HEAD) - 4, len(good) - 40))
        for _ in range(int(generator.integers(1, 4))):
            place = start + int(generator.integers(0, 40))
            body[place] = marks[int(generator.integers(len(marks)))]
        if warm:
            assert reading.read(placed(good)) is not None
        found = (reading if warm else reader(shape)).read(placed(bytes(body)))
        if found is not None:
            read += 1
            wanted = strictly(bytes(body))
            assert wanted is not None
            np.testing.assert_array_equal(found[1]["x"], wanted.astype(np.float32))
    assert read


@pytest.mark.parametrize(
    ("cell", "other"),
    [
        (b"[1,2,]3", b"[4,5,6]"),
        (b"1[,2,3]", b"[4,5,6]"),
        (b"[1,2,3],[", b"4,5,6]"),
        (b"[1 2,3,4]", b"[4,5,6]"),
        (b"[1,2],[3]", b"[4,5,6]"),
        (b"[[1,2,3]]", b"[4,5,6]"),
        (b'["1",2,3]', b"[4,5,6]"),
        (b"[1,2,NaN]", b"[4,5,6]"),
        (b"[1,2,01]", b"[4,5,6]"),
        (b"[1,2,1e999]", b"[4,5,6]"),
    ],
)
def test_what_only_looks_like_cells_is_left_to_the_strict_reader(cell: bytes, other: bytes) -> None:
    count = 3000
    cells = [b"[0,0,0],"] * count
    cells[0], cells[1500], cells[1501] = b"[[0,0,0],", cell + b",", other + b","
    cells[-1] = b"[0,0,0]]"
    body = HEAD + b"".join(it.ljust(16) for it in cells) + b"]}"
    assert reader((count, 3)).read(placed(body)) is None
    body = body.replace(cells[1500].ljust(16) + cells[1501].ljust(16), b"[1,2,3],        " * 2)
    found = reader((count, 3)).read(placed(body))
    assert found is not None
    np.testing.assert_array_equal(found[1]["x"][0, 1499:1503, 1], [0, 2, 2, 0])


def test_rows_of_another_shape_and_small_ones_are_no_grid() -> None:
    rows = np.ones((2, 100, 100), np.float32)
    body = HEAD + bytes(GridWriter((100, 100), rows.dtype).write(rows)) + b"]}"
    for shape in ((50, 200), (100, 101), (20000,)):
        assert reader(shape).read(placed(body)) is None
    assert not Layout.takes((10, 10, 3))
    assert not Layout.takes((None, 100, 100))
    compact = json.dumps({"instances": rows.tolist()}).encode()
    assert reader((100, 100)).read(placed(compact)) is None
