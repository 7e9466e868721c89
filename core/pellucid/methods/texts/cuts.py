"""Texts in parts: which parts a text has, and what is left of it without some of them.

```python
>>> found = cut('say "yes", or don\\'t', "words")
>>> found.words, found.spans[1]
(('say', 'yes', 'or', "don't"), (5, 8))
>>> found.kept([True, False, False, True]), found.kept([True, False, True, True], "[MASK]")
("say don't", 'say "[MASK]", or don\\'t')

```

Words are those of Unicode (UAX #29), as the `regex` package finds them: "don't", "3.14", a flag and
a family of emoji are one word each, a Chinese character is one, and vowel signs stay with their
letters, which `re` of the standard library would cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, pairwise
from typing import TypeAlias

from pellucid.errors import SpecError
from pellucid.notices import Where

Span: TypeAlias = tuple[int, int]
"""Where a part begins and ends, in characters (code points) of its text."""

SPLIT_SECONDS = 10.0
"""How long a pattern may look for parts: some go back and forth for ever."""

# What a word has in it: a letter, a number, an emoji or a flag. All else is between words.
_WORDLY = r"[\p{L}\p{N}\p{Extended_Pictographic}\p{Regional_Indicator}]"
_BETWEEN_SENTENCES = r"""(?<=[.!?…。！？][\p{Pe}\p{Pf}"']*)\s+|(?<=[。！？])|\s*\n\s*"""


_PRINTED = 60


@dataclass(frozen=True)
class Cut:
    """A text, and where its parts are; they stand in order and do not overlap.

    What is between two parts belongs to the one before it; what comes after the last white space
    there, as an opening quote does, to the one that follows. So every character has its part.
    """

    text: str
    spans: tuple[Span, ...]

    def __repr__(self) -> str:
        begin = self.text if len(self.text) <= _PRINTED else f"{self.text[:_PRINTED]}…"
        return f"Cut({begin!r}, {len(self.spans):,} parts)"

    @property
    def words(self) -> tuple[str, ...]:
        """The parts themselves."""
        return tuple(self.text[start:end] for start, end in self.spans)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The parts with what belongs to them: together they are the text."""
        bounds = [0]
        for (_, end), (start, _) in pairwise(self.spans):
            between = self.text[end:start]
            spaces = [i for i, c in enumerate(between) if c.isspace()]
            bounds.append(end + spaces[-1] + 1 if spaces else start)
        return tuple(self.text[a:b] for a, b in pairwise([*bounds, len(self.text)]))

    @cached_property
    def gaps(self) -> tuple[str, ...]:
        """What stands before each part, and after the last."""
        ends = [0, *(end for _, end in self.spans)]
        starts = [*(start for start, _ in self.spans), len(self.text)]
        return tuple(self.text[a:b] for a, b in zip(ends, starts, strict=True))

    def kept(self, members: Sequence[bool], mask: str | None = None) -> str:
        """Return the text with only some of its parts, each of which takes along what is its own.

        White space that is left at the end is left out, too. With a `mask`, it takes the place of
        the parts that are missing, and what is between parts stays.
        """
        if mask is not None:
            return self.written(w if m else mask for w, m in zip(self.words, members, strict=True))
        left = "".join(compress(self.pieces, members))
        return left if len(members) == 0 or members[-1] else left.rstrip()

    def written(self, words: Iterable[str]) -> str:
        """Return the text with other words in the place of its own."""
        first, *others = self.gaps
        parts = zip(words, others, strict=True)
        return first + "".join(word + gap for word, gap in parts)


def cut(text: str, split: str) -> Cut:
    """Return a text in ``words``, ``characters`` or ``sentences``, or split at a pattern's matches.

    A text without any such part is one part itself, and an empty one has none. Raises SpecError for
    a pattern that is none, and TimeoutError for one that takes longer than SPLIT_SECONDS.
    """
    spans = tuple(_FINDERS.get(split, _at_pattern(split))(text))
    if not spans and text:
        spans = ((0, len(text)),)
    return Cut(text, spans)


def coarser(found: Cut, split: str, most: int) -> Cut:
    """Return a text in at most so many parts: its sentences in the place of its words, or runs.

    A run is as many parts one after the other as it takes, and what is between them; of sentences,
    where there are not far fewer than `most`.
    """
    if len(found.spans) <= most:
        return found
    if split == "words":
        sentences = cut(found.text, "sentences")
        found = sentences if len(sentences.spans) >= max(2, most // 4) else found
        most = min(most, len(found.spans))
    ends = [len(found.spans) * i // most for i in range(most + 1)]
    runs = ((found.spans[a][0], found.spans[b - 1][1]) for a, b in pairwise(ends))
    return Cut(found.text, tuple(runs))


def graphemes(text: str) -> list[str]:
    """Return what readers take for the characters of a text: letters with marks, whole emoji."""
    import regex

    return list(regex.findall(r"\X", text))


def check_split(split: str) -> None:
    """Raise SpecError for a way to split texts that is none."""
    _FINDERS.get(split, _at_pattern(split))("")


def _words(text: str) -> Iterator[Span]:
    import regex

    boundaries = regex.finditer(r"\b", text, flags=regex.V1 | regex.WORD)
    bounds = sorted({0, len(text), *(it.start() for it in boundaries)})
    wordly = regex.compile(_WORDLY)
    return ((a, b) for a, b in pairwise(bounds) if wordly.search(text, a, b))


def _characters(text: str) -> Iterator[Span]:
    """Yield what readers take for one character, white space apart."""
    import regex

    return (it.span() for it in regex.finditer(r"\X", text) if not it[0].isspace())


def _sentences(text: str) -> Iterator[Span]:
    return _at_pattern(_BETWEEN_SENTENCES)(text)


def _at_pattern(pattern: str) -> Callable[[str], Iterator[Span]]:
    def find(text: str) -> Iterator[Span]:
        import regex

        try:
            matches = regex.finditer(pattern, text, flags=regex.V1, timeout=SPLIT_SECONDS)
            found = [it.span() for it in matches]
        except regex.error as error:
            raise SpecError(
                f"'{pattern}' is no pattern: {error}",
                where=Where(path="split"),
                hint="choose words, characters, sentences, or a regular expression of what is "
                "between parts",
            ) from None
        ends = [0, *(end for _, end in found)]
        starts = [*(start for start, _ in found), len(text)]
        parts = zip(ends, starts, strict=True)
        return ((a, b) for a, b in parts if text[a:b].strip())

    return find


_FINDERS: Mapping[str, Callable[[str], Iterator[Span]]] = {
    "words": _words,
    "characters": _characters,
    "sentences": _sentences,
}
