"""Explanations as response JSON, in the form of the service whose metadata they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.explain import Explanation
from pellucid.metadata import Dialect, ExplanationMetadata
from pellucid.responses.ai_platform import ai_platform
from pellucid.responses.json import Features, Picture, features_json
from pellucid.responses.vertex import vertex


def response(
    explanations: Sequence[Explanation],
    metadata: ExplanationMetadata,
    pictures: Picture = lambda number, label: {},
    *,
    dialect: Dialect | None = None,
    ids: Sequence[str | None] = (),
    errors: bool = False,
    features: Features = features_json,
) -> dict[str, Any]:
    """Return the response body for explanations, in the dialect of their metadata.

    `ids` are those of the instances, one for each, where they have any. `errors` tells that those
    of single values are written, too; `features` writes the attributions of a label.
    """
    if (dialect or metadata.dialect) is Dialect.VERTEX:
        return vertex(explanations, metadata, pictures, ids, errors=errors, features=features)
    return ai_platform(explanations, metadata, pictures, ids, errors=errors, features=features)
