"""One call of a loaded model: its instances are explained block by block, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from pellucid.api.calls.records import naming
from pellucid.api.calls.together import said_together
from pellucid.api.tables import with_means
from pellucid.errors import InstanceError, ModelError, OutOfMemoryError, SpecError
from pellucid.explain import BaselineKind, Explainer, Explanation, PixelWatch
from pellucid.inputs import InputInfo, Instance, same_shapes, stack
from pellucid.metadata import BaseMethod, Examples
from pellucid.model import Tensors
from pellucid.notices import Notice, Warn
from pellucid.predictor import remembering

if TYPE_CHECKING:
    from pellucid.api.predicting import AnyCompiler

# Attributions of a block, in float64, have about so many bytes; more than 128 rows in one call save
# one per cent, and the first results come later. Rows of a table are explained so fast that what is
# done once for a block is what costs.
BLOCK_BYTES = 2**25
LARGEST_BLOCK, ROWS_OF_TABLE = 128, 512
# Where an instance takes seconds, a block is also what a crash may lose, and what is waited for.
SLOW_BLOCK = 4
UNKNOWN_SIZE = 2**18


def block_size(inputs: Sequence[InputInfo], method: BaseMethod) -> int:
    """Return how many instances are explained at a time."""
    sizes = [
        prod(n or 1 for n in shape) * 8
        if (shape := info.instance_shape) is not None and not info.is_string
        else UNKNOWN_SIZE
        for info in inputs
    ]
    rows = max(1, BLOCK_BYTES // max(1, sum(sizes)))
    if method.takes_seconds(sum(sizes) // 8):
        rows = min(rows, SLOW_BLOCK)
    most = ROWS_OF_TABLE if all(map(_is_cell, inputs)) else LARGEST_BLOCK
    return int(2 ** int(np.log2(min(rows, most))))


def _is_cell(info: InputInfo) -> bool:
    """Whether an instance has numbers of an input in a row of a table: one, or a vector."""
    shape = info.instance_shape
    return shape is not None and len(shape) < 2 and None not in shape and not info.is_string


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What explains instances: an explainer for each output of one model."""

    inputs: Sequence[InputInfo]
    explainers: Sequence[Explainer]
    compiler: AnyCompiler
    pixels: PixelWatch
    warn: Warn

    @property
    def takes_mean(self) -> bool:
        """Whether the baseline is the mean of the instances of a call, which belong together."""
        baseline = self.explainers[0].baseline
        return baseline is not None and baseline.kind is BaselineKind.MEAN

    def explained(
        self, records: Sequence[Instance], size: int, advance: Callable[[int], None]
    ) -> tuple[Explanation, ...]:
        """Return an explanation for each instance; `advance` is told how many more are done.

        At most `size` are explained at a time. Raises InstanceError, which names the instance.
        """
        try:
            return self._together(records, size, advance)
        except OutOfMemoryError:
            raise
        except MemoryError as error:
            if len(records) == 1:
                raise OutOfMemoryError(where=records[0].where) from error
            what = f"there is not enough memory for {len(records):,} instances together"
            raise OutOfMemoryError(what, hint="explain fewer at a time") from error

    def filled(self, records: Sequence[Instance]) -> list[Instance]:
        """Return instances with what stands for their missing values, and say that there are."""
        filled, said = with_means(records, self.inputs)
        if said is not None:
            self.warn(said)
        return filled

    def _together(
        self, records: Sequence[Instance], size: int, advance: Callable[[int], None]
    ) -> tuple[Explanation, ...]:
        items: list[Explanation | None] = [None] * len(records)
        records = self.filled(records)
        averaged = self.averaged(records)
        for places in _blocks(records, size):
            group = [records[i] for i in places]
            with naming(group), remembering():
                request = stack(group, self.inputs)
                explained = averaged._explained(request, [r.index for r in group])
            pictures = [r.pictures for r in group]
            model = self.explainers[0].model
            watched = self.pixels.explained(model, request, explained, pictures)
            for i, explanation in zip(places, watched, strict=True):
                items[i] = explanation
            advance(len(places))
        found = tuple(item for item in items if item is not None)
        self._say(records, found)
        return found

    def _say(self, records: Sequence[Instance], found: Sequence[Explanation]) -> None:
        """Say what there is to say: of the model once, and which baseline was made, if one was."""
        for note in dict.fromkeys(it for explainer in self.explainers for it in explainer.notes()):
            self.pixels.say_once(note)
        for explainer in self.explainers:
            if explainer.parameters.why_not is not None:
                self.pixels.say_once(_contrast_said(self.compiler.of(explainer.metadata.output)))
        baseline = self.explainers[0].baseline
        if baseline is not None and baseline.made:
            for said in dict.fromkeys(item.baseline for item in found if item.baseline):
                self.pixels.say_once(Notice(f"baseline: {said}"))
        for notice in dict.fromkeys(notice for it in found for notice in it.general):
            self.warn(notice)
        own = (
            (record.where, notice)
            for record, it in zip(records, found, strict=True)
            for notice in (*record.notes, *it.warnings[len(it.general) :])
        )
        for notice in said_together(own, len(records)):
            self.warn(notice)

    def averaged(self, records: Sequence[Instance]) -> Call:
        """Return the same, the mean of some instances being the baseline, if asked for."""
        if not self.takes_mean or self._finds_examples:
            return self
        groups = [[records[i] for i in places] for places in same_shapes(records)]
        numbers = [[it.index for it in group] for group in groups]
        requests = []
        for group in groups:
            with naming(group):
                requests.append(stack(group, self.inputs))
        with naming(records):
            explainers = tuple(it.averaged(requests, numbers) for it in self.explainers)
        return replace(self, explainers=explainers)

    @property
    def _finds_examples(self) -> bool:
        return isinstance(self.explainers[0].parameters.method, Examples)

    def _explained(self, request: Tensors, numbers: list[int]) -> list[Explanation]:
        """Return what is said of each output of rows of a request, and what the model answers."""
        if self._finds_examples:
            # Whatever is predicted, they are near.
            found = self.explainers[0].explain(request, numbers)
        else:
            first, *others = (self._of_one(it, request, numbers) for it in self.explainers)
            found = [it.with_others([o[row] for o in others]) for row, it in enumerate(first)]
        if len(self.compiler.signature.outputs) == 1:
            return found
        try:
            outputs = self.compiler.signature_outputs(request)
        except (InstanceError, ModelError) as error:
            notice = error.notice.under("not all outputs can be predicted")
            return [replace(it, warnings=(*it.warnings, notice)) for it in found]
        return [
            replace(it, outputs={k: np.asarray(v[row], v.dtype) for k, v in outputs.items()})
            for row, it in enumerate(found)
        ]

    def _of_one(
        self, explainer: Explainer, request: Tensors, numbers: list[int]
    ) -> list[Explanation]:
        try:
            return explainer.explain(request, numbers)
        except (InstanceError, ModelError, SpecError) as error:
            if len(self.explainers) == 1:
                raise
            raise error.at(path=f"outputs.{explainer.metadata.output.name}") from error


def _contrast_said(compiler: AnyCompiler) -> Notice:
    """Return of what the differences are that were explained, where outputs were compared."""
    of = f"what is explained of '{compiler.metadata.output.name}' is the difference of two"
    if compiler.takes_logits:
        return Notice(f"{of} logits, the scores before its softmax or sigmoid")
    return Notice(f"{of} of its numbers, since no softmax or sigmoid makes them")


def _blocks(records: Sequence[Instance], size: int) -> Iterator[list[int]]:
    """Yield the places of instances that agree in shape, at most `size` at a time."""
    for places in same_shapes(records):
        for begin in range(0, len(places), size):
            yield places[begin : begin + size]
