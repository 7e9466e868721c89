"""Many small operands fed and differentiated as one: each array that travels costs microseconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.model import Array, Layout, Parted, Tensors
from pellucid.runtime.engine.joined_operands import groups_of, parted
from pellucid.runtime.engine.kernels import Operand


class Parts(dict[str, Any]):
    """Tensors by name, and the `wholes` that some are parts of, by the names of these."""

    def __init__(self) -> None:
        super().__init__()
        self.wholes: dict[tuple[str, ...], Any] = {}


class Joint:
    """The operands of a network, of which many that are alike stand side by side in one.

    `operands` are those that are fed; a group [n, Σ sizes] is one of them, of which the members
    stand in an order that may be given, else in that of their names.
    """

    def __init__(
        self, operands: Sequence[Operand], *, join: bool = True, order: Sequence[str] = ()
    ) -> None:
        self.groups: dict[str, list[Operand]] = {}
        self._layouts: dict[str, Layout] = {}
        fed: list[Operand] = []
        places = {name: place for place, name in enumerate(order)}
        real = sorted(
            (o for o in operands if o.real and join),
            key=lambda o: (places.get(o.name, len(order)), o.name),
        )
        for group in groups_of(real):
            if len(group) == 1:
                fed += group
                continue
            first, last = group[0], group[-1]
            name = f"{first.name} … {last.name} (joined)"
            shapes = [tuple(n or 0 for n in o.shape or ()) for o in group]
            size = sum(map(math.prod, shapes))
            self.groups[name] = group
            self._layouts[name] = Layout(tuple(o.name for o in group), tuple(shapes))
            fed.append(Operand(name=name, dtype=first.dtype, shape=(size,), explained=True))
        # What is alone stays in its order.
        alone = {o.name for o in fed} - self.groups.keys()
        self.operands = (
            *(o for o in fed if o.name in self.groups),
            *(o for o in operands if not (join and o.real) or o.name in alone),
        )

    def arrays(self, tensors: Tensors, *, real: bool = False) -> dict[str, Array]:
        """Return the arrays that are fed, [n, …], of operands or of `real` ones alone."""
        return {
            o.name: self._layouts[o.name].joined(tensors)
            if o.name in self.groups
            else tensors[o.name]
            for o in self.operands
            if o.real or not real
        }

    def parts(self, rows: Mapping[str, Any]) -> Parts:
        """Return the tensors [r, …] of the network's own operands."""
        found = Parts()
        for name, row in rows.items():
            if name in self.groups:
                found |= parted(row, self.groups[name])
                found.wholes[self._layouts[name].names] = row
            else:
                found[name] = row
        return found

    def apart(self, arrays: Tensors) -> Tensors:
        """Return arrays [p, …] by the names of the network's own operands."""
        if len(arrays) == 1 and (name := next(iter(arrays))) in self.groups:
            return Parted(arrays[name], self._layouts[name])
        found: dict[str, Array] = {}
        for name, array in arrays.items():
            if name in self.groups:
                found |= dict(Parted(array, self._layouts[name]))
            else:
                found[name] = np.asarray(array)
        return found

    def members(self, name: str) -> list[str]:
        """Return the names of the network's own operands that one which is fed is made of."""
        return [o.name for o in self.groups[name]] if name in self.groups else [name]
