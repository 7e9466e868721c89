"""Which outputs are explained, and what they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pellucid.errors import InstanceError, OutOfMemoryError, SpecError, meant
from pellucid.metadata import ExplanationParameters, Nested
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Where

WHY_NOT, INDICES = Where(path="why_not"), Where(path="outputIndices")
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Contrast:
    """The output that others are compared with: its flat index, and what it is called."""

    target: int
    called: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a method is asked: outputs `target` [m] of instances `row` [m], and all the `scores`.

    `x` and `inputs` are the operands and the signature's inputs of all n instances; `contrast` is
    what the outputs are compared with, if they are.
    """

    x: Tensors
    inputs: Tensors
    scores: Array
    row: Array
    target: Array
    numbers: Sequence[int]
    contrast: Contrast | None = None

    @property
    def places(self) -> list[range]:
        """Where the outputs of each instance stand among all that are asked, [n]."""
        ends = np.searchsorted(self.row, np.arange(len(self.scores) + 1)).tolist()
        return [*map(range, ends, ends[1:])]

    @property
    def score(self) -> Array:
        """What is explained of each instance, [m]."""
        found = self.scores[self.row, self.target]
        if self.contrast is None:
            return np.asarray(found)
        return np.asarray(found - self.scores[self.row, self.contrast.target])


@lru_cache(4096)
def index_of(target: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the place of a flat index in an output of one instance; () where that is a scalar."""
    return tuple(int(i) for i in np.unravel_index(target, shape)) if shape else ()


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model says of n instances, `prediction` [n, …], and what its outputs are called.

    `name` is the tensor's, `names` are those of its elements, where they have some; `contrast` is
    what the explained ones are compared with, if they are.
    """

    name: str
    prediction: Array
    names: Nested | Array | None
    contrast: Contrast | None

    @property
    def scores(self) -> Array:
        """All of them, float64 [n, outputs]."""
        return np.asarray(self.prediction, np.float64).reshape(len(self.prediction), -1)

    def called(self, target: int) -> str:
        """Return what a sentence calls the output of this flat index."""
        index = index_of(target, self.prediction.shape[1:])
        return output_text(self.name, index, name_at(self.names, index))

    def asked(
        self, x: Tensors, inputs: Tensors, chosen: Sequence[Array], numbers: Sequence[int]
    ) -> Asked:
        """Return what a method is asked of each instance: its `chosen` outputs, flat indices."""
        row = np.repeat(np.arange(len(chosen)), [len(c) for c in chosen])
        target = np.concatenate(chosen).astype(np.int64)
        return Asked(x, inputs, self.scores, row, target, numbers, self.contrast)


def placed(error: InstanceError, numbers: Sequence[int], why: str = "") -> InstanceError:
    """Return an error with the place of its instance, if it is known and not said already.

    `why` something else was asked than the instance is of no interest where memory is lacking.
    """
    row = 0 if len(set(numbers)) == 1 else error.row
    if row is None or error.where.instance is not None:
        return error
    said = why and not isinstance(error, OutOfMemoryError)
    return (error.under(why) if said else error).at(instance=numbers[row])


def targets_of(
    prediction: Array, parameters: ExplanationParameters, contrast: Contrast | None = None
) -> list[Array]:
    """Return the flat indices to explain of each row of a prediction [n, …].

    "topK … defaults to 1 … When set to -1, returns explanations for all outputs"; ties go to the
    lower index. outputIndices go before: as they are given. "If neither topK nor outputIndices is
    populated, returns the argmax". Of several that are ranked, the one that they are compared with
    is left out. Raises SpecError for an index outside the output, and for one that is to be
    compared with itself; InstanceError where the argmax is that one.
    """
    n = len(prediction)
    if parameters.output_indices is not None:
        shape = prediction.shape[1:]
        given = [_flat_index(it, shape, INDICES) for it in parameters.output_indices]
        if contrast is not None and contrast.target in given:
            what = f"{contrast.called} is also what is to be explained"
            raise SpecError(what, where=WHY_NOT, hint=Hint("choose another by {output_indices}"))
        return [np.array(given)] * n
    scores = np.asarray(prediction, np.float64).reshape(n, -1)
    count = 1 if parameters.top_k is None else parameters.top_k
    order = np.argsort(-scores, axis=1, kind="stable")
    chosen = list(order if count == -1 else order[:, :count])
    if contrast is None:
        return chosen
    others = [targets[targets != contrast.target] for targets in chosen]
    for row, targets in enumerate(others):
        if not len(targets):
            raise InstanceError(
                f"its label is {contrast.called} itself, which nothing speaks for rather than it",
                row,
                hint=Hint("name another by {why_not}, or what is explained by {output_indices}"),
            )
    return others


def contrast_of(
    parameters: ExplanationParameters,
    shape: tuple[int, ...],
    names: Nested | Array | None,
    output: str,
) -> Contrast | None:
    """Return the output that others are compared with, None where that was not asked for.

    `shape` is that of the output of one instance. Raises SpecError for a label that is none, for
    one that several have, and where there is one output alone.
    """
    written = parameters.why_not
    if written is None:
        return None
    if int(np.prod(shape)) == 1:
        raise SpecError(
            f"the output '{output}' is one number, and there is no other to compare it with",
            where=WHY_NOT,
            hint=Hint("compare with another instance: name it as the {baseline}"),
        )
    target = _labelled(written, shape, names, output)
    index = tuple(int(i) for i in np.unravel_index(target, shape))
    name = name_at(names, index)
    return Contrast(target, str(list(index)) if name is None else name)


def _labelled(
    written: str | tuple[int, ...],
    shape: tuple[int, ...],
    names: Nested | Array | None,
    output: str,
) -> int:
    """Return the flat index of a label: that of its name, or else of the number that it is."""
    if not isinstance(written, str):
        return _flat_index(written, shape, WHY_NOT)
    places = [] if names is None else [*np.ndindex(*shape)]
    called = {place: name for place in places if (name := name_at(names, place)) is not None}
    found = [place for place, name in called.items() if name == written]
    if len(found) > 1:
        which = ", ".join(",".join(map(str, place)) for place in found[:_LISTED])
        what = f"several outputs are called '{written}'"
        raise SpecError(what, where=WHY_NOT, hint=f"give the index of one: {which}")
    if found:
        return int(np.ravel_multi_index(found[0], shape))
    parts = written.split(",")
    if all(part.strip().lstrip("-").isdecimal() for part in parts):
        return _flat_index(tuple(map(int, parts)), shape, WHY_NOT)
    known = list(dict.fromkeys(called.values()))
    more = ["…"] * (len(known) > _LISTED)
    listed = ", ".join([*(f"'{name}'" for name in known[:_LISTED]), *more])
    hint = meant(written, known) or (
        f"the labels are {listed}" if known else "its labels have no names; give an index"
    )
    raise SpecError(f"'{written}' is no label of the output '{output}'", where=WHY_NOT, hint=hint)


def check_scores(
    prediction: Array,
    chosen: Sequence[Array],
    named: Callable[[int], str],
    numbers: Sequence[int],
    *,
    ranked: bool,
    lost: Sequence[bool] | Array = (),
) -> None:
    """Raise InstanceError for an instance with an output that nothing can explain.

    Outputs are `chosen` of the prediction [n, …], and `named` by their flat indices. If they were
    `ranked`, one that is not a number is no good anywhere: nobody knows its rank. −∞, as of a class
    that is masked, is the last.
    """
    scores = np.asarray(prediction, np.float64).reshape(len(prediction), -1)
    if np.isfinite(scores).all():
        return
    for at, (number, row, targets) in enumerate(zip(numbers, scores, chosen, strict=True)):
        bad = [int(it) for it in targets if not np.isfinite(row[it])]
        bad += np.flatnonzero(np.isnan(row)).tolist() if ranked else []
        if bad:
            raise InstanceError(
                f"the model's output is not finite ({row[bad[0]]} at {named(bad[0])}), which "
                "nothing can explain",
                where=Where(instance=number),
                hint=Hint(
                    "the instance has missing values, which the model does not handle: choose "
                    "{missing:baseline}"
                )
                if len(lost) and lost[at]
                else "",
            )


def output_text(name: str, index: tuple[int, ...], label: str | None) -> str:
    """Write which output is meant: ``output 'scores' [2] ('cat')``."""
    at = f" {list(index)}" if index else ""
    return f"output '{name}'{at}" + (f" ('{label}')" if label is not None else "")


def _flat_index(index: tuple[int, ...], shape: tuple[int, ...], where: Where) -> int:
    written = index[0] if len(index) == 1 else list(index)
    if len(index) != len(shape) and not (len(index) == 1 and int(np.prod(shape)) == 1):
        raise SpecError(
            f"{written} has {len(index)} axes and the output of one instance has {len(shape)}, "
            f"{list(shape)}",
            where=where,
        )
    try:
        return int(np.ravel_multi_index(index, shape or (1,)))
    except ValueError:
        raise SpecError(
            f"{written} is outside the output, whose shape for one instance is {list(shape)}",
            where=where,
        ) from None


def name_at(names: Nested | Array | None, index: tuple[int, ...]) -> str | None:
    """Return the name of an output in nested names; None where there is none."""
    found: Any = names
    for i in index or (0,):
        if isinstance(found, tuple | list | np.ndarray) and i < len(found):
            found = found[i]
        else:
            return None
    return (
        found.decode(errors="replace")
        if isinstance(found, bytes)
        else (found if isinstance(found, str) else None)
    )
