"""How a response was made, in it; what tells that it was changed; and two of them compared."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs import decode_picture
from pellucid.model import Array
from pellucid.notices import Where

Leaf: TypeAlias = Array | str | None

CLOSE = 1e-6
"""Of the largest number of an array: what two may differ by and be called equal."""
_LARGE = 2**63
PROVENANCE, DIAGNOSTICS, DIGEST = "provenance", "diagnostics", "digest"


def stamped(body: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response with its provenance under ``diagnostics``, and a digest of both.

    Clients of the services pass over a key that they do not know.
    """
    if not provenance:
        return dict(body)
    digest = digest_of({**body, PROVENANCE: dict(provenance)})
    return {**body, DIAGNOSTICS: {PROVENANCE: {**provenance, DIGEST: digest}}}


def digest_of(value: Any) -> str:
    """Return the SHA-256 of JSON, the same before it is written and after it is read.

    Numbers count as float64, whether they stand in arrays or in lists.
    """
    digest = sha256()
    for path, leaf in leaves(value):
        if isinstance(leaf, np.ndarray):
            digest.update(f"{path}\n{leaf.shape}\n".encode("utf-8", "surrogatepass"))
            digest.update(np.ascontiguousarray(leaf, np.float64).tobytes())
        else:
            digest.update(f"{path}\n{leaf!r}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """Yield what a document is made of with its path: arrays of numbers, texts, and nothing.

    A list of numbers, or of lists of such, is one array; NaN and infinities, which JSON does not
    have, are nothing.
    """
    # What most of them are is told sooner than that they are nothing else.
    if type(value) is str:
        yield path, value
        return
    if type(value) in (int, float, bool) and abs(value) < _LARGE:
        yield path, np.array(value, np.float64)
        return
    if isinstance(value, dict | Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
        return
    array = _numbers(value)
    if array is not None:
        yield path, array
    elif isinstance(value, np.ndarray):
        yield from leaves(value.tolist(), path)
    elif isinstance(value, list | tuple) and value:
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{place}]")
    elif value is None or isinstance(value, float | np.floating):  # not finite, or it were a number
        yield path, None
    else:
        # Nothing in a list is the same as nothing in an array.
        empty = "[]" if isinstance(value, list | tuple) else repr(value)
        yield path, value if isinstance(value, str) else empty


def _numbers(value: Any) -> Array | None:
    """Return finite numbers as float64, None for anything else."""
    if not isinstance(value, list | tuple | int | float | np.ndarray | np.number | np.bool_):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # lists that differ in length
        return None
    if array.dtype.kind not in "biuf" or not array.size:
        return None
    array = array.astype(np.float64)
    return array if np.isfinite(array).all() else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two sets of numbers differ.

    `largest` is the largest difference of two numbers, as a share of the largest number of their
    array, and `where` its path; `others` are paths at which there is something else altogether.
    """

    largest: float = 0.0
    where: str = ""
    others: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether all is equal to the bit."""
        return not self.others and self.largest == 0

    @property
    def same(self) -> bool:
        """Whether all is equal within 1e-6."""
        return not self.others and self.largest <= CLOSE


def compared(before: Mapping[str, Leaf], after: Mapping[str, Leaf]) -> Comparison:
    """Return how what is found now differs from what was there before."""
    largest, where = 0.0, ""
    others = [path for path in {**before, **after} if not (path in before and path in after)]
    for path in before.keys() & after.keys():
        found = _difference(before[path], after[path], path)
        if found is None:
            others.append(path)
        elif found > largest or (found == largest and where and path < where):
            largest, where = found, path
    return Comparison(largest, where, tuple(sorted(others)))


def _difference(one: Leaf, other: Leaf, path: str) -> float | None:
    """Return the largest difference as a share of the largest number, None where there is none."""
    if isinstance(one, str) and isinstance(other, str):
        if one == other:
            return 0.0
        if not path.endswith((".b64_jpeg", ".b64_png")):
            return None
        one, other = _pixels(one), _pixels(other)
    if one is None or other is None:
        return 0.0 if one is other else None
    if isinstance(one, str) or isinstance(other, str) or one.shape != other.shape:
        return None
    first, second = (np.asarray(it, np.float64) for it in (one, other))
    if np.array_equal(first, second, equal_nan=True):
        return 0.0
    if not np.array_equal(np.isnan(first), np.isnan(second)):
        return None
    scale = max(float(np.nanmax(np.abs(first))), float(np.nanmax(np.abs(second))))
    return float(np.nanmax(np.abs(first - second))) / scale


def _pixels(encoded: str) -> Array | None:
    try:
        return np.asarray(decode_picture(base64.b64decode(encoded), Where()), np.float64)
    except (InstanceError, ValueError):
        return None
