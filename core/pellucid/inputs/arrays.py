"""Arrays saved by numpy, as instances: ``.npy`` holds one input, ``.npz`` one array for each.

The array of a ``.npy`` file is mapped, so that it may be larger than the memory. Pickled objects
are never loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from os import PathLike, fspath
from pathlib import PurePath

import numpy as np

from pellucid.errors import InstanceError, OutOfMemoryError
from pellucid.files import DAMAGED, check_regular, open_file
from pellucid.inputs.input_info import InputInfo, fits, shape_text
from pellucid.inputs.tensors import EXCHANGED, check_names
from pellucid.model import Array
from pellucid.notices import Where
from pellucid.remote import address_of, copied, name_in, place_of

ARRAY_SUFFIXES = frozenset((".npy", ".npz"))
SAVED = "pellucid.json"
"""What `pellucid.responses.pack` calls the document among its arrays."""


def array_values(path: str | PathLike[str], inputs: Sequence[InputInfo]) -> Iterator[object]:
    """Yield the instances in a file of arrays [n, …]: an array, or an object of arrays by input.

    An array that has the shape of a single instance is one. Raises `InstanceError` for a file that
    holds no arrays, or others than the model's inputs.
    """
    source, address = place_of(path), address_of(path, InstanceError)
    # What is mapped of the copy of an object stays.
    with nullcontext(fspath(path)) if address is None else copied(address, InstanceError) as place:
        arrays = _loaded(fspath(place), source, inputs)
    single = len(inputs) == 1
    lone = all(_is_one(arrays[info.name], info) for info in inputs)
    if lone:
        yield arrays[inputs[0].name] if single else arrays
        return
    for info in inputs:
        shape, wanted = arrays[info.name].shape, info.instance_shape
        if wanted is not None and len(shape) == len(wanted) == 2 and fits(shape[::-1], wanted):
            what = f"input '{info.name}' is {info.wants}, and its array is {shape_text(shape)}"
            raise InstanceError(what, where=Where(file=source), hint=EXCHANGED)
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if () in lengths.values() or len(set(lengths.values())) > 1:
        shapes = ", ".join(f"'{name}' {shape_text(a.shape)}" for name, a in arrays.items())
        raise InstanceError(
            "needs as many rows in each array, the first axis",
            where=Where(file=source),
            hint=f"its arrays are {shapes}",
        )
    for row in range(next(iter(lengths.values()))[0]):
        found = {name: array[row] for name, array in arrays.items()}
        yield found[inputs[0].name] if single else found


def _loaded(path: str, source: str, inputs: Sequence[InputInfo]) -> dict[str, Array]:
    where = Where(file=source)
    try:
        if PurePath(name_in(path)).suffix.lower() == ".npy":
            check_regular(path)
            return _of_one(np.lib.format.open_memmap(path, mode="r"), inputs, source)
        with open_file(path) as file, np.load(file, allow_pickle=False) as arrays:
            if isinstance(arrays, np.ndarray):  # an array under another name
                return _of_one(arrays, inputs, source)
            if SAVED in arrays:
                hint = "draw them with pellucid visualize"
                raise InstanceError("holds explanations, not instances", where=where, hint=hint)
            if list(arrays) == ["arr_0"]:
                return _of_one(arrays["arr_0"], inputs, source)
            check_names(list(arrays), {i.name: i for i in inputs}, where, "array")
            return {name: arrays[name] for name in arrays}
    except FileNotFoundError:
        raise InstanceError("no such file", where=where) from None
    except MemoryError as error:
        raise OutOfMemoryError(where=where) from error
    except (*DAMAGED, OSError) as error:
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            hint = "only numbers are read"
            raise InstanceError("holds Python objects", where=where, hint=hint) from None
        raise InstanceError(f"the arrays cannot be read ({error})", where=where) from None


def _of_one(array: Array, inputs: Sequence[InputInfo], source: str) -> dict[str, Array]:
    if len(inputs) > 1:
        names = ", ".join(f"'{info.name}'" for info in inputs)
        raise InstanceError(
            f"holds one array, and the model has the inputs {names}",
            where=Where(file=source),
            hint="save them by name, with numpy.savez",
        )
    return {inputs[0].name: array}


def _is_one(array: Array, info: InputInfo) -> bool:
    shape = info.instance_shape
    return shape is not None and fits(array.shape, shape)
