"""Where gradients flow: back from outputs through a graph and its functions, without TensorFlow.

What each operation passes on is in the table of `saved_model.op_table`. Calls, conditionals and
loops are entered; a body is followed once for each set of results that a gradient comes to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pellucid.saved_model import (
    CALLS,
    TRAINABLE,
    Function,
    MetaGraph,
    Nodes,
    operation,
    output_index,
    type_name,
)

LOOPS = ("While", "StatelessWhile")
BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase")
_DEEPEST = 64
MOST_STEPS = 200_000


class TooLargeError(Exception):
    """More operations than are followed."""


@dataclass(slots=True)
class Live:
    """What a gradient comes to in one body: tensors as they are written there, and arguments.

    `outputs` are the live outputs of the nodes whose outputs differ: calls and their kin.
    """

    tensors: set[str] = field(default_factory=set)
    arguments: frozenset[int] = frozenset()
    outputs: dict[str, set[int]] = field(default_factory=dict)


@dataclass
class Body:
    """The graph (`function` is None), or a function of its library."""

    meta_graph: MetaGraph
    function: Function | None = None

    @cached_property
    def nodes(self) -> Nodes:
        return self.meta_graph.nodes if self.function is None else self.function.nodes

    @cached_property
    def arguments(self) -> dict[str, int]:
        names = () if self.function is None else self.function.arguments
        return {name: place for place, name in enumerate(names)}

    @property
    def results(self) -> tuple[str, ...]:
        """The tensors that a function returns."""
        return () if self.function is None else tuple(self.function.returns.values())

    def callee(self, name: str) -> Function | None:
        """Return the function that a node calls and does nothing else."""
        called = self.nodes.called(name)
        return None if called is None else self.meta_graph.functions[called]

    def written(self, node: str, place: int) -> str:
        """Return a tensor as `place_of` reads it."""
        return f"{node}:{place}" if self.function is None else f"{node}::{place}"

    def place_of(self, tensor: str) -> int | None:
        """Return which output of its node a tensor is, as it is written in this body."""
        if self.function is None:
            number = tensor.rpartition(":")[2]
            return int(number) if number.isdecimal() else 0
        return output_index(self.nodes, self.meta_graph.functions, tensor)


def data_inputs(message: Any) -> list[str]:
    """Return what a node reads, without what it only waits for."""
    return [it for it in message.input if not it.startswith("^")]


class Walk:
    """Follows gradients through one meta graph; those that are 0 count if `steps` is true.

    `lacking` are the types of operations that a gradient came to and that have none; `stepped`
    tells that it came to one whose gradient is 0, or may be. Raises TooLargeError, and ModelError
    where attributes are damaged.
    """

    def __init__(self, meta_graph: MetaGraph, *, steps: bool = True) -> None:
        self.meta_graph = meta_graph
        self.steps = steps
        self.stepped = False
        self.lacking: set[str] = set()
        self._known: dict[tuple[str, frozenset[int]], Live] = {}
        self._masks: dict[str, tuple[str, ...] | None] = {}
        self._depth = 0
        self._count = 0

    def function(self, function: Function, results: Iterable[int]) -> Live:
        """Return what is live in a function when a gradient comes to these of its results."""
        key = function.name, frozenset(results)
        if key not in self._known:
            self._known[key] = Live()  # what calls itself adds nothing
            body = Body(self.meta_graph, function)
            returned = body.results
            if self._depth >= _DEEPEST:
                raise TooLargeError
            self._depth += 1
            seeds = [returned[it] for it in sorted(key[1]) if it < len(returned)]
            self._known[key] = self.body(body, seeds)
            self._depth -= 1
        return self._known[key]

    def body(self, body: Body, seeds: Iterable[str]) -> Live:
        """Return what is live in a body when a gradient comes to the tensors `seeds`."""
        live = Live(tensors=set(seeds))
        # A graph may have hundreds of thousands of operations: this is the loop that counts.
        tensors, find, masks = live.tensors, body.nodes.find, self._masks
        stack, done, arguments = list(tensors), set[str](), set[int]()
        while stack:
            tensor = stack.pop()
            name = tensor.partition(":")[0]
            if name in done:
                continue
            message = find(name)
            if message is None:
                if name in body.arguments:
                    arguments.add(body.arguments[name])
                continue
            op = message.op
            inputs = data_inputs(message)
            mask = masks[op] if op in masks else self.mask(op)
            if mask in _ALL:
                done.add(name)
                read = inputs
            elif mask == _BY_OUTPUT:
                place = body.place_of(tensor)
                known = live.outputs.setdefault(name, set())
                if place is None or place in known:
                    continue
                known.add(place)
                places: Iterable[int] = self.inner(body, name, known)
                read = [inputs[it] for it in places if it < len(inputs)]
            else:
                done.add(name)
                read = self.passed(body, name, op, inputs)
                if mask is None and inputs:
                    self.lacking.add(op)
            self.count()
            for it in read:
                if it not in tensors:
                    tensors.add(it)
                    stack.append(it)
        live.arguments = frozenset(arguments)
        return live

    def count(self) -> None:
        """Count a step. Raises TooLargeError."""
        self._count += 1
        if self._count > MOST_STEPS:
            raise TooLargeError

    def by_output(self, op: str) -> bool:
        """Whether each output of an operation depends on other inputs of it."""
        return (
            op == "IdentityN"
            or op in CALLS
            or op in LOOPS
            or op in BRANCHES
            or op in self.meta_graph.functions
        )

    def mask(self, op: str) -> tuple[str, ...] | None:
        """Return the signs of an operation's inputs; () if it stops gradients, None if it has none.

        Operations that TensorFlow does not have are another rule's business: they pass all.
        """
        if op not in self._masks:
            known = operation(op)
            if self.by_output(op):
                self._masks[op] = _BY_OUTPUT
            elif known is None:
                self._masks[op] = ("y*",)
            elif known.gradient == "zero":
                self.stepped = True
                self._masks[op] = ("y*",) if self.steps else ()
            else:
                self._masks[op] = None if known.gradient == "none" else known.flows
        return self._masks[op]

    def passed(self, body: Body, name: str, op: str, inputs: list[str]) -> list[str]:
        """Return the inputs that a gradient is passed on to by an operation that is no call."""
        mask = self.mask(op)
        if mask is None or not mask:
            return []
        if mask in _ALL:
            return inputs
        return [
            inputs[place]
            for place, sign in enumerate(_spread(mask, len(inputs)))
            if place < len(inputs)
            and (sign == "y" or (sign[0] == "?" and self._trainable(body.nodes, name, sign[1:])))
        ]

    def _trainable(self, nodes: Nodes, name: str, attr: str) -> bool:
        attributes = nodes.attributes(name)
        return attr not in attributes or type_name(attributes[attr].type) in TRAINABLE

    def inner(self, body: Body, name: str, outputs: set[int]) -> set[int]:
        """Return the inputs that a gradient comes to behind a call, a conditional or a loop."""
        message = body.nodes.message(name)
        callee = body.callee(name)
        if callee is not None:
            return set(self.function(callee, outputs).arguments)
        if message.op == "IdentityN":
            saved = self._saved_gradient(body, name)
            return set(outputs) if saved is None else saved
        attributes = body.nodes.attributes(name)
        if message.op in LOOPS:
            # A loop that never turns passes everything on; strictly, it turns at least once.
            self.stepped = True
            live = set(outputs) if self.steps else set()
            for function in self.called(attributes, "body"):
                while True:
                    found = live | self.function(function, live | outputs).arguments
                    if found == live:
                        break
                    live = found
            return live
        live = set()
        for function in self.called(attributes, "then_branch", "else_branch", "branches"):
            live |= {1 + it for it in self.function(function, outputs).arguments}
        return live

    def called(self, attributes: Mapping[str, Any], *keys: str) -> Iterator[Function]:
        """Yield the functions that attributes name."""
        for key in keys:
            if key in attributes:
                value = attributes[key]
                for it in (value.func, *value.list.func):
                    if it.name in self.meta_graph.functions:
                        yield self.meta_graph.functions[it.name]

    @cached_property
    def _registered(self) -> dict[bytes, str]:
        found = self.meta_graph.graph.library.registered_gradients
        return {it.registered_op_type.encode(): it.gradient_func for it in found}

    def _saved_gradient(self, body: Body, name: str) -> set[int] | None:
        """Return the inputs that a gradient which was saved with the model gives a value for."""
        if not self._registered:
            return None
        attributes = body.nodes.attributes(name)
        if "_gradient_op_type" not in attributes:
            return None
        function = self._registered.get(attributes["_gradient_op_type"].s)
        if function not in self.meta_graph.functions:
            return None
        concrete = self.meta_graph.objects.concrete_functions
        if function not in concrete:
            return None
        structure = concrete[function].output_signature
        kind = structure.WhichOneof("kind")
        if kind not in ("list_value", "tuple_value"):
            return {0}
        values = getattr(structure, kind).values
        return {i for i, it in enumerate(values) if it.WhichOneof("kind") != "none_value"}


_BY_OUTPUT = ("by output",)
_ALL = (("y",), ("y*",), ("y", "y"), ("y", "y", "y"))


def _spread(mask: tuple[str, ...], count: int) -> Iterator[str]:
    """Yield the sign of each of `count` inputs: a sign for many takes what the others leave."""
    rest = count - len(mask) + 1
    many = sum(it.endswith("*") for it in mask)
    for sign in mask:
        if not sign.endswith("*"):
            yield sign
        elif many == 1:
            yield from [sign[:-1]] * rest
        else:  # which of several takes how many is not known: each is as good as the best
            best = "y" if "y*" in mask else sign[:-1]
            yield from [best] * rest
