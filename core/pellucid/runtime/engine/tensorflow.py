"""The one place that imports TensorFlow: quietly, and with a helpful error when it is absent.

TensorFlow prints start-up chatter straight to file descriptor 2, whatever the log level says. The
descriptor is held in a temporary file during the import, and replayed only when the import fails.

It imports all of Keras as well, and with it what Keras finds: scikit-learn, pandas. That is left to
whoever asks for it (``tf.keras``, ``import keras``), as it takes nearly half of the time.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from threading import get_ident
from typing import Any

from pellucid.errors import DependencyError

INSTALL = "pip install 'pellucid[cpu]' (or [gpu] for NVIDIA, [tf] for the standard build)"


@contextmanager
def _stderr_held() -> Iterator[None]:
    if sys.stderr is not None:
        sys.stderr.flush()
    saved = os.dup(2)
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            except BaseException:
                os.dup2(saved, 2)
                held.seek(0)
                os.write(2, held.read())
                raise
            finally:
                os.dup2(saved, 2)
    finally:
        os.close(saved)


class _LaterKeras(MetaPathFinder):
    """Finds that Keras has no modules, as long as TensorFlow is imported by this thread.

    TensorFlow goes without: it wants what Keras registers for models that are trained again.
    """

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Raise ImportError for a module of Keras."""
        if fullname.startswith("keras.") and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is imported later", name=fullname)

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)


def _import() -> tuple[Any, Any, Any, Any, Any]:
    # Read at import; a caller who wants TensorFlow's own log sets it first.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _stderr_held(), warnings.catch_warnings(), _LaterKeras():
            warnings.simplefilter("ignore")
            import tensorflow
            from tensorflow.core.protobuf.config_pb2 import CallableOptions as Options
            from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig as Rewriter
            from tensorflow.python.framework import op_def_registry as registry
            from tensorflow.python.ops.op_selector import UnliftableError as Unliftable
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "tensorflow":
            raise
        raise DependencyError(
            "TensorFlow is not installed, and this needs it", hint=f"type {INSTALL}"
        ) from error
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return tensorflow, registry, Unliftable, Options, Rewriter


tf, op_def_registry, UnliftableError, CallableOptions, RewriterConfig = _import()
