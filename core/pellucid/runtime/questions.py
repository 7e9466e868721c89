"""The questions of `pellucid.model.Model`, asked of a backend block by block.

Rows that differ in their target alone, as those of several outputs of one instance, go forward once
for all of these.
"""

from __future__ import annotations

import numpy as np

from pellucid.model import Array, Tensors
from pellucid.runtime.backends.base import Backend
from pellucid.runtime.engine.row_batches import RowBatches, Rows, used
from pellucid.runtime.row_blocks import RowBlocks, any_of
from pellucid.runtime.shared_rows import shared_by


def path_gradient(
    backend: Backend,
    blocks: RowBlocks,
    start: Tensors,
    stop: Tensors,
    nodes: Array,
    weights: Array,
    target: Array,
    cut: RowBatches,
) -> Tensors:
    """Answer `Model.path_gradient`; `nodes` and `weights` are float64 [n, m]."""
    names, joint = backend.reached()
    start, stop = joint.arrays(start, real=True), joint.arrays(stop)
    shared = shared_by([*stop.values()], [*start.values(), nodes, weights], target)
    sums = {name: np.zeros((len(shared.target), *np.shape(stop[name])[1:])) for name in names}
    for paths, places in shared.groups():
        ends = (start, stop, nodes, weights)
        _add_sums(sums, backend, blocks, cut, ends, (paths, places, shared.target[places]))
    if not np.array_equal(shared.place, np.arange(len(shared.target))):
        sums = {name: value[shared.place] for name, value in sums.items()}
    return joint.apart(sums)


def _add_sums(
    sums: Tensors,
    backend: Backend,
    blocks: RowBlocks,
    cut: RowBatches,
    ends: tuple[Tensors, Tensors, Array, Array],
    asked: tuple[Array, Array, Array],
) -> None:
    """Add the sums along paths, [p], that have k targets each, [p, k], at their places, [p, k]."""
    start, stop, nodes, weights = ends
    paths, places, targets = asked
    nodes, weights = nodes[paths], weights[paths]
    path, column = np.nonzero(weights)

    def answer(block: Rows) -> tuple[Array, dict[str, Array]]:
        p, k = path[block.rows], column[block.rows]
        some = slice(p[0], p[-1] + 1)
        weight = weights[p, k]
        weight[block.count :] = 0.0
        asked = _view(paths[some])
        return places[some], backend.path_gradients(
            {name: value[asked] for name, value in start.items()},
            {name: value[asked] for name, value in stop.items()},
            (p - p[0]).astype(np.int32),
            nodes[p, k],
            weight,
            targets[p].T,
        )

    def add(at: Array, part: dict[str, Array]) -> None:
        for name, value in part.items():
            rows = np.moveaxis(value, 0, 1).reshape(at.size, *value.shape[2:])
            sums[name][_view(at.ravel())] += rows

    # What a block answers may be large, and is let go before the next one is asked.
    for found in blocks.each_block(len(path), backend.compile_spec.batch, answer, cut):
        add(*found[1])
        del found


def _view(rows: Array) -> slice | Array:
    """Return rows as a slice, which copies nothing, if they are one."""
    whole = rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
    return slice(rows[0], rows[-1] + 1) if whole else rows


def coalition_scores(
    backend: Backend,
    blocks: RowBlocks,
    x: Tensors,
    baseline: Tensors,
    masks: Tensors,
    target: Array,
    cut: RowBatches,
) -> Array:
    """Answer `Model.coalition_scores`."""
    explained = [o.name for o in backend.operands if o.explained]
    xs = [x[o.name] for o in backend.operands]
    shared = shared_by(xs, [baseline[name] for name in explained], target)
    targets, (owner, column) = shared.padded()
    n, m = len(targets), len(any_of(masks))
    instance, coalition = (a.ravel() for a in np.indices((n, m)))
    wheres = {
        name: masks[name] if name in masks else np.ones((m,) + (1,) * (x[name].ndim - 1), bool)
        for name in explained
    }
    scores = np.empty((n * m, targets.shape[1]))

    def answer(block: Rows) -> Array:
        i = instance[block.rows]
        rows = _view(shared.first[i[0] : i[-1] + 1])
        some, mask = used(coalition[block.rows])
        return backend.coalition_scores(
            {o.name: x[o.name][rows] for o in backend.operands},
            {name: baseline[name][rows] for name in explained},
            {name: where[some] for name, where in wheres.items()},
            (i - i[0]).astype(np.int32),
            mask.astype(np.int32),
            targets[i],
        )[: block.count]

    for block, part in blocks.each_block(n * m, backend.compile_spec.batch, answer, cut):
        scores[block.rows[: block.count]] = part
    return np.asarray(scores.reshape(n, m, -1)[owner, :, column])
