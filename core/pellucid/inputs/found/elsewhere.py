"""What is below an address, as a directory here has it: without what an earlier run wrote there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from pellucid.errors import InstanceError
from pellucid.inputs.found.runs import STEMS, holds_run, is_of_run
from pellucid.remote import Found, beginning, listed

AHEAD = 1000
"""How many objects are looked at before a store is asked what else is in their folder."""


class Below:
    """The objects below an address, folder by folder, but for hidden ones and those of runs.

    `avoided` is a folder that is left out. So is all that is in one in which a run has written; but
    of the address itself, and of others that are `named`, only what a run writes. `left_out` gets
    the addresses of these folders.
    """

    def __init__(
        self,
        address: str,
        avoided: str,
        named: Sequence[str],
        left_out: list[str],
        ahead: int = AHEAD,
    ) -> None:
        self._address = address.rstrip("/")
        self._named = {self._address, *(it.rstrip("/") for it in named)}
        self._left_out = left_out
        self._rest = listed(self._address, InstanceError, avoided, hidden=True, by_folder=True)
        self._most, self._ahead = ahead, deque[Found]()
        self._open: list[tuple[str, bool]] = []
        """The folders that the last object was in, and in which of them a run has written."""

    def __iter__(self) -> Iterator[Found]:
        """Yield the objects. Raises InstanceError."""
        while self._fill():
            found = self._ahead[0]
            if self._is_wanted(found.address[len(self._address) + 1 :].split("/")):
                yield found
            self._ahead.popleft()

    def _fill(self) -> bool:
        self._ahead.extend(islice(self._rest, self._most - len(self._ahead)))
        return bool(self._ahead)

    def _is_wanted(self, parts: Sequence[str]) -> bool:
        """Whether no part of a name is hidden, and no run has written it."""
        folder = self._address
        for depth, part in enumerate(parts):
            if depth == len(self._open) or self._open[depth][0] != folder:
                self._open[depth:] = [(folder, holds_run(self._names(folder)))]
                if self._open[depth][1]:
                    self._left_out.append(folder)
            left_out = folder not in self._named or is_of_run(part)
            if part.startswith(".") or (self._open[depth][1] and left_out):
                return False
            folder = f"{folder}/{part}"
        return True

    def _names(self, folder: str) -> set[str]:
        """Return the names in a folder, or, of one with many, some and those of a run."""
        names = set[str]()
        for it in self._ahead:
            if not it.address.startswith(folder + "/"):
                return names
            names.add(it.address[len(folder) + 1 :].partition("/")[0])
        if len(self._ahead) < self._most:
            return names
        return names | {*beginning(folder, STEMS, InstanceError)}
