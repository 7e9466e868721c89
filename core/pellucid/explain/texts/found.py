"""Which of the explained strings are texts, and where their parts are."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata import InputSpec, Modality, TextParts
from pellucid.methods.texts import SPLIT_SECONDS, Cut, check_split, coarser, cut, text_of
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice, Where

# A string of so many words reads as text; and one of so many letters where nothing is between them.
WORDS, LETTERS = 4, 20
# Parts of a text times its letters: with 50 paths, Shapley values read a gigabyte of text then.
MOST_READ, MOST_PARTS, LEAST_PARTS = 40_000_000, 2_500, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of each of n instances, by feature, and what was `said` of how they were found."""

    cuts: Sequence[Mapping[str, Cut]] = ()
    said: tuple[Notice, ...] = field(default=())

    def of(self, explained: Container[str]) -> Texts:
        """Return the texts among the features that a method has explained."""
        cuts = [{k: v for k, v in one.items() if k in explained} for one in self.cuts]
        if cuts == [*self.cuts]:
            return self
        return Texts(cuts=cuts, said=self.said) if any(cuts) else Texts()


def find_texts(
    specs: Sequence[InputSpec],
    x: Tensors,
    starts: Sequence[Tensors],
    parts: TextParts | None,
    numbers: Sequence[int],
    *,
    explicit: bool,
) -> Texts:
    """Return the texts among explained inputs [n, …] that a method cuts into `parts`.

    A text is a string of an instance whose modality is text, or that looks like it, where the
    metadata say nothing, or say it without being asked (not `explicit`). How one looks is judged by
    itself: what else is explained with it must not change its explanation. One with a baseline of
    its own among `starts` is left whole, as its words are not those of the baseline: SpecError,
    where all strings are wanted. A long text is cut more coarsely, which is said. `numbers` [n] are
    the instances' places, for an InstanceError where a pattern takes for ever.
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
                raise _with_baseline(spec.name)
            continue
        coarse: list[Notice] = []
        for found, value, is_text, number in zip(cuts, values, texts, numbers, strict=True):
            if is_text:
                found[spec.name] = _cut(spec.name, text_of(value), parts.split, number, coarse)
        said += coarse[:1]
        if not known:
            said += _guessed(spec.name, looks, values)
    return Texts(cuts=cuts if any(cuts) else (), said=tuple(said))


def _with_baseline(name: str) -> SpecError:
    return SpecError(
        f"'{name}' has a baseline that is not the empty text, and it is not known which of its "
        "words stand for which",
        where=Where(path=f"inputs.{name}"),
        hint=Hint("leave it out, or choose {players:whole}"),
    )


def _cut(name: str, text: str, split: str, number: int, said: list[Notice]) -> Cut:
    """Return a text in parts; where they are fewer than was asked for, that is `said`."""
    try:
        fine = cut(text, split)
    except TimeoutError:
        raise InstanceError(
            f"the pattern '{split}' does not find the parts of '{name}' within {SPLIT_SECONDS:g} s",
            where=Where(instance=number),
            hint="write one that does not go back and forth, as with one repeat inside another",
        ) from None
    most = min(MOST_PARTS, max(LEAST_PARTS, MOST_READ // max(1, len(text))))
    coarse = coarser(fine, split, most)
    if coarse is not fine:
        what = (
            f"'{name}' has {len(fine.spans):,} parts in {len(text):,} characters, and is explained "
            f"in {len(coarse.spans):,} coarser ones"
        )
        said.append(Notice(what))
    return coarse


def is_string(spec: InputSpec, value: Array) -> bool:
    """Whether a feature is a single string of an instance, which may be text."""
    if value.dtype != object or value.shape[1:] not in ((), (1,)) or spec.group_name is not None:
        return False
    return not spec.encoding.is_bag and spec.modality is not Modality.IMAGE


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
    words = text.split()
    return len(words) >= WORDS or any(len(it) >= LETTERS and not it.isascii() for it in words)


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
