"""Metadata documents of both dialects: the text in, the one internal model and every problem out.

An AI Platform ``explanation_metadata.json`` is told from a Vertex ``ExplanationSpec`` or bare
``ExplanationMetadata`` by the keys that only one of them has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from pellucid.metadata.documents.document import (
    Finding,
    Section,
    describe,
    problems_of,
    snake,
    text_problems,
    walk,
)
from pellucid.metadata.documents.json_positions import load
from pellucid.metadata.documents.parameters import parse_parameters, read_parameters
from pellucid.metadata.documents.reader import MetadataReader
from pellucid.metadata.documents.serialize import dump_metadata
from pellucid.metadata.parameters import ExplanationParameters
from pellucid.metadata.spec import Dialect, ExplanationMetadata
from pellucid.problems import Problem, Severity

__all__ = ["Parsed", "dump_metadata", "parse_metadata", "parse_parameters"]

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

    `draft` is what could be read of the metadata in spite of errors, good only for more checks.
    """

    metadata: ExplanationMetadata | None
    parameters: ExplanationParameters | None
    problems: tuple[Problem, ...]
    draft: ExplanationMetadata | None = None


def parse_metadata(text: str, *, file: str | None = None) -> Parsed:
    """Read a document of either dialect and report all its problems, in the order of the text.

    `file` is named in the problems, and baseline files are relative to its directory.
    """
    document, source = load(text)
    in_text = text_problems(source, file) if source else ()
    if any(problem.code == "MD001" for problem in in_text):
        return Parsed(metadata=None, parameters=None, problems=in_text)
    if not isinstance(document, dict):
        findings = [
            Finding(code="MD012", message=f"must be an object, not {describe(document)}", path=())
        ]
        problems = problems_of(findings, text, file, source)
        return Parsed(metadata=None, parameters=None, problems=(*in_text, *problems))
    directory = FilePath(file).parent if file else FilePath()
    inner: list[Finding] = []
    outer: list[Finding] = []
    metadata, parameters = _document(document, directory, inner, outer)
    in_metadata = problems_of(inner, text, file, source)
    in_rest = problems_of(outer, text, file, source)
    problems = tuple(
        sorted(
            (*in_text, *in_metadata, *in_rest),
            key=lambda it: (it.line or 0, it.column or 0, it.code),
        )
    )
    fatal = _has_error(in_text)
    return Parsed(
        metadata=None if fatal or _has_error(in_metadata) else metadata,
        parameters=None if fatal or _has_error(in_rest) else parameters,
        problems=problems,
        draft=metadata,
    )


def _has_error(problems: tuple[Problem, ...]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _document(
    document: dict[str, object],
    directory: FilePath,
    inner: list[Finding],
    outer: list[Finding],
) -> tuple[ExplanationMetadata | None, ExplanationParameters | None]:
    folded = {key.lower(): key for key in document}
    if not folded.keys() & {"parameters", "metadata"}:
        dialect = _dialect(document)
        section = walk(document, "metadata", dialect, inner)
        return (_metadata(section, dialect, None, directory, inner) if section else None), None
    # "A file with a `parameters` and a `metadata` key is an ExplanationSpec."
    spelled = {name: folded[name] for name in ("parameters", "metadata") if name in folded}
    shell = {key: ({} if key in spelled.values() else it) for key, it in document.items()}
    ignored: list[Finding] = []
    walk(shell, "spec", Dialect.VERTEX, ignored)
    outer += [it for it in ignored if len(it.path) == 1 and it.at_key]
    inputs: list[str] | None = None
    section = None
    if "metadata" in spelled:
        key = spelled["metadata"]
        section = walk(document[key], "metadata", Dialect.VERTEX, inner, (key,))
        listed = section.section("inputs") if section else None
        inputs = list(listed.spelled) if listed else None
    parameters = None
    if "parameters" in spelled:
        key = spelled["parameters"]
        parameters = read_parameters(document[key], outer, (key,), inputs=inputs)
    else:
        message = "has no 'parameters'; integrated gradients in 50 steps is assumed"
        outer.append(Finding(code="MD022", message=message, path=()))
    metadata = _metadata(section, Dialect.VERTEX, parameters, directory, inner) if section else None
    return metadata, parameters


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
        yield key == "encoding" and isinstance(value, str) and value.isupper()


def _metadata(
    section: Section,
    dialect: Dialect,
    parameters: ExplanationParameters | None,
    directory: FilePath,
    findings: list[Finding],
) -> ExplanationMetadata | None:
    reader = MetadataReader(findings, directory, parameters)
    if dialect is Dialect.AI_PLATFORM:
        reader.framework(section)
    inputs = reader.inputs(section)
    output = reader.output(section)
    tags = section.get("tags")
    if inputs is None or output is None:
        return None
    return ExplanationMetadata(
        dialect=dialect,
        inputs=inputs,
        output=output,
        framework=section.get("framework"),
        signature_key=section.get("serving_sigdef_key"),
        tags=tuple(tags) if tags is not None else None,
        latent_space_source=section.get("latent_space_source"),
    )
