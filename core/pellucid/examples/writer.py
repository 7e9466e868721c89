"""Writes an index of examples: as they come, in little memory, and under its name when complete."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import InstanceError, ModelError, OutputError
from pellucid.examples.hnsw import build_graph
from pellucid.examples.index import FORMAT, ExampleIndex, Origin, open_index
from pellucid.files import put_in_place
from pellucid.metadata import Distance, Normalization, Query
from pellucid.methods import nearest_examples
from pellucid.model import Array
from pellucid.notices import Hint, Where

ROWS = 2**14


class IndexWriter(AbstractContextManager["IndexWriter"]):
    """Takes the vectors of examples in, and writes the index in `finish`.

    What is not finished leaves nothing behind. Raises OutputError.
    """

    def __init__(
        self,
        path: Path,
        origin: Origin,
        distance: Distance,
        normalization: Normalization,
        query: Query,
    ) -> None:
        self._path = path
        self._origin = origin
        self._distance = distance
        self._normalization = normalization
        self._query = query
        self._known: set[str] = set()
        self._ends: list[int] = []
        self._tags: list[tuple[int, int]] = []
        self._crowding: dict[str, int] = {}
        self._restricts: dict[str, int] = {}
        self._dimensions: int | None = None
        # Of the vectors before normalization: their mean, and the sum of squares about it.
        self._mean: Any = 0.0
        self._squares: Any = 0.0

    def __enter__(self) -> IndexWriter:
        try:
            self._folder = tempfile.TemporaryDirectory(
                dir=self._path.parent, prefix=f".{self._path.name}."
            )
        except OSError as error:
            raise self._unwritten(error) from error
        self._vectors = self._file("vectors").open("wb")
        self._ids = self._file("ids").open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._vectors.close()
        self._ids.close()
        self._folder.cleanup()

    def _unwritten(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot be written: {error.strerror}", where=Where(file=str(self._path))
        )

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, ids: Sequence[str], vectors: Array, extras: Sequence[Any]) -> None:
        """Take examples in; `vectors` are [n, d], `beside` what stood beside their inputs.

        Raises InstanceError for an id that is there already, and ModelError for another d.
        """
        if not ids:
            return
        self._same_size(ids, vectors)
        for name in ids:
            if name in self._known:
                raise InstanceError(
                    f"the id '{name}' is that of two examples", hint="give each its own"
                )
            self._known.add(name)
            data = name.encode()
            self._ids.write(data)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(data))
        for it in extras:
            crowding = str(it["crowding_tag"]) if it.get("crowding_tag") else ""
            restricts = json.dumps(it["restricts"], sort_keys=True) if it.get("restricts") else ""
            self._tags.append(
                (_place(self._crowding, crowding), _place(self._restricts, restricts))
            )
        self._measure(np.asarray(vectors, np.float64))
        self._vectors.write(np.ascontiguousarray(vectors, np.float32).tobytes())

    def finish(self) -> ExampleIndex:
        """Write the index, and open it."""
        count, d = len(self), self._dimensions
        if not count or d is None:
            raise InstanceError("there are no examples")
        self._vectors.close()
        self._ids.close()
        center = np.asarray(self._mean)
        scale = np.sqrt(self._squares / count)
        vectors = np.memmap(self._file("vectors"), np.float32, "r+", shape=(count, d))
        for first in range(0, count, ROWS):
            rows = vectors[first : first + ROWS]
            rows[:] = nearest_examples.normalized(
                np.array(rows), self._normalization, center, scale
            )
        header = {
            "format": FORMAT,
            "examples": count,
            "dimensions": d,
            **asdict(self._origin),
            "distance": self._distance.value,
            "normalization": self._normalization.value,
            "query": self._query.value,
            "crowding_tags": list(self._crowding),
            "restricts": [json.loads(it) if it else [] for it in self._restricts],
        }
        done = self._file("done")
        try:
            with zipfile.ZipFile(done, "w") as archive:
                archive.writestr(zipfile.ZipInfo("index.json"), json.dumps(header, indent=2))
                _put(archive, "vectors", vectors)
                _put(archive, "ids", np.memmap(self._file("ids"), np.uint8, "r"))
                _put(archive, "id_ends", np.array(self._ends, np.int64))
                _put(archive, "center", center)
                _put(archive, "scale", scale)
                _put(archive, "tags", np.array(self._tags, np.int32))
                if self._query is Query.FAST:
                    _put(archive, "graph", build_graph(vectors, self._distance))
            put_in_place(done, self._path)
        except OSError as error:
            raise self._unwritten(error) from error
        return open_index(self._path)

    def _file(self, name: str) -> Path:
        return Path(self._folder.name, name)

    def _same_size(self, ids: Sequence[str], vectors: Array) -> None:
        d = vectors.shape[1]
        if self._dimensions not in (None, d):
            raise ModelError(
                f"the latent tensor '{self._origin.latent}' has {d} elements for the example "
                f"'{ids[0]}' and {self._dimensions} for others",
                hint=Hint("name one of a single size with {latent}"),
            )
        self._dimensions = d

    def _measure(self, vectors: Array) -> None:
        """Bring mean and squares up to date (Chan, Golub and LeVeque 1983)."""
        before, added = len(self) - len(vectors), len(vectors)
        mean = vectors.mean(axis=0)
        shift = mean - self._mean
        self._squares += ((vectors - mean) ** 2).sum(axis=0)
        self._squares += shift**2 * before * added / (before + added)
        self._mean = self._mean + shift * added / (before + added)


def _place(known: dict[str, int], word: str) -> int:
    return known.setdefault(word, len(known))


def _put(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    """Write an array as ``numpy.savez`` does, a piece at a time."""
    description = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.shape,
    }
    # The date of a ZipInfo is always the same, so that the same examples make the same file.
    member = archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)
    with member as file:
        np.lib.format.write_array_header_1_0(file, description)
        for first in range(0, len(array), ROWS):
            file.write(np.ascontiguousarray(array[first : first + ROWS]).tobytes())
