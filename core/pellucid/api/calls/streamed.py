"""Instances that come piece by piece: nobody knows the mean of all of them."""

from __future__ import annotations

from typing import Protocol

from pellucid.api.tables import TableSettings
from pellucid.errors import SpecError
from pellucid.inputs import Missing
from pellucid.notices import Hint, Where


class Averaging(Protocol):
    """A loaded model, as far as it takes means."""

    @property
    def takes_mean(self) -> bool: ...
    @property
    def tables(self) -> TableSettings: ...


def refuse_means(model: Averaging, reader: str) -> None:
    """Raise SpecError where a mean of all instances is asked for, and `reader` has not all."""
    what = f"the mean is that of the instances of one call, and {reader} reads them piece by piece"
    if model.takes_mean:
        hint = "save the mean of some as mean.npy, and name that file"
        raise SpecError(what, where=Where(path="baseline"), hint=hint)
    if model.tables.missing is Missing.MEAN:
        hint_of_missing = Hint("choose {missing:baseline}")
        raise SpecError(what, where=Where(path="missing"), hint=hint_of_missing)
