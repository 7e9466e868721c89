"""XRAI: integrated gradients, redistributed to the regions of a picture and ranked.

```python
>>> import numpy as np
>>> picture = np.zeros((64, 64, 3), np.float32)
>>> picture[:, 32:] = 1
>>> attribution = np.where(picture > 0, 2.0, 1.0)
>>> heat, ranks = rank_regions(picture, attribution)
>>> int(ranks[0, -1]), float(heat[0, -1]), float(heat[0, 0])
(1, 2.0, 1.0)

```

Choosing: for photographs, where the question is "which parts", not "which pixels". The base
attributions are those of a black and a white baseline, so that neither dark nor bright objects are
invisible. A heat map says what a pixel of each region is worth on average: it no longer sums to
f(x) − f(x'), so that `Attribution.approx_error` is that of the integrated gradients before ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata import IntegratedGradients, Xrai, is_channels_first
from pellucid.methods.felzenszwalb import felzenszwalb_scales
from pellucid.methods.greedy_cover import greedy_cover
from pellucid.methods.integrated_gradients import integrated_gradients
from pellucid.model import Array, Attribution, Model, Tensors
from pellucid.notices import Hint, Where


def xrai(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    method: Xrai = Xrai(),
    *,
    images: Tensors,
    labels: Tensors | None = None,
    score: Array | None = None,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> tuple[Attribution, dict[str, Array]]:
    """Return the heat maps of n instances, and the ranks of their regions.

    `x`, `baselines` (black and white, unless others are given), `target`, `score`, `seed` and
    `numbers` are those of `integrated_gradients`. `images` are the pictures that each feature is
    segmented by, [n, h, w], [n, h, w, c] or [n, c, h, w], usually `x` itself; `labels`,
    [n, scales, h, w], are their segments, where these were computed while the gradients were. The
    values are float64 [n, h, w], the ranks int32 [n, h, w], 1 for the region that is worth most.
    Raises SpecError for a feature that is not an image, InstanceError for one whose attributions
    are not finite. Source: arXiv 1906.02825.
    """
    _refuse_others(model, x, images)  # before anything is computed
    base = integrated_gradients(
        model, x, baselines, target, _base(method), score=score, seed=seed, numbers=numbers
    )
    names = range(len(base.target)) if numbers is None else numbers
    heat: dict[str, Array] = {}
    ranks: dict[str, Array] = {}
    for name, found in base.values.items():
        values, pictures = _channels_last(found), _channels_last(images[name])
        heat[name] = np.empty(values.shape[:3])
        ranks[name] = np.empty(values.shape[:3], np.int32)
        segments: Array | None = None
        for i, (image, value) in enumerate(zip(pictures, values, strict=True)):
            try:
                if labels is not None:
                    segments = labels[name][i]
                # Several outputs of one instance are explained in a row, on one picture.
                elif segments is None or not np.array_equal(image, pictures[i - 1]):
                    segments = felzenszwalb_scales(image)
                heat[name][i], ranks[name][i] = rank_regions(image, value, labels=segments)
            except InstanceError as error:
                raise error.at(instance=names[i], path=name) from error
    return replace(base, values=heat), ranks


def _refuse_others(model: Model, x: Tensors, images: Tensors) -> None:
    """Raise SpecError for a feature that is not an image."""
    for name in sorted(model.differentiable):
        shape = np.shape(x[name])[1:]
        if name not in images or len(shape) not in (2, 3):
            raise SpecError(
                "XRAI explains images, [height, width] or [height, width, channels], and one "
                f"instance of this input has the shape {list(shape)}",
                where=Where(path=f"inputs.{name}"),
                hint=Hint("use {method:integrated-gradients} or {method:sampled-shapley}"),
            )


def rank_regions(
    image: Array, attribution: Array, *, labels: Array | None = None
) -> tuple[Array, Array]:
    """Return the heat map of one picture and the ranks of its regions: XRAI after the gradients.

    Of the channels of `attribution` the greatest counts; the regions of `image` at six scales,
    dilated by 5 pixels, are painted with the mean of their uncovered pixels, the greatest first,
    while 50 of these are left; what is left after that gets its own mean. The three constants are
    absolute: an image of fewer than 50 pixels is one region. `image` and `attribution` are
    [h, w] or [h, w, c]; `labels`, integers [scales, h, w], take the place of segmenting `image`.
    Returns float64 [h, w] and int32 [h, w], 1 for the best region. Raises InstanceError for shapes
    that do not fit, and for an attribution that is not finite. Source: arXiv 1906.02825.
    """
    attribution = np.asarray(attribution)
    size = np.shape(image)[:2]
    if attribution.ndim not in (2, 3) or 0 in attribution.shape or attribution.shape[:2] != size:
        raise InstanceError(
            f"the attribution has the shape {list(attribution.shape)}, and the image "
            f"{list(np.shape(image))}: XRAI needs [height, width] or [height, width, channels], of "
            "the same height and width"
        )
    values = attribution.max(axis=2) if attribution.ndim == 3 else attribution
    values = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        # Also where the maximum of the channels hides −∞, or the sum of all pixels overflows.
        usable = np.isfinite(np.abs(attribution, dtype=np.float64).sum())
    if not usable:
        bad = np.argwhere(~np.isfinite(attribution))
        where = f"at {bad[0].tolist()}" if len(bad) else "in sum"
        raise InstanceError(
            f"the attribution is not finite {where}, so that its regions cannot be ranked",
            hint="the model's gradient is not finite between baseline and instance",
        )
    if labels is None:
        labels = felzenszwalb_scales(image)
    elif np.ndim(labels) != 3 or labels.shape[1:] != size or labels.dtype.kind not in "iu":
        raise InstanceError(
            f"labels are integers [scales, {size[0]}, {size[1]}], and these are "
            f"{labels.dtype.name} {list(np.shape(labels))}"
        )
    return greedy_cover(values, labels)


def _channels_last(pictures: Array) -> Array:
    """Return pictures [n, c, h, w] as [n, h, w, c], and others as they are."""
    pictures = np.asarray(pictures)
    return np.moveaxis(pictures, 1, -1) if is_channels_first(pictures.shape[1:]) else pictures


def _base(method: Xrai) -> IntegratedGradients:
    return IntegratedGradients(
        step_count=method.step_count,
        smooth_grad=method.smooth_grad,
        max_blur_sigma=method.max_blur_sigma,
        tolerance=method.tolerance,
        max_steps=method.max_steps,
    )
