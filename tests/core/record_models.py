"""Models that parse their records, exported as people do, and records for them."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pellucid
from pellucid.runtime.engine.tensorflow import tf


def example(**values: Any) -> bytes:
    """Return a serialized tf.Example; a value, or a list of one kind, for each feature."""
    found = {}
    for name, value in values.items():
        listed = value if isinstance(value, list) else [value]
        if isinstance(listed[0], float):
            found[name] = tf.train.Feature(float_list=tf.train.FloatList(value=listed))
        elif isinstance(listed[0], int):
            found[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=listed))
        else:
            found[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=listed))
    features = tf.train.Features(feature=found)
    return bytes(tf.train.Example(features=features).SerializeToString())


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def texts(name: str) -> Any:
    return tf.TensorSpec([None], tf.string, name)


def saved(directory: Path, function: Callable[..., Any], *specs: Any) -> Path:
    module = tf.Module()
    module.serve = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(directory), signatures=module.serve)
    return directory


def load(directory: Path, **options: Any) -> tuple[Any, list[str]]:
    said: list[str] = []

    def hear(message: object) -> None:
        said.append(str(message))

    return pellucid.load(directory, warn=hear, note=hear, **options), said


def shapley_values(count: int, score: Callable[[frozenset[int]], float]) -> list[float]:
    """Return the Shapley values of `count` players, by the scores of all their coalitions."""
    players = range(count)
    known = {
        frozenset(some): score(frozenset(some))
        for size in range(count + 1)
        for some in combinations(players, size)
    }
    return [sum(_moves(known, i, count)) for i in players]


def _moves(known: dict[frozenset[int], float], player: int, count: int) -> Sequence[float]:
    return [
        math.factorial(len(some))
        * math.factorial(count - len(some) - 1)
        / math.factorial(count)
        * (known[some | {player}] - value)
        for some, value in known.items()
        if player not in some
    ]
