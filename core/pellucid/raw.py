"""Attributions as plain arrays in one ``.npz`` file, beside the response."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np

from pellucid.explain import Explanation
from pellucid.model import Array


def pack(explanations: Sequence[Explanation]) -> bytes:
    """Return an uncompressed ``.npz`` archive of the attributions of the explained tensors.

    For instance i and its label j (in the order of the explanation): ``i/j/values/FEATURE``
    float64, ``i/j/index`` int64, ``i/j/scores`` float64 [score, baseline_score, approx_error] (NaN
    where undefined), with XRAI ``i/j/ranks/FEATURE``; and ``i/inputs/FEATURE``, the tensor that was
    explained.
    """
    arrays: dict[str, Array] = {}
    for i, explanation in enumerate(explanations):
        for name, tensor in explanation.inputs.items():
            if tensor.dtype != object:
                arrays[f"{i}/inputs/{name}"] = tensor
        for j, label in enumerate(explanation.labels):
            error = np.nan if label.approx_error is None else label.approx_error
            arrays[f"{i}/{j}/index"] = np.array(label.index, np.int64)
            arrays[f"{i}/{j}/scores"] = np.array([label.score, label.baseline_score, error])
            for name, rank in label.ranks.items():
                arrays[f"{i}/{j}/ranks/{name}"] = rank
            for name, value in label.values.items():
                arrays[f"{i}/{j}/values/{name}"] = value
    out = BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()
