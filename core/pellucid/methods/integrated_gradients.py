"""Integrated gradients: (x − x') · ∫₀¹ ∇f(x' + α (x − x')) dα, by quadrature.

```python
>>> import numpy as np
>>> from pellucid.model import FunctionModel
>>> model = FunctionModel(
...     lambda x: (x["x"] ** 2).sum(1, keepdims=True),
...     lambda x, target: {"x": 2 * x["x"]},
...     frozenset({"x"}),
... )
>>> x = {"x": np.array([[1.0, 2.0]])}
>>> integrated_gradients(model, x, [{"x": np.zeros((1, 2))}], np.array([0])).values["x"]
array([[1., 4.]])

```

Choosing: Gauss–Legendre with 50 nodes is the default, and exact for smooth networks with far
fewer; on ReLU networks, whose gradient jumps along the path, midpoint is as good. The attributions
should sum to f(x) − f(x'); `Attribution.approx_error` says how nearly they do. It is a necessary
check, not a bound on the error of the single attributions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from pellucid.metadata import IntegratedGradients, Quadrature
from pellucid.methods.adaptive import refine
from pellucid.methods.baseline_scores import check_baseline, is_baseline
from pellucid.methods.joined import side_by_side
from pellucid.model import Array, Attribution, Model, Tensors

# numpy's are eigenvalues of a matrix: as exact as can be, and 5 s for 1,000 of them.
_EIGENVALUES = 100
_PRECISION = 1e-14
# Of an accuracy that is asked for again: the mean of the paths is another one by then.
_MARGIN = 0.8


def integrated_gradients(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    method: IntegratedGradients = IntegratedGradients(),
    *,
    score: Array | None = None,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
    again: bool = True,
) -> Attribution:
    """Return the integrated gradients of n instances, averaged over the baselines.

    `x` and each baseline map features to arrays [n, …] (a baseline may have one row, [1, …]);
    `target` is the flat index of the explained output, [n]; `score` is f(x), [n], for those who
    have asked the model already. `numbers` are the instances' places in the whole run (default
    0 … n−1): with SmoothGrad, instance i draws its noise from ``default_rng([seed, i])``, whatever
    its neighbours are. The values are float64 [n, …], and `approx_error` is |Σ attributions − d| /
    |d| with d = f(x) − f(x'), NaN where d = 0. Features without a gradient are held, and get no
    values. `flat` [n] tells where every gradient that was taken is exactly 0. With a tolerance,
    each path is refined until its sum and its attributions are accurate to it (see
    `pellucid.methods.adaptive`), and `again` where their mean needs more (see `_tightened`). The
    diagnostics then have the `gradients` that it took and, as `quadrature_error`, the estimated
    error of the attributions, ‖error‖₂ / ‖values‖₂ (of several baselines, the mean of their
    errors). With `method.errors`, `errors` are the differences from the rule of half the nodes, and
    `quadrature_error` is their norm relative to that of the values (see `nested`). Tolerance and
    SmoothGrad exclude each other, since noisy paths do not end at x.

    Raises InstanceError for a baseline whose score is not finite.
    Source: arXiv 1703.01365; SmoothGrad: arXiv 1706.03825.
    """
    apart = method.smooth_grad is not None  # noise is drawn feature by feature
    joined = None if apart else side_by_side(model, x, baselines, model.differentiable)
    if joined is not None:
        found = integrated_gradients(
            joined.model, joined.x, joined.baselines, target, method, score=score, again=again
        )
        return joined.parted(found)
    target = np.asarray(target, np.int64)
    if score is None:
        score = model.outputs(x)[np.arange(len(target)), target]
    noise = _noise(model, x, method, seed, range(len(target)) if numbers is None else numbers)
    sums = _Sums(method, x, sorted(model.differentiable), target, score)
    for number, baseline in enumerate(baselines):
        sums.add(model, baseline, noise, number)
    found = sums.mean(len(baselines))
    if method.tolerance is None or len(baselines) == 1 or not again:
        return found
    return _tightened(model, x, baselines, method, found, sums)


class _Sums:
    """What the paths of n instances from several baselines add up to, and then their mean.

    `refined` [n] are the estimated errors of paths with a tolerance, `lengths` [n] the norms of
    their attributions.
    """

    def __init__(
        self,
        method: IntegratedGradients,
        x: Tensors,
        names: Sequence[str],
        target: Array,
        score: Array,
    ) -> None:
        self.method, self.x, self.target, self.score = method, x, target, score
        self.values = {name: np.zeros(np.shape(x[name])) for name in names}
        self.errors = {name: np.zeros(np.shape(x[name])) for name in names if method.errors}
        n = len(target)
        self.baseline_score, self.refined, self.lengths = np.zeros(n), np.zeros(n), np.zeros(n)
        self.evaluations = np.zeros(n, np.int64)
        self.flat = np.ones(n, bool)

    def add(
        self, model: Model, baseline: Tensors, noise: Sequence[Mapping[str, Array]], number: int
    ) -> None:
        """Take in the paths from a baseline, the `number`-th, one for each draw of noise."""
        x, method = self.x, self.method
        start = {name: np.broadcast_to(baseline[name], np.shape(x[name])) for name in self.values}
        base = self._start_scores(model, baseline, start, number)
        self.baseline_score += base
        moving = {name: x[name] for name in self.values}
        for shift in noise:
            first, last = ({**x, **_added(ends, shift)} for ends in (start, moving))
            off: Tensors = {}
            if method.tolerance is None:
                slope, off, used = _integral(model, first, last, self.target, method)
            else:
                ends = (base, self.score)
                slope, estimated, used = refine(
                    model, first, last, self.target, ends, method.tolerance, method.max_steps
                )
                gap = {name: np.asarray(x[name], np.float64) - start[name] for name in self.values}
                self.refined += estimated
                self.lengths += _norm({name: gap[name] * slope[name] for name in gap})
            self.evaluations += used
            self.flat &= ~_any([slope[name] != 0 for name in self.values])
            for name, values in self.values.items():
                difference = np.subtract(x[name], start[name], dtype=np.float64)
                if name in self.errors:
                    self.errors[name] += difference * off[name] / len(noise)
                difference *= slope[name]  # in its place: pictures may be large
                difference /= len(noise)
                values += difference

    def _start_scores(
        self, model: Model, baseline: Tensors, start: dict[str, Array], number: int
    ) -> Array:
        """Return the score where each path begins, [n]."""
        n = len(self.target)
        held = {name: value for name, value in self.x.items() if name not in self.values}
        same = not held and all(len(baseline[name]) == 1 for name in self.values)
        rows = model.outputs({name: start[name][:1] for name in start} if same else start | held)
        base = np.broadcast_to(rows, (n, rows.shape[1]))[np.arange(n), self.target]
        check_baseline(base, number, self.target)
        return np.where(is_baseline(self.x, start), self.score, base)

    def mean(self, baselines: int) -> Attribution:
        """Return the mean over so many baselines; the sums are no longer sums then."""
        for found in (*self.values.values(), *self.errors.values()):
            found /= baselines
        for known in (self.baseline_score, self.refined, self.lengths):
            known /= baselines
        diagnostics = {}
        if self.errors:
            diagnostics["quadrature_error"] = _share(_norm(self.errors), self.values)
        if self.method.tolerance is not None:
            diagnostics["gradients"] = self.evaluations
            diagnostics["quadrature_error"] = _share(self.refined, self.values)
        return Attribution(
            values=self.values,
            score=self.score,
            baseline_score=self.baseline_score,
            target=self.target,
            approx_error=completeness_error(self.values, self.score - self.baseline_score),
            evaluations=self.evaluations,
            flat=self.flat,
            errors=self.errors,
            diagnostics=diagnostics,
        )


def _tightened(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    method: IntegratedGradients,
    found: Attribution,
    sums: _Sums,
) -> Attribution:
    """Return attributions whose paths are accurate enough for their mean, which may be short.

    Where the attributions of several baselines cancel each other in part, the error of their mean
    is larger than the tolerance, though each path is as accurate as that. `sums` are means by now:
    paths were refined to a share of their `lengths`. An instance whose
    paths did not come so far within the steps that they may have would not come farther. Each is
    refined alone, so that it does not depend on its neighbours.
    """
    assert method.tolerance is not None
    refined, lengths = sums.refined, sums.lengths
    error, size = found.diagnostics["quadrature_error"], _norm(found.values)
    reached = refined <= method.tolerance * lengths
    for i in np.flatnonzero(reached & (error > method.tolerance)).tolist():
        share = float(_MARGIN * size[i] / lengths[i])
        one = integrated_gradients(
            model,
            {name: value[[i]] for name, value in x.items()},
            [{name: v[[i]] if len(v) > 1 else v for name, v in it.items()} for it in baselines],
            found.target[[i]],
            replace(method, tolerance=method.tolerance * share),
            score=found.score[[i]],
            again=False,
        )
        assert found.approx_error is not None and one.approx_error is not None
        assert found.evaluations is not None and one.evaluations is not None
        for name, value in found.values.items():
            value[i] = one.values[name][0]
        found.approx_error[i] = one.approx_error[0]
        found.evaluations[i] += one.evaluations[0]
        error[i] = one.diagnostics["quadrature_error"][0]
    return found


def _integral(
    model: Model, first: Tensors, last: Tensors, target: Array, method: IntegratedGradients
) -> tuple[Tensors, Tensors, Array | int]:
    """Return Σ_k w_k ∇f along paths, how far a rule of fewer nodes is from it, and the gradients.

    The other rule is not asked for without `method.errors`.
    """
    nodes, weights = quadrature(method.quadrature, method.step_count)
    if not method.errors:
        return model.path_gradient(first, last, nodes, weights, target), {}, len(nodes)
    kept, share = nested(method.quadrature, method.step_count)
    slope: Tensors
    fewer: Tensors
    if share:
        part, rest = (
            model.path_gradient(first, last, nodes[some], weights[some], target)
            for some in (kept, ~kept)
        )
        slope = {name: part[name] + rest[name] for name in part}
        fewer = {name: share * part[name] for name in part}
        used = len(nodes)
    else:
        slope = model.path_gradient(first, last, nodes, weights, target)
        other = quadrature(method.quadrature, method.step_count // 2)
        fewer = model.path_gradient(first, last, *other, target)
        used = len(nodes) + len(other[0])
    return slope, {name: slope[name] - fewer[name] for name in slope}, used


def nested(rule: Quadrature, count: int) -> tuple[Array, int]:
    """Return which nodes of a rule are a coarser rule, bool [count], and what their weights lack.

    An odd number of nodes of the trapezoidal rule holds every second one, with twice the weight;
    midpoints in threes hold the middle one. That factor is 0 where nothing nests.
    """
    places = np.arange(count)
    if rule is Quadrature.TRAPEZOID and count > 1 and count % 2:
        return places % 2 == 0, 2
    if rule is Quadrature.MIDPOINT and count % 3 == 0:
        return places % 3 == 1, 3
    return np.zeros(count, bool), 0


def _norm(tensors: Tensors) -> Array:
    """Return the Euclidean norm of each instance, over all features, [n]."""
    squares = ((it.reshape(len(it), -1) ** 2).sum(1) for it in tensors.values())
    return np.asarray(np.sqrt(sum(squares)))


def _share(error: Array, values: Tensors) -> Array:
    """Return error / ‖values‖₂ of each instance, [n], NaN where all values are 0."""
    size = _norm(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size == 0, np.nan, error / size)


@cache
def quadrature(rule: Quadrature, count: int) -> tuple[Array, Array]:
    """Return the nodes and weights of `count` points on [0, 1]; the weights sum to 1.

    Gauss–Legendre integrates polynomials of degree 2·count − 1 exactly, the midpoint and the
    trapezoidal rule (which includes both ends) polynomials of degree 1. Raises ValueError for a
    count below 1.
    """
    if count < 1:
        raise ValueError(f"a quadrature needs at least 1 node, not {count}")
    if rule is Quadrature.GAUSS_LEGENDRE:
        nodes, weights = gauss_legendre(count)
        nodes, weights = (nodes + 1) / 2, weights / 2
    elif rule is Quadrature.MIDPOINT or count == 1:
        nodes, weights = (np.arange(count) + 0.5) / count, np.full(count, 1 / count)
    else:
        nodes, weights = np.linspace(0, 1, count), np.full(count, 1 / (count - 1))
        weights[[0, -1]] /= 2
    for array in (nodes, weights):
        array.setflags(write=False)  # all who ask get the same arrays
    return nodes, weights


def gauss_legendre(count: int) -> tuple[Array, Array]:
    """Return the `count` nodes on (-1, 1), ascending, and their weights, float64 [count].

    The nodes are the zeros of the Legendre polynomial Pₙ, found by Newton's method from Tricomi's
    approximation; wᵢ = 2 / ((1 − xᵢ²) Pₙ'(xᵢ)²). Source: Hale and Townsend, Fast and accurate
    computation of Gauss–Legendre and Gauss–Jacobi quadrature nodes and weights (SIAM J. Sci.
    Comput. 35, 2013), sections 2 and 3.
    """
    if count <= _EIGENVALUES:
        return np.polynomial.legendre.leggauss(count)
    half = (count + 1) // 2
    angle = np.pi * (np.arange(1, half + 1) - 0.25) / (count + 0.5)
    nodes = np.cos(angle)
    nodes *= 1 - (count - 1) / (8 * count**3) - (39 - 28 / np.sin(angle) ** 2) / (384 * count**4)
    while True:
        value, slope = _legendre(count, nodes)
        step = value / slope
        nodes -= step
        if np.abs(step).max() < _PRECISION:
            break
    if count % 2:
        nodes[-1] = 0
    weights = 2 / ((1 - nodes**2) * slope**2)
    # The other half is the same, mirrored; the middle one of an odd number is there once.
    others = slice(None, count // 2)
    nodes = np.concatenate([-nodes[others], nodes[::-1]])
    weights = np.concatenate([weights[others], weights[::-1]])
    return nodes, weights * (2 / weights.sum())


def _legendre(degree: int, x: Array) -> tuple[Array, Array]:
    """Return Pₙ(x) and Pₙ'(x) by the recurrence, in place: it runs thousands of times."""
    before, now, product = np.ones_like(x), x.copy(), np.empty_like(x)
    for n in range(1, degree):
        # P(n+1) = x P(n) + n / (n + 1) (x P(n) - P(n-1))
        np.multiply(x, now, out=product)
        np.subtract(product, before, out=before)
        before *= n / (n + 1)
        before += product
        before, now = now, before
    return now, degree * (before - x * now) / (1 - x**2)


def completeness_error(values: Tensors, difference: Array) -> Array:
    """Return |Σ attributions − d| / |d| for each instance, NaN where d = 0."""
    # One after the other: numpy adds up the rows of a single instance in another order.
    total = sum((v.reshape(len(difference), -1).sum(1) for v in values.values()), np.zeros(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(total - difference) / np.abs(difference)
    return np.where(difference == 0, np.nan, error)


def _noise(
    model: Model, x: Tensors, method: IntegratedGradients, seed: int, numbers: Sequence[int]
) -> list[dict[str, Array]]:
    """Return what is added to the whole path, for each noisy sample: ε for each feature, [n, …].

    A noisy copy of every point of a path is the path between noisy ends:
    x' + α (x − x') + ε = (x' + ε) + α ((x + ε) − (x' + ε)).
    """
    if method.smooth_grad is None:
        return [{}]
    features = sorted(model.differentiable)
    count = method.smooth_grad.noisy_sample_count
    samples = [{name: np.zeros(np.shape(x[name])) for name in features} for _ in range(count)]
    for row, number in enumerate(numbers):
        generator = np.random.default_rng([seed, number])
        for sample in samples:
            for name in features:
                normal = generator.standard_normal(np.shape(x[name])[1:])
                sample[name][row] = method.smooth_grad.sigma(name) * normal
    return samples


def _any(parts: Sequence[Array]) -> Array:
    """Return whether any element of a row is true in any of several arrays [n, …], [n]."""
    return np.asarray(np.any([it.reshape(len(it), -1).any(axis=1) for it in parts], axis=0))


def _added(ends: Tensors, shift: Tensors) -> dict[str, Array]:
    return {
        name: (value + shift[name]).astype(value.dtype) if name in shift else value
        for name, value in ends.items()
    }
