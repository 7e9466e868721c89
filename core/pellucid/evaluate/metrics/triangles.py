"""Pictures that are blurred but for some pixels: what is between these is interpolated.

The pixels that are seen are the corners of a Delaunay triangulation, and every other one is a mean
of the three corners around it. On a grid such a triangulation is not the only one: where four
pixels lie on a circle, either diagonal will do.
"""

from __future__ import annotations

import numpy as np

from pellucid.model import Array


def blurred(pixels: Array, seen: Array) -> Array:
    """Return a picture uint8 [h, w, c] that is interpolated from the pixels that are seen.

    The four corners are seen in any case, so that all others lie between some that are.
    """
    seen = seen.copy()
    seen[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    lone = _surrounded(seen) & ~seen
    found: Array = pixels.copy()
    down, across = np.nonzero(lone)
    sides = [pixels[down, it].astype(np.float32) for it in (across - 1, across + 1)]
    found[lone] = np.round((sides[0] + sides[1]) / 2)
    known = seen | lone
    if not known.all():
        _interpolate(found, pixels, known & ~_surrounded(known), ~known)
    return found


def _surrounded(seen: Array) -> Array:
    """Return which pixels have all four neighbours among those that are seen, bool [h, w].

    Of one that is not seen itself, these four are on the only circle around it that is empty: it is
    on both diagonals. One that is seen is a corner of triangles that have no pixel inside: all
    others stay as they are without it.
    """
    found = np.zeros(seen.shape, bool)
    found[1:-1, 1:-1] = seen[:-2, 1:-1] & seen[2:, 1:-1] & seen[1:-1, :-2] & seen[1:-1, 2:]
    return found


def _interpolate(found: Array, pixels: Array, corner: Array, wanted: Array) -> None:
    """Fill in the pixels that are wanted, bool [h, w], in a picture, from corners, bool [h, w]."""
    from scipy.spatial import Delaunay

    points = np.argwhere(corner)
    corners = points[Delaunay(points).simplices]
    places, which, shares = _inside(corners, wanted)
    values = pixels[tuple(np.moveaxis(corners, 2, 0))].astype(np.float64)  # [t, 3, c]
    between = np.einsum("nk,nkc->nc", shares, values[which]).astype(np.float32)
    found[tuple(places.T)] = np.round(between)


def _inside(corners: Array, wanted: Array) -> tuple[Array, Array, Array]:
    """Return the pixels that are wanted in triangles whose corners are pixels, int [t, 3, 2].

    That is their places [n, 2], the triangle of each [n], and what share each of its corners has in
    it [n, 3]. SciPy looks for the triangle of each pixel instead, which takes a hundred times as
    long: on a grid most are on an edge, where its search gives up and tries all.
    """
    low, high = corners.min(axis=1), corners.max(axis=1) + 1
    sums = np.zeros((wanted.shape[0] + 1, wanted.shape[1] + 1), np.int64)
    sums[1:, 1:] = wanted.cumsum(axis=0).cumsum(axis=1)
    (top, left), (bottom, right) = low.T, high.T
    count = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    whole = _cross(*np.moveaxis(corners, 1, 0))
    # One of an area of ½ has nothing but corners.
    some = np.flatnonzero((np.abs(whole) > 1) & (count > 0))
    height, width = (high[some] - low[some]).T
    size = height * width
    row = np.repeat(np.arange(len(some)), size)
    number = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    y, x = low[some][row].T + np.stack([number // width[row], number % width[row]])
    of = np.flatnonzero(wanted[y, x])
    row, y, x = row[of], y[of], x[of]
    one, two, three = np.moveaxis(corners[some], 1, 0)
    parts = [_beside(*pair, row, y, x) for pair in ((two, three), (three, one))]
    total = whole[some][row]
    parts.append(total - parts[0] - parts[1])
    sign = np.sign(total)
    inside = (parts[0] * sign >= 0) & (parts[1] * sign >= 0) & (parts[2] * sign >= 0)
    shares = np.stack([it[inside] for it in parts], axis=1) / total[inside, None]
    return np.stack([y[inside], x[inside]], axis=1), some[row[inside]], shares


def _beside(one: Array, two: Array, row: Array, y: Array, x: Array) -> Array:
    """Return `_cross` of the sides [t, 2] of the triangles `row` [n] and pixels, [n]."""
    down, across = (two - one).T
    return np.asarray(
        (down[row] * x - across[row] * y) + (across * one[:, 0] - down * one[:, 1])[row]
    )


def _cross(one: Array, two: Array, three: Array) -> Array:
    """Return twice the signed area of triangles, [n, 2] each, [n]."""
    a, b = two - one, three - one
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
