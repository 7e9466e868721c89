"""Many models in one call: which are checked, each once, and what is said of those that are not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from places import SAMPLES, SHARED

METADATA = "explanation_metadata.json"


@pytest.fixture
def zoo(tmp_path: Path, digits: Path) -> Path:
    """Models at several depths, one in a hidden folder, one below another model, and a bare file."""
    for place in ("a/1", "a/2", "b", ".venv/c", "a/1/assets/d"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(digits, tmp_path / place, dirs_exist_ok=True)
    (tmp_path / "a" / "2" / METADATA).unlink()
    (tmp_path / "specs").mkdir()
    shutil.copy(digits / METADATA, tmp_path / "specs")
    shutil.copy(digits / METADATA, tmp_path / "specs" / "other.json")
    return tmp_path


def checked(run: Any) -> int:
    assert run.code == 0, run.err
    return int(run.err.splitlines()[-1].split()[0])


def test_a_folder_stands_for_the_models_below_it(program: Any, zoo: Path) -> None:
    assert checked(program("validate-metadata", zoo)) == 4  # a/1 a/2 b specs
    assert checked(program("validate-metadata", zoo / "a")) == 2
    assert checked(program("validate-metadata", zoo / "a" / "1")) == 1
    assert checked(program("validate-metadata", zoo / ".venv")) == 1


def test_every_sample_model_at_once(program: Any) -> None:
    done = program("validate-metadata", "--strict", SAMPLES)
    assert (done.code, done.out) == (0, b"")
    # The network with ImageNet weights is made, not kept, and so may be there or not.
    count = len(list(SAMPLES.glob("*/model/explanation_metadata.json")))
    assert count >= 7
    assert done.err == f"{count} files: 0 errors, 0 warnings\n"


@pytest.mark.skipif(not SHARED.is_dir(), reason="no models of strangers here")
def test_every_model_of_strangers_at_once(program: Any) -> None:
    done = program("validate-metadata", "--format", "json", SHARED / "models")
    assert done.code == 1
    assert done.err.endswith("12 files: 9 errors, 3 warnings\n")
    found = {
        (it["code"], Path(it["file"]).relative_to(SHARED / "models").parts[0])
        for it in json.loads(done.out)
    }
    assert found == {
        ("MD100", "neg_empty_pb"),
        ("MD100", "neg_lfs_pointer"),
        ("MD100", "neg_truncated_pb"),
        ("MD100", "neg_truncated_vars"),
        ("MD103", "neg_missing_op_forest"),
        ("MD103", "neg_missing_op_zeroout"),
        ("MD108", "neg_missing_op_zeroout"),
        ("MD112", "heating_cooling_2out"),
        ("MD123", "neg_missing_op_forest"),
        ("MD123", "neg_missing_op_zeroout"),
    }


def test_a_model_is_checked_once_however_often_it_is_named(program: Any, zoo: Path) -> None:
    one = zoo / "b"
    names = [one, one / METADATA, one / "saved_model.pb", f"{one}/../b", zoo]
    assert checked(program("validate-metadata", *names)) == 4
    link = zoo / "link"
    link.symlink_to(one)
    assert checked(program("validate-metadata", link, one)) == 1
    # Links within a folder are not followed: they may lead round in a circle.
    (zoo / "b" / "loop").symlink_to(zoo)
    assert checked(program("validate-metadata", zoo)) == 4


def test_a_quoted_pattern(program: Any, zoo: Path) -> None:
    assert checked(program("validate-metadata", f"{zoo}/a/*")) == 2
    # Besides the four: specs/other.json, and what lies within the model a/1.
    assert checked(program("validate-metadata", f"{zoo}/**")) == 6
    assert checked(program("validate-metadata", f"{zoo}/**/saved_model.pb")) == 4
    assert checked(program("validate-metadata", f"{zoo}/specs/[op]*.json")) == 1
    odd = zoo / "[x]"
    shutil.copytree(zoo / "b", odd)
    assert checked(program("validate-metadata", odd)) == 1
    done = program("validate-metadata", f"{zoo}/c*")
    assert done.code == 2
    assert done.err.endswith(f"Error: the pattern '{zoo}/c*' matches no model and no metadata\n")


@pytest.mark.parametrize("null", [False, True])
def test_paths_from_a_list(program: Any, zoo: Path, null: bool) -> None:
    names = [zoo / "b", zoo / "specs" / "other.json", zoo / "a"]
    text = ("\0" if null else "\n").join(map(str, names)).encode() + (b"\0" if null else b"\n\n")
    options = ["-0"] if null else []
    done = program("validate-metadata", "--files-from", "-", *options, stdin=text)
    assert checked(done) == 4
    (zoo / "list").write_bytes(text)
    assert checked(program("validate-metadata", "--files-from", zoo / "list", *options)) == 4
    # As with `xargs -r`: a list may be empty, a command line may not.
    assert checked(program("validate-metadata", "--files-from", "-", stdin=b"")) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a model directory, a metadata file, or --files-from"),
        (["nowhere.json"], "path 'nowhere.json' does not exist"),
        (["modle/x"], "path 'modle/x' does not exist"),
        (["modle"], "path 'modle' does not exist; did you mean 'model'?"),
        (
            ["--files-from", "nowhere"],
            "--files-from: nowhere: cannot be read: No such file or directory",
        ),
    ],
)
def test_what_cannot_be_found_is_a_usage_error(
    program: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    done = program("validate-metadata", *arguments)
    assert (done.code, done.out) == (2, b"")
    assert done.err.splitlines()[-1] == f"Error: {sentence}"


def test_a_folder_without_a_model_is_a_finding(program: Any, tmp_path: Path) -> None:
    done = program("validate-metadata", tmp_path)
    assert done.code == 1
    assert done.out.decode() == (
        f"{tmp_path}: error MD100 bad-model: has no saved_model.pb or saved_model.pbtxt, so it is "
        "not a SavedModel; export one with model.export(...) or tf.saved_model.save(...)\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_finding(program: Any, zoo: Path) -> None:
    (zoo / "b" / METADATA).chmod(0)
    done = program("validate-metadata", zoo / "b")
    assert done.code == 1
    assert done.out.decode() == (
        f"{zoo}/b/{METADATA}: error MD005 unreadable-file: cannot be read: Permission denied\n"
    )


def test_metadata_that_are_a_folder_are_a_finding_among_others(program: Any, zoo: Path) -> None:
    (zoo / "b" / METADATA).unlink()
    (zoo / "b" / METADATA).mkdir()
    done = program("validate-metadata", zoo)
    assert done.code == 1
    assert done.out.decode() == (
        f"{zoo}/b/{METADATA}: error MD005 unreadable-file: cannot be read: Is a directory\n"
    )


@pytest.mark.parametrize("scheme", ["gs", "az", "hdfs", "File"])
def test_an_address_is_refused_wherever_a_path_is_taken(
    scheme: str, program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.json").write_text('{"instances": []}')
    (tmp_path / "list").write_text(f"{scheme}://bucket/x\n")
    far, near = f"{scheme}://bucket/x", ("explain", digits, "in.json")
    calls = [
        (*near, "-o", far),
        (*near, "--raw", far),
        ("explain", far, "in.json"),
        ("explain", digits, far),
        *((*near, option, far) for option in ("--metadata", "--spec", "--class-names", "--index")),
        ("visualize", digits, far),
        ("visualize", digits, "in.json", "-o", f"{far}.png"),
        ("batch", digits, "in.json", "-o", far),
        ("batch", digits, far, "-o", "out"),
        ("batch", digits, "--files-from", far, "-o", "out"),
        ("index", digits, far),
        ("serve", f"digits={far}"),
        ("gallery", far),
        ("validate-metadata", far),
        ("validate-metadata", "--files-from", "list"),
        ("init-metadata", digits, "-o", far),
        ("convert-metadata", far),
    ]
    before = sorted(tmp_path.iterdir())
    for call in calls:
        done = program(*call)
        assert (done.code, done.out, done.err.count("\n")) == (2, b"", 1), call
        assert done.err.startswith(f"error: {scheme}://bucket/x"), call
        said = {"gs": "type pip install gcsfs", "az": "type pip install adlfs"}
        said |= {"hdfs": "are not read; those of gs://", "File": "is an address, not a path"}
        assert said[scheme] in done.err or "is not on this machine; " in done.err, call
    assert sorted(tmp_path.iterdir()) == before
