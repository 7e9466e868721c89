"""Whether an operation reads the model's own files: names are followed to their source."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias

from pellucid.errors import ModelError
from pellucid.linter.reachability import CallSite, Running
from pellucid.linter.unsafe_ops import RESTORES, path_input, touches
from pellucid.saved_model import CALLS, MetaGraph, Nodes, attributes_of, messages, node_name

_ASSETS = "saved_model_assets"
_PASSING = ("Identity", "PlaceholderWithDefault")
# What may be done with a variable that keeps the path of an asset.
_KEEPING = ("AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp")
# How many inputs come before the arguments of the branches.
_BRANCHES = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}

_AGAIN = "export the model again"

OTHERS_CHECKPOINT = "reads a checkpoint that is not the model's own"

Place: TypeAlias = "tuple[str | None, str]"
"""A tensor of a function, or of the graph (None)."""


class Judge:
    """Says what an operation does to the world.

    `run` is all that runs, `late` what of it may run when the names of the model's own files are
    not given any more: others would be read.
    """

    def __init__(self, meta_graph: MetaGraph, run: Running, late: Running) -> None:
        self.meta_graph = meta_graph
        self.run = run
        self.late = late
        self.assets = {_tensor(tensor) for _, tensor in given_assets(meta_graph)}
        filename = meta_graph.message.saver_def.filename_tensor_name
        self.checkpoint = {_tensor(filename)} if filename else set()

    def what(self, function: str | None, message: Any) -> str | None:
        """Return what a node does to the world, or None."""
        place = path_input(message.op)
        if place is None:
            return touches(message.op, attributes_of(message))
        inputs = [it for it in message.input if not it.startswith("^")]
        path = inputs[place] if place < len(inputs) else ""
        if message.op.startswith("Cache"):
            return None if self._is_empty(function, path) else "writes files"
        late = self.late.holds(function, message.name)
        if message.op in RESTORES:
            own = not late and self.reads_checkpoint(function, message)
            return None if own else OTHERS_CHECKPOINT
        own = not late and self.comes_from(self.assets, function, path)
        return None if own else "reads a file that is none of the model's assets"

    def reads_checkpoint(self, function: str | None, message: Any) -> bool:
        """Whether what an operation of `RESTORES` reads is what the saver is given."""
        inputs = [it for it in message.input if not it.startswith("^")]
        return bool(inputs) and self.comes_from(self.checkpoint, function, inputs[0])

    def _is_empty(self, function: str | None, tensor: str) -> bool:
        """Whether a tensor is the constant ""."""
        name = node_name(tensor)
        nodes = self._nodes(function)
        if name not in nodes or nodes.op(name) != "Const":
            return False
        attributes = nodes.attributes(name)
        return "value" in attributes and list(attributes["value"].tensor.string_val) == [b""]

    def comes_from(self, sources: Collection[str], function: str | None, tensor: str) -> bool:
        """Whether all that a tensor can be is one of `sources`, which are tensors of the graph."""
        waiting: list[Place] = [(function, tensor)]
        seen: set[Place] = set()
        found = False
        while waiting:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            if self._is_source(sources, *here):
                found = True
                continue
            before = self._before(*here)
            if not before:
                return False
            waiting += before
        return found

    def _is_source(self, sources: Collection[str], function: str | None, tensor: str) -> bool:
        if function is None:
            return _tensor(tensor) in sources
        if sources is not self.assets or self.run.functions.get(function):
            return False  # whoever calls it hands something over
        return self._is_asset(function, node_name(tensor))

    def _is_asset(self, function: str, argument: str) -> bool:
        """Whether an argument is an asset wherever objects call a function."""
        place = self._captured(function, argument)
        objects = self.meta_graph.objects.nodes
        if place is None or not 0 <= place < len(objects):
            return False
        return str(objects[place].WhichOneof("kind")) == "asset"

    def _captured(self, function: str, argument: str) -> int | None:
        """Return the number of the object that an argument of a function always is."""
        arguments = self.meta_graph.functions[function].arguments
        bound = self.run.bound.get(function, ())
        if argument not in arguments:
            return None
        # What a function captured comes after what it is called with.
        place = arguments.index(argument) - (len(arguments) - len(bound))
        return bound[place] if place >= 0 else None

    def _before(self, function: str | None, tensor: str) -> list[Place]:
        """Return all that a tensor can be, [] where that cannot be told."""
        nodes, name = self._nodes(function), node_name(tensor)
        if name in nodes:
            message = nodes.message(name)
            inputs = [it for it in message.input if not it.startswith("^")]
            if message.op in _PASSING and inputs:
                return [(function, inputs[0])]
            if message.op == "ReadVariableOp" and function is None and inputs:
                # The path of an asset may be kept in a variable, which the start fills.
                return [(None, it) for it in self._assigned(inputs[0])]
            return []
        if function is None or name not in self.meta_graph.functions[function].arguments:
            return []
        if function in self.run.bound and not self._is_asset(function, name):
            return []  # objects call it, with arguments of their own
        place = self.meta_graph.functions[function].arguments.index(name)
        given = [self._given(it, place) for it in self.run.functions.get(function, ())]
        return [it for it in given if it is not None] if None not in given else []

    def _given(self, site: CallSite, place: int) -> Place | None:
        """Return what a call hands over for an argument, None where that cannot be told."""
        plain = site.op in CALLS or site.op in self.meta_graph.functions
        if not plain and site.op not in _BRANCHES:
            return None
        place += _BRANCHES.get(site.op, 0)
        return (site.function, site.inputs[place]) if place < len(site.inputs) else None

    def _assigned(self, handle: str) -> list[str]:
        """Return all that is assigned to a variable, [] where that cannot be told."""
        name, graph = node_name(handle), self.meta_graph.nodes
        everywhere = [graph, *(it.nodes for it in self.meta_graph.functions.values())]
        handles = [it for nodes in everywhere for it in nodes.messages() if it.op == "VarHandleOp"]
        if (
            name not in graph
            or any(_is_named_by_its_caller(it) for it in handles)
            or sum(_variable(it) == _variable(graph.message(name)) for it in handles) != 1
        ):
            return []
        users = [it for it in graph.messages() if name in map(node_name, it.input)]
        if any(it.op not in _KEEPING for it in users if f"^{name}" not in it.input):
            return []
        return [it.input[1] for it in users if it.op == "AssignVariableOp" and len(it.input) > 1]

    def _nodes(self, function: str | None) -> Nodes:
        meta_graph = self.meta_graph
        return meta_graph.nodes if function is None else meta_graph.functions[function].nodes


def assets_of(meta_graph: MetaGraph) -> Iterator[tuple[str, str]]:
    """Yield the file and the tensor of each asset, whether or not it is one that is given."""
    for asset in (*meta_graph.message.asset_file_def, *_collected_assets(meta_graph)):
        yield str(asset.filename), str(asset.tensor_info.name)


def given_assets(meta_graph: MetaGraph) -> Iterator[tuple[str, str]]:
    """Yield the file and the tensor of each asset that loaders give: of one of the two lists."""
    for asset in list(meta_graph.message.asset_file_def) or _collected_assets(meta_graph):
        yield str(asset.filename), str(asset.tensor_info.name)


def _collected_assets(meta_graph: MetaGraph) -> list[Any]:
    """Return the assets as TensorFlow 1 writes them. Raises ModelError."""
    from google.protobuf.message import DecodeError

    collections = meta_graph.message.collection_def
    if _ASSETS not in collections:
        return []
    packed, kind = collections[_ASSETS].any_list.value, messages()("tensorflow.AssetFileDef")
    if any(not it.type_url.endswith(f"/{kind.DESCRIPTOR.full_name}") for it in packed):
        raise ModelError("the list of the model's assets holds something else", hint=_AGAIN)
    try:
        return [kind.FromString(it.value) for it in packed]
    except DecodeError as error:
        raise ModelError("the list of the model's assets is damaged", hint=_AGAIN) from error


def escapes(name: str) -> bool:
    """Whether the name of a file leads out of the directory that it is in."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    rooted = posix.is_absolute() or bool(windows.drive or windows.root)
    return rooted or ".." in (*posix.parts, *windows.parts)


def _is_named_by_its_caller(handle: Any) -> bool:
    """Whether which variable a handle is of is said where the function around it is called."""
    attributes = attributes_of(handle)
    found = (attributes[key] for key in ("shared_name", "container") if key in attributes)
    return any(it.WhichOneof("value") == "placeholder" for it in found)


def _variable(message: Any) -> bytes:
    """Return the name that handles of one variable share."""
    attributes = attributes_of(message)
    shared = attributes["shared_name"].s if "shared_name" in attributes else b""
    return shared or str(message.name).encode()


def _tensor(name: str) -> str:
    """Return ``a:0`` for ``a``."""
    return name if ":" in name else f"{name}:0"
