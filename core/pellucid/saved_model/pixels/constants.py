"""Small constants of a graph and what is computed of them alone, in plain Python.

A mean or a scale may be a constant, a variable, or what a few operations make of these:
``Maximum(Sqrt(variance), epsilon)``. Sizes that depend on the picture are unknown elements.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias

from pellucid.saved_model.nodes import Shape, shape_of
from pellucid.saved_model.pixels.scopes import Ref, data_inputs

LARGEST = 2**18
"""The most elements of a constant that is read: a mean picture of 295 x 295 x 3."""
Value: TypeAlias = "float | None"

_FORMATS = {
    1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 17: "H", 19: "e", 22: "I",
    23: "Q",
}  # fmt: skip
_FIELDS = ("float_val", "double_val", "int_val", "int64_val", "bool_val")
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_SAME = frozenset(
    ["Identity", "Cast", "StopGradient", "PreventGradient", "Snapshot", "ReadVariableOp", "Enter",
     "EnsureShape", "CheckNumerics", "PlaceholderWithDefault"]
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Numbers in a shape, row by row; None for an element that depends on the input.

    `learned` tells that a variable is in it, `statistic` that it is made with a square root, as the
    standard deviation of a variance is.
    """

    shape: tuple[int, ...]
    values: tuple[Value, ...]
    learned: bool = False
    statistic: bool = False

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values if all are known and finite."""
        known = tuple(it for it in self.values if it is not None and math.isfinite(it))
        return known if len(known) == len(self.values) else None

    @property
    def integers(self) -> tuple[int, ...] | None:
        """The values as integers if all are known."""
        return None if self.numbers is None else tuple(int(it) for it in self.numbers)


def _divide(a: float, b: float) -> float:
    return a / b if b else math.nan


def _root(a: float) -> float:
    return math.sqrt(a) if a >= 0 else math.nan


_ONE: Mapping[str, Callable[[float], float]] = {
    "Neg": lambda a: -a,
    "Sqrt": _root,
    "Rsqrt": lambda a: _divide(1, _root(a)),
    "Square": lambda a: a * a,
    "Reciprocal": lambda a: _divide(1, a),
    "Inv": lambda a: _divide(1, a),
}
_TWO: Mapping[str, Callable[[float, float], float]] = {
    "Add": lambda a, b: a + b,
    "AddV2": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "RealDiv": _divide,
    "Div": _divide,
    "FloorDiv": lambda a, b: math.floor(a / b) if b else math.nan,
    "Maximum": max,
    "Minimum": min,
    "Pow": lambda a, b: a**b if a > 0 or b == int(b) >= 0 else math.nan,
}


class Constants:
    """The values of tensors that depend on constants alone, each worked out once.

    `read` gives the shape and bytes of the variable that an operation of the top-level graph makes,
    with the number of its type; `shapes` what is known of the shapes of other tensors.
    """

    def __init__(
        self,
        read: Callable[[str], tuple[tuple[int, ...], int, bytes] | None],
        shapes: Callable[[Ref], Shape],
    ) -> None:
        self._read = read
        self._shapes = shapes
        self._known: dict[Ref, Constant | None] = {}

    def input(self, at: Ref, place: int) -> Constant | None:
        """Return the value of a data input of an operation, or None."""
        inputs = data_inputs(at.scope.nodes.message(at.name))
        return self.value(at.scope.resolve(inputs[place])) if place < len(inputs) else None

    def value(self, ref: Ref) -> Constant | None:
        """Return the value of a tensor, or None if it is not constant, or too large."""
        waiting, begun = [ref], set[Ref]()
        while waiting:
            here = waiting[-1]
            if here in self._known:
                waiting.pop()
            elif here in begun:  # what it needs is known now; a cycle has no value
                self._known[here] = self._compute(here)
            else:
                begun.add(here)
                waiting += self._needed(here)
        return self._known[ref]

    def _needed(self, ref: Ref) -> list[Ref]:
        """Return the tensors whose values an operation on constants reads."""
        message = ref.scope.nodes.find(ref.name)
        if message is None or ref.output or message.op not in _COMPUTED:
            return []
        return [ref.scope.resolve(it) for it in data_inputs(message)]

    def _compute(self, ref: Ref) -> Constant | None:
        message = ref.scope.nodes.find(ref.name)
        if message is None or ref.output:
            return None
        op = message.op
        if op == "Const":
            attributes = ref.scope.nodes.attributes(ref.name)
            return of_tensor(attributes["value"].tensor) if "value" in attributes else None
        if op in _VARIABLES:
            found = self._read(ref.name) if ref.scope.function is None else None
            value = None if found is None else of_bytes(*found)
            return None if value is None else replace(value, learned=True)
        if op in ("Shape", "Rank", "Size"):
            return self._of_shape(op, ref, data_inputs(message))
        if op not in _COMPUTED:
            return None
        values = [self._known.get(it) for it in self._needed(ref)]
        found_all = [it for it in values if it is not None]
        if not found_all or len(found_all) < len(values):
            return None
        if op in _SAME:
            return found_all[0]
        if op in _ONE:
            return _each(_ONE[op], op, found_all[0])
        if op in _TWO:
            return _broadcast(_TWO[op], *found_all[:2])
        attributes = ref.scope.nodes.attributes(ref.name)
        return _SHAPED[op](found_all, attributes)

    def _of_shape(self, op: str, ref: Ref, inputs: list[str]) -> Constant | None:
        shape = self._shapes(ref.scope.resolve(inputs[0]))
        if shape is None:
            return None
        if op == "Shape":
            return Constant(shape=(len(shape),), values=shape)
        if op == "Rank":
            return Constant(shape=(), values=(len(shape),))
        sizes = [it for it in shape if it is not None]
        return Constant(shape=(), values=(math.prod(sizes) if len(sizes) == len(shape) else None,))


def of_tensor(tensor: Any) -> Constant | None:
    """Return the numbers in a TensorProto, or None for other types and large ones."""
    shape = shape_of(tensor.tensor_shape)
    if shape is None or None in shape:
        return None
    sizes = tuple(it for it in shape if it is not None)
    count = math.prod(sizes)
    if count > LARGEST:
        return None
    if tensor.tensor_content:
        return of_bytes(sizes, tensor.dtype, tensor.tensor_content)
    if tensor.dtype == 19 or tensor.dtype == 14:  # half precision, as the bits of integers
        code = "<H" if tensor.dtype == 19 else "<I"
        bits = [struct.pack(code, it << (0 if code == "<H" else 16)) for it in tensor.half_val]
        given = [struct.unpack("<e" if code == "<H" else "<f", it)[0] for it in bits]
    else:
        given = next((list(v) for f in _FIELDS if (v := getattr(tensor, f))), [])
    if not given and count:
        given = [0] if tensor.dtype in _FORMATS else []
    if not given:
        return None if count else Constant(shape=sizes, values=())
    # The last value stands for all that follow.
    values = [*given[:count], *[given[-1]] * (count - len(given))]
    return Constant(shape=sizes, values=tuple(values))


def of_bytes(shape: tuple[int, ...], dtype: int, content: bytes) -> Constant | None:
    """Return numbers from little-endian bytes, or None for types that are no numbers."""
    count = math.prod(shape)
    if dtype == 14:
        halves = struct.unpack(f"<{count}H", content)
        values = struct.unpack(f"<{count}f", b"".join(struct.pack("<I", it << 16) for it in halves))
    elif dtype in _FORMATS and len(content) == count * struct.calcsize(f"<{_FORMATS[dtype]}"):
        values = struct.unpack(f"<{count}{_FORMATS[dtype]}", content)
    else:
        return None
    return Constant(shape=shape, values=values)


def _each(function: Callable[[float], float], op: str, one: Constant) -> Constant:
    values = tuple(None if it is None else function(it) for it in one.values)
    return replace(one, values=values, statistic=one.statistic or op in ("Sqrt", "Rsqrt"))


def _broadcast(
    function: Callable[[float, float], float], one: Constant, other: Constant
) -> Constant | None:
    rank = max(len(one.shape), len(other.shape))
    left, right = ((1,) * (rank - len(it.shape)) + it.shape for it in (one, other))
    if any(a != b and 1 not in (a, b) for a, b in zip(left, right, strict=True)):
        return None
    shape = tuple(a if b == 1 else b for a, b in zip(left, right, strict=True))
    if math.prod(shape) > LARGEST:
        return None
    pairs = zip(_spread(one, left, shape), _spread(other, right, shape), strict=True)
    values = tuple(None if a is None or b is None else function(a, b) for a, b in pairs)
    return Constant(
        shape=shape,
        values=values,
        learned=one.learned or other.learned,
        statistic=one.statistic or other.statistic,
    )


def _spread(one: Constant, own: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[Value]:
    """Yield the values of a constant as if it had been broadcast to `shape`."""
    if own == shape:
        yield from one.values
        return
    strides = [math.prod(own[k + 1 :]) if own[k] > 1 else 0 for k in range(len(own))]
    for index in product(*map(range, shape)):
        yield one.values[sum(i * s for i, s in zip(index, strides, strict=True))]


Shaped: TypeAlias = "Callable[[list[Constant], Mapping[str, Any]], Constant | None]"


def _reshaped(inputs: list[Constant], _: Mapping[str, Any]) -> Constant | None:
    wanted = inputs[1].integers
    if wanted is None:
        return None
    known = math.prod(it for it in wanted if it >= 0)
    count = len(inputs[0].values)
    shape = tuple(it if it >= 0 else count // max(known, 1) for it in wanted)
    return replace(inputs[0], shape=shape) if math.prod(shape) == count else None


def _expanded(inputs: list[Constant], _: Mapping[str, Any]) -> Constant | None:
    axis = inputs[1].integers
    if not axis:
        return None
    shape = list(inputs[0].shape)
    place = axis[0] if axis[0] >= 0 else axis[0] + len(shape) + 1
    shape.insert(place, 1)
    return replace(inputs[0], shape=tuple(shape))


def _squeezed(inputs: list[Constant], attributes: Mapping[str, Any]) -> Constant:
    shape = inputs[0].shape
    written = attributes["squeeze_dims"].list.i if "squeeze_dims" in attributes else ()
    chosen = {it % len(shape) for it in written} if shape else set()
    kept = (n for k, n in enumerate(shape) if n != 1 or (chosen and k not in chosen))
    return replace(inputs[0], shape=tuple(kept))


def _packed(inputs: list[Constant], _: Mapping[str, Any]) -> Constant | None:
    if any(it.shape for it in inputs):
        return None
    values = tuple(it.values[0] for it in inputs)
    return replace(_merged(inputs), shape=(len(values),), values=values)


def _joined(inputs: list[Constant], _: Mapping[str, Any]) -> Constant | None:
    *parts, axis = inputs
    if any(len(it.shape) != 1 for it in parts) or axis.integers is None:
        return None
    values = tuple(value for it in parts for value in it.values)
    return replace(_merged(parts), shape=(len(values),), values=values)


def _filled(inputs: list[Constant], _: Mapping[str, Any]) -> Constant | None:
    shape = inputs[0].integers
    if shape is None or math.prod(shape) > LARGEST or min(shape, default=1) < 0:
        return None
    return replace(inputs[1], shape=shape, values=inputs[1].values * math.prod(shape))


def _sliced(inputs: list[Constant], attributes: Mapping[str, Any]) -> Constant | None:
    """Slice a vector, as shapes are."""
    one, *limits = inputs
    begin, end, stride = (it.integers for it in limits)
    if len(one.shape) != 1 or not begin or not end or not stride or len(begin) != 1:
        return None
    masks = {key: attributes[key].i if key in attributes else 0 for key in MASKS}
    if masks["ellipsis_mask"] or masks["new_axis_mask"]:
        return None
    if masks["shrink_axis_mask"]:
        if not -len(one.values) <= begin[0] < len(one.values):
            return None
        return replace(one, shape=(), values=(one.values[begin[0]],))
    start = None if masks["begin_mask"] else begin[0]
    stop = None if masks["end_mask"] else end[0]
    values = one.values[start : stop : stride[0] or 1]
    return replace(one, shape=(len(values),), values=values)


def _merged(parts: list[Constant]) -> Constant:
    learned, statistic = any(it.learned for it in parts), any(it.statistic for it in parts)
    return replace(parts[0], learned=learned, statistic=statistic)


MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
_SHAPED: Mapping[str, Shaped] = {
    "Reshape": _reshaped,
    "ExpandDims": _expanded,
    "Squeeze": _squeezed,
    "Pack": _packed,
    "ConcatV2": _joined,
    "Fill": _filled,
    "StridedSlice": _sliced,
}
_COMPUTED = _SAME | {*_ONE, *_TWO, *_SHAPED}
