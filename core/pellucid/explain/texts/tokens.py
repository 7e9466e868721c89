"""The words of a text that stand for the rows of its embedding, as its own model cuts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pellucid.metadata import Encoding, InputSpec, Modality, ValueBaseline
from pellucid.methods.texts import Cut, readable, text_of
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """What a model looks up of one text: the strings `keys`, any shape, and the rows `ids`, [t]."""

    keys: Array
    ids: Array | None = None


class TokenReader(Protocol):
    """What cuts texts as the model does."""

    @property
    def features(self) -> frozenset[str]:
        """The features whose texts it cuts."""
        ...

    @property
    def varying(self) -> bool:
        """Whether a text may be as long as it is, so that each is encoded by itself."""
        ...

    def read(self, inputs: Tensors) -> Mapping[str, LookedUp]:
        """Return what is looked up of each text of one instance, whose `inputs` are [1, …]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The parts of a text, and which rows of its embedding are theirs; the others are padding."""

    cut: Cut
    places: tuple[int, ...]


def tokens_of(text: object, looked_up: LookedUp, length: int) -> Tokens | None:
    """Return the parts of a text whose embedding has `length` rows; None where they are not known.

    They are written as the text has them, where each is found in it, one after the other: models
    write words small and leave out marks. Else they are those that the model looks up.
    """
    keys, ids = looked_up.keys, looked_up.ids
    names = [text_of(it) for it in keys.ravel()[:length].tolist()]
    if keys.ndim > 1 and keys.shape[-1] != length:
        return None
    if ids is not None and not _agree(names, ids):
        return None
    places = tuple(place for place, name in enumerate(names) if name)
    words = [names[place] for place in places]
    return Tokens(cut=_placed(words, text_of(text)) or _joined(words), places=places)


def read_of(reader: TokenReader | None, inputs: Tensors, row: int) -> Mapping[str, LookedUp]:
    """Return what the model looks up of the texts in one row of the inputs, [n, …]."""
    if reader is None or not reader.features:
        return {}
    return reader.read({key: value[row : row + 1] for key, value in inputs.items()})


def tokens_in(
    read: Mapping[str, LookedUp], texts: Mapping[str, object], lengths: Mapping[str, int]
) -> dict[str, Tokens]:
    """Return the parts of the texts of an instance as `tokens_of` does, where they are known."""
    found = {name: tokens_of(text, read[name], lengths[name]) for name, text in texts.items()}
    return {name: it for name, it in found.items() if it is not None}


def unseen_said(read: Mapping[str, LookedUp]) -> list[Notice]:
    """Return how many words of each text of an instance the model cuts off before it looks.

    That is known where it cuts all words of a text, [words], into rows of one length, [1, t].
    """
    found = []
    for name, it in read.items():
        if it.ids is None or it.ids.ndim != 2 or it.keys.ndim != 1:
            continue
        count, seen = sum(map(bool, it.keys.tolist())), it.ids.shape[1]
        if count > seen:
            found.append(
                Notice(
                    f"of the {count:,} words of '{name}', the model sees the first {seen:,}, and "
                    f"never the other {count - seen:,}"
                )
            )
    return found


def _agree(names: Sequence[str], ids: Array) -> bool:
    """Whether equal strings have equal ids, one after the other, and padding fills the rest."""
    given = ids.ravel().tolist()
    if len(given) < len(names) or len({*given[len(names) :]}) > 1:
        return False
    known: dict[str, int] = {}
    return all(known.setdefault(n, i) == i for n, i in zip(names, given, strict=False))


def _placed(words: Sequence[str], text: str) -> Cut | None:
    """Return a text with its words, None where one of them is not found behind the one before."""
    spans, at = [], 0
    letters = _small(text)
    for word in words:
        found = _find(_small(word), letters, at)
        if found is None:
            return None
        spans.append(found)
        at = found[1]
    return Cut(text, tuple(spans))


def _find(word: str, letters: str, start: int) -> tuple[int, int] | None:
    """Return where a word stands first; marks within it, which a model leaves out, do not count.

    It begins where the one before ends, or where no word of the text goes on.
    """
    for begin in range(start, len(letters) - len(word) + 1):
        inside = begin > start and letters[begin - 1].isalnum() and word[0].isalnum()
        if inside or letters[begin] != word[0]:
            continue
        at, done = begin, 0
        while at < len(letters) and done < len(word):
            if letters[at] == word[done]:
                done += 1
            elif letters[at].isspace() or letters[at].isalnum():
                break
            at += 1
        if done == len(word):
            return begin, at
    return None


def _small(text: str) -> str:
    """Return a text in small letters, each in its place: those that become two stay as they are."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(small if len(small := it.lower()) == 1 else it for it in text)


def _joined(words: Sequence[str]) -> Cut:
    spans, at = [], 0
    for word in map(readable, words):
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return Cut(" ".join(map(readable, words)), tuple(spans))


def cuts_of(tokens: Mapping[str, Tokens]) -> dict[str, Cut]:
    """Return the texts alone, by feature."""
    return {name: it.cut for name, it in tokens.items()}


def _start_of(spec: InputSpec) -> str:
    """Return the input that the baseline of a feature is the embedding of, in words."""
    match spec.input_baselines:
        case (ValueBaseline(value=str(text)),):
            return f"the text '{text}'" if text else "the empty text"
        case (ValueBaseline(value=number),):
            return f"id {number}"
    return "0"


def starts_said(specs: Sequence[InputSpec]) -> str:
    """Return what gradients start from behind these features, in words; "" for none of them."""
    return "; ".join(f"'{it.name}': the embedding of {_start_of(it)}" for it in specs)


def behind_said(specs: Sequence[InputSpec], chosen: str) -> list[Notice]:
    """Return where these features are explained, and from what, if nothing else was `chosen`."""
    return [
        Notice(
            f"'{it.name}' is explained at its embedding, '{it.encoded_tensor_name}', from "
            + (f"the baseline {chosen}" if chosen else f"that of {_start_of(it)}")
            + (", and padding is left out" if _has_rows(it) else ""),
            hint=None if chosen else Hint("choose another with {baseline}"),
        )
        for it in specs
    ]


def _has_rows(spec: InputSpec) -> bool:
    return spec.modality is Modality.TEXT and spec.encoding is Encoding.CONCAT_EMBEDDING


def apart(value: Array, tokens: Tokens) -> tuple[Array, float]:
    """Return the attributions of a text's parts, of those of all rows, and that of its padding."""
    padding = np.delete(value, tokens.places)
    return value[list(tokens.places)], float(padding.sum())
