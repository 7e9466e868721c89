"""Whether a gradient gets from the output back to a tensor, and which operation is in its way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from pellucid.linter.gradient_walk import (
    BRANCHES,
    LOOPS,
    Body,
    Live,
    TooLargeError,
    Walk,
    data_inputs,
)
from pellucid.saved_model import TRAINABLE, Function, MetaGraph

_DEEPEST_NAME = 32
# They read no values, so they are in the way of nothing.
SHAPES = ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike")


class Reach(Enum):
    """What comes back to a tensor from the output."""

    GRADIENT = "a gradient"
    ZERO = "a gradient that is 0 everywhere"
    NOTHING = "no gradient, although the output depends on it"
    UNCONNECTED = "nothing: the output does not depend on it"
    UNKNOWN = "nobody knows: there are too many operations to follow"


@dataclass(frozen=True, slots=True)
class Way:
    """The verdict on one tensor, and the operation that is in the way, if one is."""

    reach: Reach
    node: str | None = None
    op: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor: the bodies that lead to it, the calls between them, and its node or argument."""

    bodies: tuple[Body, ...]
    chain: tuple[str, ...]
    name: str
    index: int


def ways(
    meta_graph: MetaGraph, output: str, tensors: Iterable[str], *, beside: bool = False
) -> dict[str, Way]:
    """Return what comes back from `output` to each of `tensors`, all by their flat names.

    With `beside`, where a gradient comes back on one way, an operation that stops it on another is
    named, if there is one. Raises ModelError where the file is damaged.
    """
    found: dict[str, Way] = {}
    place = locate(meta_graph, output)
    try:
        paths = _Paths(meta_graph, place) if place else None
    except TooLargeError:
        return dict.fromkeys(tensors, Way(Reach.UNKNOWN))
    for tensor in tensors:
        where = locate(meta_graph, tensor)
        if paths is None or where is None:
            found[tensor] = Way(Reach.UNKNOWN)
            continue
        try:
            found[tensor] = paths.way(where)
            if beside and found[tensor].reach is Reach.GRADIENT:
                found[tensor] = Way(Reach.GRADIENT, *paths.beside(where))
        except TooLargeError:
            found[tensor] = Way(Reach.UNKNOWN)
    return found


def slopes(meta_graph: MetaGraph, output: str) -> Callable[[str], bool]:
    """Return whether a gradient that is not 0 comes back from `output` to a tensor, as a function.

    What is not known is taken for none. Raises ModelError where the file is damaged.
    """
    walk = Walk(meta_graph, steps=False)
    try:
        place = locate(meta_graph, output)
        frames = None if place is None else _back(place, walk)
    except TooLargeError:
        frames = None

    def comes(tensor: str) -> bool:
        where = locate(meta_graph, tensor)
        try:
            return where is not None and frames is not None and is_live(where, walk, frames)
        except TooLargeError:
            return False

    return comes


def locate(meta_graph: MetaGraph, flat: str, inside: Body | None = None) -> Place | None:
    """Return where a flat name leads: a call ``C`` and a node ``b`` of its function are ``C/b``.

    It is a name in the graph, or `inside` another body.
    """
    name, _, number = flat.rpartition(":")
    first = Body(meta_graph) if inside is None else inside
    waiting: list[tuple[tuple[Body, ...], tuple[str, ...], str]] = [((first,), (), name)]
    seen = set[tuple[str, str]]()
    while waiting:
        bodies, chain, rest = waiting.pop()
        body = bodies[-1]
        if rest in body.nodes or rest in body.arguments:
            return Place(bodies, chain, rest, int(number))
        here = (body.function.name if body.function else "", rest)
        if here in seen or len(chain) >= _DEEPEST_NAME:
            continue
        seen.add(here)
        deeper = []
        for end, letter in enumerate(rest):
            call = rest[:end]
            if letter == "/" and call in body.nodes:
                function = body.callee(call)
                if function is not None:
                    inner = (*bodies, Body(body.meta_graph, function))
                    deeper.append((inner, (*chain, call), rest[end + 1 :]))
        waiting += reversed(deeper)
    return None


@dataclass(slots=True)
class _Search:
    """What a search found: the operation looked for, or else the first that stops gradients."""

    found: tuple[str, str] | None = None
    other: tuple[str, str] | None = None


@dataclass
class _Paths:
    """All that is known of the ways from one output back."""

    meta_graph: MetaGraph
    output: Place
    _walk: Walk = field(init=False)
    _frames: dict[tuple[str, ...], Live] = field(init=False)

    def __post_init__(self) -> None:
        self._walk = Walk(self.meta_graph)
        self._frames = _back(self.output, self._walk)

    def way(self, place: Place) -> Way:
        """Return the verdict on one tensor."""
        if not is_live(place, self._walk, self._frames):
            search = self._obstacle(place, self._walk, _matters)
            obstacle = search.found or search.other
            return Way(Reach.NOTHING, *obstacle) if obstacle else Way(Reach.UNCONNECTED)
        if self._walk.lacking:
            # TensorFlow then refuses, whatever other ways there are.
            search = self._obstacle(place, self._walk, self._walk.lacking.__contains__)
            if search.found:
                return Way(Reach.NOTHING, *search.found)
        if self._walk.stepped:
            walk = Walk(self.meta_graph, steps=False)
            if not is_live(place, walk, _back(self.output, walk)):
                return Way(Reach.ZERO, *(self._obstacle(place, walk, _matters).found or ()))
        return Way(Reach.GRADIENT)

    def beside(self, place: Place) -> tuple[str, str] | tuple[()]:
        """Return an operation that stops a gradient on some way from a tensor, if there is one."""
        return self._obstacle(place, Walk(self.meta_graph, steps=False), _matters).found or ()

    def _obstacle(self, place: Place, walk: Walk, wanted: Callable[[str], bool]) -> _Search:
        """Return name and type of the first operation after a tensor that stops its gradient."""
        start, search = place.name, _Search()
        for depth in range(len(place.chain), -1, -1):
            body, chain = place.bodies[depth], place.chain[:depth]
            same = self.output.chain[: depth + 1] == place.chain[: depth + 1]
            if same and depth < len(self.output.chain):
                ends = data_inputs(body.nodes.message(self.output.chain[depth]))
            elif same and depth == len(self.output.chain):
                ends = [body.written(self.output.name, self.output.index)]
            else:
                ends = list(body.results)
            prefix = "".join(f"{it}/" for it in chain)
            self._forward(body, prefix, start, ends, walk, wanted, search)
            if search.found or not depth:
                break
            start = place.chain[depth - 1]
        return search

    def _forward(
        self,
        body: Body,
        prefix: str,
        start: str,
        ends: list[str],
        walk: Walk,
        wanted: Callable[[str], bool],
        search: _Search,
        depth: int = 0,
    ) -> None:
        """Search from `start` along what passes gradients; only what leads to `ends` counts."""
        leads, asked = _ancestors(walk, body, ends)
        consumers = _consumers(body, leads)
        queue, seen = deque([start]), {start}
        while queue:
            name = queue.popleft()
            for user, place in consumers.get(name, ()):
                walk.count()
                op = body.nodes.op(user)
                inner, passes = list(self._entered(walk, body, user, place)), False
                for function, argument in inner:
                    returned = tuple(function.returns.values())
                    results = asked.get(user, set())
                    if op in LOOPS:
                        results = set(range(len(returned)))
                    passes |= argument in walk.function(function, results).arguments
                    if depth < _DEEPEST and argument < len(function.arguments):
                        self._forward(
                            Body(self.meta_graph, function),
                            f"{prefix}{user}/",
                            function.arguments[argument],
                            [returned[it] for it in results if it < len(returned)],
                            walk,
                            wanted,
                            search,
                            depth + 1,
                        )
                        if search.found:
                            return
                if not inner and user not in seen:
                    passes = _passes(walk, body, user, place)
                    if not passes:
                        if wanted(op):
                            search.found = f"{prefix}{user}", op
                            return
                        search.other = search.other or (f"{prefix}{user}", op)
                if passes and user not in seen:
                    seen.add(user)
                    queue.append(user)

    def _entered(
        self, walk: Walk, body: Body, name: str, place: int
    ) -> Iterator[tuple[Function, int]]:
        """Yield the functions that an input of a node goes into, and as which argument."""
        callee, op = body.callee(name), body.nodes.op(name)
        if callee is not None:
            yield callee, place
        elif op in LOOPS:
            for function in walk.called(body.nodes.attributes(name), "body"):
                yield function, place
        elif op in BRANCHES and place:
            keys = ("then_branch", "else_branch", "branches")
            for function in walk.called(body.nodes.attributes(name), *keys):
                yield function, place - 1


_DEEPEST = 16


def _back(output: Place, walk: Walk) -> dict[tuple[str, ...], Live]:
    """Return what is live in the output's body and in those around it."""
    inside = output.name in output.bodies[-1].nodes
    seeds = [output.bodies[-1].written(output.name, output.index) if inside else output.name]
    frames: dict[tuple[str, ...], Live] = {}
    for depth in range(len(output.chain), -1, -1):
        live = frames[output.chain[:depth]] = walk.body(output.bodies[depth], seeds)
        if depth:
            call = output.bodies[depth - 1].nodes.message(output.chain[depth - 1])
            inputs = data_inputs(call)
            seeds = [inputs[it] for it in sorted(live.arguments) if it < len(inputs)]
    return frames


def is_live(place: Place, walk: Walk, frames: dict[tuple[str, ...], Live]) -> bool:
    """Return whether a gradient comes to a tensor, `frames` being what it comes to outside."""
    known = max(n for n in range(len(place.chain) + 1) if place.chain[:n] in frames)
    live = frames[place.chain[:known]]
    for depth in range(known, len(place.chain)):
        outputs = live.outputs.get(place.chain[depth], set())
        function = place.bodies[depth + 1].function
        assert function is not None, "only the first body is the graph"
        live = walk.function(function, outputs) if outputs else Live()
    body = place.bodies[-1]
    if place.name not in body.nodes:
        return body.arguments[place.name] in live.arguments
    if place.name in live.outputs:
        return place.index in live.outputs[place.name]
    written = (it for it in live.tensors if it.partition(":")[0] == place.name)
    return any(body.place_of(it) in (place.index, None) for it in written)


def _passes(walk: Walk, body: Body, name: str, place: int) -> bool:
    inputs = data_inputs(body.nodes.message(name))
    op = body.nodes.op(name)
    types = body.nodes[name].dtypes
    if types and not TRAINABLE.intersection((*types, *(["variant"] * ("unknown" in types)))):
        return False
    return op == "IdentityN" or inputs[place] in walk.passed(body, name, op, inputs)


def _matters(op: str) -> bool:
    return op not in SHAPES


def _consumers(body: Body, names: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
    """Return which of some nodes take the output of a node, and at which of their inputs."""
    consumers: dict[str, list[tuple[str, int]]] = {}
    for name in names:
        if name in body.nodes:
            for place, tensor in enumerate(data_inputs(body.nodes.message(name))):
                consumers.setdefault(tensor.partition(":")[0], []).append((name, place))
    return consumers


def _ancestors(walk: Walk, body: Body, ends: Iterable[str]) -> tuple[set[str], dict[str, set[int]]]:
    """Return the nodes and arguments that the tensors `ends` depend on, themselves included.

    For calls and their kin, the outputs that are asked for come along.
    """
    seen, asked = set[str](), dict[str, set[int]]()
    stack = list(ends)
    while stack:
        tensor = stack.pop()
        name = tensor.partition(":")[0]
        if name in body.nodes and walk.by_output(body.nodes.op(name)):
            place = body.place_of(tensor)
            asked.setdefault(name, set()).update(() if place is None else (place,))
        if name not in seen:
            seen.add(name)
            if name in body.nodes:
                stack += data_inputs(body.nodes.message(name))
    return seen, asked
