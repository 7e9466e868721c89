"""What a serialized record holds, as the operation of a model that parses it says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

RecordShape: TypeAlias = tuple[int | None, ...]


class RecordKind(Enum):
    """A ``tf.train.Example``, or a row of CSV as text."""

    EXAMPLE = "a tf.Example"
    CSV = "a row of CSV"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFeature:
    """A feature of a record: its type, the shape that it has in one instance, and its tensor.

    `tensor` is the flat name of what the parser makes of it, [batch, …]. One that is `listed` has
    as many values as an instance gives it, and no tensor with a row of one length for each; one
    that is not `used` may have any values, the output being the same.
    """

    name: str
    dtype: str
    shape: RecordShape
    tensor: str
    required: bool = True
    listed: bool = False
    used: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordForm:
    """What records of one input hold."""

    kind: RecordKind
    features: tuple[RecordFeature, ...]

    @property
    def explained(self) -> tuple[RecordFeature, ...]:
        """The features that have a value for each instance, which the output depends on."""
        return tuple(it for it in self.features if it.used and not it.listed)

    @property
    def listed(self) -> tuple[str, ...]:
        """The names of the features that are lists of any length."""
        return tuple(it.name for it in self.features if it.listed)
