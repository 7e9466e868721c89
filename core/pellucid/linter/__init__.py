"""What is wrong with a model's metadata, found without TensorFlow."""

from __future__ import annotations

from pellucid.linter.assumed_pixels import assume_pixels
from pellucid.linter.check_graph import refuse_ragged, refuse_unfed
from pellucid.linter.check_model import PIXELS, check, shape_text
from pellucid.linter.draft import Draft, draft_metadata
from pellucid.linter.encodings import (
    EncodedTensor,
    TokenTensors,
    encoded_tensors,
    feature_names,
    in_records,
    parsed_records,
    summed_up,
    token_tensors,
    way_out,
    with_embeddings,
)
from pellucid.linter.gradient_flow import Reach, ways
from pellucid.linter.infer import infer_metadata, series_notices
from pellucid.linter.lint_model import Linted, keep, kept, limited, lint
from pellucid.linter.safety import OwnFiles, refuse_running, refuse_unsafe
from pellucid.linter.unsafe_ops import is_known, may_touch

__all__ = [
    "PIXELS",
    "Draft",
    "EncodedTensor",
    "Linted",
    "OwnFiles",
    "Reach",
    "TokenTensors",
    "assume_pixels",
    "check",
    "draft_metadata",
    "encoded_tensors",
    "feature_names",
    "in_records",
    "infer_metadata",
    "is_known",
    "keep",
    "kept",
    "limited",
    "lint",
    "may_touch",
    "parsed_records",
    "refuse_ragged",
    "refuse_running",
    "refuse_unfed",
    "refuse_unsafe",
    "series_notices",
    "shape_text",
    "summed_up",
    "token_tensors",
    "way_out",
    "ways",
    "with_embeddings",
]
