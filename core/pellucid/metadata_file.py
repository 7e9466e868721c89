"""The metadata beside a model, read for use: errors raised, warnings said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pellucid.document import text_problems
from pellucid.errors import SpecError
from pellucid.json_source import load as load_json
from pellucid.parse_parameters import parse_parameters
from pellucid.parse_spec import parse_metadata
from pellucid.spec import ExplanationMetadata, ExplanationParameters, Problem, Severity

METADATA_FILE = "explanation_metadata.json"


def read_document(
    directory: Path, metadata: str | Path | None, say: Callable[[str], None]
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
    return parsed.metadata, parsed.parameters, path


def read_parameters_file(path: Path, say: Callable[[str], None]) -> ExplanationParameters | None:
    """Return the parameters in a file: an ExplanationSpec, or ExplanationParameters alone."""
    text = read_text(path)
    document, source = load_json(text)
    problems = text_problems(source, str(path)) if source else ()
    raise_errors(problems, say)
    if not isinstance(document, dict):
        raise SpecError(f"{path}: must be an object with parameters")
    parameters, problems = parse_parameters(document, text=text, file=str(path))
    raise_errors(problems, say)
    return parameters


def read_text(path: str | Path) -> str:
    """Return the text of a document. Raises SpecError where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: is not UTF-8 text; metadata are JSON") from error
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error


def raise_errors(problems: Sequence[Problem], say: Callable[[str], None]) -> None:
    """Raise SpecError with a line for each error, or say the warnings if there is none."""
    errors = [p for p in problems if p.severity is Severity.ERROR]
    for problem in problems:
        if problem.severity is Severity.WARNING and not errors:
            say(str(problem))
    if errors:
        raise SpecError("\n".join(map(str, errors)), problems)
