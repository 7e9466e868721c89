"""What a model looks up of a text: the words behind the rows of its embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from pellucid.errors import ModelError
from pellucid.explain import LookedUp
from pellucid.linter import TokenTensors
from pellucid.model import Tensors
from pellucid.runtime.backends.base import CompileSpec
from pellucid.runtime.backends.flat_graph import GraphFunction
from pellucid.runtime.engine.failures import FAILURES, Unsupported


@dataclass(frozen=True)
class GraphTokenReader:
    """A `TokenReader` of the texts in `tensors`; nothing is known of them where the graph fails.

    `varying` tells that an embedding may have as many rows as its text has words.
    """

    compile_spec: CompileSpec
    tensors: Mapping[str, TokenTensors]
    varying: bool

    @property
    def features(self) -> frozenset[str]:
        return frozenset(self.tensors)

    def read(self, inputs: Tensors) -> dict[str, LookedUp]:
        function = self._function
        if function is None:
            return {}
        try:
            found = function.encode(inputs)
        except FAILURES:
            return {}  # the explanation itself has not failed
        return {
            name: LookedUp(keys=found[f"{name} keys"], ids=found.get(f"{name} ids"))
            for name in self.tensors
        }

    @cached_property
    def _function(self) -> GraphFunction | None:
        wanted = {
            f"{name} {kind}": tensor
            for name, it in self.tensors.items()
            for kind in ("keys", "ids")
            if (tensor := getattr(it, kind)) is not None
        }
        try:
            return GraphFunction(replace(self.compile_spec, explained={}), wanted)
        except (ModelError, Unsupported):
            return None
