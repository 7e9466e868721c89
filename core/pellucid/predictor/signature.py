"""What a predictor takes and gives, by its own metadata, or by a file of these.

They become a graph of inputs and outputs with nothing known between them: the one form in which
everything else asks what a model is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.errors import PredictorError, SpecError
from pellucid.files import read_text
from pellucid.notices import Hint, Where
from pellucid.open_inference import TensorError, dtype_of
from pellucid.predictor.settings import Predictor, PredictorProtocol
from pellucid.saved_model import MetaGraph, SavedModelFile, Signature, TensorInfo, messages

DEFAULT_KEY = "serving_default"
GIVE = "name the SavedModel's directory, or a JSON file with its metadata, as the model"


class _MetadataError(ValueError):
    """Metadata that say too little, or nothing that is known."""


def asked_signatures(predictor: Predictor) -> SavedModelFile:
    """Return what a predictor says of its model. Raises PredictorError, and SpecError if it can't.

    KServe's V1 protocol and Vertex AI have no metadata.
    """
    from pellucid.predictor.connection import Call, Connection

    paths = {
        PredictorProtocol.OIP_V2: f"/v2/models/{predictor.model}{predictor.version_path}",
        PredictorProtocol.TF_SERVING: (
            f"/v1/models/{predictor.model}{predictor.version_path}/metadata"
        ),
    }
    if predictor.protocol not in paths:
        raise SpecError(
            f"the protocol {predictor.protocol.value} does not say what a model takes",
            where=predictor.where,
            hint=GIVE,
        )
    from pellucid.predictor.wires import check_status, document_of

    answer = Connection(predictor).ask(Call(), paths[predictor.protocol])
    check_status(predictor, answer)
    document = document_of(predictor, answer, answer.body)
    try:
        return _described(Path(predictor.name), document)
    except _MetadataError as error:
        what = f"its metadata do not say what it takes: {error}"
        raise PredictorError(what, where=predictor.where, hint=GIVE) from error


def read_signatures(file: Path) -> SavedModelFile:
    """Return what a file of metadata says, as a predictor of the same would. Raises SpecError."""
    where = Where(file=str(file))
    try:
        document = json.loads(read_text(file))
    except ValueError as error:
        raise SpecError(f"is no JSON: {error}", where=where) from error
    try:
        if not isinstance(document, dict):
            raise _MetadataError("they are no object")
        return _described(file.parent, document)
    except _MetadataError as error:
        raise SpecError(
            f"is no metadata of a model: {error}",
            where=where,
            hint="write what GET /v2/models/NAME, or /v1/models/NAME/metadata, answers",
        ) from error


def _described(place: Path, document: Mapping[str, Any]) -> SavedModelFile:
    if "metadata" in document:
        signatures = _of_tf_serving(document["metadata"])
    else:
        inputs, outputs = (_tensors(document.get(side), side) for side in ("inputs", "outputs"))
        signatures = {
            DEFAULT_KEY: Signature(
                key=DEFAULT_KEY, inputs=inputs, outputs=outputs, method_name="predict"
            )
        }
    graph = MetaGraph(_serialized(signatures))
    return SavedModelFile(directory=place, meta_graphs=(graph,))


def _tensors(given: Any, side: str) -> dict[str, TensorInfo]:
    """Return the tensors of one side as the Open Inference Protocol describes them."""
    if not isinstance(given, list) or not given:
        raise _MetadataError(f"they name no {side}")
    found = {}
    for it in given:
        name = it.get("name") if isinstance(it, dict) else None
        if not isinstance(name, str) or not name:
            raise _MetadataError(f"one of the {side} has no name")
        shape = it.get("shape")
        if not isinstance(shape, list) or not all(type(size) is int for size in shape):
            raise _MetadataError(f"'{name}' has no shape")
        try:
            dtype = dtype_of(it.get("datatype"))
        except TensorError as error:
            raise _MetadataError(f"'{name}': {error}") from error
        sizes = tuple(None if size < 0 else size for size in shape)
        found[name] = TensorInfo(name=f"{name}:0", dtype=dtype, shape=sizes)
    return found


def _of_tf_serving(metadata: Any) -> dict[str, Signature]:
    found = metadata.get("signature_def") if isinstance(metadata, dict) else None
    found = found.get("signature_def") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not found:
        raise _MetadataError("they name no signature")
    signatures = {}
    for key, it in found.items():
        if key.startswith("__") or not isinstance(it, dict):
            continue
        sides = [_tf_tensors(it.get(side), key) for side in ("inputs", "outputs")]
        if all(sides):
            signatures[key] = Signature(
                key=key, inputs=sides[0], outputs=sides[1], method_name=str(it.get("method_name"))
            )
    if not signatures:
        raise _MetadataError("no signature has inputs and outputs")
    return signatures


def _tf_tensors(given: Any, key: str) -> dict[str, TensorInfo]:
    found = {}
    for name, it in (given if isinstance(given, dict) else {}).items():
        try:
            dtype = _DTYPES.get(it["dtype"]) or it["dtype"].removeprefix("DT_").lower()
            shape, tensor = it["tensor_shape"], str(it["name"])
            sizes = None
            if not shape.get("unknown_rank"):
                sizes = tuple(int(axis["size"]) for axis in shape.get("dim", []))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _MetadataError(f"'{name}' of signature '{key}' has no type or shape") from None
        found[name] = TensorInfo(
            name=tensor,
            dtype=dtype,
            shape=None if sizes is None else tuple(None if it < 0 else it for it in sizes),
        )
    return found


_DTYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}


def _serialized(signatures: Mapping[str, Signature]) -> bytes:
    """Return a graph in which all outputs of a signature are made of all its inputs."""
    message = messages()("tensorflow.MetaGraphDef")()
    message.meta_info_def.tags.append("serve")
    made = set[str]()
    for key, signature in signatures.items():
        entry = message.signature_def[key]
        entry.method_name = signature.method_name
        for infos, side in ((signature.inputs, entry.inputs), (signature.outputs, entry.outputs)):
            for name, info in infos.items():
                _write(side[name], info)
        inputs = [info.name for info in signature.inputs.values()]
        for infos, operation, read in (
            (signature.inputs, "Placeholder", []),
            (signature.outputs, "RemotePredict", inputs),
        ):
            for info in infos.values():
                node = info.name.rpartition(":")[0] or info.name
                if node not in made:
                    made.add(node)
                    message.graph_def.node.add(name=node, op=operation, input=read)
    return bytes(message.SerializeToString())


def _write(entry: Any, info: TensorInfo) -> None:
    entry.name, entry.dtype = info.name, _number_of(info.dtype)
    if info.shape is None:
        entry.tensor_shape.unknown_rank = True
    for size in info.shape or ():
        entry.tensor_shape.dim.add(size=-1 if size is None else size)


def _number_of(dtype: str) -> int:
    known = messages()("tensorflow.TensorInfo").DESCRIPTOR.fields_by_name["dtype"].enum_type
    names = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}
    value = known.values_by_name.get(f"DT_{names.get(dtype, dtype.upper())}")
    if value is None:
        raise _MetadataError(f"'{dtype}' is no type of a tensor")
    return int(value.number)


def gradients_refused(predictor: Predictor, title: str) -> SpecError:
    """Return why a method that asks for more than predictions cannot explain a predictor."""
    return SpecError(
        f"{title} needs more of a model than its predictions, and a predictor gives nothing else",
        where=predictor.where,
        hint=Hint("choose {method:sampled-shapley} or, for pictures and texts, {method:lime}"),
    )
