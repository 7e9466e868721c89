"""What is compiled of a model, whichever backend does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pellucid.model import Obstacle
from pellucid.notices import Hint
from pellucid.runtime.engine.free_memory import free_memory
from pellucid.runtime.graph.reinitialise import Reinitialisation
from pellucid.saved_model import Batch


def held(key: str) -> str:
    """Return the name of the operand that holds a request input: no feature has such a name."""
    return f"{key} (held)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileSpec:
    """What is to be compiled; every tensor name is a flat name.

    `request` maps the keys of a request to tensors, `explained` maps features to the tensors that
    attributions are for (which may lie behind the request's), `output` is the explained output.
    `parallel_batches` is how many blocks of rows may be computed at a time, by a thread each.
    `obstacles` returns, for each feature, an operation that stops gradients on their way from the
    output, by its flat name, and `squasher` the type of a softmax or sigmoid that the output comes
    from: as far as the graph tells. `way_out` says what to do where no gradient reaches the
    explained tensors. `trusted` tells that the model may touch more than tensors; `refuse_loader`
    raises UnsafeModelError where it is not, and TensorFlow's own loader might do so: it is given
    the reason why that has to take the model. `reinitialised` draws
    weights anew. Some features are in the `records`, inputs by their keys, which are operands as
    explained tensors are; `ends` has the inputs that a batch may not end with an empty one of, with
    what makes a record one with values in all of its lists. `varying` tells that a tensor is as
    long as each instance has it. `free_memory` tells how many bytes can be had, None = unknown.
    """

    directory: Path
    meta_graph: Any
    signature_key: str
    request: Mapping[str, str]
    explained: Mapping[str, str]
    output: str
    batch: Batch = Batch()
    device: str = "auto"
    parallel_batches: int = 1
    obstacles: Callable[[], Mapping[str, Obstacle]] = dict
    squasher: Callable[[], str | None] = lambda: None
    trusted: bool = False
    refuse_loader: Callable[[str], None] = lambda reason: None
    way_out: Callable[[], Hint | None] = lambda: None
    reinitialised: Reinitialisation | None = None
    records: Collection[str] = ()
    ends: Mapping[str, bytes | None] = field(default_factory=dict)
    varying: bool = False
    free_memory: Callable[[], int | None] = free_memory

    @property
    def computes(self) -> bool:
        """Whether an explained tensor is none of the request's."""
        return not set(self.explained.values()) <= set(self.request.values())

    @property
    def ends_of_operands(self) -> dict[str, bytes | None]:
        """The `ends` by the names of operands, whether held or explained."""
        features = {tensor: name for name, tensor in self.explained.items()}
        return {features.get(self.request[key], held(key)): it for key, it in self.ends.items()}

    @property
    def takes_any_rows(self) -> bool:
        """Whether a batch may have one row more."""
        return self.batch.axis and self.batch.rows is None

    @property
    def checkpoint(self) -> str:
        """The prefix of the checkpoint's files."""
        return str(self.directory / "variables" / "variables")
