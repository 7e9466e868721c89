"""What an explainer needs of a model: to be asked, and to say what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pellucid.model import Array, Model, Obstacle, Tensors
from pellucid.notices import Hint


class ServedModel(Model, Protocol):
    """A `Model` that also takes requests: from a request's arrays to what it explains."""

    def preprocess(self, request: Tensors) -> Tensors:
        """Return the inputs of the signature for those of the request."""
        ...

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands, explained and held, for the inputs of the signature."""
        ...

    def encode_together(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands of one batch, in which a row may depend on those beside it.

        Repeats of the last may follow, where a batch has a fixed size.
        """
        ...

    def predict(self, x: Tensors) -> Array:
        """Return the output in its own shape, [n, …]."""
        ...

    def display_names(self, request: Tensors) -> Array | None:
        """Return the names of the outputs, [n, …], from the model itself, if it has them."""
        ...

    @property
    def backend(self) -> str:
        """The name of the way the model is run."""
        ...

    def way_out(self) -> Hint | None:
        """Return what to do where no gradient reaches what is explained."""
        ...

    @property
    def random_ops(self) -> tuple[str, ...]:
        """The ops that make the model answer differently each time."""
        ...

    @property
    def mixes_rows(self) -> bool:
        """Whether an answer depends on the rows beside it, so that each row is asked alone."""
        ...

    @property
    def varying(self) -> bool:
        """Whether a feature is as long as each instance has it, so that each is asked alone."""
        ...

    @property
    def absent(self) -> Mapping[str, object]:
        """What stands for a value that is left out of its list, by feature."""
        ...

    @property
    def held(self) -> tuple[str, ...]:
        """The request's inputs that the output depends on beside what is explained."""
        ...

    @property
    def obstacles(self) -> Mapping[str, Obstacle]:
        """An operation that stops gradients on their way to each feature, if the graph has one."""
        ...

    @property
    def squasher(self) -> str | None:
        """The type of the softmax or sigmoid that makes the output, if one does."""
        ...
