"""What lies behind ids and words: encoded tensors, found and written into drafts of metadata."""

from __future__ import annotations

from pellucid.linter.encodings.decoded_pictures import decoded_pictures
from pellucid.linter.encodings.draft_for_method import complete
from pellucid.linter.encodings.embedded_inputs import encodings_of, with_embeddings
from pellucid.linter.encodings.encoded_tensors import (
    EncodedTensor,
    encoded_tensors,
    way_out,
)
from pellucid.linter.encodings.parsed_records import (
    embedded_lists,
    feature_names,
    in_records,
    parsed_records,
)
from pellucid.linter.encodings.record_lists import summed_up
from pellucid.linter.encodings.token_tensors import TokenTensors, token_tensors

__all__ = [
    "EncodedTensor",
    "TokenTensors",
    "complete",
    "decoded_pictures",
    "embedded_lists",
    "encoded_tensors",
    "encodings_of",
    "feature_names",
    "in_records",
    "parsed_records",
    "summed_up",
    "token_tensors",
    "way_out",
    "with_embeddings",
]
