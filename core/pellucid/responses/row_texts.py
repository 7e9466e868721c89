"""Attributions of many rows as JSON, written for a block at once.

A hundred lists of one number each take longer to make, and to write, than to compute. The numbers
of all rows are written as one array instead, and each row's are put between its names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from pellucid.explain import LabelAttribution
from pellucid.model import Rows, TensorsOfRow
from pellucid.responses.json import Drawn, features_json

# A row of a table has one number of each feature, in its brackets or without.
_ALONE = ((), (1,))


class RowTexts:
    """The attributions of the rows of a block: made once, and taken row by row."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Rows, list[bytes] | None]] = {}

    def of(self, label: LabelAttribution, drawn: Drawn) -> Any:
        """Return what `features_json` does, or the same as text that orjson takes as it is."""
        found = label.features
        if drawn or not isinstance(found, TensorsOfRow):
            return features_json(label, drawn)
        rows = found.arrays
        if id(rows) not in self._made:
            self._made[id(rows)] = rows, row_texts(rows)
        texts = self._made[id(rows)][1]
        return features_json(label, drawn) if texts is None else orjson.Fragment(texts[found.row])


def row_texts(rows: Rows) -> list[bytes] | None:
    """Return each row as the text of a JSON object, None unless all are single float64 numbers."""
    joined = rows.joined
    if joined is None or joined.dtype != np.float64 or joined.shape[2:] not in _ALONE:
        return None
    if not joined.size:
        return None
    numbers = np.ascontiguousarray(joined.reshape(joined.shape[:2]).T)
    value = b"[%b]" if joined.ndim > 2 else b"%b"
    names = (orjson.dumps(name).replace(b"%", b"%%") for name in rows)
    template = b"{" + b",".join(name + b":" + value for name in names) + b"}"
    lines = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")
    return [template % tuple(line.split(b",")) for line in lines]
