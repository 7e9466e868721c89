"""The operations of a graph or of a function, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeAlias, final

from pellucid.errors import EndlessCallsError, ModelError
from pellucid.saved_model.directory import AGAIN
from pellucid.saved_model.op_table import operation, output_place, output_types
from pellucid.saved_model.protobuf import messages

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
FLOAT_TYPES = ("float16", "bfloat16", "float32", "float64")
# Of Keras models in Keras models, ten are deep; of the largest networks, a million are many.
MOST_DEEP = 100
MOST_EXPANDED = 5_000_000
Shape: TypeAlias = "tuple[int | None, ...] | None"
"""The length of each axis, None where it is free; None for an unknown rank."""


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
        return len(self.dtypes) if self.call is not None and self.op in CALLS else None


@final
class Nodes(Mapping[str, Node]):
    """The nodes of a graph or of a function by name, each made when it is asked for."""

    def __init__(self, found: Sequence[Any], functions: Callable[[], Mapping[str, Any]]) -> None:
        self._messages = found
        self._functions = functions

    @cached_property
    def _places(self) -> dict[str, int]:
        return {message.name: place for place, message in enumerate(self._messages)}

    def __getitem__(self, name: str) -> Node:
        message = self.message(name)
        attributes = attributes_of(message)
        functions = self._functions()
        call = _call(str(message.op), attributes, functions)
        if call is not None and call == message.op:
            dtypes = functions[call].result_types
        else:
            dtypes = output_types(message.op, attributes, type_name)
        return Node(
            name=str(message.name),
            op=str(message.op),
            inputs=tuple(message.input),
            call=call,
            dtypes=dtypes,
            shapes=shapes_of(attributes),
        )

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def has_namesakes(self) -> bool:
        """Whether two nodes have one name, so that readers may differ in which one they take."""
        return len(self._places) < len(self._messages)

    def message(self, name: str) -> Any:
        """Return the node as it is in the file: a light NodeDef, its attributes as bytes."""
        return self._messages[self._places[name]]

    def find(self, name: str) -> Any:
        """Return the node as it is in the file, or None."""
        place = self._places.get(name)
        return None if place is None else self._messages[place]

    def messages(self) -> Sequence[Any]:
        """Return all nodes as they are in the file, namesakes included."""
        return self._messages

    def op(self, name: str) -> str:
        """Return the operation's type without making the node."""
        return str(self.message(name).op)

    @cached_property
    def ops(self) -> frozenset[str]:
        """The types of all operations."""
        return frozenset({message.op for message in self._messages})

    def input_names(self, name: str) -> tuple[str, ...]:
        """Return the nodes or arguments that a node reads or waits for."""
        return tuple(node_name(it) for it in self.message(name).input)

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of a node: AttrValue messages by name. Raises ModelError."""
        return attributes_of(self.message(name))

    def called(self, name: str) -> str | None:
        """Return the function that a node calls, without making the node."""
        message = self.message(name)
        if message.op not in CALLS:
            return str(message.op) if message.op in self._functions() else None
        return _call(str(message.op), attributes_of(message), self._functions())


def node_name(tensor: str) -> str:
    """Return the node of an input as a graph writes it: ``^x``, ``x:1`` and ``x`` are of ``x``."""
    return tensor.lstrip("^").partition(":")[0]


def output_index(nodes: Nodes, functions: Mapping[str, Any], tensor: str) -> int | None:
    """Return which output of its node a tensor is, as a function's body writes it.

    That is ``node:output:0``, and for an argument its bare name. None if there is no such output.
    """
    node, _, rest = tensor.partition(":")
    output, colon, number = rest.rpartition(":")
    if not (number or "0").isdecimal():
        output, colon, number = rest, ":", "0"
    place = int(number or 0)
    if not colon or not output:
        return place
    op = nodes.op(node)
    if op in functions:
        names = [it.name for it in functions[op].message.signature.output_arg]
        return names.index(output) if output in names else None
    first = output_place(op, nodes.attributes(node), output)
    return None if first is None else first + place


def shape_of(message: Any) -> Shape:
    """Return a TensorShapeProto as a tuple."""
    if message.unknown_rank:
        return None
    return tuple(None if it.size < 0 else int(it.size) for it in message.dim)


@cache
def _dtype_names() -> Mapping[int, str]:
    special = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16", "INVALID": "unknown"}
    values = messages()("tensorflow.TensorProto").DESCRIPTOR.fields_by_name["dtype"].enum_type
    names = ((it.number, it.name.removeprefix("DT_").removesuffix("_REF")) for it in values.values)
    return {number: special.get(name, name.lower()) for number, name in names}


def type_name(number: int) -> str:
    """Return the name of a type: ``float32``, ``string``; a reference is of the type itself."""
    return _dtype_names().get(number, "unknown")


def attributes_of(message: Any) -> dict[str, Any]:
    """Return the attributes of a light NodeDef. Raises ModelError where they are damaged."""
    from google.protobuf.message import DecodeError

    attribute = messages()("light.Attribute")
    try:
        entries = [attribute.FromString(it) for it in message.attr]
    except DecodeError as error:
        raise ModelError(
            f"the attributes of operation '{message.name}' ({message.op}) are damaged", hint=AGAIN
        ) from error
    return {entry.key: entry.value for entry in entries}


def _call(op: str, attributes: Mapping[str, Any], functions: Mapping[str, Any]) -> str | None:
    if op in CALLS:
        name = attributes["f"].func.name if "f" in attributes else ""
        return str(name) if name in functions else None
    return op if op in functions else None


def shapes_of(attr: Mapping[str, Any]) -> tuple[Shape, ...]:
    """Return the shapes of the first outputs, as far as the attributes tell, else ()."""
    if "_output_shapes" in attr:
        return tuple(shape_of(it) for it in attr["_output_shapes"].list.shape)
    if "value" in attr and attr["value"].WhichOneof("value") == "tensor":
        return (shape_of(attr["value"].tensor.tensor_shape),)
    if "shape" in attr and attr["shape"].WhichOneof("value") == "shape":
        return (shape_of(attr["shape"].shape),)
    return ()


def functions_called(functions: Mapping[str, Any], message: Any) -> Iterator[str]:
    """Yield the functions that a node calls in one way or another, known or not."""
    known = operation(message.op)
    if message.op in functions:
        yield message.op
    elif known is not None and not known.calls:
        return
    waiting = list(attributes_of(message).values())
    while waiting:
        value = waiting.pop()
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name
            waiting += function.attr.values()


def refuse_endless_calls(graph: Nodes, functions: Mapping[str, Any]) -> None:
    """Raise EndlessCallsError for functions that call each other in a circle, or without measure.

    Calls are expanded in their places, by TensorFlow as well: what calls itself has no end, and of
    thirty functions that call the next one twice, the last is there a thousand million times.
    """
    if not functions:
        return
    # By function, None being the graph: how deep its calls go, and how many nodes they become.
    depth: dict[str | None, int] = {}
    size: dict[str | None, int] = {}
    within: dict[str | None, list[str]] = {}
    for first in (None, *functions):
        waiting: list[str | None] = [first]
        while waiting:
            name = waiting[-1]
            if name in depth:
                waiting.pop()
            elif name not in within:
                nodes = graph if name is None else functions[name].nodes
                within[name] = _callees(functions, nodes)
                for callee in dict.fromkeys(within[name]):
                    if callee in within and callee not in depth:
                        raise EndlessCallsError(_circle(waiting, callee))
                    waiting.append(callee)
            else:
                nodes = graph if name is None else functions[name].nodes
                called = within[name]
                depth[name] = 1 + max((depth[it] for it in called), default=0)
                size[name] = len(nodes.messages()) + sum(size[it] for it in called)
                _refuse_measure(name, depth[name], size[name])


def _callees(functions: Mapping[str, Any], nodes: Nodes) -> list[str]:
    """Return the functions that nodes call, as often as they do."""
    calling = {
        op for op in nodes.ops if op in functions or (known := operation(op)) is None or known.calls
    }
    return [
        name
        for message in (nodes.messages() if calling else ())
        if message.op in calling
        for name in functions_called(functions, message)
        if name in functions
    ]


def _circle(waiting: Sequence[str | None], callee: str) -> str:
    caller = waiting[-1]
    if caller == callee:
        return f"the function '{callee}' calls itself"
    return f"the functions '{callee}' and '{caller}' call each other, directly or not"


def _refuse_measure(name: str | None, depth: int, size: int) -> None:
    here = f"the function '{name}'" if name is not None else "the graph"
    if depth > MOST_DEEP:
        what = f"{here} calls functions that call others more than {MOST_DEEP} deep"
        raise EndlessCallsError(what)
    if size > MOST_EXPANDED:
        what = f"{here} has more than {MOST_EXPANDED} operations once its calls are expanded"
        raise EndlessCallsError(what)
