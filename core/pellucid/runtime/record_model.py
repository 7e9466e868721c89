"""A model whose records are changed feature by feature: what no tensor of its graph stands for.

Features that are parsed inside a loop, and lists of any length, cannot be fed behind their parser.
So the record itself is written anew, with other values of theirs in it, and the model parses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pellucid.inputs import serialized_example
from pellucid.metadata import RecordFeature
from pellucid.model import Array, Tensors
from pellucid.runtime.backends.base import CompileSpec, held
from pellucid.runtime.backends.flat_graph import GraphFunction
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.model import TensorFlowModel
from pellucid.runtime.records import TYPES, InRecord
from pellucid.runtime.row_blocks import any_of
from pellucid.runtime.shared_rows import shared_by

# A value that is left out of its list; a feature of one length has none to leave out.
ABSENT: Mapping[str, object] = {"string": b"\x00(left out)", "int64": np.iinfo(np.int64).min}
# The records that are written at a time.
_ROWS = 1024


class RecordModel(TensorFlowModel):
    """A compiled model, some of whose features are values in its records: `inside`, by their names.

    Those are arrays [n, *shape] as others are, a list [n, l]: what has a value of `absent` is left
    out of it, and so is what follows it. No gradient reaches them.
    """

    def __init__(
        self,
        compile_spec: CompileSpec,
        inside: Mapping[str, InRecord],
        preprocessor: Callable[[], GraphFunction | None] = lambda: None,
        names: Callable[[], GraphFunction | None] = lambda: None,
    ) -> None:
        self._inside = inside
        super().__init__(compile_spec, preprocessor, names)

    @property
    def varying(self) -> bool:
        return super().varying or any(it.feature.listed for it in self._inside.values())

    @property
    def absent(self) -> Mapping[str, object]:
        """What stands for a value that is left out of its list, by feature."""
        lists = {name: it.feature.dtype for name, it in self._inside.items() if it.feature.listed}
        return {name: ABSENT[dtype] for name, dtype in lists.items() if dtype in ABSENT}

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        encoded = super().encode(inputs)
        for name, it in self._inside.items():
            rows = [_values(_bytes(row), it.feature) for row in inputs[it.key]]
            encoded[name] = np.stack(rows)
        return encoded

    def predict(self, x: Tensors) -> Array:
        """Return the output for n instances, [n, …]; lists of one length are asked together.

        Else a shorter one would be filled up to the longest, which some models answer to.
        """
        whole = self._with_records(x)
        lengths = [
            tuple(int(it) for it in row)
            for row in np.stack([_length(x[n], self.absent.get(n)) for n in self._inside], axis=1)
        ]
        groups: dict[tuple[int, ...], list[int]] = {}
        for row, length in enumerate(lengths):
            groups.setdefault(length, []).append(row)
        parts = {
            key: super(RecordModel, self).predict({n: v[rows] for n, v in whole.items()})
            for key, rows in groups.items()
        }
        order = np.argsort(np.concatenate([*groups.values()]), kind="stable")
        return np.concatenate([*parts.values()])[order]

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        shared = shared_by([*x.values()], [*baseline.values()], target)
        targets, (owner, column) = shared.padded()
        m = len(any_of(masks))
        scores = np.empty((len(targets), m, targets.shape[1]))
        for place, row in enumerate(shared.first):
            for first in range(0, m, _ROWS):
                some = slice(first, min(first + _ROWS, m))
                one = slice(row, row + 1)
                mixed = {
                    name: np.where(masks[name][some], value[one], baseline[name][one])
                    if name in masks
                    else np.repeat(value[one], some.stop - first, axis=0)
                    for name, value in x.items()
                }
                scores[place, some] = self.outputs(mixed)[:, targets[place]]
        return np.asarray(scores[owner, :, column])

    def _with_records(self, x: Tensors) -> dict[str, Array]:
        """Return operands with the records that hold the values of `x`."""
        found = dict(x)
        for key in dict.fromkeys(it.key for it in self._inside.values()):
            names = [name for name, it in self._inside.items() if it.key == key]
            given = found[held(key)]
            rows = [
                self._record(_bytes(record), {name: x[name][row, ...] for name in names})
                for row, record in enumerate(given)
            ]
            found[held(key)] = np.array(rows, object).reshape(np.shape(given))
        return {name: value for name, value in found.items() if name not in self._inside}

    def _record(self, record: bytes, values: Tensors) -> bytes:
        """Return a record with other values of its features."""
        changed: dict[str, Array] = {}
        for name, value in values.items():
            it = self._inside[name]
            kept = _kept(value, self.absent.get(name))
            changed[it.feature.name] = value[kept] if it.feature.listed else value.ravel()
            for other in it.followers:
                own = _values(record, other)
                changed[other.name] = own[kept] if len(own) == len(kept) else own
        return _without(record, tuple(changed)) + serialized_example(changed)


def _bytes(record: Any) -> bytes:
    """Return a record of a tensor [n] or [n, 1]."""
    return bytes(np.ravel(np.asarray(record, object))[0])


def _kept(value: Array, absent: object) -> Array:
    """Return which values are not left out, bool."""
    return np.ones(value.shape, bool) if absent is None else np.asarray(value != absent, bool)


def _length(value: Array, absent: object) -> Array:
    """Return how many values each row has, [n]."""
    kept: Array = _kept(value, absent).reshape(len(value), -1)
    return np.asarray(kept.sum(axis=1))


def _values(record: bytes, feature: RecordFeature) -> Array:
    """Return the values of a feature, [*shape] or [l]; its default where they are not there."""
    given = _parsed(record).get(feature.name)
    if given is None:
        given = [] if feature.default is None else _default(feature.default)
    found = np.empty(len(given), TYPES[feature.dtype])
    found[:] = given
    return found if feature.listed else _shaped(found, feature.shape)


def _shaped(found: Array, shape: Sequence[int | None]) -> Array:
    sizes = [it or 0 for it in shape]
    if found.size == 1:
        return np.broadcast_to(found.reshape([1] * len(sizes)), sizes)
    # What does not fit is for the model to refuse, in its own words.
    return found.reshape(sizes) if found.size == np.prod(sizes) else np.resize(found, sizes)


def _default(tensor: bytes) -> list[Any]:
    proto = tf.make_tensor_proto([]).FromString(tensor)
    return list(tf.make_ndarray(proto).ravel())


@lru_cache(maxsize=64)
def _parsed(record: bytes) -> Mapping[str, Sequence[Any]]:
    """Return the values of the features that a record has, by their names."""
    features = tf.train.Example.FromString(record).features.feature
    found = {}
    for name, feature in features.items():
        kind = feature.WhichOneof("kind")
        if kind is not None:
            found[name] = list(getattr(feature, kind).value)
    return found


@lru_cache(maxsize=64)
def _without(record: bytes, names: Sequence[str]) -> bytes:
    """Return a record without some of its features."""
    example = tf.train.Example.FromString(record)
    for name in names:
        example.features.feature.pop(name, None)
    return bytes(example.SerializeToString(deterministic=True))
