"""What lies behind ids and words: encoded tensors, found and written into drafts of metadata."""

from __future__ import annotations

from pellucid.linter.encodings.decoded_pictures import decoded_pictures
from pellucid.linter.encodings.draft_for_method import complete
from pellucid.linter.encodings.encoded_tensors import (
    EncodedTensor,
    encoded_tensors,
    encodings_of,
    way_out,
)
from pellucid.linter.encodings.parsed_records import embedded_lists, parsed_records

__all__ = [
    "EncodedTensor",
    "complete",
    "decoded_pictures",
    "embedded_lists",
    "encoded_tensors",
    "encodings_of",
    "parsed_records",
    "way_out",
]
