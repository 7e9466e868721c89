"""The names of the classes, where the model itself has them: constants, label files, outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.files import read_text
from pellucid.saved_model.nodes import Node, Nodes, node_name
from pellucid.saved_model.reader import Function, MetaGraph, Signature

_TABLES = ("LookupTableFind", "LookupTableFindV2")
_FILLED = ("InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2")
_LABELS = re.compile(r"label|class|categor", re.IGNORECASE)
_LARGEST = 1 << 20
_DEEPEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassNames:
    """Names for each index of an output, or the key of the output that carries them.

    `source` says where they were found.
    """

    names: tuple[str, ...] | None = None
    key: str | None = None
    source: str


def find_class_names(
    meta_graph: MetaGraph, signature: Signature, output: str, directory: Path
) -> ClassNames | None:
    """Return the names of an output [batch, n] of a signature, or None if the model has none.

    In this order: the one string constant of n names that an output of strings is made of; the one
    file of n lines among the assets that is named after labels or classes; an output of strings of
    the same shape, as classifiers of TensorFlow 1 have it.
    """
    shape = signature.outputs[output].shape
    if shape is None or len(shape) != 2:
        return None
    count = shape[1]
    texts = {
        key: info
        for key, info in signature.outputs.items()
        if info.dtype == "string" and key != output
    }
    if count is not None and count > 1:
        for key, info in texts.items():
            found = {
                names for names in _Strings(meta_graph).constants(info.name) if len(names) == count
            }
            if len(found) == 1 and _differ(names := found.pop()):
                return ClassNames(names=names, source=f"the constant behind output '{key}'")
        files = {path: names for path, names in _label_files(directory) if len(names) == count}
        if len(files) == 1:
            path, names = files.popitem()
            if all(names):  # which may occur twice, as ImageNet's cranes
                where = path.relative_to(directory).as_posix()
                return ClassNames(names=names, source=where)
    for key, info in texts.items():
        if info.shape == shape and (count or 0) != 1:
            return ClassNames(key=key, source=f"output '{key}'")
    return None


def _differ(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names) and all(names)


def _label_files(directory: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield the lines of the text files among the assets that are named after labels."""
    for folder in ("assets", "assets.extra"):
        for path in sorted((directory / folder).glob("*.txt")):
            small = path.is_file() and path.stat().st_size <= _LARGEST
            if small and _LABELS.search(path.name):
                try:
                    yield path, tuple(read_text(path).rstrip().splitlines())
                except UnicodeDecodeError:
                    continue


@dataclass(frozen=True, slots=True)
class _Place:
    """A function that is entered by a node of another place; the graph itself is None, None."""

    function: Function | None = None
    caller: tuple[_Place, str] | None = None


class _Strings:
    """Walks from a tensor of strings to the constants of strings that it is made of."""

    def __init__(self, meta_graph: MetaGraph) -> None:
        self.meta_graph = meta_graph
        self.seen: set[tuple[str, str]] = set()

    def constants(self, tensor: str) -> set[tuple[str, ...]]:
        """Return the values of all constants that are vectors."""
        return set(self.walk(_Place(), tensor, 0))

    def nodes(self, place: _Place) -> Nodes:
        return place.function.nodes if place.function else self.meta_graph.nodes

    def walk(self, place: _Place, tensor: str, depth: int) -> Iterator[tuple[str, ...]]:
        name, nodes = node_name(tensor), self.nodes(place)
        here = (place.function.name if place.function else "", tensor)
        if here in self.seen or depth > _DEEPEST:
            return
        self.seen.add(here)
        if name not in nodes:
            yield from self.outside(place, name, depth)
            return
        node = nodes[name]
        if node.op == "Const":
            yield from _values(nodes, name)
        elif node.call is not None:
            yield from self.inside(place, node, tensor, depth)
        else:
            for read in self.strings_read(place, node):
                yield from self.walk(place, read, depth + 1)

    def outside(self, place: _Place, name: str, depth: int) -> Iterator[tuple[str, ...]]:
        """Follow an argument to what its function is called with."""
        if place.function is None or place.caller is None:
            return
        outer, caller = place.caller
        inputs = [it for it in self.nodes(outer)[caller].inputs if not it.startswith("^")]
        if name in place.function.arguments:
            number = place.function.arguments.index(name)
            if number < len(inputs):
                yield from self.walk(outer, inputs[number], depth + 1)

    def inside(
        self, place: _Place, node: Node, tensor: str, depth: int
    ) -> Iterator[tuple[str, ...]]:
        """Follow the result of a call into its function."""
        function = self.meta_graph.functions[str(node.call)]
        results = function.returns
        _, _, rest = tensor.partition(":")
        word, _, number = rest.rpartition(":")
        if word in results:
            returned = results[word]
        else:
            index = int(number) if number.isdecimal() else 0
            returned = list(results.values())[index] if index < len(results) else ""
        if returned:
            yield from self.walk(_Place(function, (place, node.name)), returned, depth + 1)

    def strings_read(self, place: _Place, node: Node) -> Iterator[str]:
        """Yield what a node reads and is of strings; of a table, what it was filled with."""
        nodes = self.nodes(place)
        inputs = [it for it in node.inputs if not it.startswith("^")]
        if node.op in _TABLES and inputs:
            table = node_name(inputs[0])
            for name in nodes:
                if nodes.op(name) in _FILLED and nodes.input_names(name)[0] == table:
                    yield nodes[name].inputs[2]
        for tensor in inputs:
            name = node_name(tensor)
            if name in nodes:
                types = nodes[name].dtypes
                number = tensor.rpartition(":")[2]
                index = int(number) if number.isdecimal() else 0
                if index < len(types) and types[index] == "string":
                    yield tensor
            elif self.is_text(place, name):
                yield tensor

    def is_text(self, place: _Place, argument: str) -> bool:
        function = place.function
        if function is None or argument not in function.arguments:
            return False
        return function.argument(argument).dtype == "string"


def _values(nodes: Nodes, name: str) -> Iterator[tuple[str, ...]]:
    """Yield the values of a constant, if it is a vector of strings in UTF-8."""
    tensor = nodes.attributes(name)["value"].tensor
    if len(tensor.tensor_shape.dim) == 1 and tensor.string_val:
        try:
            yield tuple(value.decode("utf-8") for value in tensor.string_val)
        except UnicodeDecodeError:
            return
