"""Approximate neighbours in little time: a graph of the examples, by the package usearch."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import DependencyError, SpecError
from pellucid.metadata import Distance
from pellucid.model import Array
from pellucid.notices import Hint

METRICS = {Distance.SQUARED_L2: "l2sq", Distance.DOT_PRODUCT: "ip", Distance.COSINE: "cos"}
ROWS = 2**14


def refuse(distance: Distance) -> None:
    """Raise what stands in the way of a fast search: SpecError or DependencyError."""
    _usearch()
    if distance not in METRICS:
        raise SpecError(
            "there is no fast search by the L1 distance",
            hint=Hint("search with {query:precise}, or choose another distance"),
        )


def build_graph(vectors: Array, distance: Distance) -> Array:
    """Return a navigable small-world graph (HNSW, arXiv 1603.09320) of vectors, as bytes.

    The vectors [n, d] are in it in half precision. It is made by one thread, so that the same
    examples give the same graph.
    """
    refuse(distance)
    graph = _usearch().Index(ndim=vectors.shape[1], metric=METRICS[distance], dtype="bf16")
    for first in range(0, len(vectors), ROWS):
        rows = np.array(vectors[first : first + ROWS], np.float32)
        graph.add(np.arange(first, first + len(rows), dtype=np.uint64), rows, threads=1)
    return np.frombuffer(graph.save(), np.uint8)


class Graph:
    """A graph of `build_graph` to search in; of what lies on disk only what is needed is read."""

    def __init__(self, data: Array) -> None:
        self._data = data  # which the view looks into, and does not keep alive
        self._view = _usearch().Index.restore(data.data, view=True, enable_key_lookups=False)

    def candidates(self, queries: Array, count: int) -> list[Array]:
        """Return, for each of some vectors [m, d], about the `count` nearest places, unordered."""
        # The search has to look at more than it is asked for.
        self._view.expansion_search = max(self._view.expansion_search, 2 * count)
        found = (self._view.search(query, count) for query in np.asarray(queries, np.float32))
        return [np.asarray(matches.keys, np.int64) for matches in found]


def _usearch() -> Any:
    try:
        from usearch import index
    except ImportError as error:
        raise DependencyError(
            "a fast search needs the package usearch",
            hint=Hint("pip install 'pellucid[neighbors]', or search with {query:precise}"),
        ) from error
    return index
