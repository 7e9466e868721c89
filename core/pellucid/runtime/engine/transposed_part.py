"""Gradients of paths where a network begins with what is affine: its transpose once for a path."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.runtime.engine.tensorflow import tf

FEW_ROWS, FEW_RUNS = 64, 32
"""So many numbers may be summed up in single precision, and so many runs of rows by a product."""


@dataclass(frozen=True, slots=True)
class AffinePart:
    """The first part A of a network g ∘ A, of which `names` are what the other part reads.

    `answers` gives them, as new operations, for rows of the real operands; `inside` finds those
    that an output of the network was computed from.
    """

    answers: Callable[[Mapping[str, Any]], list[Any]]
    inside: Callable[[Any], list[Any]]


def transposed_sums(
    output: Any,
    seed: Any,
    points: Mapping[str, Any],
    cut: Sequence[Any],
    answers: Sequence[Any],
    ends: Mapping[str, Any],
    path: Any,
) -> dict[str, Any]:
    """Return Σ_r w_r ∇f(x_r) summed over the rows r of each path, float64 [p, …], by operand.

    As ∇(g ∘ A)(x) = Aᵀ ∇g(A x), and Aᵀ is the same everywhere, it is applied to the sums. `points`
    are the rows x [r, …] of the real operands, and `cut` what g reads of A there; `ends` are the
    same ends of paths [p, …], and `answers` what A gives for them. `seed` is
    ∂(Σ_r w_r f_r) / ∂output, [r, …]. An operand that no gradient reaches is left out.
    """
    names = list(points)
    paths = tf.shape(next(iter(ends.values())))[0]
    slopes = tf.gradients(
        output,
        [*points.values(), *cut],
        grad_ys=seed,
        stop_gradients=cut,
    )
    sums = [None if it is None else _summed(it, path, paths) for it in slopes]
    behind = [it for it in zip(answers, sums[len(names) :], strict=True) if it[1] is not None]
    through = tf.gradients(
        [answer for answer, _ in behind],
        [ends[name] for name in names],
        grad_ys=[tf.cast(total, answer.dtype) for answer, total in behind],
    )
    found = {}
    for name, direct, transposed in zip(names, sums, through, strict=False):
        parts = [tf.cast(it, tf.float64) for it in (direct, transposed) if it is not None]
        if parts:
            found[name] = tf.add_n(parts)
    return found


def _summed(slope: Any, path: Any, paths: Any) -> Any:
    """Return the sums of rows [r, …] for each path, [p, …]; `path` [r] says which a row is on."""
    slope = tf.convert_to_tensor(slope)
    sizes, count = slope.shape[1:].as_list(), tf.shape(slope)[0]
    # Where paths stand in their order, both terms rise alone: no two runs have the same number.
    run = path + tf.range(count) // FEW_ROWS
    ordered = tf.reduce_all(path[1:] >= path[:-1])
    few = ordered & (run[-1] < FEW_RUNS)
    runs = tf.where(few, run[-1] + 1, 0)
    # A product goes through memory once, and these may be the largest tensors there are.
    flat = tf.reshape(slope, [count, math.prod(sizes)])
    total = tf.matmul(tf.one_hot(run, runs, axis=0, dtype=slope.dtype), flat)
    whose = tf.math.unsorted_segment_max(path, run, runs)
    found = tf.math.unsorted_segment_sum(tf.cast(total, tf.float64), whose, paths)
    found = tf.reshape(found, [paths, *sizes])
    # Times 0 as well, a row that is not finite would be so in the sums of all others.
    finite = tf.reduce_all(tf.math.is_finite(found))

    def of_many() -> Any:
        return tf.math.unsorted_segment_sum(tf.cast(slope, tf.float64), path, paths)

    return tf.cond(few & finite, lambda: found, of_many)
