"""What comes back of each input, from whatever process: a result or a reason, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid.batch.truth import Verdict
from pellucid.model import Array
from pellucid.notices import Message, Notice
from pellucid.printable import printable
from pellucid.visualize import Counted, Spots


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something that came up while instances were explained: a warning, or what was assumed."""

    message: Message
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One input and what came of it.

    `result` is its line of results, None if it failed, and `table` its part of the table, where one
    is written; `error` says why. `files` are paths below
    the folder that is written, with their bytes. `shown` is what the gallery shows of it: paths,
    label, score and error; `counted` is what counts for the numbers of each class, `sampled` what
    is drawn of it point by point, by the name it is drawn by, if it is. `pixels` is what was
    assumed of pictures, by input, and `held` what was not explained. `verdict` is what it is and
    what the model says it is, where the truth is known; `maps` has its attributions on a picture,
    over cells, by the key of the class, and `number` is what they are drawn by. `said` came up in
    its block, which knows no other place.
    """

    name: str
    number: str = ""
    result: bytes | None = None
    table: bytes = b""
    error: Notice | None = None
    files: tuple[tuple[str, bytes], ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)
    counted: tuple[Counted, ...] = ()
    sampled: Mapping[str, Mapping[str, Spots]] = field(default_factory=dict)
    warned: bool = False
    held: tuple[str, ...] = ()
    pixels: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    maps: Mapping[str, Array] = field(default_factory=dict)
    said: tuple[Said, ...] = ()

    @classmethod
    def failed(cls, name: str, why: Notice) -> Record:
        """Return the record of an input that failed; what was in it is shown, and not obeyed."""
        return cls(name=name, error=why.each(printable))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A block of inputs, and what came of each, in their order."""

    number: int
    stamp: str
    records: tuple[Record, ...]

    @property
    def failed(self) -> int:
        """How many inputs of the block failed."""
        return sum(record.error is not None for record in self.records)
