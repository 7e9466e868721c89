"""Which of the explained strings are texts, and where their parts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.errors import SpecError
from pellucid.metadata import Encoding, InputSpec, Modality, TextParts
from pellucid.methods.texts import Cut, check_split, cut, text_of
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice, Where

# Values of so many words read as text, if most are; and so many letters where nothing is between.
WORDS, LETTERS = 4, 20
# No category is called by so many words: then shorter values are texts, too.
SENTENCE = 7
# Of so many values, a category has no more than half as many different ones.
ENOUGH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of each of n instances, by feature, and what was `said` of how they were found."""

    cuts: Sequence[Mapping[str, Cut]] = ()
    said: tuple[Notice, ...] = field(default=())


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
    metadata say nothing, or say it without being asked (not `explicit`). One with a baseline of its
    own among `starts` is left whole, as its words are not those of the baseline: SpecError, where
    all strings are wanted.
    """
    if parts is None:
        return Texts()
    check_split(parts.split)
    names, said = [], []
    for spec in specs:
        if not _may_be_text(spec, x[spec.name]):
            continue
        known = parts.always or spec.modality is Modality.TEXT
        if not known and explicit and spec.modality is Modality.CATEGORICAL:
            continue
        found, why = (True, "") if known else _looks_like_text(x[spec.name])
        if found and not all(_is_empty(start[spec.name]) for start in starts):
            if parts.always:
                raise SpecError(
                    f"'{spec.name}' has a baseline that is not the empty text, and it is not known "
                    "which of its words stand for which",
                    where=Where(path=f"inputs.{spec.name}"),
                    hint=Hint("leave it out, or choose {players:whole}"),
                )
            continue
        if found:
            names.append(spec.name)
        if why:
            said.append(_said(spec.name, why, found=found))
    n = len(next(iter(x.values())))
    cuts = [
        {name: cut(text_of(x[name].ravel()[i]), parts.split) for name in names} for i in range(n)
    ]
    return Texts(cuts=cuts if names else (), said=tuple(said))


def _may_be_text(spec: InputSpec, value: Array) -> bool:
    """Whether a feature is a single string of an instance, and not bytes of something else."""
    if value.dtype != object or value.shape[1:] not in ((), (1,)) or spec.group_name is not None:
        return False
    if spec.encoding is not Encoding.IDENTITY or spec.modality is Modality.IMAGE:
        return False
    return not any(_is_binary(it) for it in value.ravel())


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


def _looks_like_text(value: Array) -> tuple[bool, str]:
    """Return whether values [n, …] are texts rather than categories, and why, if that is a guess.

    A single word is a category as a matter of course.
    """
    values = [text_of(it) for it in value.ravel()]
    distinct = {it for it in values if it.strip()}
    counts = [len(it.split()) for it in distinct]
    if max(counts, default=0) < 2 and max(map(len, distinct), default=0) < LETTERS:
        return False, ""
    long = sum(
        count >= WORDS or (count == 1 and len(it) >= LETTERS and not it.isascii())
        for it, count in zip(distinct, counts, strict=True)
    )
    several = len(values) >= ENOUGH
    different = not several or 2 * len(distinct) > len(values)
    why = f"{round(sum(counts) / len(counts), 1):g} words on average"
    if several:
        why += f", {len(distinct)} different ones of {len(values)}"
    return (2 * long > len(distinct) or max(counts) >= SENTENCE) and different, why


def _said(name: str, why: str, *, found: bool) -> Notice:
    if found:
        return Notice(
            f"'{name}' looks like text ({why}) and is explained word by word",
            hint=Hint("choose {players:whole} if it is a category, or set its modality"),
        )
    return Notice(
        f"'{name}' looks like a category ({why}) and is explained as a whole",
        hint=Hint("choose {players:words} if it is text, or set its modality"),
    )
