"""A SavedModel directory read without TensorFlow: its messages, its names, its files."""

from __future__ import annotations

from pellucid.saved_model.batch_axis import (
    Batch,
    batch_of_signature,
    is_shared,
    ragged_inputs,
)
from pellucid.saved_model.calls import reachable
from pellucid.saved_model.class_names import ClassNames, find_class_names
from pellucid.saved_model.directory import (
    MODEL_NAMES,
    Stamp,
    address_of_folder,
    brought,
    model_file,
    stamp_of_address,
    strays,
)
from pellucid.saved_model.fingerprint import fingerprint, stamp
from pellucid.saved_model.label_files import class_names_of, label_files, told_apart
from pellucid.saved_model.nodes import (
    CALLS,
    FLOAT_TYPES,
    Nodes,
    Shape,
    attributes_of,
    functions_called,
    node_name,
    output_index,
    shape_of,
    type_name,
)
from pellucid.saved_model.op_table import TRAINABLE, names, operation, table_version
from pellucid.saved_model.pixels import Pixels, find_pixels, may_be_picture
from pellucid.saved_model.protobuf import messages
from pellucid.saved_model.reader import (
    Function,
    MetaGraph,
    SavedModelFile,
    Signature,
    TensorInfo,
    read,
    tensors_of,
)
from pellucid.saved_model.tensor_names import (
    ResolvedTensor,
    Role,
    choose_signature,
    resolve_tensor,
    tensor_info,
)

__all__ = [
    "CALLS",
    "FLOAT_TYPES",
    "MODEL_NAMES",
    "TRAINABLE",
    "Batch",
    "ClassNames",
    "Function",
    "MetaGraph",
    "Nodes",
    "Pixels",
    "ResolvedTensor",
    "Role",
    "SavedModelFile",
    "Shape",
    "Signature",
    "Stamp",
    "TensorInfo",
    "address_of_folder",
    "attributes_of",
    "batch_of_signature",
    "brought",
    "choose_signature",
    "class_names_of",
    "find_class_names",
    "find_pixels",
    "fingerprint",
    "functions_called",
    "is_shared",
    "label_files",
    "may_be_picture",
    "messages",
    "model_file",
    "names",
    "node_name",
    "operation",
    "output_index",
    "ragged_inputs",
    "reachable",
    "read",
    "resolve_tensor",
    "shape_of",
    "stamp",
    "stamp_of_address",
    "strays",
    "table_version",
    "tensor_info",
    "tensors_of",
    "told_apart",
    "type_name",
]
