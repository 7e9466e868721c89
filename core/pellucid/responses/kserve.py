"""LIME's explanations in the form of KServe's explainer, which drew them on the client's side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import SpecError
from pellucid.explain import Explanation
from pellucid.metadata import ExplanationParameters, PatchChoice
from pellucid.methods import lime
from pellucid.model import Array
from pellucid.notices import Hint


def kserve(
    explanations: Sequence[Explanation], parameters: ExplanationParameters
) -> dict[str, Any]:
    """Return ``{"explanations": {"temp": [h, w, 3], "masks": [k, h, w], "top_labels": [k]}}``.

    ``temp`` is the picture on the model's own scale, grayscale repeated, and where both signs are
    shown, with the patches of the last label marked: the explainer sent no other. ``masks`` are 1,
    −1 and 0, ``top_labels`` flat indices of the output, best first. The protocol explains one
    instance and forgets the others; several are a list of such objects. Raises SpecError for
    another method than LIME, and for texts.
    """
    choice = parameters.method.shown_patches
    if choice is None:
        hint = Hint("choose {method:lime}")
        raise SpecError("KServe's form is that of LIME for images", hint=hint)
    if not of_patches(explanations):
        raise SpecError("KServe's form is that of LIME for images, and no input is one")
    found = [_explained(explanation, choice) for explanation in explanations]
    return {"explanations": found[0] if len(found) == 1 else found}


def of_patches(explanations: Sequence[Explanation]) -> bool:
    """Return whether explanations are those of patches of a picture, which the form is for."""
    return any(label.segments for it in explanations for label in it.labels)


def _explained(explanation: Explanation, choice: PatchChoice) -> dict[str, Any]:
    # The protocol has no names for outputs: of several, it is the first.
    labels = next(iter(explanation.by_output.values()))
    name, segments = next(iter(labels[0].segments.items()))
    coefficients = np.zeros((len(labels), int(segments.max()) + 1))
    for row, label in zip(coefficients, labels, strict=True):
        row[segments] = label.values[name]  # all pixels of a patch say the same
    shown = lime.masks(coefficients, segments, choice)
    shape = explanation.prediction.shape
    return {
        "temp": lime.marked(_rgb(explanation.inputs[name], segments.shape), shown[-1], choice),
        "masks": shown,
        "top_labels": [
            int(np.ravel_multi_index(label.index, shape)) if label.index else 0 for label in labels
        ],
    }


def _rgb(tensor: Array, size: tuple[int, ...]) -> Array:
    """Return a picture tensor of any layout as [h, w, 3]; whole numbers stay what they are."""
    if tensor.ndim == 3 and tensor.shape[1:] == size:
        tensor = np.moveaxis(tensor, 0, -1)
    picture = tensor.reshape(*size, -1)
    if picture.dtype.kind == "f":
        picture = picture.astype(np.float64)
    return np.array(np.broadcast_to(picture, (*size, 3)), order="C")
