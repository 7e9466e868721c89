"""One path in, everything that is wrong with its metadata out: what ``validate-metadata`` runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pellucid.errors import EndlessCallsError, ModelError, PellucidError, SpecError
from pellucid.files import read_bytes
from pellucid.linter.check_graph import (
    gradient_findings,
    operation_findings,
    ragged_findings,
    safety_findings,
)
from pellucid.linter.check_model import NO_FLOATS, NO_SIGNATURE, OUTSIDE, Resolution, check
from pellucid.linter.encodings import encodings_of, way_out, with_embeddings
from pellucid.linter.infer import infer_metadata
from pellucid.metadata import (
    METADATA_FILE,
    RULES,
    ExplanationMetadata,
    ExplanationParameters,
    rule_matches,
)
from pellucid.metadata.documents import (
    MOST,
    Left,
    locate,
    parse_metadata,
    printable,
    problems_of,
)
from pellucid.notices import Hint
from pellucid.problems import Problem, Severity
from pellucid.saved_model import (
    MODEL_NAMES,
    SavedModelFile,
    choose_signature,
    model_file,
    read,
    strays,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was found at one path; `text` is the document's, None where there is no document.

    `notes` are what is worth knowing of the model, and no problem. `left` counts problems that are
    not among `problems`, by rule and severity.
    """

    path: Path
    text: str | None
    problems: tuple[Problem, ...]
    resolutions: tuple[Resolution, ...] = ()
    inferred: ExplanationMetadata | None = None
    notes: tuple[str, ...] = ()
    left: Left = field(default_factory=Counter)

    @property
    def counts(self) -> Counter[Severity]:
        """How many problems there are of each severity, whether kept or not."""
        counted = Counter(it.severity for it in self.problems)
        for (_, severity), count in self.left.items():
            counted[severity] += count
        return counted


def lint(
    path: Path,
    signature_key: str | None = None,
    tags: Sequence[str] | None = None,
    *,
    most: int | None = MOST,
) -> Linted:
    """Check the metadata of a model directory, or a metadata file and the model beside it.

    A directory without metadata is checked for whether they can be inferred. A model that cannot
    be read is one problem, and so is a file. Of each rule at most `most` problems of a document are
    kept, all if it is None; the others are counted.
    """
    if path.name in MODEL_NAMES:
        path = path.parent
    directory = path if path.is_dir() else path.parent
    file = path / METADATA_FILE if path.is_dir() else path
    problems: list[Problem] = []
    model: SavedModelFile | None = None
    if path.is_dir() or any(os.path.lexists(directory / name) for name in MODEL_NAMES):
        outside = [_problem_of(OUTSIDE, it, str(directory)) for it in strays(directory)]
        if outside:
            return Linted(path=path, text=None, problems=tuple(outside))
        model = _read(directory, problems)
    if path.is_dir() and not file.exists():
        if model is None:
            return Linted(path=path, text=None, problems=tuple(problems))
        return _infer(path, model, signature_key, tags)
    text = _text_of(file)
    if isinstance(text, Problem):
        return Linted(path=file, text=None, problems=(*problems, text))
    parsed = parse_metadata(text, file=str(file), most=most)
    problems += parsed.problems
    resolutions: tuple[Resolution, ...] = ()
    notes: tuple[str, ...] = ()
    if parsed.draft is not None and model is not None:
        found, resolutions, notes = _against(
            model, parsed.draft, parsed.parameters, signature_key, tags, file
        )
        problems += locate(tuple(it for it in found if it.file == str(file)), parsed.document)
        problems += [it for it in found if it.file != str(file)]
    ordered = sorted(problems, key=lambda it: (it.line or 0, it.column or 0, it.code))
    return Linted(
        path=file,
        text=text,
        problems=tuple(ordered),
        resolutions=resolutions,
        notes=notes,
        left=parsed.left,
    )


def _read(directory: Path, problems: list[Problem]) -> SavedModelFile | None:
    try:
        return read(directory)
    except ModelError as error:
        code = "MD127" if isinstance(error, EndlessCallsError) else "MD100"
        problems.append(_problem_of(code, error, str(directory)))
    return None


def _text_of(file: Path) -> str | Problem:
    """Return the text of a document, or why there is none."""
    try:
        return read_bytes(file).decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        message, hint = f"byte {byte:#04x} at {error.start} is not UTF-8", "save the file as UTF-8"
        return _problem("MD001", message, str(file), Hint.plain(hint))
    except OSError as error:
        return _problem("MD005", f"cannot be read: {error.strerror or error}", str(file))


def _infer(
    path: Path, model: SavedModelFile, signature_key: str | None, tags: Sequence[str] | None
) -> Linted:
    try:
        graph = model.meta_graph(tags)
        signature = choose_signature(graph, signature_key)
        inferred = infer_metadata(signature, meta_graph=graph)
        metadata = with_embeddings(inferred, graph, signature)
    except (ModelError, SpecError) as error:
        code = NO_SIGNATURE if isinstance(error, ModelError) else "MD112"
        problem = replace(_problem_of(code, error, str(path)), file=str(path))
        if code == "MD112" and problem.hint:
            # Here the choice is written down, by another command.
            problem = replace(problem, hint=problem.hint.by("init_metadata"))
        return Linted(path=path, text=None, problems=(problem,))
    problems, resolutions, notes = _against(model, metadata, None, signature.key, tags, path)
    kept = [it for it in problems if RULES[it.code].of_models]
    # What has no gradient is held, unless that is everything.
    if sum(it.code == NO_FLOATS for it in problems) == len(metadata.inputs):
        message = "gradients need a float tensor and no input is one"
        found = encodings_of(metadata, model.meta_graph(tags), signature)
        hint = way_out(found, metadata.dialect, inferred=True)
        problem = _problem(NO_FLOATS, message, str(path), hint)
        kept.append(replace(problem, severity=Severity.WARNING))
    return Linted(
        path=path,
        text=None,
        problems=tuple(replace(it, path="") for it in sorted(kept, key=lambda it: it.code)),
        resolutions=resolutions,
        inferred=metadata,
        notes=notes,
    )


def _against(
    model: SavedModelFile,
    metadata: ExplanationMetadata,
    parameters: ExplanationParameters | None,
    signature_key: str | None,
    tags: Sequence[str] | None,
    file: Path,
) -> tuple[list[Problem], tuple[Resolution, ...], tuple[str, ...]]:
    """Return the problems of metadata with their model and of the model itself, and notes.

    What the metadata have to do with is found in `file`, the rest in the model's own.
    """
    own, notes = str(model_file(model.directory)), list[str]()
    try:
        found, resolutions = check(
            metadata, model, signature_key, tags, parameters=parameters, file=str(file)
        )
        if any(it.code == NO_SIGNATURE for it in found):
            return list(found), resolutions, ()
        meta_graph = model.meta_graph(tags if tags is not None else metadata.tags)
        signature = choose_signature(meta_graph, signature_key or metadata.signature_key)
        if meta_graph.tensorflow_version:
            notes.append(f"written by TensorFlow {printable(meta_graph.tensorflow_version)}")
        tensors = [it.resolved.tensor for it in resolutions]
        slopes = gradient_findings(metadata, meta_graph, signature, parameters, notes)
        others = operation_findings(meta_graph, signature, tensors)
        others += ragged_findings(meta_graph, signature)
        others += safety_findings(meta_graph, signature, tensors)
    except ModelError as error:
        return [_problem_of("MD100", error, own)], (), tuple(notes)
    problems = [*found, *problems_of(slopes, None, str(file)), *problems_of(others, None, own)]
    return problems, resolutions, tuple(notes)


def keep(
    problems: Sequence[Problem], select: Collection[str] = (), ignore: Collection[str] = ()
) -> tuple[Problem, ...]:
    """Return the problems whose code or rule is selected (all by default) and not ignored.

    ``MD0`` stands for every code that begins so.
    """
    return tuple(it for it in problems if _is_kept(it.code, select, ignore))


def kept(linted: Linted, select: Collection[str], ignore: Collection[str]) -> Linted:
    """Return what `keep` keeps of what was found at a path, and of what was only counted."""
    left = ((it, count) for it, count in linted.left.items() if _is_kept(it[0], select, ignore))
    problems = keep(linted.problems, select, ignore)
    return replace(linted, problems=problems, left=Counter(dict(left)))


def _is_kept(code: str, select: Collection[str], ignore: Collection[str]) -> bool:
    selected, ignored = (
        any(rule_matches(word, code, RULES[code].name) for word in words)
        for words in (select, ignore)
    )
    return (selected or not select) and not ignored


def limited(linted: Linted, most: int) -> Linted:
    """Return the first `most` problems (all if it is 0), the others counted."""
    if not most:
        return linted
    rest = Counter((it.code, it.severity) for it in linted.problems[most:])
    return replace(linted, problems=linted.problems[:most], left=linted.left + rest)


def _problem_of(code: str, error: PellucidError, file: str) -> Problem:
    """Return an error as a problem, of the file that it names, or else of `file`."""
    return _problem(code, error.what, error.where.file or file, error.hint)


def _problem(code: str, message: str, file: str, hint: Hint | None = None) -> Problem:
    rule = RULES[code]
    return Problem(
        message=printable(message),
        hint=hint and hint.each(printable),
        severity=rule.severity,
        code=code,
        rule=rule.name,
        file=file,
    )
