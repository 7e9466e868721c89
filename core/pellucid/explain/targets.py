"""Which outputs are explained, and what they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata import ExplanationParameters, Nested
from pellucid.model import Array
from pellucid.notices import Hint, Where


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


def check_scores(
    prediction: Array,
    chosen: Sequence[Array],
    named: Callable[[int], str],
    numbers: Sequence[int],
    *,
    ranked: bool,
    lost: Sequence[bool] = (),
) -> None:
    """Raise InstanceError for an instance with an output that nothing can explain.

    Outputs are `chosen` of the prediction [n, …], and `named` by their flat indices. If they were
    `ranked`, one that is not a number is no good anywhere: nobody knows its rank. −∞, as of a class
    that is masked, is the last.
    """
    scores = np.asarray(prediction, np.float64).reshape(len(prediction), -1)
    for at, (number, row, targets) in enumerate(zip(numbers, scores, chosen, strict=True)):
        bad = [int(it) for it in targets if not np.isfinite(row[it])]
        bad += np.flatnonzero(np.isnan(row)).tolist() if ranked else []
        if bad:
            raise InstanceError(
                f"the model's output is not finite ({row[bad[0]]} at {named(bad[0])}), which "
                "nothing can explain",
                where=Where(instance=number),
                hint=Hint(
                    "the instance has missing values, which the model does not handle: choose "
                    "{missing:baseline} or {missing:mean}"
                )
                if len(lost) and lost[at]
                else "",
            )


def output_text(name: str, index: tuple[int, ...], label: str | None) -> str:
    """Write which output is meant: ``output 'scores' [2] ('cat')``."""
    at = f" {list(index)}" if index else ""
    return f"output '{name}'{at}" + (f" ('{label}')" if label is not None else "")


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
