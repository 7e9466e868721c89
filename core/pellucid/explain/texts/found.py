"""Which of the explained strings are texts, and where their parts are."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.errors import SpecError
from pellucid.metadata import Encoding, InputSpec, Modality, TextParts
from pellucid.methods.texts import Cut, check_split, cut, text_of
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice, Where

# A string of so many words reads as text; and one of so many letters where nothing is between them.
WORDS, LETTERS = 4, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of each of n instances, by feature, and what was `said` of how they were found."""

    cuts: Sequence[Mapping[str, Cut]] = ()
    said: tuple[Notice, ...] = field(default=())

    def of(self, explained: Container[str]) -> Texts:
        """Return the texts among the features that a method has explained."""
        cuts = [{k: v for k, v in one.items() if k in explained} for one in self.cuts]
        return self if cuts == [*self.cuts] else Texts(cuts=cuts if any(cuts) else ())


def find_texts(
    specs: Sequence[InputSpec],
    x: Tensors,
    starts: Sequence[Tensors],
    parts: TextParts | None,
    *,
    explicit: bool,
) -> Texts:
    """Return the texts among explained inputs [n, …] that a method cuts into `parts`.

    A text is a string of an instance whose modality is text, or that looks like it, where the
    metadata say nothing, or say it without being asked (not `explicit`). How one looks is judged by
    itself: what else is explained with it must not change its explanation. One with a baseline of
    its own among `starts` is left whole, as its words are not those of the baseline: SpecError,
    where all strings are wanted.
    """
    if parts is None:
        return Texts()
    check_split(parts.split)
    n = len(next(iter(x.values())))
    cuts: list[dict[str, Cut]] = [{} for _ in range(n)]
    said: list[Notice] = []
    for spec in specs:
        if not is_string(spec, x[spec.name]):
            continue
        known = parts.always or spec.modality is Modality.TEXT
        if not known and explicit and spec.modality is Modality.CATEGORICAL:
            continue
        values = x[spec.name].ravel()
        looks = [None if _is_binary(it) else _looks_like_text(text_of(it)) for it in values]
        texts = [it is not None and (known or it) for it in looks]
        if any(texts) and not all(_is_empty(start[spec.name]) for start in starts):
            if parts.always:
                raise SpecError(
                    f"'{spec.name}' has a baseline that is not the empty text, and it is not known "
                    "which of its words stand for which",
                    where=Where(path=f"inputs.{spec.name}"),
                    hint=Hint("leave it out, or choose {players:whole}"),
                )
            continue
        for found, value, is_text in zip(cuts, values, texts, strict=True):
            if is_text:
                found[spec.name] = cut(text_of(value), parts.split)
        if not known:
            said += _guessed(spec.name, looks, values)
    return Texts(cuts=cuts if any(cuts) else (), said=tuple(said))


def is_string(spec: InputSpec, value: Array) -> bool:
    """Whether a feature is a single string of an instance, which may be text."""
    if value.dtype != object or value.shape[1:] not in ((), (1,)) or spec.group_name is not None:
        return False
    return spec.encoding is Encoding.IDENTITY and spec.modality is not Modality.IMAGE


def _is_binary(value: object) -> bool:
    if not isinstance(value, bytes):
        return False
    if b"\0" in value:
        return True
    try:
        value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return True
    return False


def _is_empty(start: Array) -> bool:
    return all(it in (b"", "") for it in np.ravel(start))


def _looks_like_text(text: str) -> bool:
    """Return whether a string is a text rather than the name of a category."""
    count = len(text.split())
    return count >= WORDS or (count == 1 and len(text) >= LETTERS and not text.isascii())


def _guessed(name: str, looks: Sequence[bool | None], values: Array) -> Iterator[Notice]:
    """Yield what was guessed; that a single word is a category goes without saying."""
    if True in looks:
        yield Notice(
            f"'{name}' looks like text, with {WORDS} words or more, and is explained word by word",
            hint=Hint("choose {players:whole} if it is a category, or set its modality"),
        )
    short = (text_of(it) for it, text in zip(values, looks, strict=True) if text is False)
    if any(len(it.split()) > 1 or len(it) >= LETTERS for it in short):
        yield Notice(
            f"'{name}' looks like a category, with fewer than {WORDS} words, and is explained as a "
            "whole",
            hint=Hint("choose {players:words} if it is text, or set its modality"),
        )
