"""Which outputs are explained, and what they are called."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import SpecError
from pellucid.metadata import ExplanationParameters, Nested
from pellucid.model import Array
from pellucid.notices import Where


def targets_of(prediction: Array, parameters: ExplanationParameters) -> list[Array]:
    """Return the flat indices to explain of each row of a prediction [n, …].

    "topK … defaults to 1 … When set to -1, returns explanations for all outputs"; ties go to the
    lower index. outputIndices go before: as they are given. "If neither topK nor outputIndices is
    populated, returns the argmax". Raises SpecError for an index outside the output.
    """
    n = len(prediction)
    if parameters.output_indices is not None:
        shape = prediction.shape[1:]
        return [np.array([_flat_index(i, shape) for i in parameters.output_indices])] * n
    scores = np.asarray(prediction, np.float64).reshape(n, -1)
    count = 1 if parameters.top_k is None else parameters.top_k
    order = np.argsort(-scores, axis=1, kind="stable")
    return list(order if count == -1 else order[:, :count])


def _flat_index(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    written = index[0] if len(index) == 1 else list(index)
    if len(index) != len(shape) and not (len(index) == 1 and int(np.prod(shape)) == 1):
        raise SpecError(
            f"{written} has {len(index)} axes and the output of one instance has {len(shape)}, "
            f"{list(shape)}",
            where=Where(path="outputIndices"),
        )
    try:
        return int(np.ravel_multi_index(index, shape or (1,)))
    except ValueError:
        raise SpecError(
            f"{written} is outside the output, whose shape for one instance is {list(shape)}",
            where=Where(path="outputIndices"),
        ) from None


def name_at(names: Nested | Array | None, index: tuple[int, ...]) -> str | None:
    """Return the name of an output in nested names; None where there is none."""
    found: Any = names
    for i in index or (0,):
        if isinstance(found, tuple | list | np.ndarray) and i < len(found):
            found = found[i]
        else:
            return None
    return (
        found.decode(errors="replace")
        if isinstance(found, bytes)
        else (found if isinstance(found, str) else None)
    )
