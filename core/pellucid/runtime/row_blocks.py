"""Rows are asked in blocks that fit the memory, several at a time, or each alone where they mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from pellucid.cancellation import check
from pellucid.errors import InstanceError
from pellucid.model import Array, Tensors, rows_taken
from pellucid.notices import Hint
from pellucid.runtime.engine.failures import DATA, AllRefusedError
from pellucid.runtime.engine.row_batches import (
    RowBatches,
    Rows,
    blocks,
    parallel_batches_of,
    side_by_side,
)
from pellucid.runtime.refusals import refused
from pellucid.runtime.row_mixing import Question
from pellucid.saved_model import Batch

Answer = TypeVar("Answer")


class RowBlocks:
    """How the rows of one model are cut, and whether they may stand beside each other.

    `cut` is used for a model that takes any number of rows; `mixes_rows` tells that an answer
    depends on the rows beside it, so that each row is asked alone.
    """

    def __init__(self) -> None:
        self.use(RowBatches(1, 1))
        self.mixes_rows = False
        self._looked_at: set[object] = set()

    def use(self, cut: RowBatches) -> None:
        """Cut rows so from now on."""
        # As many threads as may compute at a time, whoever asks.
        self.cut, self._threads = cut, parallel_batches_of(cut.parallel_batches)

    def each_block(
        self, total: int, batch: Batch, answer: Callable[[Rows], Answer], cut: RowBatches
    ) -> Iterator[tuple[Rows, Answer]]:
        """Yield the blocks and what `answer` says to each, in order, until they are given up."""
        several = _unless_given_up(blocks(total, self._size(batch, cut), batch.rows))
        if cut.parallel_batches == 1:
            return ((block, answer(block)) for block in several)
        return side_by_side(several, answer, self._threads, cut.parallel_batches)

    def gathered(
        self,
        x: Tensors,
        question: Question,
        batch: Batch,
        about: object,
        cut: RowBatches | None = None,
    ) -> dict[str, Array]:
        """Ask for the rows `x`, [n, …], block by block and put the answers together, [n, …].

        What the question is `about` is looked at once for whether rows mix, unless it is None.
        """
        cut = cut or self.cut
        found = self._asked(x, question, batch, cut)
        size = self._size(batch, cut)
        if about is None or about in self._looked_at or (batch.rows or size) == 1:
            return found
        self._looked_at.add(about)
        together = next(blocks(len(any_of(x)), size, batch.rows)).count
        if question.mixes_rows(x, found, together, batch.rows):
            self.mixes_rows = True
            found = self._asked(x, question, batch, cut)
        return found

    def _asked(
        self, x: Tensors, question: Question, batch: Batch, cut: RowBatches
    ) -> dict[str, Array]:
        def answer(block: Rows) -> dict[str, Array]:
            rows = block.rows
            whole = rows[-1] - rows[0] == len(rows) - 1  # then a view will do
            some = slice(rows[0], rows[-1] + 1) if whole else rows
            try:
                found = question.ask(rows_taken(x, some))
            except DATA as error:
                _blame(x, rows, question, batch, error)
                raise
            return {name: value[: block.count] for name, value in found.items()}

        parts = [part for _, part in self.each_block(len(any_of(x)), batch, answer, cut)]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _size(self, batch: Batch, cut: RowBatches) -> int:
        """Return how many rows of a block count."""
        return 1 if self.mixes_rows or not batch.axis else batch.rows or cut.rows


def _unless_given_up(several: Iterator[Rows]) -> Iterator[Rows]:
    for block in several:
        check()
        yield block


def _blame(x: Tensors, rows: Array, question: Question, batch: Batch, why: Exception) -> None:
    """Raise InstanceError if some rows of a block fail alone and others do not.

    Where all fail, the model may be at fault, or this way to run it: AllRefusedError.
    """
    bad: list[int] = []
    fine = False
    for row in dict.fromkeys(rows.tolist()):
        try:
            lone = {name: np.stack([v[row]] * (batch.rows or 1)) for name, v in x.items()}
            question.ask(lone)
            fine = True
        except DATA as error:
            bad.append(row)
            why = error if len(bad) == 1 else why
    if bad and fine:
        raise InstanceError(refused(why), bad[0]) from why
    if bad:
        raise AllRefusedError(bad[0], why) from why


def together(inputs: Tensors, batch: Batch) -> dict[str, Array]:
    """Return rows, [n, …], as one batch that the model takes, filled up with repeats of the last.

    Raises InstanceError where it does not take so many.
    """
    count = len(any_of(inputs))
    most = batch.rows if batch.axis else 1
    if most is None:
        return dict(inputs)
    if count > most:
        raise InstanceError(
            f"the model takes {most} {'rows' if most > 1 else 'row'} at a time, and so does not "
            "fill up a shorter baseline beside its instance",
            0,
            hint=Hint("choose a {baseline} that is as long as the instance"),
        )
    rows = np.minimum(np.arange(most), count - 1)
    return {name: value[rows] for name, value in inputs.items()}


def any_of(tensors: Tensors) -> Any:
    """Return one of several arrays [n, …], all of which have as many rows."""
    return next(iter(tensors.values()))
