"""What is in ``saved_model.pb`` or ``saved_model.pbtxt``, without importing TensorFlow.

The messages are TensorFlow's own (Copyright The TensorFlow Authors, Apache License 2.0): their
descriptors, gzipped in ``schemas/saved_model.fds.gz`` and written by ``tests/make_descriptors.py``,
feed a private protobuf pool, so that they cannot clash with ``import tensorflow`` in one process.
Nodes are made when they are asked for, because a graph may have a hundred thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeAlias, final

from pellucid.checkpoint_index import is_lfs_pointer, variables_fault
from pellucid.errors import ModelError
from pellucid.model_directory import model_file
from pellucid.op_types import output_types

Shape: TypeAlias = "tuple[int | None, ...] | None"
"""The length of each axis, None where it is free; None for an unknown rank."""

_PRIVATE_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An operation: `call` is the function it calls, if it is a call and nothing else.

    `dtypes` and `shapes` are those of its first outputs as far as the file tells, else empty.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    call: str | None
    dtypes: tuple[str, ...]
    shapes: tuple[Shape, ...]

    @property
    def output_count(self) -> int | None:
        """How many outputs it has, which is known of calls only."""
        return len(self.dtypes) if self.call is not None and self.op in _CALLS else None


@final
class Nodes(Mapping[str, Node]):
    """The nodes of a graph or of a function by name, each made when it is asked for."""

    def __init__(self, messages: Iterable[Any], functions: Callable[[], Mapping[str, Any]]) -> None:
        self._messages = {message.name: message for message in messages}
        self._functions = functions

    def __getitem__(self, name: str) -> Node:
        return _node(self._messages[name], self._functions())

    def __contains__(self, name: object) -> bool:
        return name in self._messages

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    def op(self, name: str) -> str:
        """Return the operation's type without making the node."""
        return str(self._messages[name].op)

    def input_names(self, name: str) -> tuple[str, ...]:
        """Return the nodes or arguments that a node reads or waits for."""
        return tuple(node_name(it) for it in self._messages[name].input)

    def attributes(self, name: str) -> Mapping[str, Any]:
        """Return the attributes of a node: AttrValue messages by name."""
        return self._messages[name].attr  # type: ignore[no-any-return]

    def called(self, name: str) -> str | None:
        """Return the function that a node calls, without making the node."""
        return _call(self._messages[name], self._functions())


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
            shapes = _shapes(self.message.arg_attr[place].attr)
            shape = shapes[0] if shapes else None
        dtype = _dtype(self.message.signature.input_arg[place].type)
        return TensorInfo(name=f"{name}:0", dtype=dtype, shape=shape)


@final
class MetaGraph:
    """One graph of a SavedModel with its signatures and functions; `message` has all the rest."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.tags: tuple[str, ...] = tuple(str(it) for it in message.meta_info_def.tags)
        self.tensorflow_version = str(message.meta_info_def.tensorflow_version)

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """The signatures by key, sorted, without those that only initialise or train."""
        found = self.message.signature_def
        return {
            key: Signature(
                key=key,
                inputs=_tensors(found[key].inputs),
                outputs=_tensors(found[key].outputs),
                method_name=str(found[key].method_name),
            )
            for key in sorted(found)
            if key not in _PRIVATE_SIGNATURES
        }

    @cached_property
    def nodes(self) -> Nodes:
        """The operations of the top-level graph by name."""
        return Nodes(self.message.graph_def.node, lambda: self.functions)

    @cached_property
    def functions(self) -> Mapping[str, Function]:
        """The function library by name."""
        found = (Function(it, lambda: self.functions) for it in self._library.function)
        return {function.name: function for function in found}

    @property
    def _library(self) -> Any:
        return self.message.graph_def.library

    @cached_property
    def has_variables(self) -> bool:
        """Whether the top-level graph holds variables, whose values are in ``variables/``."""
        return any(it.op in _VARIABLES for it in self.message.graph_def.node)


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
            f"{self.directory}: has no graph tagged {','.join(sorted(wanted))!r}; "
            f"choose a tag set that exists: {exist}"
        )


def read(directory: str | Path) -> SavedModelFile:
    """Read a SavedModel directory and look whether its files are whole.

    Raises `ModelError` with the true reason: no such directory, no model in it, a Git LFS pointer,
    an empty or damaged file, variables or assets that are missing or truncated.
    """
    directory = Path(directory)
    try:
        path = model_file(directory)
        graphs = tuple(MetaGraph(it) for it in _parse(path).meta_graphs)
        if not graphs:
            raise ModelError(
                f"{path}: holds no graph, so it is not a SavedModel; export the model again"
            )
        fault = _missing(directory, graphs)
    except OSError as error:
        place = error.filename or directory
        raise ModelError(f"{place}: cannot be read: {error.strerror or error}") from error
    if fault:
        raise ModelError(fault)
    return SavedModelFile(directory=directory, meta_graphs=graphs)


def node_name(tensor: str) -> str:
    """Return the node of an input as a graph writes it: ``^x``, ``x:1`` and ``x`` are of ``x``."""
    return tensor.removeprefix("^").partition(":")[0]


@cache
def _messages() -> Callable[[str], Any]:
    """Return what gives the class of a TensorFlow message by its full name."""
    import gzip
    from importlib.resources import files

    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    data = (files("pellucid") / "schemas" / "saved_model.fds.gz").read_bytes()
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(gzip.decompress(data)).file:
        pool.AddSerializedFile(file.SerializeToString())
    return lambda name: GetMessageClass(pool.FindMessageTypeByName(name))


def _parse(path: Path) -> Any:
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    if path.stat().st_size == 0:
        raise ModelError(f"{path}: is empty (0 bytes); copy or export the model again")
    if is_lfs_pointer(path):
        raise ModelError(f"{path}: is a Git LFS pointer, not the model; run `git lfs pull`")
    saved_model = _messages()("tensorflow.SavedModel")
    try:
        if path.suffix == ".pb":
            return saved_model.FromString(path.read_bytes())
        return text_format.Parse(
            path.read_text("utf-8"),
            saved_model(),
            descriptor_pool=saved_model.DESCRIPTOR.file.pool,
            allow_unknown_field=True,
        )
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"{path}: is truncated or damaged, it cannot be read as a SavedModel; "
            "copy or export the model again"
        ) from error


def _missing(directory: Path, graphs: Iterable[MetaGraph]) -> str | None:
    for graph in graphs:
        for asset in graph.message.asset_file_def:
            path = directory / "assets" / asset.filename
            if "\0" in asset.filename or not path.is_file():
                return f"{path}: does not exist, and the model reads it; copy the assets directory"
    # TensorFlow reads the variables when the graph knows how to restore them.
    if any(it.message.saver_def.restore_op_name and it.has_variables for it in graphs):
        return variables_fault(directory, _messages())
    return None


def _tensors(messages: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {key: _tensor_info(messages[key]) for key in sorted(messages)}


def _tensor_info(message: Any) -> TensorInfo:
    kind = message.WhichOneof("encoding")
    name = message.name
    if kind == "coo_sparse":
        name = message.coo_sparse.values_tensor_name
    elif kind == "composite_tensor" and message.composite_tensor.components:
        name = message.composite_tensor.components[0].name
    return TensorInfo(
        name=str(name), dtype=_dtype(message.dtype), shape=_shape(message.tensor_shape)
    )


def _shape(message: Any) -> Shape:
    if message.unknown_rank:
        return None
    return tuple(None if it.size < 0 else int(it.size) for it in message.dim)


@cache
def _dtype_names() -> Mapping[int, str]:
    special = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16", "INVALID": "unknown"}
    values = _messages()("tensorflow.TensorProto").DESCRIPTOR.fields_by_name["dtype"].enum_type
    names = ((it.number, it.name.removeprefix("DT_").removesuffix("_REF")) for it in values.values)
    return {number: special.get(name, name.lower()) for number, name in names}


def _dtype(number: int) -> str:
    return _dtype_names().get(number, "unknown")


def _node(message: Any, functions: Mapping[str, Function]) -> Node:
    return Node(
        name=str(message.name),
        op=str(message.op),
        inputs=tuple(str(it) for it in message.input),
        call=_call(message, functions),
        dtypes=_dtypes(message),
        shapes=_shapes(message.attr),
    )


def _call(message: Any, functions: Mapping[str, Function]) -> str | None:
    if message.op in _CALLS:
        name = message.attr["f"].func.name if "f" in message.attr else ""
        return str(name) if name in functions else None
    return str(message.op) if message.op in functions else None


def _dtypes(message: Any) -> tuple[str, ...]:
    types = output_types(message)
    return (types,) if isinstance(types, str) else tuple(_dtype(it) for it in types)


def _shapes(attr: Mapping[str, Any]) -> tuple[Shape, ...]:
    if "_output_shapes" in attr:
        return tuple(_shape(it) for it in attr["_output_shapes"].list.shape)
    if "value" in attr and attr["value"].WhichOneof("value") == "tensor":
        return (_shape(attr["value"].tensor.tensor_shape),)
    if "shape" in attr and attr["shape"].WhichOneof("value") == "shape":
        return (_shape(attr["shape"].shape),)
    return ()
