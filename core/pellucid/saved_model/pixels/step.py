"""An operation that reads a view of the picture, with the constants that it reads beside it."""

from __future__ import annotations

from typing import Any

from pellucid.saved_model.pixels.constants import Constant, Constants
from pellucid.saved_model.pixels.scopes import Read, Ref, data_inputs
from pellucid.saved_model.pixels.view import View


class Step:
    """An operation, the view that it reads, and the constants of the graph."""

    def __init__(self, read: Read, view: View, constants: Constants) -> None:
        self.view = view
        self.place = read.place
        self.ref = Ref(read.scope, str(read.message.name), 0)
        self.op = str(read.message.op)
        self.inputs = data_inputs(read.message)
        self.where = self.ref.flat_name
        self._constants = constants

    @property
    def attributes(self) -> dict[str, Any]:
        return self.ref.scope.nodes.attributes(self.ref.name)

    def number(self, key: str) -> int:
        """Return an attribute that is an integer, 0 where it is absent."""
        attributes = self.attributes
        return int(attributes[key].i) if key in attributes else 0

    def constant(self, place: int) -> Constant | None:
        return self._constants.input(self.ref, place)

    def value(self, ref: Ref) -> Constant | None:
        """Return the value of any tensor, None if it is not constant."""
        return self._constants.value(ref)

    def integers(self, place: int) -> tuple[int, ...] | None:
        """Return an input that is a list of integers, or a single one."""
        found = self.constant(place)
        return None if found is None else found.integers
