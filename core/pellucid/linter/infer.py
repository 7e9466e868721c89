"""Metadata for a model that has none, from what its signature says."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.errors import SpecError, did_you_mean
from pellucid.metadata import (
    Dialect,
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
    is_channels_first,
)
from pellucid.notices import Hint
from pellucid.saved_model import FLOAT_TYPES, Shape, Signature, TensorInfo

_SMALLEST_IMAGE = 8


def infer_metadata(signature: Signature, output: str | None = None) -> ExplanationMetadata:
    """Return metadata that explains every input of a signature.

    Float inputs are numeric, or images when their shape is that of an image; all others are
    categorical. `output` is a key of the signature; by default the only output, or the only one
    of floats. Raises `SpecError` that lists the outputs to choose from.
    """
    if not signature.inputs:
        raise SpecError(f"signature '{signature.key}' has no inputs, so nothing can be explained")
    key = _output_key(signature, output)
    return ExplanationMetadata(
        dialect=Dialect.AI_PLATFORM,
        inputs=tuple(
            InputSpec(name=name, tensor_name=name, modality=_modality(info))
            for name, info in signature.inputs.items()
        ),
        output=OutputSpec(name=key, tensor_name=key),
        framework="tensorflow",
        signature_key=signature.key,
    )


def _output_key(signature: Signature, output: str | None) -> str:
    outputs: Mapping[str, TensorInfo] = signature.outputs
    if not outputs:
        raise SpecError(f"signature '{signature.key}' has no outputs, so nothing can be explained")
    keys = ", ".join(f"'{key}'" for key in outputs)
    if output is not None:
        if output in outputs:
            return output
        near = did_you_mean(output, list(outputs))
        raise SpecError(
            f"output '{output}' does not exist", hint=f"'{signature.key}' has {keys}{near}"
        )
    floats = [key for key, info in outputs.items() if info.dtype in FLOAT_TYPES]
    if len(outputs) == 1:
        return next(iter(outputs))
    if len(floats) == 1:
        return floats[0]
    raise SpecError(
        f"signature '{signature.key}' has several outputs",
        hint=Hint("choose one of {keys} with {output}", keys=keys),
    )


def _modality(info: TensorInfo) -> Modality:
    if info.dtype not in FLOAT_TYPES:
        return Modality.CATEGORICAL
    return Modality.IMAGE if _is_image(info.shape) else Modality.NUMERIC


def _is_image(shape: Shape) -> bool:
    """Only pictures with channels, last or first, are told from sequences and tables for sure."""
    if shape is None or len(shape) != 4:
        return False
    sizes = shape[2:] if is_channels_first(shape[1:]) else shape[1:3]
    channels = is_channels_first(shape[1:]) or shape[3] in (1, 3)
    return channels and all(it is None or it >= _SMALLEST_IMAGE for it in sizes)
