"""An index: the latent vectors of examples with their ids, in one file.

The file is an uncompressed ``.npz`` archive, which ``numpy.load`` opens, too. Its arrays are mapped
into memory rather than read, so that a million examples open as quickly as ten.

``index.json`` says what it was made of; ``vectors`` float32 [n, d] are normalized; ``ids`` are all
ids in UTF-8, of which ``id_ends`` are the ends; ``center`` and ``scale`` [d] are of the vectors
before normalization; ``tags`` int32 [n, 2] point at the crowding tags and restricts that
``index.json`` lists; ``graph`` is there for a fast search.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import SpecError
from pellucid.examples.hnsw import Graph
from pellucid.files import DAMAGED, expect, open_file
from pellucid.metadata import Distance, Examples, Normalization, Query, Restriction
from pellucid.methods import nearest_examples
from pellucid.model import Array
from pellucid.notices import Hint, Where

FORMAT = 1
CANDIDATES = 100
_RESTRICT = {
    "namespace?": str,
    "namespaceName?": str,
    "allow?": [(str, float)],
    "deny?": [(str, float)],
}
_FORM = {
    "files": str,
    "signature": str,
    "latent": str,
    "domains": {str: [(float, None)]},
    "distance": str,
    "normalization": str,
    "query": str,
    "crowding_tags": [str],
    "restricts": [[_RESTRICT]],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """An example near an instance."""

    id: str
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an index was made with, without which its distances mean nothing.

    `files` is the fingerprint of the model, `latent` the tensor whose values are the vectors,
    `domains` what the values of each input range over (least, greatest).
    """

    files: str
    signature: str
    latent: str
    domains: dict[str, list[float | None]]

    def difference(self, other: Origin) -> str | None:
        """Return what is different in another one, as the end of a sentence, or None."""
        if self.files != other.files:
            return "with another model: its graph, its variables or its assets have changed"
        if self.signature != other.signature:
            return f"with the signature '{self.signature}', and this is '{other.signature}'"
        if self.latent != other.latent:
            return f"of the tensor '{self.latent}', and the latent space is '{other.latent}'"
        for name in {**self.domains, **other.domains}:
            before, now = self.domains.get(name), other.domains.get(name)
            if before != now:
                return f"with the domain {before} of input '{name}', which is {now} now"
        return None


@dataclass(frozen=True)
class ExampleIndex:
    """An index that was opened; `origin` says what it was made with."""

    path: Path
    origin: Origin
    distance: Distance
    normalization: Normalization
    query: Query
    crowding_tags: tuple[str, ...]
    restricts: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def vectors(self) -> Array:
        """The normalized latent vectors, float32 [n, d]."""
        return mapped(self.path, "vectors")

    def check(self) -> None:
        """Raise ValueError unless the arrays fit together; of the ids and the tags, at their ends.

        What lies in the middle is looked at when it is searched.
        """
        arrays = (
            (self.vectors, "f4", 2), (self._ids, "u1", 1), (self._id_ends, "i8", 1),
            (self._center, "f8", 1), (self._scale, "f8", 1), (self._tags, "i4", 2),
        )  # fmt: skip
        if any(it.dtype != np.dtype(kind) or it.ndim != axes for it, kind, axes in arrays):
            raise ValueError("an array is not of the type it has to be")
        count, size = self.vectors.shape
        ends, tags = self._id_ends, self._tags
        lengths = {len(ends), len(tags)} == {count} and {len(self._center), len(self._scale)}
        if not count or lengths != {size} or tags.shape[1] != 2:
            raise ValueError("the arrays are not of one length")
        if ends[0] < 0 or (np.diff(ends) < 0).any() or ends[-1] != len(self._ids):
            raise ValueError("the ids are not where they have to be")
        most = tags.max(axis=0) < (len(self.crowding_tags), len(self.restricts))
        if tags.min() < 0 or not most.all():
            raise ValueError("a tag is not among the tags")

    @property
    def measure(self) -> str:
        """What is near, in words."""
        of = {
            Normalization.NONE: "",
            Normalization.UNIT_L2_NORM: " of unit vectors",
            Normalization.STANDARD: " in standard deviations",
        }
        return self.distance.value.replace("_", " ") + of[self.normalization]

    def id_at(self, place: int) -> str:
        """Return the id of the example at a place."""
        start = int(self._id_ends[place - 1]) if place else 0
        return bytes(self._ids[start : self._id_ends[place]]).decode("utf-8", "replace")

    def search(self, vectors: Array, wanted: Examples) -> list[tuple[Neighbor, ...]]:
        """Return the nearest examples of latent vectors [m, d], nearest first.

        Raises SpecError where the index was not made for what is wanted.
        """
        if vectors.shape[1] != self.vectors.shape[1]:
            raise SpecError(
                f"its vectors have {self.vectors.shape[1]} elements, and those of the instances "
                f"{vectors.shape[1]}",
                where=Where(file=str(self.path)),
                hint=Hint("make it again, of a latent tensor of one size, with {index.latent}"),
            )
        queries = nearest_examples.normalized(
            vectors, self.normalization, self._center, self._scale
        )
        rows = self._allowed(wanted.restrictions)
        count, total = wanted.neighbor_count, len(self) if rows is None else len(rows)
        while True:
            found = [
                self._spread(places, measured, wanted)
                for places, measured in self._nearest(queries, count, wanted, rows)
            ]
            # Those that stand too close together made room for others further off.
            enough = all(len(it) == wanted.neighbor_count for it in found)
            if enough or count >= total or wanted.crowding_count is None:
                return found
            count *= 4

    def _nearest(
        self, queries: Array, count: int, wanted: Examples, rows: Array | None
    ) -> Iterable[tuple[Array, Array]]:
        """Yield places and distances of each query's nearest examples."""
        if (wanted.query or self.query) is Query.FAST and rows is None:
            return self._fast(queries, count, wanted)
        return zip(
            *nearest_examples.nearest_examples(
                queries, self.vectors, count, self.distance, rows=rows
            ),
            strict=True,
        )

    def _fast(self, queries: Array, count: int, wanted: Examples) -> Iterator[tuple[Array, Array]]:
        if self.query is not Query.FAST:
            raise SpecError(
                "was made for precise searches",
                where=Where(file=str(self.path)),
                hint=Hint("make it again with {index.query:fast}, or search with {query:precise}"),
            )
        looked = min(max(wanted.candidates or CANDIDATES, count), len(self))
        near = self._graph.candidates(queries, looked)
        for query, found in zip(queries, near, strict=True):
            places = np.sort(found)
            measured = nearest_examples.distances(query, self.vectors[places], self.distance)
            order = np.argsort(measured, kind="stable")[:count]
            yield places[order], measured[order]

    def _allowed(self, restrictions: Sequence[Restriction]) -> Array | None:
        """Return the places that restrictions let through; None for all."""
        if not restrictions:
            return None
        fine = [all(_lets(one, had) for one in restrictions) for had in self.restricts]
        return np.flatnonzero(np.array(fine)[self._tags[:, 1]])

    def _spread(self, places: Array, measured: Array, wanted: Examples) -> tuple[Neighbor, ...]:
        """Return the nearest, at most `crowding_count` of one crowding tag."""
        taken: Counter[str] = Counter()
        made: list[Neighbor] = []
        for place, distance in zip(places.tolist(), measured.tolist(), strict=True):
            if wanted.crowding_count is not None:
                tag = self.crowding_tags[self._tags[place, 0]]
                taken[tag] += bool(tag)
                if taken[tag] > wanted.crowding_count:
                    continue
            made.append(Neighbor(id=self.id_at(place), distance=distance))
        return tuple(made[: wanted.neighbor_count])

    @cached_property
    def _graph(self) -> Graph:
        return Graph(mapped(self.path, "graph"))

    @cached_property
    def _ids(self) -> Array:
        return mapped(self.path, "ids")

    @cached_property
    def _id_ends(self) -> Array:
        return mapped(self.path, "id_ends")

    @cached_property
    def _tags(self) -> Array:
        return mapped(self.path, "tags")

    @cached_property
    def _center(self) -> Array:
        return mapped(self.path, "center")

    @cached_property
    def _scale(self) -> Array:
        return mapped(self.path, "scale")


def open_index(path: Path) -> ExampleIndex:
    """Return the index in a file. Raises SpecError for a file that is none."""
    where = Where(file=str(path))
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            header = json.loads(archive.read("index.json"))
        expect(header, {"format": object}, "the header")
        if header["format"] != FORMAT:
            raise SpecError(
                f"is an index of format {header['format']}, this version reads {FORMAT}",
                where=where,
                hint="make it again with pellucid index",
            )
        expect(header, _FORM, "the header")
        opened = ExampleIndex(
            path=path,
            origin=Origin(**{f.name: header[f.name] for f in fields(Origin)}),
            distance=Distance(header["distance"]),
            normalization=Normalization(header["normalization"]),
            query=Query(header["query"]),
            crowding_tags=tuple(header["crowding_tags"]),
            restricts=tuple(header["restricts"]),
        )
        opened.check()
        return opened
    except FileNotFoundError:
        raise SpecError(
            "there is no index",
            where=where,
            hint="make one with pellucid index MODEL_DIR EXAMPLES",
        ) from None
    except SpecError:
        raise
    except (*DAMAGED, IsADirectoryError) as error:
        raise SpecError(
            "is not an index of examples", where=where, hint="make one with pellucid index"
        ) from error
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", where=where) from error


def _lets(wanted: Restriction, restricts: Any) -> bool:
    """Whether an example's restricts, [{"namespace", "allow", "deny"}], are as they have to be.

    As in the service's vector search: one token that the query allows has to be there, none that it
    denies, and none that it allows may be denied by the example.
    """
    allow: set[str] = set()
    deny: set[str] = set()
    for one in restricts:
        if one.get("namespace", one.get("namespaceName")) == wanted.namespace:
            allow |= set(one.get("allow", ()))
            deny |= set(one.get("deny", ()))
    found = not wanted.allow or bool(allow & wanted.allow)
    return found and not allow & wanted.deny and not deny & wanted.allow


def mapped(path: Path, name: str) -> Array:
    """Return an array of an uncompressed ``.npz`` archive, mapped into memory, as it lies there."""
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        start = archive.getinfo(f"{name}.npy").header_offset
    with open_file(path) as file:
        file.seek(start + 26)  # in a member's own header: the lengths of its name and its extras
        file.seek(sum(struct.unpack("<HH", file.read(4))), 1)
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        offset = file.tell()
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects")
    return np.memmap(path, dtype, "r", offset, shape) if np.prod(shape) else np.zeros(shape, dtype)
