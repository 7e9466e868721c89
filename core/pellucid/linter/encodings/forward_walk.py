"""What depends on a tensor: forward through a graph and the functions that it calls.

Tensors have their flat names, so that what is found can be written into metadata as it is.
Conditionals and loops are passed, not entered: what is inside them no metadata can name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pellucid.linter.gradient_flow import SHAPES, Place, locate
from pellucid.linter.gradient_walk import MOST_STEPS, Body, data_inputs
from pellucid.saved_model import Function, MetaGraph, node_name, reachable


@dataclass(frozen=True, slots=True)
class Spot:
    """A tensor: its flat name, the operation that makes it (None: an argument), and its type."""

    name: str
    op: str | None
    dtype: str


@dataclass
class Frame:
    """The graph or one call of a function: who reads which of its tensors."""

    body: Body
    chain: tuple[str, ...]
    ends: tuple[str, ...]
    parent: Frame | None = None
    inner: dict[str, Frame] = field(default_factory=dict)

    @cached_property
    def readers(self) -> dict[tuple[str, int], list[tuple[str, int]]]:
        """The nodes that read a tensor, and as which of their inputs; only what leads to ends."""
        found: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for name in reachable(self.body.nodes, [node_name(it) for it in self.ends]):
            for place, tensor in enumerate(data_inputs(self.body.nodes.message(name))):
                found.setdefault(self.key(tensor), []).append((name, place))
        return found

    @cached_property
    def results(self) -> dict[tuple[str, int], list[int]]:
        """Which of the results of a function a tensor is."""
        found: dict[tuple[str, int], list[int]] = {}
        for place, tensor in enumerate(self.body.results):
            found.setdefault(self.key(tensor), []).append(place)
        return found

    def key(self, tensor: str) -> tuple[str, int]:
        """Return the node of a tensor, and which of its outputs it is."""
        name = tensor.partition(":")[0]
        return name, 0 if name in self.body.arguments else self.body.place_of(tensor) or 0

    def entered(self, call: str) -> Frame | None:
        """Return the frame of a call, if a node is one."""
        if call not in self.inner:
            function = self.body.callee(call)
            if function is None or len(self.chain) >= _DEEPEST:
                return None
            body = Body(self.body.meta_graph, function)
            self.inner[call] = Frame(body, (*self.chain, call), body.results, self)
        return self.inner[call]

    def spot(self, node: str, index: int) -> Spot:
        """Return a tensor of this frame by its node."""
        flat = f"{'/'.join((*self.chain, node))}:{index}"
        if node in self.body.arguments:
            function = self.body.function
            return Spot(flat, None, function.argument(node).dtype if function else "unknown")
        made = self.body.nodes[node]
        dtype = made.dtypes[index] if index < len(made.dtypes) else "unknown"
        return Spot(flat, made.op, dtype)


_DEEPEST = 32


class Forward:
    """Walks forward in one graph, from any of its tensors towards one output.

    With `inside`, the graph is the body of that function, and the outputs are all that it returns.
    """

    def __init__(
        self, meta_graph: MetaGraph, output: str = "", inside: Function | None = None
    ) -> None:
        self.meta_graph, self.output = meta_graph, output
        body = Body(meta_graph, inside)
        top = output.rpartition(":")[0]
        while top and top not in meta_graph.nodes:
            top = top.rpartition("/")[0]
        self._graph = Frame(body, (), body.results if inside is not None else (top,))

    def place(self, tensor: str) -> Place | None:
        """Return where a flat name leads in this graph."""
        return locate(self.meta_graph, tensor, self._graph.body)

    def returned(self, tensors: Iterable[str]) -> set[int]:
        """Return which of the results of the function some tensors are."""
        known = {f"{node}:{index}": places for (node, index), places in self._graph.results.items()}
        return {place for tensor in tensors for place in known.get(tensor, ())}

    def after(
        self, tensor: str, *, stop: Callable[[Spot], bool] = lambda spot: False
    ) -> dict[Spot, list[str]]:
        """Return what depends on a tensor, nearest first, and from which tensors it was reached.

        What `stop` says is an end is returned and not gone beyond.
        """
        place = self.place(tensor)
        if place is None:
            return {}
        frame: Frame | None = self._graph
        for call in place.chain:
            frame = frame.entered(call) if frame else None
        if frame is None:
            return {}
        first = frame, place.name, place.index
        queue, found = deque([first]), dict[Spot, list[str]]()
        while queue and len(found) < MOST_STEPS:
            here, node, index = queue.popleft()
            source = here.spot(node, index).name
            for other, name, number in _next(here, node, index):
                spot = other.spot(name, number)
                if spot in found:
                    found[spot].append(source)
                    continue
                found[spot] = [source]
                if not stop(spot):
                    queue.append((other, name, number))
        return found


def _next(frame: Frame, node: str, index: int) -> Iterator[tuple[Frame, str, int]]:
    """Yield the tensors that read one, in their frames."""
    if frame.parent is not None:
        for place in frame.results.get((node, index), ()):
            yield frame.parent, frame.chain[-1], place
    for user, place in frame.readers.get((node, index), ()):
        op = frame.body.nodes.op(user)
        inner = frame.entered(user)
        if inner is not None:
            arguments = tuple(inner.body.arguments)
            if place < len(arguments):
                yield inner, arguments[place], 0
        elif op == "IdentityN":
            yield frame, user, place
        elif op not in SHAPES:
            for number in range(max(1, len(frame.body.nodes[user].dtypes))):
                yield frame, user, number
