"""What type the outputs of an operation have, as far as its node in a graph tells."""

from __future__ import annotations

from typing import Any

_BOOL_OPS = frozenset(
    [
        "Equal",
        "NotEqual",
        "Less",
        "LessEqual",
        "Greater",
        "GreaterEqual",
        "ApproximateEqual",
        "IsNan",
        "IsInf",
        "IsFinite",
        "InTopK",
        "InTopKV2",
        "LogicalAnd",
        "LogicalOr",
        "LogicalNot",
    ]
)
# Their attribute T speaks of an input, not of the first output.
_OTHER_TYPE_OPS = frozenset(
    [
        "VarHandleOp",
        "Where",
        "Bucketize",
        "Rank",
        "Size",
        "Shape",
        "ShapeN",
        "ArgMax",
        "ArgMin",
        "Multinomial",
        "NonMaxSuppressionV2",
        "NonMaxSuppressionV3",
        "NonMaxSuppressionV4",
        "TensorListReserve",
        "EmptyTensorList",
        "QuantizeV2",
        "Dequantize",
        "SparseFillEmptyRows",
        "ComplexAbs",
        "Real",
        "Imag",
        "Angle",
        "Assert",
    ]
)
_STRING_OPS = frozenset({"AsString", "StringFormat", "StringJoin", "DecodeBase64", "EncodeBase64"})


def output_types(message: Any) -> tuple[int, ...] | str:
    """Return the types of a node's first outputs, as numbers of the DataType enum or as a name.

    Nothing is returned, (), where the node's attributes do not tell.
    """
    op, attr = message.op, message.attr
    if op in _BOOL_OPS:
        return "bool"
    if op in _STRING_OPS:
        return "string"
    if "Tout" in attr and attr["Tout"].WhichOneof("value") == "list":
        return tuple(attr["Tout"].list.type)
    keys: tuple[str, ...] = ("DstT", "out_type", "output_type", "Tout", "dtype", "T", "Tparams")
    for key in keys[1:3] if op in _OTHER_TYPE_OPS else keys:
        if key in attr and attr[key].WhichOneof("value") == "type":
            return (attr[key].type,)
    return ()
