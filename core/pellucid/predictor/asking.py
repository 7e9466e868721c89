"""Rows are asked for in blocks, a few at a time, by threads that are told when nobody waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.cancellation import check
from pellucid.errors import PredictorError
from pellucid.model import Array, Tensors
from pellucid.predictor.connection import Call, Connection, TooLargeError
from pellucid.predictor.wires import Wire
from pellucid.saved_model import Batch

MOST_ROWS, FEW_ROWS = 1024, 16
"""The rows of a request at most; and so many that to cut them further is not worth a request."""
_LOOK = 0.05


@dataclass(frozen=True)
class Asker:
    """Asks one predictor for the outputs of rows."""

    wire: Wire
    connection: Connection
    batch: Batch
    _fewer: dict[str, int] = field(default_factory=dict)

    def ask(self, rows: Tensors) -> dict[str, Array]:
        """Return every output for rows [n, …], by key, [n, …]. Raises PredictorError, Cancelled."""
        n = len(next(iter(rows.values())))
        calls = deque[tuple[Call, Future[dict[str, Array]]]]()
        found = list[dict[str, Array]]()
        try:
            for first, last in self._cuts(rows, n):
                check()
                call, part = Call(), {name: it[first:last] for name, it in rows.items()}
                calls.append((call, self._threads.submit(self._block, call, part)))
                if len(calls) >= self.connection.predictor.connections:
                    found.append(_result(*calls[0]))
                    calls.popleft()
            while calls:
                found.append(_result(*calls[0]))
                calls.popleft()
        finally:
            for call, future in calls:
                call.abandon()
                future.cancel()
        if len(found) == 1:
            return found[0]
        try:
            return {name: np.concatenate([it[name] for it in found]) for name in found[0]}
        except ValueError as error:
            raise self._wrong("answers rows of several shapes") from error

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        count = self.connection.predictor.connections
        return ThreadPoolExecutor(count, thread_name_prefix="predictor")

    def _cuts(self, rows: Tensors, n: int) -> Iterator[tuple[int, int]]:
        """Yield where the rows of each request begin and end."""
        if not self.batch.axis:
            size = 1
        elif self.batch.rows is not None:
            size = self.batch.rows
        else:
            predictor = self.connection.predictor
            most = predictor.request_bytes // max(1, self.wire.row_bytes(rows))
            most = max(1, min(most, MOST_ROWS, self._fewer.get("rows", MOST_ROWS)))
            size = min(most, max(FEW_ROWS, -(-n // predictor.connections)))
            size = -(-n // -(-n // size))  # all of about one size
        for first in range(0, n, size):
            yield first, min(first + size, n)

    def _block(self, call: Call, rows: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of one block, in halves where it is too large for the predictor."""
        count = len(next(iter(rows.values())))
        sent = dict(rows)
        if not self.batch.axis:
            sent = {name: it[0] for name, it in rows.items()}
        elif self.batch.rows is not None and count < self.batch.rows:
            more = self.batch.rows - count
            sent = {n: np.concatenate([it, it[-1:].repeat(more, 0)]) for n, it in rows.items()}
        try:
            found = self.wire.ask(self.connection, call, sent)
        except TooLargeError as error:
            if count == 1 or self.batch.rows is not None:
                raise self._wrong(f"one row is too large: {error}") from error
            half = count // 2
            self._fewer["rows"] = min(half, self._fewer.get("rows", half))
            parts = [
                self._block(call, {name: it[some] for name, it in rows.items()})
                for some in (slice(0, half), slice(half, count))
            ]
            return {name: np.concatenate([it[name] for it in parts]) for name in parts[0]}
        if not self.batch.axis:
            return {name: it[np.newaxis] for name, it in found.items()}
        return {name: it[:count] for name, it in found.items()}

    def _wrong(self, what: str) -> PredictorError:
        return PredictorError(what, answered=True, where=self.connection.predictor.where)


def _result(call: Call, future: Future[Any]) -> dict[str, Array]:
    """Return what a call finds, unless nobody waits for it any more, or it takes too long."""
    while not wait([future], timeout=_LOOK).done:
        check()
        if call.left <= 0 and not call.abandoned:
            call.abandon(late=True)  # as from a predictor that sends a byte now and then
    return future.result()  # type: ignore[no-any-return]
