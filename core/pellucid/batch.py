"""Many instances in, results out: a folder of inputs becomes a folder of explanations.

Instances are streamed, explained in blocks, and written in the order of the inputs. One bad input
costs one line in ``errors.jsonl``, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pellucid.errors import InstanceError, NotDifferentiableError, OutputError
from pellucid.explanations import Explanations
from pellucid.instances import IMAGE_SUFFIXES, Instance, read_file
from pellucid.loaded_model import LoadedModel
from pellucid.model import Array
from pellucid.panels import encode as encode_picture
from pellucid.response import encode

SUFFIXES = IMAGE_SUFFIXES | {".json", ".jsonl", ".ndjson", ".csv"}
RESULTS = "explanation.results-00000-of-00001"
ERRORS = "errors.jsonl"
SUMMARY = "summary.json"
BLOCK = 16
LARGEST_MEAN = 1024


@dataclass(slots=True)
class Summary:
    """What a run did: how many inputs were explained, how many failed, and what was found.

    `warnings` counts the explanations that came with one; `errors` are the approx_error of each
    first label; `means` the mean attributions of the features that have at most 1024 elements.
    """

    explained: int = 0
    failed: int = 0
    errors: list[float] = field(default_factory=list)
    warnings: int = 0
    _sums: dict[str, Array] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, features: dict[str, Array], error: float | None) -> None:
        """Count one explanation in."""
        self.explained += 1
        if error is not None:
            self.errors.append(error)
        for name, value in features.items():
            total = self._sums.get(name)
            if value.size <= LARGEST_MEAN and (total is None or total.shape == value.shape):
                self._sums[name] = value + (0 if total is None else total)
                self._counts[name] = self._counts.get(name, 0) + 1

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        quantiles = {}
        if self.errors:
            values = np.quantile(self.errors, [0.5, 0.95, 1.0])
            quantiles = dict(zip(("median", "p95", "max"), values.tolist(), strict=True))
        return {
            "explained": self.explained,
            "failed": self.failed,
            "withWarnings": self.warnings,
            "approxError": quantiles,
            "meanAttributions": means,
        }


def inputs_in(path: Path) -> list[Path]:
    """Return the inputs in a directory, recursively and sorted; a file is itself.

    Hidden files, and files whose suffix is none of a picture, JSON, JSON Lines or CSV, are left
    out. Raises InstanceError if nothing is left.
    """
    if not path.exists():
        raise InstanceError(f"{path}: no such file or directory")
    if not path.is_dir():
        return [path]
    found = []
    for directory, directories, files in os.walk(path):
        directories.sort()
        odd = [d for d in directories if Path(d).suffix.lower() in SUFFIXES]
        found += [Path(directory, name) for name in (*files, *odd) if name[0] != "."]
    found = sorted(p for p in found if p.suffix.lower() in SUFFIXES)
    if not found:
        raise InstanceError(
            f"{path}: holds no input; inputs are pictures, .json, .jsonl and .csv files"
        )
    return found


def run(
    model: LoadedModel,
    root: Path,
    out: Path,
    *,
    overlays: bool = True,
    on_done: Callable[[int], None] = lambda count: None,
    limit: int | None = None,
) -> Summary:
    """Explain everything in `root` into the directory `out`, and return what was done.

    Writes ``explanation.results-00000-of-00001`` (a line {"instance", "prediction", "explanation"}
    for each instance), ``errors.jsonl``, ``overlays/…`` for image features, and ``summary.json``.
    Each file appears under its name when it is complete. Raises OutputError.
    """
    inputs = inputs_in(root)
    # A million warnings are none: they are counted, and the errors are in the summary.
    model = replace(model, warn=lambda sentence: None)
    _ = model.explainer.model.differentiable  # a model that cannot be explained fails here, once
    summary = Summary()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _Aside(out / RESULTS) as results, _Aside(out / ERRORS) as errors:

            def failed(source: str | None, sentence: str) -> None:
                summary.failed += 1
                errors.write(encode({"input": source, "error": sentence}, indent=False))
                on_done(1)

            for block in _blocks(_instances(model, inputs, failed, limit)):
                for explanations in _explained(model, block, failed):
                    _write(explanations, root, out, results, summary, overlays=overlays)
                    on_done(len(explanations))
        with _Aside(out / SUMMARY) as file:
            file.write(encode(summary.document()))
    except OSError as error:
        raise OutputError(
            f"{error.filename or out}: cannot be written: {error.strerror}"
        ) from error
    return summary


Failed = Callable[[str | None, str], None]


def _instances(
    model: LoadedModel, inputs: Iterable[Path], failed: Failed, limit: int | None
) -> Iterator[Instance]:
    number = 0
    for path in inputs:

        def note(error: InstanceError, path: Path = path) -> None:
            failed(str(path), str(error))

        try:
            for instance in read_file(path, model.inputs, on_error=note, warn=model.warn):
                if limit is not None and number >= limit:
                    return
                # Noise is drawn by the place in the run; the place in the file is in the source.
                yield replace(instance, index=number)
                number += 1
        except InstanceError as error:
            note(error)


def _blocks(instances: Iterable[Instance]) -> Iterator[list[Instance]]:
    block: list[Instance] = []
    for instance in instances:
        block.append(instance)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


def _explained(model: LoadedModel, block: list[Instance], failed: Failed) -> Iterator[Explanations]:
    """Yield the block's explanations; if it fails, one by one, so that only the bad are lost."""
    try:
        yield model.explain(block)
    except (InstanceError, NotDifferentiableError) as error:
        if len(block) == 1:
            failed(block[0].source, str(error))
            return
        for instance in block:
            yield from _explained(model, [instance], failed)


def _write(
    explanations: Explanations,
    root: Path,
    out: Path,
    results: BinaryIO,
    summary: Summary,
    *,
    overlays: bool,
) -> None:
    body = explanations.response()
    for number, (explanation, instance) in enumerate(
        zip(explanations, explanations.instances, strict=True)
    ):
        line = {
            "instance": instance.value,
            "prediction": explanation.prediction,
            "explanation": body["explanations"][number],
        }
        results.write(encode(line, indent=False))
        first = explanation.labels[0] if explanation.labels else None
        summary.add(first.features if first else {}, first.approx_error if first else None)
        summary.warnings += bool(explanation.warnings)
        if overlays:
            for name, drawing in explanations.draw(number).items():
                path = (
                    out / "overlays" / _place(instance, root, name, len(model_images(explanations)))
                )
                path.parent.mkdir(parents=True, exist_ok=True)
                with _Aside(path) as file:
                    file.write(encode_picture(drawing.overlay, "png"))


def model_images(explanations: Explanations) -> list[str]:
    """Return the names of the features that are drawn."""
    return [i.name for i in explanations.metadata.inputs if i.modality.value == "image"]


def _place(instance: Instance, root: Path, feature: str, features: int) -> Path:
    """Return where an overlay goes: the input's own place, with what tells it from its siblings."""
    source = Path(instance.source or "instances")
    place = source.relative_to(root) if root.is_dir() else Path(source.name)
    parts = [place.name]
    if instance.image is None:
        parts.append(str(instance.index))
    if features > 1:
        parts.append(feature.replace("/", "_"))
    return place.parent / (".".join(parts) + ".png")


class _Aside:
    """Opens a file under another name and renames it into place when all went well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")

    def __enter__(self) -> BinaryIO:
        self._file = self._partial.open("wb")
        return self._file

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._file.close()
        if kind is None:
            os.replace(self._partial, self._path)
        else:
            self._partial.unlink(missing_ok=True)
