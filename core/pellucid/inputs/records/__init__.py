"""Serialized records: made of values by name, and read from TFRecord files."""

from __future__ import annotations

from pellucid.inputs.records.example import feature_inputs, serialized_example, with_records
from pellucid.inputs.records.tfrecord import is_tfrecord, read_records, record_input

__all__ = [
    "feature_inputs",
    "is_tfrecord",
    "read_records",
    "record_input",
    "serialized_example",
    "with_records",
]
