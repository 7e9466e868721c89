"""Superpixels: a picture cut into the patches that LIME hides and Shapley values are given to.

```python
>>> import numpy as np
>>> picture = np.zeros((16, 16, 3))
>>> picture[:, 8:] = 1
>>> labels = superpixels(picture, Segmentation.SLIC)
>>> labels.dtype, labels.shape, bool(set(labels[:, :8].ravel()) & set(labels[:, 8:].ravel()))
(dtype('int32'), (16, 16), False)

```

Choosing: quickshift with KServe's settings makes hundreds of small patches, felzenszwalb a few
large ones beside many small ones, slic at most a hundred of about the same size.
"""

from __future__ import annotations

import math

import numpy as np

from pellucid.errors import InstanceError
from pellucid.metadata import Segmentation
from pellucid.model import Array

# Above so many pixels a picture is cut at a half, a third, … of its size: the algorithms need about
# 100, 310 and 110 bytes for each pixel.
MOST_PIXELS = {
    Segmentation.QUICKSHIFT: 2**24,
    Segmentation.FELZENSZWALB: 2**22,
    Segmentation.SLIC: 2**24,
}


def superpixels(image: Array, algorithm: Segmentation = Segmentation.QUICKSHIFT) -> Array:
    """Return the patch that each pixel belongs to, int32 [h, w], counted from 0 without gaps.

    `image` is [h, w], [h, w, 1] or [h, w, 3]; grayscale is repeated to RGB, whole numbers are taken
    as 0 … 255 and real ones as 0 … 1. Quickshift has the settings of KServe's explainer, which are
    kernel_size 1, max_dist 200 and ratio 0.2, the other two scikit-image's defaults. The labels
    depend on nothing but the picture. Raises InstanceError for another shape, a picture without
    pixels, and values that are not finite.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise InstanceError(
            f"an image for superpixels is [h, w], [h, w, 1] or [h, w, 3], not {list(image.shape)}"
        )
    height, width = image.shape[:2]
    step = math.ceil(math.sqrt(height * width / MOST_PIXELS[algorithm]))
    image = image[step // 2 :: step, step // 2 :: step] if step > 1 else image
    real = image.astype(np.float64) / (255 if image.dtype.kind in "iu" else 1)
    if not np.isfinite(real).all():
        raise InstanceError("the image holds NaN or infinity: no superpixels")
    rgb = np.repeat(real, 3, axis=2) if real.shape[2] == 1 else real
    labels: Array = _labels(rgb, algorithm)
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)
    if step > 1:
        rows, columns = (
            np.minimum(np.arange(whole) // step, part - 1)
            for whole, part in zip((height, width), rgb.shape, strict=False)
        )
        labels = labels[np.ix_(rows, columns)]
    return labels


def placed(labels: Array, shape: tuple[int, ...]) -> Array:
    """Return labels [h, w] so that they broadcast against one instance of this shape.

    An instance holds a picture as [h, w], [h, w, c], [c, h, w], or the vector of one of the first
    two. Raises ValueError if it holds none of the labels' size.
    """
    labels = np.asarray(labels)
    if shape[:2] == labels.shape:
        return labels.reshape(labels.shape + (1,) * (len(shape) - 2))
    if len(shape) == 3 and shape[1:] == labels.shape:
        return labels[None]
    if len(shape) == 1 and labels.size and labels.ndim == 2 and shape[0] % labels.size == 0:
        return np.repeat(labels.ravel(), shape[0] // labels.size)
    raise ValueError(
        f"labels {list(labels.shape)} do not fit an instance {list(shape)}; it must be a picture "
        "[h, w], [h, w, c] or [c, h, w] of their size"
    )


def _labels(rgb: Array, algorithm: Segmentation) -> Array:
    # Imported here, as it takes half a second.
    from skimage import segmentation

    if algorithm is Segmentation.QUICKSHIFT:
        labels = segmentation.quickshift(rgb, kernel_size=1, max_dist=200, ratio=0.2)
    elif algorithm is Segmentation.FELZENSZWALB:
        labels = segmentation.felzenszwalb(rgb)
    else:
        labels = segmentation.slic(rgb)
    return np.asarray(labels)
