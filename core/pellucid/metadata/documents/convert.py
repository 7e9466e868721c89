"""Metadata from one dialect to the other, and what the other format cannot express."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pellucid.errors import SpecError
from pellucid.metadata.documents.document import within_model
from pellucid.metadata.documents.json_positions import path_text
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.metadata.documents.serialize import dump_metadata
from pellucid.metadata.parameters import ExplanationParameters
from pellucid.metadata.spec import Baseline, Dialect, ExplanationMetadata, FileBaseline, InputSpec
from pellucid.metadata.spellings import snake
from pellucid.notices import Hint, Notice, Where
from pellucid.problems import Problem, Severity

# Both dialects' fields that are read and mean nothing, by what comes instead of them.
_UNUSED = {
    "embeddings": "it was never used",
    "sigdef_inputs": "it was never used",
    "preparer_version": "it only says which program wrote the file",
    "feature_attributions_schema_uri": "it only says where the service wrote",
    "is_sequential": "it was never used",
    "gradient_tensor_names": "it was never used",
    "input_tensor_type": "it has no effect",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The document in the other dialect, what was `lost` on the way, and warnings of the source."""

    dialect: Dialect
    metadata: ExplanationMetadata
    document: dict[str, Any]
    lost: tuple[Notice, ...]
    problems: tuple[Problem, ...]


def convert_metadata(
    text: str,
    to: Dialect | None = None,
    *,
    file: str | None = None,
    directory: Path | None = None,
) -> Converted:
    """Return a document in the dialect `to`, by default the one in which it is not written.

    Baseline files stay the same files: their paths become relative to `directory`, where the new
    document will lie. Raises SpecError with a line for each error of the document.
    """
    where = Where(file=file or "")
    parsed = parse_metadata(text, file=file)
    errors = [it for it in parsed.problems if it.severity is Severity.ERROR]
    if errors or parsed.metadata is None:
        what = "" if errors else "holds parameters and no metadata, so there is nothing to convert"
        raise SpecError(what, parsed.problems, where=where)
    before = parsed.metadata
    other = Dialect.VERTEX if before.dialect is Dialect.AI_PLATFORM else Dialect.AI_PLATFORM
    if to is before.dialect:
        hint = Hint("choose {to:{other}}", other=other.value)
        raise SpecError(f"is written for {to.value} already", where=where, hint=hint)
    home = directory if directory is not None else Path(file).parent if file else Path()
    after = replace(
        before,
        dialect=other,
        others=(),
        inputs=tuple(
            replace(it, tensor_name=_named(it.tensor_name, it.name, other)) for it in before.inputs
        ),
        output=replace(
            before.output, tensor_name=_named(before.output.tensor_name, before.output.name, other)
        ),
        framework="tensorflow" if other is Dialect.AI_PLATFORM else None,
        signature_key=None,
        tags=None,
        latent_space_source=None,
    )
    return Converted(
        dialect=other,
        metadata=after,
        document=dump_metadata(
            replace(after, inputs=tuple(_at_home(it, home) for it in after.inputs))
        ),
        lost=(*_lost(before, parsed.parameters), *_unused(parsed.document.value)),
        problems=parsed.problems,
    )


def _named(tensor: str | None, name: str, dialect: Dialect) -> str | None:
    """Return a tensor's name, which Vertex may leave out when it is that of the key."""
    return name if tensor is None and dialect is Dialect.AI_PLATFORM else tensor


def _at_home(feature: InputSpec, home: Path) -> InputSpec:
    """Return an input whose baseline files are named from the directory of the document."""
    return replace(
        feature,
        input_baselines=tuple(_moved(it, home) for it in feature.input_baselines),
        encoded_baselines=tuple(_moved(it, home) for it in feature.encoded_baselines),
    )


def _moved(baseline: Baseline, home: Path) -> Baseline:
    if not isinstance(baseline, FileBaseline):
        return baseline
    return FileBaseline(path=Path(os.path.relpath(baseline.path, home.absolute())).as_posix())


def _lost(
    metadata: ExplanationMetadata, parameters: ExplanationParameters | None
) -> Iterator[Notice]:
    """Yield what the metadata say and the other dialect cannot."""
    if metadata.signature_key is not None:
        hint = Hint("pass {signature:{key}}", key=metadata.signature_key)
        where = Where(path="serving_sigdef_key")
        yield Notice("Vertex metadata name no signature", where, hint)
    if metadata.tags is not None:
        hint = Hint("pass {tags:{these}}", these=metadata.tags)
        yield Notice("Vertex metadata name no graph", Where(path="tags"), hint)
    if metadata.others:
        names = ", ".join(f"'{it.name}'" for it in metadata.others)
        what = f"Vertex metadata have one output, here '{metadata.output.name}'; {names} left out"
        yield Notice(what, Where(path="outputs"))
    if metadata.latent_space_source is not None:
        where = Where(path="latentSpaceSource")
        yield Notice("AI Platform had no explanations by examples", where)
    if parameters is not None:
        method = parameters.method.name
        yield Notice(
            f"AI Platform's metadata choose no method ({method})",
            Where(path="parameters"),
            Hint("keep this file and pass it as {spec}"),
        )


def _unused(document: Mapping[str, Any]) -> Iterator[Notice]:
    """Yield the fields of the source that mean nothing here, and so do not come along."""
    _, inner = within_model(document)
    homes = ("metadata", "explanation_metadata", "explanationmetadata")
    inner = next((it for key, it in inner.items() if key.lower() in homes), inner)
    sections: list[tuple[tuple[str | int, ...], Mapping[str, Any]]] = [((), inner)]
    for kind in ("inputs", "outputs"):
        found: Any = next((it for key, it in inner.items() if key.lower() == kind), {})
        sections += [((kind, name), section) for name, section in found.items()]
    for path, section in sections:
        for key in section:
            name = snake(key)
            why = _UNUSED.get(name, "the type is read from the model")
            if name in _UNUSED or name.endswith("_dtype"):
                where = Where(path=path_text((*path, key)))
                yield Notice(f"has no counterpart; {why}", where)
