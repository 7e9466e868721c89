"""A model that somebody else runs: what it takes, and which it is, as far as anybody here knows."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pellucid.errors import DependencyError
from pellucid.metadata import AssumedPixels, ExplanationMetadata
from pellucid.predictor import Predictor, asked_signatures, is_address, read_signatures
from pellucid.saved_model import MetaGraph, SavedModelFile, Signature

if TYPE_CHECKING:
    from pellucid.predictor import RemoteCompiler
    from pellucid.runtime import Compiler

AnyCompiler: TypeAlias = "Compiler | RemoteCompiler"
"""What runs a model: TensorFlow here, or a predictor."""


def saved_model_of(model: object, predictor: Predictor) -> SavedModelFile | None:
    """Return what a predictor's model takes and gives, None where a SavedModel says that.

    `model` is the predictor's address, and then its own metadata say it, or a JSON file of these.
    Raises PredictorError, SpecError, DependencyError.
    """
    _check_installed()
    if is_address(model):
        return asked_signatures(predictor)
    path = Path(model) if isinstance(model, str | Path) else None
    if path is not None and path.suffix.lower() == ".json" and path.is_file():
        return read_signatures(path)
    return None


def remote_compiler(
    predictor: Predictor,
    meta_graph: MetaGraph,
    signature: Signature,
    metadata: ExplanationMetadata,
    assumed: tuple[AssumedPixels, ...],
) -> RemoteCompiler:
    """Return what stands for a compiled model. Raises SpecError where metadata do not fit."""
    from pellucid.predictor import RemoteCompiler

    return RemoteCompiler(predictor, meta_graph, signature, metadata, assumed)


def fingerprint_of(predictor: Predictor, meta_graph: MetaGraph) -> str:
    """Return the SHA-256 of where a predictor is and what it takes: all that is known of it."""
    digest = sha256(predictor.name.encode())
    digest.update(meta_graph.serialized)
    return digest.hexdigest()


def _check_installed() -> None:
    try:
        import urllib3  # noqa: F401
    except ModuleNotFoundError as error:
        raise DependencyError(
            "urllib3 is not installed, and a predictor is asked with it",
            hint="pip install 'pellucid[predictor]'",
        ) from error
