"""Nearest examples: the exact search against its one product of matrices, and against scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, compared
from sklearn.neighbors import NearestNeighbors
from timing import in_process, interleaved, middle

from pellucid.examples.hnsw import Graph, build_graph
from pellucid.metadata.example_spec import Distance
from pellucid.methods.nearest_examples import nearest_examples

EXAMPLES, QUERIES, SIZE, COUNT = 100_000, 64, 128, 10


def neighbors(turns: int) -> Iterator[Row]:
    """Ten neighbours of 64 instances among 100,000 examples."""
    random = np.random.default_rng(0)
    basis = random.normal(size=(16, SIZE))
    vectors = random.normal(size=(EXAMPLES + QUERIES, 16)) @ basis
    vectors = (vectors + 0.3 * random.normal(size=vectors.shape)).astype(np.float32)
    queries, examples = vectors[:QUERIES], vectors[QUERIES:]
    peer = NearestNeighbors(n_neighbors=COUNT, algorithm="brute").fit(examples)
    few = examples[: EXAMPLES // 5]
    graph = Graph(build_graph(few, Distance.SQUARED_L2))
    cases = {
        "ours": in_process(lambda: nearest_examples(queries, examples, COUNT)),
        "the product of matrices": in_process(lambda: queries @ examples.T),
        "scikit-learn": in_process(lambda: peer.kneighbors(queries)),
        "exact": in_process(lambda: nearest_examples(queries, few, COUNT)),
        "fast": in_process(lambda: graph.candidates(queries, 100)),
    }
    measured = interleaved(cases, turns)
    places, _ = nearest_examples(queries, examples, COUNT)
    same = np.mean(places == peer.kneighbors(queries)[1])
    what = f"{QUERIES} among {EXAMPLES:,} examples"
    yield compared(what, "the product of matrices", measured)
    yield compared(what, "scikit-learn", measured, f"{same:.1%} the same", bound=1.5)
    found = nearest_examples(queries, few, COUNT)[0]
    near = graph.candidates(queries, 100)
    recall = np.mean([len(set(a) & set(b)) / COUNT for a, b in zip(found, near, strict=True)])
    fast, exact = middle(measured["fast"]), middle(measured["exact"])
    share = fast.cpu / exact.cpu, fast.wall / exact.wall
    yield Row(f"fast, among {len(few):,}", "exact search", *share, None, f"finds {recall:.1%}")
