"""Read what `torch.save` wrote before PyTorch 1.6, an old `.pth` file, with numpy alone.

Such a file is five pickles in a row (a magic number, the version of the format, facts about the
machine, the state dict, the keys of its storages) and then the storages in the order of these keys,
each as the number of its elements (8 bytes, little-endian) and the elements.

A pickle may name any function of Python and have it called. These may name the four in `ALLOWED`,
of which none does anything; whatever else they name is refused.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


class Storage(NamedTuple):
    """Numbers that are further on in the file; tensors are views of them."""

    dtype: str
    key: str
    count: int


class View(NamedTuple):
    """A tensor: a part of a storage, in the shape that it is to have."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def rebuild_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, _gradient: Any, _hooks: Any
) -> View:
    """Stand in for `torch._utils._rebuild_tensor_v2`: note what is asked for."""
    return View(storage, offset, shape, strides)


# A storage's type is text here: no pickle can do anything with text.
ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
}


class Unpickler(pickle.Unpickler):
    """Reads pickles that name nothing but what is in `ALLOWED`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands in for this global; raises UnpicklingError for any other."""
        if (module, name) not in ALLOWED:
            allowed = ", ".join(".".join(it) for it in ALLOWED)
            raise pickle.UnpicklingError(
                f"the file names {module}.{name}, which is refused: weights need only {allowed}"
            )
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        """Return the storage that a tensor refers to; its numbers come after the pickles."""
        match pid:
            case ("storage", str() as dtype, str() as key, str(), int() as count, None):
                return Storage(dtype, key, count)
        raise pickle.UnpicklingError(f"the file refers to {pid!r}, which is no storage")


def read(path: Path) -> dict[str, Any]:
    """Return the tensors of a state dict by name, as arrays.

    Raises pickle.UnpicklingError where the file is damaged, is of another format, or asks for more
    than tensors.
    """
    with path.open("rb") as file:
        magic, version, machine = (Unpickler(file).load() for _ in range(3))
        if (magic, version) != (MAGIC, VERSION) or not machine["little_endian"]:
            raise pickle.UnpicklingError(f"{path}: is no file of torch.save before PyTorch 1.6")
        views: dict[str, View] = Unpickler(file).load()
        kinds = {view.storage.key: view.storage for view in views.values()}
        storages = {key: numbers(file, kinds[key]) for key in Unpickler(file).load()}
    return {name: tensor(name, view, storages[view.storage.key]) for name, view in views.items()}


def numbers(file: BinaryIO, storage: Storage) -> Any:
    """Return the numbers of the storage that comes next in the file."""
    count, dtype = int.from_bytes(file.read(8), "little"), np.dtype(storage.dtype)
    data = file.read(count * dtype.itemsize) if count == storage.count else b""
    if len(data) != storage.count * dtype.itemsize:
        raise pickle.UnpicklingError(f"storage {storage.key} has not {storage.count} numbers")
    return np.frombuffer(data, dtype)


def tensor(name: str, view: View, storage: Any) -> Any:
    """Return a tensor as an array; numpy itself refuses one that reaches beyond its storage."""
    size = storage.itemsize
    strides = tuple(size * stride for stride in view.strides)
    try:
        return np.ndarray(view.shape, storage.dtype, storage, size * view.offset, strides)
    except ValueError as error:
        raise pickle.UnpicklingError(f"{name}: reaches beyond its storage") from error
