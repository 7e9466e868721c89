"""The rules whose fault no document shows: each is found in files that have it, in these words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rules_of_files import UNWRITTEN

from pellucid.linter.lint_model import lint
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model.op_table import table_version
from places import SAMPLES

v1 = tf.compat.v1
METADATA = "explanation_metadata.json"
FAULTS: dict[str, Callable[[Path], None]] = {}


def fault(code: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Put what writes a faulty model on the list."""

    def keep(builder: Callable[[Path], None]) -> Callable[[Path], None]:
        FAULTS[code] = builder
        return builder

    return keep


def save(directory: Path, function: Callable[..., Any], *, dtype: Any = tf.float32) -> None:
    """A TensorFlow 1 model of `function`, whose operations have the names that it gives them."""
    with v1.Graph().as_default(), v1.Session() as session:
        inputs = {
            name: v1.placeholder(dtype, [None, 4] if dtype == tf.float32 else [None], name)
            for name in function.__code__.co_varnames[: function.__code__.co_argcount]
        }
        outputs = function(**inputs)
        v1.saved_model.simple_save(session, str(directory), inputs, outputs)


def linear(x: Any) -> Any:
    return tf.linalg.matmul(x, np.ones((4, 1), np.float32), name="y")


def edited(directory: Path, edit: Callable[[Any], None]) -> None:
    """Change a model's only graph in its file."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = directory / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    edit(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())


@fault("MD004")
def byte_order_mark(directory: Path) -> None:
    shutil.copytree(SAMPLES / "digits" / "model", directory)
    file = directory / METADATA
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())


@fault("MD005")
def a_folder_for_a_file(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(x)})
    (directory / METADATA).mkdir()


@fault("MD100")
def empty(directory: Path) -> None:
    directory.mkdir()
    (directory / "saved_model.pb").touch()


@fault("MD112")
def two_outputs(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(x), "z": tf.sin(x)})


@fault("MD113")
def other_names(directory: Path) -> None:
    shutil.copytree(SAMPLES / "code_or_prose" / "model", directory)

    def edit(graph: Any) -> None:
        outputs = graph.signature_def["xai_preprocess"].outputs
        outputs["words"].CopyFrom(outputs["tokens"])
        del outputs["tokens"]

    edited(directory, edit)


@fault("MD114")
def half_a_range(directory: Path) -> None:
    def network(image: Any) -> dict[str, Any]:
        return {"y": tf.reduce_mean(tf.multiply(image, 1 / 255, name="scale"), (1, 2))}

    spec = tf.TensorSpec((None, 8, 8, 3), name="image")
    module = tf.Module()
    call = tf.function(network).get_concrete_function(spec)
    tf.saved_model.save(module, str(directory), signatures=call)
    features = {
        "image": {
            "input_tensor_name": "image",
            "modality": "image",
            "domain": {"min": 0, "max": 1},
        }
    }
    document = {"inputs": features, "outputs": {"y": {"output_tensor_name": "y"}}}
    (directory / METADATA).write_text(json.dumps({**document, "framework": "tensorflow"}))


@fault("MD120")
def rounded(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(tf.round(x, name="whole"))})


@fault("MD121")
def signs(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(tf.sign(x, name="sign"))})


@fault("MD122")
def not_read(directory: Path) -> None:
    save(directory, lambda x, z: {"y": linear(x)})


@fault("MD123")
def own_operation(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(tf.sin(x, name="wave"))})

    def edit(graph: Any) -> None:
        (node,) = [it for it in graph.graph_def.node if it.op == "Sin"]
        node.op = "Sine"

    edited(directory, edit)


@fault("MD124")
def from_the_future(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(x)})
    edited(directory, lambda graph: setattr(graph.meta_info_def, "tensorflow_version", "99.1.0"))


@fault("MD125")
def for_the_future(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(x)})
    edited(directory, lambda graph: setattr(graph.graph_def.versions, "min_consumer", 987654))


def length_of_file(x: Any) -> Any:
    text = tf.io.read_file(x[0], name="read")
    return tf.cast(tf.strings.length(text), tf.float32, name="length")


@fault("MD126")
def ragged(directory: Path) -> None:
    module = tf.Module()
    spec = tf.RaggedTensorSpec([None, None], tf.float32)
    module.f = tf.function(lambda r: {"y": tf.reduce_sum(r, 1)}, input_signature=[spec])
    tf.saved_model.save(module, str(directory), signatures=module.f)


@fault("MD130")
def reads_a_path(directory: Path) -> None:
    save(directory, lambda x: {"y": length_of_file(x)}, dtype=tf.string)


@fault("MD131")
def reads_a_path_elsewhere(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(x), "size": length_of_file(tf.as_string(x[0]))})

    def edit(graph: Any) -> None:
        # Only one of the two outputs stays in the signature that is explained.
        signature = graph.signature_def["serving_default"]
        graph.signature_def["size"].CopyFrom(signature)
        del signature.outputs["size"]
        del graph.signature_def["size"].outputs["y"]

    edited(directory, edit)


@fault("MD132")
def asset_elsewhere(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(x)})
    (directory / "assets").mkdir()
    (directory / "secret.txt").touch()

    def edit(graph: Any) -> None:
        asset = graph.asset_file_def.add()
        asset.filename = "../secret.txt"
        asset.tensor_info.name = "x:0"

    edited(directory, edit)


@fault("MD127")
def calls_itself(directory: Path) -> None:
    save(directory, lambda x: {"y": linear(x)})

    def edit(graph: Any) -> None:
        function = graph.graph_def.library.function.add()
        function.signature.name = "itself"
        function.node_def.add(name="again", op="itself")

    edited(directory, edit)


VERSION, GRAPHS = table_version()
MESSAGES = {
    "MD004": "MD004 : the file starts with a byte order mark; save it as UTF-8 without",
    "MD005": "MD005 : cannot be read: Is a directory",
    "MD100": "MD100 : is empty (0 bytes); copy or export the model again",
    "MD112": "MD112 : signature 'serving_default' has several outputs; choose one of 'y', 'z' with draft_metadata(output=…)",
    "MD113": "MD113 : xai_preprocess gives 'words' and xai_model takes 'tokens'; give them the same names",
    "MD114": "MD114 inputs.image.domain: pixels are 0..1 here, and in the graph 'PartitionedCall/PartitionedCall/scale' maps 0..255 to 0..1; write 0 and 255, or leave the domain out",
    "MD120": "MD120 : no gradient gets from 'y:0' to 'x:0': operation 'whole' (Round) in between has none; in the metadata, to 'x' add \"encoding\": \"identity\", \"encoded_tensor_name\": \"whole:0\", or explain with method='sampled-shapley'",
    "MD121": "MD121 : the gradient at 'x:0' is 0 everywhere: operation 'sign' (Sign) in between is a step; integrated gradients would say that it does not matter; in the metadata, to 'x' add \"encoding\": \"identity\", \"encoded_tensor_name\": \"sign:0\", or explain with method='sampled-shapley'",
    "MD122": "MD122 : 'y:0' does not depend on 'z:0', so that every attribution is 0",
    "MD123": f"MD123 : needs the operation 'Sine' ('wave'), which TensorFlow {VERSION} does not have: it was written with an add-on or a custom operation",
    "MD124": f"MD124 : was written by TensorFlow 99.1.0; operations that are newer than {VERSION} are not known here",
    "MD125": f"MD125 : asks for a TensorFlow that reads graphs of version 987654; {VERSION} reads them up to {GRAPHS}",
    "MD126": "MD126 : input 'r_1' of signature 'serving_default' says where the rows of a ragged tensor end: it has no value for each instance, so that no request can carry it; save a signature that takes a dense tensor, and makes it ragged itself",
    "MD127": "MD127 : the function 'itself' calls itself",
    "MD130": "MD130 : operation 'read' (ReadFile) reads files; explaining refuses to run it without allow_unsafe_ops=True",
    "MD131": "MD131 : operation 'read' (ReadFile) reads files; explaining does not run it",
    "MD132": "MD132 : the asset '../secret.txt' lies outside of assets/",
}


def test_every_rule_that_no_document_shows_is_here() -> None:
    # MD140 is what only running the model tells.
    assert {*FAULTS, "MD140"} == UNWRITTEN


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_a_fault_of_files_is_found_in_these_words(code: str, tmp_path: Path) -> None:
    FAULTS[code](tmp_path / "model")
    found = lint(tmp_path / "model").problems
    said = [f"{it.code} {it.path}: {it.text()}" for it in found if it.code == code]
    assert said == [MESSAGES[code]]
