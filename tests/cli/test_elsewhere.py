"""The commands with models, inputs and outputs on a server of S3."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters import local_cluster
from forked import Forks
from pellucid.inputs.found import Inputs
from pellucid.inputs.found.elsewhere import Below
from places import SAMPLES
from run_folders import untimed
from stores import s3_server


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket with the digits, their pictures and a table; its environment is set meanwhile."""
    with pytest.MonkeyPatch.context() as patch, s3_server() as environment:
        for name, value in environment.items():
            patch.setenv(name, value)
        import fsspec

        from pellucid.remote import stores

        patch.setattr(stores, "PAUSES", ())
        stores._store.cache_clear()
        fsspec.filesystem("s3").clear_instance_cache()
        store = fsspec.filesystem("s3", use_listings_cache=False)
        store.mkdir("shelf")
        for path in [*(SAMPLES / "digits").rglob("*")]:
            if path.is_file():
                name = path.relative_to(SAMPLES).as_posix()
                store.pipe_file(f"s3://shelf/{name}", path.read_bytes())
        yield store
        stores._store.cache_clear()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def parsing_model(path: Path) -> None:
    """A model that parses serialized examples of one number."""
    from pellucid.runtime.engine.tensorflow import tf

    def serve(examples: Any) -> Any:
        parsed = tf.io.parse_example(examples, {"age": tf.io.FixedLenFeature([], tf.float32)})
        return {"y": tf.tanh(parsed["age"][:, None] * [[0.5, 0.25]])}

    module = tf.Module()
    module.serve = tf.function(
        serve, input_signature=[tf.TensorSpec([None], tf.string, "examples")]
    )
    tf.saved_model.save(module, str(path), signatures=module.serve)


def records(path: Path) -> None:
    """Five serialized examples for that model."""
    from pellucid.runtime.engine.tensorflow import tf

    with tf.io.TFRecordWriter(str(path)) as file:
        for age in range(5):
            value = tf.train.Feature(float_list=tf.train.FloatList(value=[age]))
            features = tf.train.Features(feature={"age": value})
            file.write(tf.train.Example(features=features).SerializeToString())


def objects(store: Any, below: str) -> dict[str, str]:
    """The objects below an address by their names, timings aside."""
    names = store.find(f"shelf/{below}")
    return untimed({it.partition(f"{below}/")[2]: store.cat_file(it) for it in names})


def test_a_batch_from_a_bucket_to_a_bucket_is_the_same_in_processes_and_on_a_cluster(
    program: Any,
    forks: Forks,
    bucket: Any,
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forks.as_children(monkeypatch)
    command = [
        "batch",
        "s3://shelf/digits/model",
        "s3://shelf/digits/images",
        "--steps",
        4,
        "--force",
    ]
    command += ["--write", "csv", "--truth", "folder", "--block-size", 2]
    # In a process of its own: how many threads an operation has is what its first model says.
    one = forks.start(*command, "-o", "s3://shelf/one")
    assert one.wait() == 0, one.err
    copied, *said = one.err.splitlines()
    assert copied.startswith("s3://shelf/digits/model: copied to ")
    assert "s3://shelf/one: 6 explained, 0 failed" in said
    names = set(objects(bucket, "one"))
    assert {"index.html", "table.csv", "overlays/seven.png.png"} <= names
    assert not [it for it in names if it.startswith(".batch")]
    two = program(*command, "-o", "s3://shelf/two", "-j", 2)
    assert two.code == 0, two.err
    assert "copied" not in two.err
    assert objects(bucket, "two") == objects(bucket, "one")
    with local_cluster(1) as cluster:
        where = ("--scheduler", cluster.scheduler_address)
        three = program(*command, "-o", "s3://shelf/three", *where)
    assert three.code == 0, three.err
    assert objects(bucket, "three") == objects(bucket, "one")
    here = forks.start(*command[:2], samples / "digits/images", *command[3:], "-o", "here")
    assert here.wait() == 0, here.err
    line = bucket.cat_file("s3://shelf/one/explanation.results-00000-of-00001").splitlines()[0]
    local = (tmp_path / "here/explanation.results-00000-of-00001").read_bytes().splitlines()[0]
    found, wanted = json.loads(line), json.loads(local)
    assert found.pop("instance") == "s3://shelf/digits/images/eight.png"
    wanted.pop("instance")
    assert found == wanted


@pytest.mark.parametrize("ahead", [1, 1000])
def test_a_bucket_is_read_in_the_order_of_a_directory_without_what_runs_wrote(
    ahead: int, bucket: Any, tmp_path: Path
) -> None:
    names = [
        "a/1.png",
        "a-b.png",
        "a.png",
        "a b/2.png",
        ".h/3.png",
        "run/a.png",
        "run/summary.json",
    ]
    names += [
        "run/explanation.results-00000-of-00001",
        "run/overlays/1.png",
        "run/.batch/x",
        "z.png",
    ]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
        bucket.pipe_file(f"s3://shelf/tree/{name}", b"1")
    here = Inputs(named=[str(tmp_path / "in")])
    expected = [it.path.removeprefix(f"{tmp_path}/in/") for it in here]
    left_out: list[str] = []
    found = Below("s3://shelf/tree", "", ["s3://shelf/tree"], left_out, ahead)
    assert [it.address.removeprefix("s3://shelf/tree/") for it in found] == expected
    assert expected == ["a/1.png", "a b/2.png", "a-b.png", "a.png", "z.png"]
    assert left_out == ["s3://shelf/tree/run"] and len(here.left_out) == 1


def test_one_input_that_is_gone_costs_one_line(program: Any, bucket: Any, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(
        "s3://shelf/digits/images/two.png\ns3://shelf/digits/none.png\ns3://shelf/digits/images\n"
        "s3://none/x.png\n"
    )
    run = program(
        "batch", "s3://shelf/digits/model", "--files-from", "list", "-o", "out", "--steps", 2
    )
    assert run.code == 1
    lines = (tmp_path / "out/errors.jsonl").read_text().splitlines()
    assert [json.loads(it)["error"] for it in lines] == [
        "s3://shelf/digits/none.png: there is no such object",
        "s3://shelf/digits/images: is a folder, not an object",
        "s3://none/x.png: there is no bucket 'none'",
    ]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("explain", "s3://none/m", "x"), 2, "s3://none/m: there is no bucket 'none'; is it that"),
        (("explain", "s3://shelf/none", "x"), 2, "s3://shelf/none: there is no such folder"),
        (
            ("batch", "MODEL", "s3://shelf/no", "-o", "o"),
            1,
            "s3://shelf/no: there is no such object or f",
        ),
        (("batch", "MODEL", "s3://none/x", "-o", "o"), 1, "s3://none/x: there is no bucket 'none'"),
        (
            ("batch", "MODEL", "s3://shelf/*.tif", "-o", "o"),
            1,
            "s3://shelf/*.tif: matches no object",
        ),
        (("batch", "MODEL", "PICTURE", "-o", "s3://none/o"), 2, "there is no bucket 'none'"),
        (
            ("batch", "MODEL", "PICTURE", "-o", "s3://shelf/digits"),
            2,
            "is not empty; add --force to",
        ),
        (("batch", "MODEL", "PICTURE", "-o", "https://b/o"), 2, "nothing is written to a server"),
        (
            ("explain", "MODEL", "PICTURE", "-o", "s3://shelf/digits/make.py"),
            2,
            "exists; add --force",
        ),
        (
            ("merge", "s3://shelf/one", "-o", "o"),
            2,
            "is not on this machine; copy it here and name",
        ),
        (
            ("index", "MODEL", "PICTURE", "-o", "https://b/i.npz"),
            2,
            "nothing is written to a server",
        ),
        (("index", "MODEL", "PICTURE", "-o", "s3://none/i.npz"), 2, "there is no bucket 'none'"),
        (("index", "https://b/m", "PICTURE"), 2, "https://b/m: a server of the web does not list"),
        (
            ("batch", "MODEL", "s3://No_b!/x", "-o", "o"),
            1,
            "'No_b!' cannot be the name of a bucket",
        ),
        (
            ("explain", "MODEL", "PICTURE", "--baseline", "s3://shelf/b.npy"),
            2,
            "s3://shelf/b.npy: is not on this machine; copy it here and name the copy",
        ),
        (("explain", "MODEL", "PICTURE", "--map", "gs://b"), 2, "'gs://b' is not ADDRESS=DIR"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    command: tuple[str, ...], code: int, said: str, program: Any, bucket: Any, digits: Path,
    seven: Path, tmp_path: Path,
) -> None:  # fmt: skip
    words = {"MODEL": digits, "PICTURE": seven}
    run = program(*(words.get(it, it) for it in command))
    assert run.code == code, run.err
    assert said in run.err
    assert run.err.count("\n") == 1
    assert not [it for it in tmp_path.iterdir() if it.name != "cache"]


def test_single_files_are_read_and_written(program: Any, bucket: Any, digits: Path) -> None:
    picture = "s3://shelf/digits/images/two.png"
    assert program("explain", digits, picture, "--steps", 2, "-o", "s3://shelf/r.json").code == 0
    assert json.loads(bucket.cat_file("s3://shelf/r.json"))["explanations"]
    drawn = program("visualize", digits, picture, "--steps", 2, "-o", "s3://shelf/drawn")
    assert drawn.out == b"s3://shelf/drawn/two.overlay.png\n", drawn.err
    assert bucket.cat_file("s3://shelf/drawn/two.overlay.png").startswith(b"\x89PNG")
    checked = program("validate-metadata", "s3://shelf/digits/model")
    assert checked.code == 0
    assert checked.err.startswith("s3://shelf/digits/model: is checked as its copy, ")
    drafted = program("init-metadata", "s3://shelf/digits/model", "-o", "-")
    assert drafted.code == 0 and json.loads(drafted.out)["inputs"]


def test_a_gallery_is_written_anew_where_the_run_lies(
    program: Any, bucket: Any, digits: Path
) -> None:
    command = ("batch", digits, "s3://shelf/digits/images", "--steps", 2, "--force")
    assert program(*command, "-o", "s3://shelf/run").code == 0
    before = bucket.cat_file("s3://shelf/run/index.html")
    bucket.rm_file("s3://shelf/run/index.html")
    written = program("gallery", "s3://shelf/run")
    assert (written.code, written.out) == (0, b"s3://shelf/run/index.html\n"), written.err
    after = bucket.cat_file("s3://shelf/run/index.html")
    for name in ("two", "three", "five", "seven", "eight", "zero"):
        overlay = f"overlays/{name}.png.png".encode()
        assert overlay in before and overlay in after


def test_a_directory_stands_for_a_bucket(
    program: Any, samples: Path, tmp_path: Path, copy_of: Any
) -> None:
    shutil.copytree(samples / "digits", tmp_path / "old" / "digits")
    mapped = ("--map", f"gs://gone={tmp_path / 'old'}")
    named = ("gs://gone/digits/model", "gs://gone/digits/images/two.png")
    run = program("explain", *named, *mapped, "--steps", 2)
    assert run.code == 0, run.err
    (tmp_path / "list").write_text("gs://gone/digits/images/two.png\n")
    batch = program("batch", named[0], "--files-from", "list", "-o", "o", *mapped, "--steps", 2)
    assert batch.code == 0, batch.err


@pytest.mark.parametrize("name", ["e.csv", "e.parquet", "e.jsonl", "folder", "e.tfrecord"])
def test_an_index_of_a_bucket_in_a_bucket_has_the_bytes_of_one_here(
    name: str, program: Any, bucket: Any, samples: Path, tmp_path: Path
) -> None:
    model = samples / "wine" / "model"
    rows = (samples / "wine/examples.csv").read_text().splitlines()[:8]
    if name == "e.tfrecord":
        model = tmp_path / "parses"
        parsing_model(model)
        records(tmp_path / name)
    elif name == "e.parquet":
        import pandas as pd

        pd.read_csv(io.StringIO("\n".join(rows))).to_parquet(tmp_path / name)
    elif name == "e.jsonl":
        named = csv.DictReader(rows)
        lines = [{k: v if k == "id" else float(v) for k, v in row.items()} for row in named]
        (tmp_path / name).write_text("".join(json.dumps(it) + "\n" for it in lines))
    else:
        path = tmp_path / (name if name == "e.csv" else "folder/a/one.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(rows))
        if name == "folder":
            more = tmp_path / "folder/two.csv"
            more.write_text("\n".join([rows[0], *(f"more{it}" for it in rows[1:])]))
    for path in [tmp_path / name, *(tmp_path / name).rglob("*")]:
        if path.is_file():
            bucket.put_file(str(path), f"s3://shelf/{name}/{path.relative_to(tmp_path)}")
    far = f"s3://shelf/{name}/{name}"
    there = f"s3://shelf/{name}.npz"
    run = program("index", model, far, "-o", there)
    assert run.code == 0, run.err
    assert f"{there}: " in run.err
    near = program("index", model, tmp_path / name, "-o", "near.npz")
    assert near.code == 0, near.err
    assert bucket.cat_file(there) == (tmp_path / "near.npz").read_bytes()
    again = program("index", model, far, "-o", there)
    assert (again.code, "exists" in again.err) == (2, True), again.err


def test_an_index_lies_with_its_model(program: Any, bucket: Any, digits: Path, seven: Path) -> None:
    model, pictures = "s3://shelf/digits/model", "s3://shelf/digits/images"
    made = program("index", model, pictures)
    assert made.code == 0, made.err
    try:
        assert f"{model}/examples.npz: 6 examples" in made.err
        found = program("explain", model, seven, "--method", "examples")
        assert found.code == 0, found.err
        (first, *_) = json.loads(found.out)["explanations"][0]["neighbors"]
        assert first["neighborId"] == "seven.png"
        refused = program("index", model, pictures)
        assert refused.code == 2 and f"{model}/examples.npz: exists" in refused.err
    finally:
        bucket.rm_file(f"{model}/examples.npz")


def test_an_index_is_made_of_examples_in_a_bucket_and_in_its_metadata_only_if_mapped(
    program: Any, bucket: Any, samples: Path, tmp_path: Path, copy_of: Any
) -> None:
    model = copy_of(samples / "digits" / "model")
    (tmp_path / "spec.json").write_text(
        json.dumps({"parameters": {"examples": {"exampleGcsSource": {
            "gcsSource": {"uris": ["gs://gone/images"]}}}}})
    )  # fmt: skip
    run = program("index", model, "s3://shelf/digits/images", "-o", "far.npz")
    assert run.code == 0, run.err
    near = program("index", model, samples / "digits/images", "-o", "near.npz")
    assert near.code == 0, near.err
    assert (tmp_path / "far.npz").read_bytes() == (tmp_path / "near.npz").read_bytes()
    refused = program("index", model, "--spec", "spec.json", "-o", "x.npz")
    assert refused.code == 1
    assert "gs://gone/images: is not on this machine" in refused.err
    mapped = ("--map", f"gs://gone={samples / 'digits'}")
    done = program("index", model, "--spec", "spec.json", "-o", "x.npz", *mapped)
    assert done.code == 0, done.err
    assert "x.npz: 6 examples" in done.err
