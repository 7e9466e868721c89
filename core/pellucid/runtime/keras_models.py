"""Keras models as they are: ``.keras`` and ``.h5`` files, and models in memory, exported once.

An export is kept in a cache by the content of the file, so that the second time costs nothing. A
model that holds Python code, as ``Lambda`` layers do, is loaded only where that is allowed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import warnings
import weakref
from pathlib import Path
from typing import Any, Final

from pellucid.errors import ModelError, UnsafeModelError
from pellucid.files import open_file
from pellucid.notices import Hint, Where
from pellucid.runtime.engine.failures import FAILURES
from pellucid.runtime.engine.tensorflow import tf

CHUNK: Final = 2**20
_MARKERS: Final = (b"PK\x03\x04", b"\x89HDF\r\n\x1a\n")
"""How ``.keras`` (zip) and ``.h5`` (HDF5) files begin."""

SAFE_KERAS: Final = (3, 12, 1)
"""Before it, ``safe_mode`` was gone around in several ways, which have CVE numbers."""

# What a model's own code may raise when Keras builds, calls or traces it.
_REASONS: Final = (*FAILURES, ImportError, ArithmeticError)


def cache_folder() -> Path:
    """Return the folder of exports: ``$XDG_CACHE_HOME/pellucid/keras``, by default in ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pellucid" / "keras"


def exported_file(path: Path, *, allow_code: bool = False) -> tuple[Path, bool]:
    """Return the SavedModel of a ``.keras`` or ``.h5`` file, and whether it was there already.

    Raises ModelError where Keras cannot load or export it, UnsafeModelError for one that holds
    Python code.
    """
    with open_file(path) as file:
        head = file.read(8)
    if not head.startswith(_MARKERS):
        raise ModelError(
            "is no Keras model: neither a .keras (zip) nor an .h5 (HDF5) file",
            where=Where(file=str(path)),
        )
    if head.startswith(_MARKERS[1]) and not allow_code:
        _refuse_code(path)
    target = cache_folder() / f"{_digest(path)[:32]}-{tf.keras.__version__}"
    if (target / "saved_model.pb").is_file():
        return target, True
    if not allow_code:
        _refuse_old_keras(path, str(tf.keras.__version__))
    try:
        model = tf.keras.models.load_model(path, compile=False, safe_mode=not allow_code)
    except _REASONS as error:
        reason = " ".join(str(error).split())
        if "unsafe" in reason or "lambda" in reason.lower():
            raise _holds_code(path) from error
        raise ModelError(
            f"Keras cannot load it: {reason[:300]}",
            where=Where(file=str(path)),
            hint="load it where its classes are defined and export it there: model.export('model')",
        ) from error
    _export(model, target, str(path))
    return target, False


def exported_model(model: Any) -> Path:
    """Return the SavedModel of a Keras model in memory; it is removed when the model is.

    Raises ModelError where it cannot be exported.
    """
    folder = Path(tempfile.mkdtemp(prefix="pellucid-"))
    weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    _export(model, folder / "model", f"the model '{getattr(model, 'name', '')}'")
    return folder / "model"


def _export(model: Any, target: Path, name: str) -> None:
    """Export aside and rename, so that no half-written export is ever found."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.export(str(aside / "model"), verbose=False)
        os.replace(aside / "model", target)
    except OSError as error:
        if not (target / "saved_model.pb").is_file():  # else another process was faster
            what = f"cannot be exported to {target}: {error}"
            raise ModelError(what, where=Where(name=name)) from error
    except _REASONS as error:
        reason = " ".join(str(error).split())
        hint = "call it once, so that it is built" if "built" in reason else ""
        what = f"Keras cannot export it: {reason[:300]}"
        raise ModelError(what, where=Where(name=name), hint=hint) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _refuse_code(path: Path) -> None:
    """Refuse an HDF5 file with Lambda layers: their code runs when Keras loads it."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config", "")
    except OSError as error:
        what = f"is damaged, or no HDF5 file ({error})"
        raise ModelError(what, where=Where(file=str(path))) from error
    text = config.decode("utf-8", "replace") if isinstance(config, bytes) else str(config)
    if not text:
        raise ModelError(
            "holds weights and no model",
            where=Where(file=str(path)),
            hint="build the model, load them into it with model.load_weights(...), and export it: "
            "model.export('model')",
        )
    try:
        layers = [json.loads(text)]
    except (ValueError, RecursionError):
        return  # which Keras cannot read, either
    while layers:
        part = layers.pop()
        if isinstance(part, dict) and part.get("class_name") == "Lambda":
            raise _holds_code(path)
        layers += (
            part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        )


def _refuse_old_keras(path: Path, version: str) -> None:
    """Refuse a file where Keras runs what it names, or reads other files, in its safe mode, too."""
    numbers = tuple(int(it) for it in re.findall(r"\d+", version)[:3])
    if numbers < SAFE_KERAS:
        safe = ".".join(map(str, SAFE_KERAS))
        raise UnsafeModelError(
            f"Keras {version} may run code that such a file names, and read files that lie "
            f"elsewhere; Keras {safe} does not",
            where=Where(file=str(path)),
            hint=Hint("if you trust it, add {allow_unsafe_ops:True}"),
        )


def _holds_code(path: Path) -> UnsafeModelError:
    return UnsafeModelError(
        "holds Python code (a Lambda layer), which loading would run",
        where=Where(file=str(path)),
        hint=Hint("if you trust it, add {allow_unsafe_ops:True}"),
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open_file(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
