"""Two answers to one request, field by field: how far they differ, and whether that is much."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from pellucid.comparison.agreement import agreement
from pellucid.model import Array

EXACT = 1e-6
"""What numbers may differ by, as a share of the largest, and be called exact."""
HIGHLIGHTED = 24
"""A pixel is highlighted where its colour differs from its picture by so many of 255 levels."""


class Verdict(Enum):
    """How a field of two answers compares, the best first."""

    EXACT = "exact"
    CLOSE = "close"
    SAMPLING = "within its error"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """What numbers may differ by as a share of the largest, and what pictures may."""

    numbers: float = 0.01
    pictures: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of two answers: its `path`, what kind it is, and how far the two differ.

    `difference` is a share of the largest number, of pictures 1 − SSIM or 1 − overlap, whichever
    is more; None of what is no number. `details` are other measures, by name.
    """

    path: str
    kind: str
    verdict: Verdict
    recorded: str
    ours: str
    difference: float | None = None
    details: Mapping[str, float] = ()  # type: ignore[assignment]


def numbers(
    path: str, kind: str, recorded: Array, ours: Array, tolerances: Tolerances,
    *, scale: float = 0.0, error: Array | float = 0.0,
) -> Field:  # fmt: skip
    """Compare numbers of one shape; the difference is a share of the largest of them, or `scale`.

    `error` is what they are known to, by their own account: they are within it where they differ
    by no more than that.
    """
    if recorded.shape != ours.shape and recorded.size == ours.size:
        recorded = recorded.reshape(ours.shape)  # [n, 1] and [n] say the same
    if recorded.shape != ours.shape:
        return differing(path, "shape", list(recorded.shape), list(ours.shape))
    largest = float(max(np.abs(recorded).max(initial=0), np.abs(ours).max(initial=0), scale))
    gaps = np.abs(recorded - ours)
    difference = float(gaps.max(initial=0.0)) / largest if largest else 0.0
    details: dict[str, float] = {}
    if recorded.size > 1:
        found = agreement(recorded, ours)
        details = {"cosine": found.cosine, "rank": found.rank}
    within = bool(np.any(error)) and bool((gaps <= np.asarray(error) + EXACT * largest).all())
    if not math.isfinite(difference) or difference > tolerances.numbers:
        verdict = Verdict.SAMPLING if within else Verdict.DIFFERS
    else:
        verdict = Verdict.EXACT if difference <= EXACT else Verdict.CLOSE
    return Field(
        path=path, kind=kind, verdict=verdict, recorded=short_array(recorded),
        ours=short_array(ours), difference=difference, details=details,
    )  # fmt: skip


def words(path: str, kind: str, recorded: Any, ours: Any) -> Field:
    """Compare what is no number: names, orders, indices."""
    if recorded == ours:
        return Field(
            path=path, kind=kind, verdict=Verdict.EXACT, recorded=str(recorded), ours=str(ours)
        )
    return differing(path, kind, recorded, ours)


def differing(path: str, kind: str, recorded: Any, ours: Any) -> Field:
    """Return a field that differs in what it is."""
    return Field(
        path=path, kind=kind, verdict=Verdict.DIFFERS, recorded=str(recorded), ours=str(ours)
    )


def pictures(
    path: str, recorded: Array, ours: Array, base: Array | None, tolerances: Tolerances
) -> Field:
    """Compare overlays, uint8 [h, w, 3], by structure (SSIM of their gray) and what is highlighted.

    What is highlighted is where an overlay has another colour than what lies below it: `base`, the
    picture that was explained, if it is in there, else gray. The overlap is the intersection over
    the union.
    """
    if recorded.shape != ours.shape:
        return differing(path, "picture size", list(recorded.shape[:2]), list(ours.shape[:2]))
    details = {"ssim": ssim(recorded, ours), "overlap": overlap(recorded, ours, base)}
    difference = 1 - min(it for it in details.values() if math.isfinite(it))
    if np.array_equal(recorded, ours):
        difference, verdict = 0.0, Verdict.EXACT
    else:
        verdict = Verdict.CLOSE if difference <= tolerances.pictures else Verdict.DIFFERS
    return Field(
        path=path, kind="picture", verdict=verdict, recorded=_size(recorded), ours=_size(ours),
        difference=difference, details=details,
    )  # fmt: skip


def ssim(first: Array, second: Array) -> float:
    """Return the structural similarity of two pictures' gray, uint8 [h, w, 3]; NaN if tiny."""
    from skimage.metrics import structural_similarity

    one, other = (it.astype(np.float64).mean(axis=2) for it in (first, second))
    side = min(7, *one.shape)
    side -= side % 2 == 0
    if side < 3:
        return float("nan")
    return float(structural_similarity(one, other, data_range=255.0, win_size=side))


def overlap(first: Array, second: Array, base: Array | None = None) -> float:
    """Return the intersection over the union of what two overlays highlight; 1 where none does."""
    one, other = (highlighted(it, base) for it in (first, second))
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0


def highlighted(overlay: Array, base: Array | None = None) -> Array:
    """Return where an overlay has a colour of its own, bool [h, w]: where it is not gray.

    Of a coloured `base` in it, that is where the hue is another: what lies below is dimmed, which
    changes no hue.
    """
    levels = overlay.astype(np.float64)
    chroma = levels - levels.mean(axis=2, keepdims=True)
    if base is not None and base.shape == overlay.shape:
        below = base.astype(np.float64)
        hue = below - below.mean(axis=2, keepdims=True)
        # The part of the base's own hue that is in the overlay, pixel by pixel, is not a highlight.
        length = (hue * hue).sum(axis=2, keepdims=True)
        share = np.clip((chroma * hue).sum(axis=2, keepdims=True) / np.maximum(length, 1.0), 0, 1)
        chroma = chroma - share * hue
    return np.asarray(np.ptp(chroma, axis=2) > HIGHLIGHTED)


def masks(path: str, recorded: Array, ours: Array) -> Field:
    """Compare the patches of one label, [h, w] of 1, −1 and 0, by the overlap of each sign."""
    if recorded.shape != ours.shape:
        return differing(path, "shape", list(recorded.shape), list(ours.shape))
    union = np.count_nonzero((recorded != 0) | (ours != 0))
    both = np.count_nonzero((recorded != 0) & (recorded == ours))
    found = float(both / union) if union else 1.0
    return Field(
        path=path, kind="mask", verdict=Verdict.EXACT if found == 1 else Verdict.DIFFERS,
        recorded=f"{np.count_nonzero(recorded):,} pixels",
        ours=f"{np.count_nonzero(ours):,} pixels", difference=1 - found, details={"overlap": found},
    )  # fmt: skip


def short_array(values: Array) -> str:
    """Return a few numbers, or the shape of many, to be read."""
    if values.size == 1:
        return f"{float(values.ravel()[0]):.6g}"
    if values.size <= 4:
        return ", ".join(f"{it:.4g}" for it in values.ravel().tolist())
    return f"{list(values.shape)}, sum {float(values.sum()):.4g}"


def _size(picture: Array) -> str:
    return f"{picture.shape[1]} × {picture.shape[0]}"


def worst(fields: Sequence[Field]) -> Verdict:
    """Return the worst verdict of some fields."""
    order = list(Verdict)
    return max((it.verdict for it in fields), key=order.index, default=Verdict.EXACT)


def differences(fields: Sequence[Field]) -> Iterator[Field]:
    """Yield the fields that differ."""
    yield from (it for it in fields if it.verdict is Verdict.DIFFERS)
