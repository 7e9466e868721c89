"""An array is read as the list of its numbers would be, without being taken apart."""

from typing import Any

import numpy as np
import pytest

from pellucid.errors import InstanceError
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.tensors import to_array


def outcome(value: Any, info: InputInfo) -> Any:
    try:
        array = to_array(value, info)
    except InstanceError as error:
        return str(error)
    return array.dtype, array.shape, array.tolist()


VALUES = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.arange(6, dtype=np.float64).reshape(2, 3) / 7,
    np.arange(6, dtype=np.uint8).reshape(2, 3),
    np.arange(6, dtype=np.int64).reshape(2, 3) - 3,
    np.full((2, 3), 1e300),
    np.full((2, 3), np.inf),
    np.full((2, 3), -1),
    np.full((2, 3), 300),
    np.ones((2, 3), bool),
    np.ones((3, 2)),
    np.ones((1, 2, 3)),
    np.ones(()),
    np.full((2, 3), "a"),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(None, 2, 3), (None, None, None), None], ids=str)
@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{v.dtype}{list(v.shape)}")
def test_an_array_is_read_as_its_list_is(value: Any, shape: Any, dtype: str) -> None:
    info = InputInfo(name="x", dtype=dtype, shape=shape)
    assert outcome(value, info) == outcome(value.tolist(), info)


def test_what_is_read_is_no_view_of_what_was_given() -> None:
    given = np.zeros(3, np.float32)
    read = to_array(given, InputInfo(name="x", dtype="float32", shape=(None, 3)))
    given += 1
    assert not read.any()
