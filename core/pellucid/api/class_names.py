"""The names of the classes that a model is explained with: those given, written, or found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pellucid.errors import ModelError, SpecError
from pellucid.metadata import ExplanationMetadata
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
    names as the output has classes, and `say` is told. Names that occur twice are told apart by
    index. Raises SpecError for names that are too few or too many.
    """
    output = document.output
    count = _count(meta_graph, signature, output.tensor_name or output.name)
    if written is not None:
        names, source = class_names_of(written)
        if count is not None and count != len(names):
            raise SpecError(
                f"{_number(len(names))}, and the output '{output.name}' has {count}",
                where=Where(file=source),
                hint="each class needs a name, in the order of the output",
            )
    elif output.index_name_mapping is not None or output.index_name_mapping_key is not None:
        return document
    else:
        found = _found(directory, count, say)
        if found is None:
            return document
        names, source = found
        say(Notice(f"gives the names of the {count} classes", Where(file=source)))
    names, twice = told_apart(names)
    if twice:
        what = (
            f"'{twice[0]}' {f'and {len(twice) - 1} more ' if len(twice) > 1 else ''}"
            "named more than one class; such classes are told apart by their index"
        )
        say(Notice(what, Where(file=source)))
    return replace(
        document, output=replace(output, index_name_mapping=names, index_name_mapping_key=None)
    )


def _found(directory: Path, count: int | None, say: Warn) -> tuple[tuple[str, ...], str] | None:
    """Return names and their file, None where there is no file that fits."""
    others: list[Notice] = []
    for path, names in label_files(directory):
        if count is not None and len(names) == count:
            return names, str(path)
        what = f"{_number(len(names))}, and the output has {count}; they are not used"
        others.append(Notice(what, Where(file=str(path))))
    if others and count is not None:
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
