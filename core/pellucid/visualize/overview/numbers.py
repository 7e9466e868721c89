"""What many explanations have in common, counted one by one in bounded memory, class by class.

What speaks for one class speaks against another: nothing is ever added up across classes. Sums are
exact; what is drawn point by point is of a sample of instances, drawn by their names, so that it is
the same whoever counts, and in whatever parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

from pellucid.explain import Explanation, LabelAttribution, element_names
from pellucid.metadata import ExplanationMetadata
from pellucid.model import Array, Rows, TensorsOfRow
from pellucid.visualize.named_parts import texts
from pellucid.visualize.overview.spots import LARGEST, Spots, whole_texts

POINTS = 1000
"""Instances that are drawn point by point, at most."""

WORDS = 5000
"""Words of a class that are counted; beyond them, those that say least are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one label of one instance adds to the numbers of its class.

    `pictures` are the features that are drawn in other ways.
    """

    output: str
    index: tuple[int, ...]
    name: str
    features: Mapping[str, Array]
    words: Sequence[tuple[str, float]] = ()
    pictures: Sequence[str] = ()

    @property
    def key(self) -> str:
        return class_key(self)


class Classed(Protocol):
    """What is of a class: a label, or what it counts for."""

    @property
    def output(self) -> str: ...
    @property
    def index(self) -> tuple[int, ...]: ...


def class_key(it: Classed) -> str:
    """Return the key of a class among all of a run."""
    return f"{it.output}[{','.join(map(str, it.index))}]"


def counted(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    value: object = None,
) -> Counted:
    """Return what a label of an explanation adds; `value` is the instance as given.

    A text beside other features is one of them, too: the sum of its words.
    """
    mapped = metadata.mapped
    columns, features = label.features, dict[str, Array]()
    if explanation.tabular and not mapped and isinstance(columns, TensorsOfRow):
        small = columns if columns.arrays.largest <= LARGEST else features
        return Counted(output=label.output, index=label.index, name=label.called, features=small)
    written = texts(explanation, label, metadata, value)
    texts_of = {text.feature for text in written}
    for feature, values in label.features.items():
        if feature in texts_of or values.size > LARGEST:
            continue
        names = element_names(metadata, feature, values) if feature in mapped else None
        if names is None:
            features[feature] = values
        else:
            features |= {name: values[i : i + 1] for i, name in enumerate(names)}
    features |= {name: np.array(it) for name, it in whole_texts(written, label).items()}
    return Counted(
        output=label.output,
        index=label.index,
        name=label.called,
        features=features,
        words=tuple(
            (word, weight)
            for text in written
            for word, weight in zip(text.words, text.attributions.tolist(), strict=True)
        ),
        pictures=metadata.pictures,
    )


def chance(name: str) -> float:
    """Return a number in [0, 1) that is drawn by a name: the least of many are a sample."""
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=6).digest(), "big") / 2**48


def is_drawn(place: int, total: int) -> bool:
    """Whether the instance at a place of so many may come into the sample.

    That is so of three times as many as are wanted, so that they are enough for certain.
    """
    return chance(f"{place}") * total < 3 * POINTS


@dataclass(slots=True)
class Totals:
    """The numbers of one class: how many instances, and sums over them by feature and by word.

    `sums` are of the attributions, `sizes` of their absolute values, `counts` of the instances that
    had the feature; 0 where it differs in shape. A word has [how often, sum, sum of sizes];
    `forgotten` tells that there were more than are kept.
    """

    name: str
    count: int = 0
    sums: dict[str, Array] = field(default_factory=dict)
    sizes: dict[str, Array] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    words: dict[str, list[float]] = field(default_factory=dict)
    forgotten: bool = False

    def add(self, other: Totals) -> None:
        self.count += other.count
        self.forgotten = self.forgotten or other.forgotten
        for name, value in other.sums.items():
            self.add_feature(name, value, other.sizes[name], other.counts[name])
        for word, numbers in other.words.items():
            self._add_word(word, numbers)
        self.forget()

    def add_feature(self, name: str, value: Array, size: Array, times: int) -> None:
        total = self.sums.get(name)
        if total is None:
            self.sums[name], self.sizes[name] = np.array(value), np.array(size)
            self.counts[name] = times
        elif total.shape == value.shape and self.counts[name] and times:
            total += value
            self.sizes[name] += size
            self.counts[name] += times
        else:
            self.counts[name] = 0  # of different shapes there is no mean

    def add_words(self, words: Iterable[tuple[str, float]]) -> None:
        for word, weight in words:
            self._add_word(word, (1, weight, abs(weight)))
        self.forget()

    def _add_word(self, word: str, numbers: Sequence[float]) -> None:
        total = self.words.setdefault(word, [0, 0.0, 0.0])
        for place, number in enumerate(numbers):
            total[place] += number

    def forget(self) -> None:
        """Forget the words that said least, where there are more than twice as many as are kept."""
        if len(self.words) > 2 * WORDS:
            kept = sorted(self.words, key=lambda word: (-self.words[word][2], word))[:WORDS]
            self.words = {word: self.words[word] for word in kept}
            self.forgotten = True


@dataclass(slots=True)
class Overview:
    """The numbers of each class, by its key, and a sample of instances.

    Classes stand in the order of the outputs, then of their indices. `sample` holds, for each
    instance, its chance, its name, and what it has for each class; `pictures` are features that are
    drawn in other ways.
    """

    outputs: list[str] = field(default_factory=list)
    totals: dict[str, Totals] = field(default_factory=dict)
    sample: list[tuple[float, str, dict[str, Spots]]] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    _drawn: list[dict[str, Spots]] | None = field(default=None, repr=False, compare=False)

    def count(self, *found: Counted) -> None:
        """Count labels of instances in, all at once: what is added up is numpy's own."""
        by_class: dict[str, list[Counted]] = {}
        for it in found:
            by_class.setdefault(it.key, []).append(it)
        for key, same in by_class.items():
            self._output(same[0].output)
            totals = self.totals.setdefault(key, Totals(same[0].name))
            totals.count += len(same)
            for names, values in _stacked(same):
                sums, sizes = _sum(values), _sum(np.abs(values))
                for name, total, size in zip(names, sums, sizes, strict=True):
                    totals.add_feature(name, total, size, values.shape[1])
            totals.add_words(word for it in same for word in it.words)
            for it in same:
                if it.pictures:
                    self.pictures += [name for name in it.pictures if name not in self.pictures]

    def take(self, name: str, found: Mapping[str, Spots]) -> None:
        """Put an instance into the sample."""
        self.sample.append((chance(name), name, dict(found)))
        self._thin()

    def add(self, other: Overview) -> None:
        """Count another overview in."""
        for output in other.outputs:
            self._output(output)
        for key, totals in other.totals.items():
            mine = self.totals.setdefault(key, Totals(totals.name))
            mine.add(totals)
        self.sample += other.sample
        self._thin()
        self.pictures += [it for it in other.pictures if it not in self.pictures]

    def _thin(self) -> None:
        self._drawn = None
        if len(self.sample) > 2 * POINTS:
            self.sample = sorted(self.sample, key=lambda it: it[:2])[:POINTS]

    def _output(self, output: str) -> None:
        if output not in self.outputs:
            self.outputs.append(output)

    @property
    def points(self) -> list[dict[str, Spots]]:
        """What is drawn point by point: of at most 1,000 instances, in the order of the draw."""
        if self._drawn is None:
            self._drawn = [it[2] for it in sorted(self.sample, key=lambda it: it[:2])[:POINTS]]
        return self._drawn

    @property
    def classes(self) -> dict[str, Totals]:
        """The classes in their order, by what each is called."""
        several = len(self.outputs) > 1
        found: dict[str, Totals] = {}
        for key in self.ordered:
            totals = self.totals[key]
            output = key.rpartition("[")[0]
            called = f"{output}: {totals.name}" if several else totals.name
            found[key if called in found else called] = totals
        return found

    @property
    def ordered(self) -> list[str]:
        """The keys of the classes in their order."""

        def place(key: str) -> tuple[int, tuple[int, ...]]:
            output, _, index = key.rpartition("[")
            numbers = index.rstrip("]")
            at = tuple(map(int, numbers.split(","))) if numbers else ()
            return self.outputs.index(output), at

        return sorted(self.totals, key=place)

    def means(self) -> dict[str, Any]:
        """Return the means of each class as JSON."""
        return {
            "instancesByClass": {name: it.count for name, it in self.classes.items()},
            "meanAttributions": {n: _means(it, it.sums) for n, it in self.classes.items()},
            "meanAbsoluteAttributions": {n: _means(it, it.sizes) for n, it in self.classes.items()},
        }

    def document(self) -> dict[str, Any]:
        """Return the numbers as JSON, exactly."""
        names: dict[tuple[str, ...], int] = {}
        sample = [
            (
                drawn,
                name,
                {
                    key: [names.setdefault(it.names, len(names)), it.attributions, it.values]
                    for key, it in found.items()
                },
            )
            for drawn, name, found in self.sample
        ]
        return {
            "outputs": self.outputs,
            "pictures": self.pictures,
            "names": [*names],
            "sample": sample,
            "totals": {
                key: {name: getattr(it, name) for name in Totals.__slots__}
                for key, it in self.totals.items()
            },
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Overview:
        """Return what `document` was made of. Raises what a damaged document does."""
        made = cls(outputs=list(document["outputs"]), pictures=list(document["pictures"]))
        for key, it in document["totals"].items():
            arrays = {
                kind: {n: np.asarray(v, np.float64) for n, v in it[kind].items()}
                for kind in ("sums", "sizes")
            }
            totals = Totals(
                it["name"], it["count"], **arrays, counts=it["counts"], words=it["words"],
                forgotten=it.get("forgotten") is True,
            )  # fmt: skip
            shapes = [{n: v.shape for n, v in it.items()} for it in arrays.values()]
            if shapes[0] != shapes[1] or totals.sums.keys() != totals.counts.keys():
                raise ValueError("what is counted is not what is added up")
            if not all(np.isfinite(v).all() for it in arrays.values() for v in it.values()):
                raise ValueError("a sum is no number")
            made.totals[key] = totals
        names = [*map(tuple, document["names"])]
        made.sample = [
            (
                float(drawn),
                name,
                {
                    key: Spots.read(names[place], attributions, values)
                    for key, (place, attributions, values) in found.items()
                },
            )
            for drawn, name, found in document["sample"]
        ]
        _ = made.ordered, made.points  # or the document is damaged
        return made


def _stacked(found: Sequence[Counted]) -> Iterator[tuple[Sequence[str], Array]]:
    """Yield the names of k features and the values of each, [k, n, …], those of one shape."""
    first = found[0].features
    if isinstance(first, TensorsOfRow) and first.arrays.joined is not None:
        rows = [row for it in found if (row := _row_of(it.features, first.arrays)) is not None]
        if len(rows) == len(found):
            yield [*first.arrays], np.take(first.arrays.joined, rows, axis=1)
            return
    values: dict[tuple[str, tuple[int, ...]], list[Array]] = {}
    for it in found:
        for name, value in it.features.items():
            values.setdefault((name, value.shape), []).append(value)
    for (name, _), same in values.items():
        yield [name], np.asarray(same, np.float64)[np.newaxis]


def _sum(values: Array) -> Array:
    """Return the sums of values [k, n, …] over n, each as numpy adds up those of one feature."""
    k, n, *shape = values.shape
    flat = values.reshape(k, n) if values.size == k * n else values
    found: Array = flat.sum(axis=1).reshape(k, *shape)
    return found


def _row_of(features: Mapping[str, Array], block: Rows) -> int | None:
    """Return which row of a block of columns features are, None if they are none."""
    if isinstance(features, TensorsOfRow) and features.arrays is block:
        return features.row
    return None


def _means(totals: Totals, sums: Mapping[str, Array]) -> dict[str, Array]:
    return {
        name: total / totals.counts[name] for name, total in sums.items() if totals.counts[name]
    }
