"""Metadata documents of both dialects: the text in, the one internal model and every problem out.

An AI Platform ``explanation_metadata.json`` is told from a Vertex ``ExplanationSpec`` or bare
``ExplanationMetadata`` by the keys that only one of them has. A Vertex ``Model``, as ``gcloud ai
models describe`` prints it, is read for its ``explanationSpec``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Final

from pellucid.errors import SpecError
from pellucid.metadata.documents.document import (
    MOST,
    Document,
    Finding,
    Findings,
    Left,
    Section,
    opened,
    problems_of,
    within_model,
)
from pellucid.metadata.documents.parameters import parameters_of, parse_parameters
from pellucid.metadata.documents.reader import MetadataReader
from pellucid.metadata.documents.schema_walk import walk
from pellucid.metadata.documents.serialize import dump_metadata
from pellucid.metadata.parameters import ExplanationParameters
from pellucid.metadata.spec import Dialect, ExplanationMetadata, Visualization
from pellucid.metadata.spellings import snake
from pellucid.notices import Where
from pellucid.problems import Problem, Severity

__all__ = ["Parsed", "dump_metadata", "parse_metadata", "parse_parameters", "parse_visualization"]

_AI_PLATFORM_KEYS: Final = frozenset(
    {"framework", "embeddings", "sigdef_inputs", "serving_sigdef_key", "preparer_version", "tags"}
)
_VERTEX_KEYS: Final = frozenset(
    {
        "feature_attributions_schema_uri",
        "latent_space_source",
        "feature_value_domain",
        "index_display_name_mapping",
        "display_name_mapping_key",
        "clip_percent_lowerbound",
        "clip_percent_upperbound",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a document says; a part is None if the document has none or it holds an error.

    `draft` is what could be read of the metadata in spite of errors, good only for more checks;
    `document` is what was given. `left` counts problems that are not among `problems`.
    """

    metadata: ExplanationMetadata | None
    parameters: ExplanationParameters | None
    problems: tuple[Problem, ...]
    left: Left = field(default_factory=Counter)
    document: Document = field(repr=False, compare=False)
    draft: ExplanationMetadata | None = None


def parse_metadata(
    given: str | Mapping[str, object], *, file: str | None = None, most: int | None = MOST
) -> Parsed:
    """Read a document of either dialect, a JSON text or an object, and report all its problems.

    They are in the order of the text, of each rule at most `most`. `file` is named in them, and
    baseline files are relative to its directory.
    """
    document = opened(given, most)
    in_text = document.problems(file)
    if any(problem.code == "MD001" for problem in in_text):
        return Parsed(metadata=None, parameters=None, problems=in_text, document=document)
    directory = FilePath(file).parent if file else FilePath()
    inner, outer = Findings(most), Findings(most)
    metadata, parameters = _read(document.value, directory, inner, outer)
    in_metadata = problems_of(inner, document, file)
    in_rest = problems_of(outer, document, file)
    problems = sorted(
        (*in_text, *in_metadata, *in_rest),
        key=lambda it: (it.line or 0, it.column or 0, it.code),
    )
    fatal = _has_error(in_text)
    return Parsed(
        metadata=None if fatal or _has_error(in_metadata) else metadata,
        parameters=None if fatal or _has_error(in_rest) else parameters,
        problems=tuple(problems),
        left=document.left + inner.left + outer.left,
        document=document,
        draft=metadata,
    )


def parse_visualization(given: str | Mapping[str, object]) -> Visualization:
    """Return the settings of a ``visualization``, a JSON text or an object.

    The rules are those of metadata. Raises SpecError for an unknown key or a value out of range.
    """
    settings = opened(given)
    # The rules are those of a whole document, so a whole document is what is read.
    image = {"input_tensor_name": "x", "modality": "image", "visualization": settings.value}
    parsed = parse_metadata(
        {
            "inputs": {"x": image},
            "outputs": {"y": {"output_tensor_name": "y"}},
            "framework": "tensorflow",
        }
    )
    within = [
        replace(it, path=f"inputs.x.visualization.{it.path}") for it in settings.problems(None)
    ]
    for problem in (*within, *parsed.problems):
        if problem.severity is Severity.ERROR:
            where = Where(path=problem.path.removeprefix("inputs.x.").rstrip("."))
            raise SpecError(problem.message, parsed.problems, where=where, hint=problem.hint)
    assert parsed.metadata is not None, "a document without errors has metadata"
    return parsed.metadata.inputs[0].visualization or Visualization()


def _has_error(problems: tuple[Problem, ...]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _read(
    document: object, directory: FilePath, inner: Findings, outer: Findings
) -> tuple[ExplanationMetadata | None, ExplanationParameters | None]:
    """Return both parts of a document; `inner` are findings of its metadata, `outer` all others."""
    path, document = within_model(document)
    keys = {key.lower() for key in document} if isinstance(document, dict) else set[str]()
    if not path and not keys & _PARTS:
        dialect = _dialect(document) if isinstance(document, dict) else Dialect.AI_PLATFORM
        section = walk(document, "metadata", dialect, inner)
        return (_metadata(section, dialect, None, directory, inner) if section else None), None
    # "A file with a `parameters` and a `metadata` key is an ExplanationSpec."
    found = Findings(inner.most)
    whole = walk(document, "spec", Dialect.VERTEX, found, path) or Section(path)
    name, choice = (
        long if long in whole else short
        for short, long in (
            ("metadata", "explanation_metadata"),
            ("parameters", "explanation_parameters"),
        )
    )
    at = whole.at(name)
    for it in found:
        (inner if it.path[: len(at)] == at else outer).append(it)
    outer.left += found.left
    section = whole.section(name)
    listed = section.section("inputs") if section else None
    parameters = None
    if choice not in whole:
        message = "has no 'parameters'; integrated gradients in 50 steps is assumed"
        outer.append(Finding(code="MD022", message=message, path=path))
    elif chosen := whole.section(choice):
        inputs = list(listed.spelled) if listed else None
        parameters = parameters_of(chosen, outer, inputs=inputs)
    metadata = _metadata(section, Dialect.VERTEX, parameters, directory, inner) if section else None
    return metadata, parameters


_PARTS: Final = {
    *("parameters", "explanation_parameters", "explanationparameters"),
    *("metadata", "explanation_metadata", "explanationmetadata"),
}
"""What makes a document an ExplanationSpec; the longer names are those that uploading gives."""


def _dialect(document: Mapping[str, object]) -> Dialect:
    if any(key.lower() in _AI_PLATFORM_KEYS for key in document):
        return Dialect.AI_PLATFORM
    return Dialect.VERTEX if any(_vertex_signs(document)) else Dialect.AI_PLATFORM


def _vertex_signs(document: Mapping[str, object]) -> Iterator[bool]:
    """Yield what speaks for Vertex: camelCase, its own keys, upper-case enums, an empty input."""
    fields: list[tuple[str, object]] = [
        (key, value) for key, value in document.items() if key not in ("inputs", "outputs")
    ]
    for kind in ("inputs", "outputs"):
        found = document.get(kind)
        for section in found.values() if isinstance(found, dict) else ():
            if isinstance(section, dict):
                yield kind == "inputs" and not section
                fields += section.items()
                for part in section.values():
                    fields += part.items() if isinstance(part, dict) else ()
    for key, value in fields:
        yield key in _VERTEX_KEYS or (key != key.lower() and snake(key) != key.lower())
        if isinstance(value, str) and value.isupper():
            yield key == "encoding" or value.endswith("_UNSPECIFIED")


def _metadata(
    section: Section,
    dialect: Dialect,
    parameters: ExplanationParameters | None,
    directory: FilePath,
    findings: Findings,
) -> ExplanationMetadata | None:
    reader = MetadataReader(findings, directory, parameters, dialect)
    if dialect is Dialect.AI_PLATFORM:
        reader.framework(section)
    inputs = reader.inputs(section)
    outputs = reader.outputs(section)
    tags = section.get("tags")
    if inputs is None or not outputs:
        return None
    return ExplanationMetadata(
        dialect=dialect,
        inputs=inputs,
        output=outputs[0],
        others=outputs[1:],
        framework=section.get("framework"),
        signature_key=section.get("serving_sigdef_key"),
        tags=tuple(tags) if tags is not None else None,
        latent_space_source=section.get("latent_space_source"),
    )
