"""Tensors of the Open Inference Protocol: raw bytes and JSON hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pellucid.open_inference import (
    TensorError,
    datatype_of,
    dtype_of,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)

DTYPES = [
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64"),
]


@given(st.data())
def test_numbers_come_back_to_the_bit(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(arrays.array_shapes(min_dims=0, min_side=0, max_dims=3))
    values = data.draw(arrays.arrays(dtype, shape))
    datatype = datatype_of(dtype)
    assert dtype_of(datatype) == dtype
    found = from_bytes(to_bytes(values, datatype), datatype, shape)
    assert found.tobytes() == values.tobytes()
    if np.isfinite(values.astype(np.float64)).all():
        again = from_json(to_json(values, datatype), datatype, shape)
        assert again.dtype == values.dtype
        np.testing.assert_array_equal(again, values)


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_strings_come_back(strings: list[bytes]) -> None:
    values = np.empty(len(strings), object)
    values[:] = strings
    found = from_bytes(to_bytes(values, "BYTES"), "BYTES", values.shape)
    assert found.tolist() == strings


def test_bytes_are_as_the_protocol_has_them() -> None:
    # Of the protocol's own description: four bytes of length, little-endian, then the string.
    assert to_bytes(np.array([b"ab", "é"], object), "BYTES") == (
        b"\x02\x00\x00\x00ab\x02\x00\x00\x00\xc3\xa9"
    )
    assert to_bytes(np.array([1.0], np.float32), "FP32") == b"\x00\x00\x80?"
    # 1 + 2⁻⁸ is half way between two numbers of bfloat16, and goes to the even one.
    assert to_bytes(np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8], np.float32), "BF16") == (
        b"\x80\x3f\x80\x3f\x82\x3f"
    )
    assert from_bytes(b"\x82\x3f", "BF16", [1]).tolist() == [1 + 2**-6]


@pytest.mark.parametrize(
    ("data", "datatype", "shape", "why"),
    [
        (b"abc", "FP32", [1], "3 bytes are not 1 elements of FP32, 4 bytes"),
        (b"\x05\x00\x00\x00ab", "BYTES", [1], "longer than the data"),
        (b"", "BYTES", [1], "there are 0 strings, not 1"),
        (b"\x00\x00\x00\x00x", "BYTES", [1], "1 bytes follow the last of 1"),
    ],
)
def test_bytes_that_are_no_tensor_are_refused(
    data: bytes, datatype: str, shape: list[int], why: str
) -> None:
    with pytest.raises(TensorError, match=why):
        from_bytes(data, datatype, shape)


@pytest.mark.parametrize(
    ("data", "datatype", "shape", "why"),
    [
        ([1, [2]], "INT32", [2], "data are no INT32 of one shape"),
        ([1.5], "INT32", [1], "data are no INT32"),
        ([300], "UINT8", [1], "outside of UINT8"),
        ([True], "INT32", [1], "data are no INT32"),
        (["a"], "FP32", [1], "data are no FP32"),
        ([1], "BYTES", [1], "the elements of BYTES are strings"),
        ([1, 2], "FP32", [3], "2 elements are not those of shape"),
        ({}, "FP32", [1], "data is no list"),
        ([1], "FP8", [1], "'FP8' is no datatype"),
    ],
)
def test_json_that_is_no_tensor_is_refused(
    data: object, datatype: str, shape: list[int], why: str
) -> None:
    with pytest.raises(TensorError, match=why):
        from_json(data, datatype, shape)


def test_json_holds_neither_nan_nor_bytes_that_are_no_text() -> None:
    with pytest.raises(TensorError, match="NaN"):
        to_json(np.array([np.nan]), "FP64")
    with pytest.raises(TensorError, match="no UTF-8"):
        to_json(np.array([b"\xff"], object), "BYTES")
