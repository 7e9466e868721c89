"""Many small operands as one: an operation costs microseconds, however little is in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pellucid.runtime.engine.tensorflow import tf

MANY = 8
"""So many operands are worth to be joined and parted again."""


class Sized(Protocol):
    """What is known of an operand."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> Any: ...
    @property
    def shape(self) -> tuple[int | None, ...] | None: ...


Operand = TypeVar("Operand", bound=Sized)


def groups_of(operands: Sequence[Operand]) -> Iterator[list[Operand]]:
    """Yield the operands that are computed as one: many of one type and known size, or one."""
    alike: dict[Any, list[Operand]] = {}
    for operand in operands:
        if operand.shape is not None and None not in operand.shape:
            alike.setdefault(operand.dtype, []).append(operand)
    many = [group for group in alike.values() if len(group) >= MANY]
    yield from many
    taken = {operand.name for group in many for operand in group}
    yield from ([operand] for operand in operands if operand.name not in taken)


def joined(tensors: Mapping[str, Any], group: Sequence[Sized]) -> Any:
    """Return the tensors [n, …] of a group as one, [n, Σ sizes]; a lone one stays as it is."""
    if len(group) == 1:
        return tensors[group[0].name]
    flat = [tf.reshape(tensors[it.name], [-1, _size(it)]) for it in group]
    return tf.concat(flat, 1)


def parted(tensor: Any, group: Sequence[Sized]) -> dict[str, Any]:
    """Return the tensors [n, …] that were joined, by name."""
    if len(group) == 1:
        return {group[0].name: tensor}
    parts = tf.split(tensor, [*map(_size, group)], 1)
    return {
        it.name: part if len(it.shape or ()) == 1 else tf.reshape(part, [-1, *(it.shape or ())])
        for it, part in zip(group, parts, strict=True)
    }


def _size(operand: Sized) -> int:
    return math.prod(n or 0 for n in operand.shape or ())
