"""The table of operations is TensorFlow's own: regenerated, and held to what TensorFlow does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pellucid.linter.gradient_walk import _spread
from pellucid.saved_model.nodes import type_name
from pellucid.saved_model.op_table import (
    names,
    operation,
    output_place,
    output_types,
    table_version,
)
from pellucid.saved_model.protobuf import messages
from places import ROOT

TESTS = ROOT / "tests"


def attributes(**values: Any) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        message = messages()("tensorflow.AttrValue")()
        if isinstance(value, list):
            message.list.type.extend(value)
        elif name[:1] == "T":
            message.type = value
        else:
            message.i = value
        found[name] = message
    return found


FLOAT, INT = 1, 3


@pytest.mark.parametrize(
    ("op", "values", "types"),
    [
        ("MatMul", {"T": FLOAT}, ("float32",)),
        ("MatMul", {}, ("unknown",)),
        ("Less", {"T": FLOAT}, ("bool",)),
        ("Shape", {"T": FLOAT}, ("int32",)),
        ("TopKV2", {"T": FLOAT}, ("float32", "int32")),
        ("Split", {"T": FLOAT, "num_split": 3}, ("float32",) * 3),
        ("IdentityN", {"T": [FLOAT, INT]}, ("float32", "int32")),
        ("PartitionedCall", {"Tout": [INT]}, ("int32",)),
        ("SparseSegmentSum", {"T": FLOAT, "Tidx": INT}, ("float32",)),
        ("NoSuchOperation", {"T": FLOAT}, ()),
    ],
)
def test_the_types_of_outputs(op: str, values: dict[str, Any], types: tuple[str, ...]) -> None:
    assert output_types(op, attributes(**values), type_name) == types


def test_a_named_output_has_its_place_among_all() -> None:
    split = attributes(T=FLOAT, num_split=3)
    assert output_place("Split", split, "output") == 0
    assert output_place("TopKV2", {}, "indices") == 1
    assert output_place("TopKV2", {}, "nothing") is None
    types = attributes(sparse_types=[FLOAT] * 2, Tdense=[FLOAT])
    types["Nsparse"] = attributes(n=2)["n"]
    assert output_place("ParseExample", types, "sparse_shapes") == 4
    assert output_place("ParseExample", types, "dense_values") == 6


def test_what_gradients_do_where_people_ask() -> None:
    def gradient(op: str) -> str:
        found = operation(op)
        assert found is not None
        return found.gradient

    stops = "ArgMax Floor Ceil Round Rint StopGradient OneHot LookupTableFindV2 FloorDiv Shape"
    assert {op: gradient(op) for op in stops.split()} == dict.fromkeys(stops.split(), "stop")
    none = "Bucketize DecodeJpeg Lu PreventGradient ParseExampleV2 Unique"
    assert {op: gradient(op) for op in none.split()} == dict.fromkeys(none.split(), "none")
    assert gradient("Sign") == "zero"
    assert gradient("Cast") == "?SrcT"
    assert gradient("GatherV2") == "y,n,n"
    assert gradient("ConcatV2") == "y*,n"
    assert gradient("Betainc") == "n,n,y"
    assert operation("NoSuchOperation") is None


@pytest.fixture(scope="module")
def installed() -> Any:
    pytest.importorskip("tensorflow")
    sys.path.insert(0, str(TESTS))
    try:
        import make_operations
    finally:
        sys.path.pop(0)
    return make_operations


def test_the_table_is_that_of_the_installed_tensorflow(installed: Any) -> None:
    """Another TensorFlow may have more operations, or gradients that came since; no fewer."""
    from pellucid.runtime.engine.tensorflow import tf

    ours, theirs = installed.TARGET.read_text("utf-8").splitlines(), installed.table().splitlines()
    if tf.__version__ == table_version()[0]:
        assert ours == theirs
        return
    known = {line.partition("\t")[0]: line for line in ours[1:]}
    same = [line for line in theirs[1:] if known.get(line.partition("\t")[0]) == line]
    assert len(same) > 0.98 * len(theirs)


def differentiable(installed: Any) -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
    """Each operation that can be built of placeholders: its mask, and what TensorFlow's gradient is."""
    from tensorflow.python.framework import op_def_library

    from pellucid.runtime.engine.tensorflow import tf

    for definition in installed.operations():
        known = operation(definition.name)
        if known is None or not known.flows or definition.name in names() & CONTROL:
            continue
        types = {}
        for attr in definition.attr:
            if attr.type == "type" and not attr.HasField("default_value"):
                allowed = list(attr.allowed_values.list.type)
                float32 = tf.float32.as_datatype_enum
                types[attr.name] = float32 if float32 in allowed or not allowed else allowed[0]
        others = [
            it for it in definition.attr if it.type != "type" and not it.HasField("default_value")
        ]
        listed = [it for it in definition.input_arg if it.number_attr or it.type_list_attr]
        if others or listed:
            continue
        defaults = {it.name: it.default_value.type for it in definition.attr if it.type == "type"}
        kinds = [
            it.type or types.get(it.type_attr) or defaults[it.type_attr]
            for it in definition.input_arg
        ]
        with tf.Graph().as_default():
            inputs = [tf.compat.v1.placeholder(tf.dtypes.as_dtype(it)) for it in kinds]
            given = {a.name: tensor for a, tensor in zip(definition.input_arg, inputs, strict=True)}
            try:
                _, _, op, _ = op_def_library._apply_op_helper(definition.name, **given)
                floats = [it for it in op.outputs if it.dtype.is_floating or it.dtype.is_complex]
                slopes = tf.gradients(floats[:1], inputs) if floats else None
            except BUILDING:
                continue
        if slopes is None:
            continue
        yield definition.name, known.flows, ["n" if it is None else "y" for it in slopes]


CONTROL = frozenset({"Switch", "RefSwitch", "Enter", "RefEnter", "Exit", "NextIteration"})
BUILDING = (
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    NotImplementedError,
    AttributeError,
    IndexError,
    KeyError,
)


def test_what_tensorflow_differentiates_is_what_the_table_says(installed: Any) -> None:
    """The signs were read off the source; here each gradient that can be taken is taken."""
    wrong, tried = {}, 0
    for name, flows, got in differentiable(installed):
        signs = ["y" if it[0] in "y?" else "n" for it in _spread(flows, len(got))]
        tried += 1
        if signs != got:
            wrong[name] = signs, got
    assert wrong == {}
    assert tried > 150
