"""A row to put at the end of a batch, where a model has no row for an empty one there.

Sums over segments have as many rows as the last segment that has a value: a batch that ends with
an empty text, or an empty list, has too few.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.model import Array
from pellucid.runtime.engine.tensorflow import tf

# Where all texts are empty: any word will do, as the answer to it is left out.
_WORD = b"a"


def last_row(rows: Any, end: bytes | None) -> Any:
    """Return, for a tensor of rows [r, …], one that has values, [1, …], as new operations.

    A record is the first of the rows with `end` at its end, in which every list has a value. Of
    texts it is the longest, of ids the row that has the most; if there are none, a word, or 1.
    """
    if end is not None:
        return tf.strings.join([rows[:1], end])
    flat = tf.reshape(rows, [tf.shape(rows)[0], -1])
    text = rows.dtype == tf.string
    sizes = tf.strings.length(flat) if text else tf.cast(tf.not_equal(flat, 0), tf.int32)
    sizes = tf.reduce_sum(sizes, axis=1)
    best = tf.gather(rows, [tf.argmax(sizes)])
    other = tf.fill(tf.shape(best), tf.constant(_WORD if text else 1, rows.dtype))
    return tf.where(tf.reduce_max(sizes) > 0, best, other)


def last_row_of(rows: Array, end: bytes | None) -> Array:
    """Return what `last_row` does, of an array."""
    if end is not None:
        record = np.array([bytes(rows[:1].ravel()[0]) + end], object)
        return record.reshape(rows[:1].shape)
    text = rows.dtype == object
    flat = rows.reshape(len(rows), -1)
    sizes = [sum(len(it) if text else it != 0 for it in row) for row in flat]
    best = int(np.argmax(sizes))
    if sizes[best]:
        return rows[best : best + 1]
    return np.full_like(rows[:1], _WORD if text else 1)
