"""LIME for images: which patches of a picture, hidden or not, a linear model needs to say the same.

That of texts, `pellucid.methods.texts.text_lime`, has the same regression and kernel.

Each of N rows z ∈ {0, 1}^p says which of the p patches are seen; the others are painted over. With
d the cosine distance of z from the row of ones, and π = √exp(−d² / 0.25²), the coefficients of a
label are those β that minimize Σ π (f(z) − α − z·β)² + |β|².

```python
>>> import numpy as np
>>> from pellucid.model import FunctionModel
>>> model = FunctionModel(
...     lambda x: x["image"] @ np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 5.0]]),
...     lambda x, target: {},
...     frozenset(),
... )
>>> (found,) = lime(model, {"image": np.ones((1, 3))}, "image", [[[0, 1, 2]]])
>>> shown = masks(found.coefficients, found.segments, Lime())
>>> found.labels, found.coefficients[0].round(1), shown.tolist()
(array([0, 1]), array([1., 2., 3.]), [[[1, 1, 1]], [[0, 0, 1]]])

```

Choosing: it asks the model for scores only, and shows regions rather than pixels. The coefficients
do not add up to anything; `r_squared` says how much of the model the linear one explains, and
`stability` how alike the coefficients would be with another seed. Where these are low, take more
samples or larger patches; sampled Shapley on regions has neither doubt.

The samples, the distances, the kernel and the regression are those of the `lime` package, and the
defaults those of KServe's explainer, mended where it went wrong: patches are counted from 0 (the
package could never hide the last one that slic made), there are never more labels than classes, and
there is a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.ahead import at_a_time, in_turn
from pellucid.errors import InstanceError
from pellucid.metadata import Lime, PatchChoice
from pellucid.methods.ridge import BLOCK_BYTES, fitted_by, ridge, standard_errors
from pellucid.methods.superpixels import placed
from pellucid.model import Array, Model, Tensors

KERNEL_WIDTH = 0.25
# "num_features=10" in KServe's explainer.
MOST_PATCHES = 10
# Of a score in float32: what the same row may change by in another batch.
ROUNDING = 1e-6
# Painted pictures that are held at a time; more would leave the processor's caches.
PICTURE_BYTES = 2**25


@dataclass(frozen=True, slots=True, kw_only=True)
class LimeExplanation:
    """Why one picture got its k best labels, in terms of its p patches, or a text of its words.

    `segments` int [h, w] says which patch a pixel is in, or which word a part of a text is;
    `labels` int [k] are flat indices of the output, best first, and `scores` [k] its values there.
    `coefficients` [k, p], `intercepts` [k] and `fitted` [k], what the linear model says of the
    whole. `r_squared` [k] is weighted by the kernel. `stability` [k] is the correlation to expect
    with the coefficients of another seed. Both are NaN where the score never changes, whose
    coefficients are all 0. `errors` [k, p] are the standard errors of the coefficients: how much
    they differ from seed to seed.
    """

    segments: Array
    labels: Array
    scores: Array
    coefficients: Array
    errors: Array
    intercepts: Array
    fitted: Array
    r_squared: Array
    stability: Array

    def heat(self) -> Array:
        """Return the coefficient of each pixel or part of a text, float64 [k, …]."""
        return self.coefficients[:, self.segments]

    def heat_errors(self) -> Array:
        """Return the standard error of each of them, float64 [k, …]."""
        return self.errors[:, self.segments]


def masks(coefficients: Array, segments: Array, choice: PatchChoice) -> Array:
    """Return what KServe's explainer shows for each label, int8 [k, h, w].

    `coefficients` are [k, p], `segments` [h, w]. With `choice.positive_only`, 1 on the ten best
    patches whose coefficient is positive and above `min_weight`; else the sign of the coefficient
    on those of the ten largest whose size is at least `min_weight`.
    """
    order = np.argsort(-np.abs(coefficients), axis=1, kind="stable")
    signs = np.zeros(coefficients.shape, np.int8)
    for sign, weights, best in zip(signs, coefficients, order, strict=True):
        if choice.positive_only:
            wanted = (weights[best] > 0) & (weights[best] > choice.min_weight)
            sign[best[wanted][:MOST_PATCHES]] = 1
        else:
            best = best[:MOST_PATCHES]
            best = best[np.abs(weights[best]) >= choice.min_weight]
            sign[best] = np.where(weights[best] < 0, -1, 1)
    return np.ascontiguousarray(signs[:, segments])


def marked(picture: Array, mask: Array, choice: PatchChoice) -> Array:
    """Return a picture [h, w, 3] with the patches of one label's mask marked, KServe's ``temp``.

    With `choice.positive_only` it is the picture itself; else positive patches have the picture's
    maximum in green, and negative ones in red.
    """
    shown = np.array(picture)
    if not choice.positive_only:
        shown[mask < 0, 0] = shown[mask > 0, 1] = np.max(picture)
    return shown


def lime(
    model: Model,
    x: Tensors,
    feature: str,
    segments: Sequence[Array],
    method: Lime = Lime(),
    *,
    labels: Sequence[int] | None = None,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> list[LimeExplanation]:
    """Return the LIME explanation of each of n pictures.

    `x` maps features to arrays [n, …]; `feature` is the picture, [n, h, w(, c)], [n, c, h, w] or
    the vectors of such, and the others are held. `segments` are n maps [h, w] of patches, counted
    from 0 without gaps, such as `superpixels` makes. `labels` are the flat indices of the outputs
    to explain, by default the `method.top_labels` best of each picture (ties: the lower index).
    `numbers` are the instances' places in the whole run (default 0 … n−1): instance i draws its
    samples from ``RandomState([seed, i])``, as the `lime` package would.

    Rows that are drawn twice are asked once. Memory, beside the model's: a bit for each patch and
    sample several times over, and pictures of 32 MB. Raises InstanceError if hiding patches makes
    the output NaN or infinite, ValueError for segments that do not fit. Source: arXiv 1602.04938.
    """
    numbers = range(len(x[feature])) if numbers is None else numbers
    return [
        _one(model, {name: v[[i]] for name, v in x.items()}, feature, patches, method, labels, draw)
        for i, (patches, draw) in enumerate(
            zip(
                map(np.asarray, segments),
                (np.random.RandomState([seed, number]) for number in numbers),
                strict=True,
            )
        )
    ]


def samples(count: int, patches: int, generator: np.random.RandomState) -> Array:
    """Return `count` rows of which patches are seen, bool [count, patches]; the first has all.

    They are what ``randint(0, 2, count * patches)`` gives, drawn a few rows at a time.
    """
    rows = np.empty((count, patches), bool)
    step = max(1, BLOCK_BYTES // (8 * patches))
    for start in range(0, count, step):
        part = rows[start : start + step]
        part[:] = generator.randint(0, 2, part.size).reshape(part.shape)
    rows[:1] = True
    return rows


def kernel(rows: Array) -> Array:
    """Return the weight √exp(−d² / 0.25²) of each row, d its cosine distance from a row of ones.

    The distance of a row of k ones among p is 1 − √(k / p), and so 1 for the row without any.
    """
    distance = 1 - np.sqrt(rows.mean(axis=1))
    return np.asarray(np.sqrt(np.exp(-(distance**2) / KERNEL_WIDTH**2)))


def _one(
    model: Model,
    x: Tensors,
    feature: str,
    segments: Array,
    method: Lime,
    labels: Sequence[int] | None,
    generator: np.random.RandomState,
) -> LimeExplanation:
    """Explain one picture; the arrays of `x` are [1, …]."""
    rows = samples(method.num_samples, int(segments.max()) + 1, generator)
    outputs = _hidden_outputs(
        model, x, feature, placed(segments, x[feature].shape[1:]), rows, method
    )
    refusal = InstanceError(
        f"with patches of '{feature}' painted {method.hide_color:g}, the model's output is not "
        "finite, which nothing can explain",
        hint="choose another hide_color",
    )
    return fitted(rows, outputs, segments, labels, method.top_labels, refusal)


def fitted(
    rows: Array,
    outputs: Array,
    segments: Array,
    labels: Sequence[int] | None,
    top_labels: int,
    refusal: InstanceError,
) -> LimeExplanation:
    """Return what the linear model says of `outputs` [n, m] for `rows` of what is seen, [n, p].

    The first row sees all; see `lime` for the others. Raises `refusal` where what is explained is
    not finite.
    """
    if labels is None:
        best = np.argsort(-outputs[0], kind="stable")[: max(top_labels, 1)]
    else:
        best = np.asarray(labels, np.int64)
    scores, weights = outputs[:, best], kernel(rows)
    if not np.isfinite(scores).all():
        raise refusal
    scores = np.where(_moves(scores), scores, scores[:1])
    coefficients, intercepts = ridge(rows, scores, weights)
    moves = _moves(scores)[:, None]
    coefficients *= moves  # the regression leaves 1e-28 of a constant
    errors = standard_errors(rows, scores, weights, coefficients, intercepts)
    return LimeExplanation(
        segments=segments,
        labels=best,
        scores=scores[0],
        coefficients=coefficients,
        errors=errors * moves,
        intercepts=intercepts,
        fitted=intercepts + coefficients.sum(axis=1),
        r_squared=_r_squared(rows, scores, weights, coefficients, intercepts),
        stability=_stability(rows, scores, weights),
    )


def _hidden_outputs(
    model: Model, x: Tensors, feature: str, patches: Array, rows: Array, method: Lime
) -> Array:
    """Return the outputs [n, k] with the patches that are not in a row painted over."""
    picture = np.ascontiguousarray(x[feature][0])
    keys = np.packbits(rows, axis=1).view(np.dtype((np.void, -(-rows.shape[1] // 8))))[:, 0]
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    hide = _painter(picture, method.hide_color)
    seen = _seen(rows[first], patches, picture)
    count = at_a_time(model)
    # The models' own blocks are powers of 2: let there be no remainder in each of ours.
    size = max(1, PICTURE_BYTES // max(1, picture.nbytes * count))
    size = min(2 ** (size.bit_length() - 1), len(first))
    held = [np.empty((size, *picture.shape), picture.dtype) for _ in range(count)]

    def painted() -> Iterator[dict[str, Array]]:
        for number, start in enumerate(range(0, len(first), size)):
            block = held[number % count][: len(first) - start]
            for into, (words, bit) in zip(block, seen, strict=False):
                hide(into, words, bit)
            others = {
                name: np.broadcast_to(value, (len(block), *value.shape[1:]))
                for name, value in x.items()
                if name != feature
            }
            yield {**others, feature: block}

    # Copies, as a function may answer with a view of the block, which is painted again.
    parts = map(np.array, in_turn(model.outputs, painted(), count))
    return np.concatenate([*parts])[place]


def _moves(scores: Array) -> Array:
    """Return which labels' scores, [n, k], change by more than rounding, bool [k]."""
    return np.asarray(np.ptp(scores, axis=0) > ROUNDING * np.abs(scores).max(axis=0))


def _seen(rows: Array, patches: Array, picture: Array) -> Iterator[tuple[Array, int]]:
    """Yield, for each row of patches, words as large as the picture's elements, and a bit of them.

    The bit is set where an element is seen. Looking up a patch for each pixel is what costs, so
    that it is done for as many rows at once as a word has bits.
    """
    width = 8 * picture.itemsize
    for start in range(0, len(rows), width):
        part = rows[start : start + width]
        bits = np.zeros((rows.shape[1], picture.itemsize), np.uint8)
        packed = np.packbits(part, axis=0, bitorder="little")
        bits[:, : len(packed)] = packed.T
        words = bits.view(f"<i{picture.itemsize}")[:, 0].astype(_word(picture), copy=False)
        whole = np.ascontiguousarray(np.broadcast_to(words[patches], picture.shape))
        for bit in range(len(part)):
            yield whole, bit


def _painter(picture: Array, color: float) -> Callable[[Array, Array, int], None]:
    """Return a function of (into, words, bit) that writes the picture where the bit is set.

    Elsewhere it writes the colour. On the bits of the numbers this is exact for every dtype, and
    twice as fast as to multiply: shifted up and down again, a bit fills its word, and with m all
    ones or zeros, ((picture ^ colour) & m) ^ colour is the one or the other.
    """
    word = _word(picture)
    hidden = np.asarray(color).astype(picture.dtype).view(word)[()]
    shown = picture.view(word) ^ hidden
    top = 8 * picture.itemsize - 1

    def paint(into: Array, words: Array, bit: int) -> None:
        out = into.view(word)
        np.left_shift(words, top - bit, out=out)
        np.right_shift(out, top, out=out)
        out &= shown
        if hidden:
            out ^= hidden

    return paint


def _word(picture: Array) -> np.dtype[np.signedinteger]:
    return np.dtype(f"i{picture.itemsize}")


def _r_squared(
    rows: Array, scores: Array, weights: Array, coefficients: Array, intercepts: Array
) -> Array:
    left = scores - fitted_by(rows, coefficients.T) - intercepts
    spread = scores - weights @ scores / weights.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (weights @ left**2) / (weights @ spread**2)
    return np.where(np.ptp(scores, axis=0) > 0, 1 - ratio, np.nan)


def _stability(rows: Array, scores: Array, weights: Array) -> Array:
    """Return the correlation to expect between the coefficients of two seeds.

    The two halves of the samples are as good as two seeds with half as many; from their correlation
    r, that of the whole is 2 r / (1 + r) (Spearman and Brown, 1910).
    """
    halves = [ridge(rows[k::2], scores[k::2], weights[k::2])[0] for k in (0, 1)]
    centred = [beta - beta.mean(axis=1, keepdims=True) for beta in halves]
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (centred[0] * centred[1]).sum(axis=1) / np.sqrt(
            (centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1)
        )
        return np.where(np.ptp(scores, axis=0) > 0, 2 * r / (1 + r), np.nan)
