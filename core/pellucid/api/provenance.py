"""How explanations were made, as JSON: what has to be the same so that they come out the same."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from hashlib import sha256
from operator import is_
from typing import TYPE_CHECKING, Any, Protocol

from pellucid import __version__
from pellucid.api.tables import TableSettings
from pellucid.explain import Explainer, PixelWatch
from pellucid.files import read_bytes
from pellucid.inputs import InputInfo, Missing
from pellucid.metadata import (
    Baseline,
    ExplanationMetadata,
    ExplanationParameters,
    FileBaseline,
    recorded,
)
from pellucid.metadata.documents import dump_metadata

if TYPE_CHECKING:
    from pellucid.api.predicting import AnyCompiler


# Of the metadata that were asked for last, with the objects that they are made of: with a hundred
# inputs, a digest takes as long as an explanation.
_digests: deque[tuple[tuple[object, ...], str]] = deque(maxlen=8)


class Explaining(Protocol):
    """A loaded model, as far as its explanations depend on it."""

    @property
    def inputs(self) -> tuple[InputInfo, ...]: ...
    @property
    def explainer(self) -> Explainer: ...
    @property
    def signature(self) -> str: ...
    @property
    def metadata(self) -> ExplanationMetadata: ...
    @property
    def parameters(self) -> ExplanationParameters: ...
    @property
    def compiler(self) -> AnyCompiler: ...
    @property
    def pixels(self) -> PixelWatch: ...
    @property
    def tables(self) -> TableSettings: ...
    @property
    def fingerprint(self) -> str: ...


def provenance_of(model: Explaining) -> dict[str, Any]:
    """Return how a model's explanations are made: versions, fingerprints, settings, assumptions.

    ``model`` is the SHA-256 of the SavedModel, ``metadata`` that of the metadata with the names
    and baselines in them; ``parameters`` are in the words of a document; ``inputs`` have the type
    and shape that an instance was made to have, and of a picture what its pixels are taken to be.
    """
    baseline = model.explainer.baseline
    columns = columns_of(model.tables)
    return {
        "pellucid": __version__,
        **_run_by(model.compiler),
        "model": model.fingerprint,
        "signature": model.signature,
        "outputs": [it.name for it in model.metadata.outputs],
        "logits": model.compiler.logits,
        "metadata": digest_of_metadata(model.metadata),
        "parameters": recorded(model.parameters),
        "seed": model.explainer.seed,
        **({} if baseline is None else {"baseline": baseline.said}),
        **({"columns": columns} if columns else {}),
        "inputs": {it.name: _assumed(model, it) for it in model.inputs},
        "assumed": list(_sentences(model)),
    }


def _run_by(compiler: AnyCompiler) -> dict[str, Any]:
    if compiler.predictor is None:
        return {"tensorflow": compiler.tensorflow}
    asked = compiler.predictor
    return {"predictor": {"url": asked.name, "protocol": asked.protocol.value}}


def digest_of_metadata(metadata: ExplanationMetadata) -> str:
    """Return the SHA-256 of metadata, with what is in the files of their baselines."""
    parts = tuple(getattr(metadata, it.name) for it in fields(metadata))
    for known, digest in [*_digests]:
        if all(map(is_, known, parts)):
            return digest
    inputs = (
        replace(
            spec,
            input_baselines=tuple(map(_by_content, spec.input_baselines)),
            encoded_baselines=tuple(map(_by_content, spec.encoded_baselines)),
        )
        for spec in metadata.inputs
    )
    document = dump_metadata(replace(metadata, inputs=tuple(inputs)))
    digest = sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    written = (it for s in metadata.inputs for it in (*s.input_baselines, *s.encoded_baselines))
    if not any(isinstance(it, FileBaseline) for it in written):  # a file may change
        _digests.append((parts, digest))
    return digest


def _by_content(baseline: Baseline) -> Baseline:
    """Return a baseline whose file is named by what is in it."""
    if not isinstance(baseline, FileBaseline):
        return baseline
    return FileBaseline(path=sha256(read_bytes(baseline.path)).hexdigest())


def columns_of(tables: TableSettings) -> dict[str, Any]:
    """Return how tables are read, as JSON; what has its default is left out."""
    found = {
        "ignored": list(tables.ignore_columns),
        "kept": list(tables.keep_columns),
        "id": tables.id_column,
        "time": tables.time_column,
        "missing": None if tables.missing is Missing.REFUSE else tables.missing.value,
    }
    return {key: value for key, value in found.items() if value}


def _assumed(model: Explaining, info: InputInfo) -> Mapping[str, Any]:
    found: dict[str, Any] = {"type": info.dtype}
    if info.instance_shape is not None:
        found["shape"] = list(info.instance_shape)
    if info.name in model.pixels.assumed:
        found["pixels"] = model.pixels.assumed[info.name].document()
    return found


def _sentences(model: Explaining) -> Iterator[str]:
    """Yield what was assumed in sentences, as people were told."""
    for assumed in model.pixels.assumed.values():
        if assumed.sentence is not None:
            yield assumed.sentence
    yield from (str(it) for it in model.explainer.notes())
