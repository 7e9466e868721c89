"""Files as programs write them: compressed, lists of records, numpy's arrays, pictures in JSON."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.batch.items import decode, items_of
from pellucid.errors import InstanceError
from pellucid.inputs import InputInfo, read_file, read_image, read_request
from pellucid.inputs.found import Input

VECTOR = (InputInfo(name="x", dtype="float32", shape=(None, 3)),)
PAIR = (
    InputInfo(name="a", dtype="float32", shape=(None,)),
    InputInfo(name="b", dtype="float32", shape=(None, 2)),
)
PICTURE = (InputInfo(name="image", dtype="float32", shape=(None, 8, 8, 3)),)
ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def png(size: int = 20) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def arrays(path: Path, inputs: Any) -> list[dict[str, Any]]:
    return [instance.tensors for instance in read_file(path, inputs)]


def in_batch(path: Path, inputs: Any) -> list[dict[str, Any]]:
    items = items_of(Input(path=str(path)), str(path.parent), inputs)
    found = [*decode([*items], inputs)]
    for it in found:
        if isinstance(it, InstanceError):
            raise it
    return [it.tensors for it in found]


@pytest.mark.parametrize("read", [arrays, in_batch])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv.gz", "p,q,r\n" + "\n".join(",".join(map(str, row)) for row in ROWS)),
        ("rows.jsonl.gz", "\n".join(json.dumps(row.tolist()) for row in ROWS)),
        ("rows.json.gz", json.dumps({"instances": ROWS.tolist()})),
        ("ROWS.CSV.GZ", "p,q,r\n" + "\n".join(",".join(map(str, row)) for row in ROWS)),
    ],
)
def test_compressed_text_is_read_as_the_text(
    name: str, text: str, read: Any, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    found = read(tmp_path / name, VECTOR)
    assert np.array_equal([it["x"] for it in found], ROWS)


@pytest.mark.parametrize("read", [arrays, in_batch])
@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("a.csv.gz", lambda data: data[:-20], "a.csv.gz: is cut off: the gzip file has no end"),
        ("a.json.gz", lambda data: data[:-20], "a.json.gz: is cut off: the gzip file has no end"),
        ("a.csv.gz", lambda data: b"p,q,r\n1,2,3\n", "a.csv.gz: is not a gzip file, or damaged"),
    ],
)
def test_a_damaged_gzip_file_is_said_to_be_one(
    name: str, spoil: Any, sentence: str, read: Any, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).random((400, 3))  # which does not compress to nothing
    text = "p,q,r\n" + "\n".join(",".join(map(str, row)) for row in noise)
    (tmp_path / name).write_bytes(spoil(gzip.compress(text.encode())))
    with pytest.raises(InstanceError) as error:
        read(tmp_path / name, VECTOR)
    assert sentence in str(error.value)


@pytest.mark.parametrize("read", [arrays, in_batch])
def test_a_list_of_records_is_a_request(read: Any, tmp_path: Path) -> None:
    records = [{"a": 1.5, "b": [2.0, 3.0]}, {"b": [4.0, 5.0], "a": 6.0}]
    (tmp_path / "records.json").write_text(json.dumps(records, indent=2))
    found = read(tmp_path / "records.json", PAIR)
    assert [float(it["a"]) for it in found] == [1.5, 6.0]
    assert [it["b"].tolist() for it in found] == [[2.0, 3.0], [4.0, 5.0]]


@pytest.mark.parametrize("read", [arrays, in_batch])
def test_arrays_are_read_row_by_row(read: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS.astype(np.float64))
    assert np.array_equal([it["x"] for it in read(tmp_path / "x.npy", VECTOR)], ROWS)
    np.save(tmp_path / "one.npy", ROWS[0])
    assert [it["x"].tolist() for it in read(tmp_path / "one.npy", VECTOR)] == [[0, 1, 2]]
    np.savez(tmp_path / "pair.npz", a=ROWS[:, 0], b=ROWS[:, 1:])
    found = read(tmp_path / "pair.npz", PAIR)
    assert [float(it["a"]) for it in found] == ROWS[:, 0].tolist()
    assert np.array_equal([it["b"] for it in found], ROWS[:, 1:])
    np.savez(tmp_path / "alone.npz", ROWS)
    assert np.array_equal([it["x"] for it in read(tmp_path / "alone.npz", VECTOR)], ROWS)


def save(path: Path, **named: Any) -> None:
    np.savez(path, **named)


@pytest.mark.parametrize(
    ("write", "name", "sentence"),
    [
        (
            lambda p: np.save(p, ROWS),
            "x.npy",
            "holds one array, and the model has the inputs 'a', 'b'",
        ),
        (lambda p: save(p, a=ROWS[:, 0]), "x.npz", "missing array 'b'"),
        (lambda p: save(p, a=ROWS[:, 0], c=ROWS), "x.npz", "unknown array 'c'"),
        (lambda p: save(p, a=ROWS[:2, 0], b=ROWS[:, 1:]), "x.npz", "as many rows in each array"),
        (lambda p: save(p, **{"pellucid.json": ROWS}), "x.npz", "pellucid visualize"),
        (
            lambda p: np.save(p, np.array([{}], object), allow_pickle=True),
            "x.npy",
            "Python objects",
        ),
        (lambda p: p.write_bytes(b"PK\x03\x04 not a zip"), "x.npz", "cannot be read"),
        (lambda p: p.write_bytes(b""), "x.npy", "cannot be read"),
    ],
)
def test_other_arrays_are_refused(write: Any, name: str, sentence: str, tmp_path: Path) -> None:
    write(tmp_path / name)
    with pytest.raises(InstanceError) as error:
        arrays(tmp_path / name, PAIR)
    assert str(error.value).startswith(str(tmp_path / name)) and sentence in str(error.value)


@pytest.mark.parametrize("named", [False, True])
def test_an_encoded_picture_for_numbers_is_what_its_file_would_be(named: bool) -> None:
    value = {"b64": base64.b64encode(png()).decode()}
    request = {"instances": [{"image": value} if named else value]}
    (found,) = read_request(request, PICTURE).instances
    expected = read_image(png(), PICTURE)
    assert np.array_equal(found.tensors["image"], expected.tensors["image"])
    assert found.image is not None and found.image.size == (20, 20)
    assert found.encoded == png()


@pytest.mark.parametrize(
    ("spelled", "sentence"),
    [
        ("data:image/png;base64,iVBORw0KGgo=", "is a data: URL; leave out what stands before"),
        ("b'iVBORw0KGgo='", "Python's way of showing bytes"),
        ("iVBORw0KGgo=", "not a picture"),
        (base64.b64encode(png()[:200]).decode(), "the picture is damaged"),
        ("aGVsbG8=", "not a picture"),
    ],
)
def test_what_is_wrong_with_an_encoded_picture_is_said(spelled: str, sentence: str) -> None:
    with pytest.raises(InstanceError) as error:
        read_request({"instances": [{"image": {"b64": spelled}}]}, PICTURE)
    assert str(error.value).startswith("instances[0].image: ") and sentence in str(error.value)


def test_a_file_of_several_frames_says_which_was_taken(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), tone) for tone in (10, 200)]
    for name in ("a.gif", "a.tiff", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        notes = read_image(tmp_path / name, PICTURE).notes
        assert [it.what for it in notes] == ["the file holds several frames; the first was taken"]
        frames[0].save(tmp_path / f"one{name}")
        assert read_image(tmp_path / f"one{name}", PICTURE).notes == ()
