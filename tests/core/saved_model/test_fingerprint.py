"""A fingerprint follows what decides a model's answers, and nothing else."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import ModelError
from pellucid.saved_model.fingerprint import fingerprint, stamp
from places import SAMPLES

MODEL = SAMPLES / "code_or_prose/model"


def test_a_copy_is_the_same_model(tmp_path: Path) -> None:
    copy = shutil.copytree(MODEL, tmp_path / "copy")
    (copy / "examples.npz").write_text("made later")
    (copy / "explanation_metadata.json").write_text("{}")
    assert fingerprint(copy) == fingerprint(MODEL)
    assert len(fingerprint(copy)) == 64


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_another_byte_is_another_model(part: str, tmp_path: Path) -> None:
    copy = shutil.copytree(MODEL, tmp_path / "copy")
    data = bytearray((copy / part).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / part).write_bytes(data)
    assert fingerprint(copy) != fingerprint(MODEL)


def test_another_file_of_words_is_another_model(tmp_path: Path) -> None:
    copy = shutil.copytree(MODEL, tmp_path / "copy")
    (copy / "assets").mkdir(exist_ok=True)
    (copy / "assets/words.txt").write_text("a\nb\n")
    assert fingerprint(copy) != fingerprint(MODEL)


def test_the_index_of_a_checkpoint_tells_one_value_from_another(tmp_path: Path) -> None:
    """What the fingerprint relies on: the checkpoint's index has a checksum of every variable."""
    from pellucid.runtime.engine.tensorflow import tf

    found = []
    for value in (1.0, 1.0, np.nextafter(np.float32(1.0), np.float32(2.0))):
        module = tf.Module()
        module.v = tf.Variable(np.full(1000, value, np.float32))
        module.serve = tf.function(lambda: 0.0, input_signature=[])
        directory = tmp_path / str(len(found))
        tf.train.Checkpoint(module).write(str(directory / "variables/variables"))
        (directory / "saved_model.pb").write_bytes(b"the same graph")
        found.append(fingerprint(directory))
    assert found[0] == found[1] != found[2]


def test_a_checkpoint_without_an_index_is_read_as_a_whole(tmp_path: Path) -> None:
    found = []
    for data in (b"a", b"b"):
        directory = tmp_path / data.decode()
        (directory / "variables").mkdir(parents=True)
        (directory / "saved_model.pb").write_bytes(b"graph")
        (directory / "variables/variables").write_bytes(data)
        found.append(fingerprint(directory))
    assert found[0] != found[1]


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no saved_model\.pb"):
        fingerprint(tmp_path)


def test_the_fingerprint_is_the_one_that_older_indexes_hold() -> None:
    """SHA-256 of "NAME SIZE" and a newline, then the bytes, file by file: what they were made by."""
    assert fingerprint(MODEL) == older_fingerprint(MODEL)


def older_fingerprint(directory: Path) -> str:
    digest = hashlib.sha256()
    names = ["saved_model.pb", "variables/variables.index"]
    names += sorted(it.relative_to(directory).as_posix() for it in directory.glob("assets/*"))
    for name in names:
        data = (directory / name).read_bytes()
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def test_a_stamp_tells_that_any_file_of_the_model_was_written(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SAMPLES / "wine/model", tmp_path / "copy"))
    (copy / "assets/words").mkdir(parents=True)
    (copy / "assets/words/classes.txt").write_text("a\nb\n")
    files = ["saved_model.pb", "explanation_metadata.json", "assets/words/classes.txt"]
    files += [it.relative_to(copy).as_posix() for it in copy.glob("variables/*")]
    seen = {stamp(copy, "explanation_metadata.json")}
    for name in files:
        (copy / name).write_bytes((copy / name).read_bytes() + b" ")
        seen.add(stamp(copy, "explanation_metadata.json"))
    assert len(files) == 5 and len(seen) == 6
    (copy / "examples.npz").write_text("made later")
    assert stamp(copy, "explanation_metadata.json") in seen


def test_a_directory_without_a_model_has_an_empty_stamp(tmp_path: Path) -> None:
    assert stamp(tmp_path) == stamp(tmp_path / "nowhere") == ()
