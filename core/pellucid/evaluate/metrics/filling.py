"""Pixels that are filled in from their neighbours, by a system of linear equations."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pellucid.model import Array

LEAF = 16
"""A part of a picture of so many pixels is not taken apart further."""


def filled(planes: Array, gone: Array, noise: Array) -> Array:
    """Return a picture [h, w, c] whose pixels `gone`, bool [h, w], come from their neighbours.

    Each is the mean of the pixels around it, those beside it counting twice as much as those at its
    corners, all at once; `noise` [gone, c] is added.
    """
    from scipy.sparse.linalg import splu

    places, system = _neighbours(*gone.shape)
    some = np.flatnonzero(gone.ravel()[places])
    wanted, rows = places[some], system[some]
    found = np.array(planes, np.float64)
    flat = found.reshape(-1, planes.shape[2])
    flat[wanted] = 0
    known = -(rows @ flat[places])
    # The system is symmetric, and its diagonal outweighs the rest: it needs no pivots.
    square = rows[:, some].T  # as csc
    options = {"SymmetricMode": True}
    solved = splu(square, permc_spec="NATURAL", diag_pivot_thresh=0.0, options=options)
    flat[wanted] = solved.solve(known)
    found[gone] += noise
    return found


@lru_cache(maxsize=1)
def _neighbours(height: int, width: int) -> tuple[Array, Any]:
    """Return the pixels [p] in the order of elimination, and the equations of all, csr [p, p].

    An equation says that a pixel, times the weights of its neighbours, is what these are.
    """
    from scipy.sparse import coo_matrix

    number = elimination(height, width)
    weights = np.zeros((height, width))
    rows, columns, values = [], [], []
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            if down == across == 0:
                continue
            weight = 1 / 6 if 0 in (down, across) else 1 / 12
            here, there = _shifted((height, width), down, across)
            weights[here] += weight
            rows.append(number[here].ravel())
            columns.append(number[there].ravel())
            values.append(np.full(rows[-1].size, -weight))
    every = number.ravel()
    rows.append(every)
    columns.append(every)
    values.append(weights.ravel())
    where = np.concatenate(rows), np.concatenate(columns)
    system = coo_matrix((np.concatenate(values), where), shape=(every.size, every.size)).tocsr()
    return np.argsort(every), system


def elimination(height: int, width: int) -> Array:
    """Return the place of each pixel in the order in which they are eliminated, int [h, w].

    By nested dissection (George, SIAM J. Numer. Anal. 10, 1973): a line across the middle comes
    last, since no pixel of one side has a neighbour on the other, and before it either side, in the
    same way. Some of the pixels have it in the same order, which takes half of the time of one that
    is found for each of them.
    """
    order = np.empty((height, width), np.int64)
    left, parts = height * width, [(0, height, 0, width)]
    while parts:
        top, bottom, first, last = parts.pop()
        down, across = bottom - top, last - first
        if down * across <= LEAF:
            line = order[top:bottom, first:last]
        elif down >= across:
            middle = (top + bottom) // 2
            line = order[middle : middle + 1, first:last]
            parts += [(top, middle, first, last), (middle + 1, bottom, first, last)]
        else:
            middle = (first + last) // 2
            line = order[top:bottom, middle : middle + 1]
            parts += [(top, bottom, first, middle), (top, bottom, middle + 1, last)]
        left -= line.size
        line[...] = np.arange(left, left + line.size).reshape(line.shape)
    return order


def _shifted(
    size: tuple[int, ...], down: int, across: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where a pixel has the neighbour at a distance, and where these neighbours are."""

    def pair(length: int, step: int) -> tuple[slice, slice]:
        here = slice(max(0, -step), length - max(0, step))
        return here, slice(here.start + step, here.stop + step)

    (top, below), (left, right) = pair(size[0], down), pair(size[1], across)
    return (top, left), (below, right)
