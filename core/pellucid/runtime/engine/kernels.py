"""The questions of `pellucid.model.Model`, written as TensorFlow ops over a batch of rows.

A row is one point at which the network is evaluated: an instance on the way from its baseline, or
one coalition of its features. Interpolation, masking and weighting happen here, on the device, so
that only the end points of a path travel. Each question is built once and then called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from pellucid.errors import ModelError, NotDifferentiableError
from pellucid.runtime.engine.failures import NoGradient
from pellucid.runtime.engine.joined_operands import groups_of, joined, parted
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.engine.transposed_part import AffinePart, transposed_sums
from pellucid.saved_model import Batch

Network: TypeAlias = Callable[[dict[str, Any]], Any]
"""Operand name → tensor [rows, …], to the output tensor [rows, …]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A tensor that the output is a function of.

    `explained` operands are features; the others are request inputs that the output depends on as
    well, held at the instance's value. `shape` is that of one row; None = unknown rank. A `shared`
    operand is one scalar for a whole batch, such as a dropout rate that is fed.
    """

    name: str
    dtype: Any
    shape: tuple[int | None, ...] | None
    explained: bool
    shared: bool = False

    @property
    def real(self) -> bool:
        """Whether a gradient with respect to it can exist at all."""
        return self.explained and bool(self.dtype.is_floating) and not self.shared

    @property
    def rows(self) -> list[int | None] | None:
        """The static shape of an argument that holds any number of rows."""
        return None if self.shape is None else [None, *self.shape]


def path_gradient(
    network: Network,
    operands: Sequence[Operand],
    batch: Batch,
    start: Mapping[str, Any],
    stop: Mapping[str, Any],
    path: Any,
    node: Any,
    weight: Any,
    target: Any,
    *,
    part: AffinePart | None = None,
) -> dict[str, Any]:
    """Return Σ_r w_r ∇f(start + a_r (stop − start)) summed over the rows r of each path.

    `start` (real operands) and `stop` (all operands) are [p, …]; `path` int32 [r] says which path
    a row is on; `node` a and `weight` w are float64 [r]; `target` int64 [r] is the flat index of
    the output. The sums are accumulated in float64, [p, …]. An operand that no gradient reaches is
    left out. Raises NoGradient if none does, and NotDifferentiableError if no operand is of floats.
    The transpose of what is affine, `part` of the network, is applied once for each path.
    """
    back = _forward(network, operands, batch, start, stop, path, node, weight, part)
    return back(target)


def path_gradients(
    names: Sequence[str],
    network: Network,
    operands: Sequence[Operand],
    batch: Batch,
    start: Mapping[str, Any],
    stop: Mapping[str, Any],
    path: Any,
    node: Any,
    weight: Any,
    targets: Any,
    *,
    part: AffinePart | None = None,
) -> dict[str, Any]:
    """Return `path_gradient` for k targets of each row, int64 [k, r], after one way forward.

    `names` are the operands that a gradient reaches; the sums of each are float64 [k, p, …]. The
    ways back are gone one after the other: they take the memory of one, whatever k is.
    """
    back = _forward(network, operands, batch, start, stop, path, node, weight, part)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def reached(target: Any) -> dict[str, Any]:
        sums = back(target)
        return {name: sums[name] for name in names}

    kinds = dict.fromkeys(names, tf.TensorSpec(None, tf.float64))
    found: dict[str, Any] = tf.map_fn(
        reached, targets, fn_output_signature=kinds, parallel_iterations=1
    )
    return found


def _forward(
    network: Network,
    operands: Sequence[Operand],
    batch: Batch,
    start: Mapping[str, Any],
    stop: Mapping[str, Any],
    path: Any,
    node: Any,
    weight: Any,
    part: AffinePart | None,
) -> Callable[[Any], dict[str, Any]]:
    """Go forward along paths, and return the way back from a target of each row, int64 [r]."""
    rows = _on_paths(operands, batch, start, stop, path, node)
    output = outputs(network, operands, batch, rows)
    paths = tf.shape(stop[operands[0].name])[0]
    points, ends = ({o.name: it[o.name] for o in operands if o.real} for it in (rows, stop))
    # Here, as each way back may be a step of a loop, where the weights of the part are not found.
    behind = None if part is None else (part.inside(output), part.answers(ends))

    def back(target: Any) -> dict[str, Any]:
        if behind is not None:
            seed = _seed(output, target, weight)
            # Why there is none is said below.
            with suppress(LookupError, NotImplementedError):
                found = transposed_sums(output, seed, points, *behind, ends, path)
                if found:
                    return found
        return gradient_sums(operands, rows, output, path, weight, target, paths)

    return back


def _on_paths(
    operands: Sequence[Operand],
    batch: Batch,
    start: Mapping[str, Any],
    stop: Mapping[str, Any],
    path: Any,
    node: Any,
) -> dict[str, Any]:
    """Return the points at which the network is asked, [r, …]; what is not real is held."""
    moved: dict[str, Any] = {}
    for group in groups_of([operand for operand in operands if operand.real]):
        # In half precision, the steps of a path would be rounded one by one.
        dtype = group[0].dtype
        kind = dtype if dtype.size >= 4 else tf.float32
        begin, end = tf.cast(joined(start, group), kind), tf.cast(joined(stop, group), kind)
        step = tf.gather(end - begin, path)  # the difference once for a path, not for a row
        row = tf.gather(begin, path) + _like_rows(tf.cast(node, kind), step) * step
        moved |= parted(tf.cast(row, dtype), group)
    rows = {}
    for operand in operands:
        name = operand.name
        row = moved[name] if operand.real else tf.gather(stop[name], path)
        rows[name] = _with_static_rows(row, operand, batch)
    return rows


def gradient_sums(
    operands: Sequence[Operand],
    rows: Mapping[str, Any],
    output: Any,
    path: Any,
    weight: Any,
    target: Any,
    paths: Any,
    *,
    lone: bool = False,
) -> dict[str, Any]:
    """Return the second half of `path_gradient`: from rows and their output to sums per path.

    With `lone`, the rows have no row axis: each is one row.
    """
    points = {o.name: rows[o.name] for o in operands if o.real}
    if not points:
        raise NotDifferentiableError(_no_floats(operands))
    # A weight at the score costs a number for a row; behind the gradient, a whole input. In half
    # precision it would be rounded away.
    early = output.dtype.size >= 4
    seed = _seed(output, target, weight if early else tf.ones_like(weight))
    try:
        slopes = tf.gradients(output, list(points.values()), grad_ys=seed)
    except (LookupError, NotImplementedError) as error:
        raise _without_gradient(error) from error
    reaching = ancestors([output.op])
    found = {}
    for name, slope in zip(points, slopes, strict=True):
        if slope is None and not any(op in reaching for op in points[name].consumers()):
            slope = tf.zeros_like(points[name])  # the output does not depend on it at all
        if slope is not None:
            slope = tf.convert_to_tensor(slope)
            found[name] = slope[None] if lone else slope
    if not found:
        raise _blocked(points, output)
    answer: dict[str, Any] = {}
    for group in groups_of([operand for operand in operands if operand.name in found]):
        slope = tf.cast(joined(found, group), tf.float64)
        if not early:
            slope = _like_rows(weight, slope) * slope
        answer |= parted(tf.math.unsorted_segment_sum(slope, path, paths), group)
    return {name: answer[name] for name in found}


def coalition_scores(
    network: Network,
    operands: Sequence[Operand],
    batch: Batch,
    x: Mapping[str, Any],
    baseline: Mapping[str, Any],
    masks: Mapping[str, Any],
    instance: Any,
    coalition: Any,
    target: Any,
) -> Any:
    """Return f_t of x where the row's mask is true and of the baseline elsewhere, float64 [r, k].

    `x` and `baseline` are [n, …]; `masks`, for the explained operands, are bool [m, …] and
    broadcast against one instance; `instance` and `coalition` int32 [r] choose the pair; `target`
    is int64 [r, k].
    """
    rows = {}
    for operand in operands:
        row = tf.gather(x[operand.name], instance)
        if operand.explained:
            other = tf.gather(baseline[operand.name], instance)
            row = tf.where(tf.gather(masks[operand.name], coalition), row, other)
        rows[operand.name] = _with_static_rows(row, operand, batch)
    return tf.cast(_score(outputs(network, operands, batch, rows), target), tf.float64)


def outputs(
    network: Network, operands: Sequence[Operand], batch: Batch, rows: Mapping[str, Any]
) -> Any:
    """Return the output of the network for each row, [r, …]; it must be floating-point."""
    shared = {o.name for o in operands if o.shared}
    if batch.axis:
        output = network({name: row[0] if name in shared else row for name, row in rows.items()})
    else:
        output = network({name: tf.squeeze(row, 0) for name, row in rows.items()})[None]
    if not output.dtype.is_floating:
        raise ModelError(
            f"the output is {output.dtype.name}, which has no score to explain",
            hint="name a floating-point output, such as the probabilities or the logits",
        )
    return output


def _with_static_rows(rows: Any, operand: Operand, batch: Batch) -> Any:
    """Tell shape inference what is known: reshapes inside the network may depend on it."""
    if operand.shape is None or operand.shared:
        return rows
    return tf.ensure_shape(rows, [batch.rows, *operand.shape])


def _score(output: Any, target: Any) -> Any:
    """Return the chosen element of each row's output, [r], or elements, [r, k]."""
    flat = tf.reshape(output, [tf.shape(target)[0], -1])
    return tf.gather(flat, target, batch_dims=1)


def _seed(output: Any, target: Any, weight: Any) -> Any:
    """Return ∂(Σ_r w_r f_r) / ∂output, of its shape: the weight at the target of each row, else 0.

    The gradient of `_score` says the same, in fifty operations more.
    """
    chosen = tf.one_hot(target, tf.size(output) // tf.size(target), dtype=output.dtype)
    return tf.reshape(chosen * tf.cast(weight, output.dtype)[:, None], tf.shape(output))


def _like_rows(values: Any, like: Any) -> Any:
    """Reshape [r] so that it broadcasts over the trailing axes of `like` [r, …]."""
    if like.shape.rank is not None:
        return tf.reshape(values, [-1] + [1] * (like.shape.rank - 1))
    ones = tf.ones([tf.rank(like) - 1], tf.int32)
    return tf.reshape(values, tf.concat([[-1], ones], 0))


def _no_floats(operands: Sequence[Operand]) -> str:
    kinds = ", ".join(f"'{o.name}' is {o.dtype.name}" for o in operands if o.explained)
    return f"a gradient needs floating-point inputs, and {kinds}"


def _blocked(points: Mapping[str, Any], output: Any) -> NoGradient:
    """Return the error that names the first operation that stops every gradient."""
    reaching = ancestors([output.op])
    for name, point in points.items():
        queue, seen = [point], set()
        while queue:
            tensor = queue.pop(0)
            for op in tensor.consumers():
                if op in seen or op not in reaching:
                    continue
                seen.add(op)
                through = [t for t in op.outputs if t.dtype.is_floating or t.dtype.is_complex]
                if through and tf.gradients(through, tensor)[0] is not None:
                    queue.extend(through)
                else:
                    return NoGradient(name, _place(op.name), op.type)
    return NoGradient(next(iter(points)), _place(output.op.name), output.op.type)


def _without_gradient(error: Exception) -> Exception:
    """Return the error for an operation that TensorFlow cannot differentiate at all."""
    found = re.search(r"operation ?'([^']+)' \(op type: (\w+)\)", str(error))
    if found is None:
        reason = str(error).split(". ")[0]
        return NotDifferentiableError(f"TensorFlow cannot differentiate the model: {reason}")
    return NoGradient(None, _place(found[1]), found[2], lacking=True)


def _place(op: str) -> str:
    """Return an operation's name in the model: a question's copy of it is in a scope."""
    return re.sub(r"^network(_\d+)?/", "", op)


def ancestors(ops: Iterable[Any], cuts: Sequence[Any] = ()) -> set[Any]:
    """Return the operations that `ops` depend on, not looking behind the tensors `cuts`."""
    seen: set[Any] = set()
    stack = list(ops)
    stop = {t.name for t in cuts}
    while stack:
        op = stack.pop()
        if op not in seen:
            seen.add(op)
            stack.extend(t.op for t in op.inputs if t.name not in stop)
    return seen
