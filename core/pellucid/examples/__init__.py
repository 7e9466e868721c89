"""Example-based explanations: an index of latent vectors, written and searched."""

from __future__ import annotations

from pellucid.examples.files import EXTRAS, id_of, read_examples
from pellucid.examples.index import ExampleIndex, Neighbor
from pellucid.examples.search import INDEX_FILE, ExampleSearch

__all__ = [
    "EXTRAS",
    "INDEX_FILE",
    "ExampleIndex",
    "ExampleSearch",
    "Neighbor",
    "id_of",
    "read_examples",
]
