"""Data on its way in: requests, tables and pictures made into arrays that fit the model."""

from __future__ import annotations

from pellucid.inputs.arrays import ARRAY_SUFFIXES, array_values
from pellucid.inputs.columns import ID, Beside
from pellucid.inputs.csv import SEPARATED, Table, open_table
from pellucid.inputs.files import (
    TEXT,
    json_form,
    looks_binary,
    opened,
    suffix_of,
    takes_texts,
    text_in,
)
from pellucid.inputs.grids import GridReader
from pellucid.inputs.held import is_frame, is_series, open_columns, open_frame
from pellucid.inputs.images import image_input_of, shown_picture, to_tensor
from pellucid.inputs.input_info import BEYOND_BFLOAT16, InputInfo, Missing, shape_text
from pellucid.inputs.instances import Said, made_of, same_shapes, set_aside, tried
from pellucid.inputs.parquet import PARQUET, open_parquet, pyarrow_parquet
from pellucid.inputs.picture_files import decode_picture, open_picture, pixels_of
from pellucid.inputs.readers import (
    IMAGE_SUFFIXES,
    Instance,
    OnError,
    read_data,
    read_file,
    read_image,
    read_request,
    read_request_values,
    stack,
)
from pellucid.inputs.records import (
    feature_inputs,
    is_tfrecord,
    read_records,
    record_input,
    serialized_example,
)
from pellucid.inputs.series import TIME
from pellucid.inputs.strict_json import decode_text, kind_of, parse_json
from pellucid.inputs.tables import instances_of_rows, read_table
from pellucid.inputs.tensors import is_binary

__all__ = [
    "ARRAY_SUFFIXES",
    "BEYOND_BFLOAT16",
    "ID",
    "IMAGE_SUFFIXES",
    "PARQUET",
    "SEPARATED",
    "TEXT",
    "TIME",
    "Beside",
    "GridReader",
    "InputInfo",
    "Instance",
    "Missing",
    "OnError",
    "Said",
    "Table",
    "array_values",
    "decode_picture",
    "decode_text",
    "feature_inputs",
    "image_input_of",
    "instances_of_rows",
    "is_binary",
    "is_frame",
    "is_series",
    "is_tfrecord",
    "json_form",
    "kind_of",
    "looks_binary",
    "made_of",
    "open_columns",
    "open_frame",
    "open_parquet",
    "open_picture",
    "open_table",
    "opened",
    "parse_json",
    "pixels_of",
    "pyarrow_parquet",
    "read_data",
    "read_file",
    "read_image",
    "read_records",
    "read_request",
    "read_request_values",
    "read_table",
    "record_input",
    "same_shapes",
    "serialized_example",
    "set_aside",
    "shape_text",
    "shown_picture",
    "stack",
    "suffix_of",
    "takes_texts",
    "text_in",
    "to_tensor",
    "tried",
]
