"""What one input of the model wants of a value, and what stands for one that is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import isnan
from typing import Any

import numpy as np

from pellucid.metadata import Domain, PixelLayout, RecordForm, RecordKind
from pellucid.notices import Hint

FLOATS = ("float16", "bfloat16", "float32", "float64")
# What is further from 0 is infinite in bfloat16: half a step above its greatest number.
BEYOND_BFLOAT16 = float(2**128 - 2**119)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


class Missing(Enum):
    """What is done about a missing value: an empty cell, ``null``, NaN in an array."""

    REFUSE = "refuse"
    NAN = "nan"
    MEAN = "mean"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo:
    """One input of the model as a request sees it.

    `shape` includes the batch axis unless `batch` is false (the model takes one instance at a
    time); None as an axis means any size, None as the shape means unknown rank. `dtype` is the
    numpy name, or ``"string"``. `finite` false lets NaN and infinities through. `feature_names` are
    those of its elements, where the metadata say them. What is `missing` is refused, or is NaN, or
    is `fill`: the baseline, one value or nested ones, by name where they are features of a record,
    None where the input has none. `record` is
    what the model parses of a string; a feature of one says of what by `record_of`, and whether it
    is `optional`.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    domain: Domain | None = None
    pixel_layout: PixelLayout = PixelLayout()
    batch: bool = True
    finite: bool = True
    feature_names: tuple[str, ...] | None = None
    missing: Missing = Missing.REFUSE
    fill: object = None
    record: RecordForm | None = None
    record_of: RecordKind | None = None
    optional: bool = False

    @property
    def instance_shape(self) -> tuple[int | None, ...] | None:
        """The shape of one instance, without the batch axis."""
        if self.shape is None or not self.batch:
            return self.shape
        return self.shape[1:]

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """The type of its arrays: numpy has no bfloat16, and float32 holds all of its numbers."""
        name = {"string": "object", "bfloat16": "float32"}.get(self.dtype, self.dtype)
        return np.dtype(name)

    @property
    def is_string(self) -> bool:
        """Whether values are strings or bytes."""
        return self.dtype == "string"

    @property
    def is_float(self) -> bool:
        """Whether values are floating-point numbers."""
        return self.dtype in FLOATS

    @property
    def is_integer(self) -> bool:
        """Whether values are integers (booleans are not)."""
        return self.dtype in INTEGERS

    @property
    def takes_nan(self) -> bool:
        """Whether a missing value is NaN, for the model or to be replaced by the mean."""
        return self.is_float and self.missing in (Missing.NAN, Missing.MEAN)

    @property
    def wants(self) -> str:
        """Say what it takes, as error sentences do: ``float32 [28, ?]`` or ``string scalar``."""
        shape = self.instance_shape
        if shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} {shape_text(shape)}" if shape else f"{self.dtype} scalar"


def shape_text(shape: Sequence[int | None]) -> str:
    """Write a shape as ``[28, ?]``: a question mark is any size."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Return whether a shape matches one that may have axes of any size."""
    return len(shape) == len(wanted) and all(
        want is None or size == want for size, want in zip(shape, wanted, strict=True)
    )


def is_missing(value: object) -> bool:
    """Whether a value says that there is none: ``null``, or NaN."""
    return value is None or (isinstance(value, float) and isnan(value))


def missing_hint(info: InputInfo) -> Hint:
    """Return what to do about a missing value of an input, as things are."""
    if info.missing is Missing.REFUSE and info.is_float and info.record_of is None:
        return Hint(
            "say what stands for missing values: {missing:baseline} or, where no gradients are "
            "taken, {missing:nan}"
        )
    return Hint("let {missing:baseline} stand for missing values")
