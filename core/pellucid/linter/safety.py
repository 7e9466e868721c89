"""Whether running a model touches anything but tensors: files, the network, the process.

A SavedModel is a program. What would run is looked at before TensorFlow sees any of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from pellucid.errors import ModelError, UnsafeModelError
from pellucid.linter.reachability import Running, running
from pellucid.linter.unsafe_ops import PATH_INPUTS, RESTORES, SAVES, may_touch, touches
from pellucid.metadata.documents import printable
from pellucid.notices import Hint, Where
from pellucid.saved_model import MetaGraph, Nodes, Signature, attributes_of, messages, node_name

_ASSETS = "saved_model_assets"
_PASSING = ("Identity", "PlaceholderWithDefault")
# What may be done with a variable that keeps the path of an asset.
_KEEPING = ("AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp")
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Touch:
    """An operation that touches the world: `runs` tells whether it does when Pellucid explains."""

    op: str
    node: str
    function: str | None
    what: str
    runs: bool

    @property
    def where(self) -> str:
        """The operation and its place, for a sentence."""
        inside = f" in function '{self.function}'" if self.function else ""
        return printable(f"operation '{self.node}' ({self.op}){inside}")


def escaping_assets(meta_graph: MetaGraph) -> list[str]:
    """Return the names of asset files that lead out of the model's ``assets`` directory."""
    return [name for name, _ in _assets(meta_graph) if _escapes(name)]


def touches_of(meta_graph: MetaGraph, signature: Signature, tensors: Iterable[str]) -> list[Touch]:
    """Return the operations with which a model touches the world.

    What runs is what the outputs of `signature` and `tensors` (by flat names) depend on, and what
    loading runs. Raises ModelError where the file is damaged.
    """
    bodies = {name: it.nodes for name, it in meta_graph.functions.items()}
    suspects: dict[str | None, list[Any]] = {
        name: several
        for name, nodes in ((None, meta_graph.nodes), *bodies.items())
        if any(map(may_touch, nodes.ops))
        and (several := [it for it in nodes.messages() if may_touch(it.op)])
    }
    if not suspects:
        return []
    ends = ends_of(meta_graph, signature, tensors)
    run, asked = running(meta_graph, ends), running(meta_graph, ends, loading=False)
    judge, saver, others = (
        _Judge(meta_graph, run, asked),
        _saver(meta_graph),
        _by_signatures(meta_graph),
    )
    found: list[Touch] = []
    for function, suspected in suspects.items():
        for message in suspected:
            runs = run.holds(function, message.name)
            if not runs and message.op in (*SAVES, *RESTORES):
                # Every model has a saver, and some have several: they count if a signature saves.
                called = others.holds(function, message.name)
                if not called or saver.holds(function, message.name):
                    continue
            what = judge.what(function, message)
            if what is not None:
                found.append(Touch(str(message.op), str(message.name), function, what, runs))
    return sorted(found, key=lambda it: (not it.runs, it.function or "", it.node))


def refuse_unsafe(
    meta_graph: MetaGraph, signature: Signature, tensors: Iterable[str], directory: object
) -> None:
    """Raise UnsafeModelError if the model would touch the world when it is loaded or run."""
    where = Where(file=str(directory))
    for name in escaping_assets(meta_graph):
        raise UnsafeModelError(
            f"the asset '{name}' lies outside of the model's assets directory, and loading would "
            "read it",
            where=where,
            hint=Hint("put it there, or, if you trust the model, add {allow_unsafe_ops:True}"),
        )
    found = [it for it in touches_of(meta_graph, signature, tensors) if it.runs]
    if found:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise UnsafeModelError(
            f"refused, because a model is a program and this one {found[0].what}: "
            f"{found[0].where}{more}",
            where=where,
            hint=Hint(
                "see all with validate-metadata, and if you trust it, add {allow_unsafe_ops:True}"
            ),
        )


class _Judge:
    """Says what an operation does to the world: names of files are followed to their source.

    `run` is all that runs, `asked` what of it runs after the loading.
    """

    def __init__(self, meta_graph: MetaGraph, run: Running, asked: Running) -> None:
        self.meta_graph = meta_graph
        self.run = run
        self.asked = asked
        self.assets = {_tensor(tensor) for _, tensor in _assets(meta_graph)}
        filename = meta_graph.message.saver_def.filename_tensor_name
        self.checkpoint = {_tensor(filename)} if filename else set()

    def what(self, function: str | None, message: Any) -> str | None:
        """Return what a node does to the world, or None."""
        if message.op not in PATH_INPUTS:
            return touches(message.op, attributes_of(message))
        inputs = [it for it in message.input if not it.startswith("^")]
        place = PATH_INPUTS[message.op]
        path = inputs[place] if place < len(inputs) else ""
        if message.op.startswith("Cache"):
            return None if self.is_empty(function, path) else "writes files"
        # The names of checkpoint and assets are given at the start; later, others would be read.
        late = self.asked.holds(function, message.name)
        if message.op in RESTORES:
            own = not late and self.comes_from(self.checkpoint, function, path)
            return None if own else "reads a checkpoint that is not the model's own"
        own = not late and self.comes_from(self.assets, function, path)
        return None if own else "reads a file that is none of the model's assets"

    def is_empty(self, function: str | None, tensor: str) -> bool:
        """Whether a tensor is the constant ""."""
        name = node_name(tensor)
        nodes = self._nodes(function)
        if name not in nodes or nodes.op(name) != "Const":
            return False
        attributes = nodes.attributes(name)
        return "value" in attributes and list(attributes["value"].tensor.string_val) == [b""]

    def comes_from(
        self, sources: set[str], function: str | None, tensor: str, depth: int = 0
    ) -> bool:
        """Whether all that a tensor can be is one of `sources`, which are tensors of the graph."""
        if function is None and _tensor(tensor) in sources:
            return True
        nodes, name = self._nodes(function), node_name(tensor)
        if depth > _DEEPEST:
            return False
        if name in nodes:
            message = nodes.message(name)
            inputs = [it for it in message.input if not it.startswith("^")]
            if message.op in _PASSING and inputs:
                return self.comes_from(sources, function, inputs[0], depth + 1)
            if message.op == "ReadVariableOp" and function is None and inputs:
                # The path of an asset may be kept in a variable, which the start fills.
                values = self._assigned(inputs[0])
                return bool(values) and all(
                    self.comes_from(sources, None, it, depth + 1) for it in values
                )
            return False
        if function is None or name not in self.meta_graph.functions[function].arguments:
            return False
        return self._argument(sources, function, name, depth)

    def _argument(self, sources: set[str], function: str, name: str, depth: int) -> bool:
        place = self.meta_graph.functions[function].arguments.index(name)
        found: list[bool] = []
        for site in self.run.functions.get(function, ()):
            # A conditional has its condition before the arguments of its branches.
            first = len(site.inputs) - len(self.meta_graph.functions[function].arguments)
            given = site.inputs[first + place] if 0 <= first + place < len(site.inputs) else ""
            found.append(self.comes_from(sources, site.function, given, depth + 1))
        if function in self.run.bound:
            bound = self.run.bound[function]
            found.append(place < len(bound) and self._is_asset(bound[place], sources))
        return bool(found) and all(found)

    def _is_asset(self, number: int, sources: set[str]) -> bool:
        objects = self.meta_graph.objects.nodes
        known = sources is self.assets and 0 <= number < len(objects)
        return known and objects[number].WhichOneof("kind") == "asset"

    def _assigned(self, handle: str) -> list[str]:
        """Return all that is assigned to a variable, [] where that cannot be told."""
        name, graph = node_name(handle), self.meta_graph.nodes
        everywhere = [graph, *(it.nodes for it in self.meta_graph.functions.values())]
        handles = [it for nodes in everywhere for it in nodes.messages() if it.op == "VarHandleOp"]
        if (
            name not in graph
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


def _variable(message: Any) -> bytes:
    """Return the name that handles of one variable share."""
    attributes = attributes_of(message)
    shared = attributes["shared_name"].s if "shared_name" in attributes else b""
    return shared or str(message.name).encode()


def _saver(meta_graph: MetaGraph) -> Running:
    save = meta_graph.message.saver_def.save_tensor_name
    return running(meta_graph, [node_name(save)] if save else [], loading=False)


def _by_signatures(meta_graph: MetaGraph) -> Running:
    signatures = meta_graph.message.signature_def.values()
    ends = [node_name(info.name) for it in signatures for info in it.outputs.values()]
    return running(meta_graph, ends, loading=False)


def ends_of(meta_graph: MetaGraph, signature: Signature, tensors: Iterable[str]) -> list[str]:
    """Return the nodes of the graph that explaining asks for."""
    asked = [signature]
    if signature.key == "xai_model" and "xai_preprocess" in meta_graph.signatures:
        asked.append(meta_graph.signatures["xai_preprocess"])
    ends = [node_name(info.name) for it in asked for info in it.outputs.values()]
    for tensor in tensors:
        # Of a tensor inside a function, the call: what is before the first slash that is a node.
        name = tensor.rpartition(":")[0]
        prefixes = [name, *(name[:end] for end, letter in enumerate(name) if letter == "/")]
        ends += [it for it in prefixes if it in meta_graph.nodes][:1]
    return ends


def _assets(meta_graph: MetaGraph) -> Iterator[tuple[str, str]]:
    """Yield the file and the tensor of each asset."""
    from google.protobuf.message import DecodeError

    found = list(meta_graph.message.asset_file_def)
    collections = meta_graph.message.collection_def
    if _ASSETS in collections:
        kind = messages()("tensorflow.AssetFileDef")
        try:
            found += [kind.FromString(it.value) for it in collections[_ASSETS].any_list.value]
        except DecodeError as error:
            raise ModelError("the list of the model's assets is damaged") from error
    for asset in found:
        yield str(asset.filename), str(asset.tensor_info.name)


def _escapes(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    rooted = posix.is_absolute() or bool(windows.drive or windows.root)
    return rooted or ".." in (*posix.parts, *windows.parts)


def _tensor(name: str) -> str:
    """Return ``a:0`` for ``a``."""
    return name if ":" in name else f"{name}:0"
