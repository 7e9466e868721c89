"""Regions of a picture: Felzenszwalb's graph-based segmentation at the six scales of XRAI.

```python
>>> import numpy as np
>>> picture = np.zeros((60, 80, 3), np.float32)
>>> picture[:, 40:] = 1
>>> labels = felzenszwalb_scales(picture)
>>> labels.shape, labels[:, 0, 0].tolist() == labels[:, -1, -1].tolist()
((6, 60, 80), False)

```

The labels depend on the image alone, so that they can be had while the gradients are computed.

Pixels are vertices, neighbours are joined by edges as costly as their colours differ, and the edges
are taken from the cheapest up: two components are merged when the edge costs less than
inner + scale / size of both, where a component's inner cost is that of its last merge. In the end
the edges are taken once more, and merge what is smaller than a minimum. Three facts make six scales
cheap. A component that refuses an edge refuses all later ones, so that of several edges between two
components only the cheapest counts. An edge that is the first of both its components is decided
whatever the others do, so that all such edges can be taken at once. And a component that came about
without a refusal anywhere in it does so at every larger scale too, so that it is merged only once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.errors import InstanceError
from pellucid.model import Array

SCALES = (50, 100, 150, 250, 500, 1200)
"""How ready the segmenter is to merge: the larger, the fewer regions. Ascending."""

SIDE = 224
SIGMA = 0.8
MINIMUM_SIZE = 150
"""The scales suit an image of this side with values from −1 to 1, smoothed by SIGMA pixels; a
region has at least MINIMUM_SIZE of its pixels."""

ROUNDS = 8
"""How often all edges that are the first of both their components are taken at once; after that,
too few are left for it to be faster than one by one."""

MARGIN = 1 + 4e-7
"""Costs this near to a bound are left for later: the bound is rounded to float32 there."""


def felzenszwalb_scales(image: Array) -> Array:
    """Return the region that each pixel belongs to, at each scale of `SCALES`.

    The image is scaled to 2 (x − min) / (max − min) − 1 over its own range, resized to 224×224
    (cubic, anti-aliased, 0 beyond the border) and segmented; the labels come back by nearest
    neighbour. `image` is a real array [h, w] or [h, w, c]; the result is uint16 [6, h, w], counted
    from 0 at each scale. A constant image is one region. Raises InstanceError for any other shape,
    an image without pixels, and values that are not finite. Equal to scikit-image's resize and
    felzenszwalb. Sources: Felzenszwalb and Huttenlocher, IJCV 59 (2004); the parameters, arXiv
    1906.02825.
    """
    image = _real_image(image)
    height, width = image.shape[:2]
    low, high = image.min(), image.max()
    with np.errstate(over="ignore", invalid="ignore"):
        span = high - low
    if not np.isfinite(span):
        raise InstanceError("the image holds NaN, infinity or numbers near it: no regions")
    labels = np.zeros((len(SCALES), height, width), np.uint16)
    if span == 0:
        return labels
    rows, columns = _nearest(height), _nearest(width)
    for region, out in zip(_segmented(_small(image, low, span)), labels, strict=True):
        out[:] = region[rows[:, None], columns]
    return labels


def _real_image(image: Array) -> Array:
    """Return a float32 or float64 array [h, w, c], in the precision that the image came in."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise InstanceError(
            f"an image has the shape [height, width] or [height, width, channels], and this has "
            f"{list(image.shape)}"
        )
    if image.dtype.kind not in "fiub":
        raise InstanceError(f"an image is made of real numbers, not of {image.dtype.name}")
    if image.dtype == np.float16:
        image = image.astype(np.float32)
    elif image.dtype != np.float32:
        image = image.astype(np.float64, copy=False)
    return np.atleast_3d(image)


# To 224×224 and back


def _small(image: Array, low: float, span: float) -> Array:
    """Return the image [h, w, c] scaled to [−1, 1], as [c, SIDE, SIDE].

    One channel at a time: the cubic spline pads every axis that it is given by 24, and a photo of
    12 million pixels with 27 channels would fill 2.6 GB.
    """
    from scipy.ndimage import gaussian_filter, zoom

    factors = np.divide(image.shape[:2], (SIDE, SIDE))
    blur = np.maximum(0, (factors - 1) / 2)
    small = []
    for c in range(image.shape[2]):
        channel = (image[..., c] - low) / span * 2.0 - 1.0
        channel = gaussian_filter(channel, blur, mode="grid-constant")
        small.append(zoom(channel, 1 / factors, order=3, mode="grid-constant", grid_mode=True))
    # The spline overshoots; the bounds are those of all channels together.
    return np.array(small).clip(-1, 1)


def _nearest(count: int) -> Array:
    """Return which of SIDE equal cells the centre of each of `count` equal cells lies in.

    The resizer itself is asked: where a centre meets a border, its rounding decides.
    """
    from scipy.ndimage import zoom

    factor = np.divide(SIDE, count)
    nearest = zoom(np.arange(SIDE), 1 / factor, order=0, mode="grid-constant", grid_mode=True)
    return np.asarray(nearest, np.intp)


# The segmenter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    """Components and the edges between them.

    Edge e joins `a[e]` and `b[e]`; edges are sorted by `cost`. `size` and `inner` are those of the
    components.
    """

    a: Array
    b: Array
    cost: Array
    size: Array
    inner: Array

    def edges(self, kept: Array) -> _Graph:
        return _Graph(
            a=self.a[kept],
            b=self.b[kept],
            cost=self.cost[kept],
            size=self.size,
            inner=self.inner,
        )

    def joined(self, root: Array, size: Array, inner: Array) -> _Graph:
        """Return the graph of the components `root`, without the edges within them."""
        a, b = root[self.a], root[self.b]
        kept = np.flatnonzero(a != b)
        return _Graph(a=a[kept], b=b[kept], cost=self.cost[kept], size=size, inner=inner)

    def spanning(self) -> _Graph:
        """Return the graph with only the edges that join two parts when all are taken in order."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import minimum_spanning_tree

        # By their places: edges of equal cost stay in order, and none costs 0, which is no edge.
        place = np.arange(1.0, len(self.cost) + 1)
        # SciPy before 1.16 searches graphs with indices of 32 bits only; there are at most SIDE².
        ends = self.a.astype(np.int32), self.b.astype(np.int32)
        edges = csr_array((place, ends), shape=(len(self.size),) * 2)
        tree = minimum_spanning_tree(edges, overwrite=True)
        return self.edges(np.sort(tree.data).astype(np.intp) - 1)

    def cheapest(self) -> _Graph:
        """Return the graph with only the first of all edges between the same components."""
        pair = np.minimum(self.a, self.b) * len(self.size) + np.maximum(self.a, self.b)
        # Sorted as one number, pair and place go several times faster than by a stable argsort.
        bits = len(pair).bit_length()
        pair = np.sort((pair << bits) | np.arange(len(pair)))
        new = np.ones(len(pair), bool)
        new[1:] = (pair[1:] >> bits) != (pair[:-1] >> bits)
        return self.edges(np.sort(pair[new] & ((1 << bits) - 1)))


def _segmented(image: Array) -> list[Array]:
    """Return the labels [h, w] of an image [c, h, w] at each of the scales."""
    shape = image.shape[1:]
    bounds = [scale / 255.0 for scale in SCALES]
    graph, component = _first_merges(_pixel_graph(image), bounds[0])
    child, parent, bound, cost = _merge_tree(graph.spanning(), bounds[-1])
    labels = []
    for scale in bounds:
        # What merges at this scale without a refusal, from what did at the scale before.
        merged = bound < scale
        root = np.arange(len(graph.size))
        root[child[merged]] = parent[merged]
        root = _roots(root)
        inner = graph.inner.copy()
        inner[root[child[merged]]] = cost[merged]  # the last, which is the greatest, stays
        size = np.bincount(root, weights=graph.size, minlength=len(root)).astype(np.int64)
        reduced = graph.joined(root, size, inner).cheapest()
        refused, size = _merged(reduced, scale)
        final = _absorbed(reduced, refused, size)
        labels.append(_numbered(final[refused[root]][component]).reshape(shape))
    return labels


def _pixel_graph(image: Array) -> _Graph:
    """Return the graph of all pixels and their eight neighbours, as costly as colours differ."""
    from scipy.ndimage import gaussian_filter

    smooth = [gaussian_filter(plane.astype(np.float64), SIGMA, mode="reflect") for plane in image]
    pixel = np.arange(image[0].size).reshape(image[0].shape)
    every, later, earlier = slice(None), slice(1, None), slice(None, -1)
    # Among edges of equal cost, this order of right, down, and the two diagonals counts.
    ends = [
        ((every, later), (every, earlier)),
        ((later, every), (earlier, every)),
        ((later, later), (earlier, earlier)),
        ((later, earlier), (earlier, later)),
    ]
    cost = np.concatenate(
        [np.sqrt(sum((plane[p] - plane[q]) ** 2 for plane in smooth)).ravel() for p, q in ends]
    )
    order = np.argsort(cost)
    return _Graph(
        a=np.concatenate([pixel[p].ravel() for p, _ in ends])[order],
        b=np.concatenate([pixel[q].ravel() for _, q in ends])[order],
        cost=cost[order],
        size=np.ones(pixel.size, np.int64),
        inner=np.zeros(pixel.size),
    )


def _first_merges(graph: _Graph, scale: float) -> tuple[_Graph, Array]:
    """Return the graph after ROUNDS rounds, and the component of each of its vertices."""
    component = np.arange(len(graph.size))
    for _ in range(ROUNDS):
        size, inner, count = graph.size.copy(), graph.inner.copy(), len(graph.cost)
        # Written backwards, the first edge of each component is what stays.
        back = np.arange(count)[::-1]
        first_a, first_b = np.full(len(size), count), np.full(len(size), count)
        first_a[graph.a[::-1]] = back
        first_b[graph.b[::-1]] = back
        a = np.flatnonzero((first_a < count) & (first_a < first_b))
        edge = first_a[a]
        b = graph.b[edge]
        both = np.minimum(first_a, first_b)[b] == edge
        a, b, cost = a[both], b[both], graph.cost[edge[both]]
        taken = MARGIN * cost < np.minimum(inner[a] + scale / size[a], inner[b] + scale / size[b])
        a, b, cost = a[taken], b[taken], cost[taken]
        if not len(a):
            break
        root = np.arange(len(size))
        root[b] = a
        size[a] += size[b]
        inner[a] = cost
        component = root[component]
        graph = graph.joined(root, size, inner)
    # Only the components that are left, numbered anew.
    left = np.zeros(len(graph.size), bool)
    left[component] = True
    number = np.cumsum(left) - 1
    graph = graph.joined(number, graph.size[left], graph.inner[left]).cheapest()
    return graph, number[component]


def _merge_tree(graph: _Graph, largest: float) -> tuple[Array, Array, Array, Array]:
    """Return the merges that nothing refuses at a scale below `largest`, in order, of a tree.

    These are child and parent, the scale above which neither of the two, nor anything within them,
    refuses, and the cost.
    """
    owner = list(range(len(graph.size)))
    size, inner = graph.size.tolist(), graph.inner.tolist()
    bound = [0.0] * len(owner)
    children: list[int] = []
    parents: list[int] = []
    bounds: list[float] = []
    costs: list[float] = []
    for a, b, cost in zip(graph.a.tolist(), graph.b.tolist(), graph.cost.tolist(), strict=True):
        while owner[a] != a:
            owner[a] = a = owner[owner[a]]
        while owner[b] != b:
            owner[b] = b = owner[owner[b]]
        if size[a] < size[b]:
            a, b = b, a
        high = MARGIN * cost
        least = max((high - inner[a]) * size[a], (high - inner[b]) * size[b], bound[a], bound[b])
        owner[b] = a
        size[a] += size[b]
        inner[a], bound[a] = cost, least
        if least < largest:
            children.append(b)
            parents.append(a)
            bounds.append(least)
            costs.append(cost)
    ends = np.array(children, np.intp), np.array(parents, np.intp)
    return *ends, np.array(bounds), np.array(costs)


def _merged(graph: _Graph, scale: float) -> tuple[Array, Array]:
    """Return the component that each one ends up in, edge after edge, and the sizes."""
    owner = list(range(len(graph.size)))
    size, inner = graph.size.tolist(), graph.inner.tolist()
    # A little above what a component accepts: most edges are refused, and at once.
    bound = ((graph.inner + scale / np.maximum(graph.size, 1)) * MARGIN).tolist()
    for a, b, cost in zip(graph.a.tolist(), graph.b.tolist(), graph.cost.tolist(), strict=True):
        while owner[a] != a:
            owner[a] = a = owner[owner[a]]
        if cost >= bound[a]:
            continue
        while owner[b] != b:
            owner[b] = b = owner[owner[b]]
        if a == b or cost >= bound[b]:
            continue
        if cost * MARGIN * MARGIN >= min(bound[a], bound[b]) and not (
            cost < float(np.float32(inner[a] + scale / size[a]))
            and cost < float(np.float32(inner[b] + scale / size[b]))
        ):
            continue
        owner[b] = a
        size[a] += size[b]
        inner[a] = cost
        bound[a] = (cost + scale / size[a]) * MARGIN
    return _roots(np.array(owner)), np.array(size)


def _absorbed(graph: _Graph, root: Array, sizes: Array) -> Array:
    """Return the component that each one ends up in when none may stay below MINIMUM_SIZE."""
    graph = graph.joined(root, sizes, graph.inner)
    small = sizes < MINIMUM_SIZE
    graph = graph.edges(np.flatnonzero(small[graph.a] | small[graph.b])).cheapest()
    owner, size = list(range(len(sizes))), sizes.tolist()
    for a, b in zip(graph.a.tolist(), graph.b.tolist(), strict=True):
        while owner[a] != a:
            owner[a] = a = owner[owner[a]]
        while owner[b] != b:
            owner[b] = b = owner[owner[b]]
        if a != b and (size[a] < MINIMUM_SIZE or size[b] < MINIMUM_SIZE):
            owner[b] = a
            size[a] += size[b]
    return _roots(np.array(owner))


def _roots(owner: Array) -> Array:
    """Return where following `owner` ends, for each one."""
    while True:
        further = owner[owner]
        if np.array_equal(further, owner):
            return owner
        owner = further


def _numbered(component: Array) -> Array:
    """Return the components of all pixels counted from 0, in the order of their first pixels."""
    first = np.full(int(component.max()) + 1, component.size)
    first[component[::-1]] = np.arange(component.size)[::-1]
    number = np.empty(len(first), np.int64)
    number[np.argsort(first, kind="stable")] = np.arange(len(first))
    return number[component]
