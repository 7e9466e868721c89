"""A graph with its function calls entered: who makes a tensor, and who reads it.

A tensor is a `Ref`: a body of operations, as it is reached through calls, an operation of it (or
the argument of a function that nobody calls) and the number of the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from pellucid.saved_model.nodes import Nodes
from pellucid.saved_model.op_table import output_place
from pellucid.saved_model.reader import Function, MetaGraph, Signature

_DEEPEST = 32
_MOST_PASSES = 100_000
_LOOPS = ("While", "StatelessWhile")
_VARIANT = 21  # the type of lists of tensors


class TooDeepError(Exception):
    """Functions that call each other deeper than models do: one that calls itself, for example."""


class Ref(NamedTuple):
    """Output number `output` of the operation `name` in `scope`."""

    scope: Scope
    name: str
    output: int

    @property
    def flat_name(self) -> str:
        """The name as if every call were inlined."""
        return f"{self.scope.prefix}{self.name}"


class Read(NamedTuple):
    """An operation of `scope` that reads a tensor as its data input number `place`."""

    scope: Scope
    message: Any
    place: int


class Scope:
    """The top-level graph as far as the outputs of a signature need it, or a function's body.

    `call` is the scope and the operation that call the function. The body of a loop is entered for
    the lists that it reads and writes item by item, as `tf.map_fn` does; what else goes round in it
    is something new each time.
    """

    def __init__(
        self,
        meta_graph: MetaGraph,
        ends: tuple[str, ...],
        function: Function | None = None,
        call: tuple[Scope, Any] | None = None,
    ) -> None:
        self.meta_graph = meta_graph
        self.ends = ends
        self.function = function
        self.call = call
        self.prefix: str = "" if call is None else f"{call[0].prefix}{call[1].name}/"
        self.loops: bool = call is not None and call[1].op in _LOOPS
        self.depth: int = 0 if call is None else call[0].depth + 1
        if self.depth > _DEEPEST:
            raise TooDeepError
        self._children: dict[str, Scope | None] = {}

    @classmethod
    def of_signature(cls, meta_graph: MetaGraph, signature: Signature) -> Scope:
        """Return the top-level graph, seen from the outputs of a signature."""
        return cls(meta_graph, tuple(info.name for info in signature.outputs.values()))

    @cached_property
    def nodes(self) -> Nodes:
        return self.meta_graph.nodes if self.function is None else self.function.nodes

    @cached_property
    def arguments(self) -> dict[str, int]:
        names = () if self.function is None else self.function.arguments
        return {name: place for place, name in enumerate(names)}

    def child(self, message: Any) -> Scope | None:
        """Return the body of the function that an operation calls and does nothing else, if any.

        That of a loop, too.
        """
        name = message.name
        if name not in self._children:
            called = self.nodes.called(name)
            if message.op in _LOOPS:
                called = str(self.nodes.attributes(name)["body"].func.name)
            scope = None
            if called is not None and called in self.meta_graph.functions:
                function = self.meta_graph.functions[called]
                ends = tuple(function.returns.values())
                scope = Scope(self.meta_graph, ends, function, (self, message))
            self._children[name] = scope
        return self._children[name]

    def forget(self) -> None:
        """Let go of the bodies that were entered: they know their callers, a cycle."""
        for scope in self._children.values():
            if scope is not None:
                scope.forget()
        self._children.clear()

    def index_of(self, tensor: str) -> int:
        """Return which output of its operation a tensor is, as it is written in this body."""
        node, _, rest = tensor.partition(":")
        output, colon, number = rest.rpartition(":")
        if self.function is None or not colon:
            return int(rest) if rest.isdecimal() else 0
        message = self.nodes.find(node)
        callee = self.meta_graph.functions.get(message.op)
        if callee is not None:
            names = [it.name for it in callee.message.signature.output_arg]
            return names.index(output) if output in names else 0
        first = output_place(message.op, self.nodes.attributes(node), output)
        return (first or 0) + int(number)

    def resolve(self, tensor: str) -> Ref:
        """Return what makes a tensor that is written in this body, through calls and arguments."""
        scope = self
        for _ in range(_MOST_PASSES):
            name = tensor.partition(":")[0]
            message = scope.nodes.find(name)
            if message is None:
                if scope.call is None or name not in scope.arguments:
                    return Ref(scope, name, 0)
                outer, call = scope.call
                place = scope.arguments[name]
                if scope.loops and not scope._stays(place):
                    return Ref(scope, name, 0)
                tensor, scope = data_inputs(call)[place], outer
                continue
            index = scope.index_of(tensor)
            child = scope.child(message)
            if child is None or index >= len(child.ends):
                return Ref(scope, name, index)
            tensor, scope = child.ends[index], child
        raise TooDeepError  # it is passed around in a circle

    def _stays(self, place: int) -> bool:
        """Whether an argument of a loop's body is given back as it is."""
        name, end = self.function_argument(place), self.ends[place].partition(":")[0]
        while (message := self.nodes.find(end)) is not None and message.op == "Identity":
            end = message.input[0].partition(":")[0]
        return end == name

    def takes(self, place: int) -> bool:
        """Whether what is given to a call is what its function works on."""
        if not self.loops:
            return place < len(self.arguments)
        assert self.function is not None, "a loop has a body"
        return bool(self.function.message.signature.input_arg[place].type == _VARIANT)

    @cached_property
    def _readers(self) -> dict[str, list[tuple[Any, int, str]]]:
        """Who reads each operation or argument; in the top-level graph, for the ends alone."""
        found: dict[str, list[tuple[Any, int, str]]] = {}
        for message in self._needed() if self.function is None else self.nodes.messages():
            for place, tensor in enumerate(message.input):
                if tensor[0] == "^":
                    break  # those that are only waited for stand last
                found.setdefault(tensor.partition(":")[0], []).append((message, place, tensor))
        return found

    def _needed(self) -> Iterator[Any]:
        """Yield the operations that the ends depend on for data.

        Most of a top-level graph saves and restores variables, or has trained the model.
        """
        waiting = [it.partition(":")[0] for it in self.ends]
        seen = set(waiting)
        while waiting:
            message = self.nodes.find(waiting.pop())
            if message is not None:
                yield message
                names = {it.partition(":")[0] for it in data_inputs(message)}
                waiting += names - seen
                seen |= names

    def matters(self, name: str) -> bool:
        """Whether a result of the body depends on an operation for data."""
        if self.function is None:
            return True
        ends = {it.partition(":")[0] for it in self.ends}
        waiting, seen = [name], {name}
        while waiting:
            it = waiting.pop()
            if it in ends:
                return True
            for message, _, _ in self._readers.get(it, ()):
                if message.name not in seen:
                    seen.add(message.name)
                    waiting.append(message.name)
        return False

    def reads(self, ref: Ref) -> Iterator[Read]:
        """Yield the operations that read a tensor of this body, inside and outside of calls."""
        seen = {ref}
        stack = [self._read_here(ref)]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
            elif isinstance(found, Read):
                yield found
            elif found not in seen:
                seen.add(found)
                stack.append(found.scope._read_here(found))

    def _read_here(self, ref: Ref) -> Iterator[Read | Ref]:
        """Yield who reads a tensor in this body, and what it is called inside and outside."""
        for message, place, tensor in self._readers.get(ref.name, ()):
            if self.index_of(tensor) != ref.output:
                continue
            child = self.child(message)
            if child is None or (child.loops and not child.takes(place)):
                yield Read(self, message, place)
            elif child.takes(place):
                yield Ref(child, child.function_argument(place), 0)
        if self.call is None:
            return
        caller, call = self.call
        for place, end in enumerate(self.ends):
            if self.loops and not self.takes(place):
                continue
            if end.partition(":")[0] == ref.name and self.index_of_end(end) == ref.output:
                yield Ref(caller, call.name, place)

    def function_argument(self, place: int) -> str:
        """Return the name of an argument of the function."""
        assert self.function is not None, "a graph has no arguments"
        return self.function.arguments[place]

    def index_of_end(self, end: str) -> int:
        """Return which output of its operation, or that it is the argument, an end is."""
        return 0 if end.partition(":")[0] in self.arguments else self.index_of(end)


def data_inputs(message: Any) -> list[str]:
    """Return what an operation reads, without what it only waits for."""
    return [it for it in message.input if not it.startswith("^")]
