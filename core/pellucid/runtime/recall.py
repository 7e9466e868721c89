"""Paths and coalitions that were asked of a model before, with their answers.

Who judges explanations asks for the same ones again and again: a path of XRAI's is one of
integrated gradients, and the samples of a short draw are the first ones of a long draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from pellucid.model import Array
from pellucid.runtime.shared_rows import digest

MOST_BYTES = 2**27
"""The answers that are kept at most; what comes after them is asked as often as it comes."""


@dataclass
class Recall:
    """Answers by what was asked, of the models that were asked: these stay as long as it does."""

    models: dict[int, object] = field(default_factory=dict)
    answers: dict[bytes, dict[str, Array]] = field(default_factory=dict)
    size: int = 0

    def asked(
        self, keys: Sequence[bytes], ask: Callable[[Array], dict[str, Array]]
    ) -> dict[str, Array]:
        """Return the answers [n, …] to what has these keys, [n]; `ask` is for those of [m] of them.

        What has the same key is asked once.
        """
        first: dict[bytes, int] = {}
        for place, key in enumerate(keys):
            if key not in self.answers:
                first.setdefault(key, place)
        found = ask(np.fromiter(first.values(), np.intp)) if first else {}
        new = {key: {name: it[i] for name, it in found.items()} for i, key in enumerate(first)}
        if len(first) == len(keys):
            answer = found
        else:
            each = [new[key] if key in new else self.answers[key] for key in keys]
            answer = {name: np.stack([it[name] for it in each]) for name in each[0]}
        self._keep(new)
        return answer

    def _keep(self, new: dict[bytes, dict[str, Array]]) -> None:
        size = sum(it.nbytes for answer in new.values() for it in answer.values())
        if self.size + size <= MOST_BYTES:
            self.size += size
            # What is given may be changed by those who get it.
            self.answers |= {
                key: {name: it.copy() for name, it in answer.items()} for key, answer in new.items()
            }

    def keys(
        self, owner: object, about: str, rows: Sequence[Array], same: Sequence[Array] = ()
    ) -> list[bytes]:
        """Return a key for each of the rows [n, …] of a question, all of which have the `same`."""
        self.models[id(owner)] = owner
        shapes = [(it.dtype.str, it.shape[1:]) for it in (*rows, *same)]
        begin = f"{id(owner)} {about} {shapes} ".encode()
        begin += digest([np.reshape(it, (1, -1)) for it in same], 0)
        flat = [np.reshape(it, (len(it), -1)) for it in rows]
        parts = (digest(flat, row) for row in range(len(flat[0])))
        return [blake2b(begin + it, digest_size=16).digest() for it in parts]


_recall: ContextVar[Recall | None] = ContextVar("recall", default=None)


@contextmanager
def recalling() -> Iterator[None]:
    """Have no compiled model be asked twice for the same path or coalition in this block."""
    token = _recall.set(Recall())
    try:
        yield
    finally:
        _recall.reset(token)


def recall() -> Recall | None:
    """Return what is known in this block, None outside of one."""
    return _recall.get()
