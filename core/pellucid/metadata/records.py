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
    """A feature of a record: its type, and the shape that it has in one instance.

    `tensor` is the flat name of what has a row of it for each instance, None where there is no such
    tensor: of a list that is parsed to the values of all instances in a row (these are `values`),
    or of a parser inside a loop. One that is `listed` has as many values as an instance gives it;
    one that is not `used` may have any values, the output being the same; one that `follows`
    another goes with it, value by value. `default` is what stands for one that is not given, a
    serialized ``TensorProto``.
    """

    name: str
    dtype: str
    shape: RecordShape
    tensor: str | None = None
    values: str | None = None
    required: bool = True
    listed: bool = False
    used: bool = True
    follows: str | None = None
    default: bytes | None = None

    @property
    def apart(self) -> bool:
        """Whether the output depends on it, and it can only be changed in the record."""
        return self.used and self.tensor is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordForm:
    """What records of one input hold.

    `sums` tells that values are summed up to as many rows as the last one that has a value, so that
    a batch that ends with an instance without values has too few.
    """

    kind: RecordKind
    features: tuple[RecordFeature, ...]
    sums: bool = False

    @property
    def explained(self) -> tuple[RecordFeature, ...]:
        """The features that have a tensor for them, which the output depends on."""
        return tuple(it for it in self.features if it.used and it.tensor is not None)

    @property
    def inside(self) -> tuple[RecordFeature, ...]:
        """The features that are changed in the record, and follow no other one."""
        return tuple(it for it in self.features if it.apart and it.follows is None)

    def following(self, name: str) -> tuple[RecordFeature, ...]:
        """Return the lists that go with another one, value by value."""
        return tuple(it for it in self.features if it.apart and it.follows == name)
