"""The names of the classes that a model is explained with: those given, written, or found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pellucid.errors import ModelError, SpecError
from pellucid.metadata import ExplanationMetadata, OutputSpec
from pellucid.notices import Notice, Warn, Where
from pellucid.saved_model import (
    MetaGraph,
    Signature,
    class_names_of,
    label_files,
    resolve_tensor,
    tensor_info,
    told_apart,
)


def with_class_names(
    document: ExplanationMetadata,
    meta_graph: MetaGraph,
    signature: Signature,
    directory: Path,
    written: str | None,
    say: Warn,
) -> ExplanationMetadata:
    """Return the metadata with names for the classes of their output, where these are known.

    `written` is what `class_names_of` reads, and goes before the metadata's own; without either, a
    file such as ``labels.txt`` beside the model or among its assets is taken if it has as many
    names as the output has classes, and `say` is told. Of several outputs, names are those of each
    that has as many classes. Names that occur twice are told apart by index. Raises SpecError for
    names that are too few or too many.
    """
    counts = {
        it.name: _count(meta_graph, signature, it.tensor_name or it.name) for it in document.outputs
    }
    if written is not None:
        names, source = class_names_of(written)
        fitting = _fitting(names, source, counts)
    else:
        document = document.explaining([_told_apart(it) for it in document.outputs])
        unnamed = {
            it.name: counts[it.name]
            for it in document.outputs
            if it.index_name_mapping is None and it.index_name_mapping_key is None
        }
        found = _found(directory, list(unnamed.values()), say)
        if found is None:
            return document
        names, source = found
        fitting = [name for name, count in unnamed.items() if count == len(names)]
        say(Notice(f"gives the names of the {len(names)} classes", Where(file=source)))
    names, twice = told_apart(names)
    if twice:
        what = (
            f"'{twice[0]}' {f'and {len(twice) - 1} more ' if len(twice) > 1 else ''}"
            "named more than one class; such classes are told apart by their index"
        )
        say(Notice(what, Where(file=source)))
    return document.explaining(
        [
            replace(it, index_name_mapping=names, index_name_mapping_key=None)
            if it.name in fitting
            else it
            for it in document.outputs
        ]
    )


def _fitting(names: Sequence[str], source: str, counts: Mapping[str, int | None]) -> Sequence[str]:
    """Return the outputs that names are for. Raises SpecError where there is none."""
    fitting = [output for output, count in counts.items() if count in (None, len(names))]
    if not fitting:
        sizes = ", ".join(f"'{output}' has {count}" for output, count in counts.items())
        raise SpecError(
            f"{_number(len(names))}, and the output {sizes}",
            where=Where(file=source),
            hint="each class needs a name, in the order of the output",
        )
    return fitting


def _told_apart(output: OutputSpec) -> OutputSpec:
    """Return an output whose classes have a name each, by their index where they had not."""
    if output.index_name_mapping is None:
        return output
    names, _ = told_apart(output.index_name_mapping)  # of which the document's warning has told
    return replace(output, index_name_mapping=names)


def _found(
    directory: Path, counts: Sequence[int | None], say: Warn
) -> tuple[tuple[str, ...], str] | None:
    """Return names and their file, None where there is no file that fits an output."""
    others: list[Notice] = []
    known = [str(count) for count in counts if count is not None]
    for path, names in label_files(directory) if known else ():
        if len(names) in counts:
            return names, str(path)
        what = f"{_number(len(names))}, and the output has {' or '.join(known)}; they are not used"
        others.append(Notice(what, Where(file=str(path))))
    if others:
        say(others[0])
    return None


def _number(count: int) -> str:
    return f"has {count} name{'' if count == 1 else 's'}"


def _count(meta_graph: MetaGraph, signature: Signature, name: str) -> int | None:
    """Return how many classes an output [batch, n] has, None where the file does not tell."""
    try:
        tensor = resolve_tensor(meta_graph, signature, name, role="output").tensor
    except ModelError:
        return None  # of which loading has more to say
    shape = tensor_info(meta_graph, signature, tensor).shape
    return shape[-1] if shape is not None and len(shape) in (1, 2) and shape else None
