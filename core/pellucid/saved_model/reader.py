"""What is in ``saved_model.pb`` or ``saved_model.pbtxt``, without importing TensorFlow.

Nodes are made when they are asked for, because a graph may have a million of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final
from weakref import ref

from pellucid.errors import EndlessCallsError, ModelError
from pellucid.files import read_bytes
from pellucid.notices import Where
from pellucid.saved_model.checkpoint import check_variables, is_lfs_pointer
from pellucid.saved_model.directory import AGAIN, model_file, refuse_strays
from pellucid.saved_model.nodes import (
    Nodes,
    Shape,
    refuse_endless_calls,
    shape_of,
    shapes_of,
    type_name,
)
from pellucid.saved_model.protobuf import WireError, fields, messages

_PRIVATE_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_META_GRAPHS = 2  # the number of the field in SavedModel
_GRAPH, _OBJECTS = 2, 7  # and in MetaGraphDef
_LARGEST = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """A tensor of a signature: its name in the graph (``x:0``), its type and its shape."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A named entry of the model; inputs and outputs are sorted by key.

    The order in the file is not stable between two exports, so nothing may depend on it.
    """

    key: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method_name: str


@final
class Function:
    """A function of the library: `returns` maps each result to the tensor in its body.

    Tensors in a body are written ``node:output:index``, arguments by their bare name.
    """

    def __init__(self, message: Any, functions: Callable[[], Mapping[str, Any]]) -> None:
        self.message = message
        self.name = str(message.signature.name)
        self._functions = functions

    @cached_property
    def nodes(self) -> Nodes:
        """The operations of the body by name."""
        return Nodes(self.message.node_def, self._functions)

    @cached_property
    def result_types(self) -> tuple[str, ...]:
        """The types of the results, in order."""
        return tuple(type_name(it.type) for it in self.message.signature.output_arg)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The names of the arguments, in order."""
        return tuple(str(it.name) for it in self.message.signature.input_arg)

    @cached_property
    def returns(self) -> Mapping[str, str]:
        """The result names, in order, and the tensor that each returns."""
        names = [str(it.name) for it in self.message.signature.output_arg]
        return {name: str(self.message.ret[name]) for name in names if name in self.message.ret}

    def argument(self, name: str) -> TensorInfo:
        """Return type and shape of one argument; its flat name has index 0."""
        place = self.arguments.index(name)
        shape: Shape = None
        if place in self.message.arg_attr:
            shapes = shapes_of(self.message.arg_attr[place].attr)
            shape = shapes[0] if shapes else None
        dtype = type_name(self.message.signature.input_arg[place].type)
        return TensorInfo(name=f"{name}:0", dtype=dtype, shape=shape)


@final
class MetaGraph:
    """One graph of a SavedModel with its signatures and functions.

    `serialized` is all of it, `message` what it holds besides the graph and the objects, which may
    be large. Raises WireError, and protobuf's DecodeError.
    """

    def __init__(self, serialized: bytes | memoryview) -> None:
        self.serialized = serialized
        parts: dict[int, list[memoryview]] = {}
        for number, whole, value in fields(memoryview(serialized)):
            apart = number in (_GRAPH, _OBJECTS)
            parts.setdefault(number if apart else 0, []).append(value if apart else whole)
        # What is there twice is merged, as if one followed the other.
        joined = {
            number: values[0] if len(values) == 1 else b"".join(values)
            for number, values in parts.items()
        }
        self.message = messages()("tensorflow.MetaGraphDef").FromString(joined.get(0, b""))
        self.graph = messages()("light.GraphDef").FromString(joined.get(_GRAPH, b""))
        self._objects = joined.get(_OBJECTS, b"")
        # Parts know their whole weakly: a graph that nobody holds is gone at once, however large.
        whole_of_parts = ref(self)
        self._functions_of = lambda: _held(whole_of_parts).functions
        self.worked_out: dict[object, Any] = {}  # by others, who ask for it more than once
        self.tags: tuple[str, ...] = tuple(str(it) for it in self.message.meta_info_def.tags)
        self.tensorflow_version = str(self.message.meta_info_def.tensorflow_version)

    @cached_property
    def objects(self) -> Any:
        """The object graph of TensorFlow 2, a SavedObjectGraph. Raises ModelError."""
        from google.protobuf.message import DecodeError

        try:
            return messages()("tensorflow.SavedObjectGraph").FromString(self._objects)
        except DecodeError as error:
            raise ModelError("the object graph of the model is damaged") from error

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """The signatures by key, sorted, without those that only initialise or train."""
        found = self.message.signature_def
        return {
            key: Signature(
                key=key,
                inputs=_tensors(found[key].inputs, self.nodes),
                outputs=_tensors(found[key].outputs, self.nodes),
                method_name=str(found[key].method_name),
            )
            for key in sorted(found)
            if key not in _PRIVATE_SIGNATURES
        }

    @cached_property
    def nodes(self) -> Nodes:
        """The operations of the top-level graph by name."""
        return Nodes(self.graph.node, self._functions_of)

    @cached_property
    def functions(self) -> Mapping[str, Function]:
        """The function library by name."""
        found = (Function(it, self._functions_of) for it in self.graph.library.function)
        return {function.name: function for function in found}

    @cached_property
    def has_variables(self) -> bool:
        """Whether the top-level graph holds variables, whose values are in ``variables/``."""
        return any(it.op in _VARIABLES for it in self.graph.node)


def _held(graph: ref[MetaGraph]) -> MetaGraph:
    found = graph()
    assert found is not None, "whoever has a part of a graph holds the graph"
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModelFile:
    """A SavedModel as its files describe it, before anything is loaded."""

    directory: Path
    meta_graphs: tuple[MetaGraph, ...]

    def meta_graph(self, tags: Sequence[str] | None = None) -> MetaGraph:
        """Return the graph with exactly these tags; by default the only one, or ``serve``."""
        if tags is None and len(self.meta_graphs) == 1:
            return self.meta_graphs[0]
        wanted = {"serve"} if tags is None else set(tags)
        for graph in self.meta_graphs:
            if set(graph.tags) == wanted:
                return graph
        exist = ", ".join(repr(",".join(graph.tags)) for graph in self.meta_graphs)
        raise ModelError(
            f"has no graph tagged {','.join(sorted(wanted))!r}",
            where=Where(file=str(self.directory)),
            hint=f"choose a tag set that exists: {exist}",
        )


def read(directory: str | Path, *, trusted: bool = False) -> SavedModelFile:
    """Read a SavedModel directory and look whether its files are whole.

    Raises `ModelError` with the true reason: no such directory, no model in it, a Git LFS pointer,
    an empty or damaged file, variables or assets that are missing or truncated; and
    UnsafeModelError where files of a model that is not `trusted` are links to elsewhere.
    """
    directory = Path(directory)
    try:
        if not trusted:
            refuse_strays(directory)
        path = model_file(directory)
        graphs = _parse(path)
        if not graphs:
            raise ModelError(
                "holds no graph, so it is not a SavedModel",
                where=Where(file=str(path)),
                hint="export the model again",
            )
        for graph in graphs:
            refuse_endless_calls(graph.nodes, graph.functions)
        _check_files(directory, graphs)
    except EndlessCallsError as error:
        raise error.at(file=str(path)) from None
    except OSError as error:
        raise ModelError(
            f"cannot be read: {error.strerror or error}",
            where=Where(file=str(error.filename or directory)),
        ) from error
    return SavedModelFile(directory=directory, meta_graphs=graphs)


def _parse(path: Path) -> tuple[MetaGraph, ...]:
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    size, where = path.stat().st_size, Where(file=str(path))
    if size == 0:
        raise ModelError("is empty (0 bytes)", where=where, hint=AGAIN)
    if is_lfs_pointer(path):
        what = "is a Git LFS pointer, not the model"
        raise ModelError(what, where=where, hint="run `git lfs pull`")
    if size > _LARGEST:
        raise ModelError(
            f"has {size / 2**30:.1f} GiB, and a protocol buffer has at most 2",
            where=where,
            hint="export the model with its weights in variables/",
        )
    try:
        data = read_bytes(path)
        if path.suffix == ".pbtxt":
            saved_model = messages()("tensorflow.SavedModel")
            data = text_format.Parse(
                data.decode("utf-8"),
                saved_model(),
                descriptor_pool=saved_model.DESCRIPTOR.file.pool,
                allow_unknown_field=True,
            ).SerializeToString()
        found = [value for number, _, value in fields(memoryview(data)) if number == _META_GRAPHS]
        return tuple(MetaGraph(it) for it in found)
    except (
        WireError,
        DecodeError,
        text_format.ParseError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise ModelError(
            "is truncated or damaged, it cannot be read as a SavedModel", where=where, hint=AGAIN
        ) from error


def _check_files(directory: Path, graphs: Iterable[MetaGraph]) -> None:
    for graph in graphs:
        for asset in graph.message.asset_file_def:
            path = directory / "assets" / asset.filename
            if "\0" in asset.filename or not path.is_file():
                raise ModelError(
                    "does not exist, and the model reads it",
                    where=Where(file=str(path)),
                    hint="copy the assets directory",
                )
    # TensorFlow reads the variables when the graph knows how to restore them.
    if any(it.message.saver_def.restore_op_name and it.has_variables for it in graphs):
        check_variables(directory, messages())


def tensors_of(meta_graph: MetaGraph, signature: str) -> list[str]:
    """Return all tensors that the inputs of a signature consist of: a sparse one is three."""
    found: list[str] = []
    for info in meta_graph.message.signature_def[signature].inputs.values():
        sparse = info.coo_sparse
        found += [
            info.name,
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
            *(it.name for it in info.composite_tensor.components),
        ]
    return [it for it in found if it]


def _tensors(infos: Mapping[str, Any], nodes: Nodes) -> dict[str, TensorInfo]:
    return {key: _tensor_info(infos[key], nodes) for key in sorted(infos)}


def _tensor_info(message: Any, nodes: Nodes) -> TensorInfo:
    kind = message.WhichOneof("encoding")
    name = message.name
    if kind == "coo_sparse":
        name = message.coo_sparse.values_tensor_name
    elif kind == "composite_tensor" and message.composite_tensor.components:
        name = message.composite_tensor.components[0].name
    dtype, shape = type_name(message.dtype), shape_of(message.tensor_shape)
    if kind == "name" and shape == ():
        # "Scalar" may as well be what nobody wrote down: the graph knows better.
        shape = _shape_in_graph(str(name), nodes, declared=message.HasField("tensor_shape"))
    return TensorInfo(name=str(name), dtype=dtype, shape=shape)


def _shape_in_graph(name: str, nodes: Nodes, *, declared: bool) -> Shape:
    """Return the shape of a tensor that a signature gives as a scalar, or gives no shape of."""
    node, _, index = name.rpartition(":")
    shapes = nodes[node].shapes if node in nodes else ()
    place = int(index) if index.isdecimal() else 0
    known = shapes[place] if place < len(shapes) else None
    return () if known is None and declared else known
