"""Whether a model's answer to a row depends on the rows beside it: a row is asked alone, and again.

Batch statistics, a softmax over the batch, `x - mean(x, 0)` give another answer in company. A
condition on a whole batch may do so in some company only: such a model is asked a few times more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.errors import PellucidError
from pellucid.model import Array, Tensors
from pellucid.runtime.engine.failures import FAILURES

# Of the largest output: what the order of a sum changes is far below, what company changes above.
TOLERANCE, HALF_TOLERANCE = 1e-3, 3e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a model, or of a part of it: `ask` takes rows [r, …] by name.

    The inputs `single` have one value for a batch. `restless` tells that it may answer differently
    each time, `conditional` that another batch may go another way, and `half` whether it rounds as
    half precision does.
    """

    ask: Callable[[Tensors], dict[str, Array]]
    single: Collection[str]
    restless: bool
    conditional: bool
    half: Callable[[], bool]

    def mixes_rows(
        self, x: Tensors, found: Mapping[str, Array], together: int, fixed: int | None
    ) -> bool:
        """Whether the answer to one of the rows `x` depends on the rows beside it.

        `found` are the answers to them, the first `together` of which were one batch; `fixed` is
        the number of rows that the model insists on. The first and the last row are asked alone,
        or a single one in company, as a row may depend on those before it or on those after it: it
        costs two rows (or batches, where these are fixed), and eight more where the model is
        conditional.
        """
        row = {name: value[:1] for name, value in x.items()}
        last = {name: value[together - 1 : together] for name, value in x.items()}
        apart = any((value[1:together] != value[0]).any() for value in x.values())
        # A row beside its like is as good as alone.
        alone = self._answer(row, None, fixed) if apart else found
        if alone is None:
            return False
        if self.restless:
            again = self._answer(row, None, fixed)
            if again is None or self._differ(again, alone):
                return False  # nobody can tell
        if not apart:
            mixes = self._changes(row, alone, fixed)
        else:
            mixes = self._differ(found, alone) or self._ends_otherwise(last, found, together, fixed)
        return mixes or (self.conditional and self._takes_other_ways(row, alone, fixed))

    def _ends_otherwise(
        self, last: Tensors, found: Mapping[str, Array], together: int, fixed: int | None
    ) -> bool:
        """Whether the last row of a batch is answered otherwise alone."""
        alone = self._answer(last, None, fixed)
        end = {name: value[together - 1 : together] for name, value in found.items()}
        return alone is not None and self._differ(end, alone)

    def _changes(self, row: Tensors, alone: Mapping[str, Array], fixed: int | None) -> bool:
        """Whether made-up company changes the answer; a model that takes none is asked alone."""
        for other in in_company(row, self.single):
            answer = self._answer(row, other, fixed)
            if answer is not None:
                return self._differ(answer, alone)
        return self._answer(row, row, fixed) is None

    def _takes_other_ways(
        self, row: Tensors, alone: Mapping[str, Array], fixed: int | None
    ) -> bool:
        low = shrunk(row, self.single)
        for one, known in ((row, alone), (low, self._answer(low, None, fixed))):
            for other in extremes(row, self.single):
                answer = self._answer(one, other, fixed)
                if known is not None and answer is not None and self._differ(answer, known):
                    return True
        return False

    def _answer(
        self, row: Tensors, other: Tensors | None, fixed: int | None
    ) -> Mapping[str, Array] | None:
        """Return the answer for a row, [1, …], alone or behind another one, None if it is refused.

        What a row depends on mostly comes before it: a running sum, the first row as a reference.
        """
        count = (fixed or (1 if other is None else 2)) - 1
        batch = {}
        for name, value in row.items():
            more = value if other is None or name in self.single else other[name]
            batch[name] = np.concatenate([more] * count + [value])
        try:
            found = self.ask(batch)
        except (PellucidError, *FAILURES):
            return None
        return {name: value[count : count + 1] for name, value in found.items()}

    def _differ(self, one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
        """Whether the first rows of two answers are other than by rounding."""
        for name, value in one.items():
            if _apart(value[0], other[name][0], TOLERANCE):
                return not self.half() or _apart(value[0], other[name][0], HALF_TOLERANCE)
        return False


def in_company(row: Tensors, single: Collection[str]) -> Iterator[dict[str, Array]]:
    """Yield other rows to put beside a `row` [1, …], from the most to the least unlike.

    The first has greater and smaller numbers than the row, the second repeats one of the row's own,
    which is in the domain of whatever looks it up. What is `single` is one for a batch.
    """
    for change in (_spread, _uniform):
        beside = {name: value if name in single else change(value) for name, value in row.items()}
        if any(not np.array_equal(beside[name], value) for name, value in row.items()):
            yield beside


def extremes(row: Tensors, single: Collection[str]) -> Iterator[dict[str, Array]]:
    """Yield rows whose sums are far above and far below those of a `row`."""
    for sign in (1, -1):
        yield {
            name: _within(sign * (64 * np.abs(value.astype(np.float64)) + 64), value.dtype)
            if value.dtype.kind == "f" and name not in single
            else value
            for name, value in row.items()
        }


def shrunk(row: Tensors, single: Collection[str]) -> dict[str, Array]:
    """Return a `row` near to zero, as on the way from a baseline of zeros."""
    return {
        name: (value * 0.02).astype(value.dtype)
        if value.dtype.kind == "f" and name not in single
        else value
        for name, value in row.items()
    }


def _apart(one: Array, other: Array, tolerance: float) -> bool:
    one, other = np.asarray(one), np.asarray(other)  # a string comes as bytes
    if one.shape != other.shape:
        return True
    if one.dtype.kind != "f":
        return not np.array_equal(one, other)
    known = np.isfinite(one)
    if not np.array_equal(known, np.isfinite(other)):
        return True
    one, other = one[known].astype(np.float64), other[known].astype(np.float64)
    if not one.size:
        return False
    scale = max(np.abs(one).max(), np.abs(other).max())
    return bool(np.abs(one - other).max() > tolerance * scale)


def _spread(value: Array) -> Array:
    if value.dtype.kind != "f":
        return _uniform(value)
    flat = value.astype(np.float64).ravel()
    sign = np.where(np.arange(flat.size) % 2 == 1, -1, 1)
    return _within((flat + sign * (1 + 2 * np.abs(flat))).reshape(value.shape), value.dtype)


def _uniform(value: Array) -> Array:
    same = np.empty_like(value)
    same[...] = value.ravel()[:1].reshape([1] * value.ndim) if value.size else value
    if value.dtype.kind in "iuf" and np.array_equal(same, value):
        return np.zeros_like(value)
    return same


def _within(value: Array, dtype: np.dtype[np.generic]) -> Array:
    most = np.finfo(dtype).max  # type: ignore[type-var]
    return np.clip(value, -float(most), float(most)).astype(dtype)
