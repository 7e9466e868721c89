"""The metadata beside a model, read for use: errors raised, warnings said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pellucid import files
from pellucid.errors import SpecError
from pellucid.metadata.documents.parameters import parse_parameters
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.metadata.example_spec import Examples
from pellucid.metadata.parameters import ExplanationParameters
from pellucid.metadata.spec import METADATA_FILE, ExplanationMetadata
from pellucid.notices import Warn, Where
from pellucid.problems import Problem, Severity
from pellucid.remote import address_of, read


def read_document(
    directory: Path, metadata: str | Path | None, say: Warn
) -> tuple[ExplanationMetadata | None, ExplanationParameters | None, Path]:
    """Return metadata, parameters and the path of a document of either dialect.

    Both are None if `metadata` names no file and there is none beside the model. Warnings are
    passed to `say`. Raises SpecError with a line for each error.
    """
    path = directory / METADATA_FILE if metadata is None else Path(metadata)
    if metadata is None and not path.exists():
        return None, None, path
    parsed = parse_metadata(read_text(path), file=str(path))
    raise_errors(parsed.problems, say)
    return parsed.metadata, _located(parsed.parameters, path), path


def read_parameters_file(path: Path, say: Warn) -> ExplanationParameters | None:
    """Return the parameters in a file: an ExplanationSpec, or ExplanationParameters alone."""
    parameters, problems = parse_parameters(read_text(path), file=str(path))
    raise_errors(problems, say)
    return _located(parameters, path)


def _located(parameters: ExplanationParameters | None, path: Path) -> ExplanationParameters | None:
    """Return parameters whose files of examples are relative to the document that names them."""
    if parameters is None or not isinstance(parameters.method, Examples):
        return parameters
    sources = tuple(
        source if "://" in source else str(path.parent / source)
        for source in (it.removeprefix("file://") for it in parameters.method.sources)
    )
    return replace(parameters, method=replace(parameters.method, sources=sources))


def read_text(path: str | Path) -> str:
    """Return the text of a document. Raises SpecError where it cannot be read."""
    address = address_of(path, SpecError)
    try:
        if address is not None:
            return "\n".join(read(address, SpecError).decode("utf-8-sig").splitlines())
        return files.read_text(path, "utf-8-sig")
    except UnicodeDecodeError as error:
        where = Where(file=str(path))
        raise SpecError("is not UTF-8 text", where=where, hint="metadata are JSON") from error
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise SpecError(what, where=Where(file=str(path))) from error


def raise_errors(problems: Sequence[Problem], say: Warn) -> None:
    """Raise SpecError with a line for each error, or say the warnings if there is none."""
    errors = [p for p in problems if p.severity is Severity.ERROR]
    for problem in problems:
        if problem.severity is Severity.WARNING and not errors:
            say(problem)
    if errors:
        raise SpecError(problems=problems)
