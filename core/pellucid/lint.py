"""One path in, everything that is wrong with its metadata out: what ``validate-metadata`` runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.check import Resolution, check
from pellucid.document import locate
from pellucid.errors import ModelError, SpecError
from pellucid.infer import infer_metadata
from pellucid.model_directory import MODEL_NAMES
from pellucid.parse_spec import parse_metadata
from pellucid.rules import RULES, rule_matches
from pellucid.saved_model_pb import SavedModelFile, read
from pellucid.spec import ExplanationMetadata, Problem
from pellucid.tensor_names import choose_signature

METADATA_NAME = "explanation_metadata.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was found at one path; `text` is the document's, None where there is no document."""

    path: Path
    text: str | None
    problems: tuple[Problem, ...]
    resolutions: tuple[Resolution, ...] = ()
    inferred: ExplanationMetadata | None = None


def lint(path: Path, signature_key: str | None = None, tags: Sequence[str] | None = None) -> Linted:
    """Check the metadata of a model directory, or a metadata file and the model beside it.

    A directory without metadata is checked for whether they can be inferred. A model that cannot
    be read is one problem, and so is a file.
    """
    if path.name in MODEL_NAMES:
        path = path.parent
    directory = path if path.is_dir() else path.parent
    file = path / METADATA_NAME if path.is_dir() else path
    problems: list[Problem] = []
    model: SavedModelFile | None = None
    if path.is_dir() or any((directory / name).exists() for name in MODEL_NAMES):
        try:
            model = read(directory)
        except ModelError as error:
            where, _, what = str(error).partition(": ")
            problems.append(_problem("MD100", what, where))
    if path.is_dir() and not file.exists():
        if model is None:
            return Linted(path=path, text=None, problems=tuple(problems))
        return _infer(path, model, signature_key, tags)
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        message = f"byte {byte:#04x} at {error.start} is not UTF-8; save the file as UTF-8"
        problems.append(_problem("MD001", message, str(file)))
        return Linted(path=file, text=None, problems=tuple(problems))
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        problems.append(_problem("MD005", message, str(file)))
        return Linted(path=file, text=None, problems=tuple(problems))
    parsed = parse_metadata(text, file=str(file))
    problems += parsed.problems
    resolutions: tuple[Resolution, ...] = ()
    if parsed.draft is not None and model is not None:
        found, resolutions = check(
            parsed.draft, model, signature_key, tags, parameters=parsed.parameters, file=str(file)
        )
        problems += locate(found, text)
    ordered = sorted(problems, key=lambda it: (it.line or 0, it.column or 0, it.code))
    return Linted(path=file, text=text, problems=tuple(ordered), resolutions=resolutions)


def _infer(
    path: Path, model: SavedModelFile, signature_key: str | None, tags: Sequence[str] | None
) -> Linted:
    try:
        signature = choose_signature(model.meta_graph(tags), signature_key)
        metadata = infer_metadata(signature)
    except (ModelError, SpecError) as error:
        code = "MD101" if isinstance(error, ModelError) else "MD112"
        message = str(error).removeprefix(f"{path}: ")
        return Linted(path=path, text=None, problems=(_problem(code, message, str(path)),))
    _, resolutions = check(metadata, model, signature.key, tags)
    return Linted(path=path, text=None, problems=(), resolutions=resolutions, inferred=metadata)


def keep(
    problems: Sequence[Problem], select: Collection[str] = (), ignore: Collection[str] = ()
) -> tuple[Problem, ...]:
    """Return the problems whose code or rule is selected (all by default) and not ignored.

    ``MD0`` stands for every code that begins so.
    """
    return tuple(
        it for it in problems if (not select or _named(it, select)) and not _named(it, ignore)
    )


def _named(problem: Problem, words: Collection[str]) -> bool:
    return any(rule_matches(word, problem.code, problem.rule) for word in words)


def _problem(code: str, message: str, file: str) -> Problem:
    rule = RULES[code]
    return Problem(message=message, severity=rule.severity, code=code, rule=rule.name, file=file)
