"""What `read` says of whole, damaged and missing models, always without TensorFlow."""

from __future__ import annotations

import contextlib
import gzip
import random
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from google.protobuf import text_format

from counting import calls_of
from pellucid.errors import ModelError
from pellucid.saved_model import reader
from pellucid.saved_model.nodes import node_name
from pellucid.saved_model.protobuf import messages
from pellucid.saved_model.reader import TensorInfo, read
from places import ROOT

DIGITS = ROOT / "sample_models" / "digits" / "model"
STRANGERS = ROOT.parent / "shared" / "models"

needs_strangers = pytest.mark.skipif(not STRANGERS.is_dir(), reason="no models of strangers here")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A copy of a model that a test may damage."""
    return Path(shutil.copytree(DIGITS, tmp_path / "model"))


def refusal(directory: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read(directory)
    return str(caught.value)


def test_signatures_are_sorted_and_typed() -> None:
    graph = read(DIGITS).meta_graph()
    assert graph.tags == ("serve",)
    assert list(graph.signatures) == ["serve", "serving_default"]
    signature = graph.signatures["serving_default"]
    assert signature.inputs == {
        "image": TensorInfo(name="serving_default_image:0", dtype="float32", shape=(None, 28, 28))
    }
    assert [info.dtype for info in signature.outputs.values()] == ["float32"]
    assert graph.has_variables


def test_nodes_and_functions_are_made_when_asked_for() -> None:
    graph = read(DIGITS).meta_graph()
    call = node_name(graph.signatures["serving_default"].outputs["output_0"].name)
    node = graph.nodes[call]
    assert node.op == "StatefulPartitionedCall"
    assert node.call in graph.functions
    assert node.dtypes == ("float32",)
    assert node.shapes == ((None, 10),)
    assert node.output_count == 1
    function = graph.functions[str(node.call)]
    assert function.arguments[0] == "image"
    assert function.argument("image") == TensorInfo(
        name="image:0", dtype="float32", shape=(None, 28, 28)
    )
    assert set(function.returns.values()) == {"Identity:output:0"}
    assert function.nodes.op("Identity") == "Identity"
    with pytest.raises(KeyError):
        function.nodes["no such node"]


@pytest.mark.parametrize("path", sorted((ROOT / "sample_models").glob("*/model")), ids=str)
def test_every_sample_model_is_read(path: Path) -> None:
    graph = read(path).meta_graph()
    assert graph.signatures
    for function in graph.functions.values():
        assert all(function.nodes[name].name == name for name in function.nodes)


@needs_strangers
@pytest.mark.parametrize(
    ("name", "version", "keys"),
    [
        ("babyweight_bucketized", "2.1.3", ["serving_default"]),
        ("dotnet_cifar", "1.10.0", ["serving_default"]),
        ("heating_cooling_2out", "2.9.2", ["serving_default"]),
        ("iris_tf1_estimator", "1.5.0", ["classification", "predict", "serving_default"]),
        ("mlperf_tiny_kws", "2.3.2", ["serving_default"]),
        ("scisharp_mnist_mlp", "2.11.0", ["serving_default"]),
        ("neg_missing_op_forest", "2.16.0", ["serving_default"]),
        ("neg_missing_op_zeroout", "1.5.0", ["serving_default"]),
    ],
)
def test_models_of_strangers_are_read(name: str, version: str, keys: list[str]) -> None:
    graph = read(STRANGERS / name / "model").meta_graph()
    assert graph.tensorflow_version == version
    assert list(graph.signatures) == keys


@needs_strangers
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("neg_empty_pb", "saved_model.pb: is empty (0 bytes); copy or export the model again"),
        (
            "neg_lfs_pointer",
            "saved_model.pb: is a Git LFS pointer, not the model; run `git lfs pull`",
        ),
        (
            "neg_truncated_pb",
            "saved_model.pb: is truncated or damaged, it cannot be read as a SavedModel; "
            "copy or export the model again",
        ),
        (
            "neg_truncated_vars",
            "variables/variables.data-00000-of-00001: is truncated, 183996 bytes where "
            "variables.index speaks of 367992; copy or export the model again",
        ),
    ],
)
def test_broken_models_of_strangers(name: str, message: str) -> None:
    assert refusal(STRANGERS / name / "model") == f"{STRANGERS / name / 'model'}/{message}"


def test_a_directory_that_does_not_exist(digits: Path) -> None:
    assert refusal(digits.parent / "modle") == (
        f"{digits.parent}/modle: does not exist; did you mean 'model'; "
        "give the directory that holds saved_model.pb"
    )


def test_a_file_instead_of_a_directory(digits: Path) -> None:
    assert refusal(digits / "saved_model.pb") == (
        f"{digits}/saved_model.pb: is a file; give the directory that holds saved_model.pb, "
        "not a file"
    )


def test_a_directory_of_versions_names_the_newest(digits: Path) -> None:
    for version in ("1", "9", "10"):
        shutil.copytree(digits, digits.parent / "served" / version)
    served = digits.parent / "served"
    assert refusal(served) == f"{served}: has no saved_model.pb, but {served}/10 has one; give that"


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"{tmp_path}: has no saved_model.pb or saved_model.pbtxt, so it is not a SavedModel; "
        "export one with model.export(...) or tf.saved_model.save(...)"
    )


def test_missing_variables(digits: Path) -> None:
    shutil.rmtree(digits / "variables")
    assert refusal(digits) == (
        f"{digits}/variables: does not exist, and the graph has variables; copy it beside the model"
    )


def test_missing_index(digits: Path) -> None:
    (digits / "variables" / "variables.index").unlink()
    assert refusal(digits) == (
        f"{digits}/variables/variables.index: does not exist; "
        "a checkpoint is an index and its data files"
    )


def test_missing_shard(digits: Path) -> None:
    (digits / "variables" / "variables.data-00000-of-00001").unlink()
    assert refusal(digits) == (
        f"{digits}/variables/variables.data-00000-of-00001: does not exist; "
        "the weights are in 1 such file(s), copy them all"
    )


def test_missing_shard_by_the_names_when_the_index_is_unreadable(digits: Path) -> None:
    variables = digits / "variables"
    (variables / "variables.index").write_bytes(b"not a table, but not empty" * 4)
    (variables / "variables.data-00000-of-00001").rename(
        variables / "variables.data-00000-of-00002"
    )
    assert refusal(digits) == (
        f"{variables}/variables.data-00001-of-00002: does not exist; "
        "the weights are in 2 such file(s), copy them all"
    )


def test_truncated_by_one_byte(digits: Path) -> None:
    shard = digits / "variables" / "variables.data-00000-of-00001"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    assert refusal(digits) == (
        f"{shard}: is truncated, {len(data) - 1} bytes where variables.index speaks of "
        f"{len(data)}; copy or export the model again"
    )


def test_weights_that_are_a_pointer(digits: Path) -> None:
    shard = digits / "variables" / "variables.data-00000-of-00001"
    shard.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
    assert refusal(digits) == (
        f"{shard}: is a Git LFS pointer, not the weights; run `git lfs pull`"
    )


def test_missing_asset(digits: Path) -> None:
    model = messages()("tensorflow.SavedModel").FromString((digits / "saved_model.pb").read_bytes())
    model.meta_graphs[0].asset_file_def.add().filename = "vocabulary.txt"
    (digits / "saved_model.pb").write_bytes(model.SerializeToString())
    assert refusal(digits) == (
        f"{digits}/assets/vocabulary.txt: does not exist, and the model reads it; "
        "copy the assets directory"
    )
    (digits / "assets").mkdir(exist_ok=True)
    (digits / "assets" / "vocabulary.txt").write_text("a\n")
    read(digits)


def test_a_file_that_may_not_be_read(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(reader, "read_bytes", refuse)
    assert refusal(digits) == f"{digits}/saved_model.pb: cannot be read: Permission denied"


def test_the_text_form_says_the_same(digits: Path) -> None:
    model = messages()("tensorflow.SavedModel").FromString((digits / "saved_model.pb").read_bytes())
    before = read(digits).meta_graph().signatures
    pool = type(model).DESCRIPTOR.file.pool
    (digits / "saved_model.pb").unlink()
    text = text_format.MessageToString(model, descriptor_pool=pool)
    (digits / "saved_model.pbtxt").write_text(text)
    assert read(digits).meta_graph().signatures == before
    (digits / "saved_model.pbtxt").write_text(text[: len(text) // 2])
    assert "saved_model.pbtxt: is truncated or damaged" in refusal(digits)


def test_tag_sets(digits: Path) -> None:
    model = messages()("tensorflow.SavedModel").FromString((digits / "saved_model.pb").read_bytes())
    model.meta_graphs.add().CopyFrom(model.meta_graphs[0])
    model.meta_graphs[1].meta_info_def.tags.append("gpu")
    (digits / "saved_model.pb").write_bytes(model.SerializeToString())
    saved_model = read(digits)
    assert saved_model.meta_graph().tags == ("serve",)
    assert saved_model.meta_graph(["gpu", "serve"]).tags == ("serve", "gpu")
    with pytest.raises(ModelError) as caught:
        saved_model.meta_graph(["tpu"])
    assert str(caught.value) == (
        f"{digits}: has no graph tagged 'tpu'; choose a tag set that exists: 'serve', 'serve,gpu'"
    )


def look_at_every_part(directory: Path) -> None:
    for graph in read(directory).meta_graphs:
        list(graph.signatures.values())
        for nodes in [graph.nodes, *(it.nodes for it in graph.functions.values())]:
            assert all(nodes[name].name == name for name in nodes)
        for function in graph.functions.values():
            assert len(function.returns) <= len(function.message.ret)
            assert all(function.argument(name) for name in function.arguments)


def test_truncated_and_flipped_files_are_refused_or_read(digits: Path) -> None:
    """Whatever the bytes, and for no more work: a `ModelError`, or a model with all its parts."""
    path = digits / "saved_model.pb"
    whole = path.read_bytes()
    chance = random.Random(0)
    most = 2 * calls_of(partial(look_at_every_part, digits))
    for trial in range(150):
        data = bytearray(whole)
        if trial % 3 == 0:
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.randrange(1, 6)):
            if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        with contextlib.suppress(ModelError):
            calls_of(partial(look_at_every_part, digits), most=most)


def test_flipped_indexes_never_crash(digits: Path) -> None:
    path = digits / "variables" / "variables.index"
    whole = path.read_bytes()
    chance = random.Random(1)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            read(digits)
        except ModelError as error:
            assert str(path.parent) in str(error)
            refused += 1
    assert refused  # some flips are in keys and padding, which the sizes do not depend on


def test_alone_it_imports_neither_tensorflow_nor_numpy() -> None:
    read_alone = f"from pellucid.saved_model.reader import read; read({str(DIGITS)!r})"
    ran(f"import sys\n{read_alone}\nassert not {{'tensorflow', 'numpy'}} & set(sys.modules)")


def test_lives_beside_tensorflow_whichever_comes_first() -> None:
    """Two protobuf pools in one process, in both orders."""
    ran(f"""
import sys

def nodes():
    from pellucid.saved_model.reader import read
    return len(read({str(DIGITS)!r}).meta_graph().nodes)

first = nodes()
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
tf.constant(1)
assert nodes() == first > 50
# And as if ours came last.
for name in [name for name in sys.modules if name.startswith("pellucid")]:
    del sys.modules[name]
assert nodes() == first
""")


def ran(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_descriptors_are_those_of_the_installed_tensorflow() -> None:
    """Fields of ours that TensorFlow changed or lost would misread files; new ones do not."""
    pytest.importorskip("tensorflow")
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        from make_descriptors import TARGET, descriptors
    finally:
        sys.path.pop(0)
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    ours = fields(FileDescriptorSet.FromString(gzip.decompress(TARGET.read_bytes())))
    theirs = fields(FileDescriptorSet.FromString(descriptors()))
    assert len(ours) > 250
    assert {name: theirs.get(name) for name in ours} == ours


def fields(files: object) -> dict[str, tuple[int, int, int, str]]:
    """Number, label, type and type name of each field by its full name."""
    found: dict[str, tuple[int, int, int, str]] = {}

    def add(prefix: str, message: object) -> None:
        name = f"{prefix}.{message.name}"  # type: ignore[attr-defined]
        for it in message.field:  # type: ignore[attr-defined]
            found[f"{name}.{it.name}"] = (it.number, it.label, it.type, it.type_name)
        for inner in message.nested_type:  # type: ignore[attr-defined]
            add(name, inner)

    for file in files.file:  # type: ignore[attr-defined]
        for message in file.message_type:
            add(file.package, message)
    return found
