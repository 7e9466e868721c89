"""Where the examples of an index come from: files and folders, or instances as `explain` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pellucid.errors import InstanceError, SpecError
from pellucid.examples import EXTRAS, id_of, read_examples
from pellucid.inputs import Beside, InputInfo, Instance
from pellucid.notices import Warn


def examples_of(
    examples: Any,
    inputs: Sequence[InputInfo],
    records: Callable[[Any, Beside], Sequence[Instance]],
    beside: Callable[[Sequence[str]], Beside],
    *,
    on_error: Callable[[InstanceError], None] | None,
    warn: Warn,
) -> Iterator[tuple[str, Instance]]:
    """Return examples with their ids; `records` reads those that are no files.

    Raises SpecError where no source is named.
    """
    if isinstance(examples, str | Path):
        examples = [Path(examples)]
    if isinstance(examples, list) and all(isinstance(it, Path) for it in examples):
        if not examples:
            raise SpecError("there are no examples", hint="name a file or a folder of them")
        return read_examples(examples, inputs, on_error=on_error, warn=warn, beside=beside(()))
    found = records(examples, beside(EXTRAS))
    return ((id_of(r, r.source or str(r.index), several=False), r) for r in found)
