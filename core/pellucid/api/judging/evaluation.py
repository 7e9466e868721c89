"""How good explanations are: every candidate explains every instance, and every metric judges it.

Instances are taken a few at a time: their maps are computed once, shared by all metrics and
forgotten, so that memory does not grow with their number; what stays is a number for each metric
and candidate, and the curves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from pellucid.api.judging.again import AgainOf, configured, unheard
from pellucid.api.judging.findings import Findings
from pellucid.api.judging.journal import Journal, key_of
from pellucid.api.judging.judge import Judge
from pellucid.api.judging.masks import Masks
from pellucid.api.judging.subjects import (
    Explaining,
    one_output,
)
from pellucid.api.judging.whole import evaluation_of, plan_of
from pellucid.errors import InstanceError, PellucidError, SpecError
from pellucid.evaluate import (
    Candidate,
    Evaluation,
    Repeats,
    Settings,
    candidates_of,
    chosen_measures,
)
from pellucid.explain import BaselineKind
from pellucid.inputs import Instance, same_shapes, stack
from pellucid.metadata import Modality

Group: TypeAlias = Sequence[tuple[int, Instance]]
Elsewhere: TypeAlias = Callable[[Iterable[Group]], Iterator[Findings]]
"""Yields what is found of each group of instances with their places, in their order."""

TOGETHER = 2**18
"""So many elements of instances are explained together, and at most 64 instances."""


def evaluate(
    model: Explaining,
    records: Iterable[Instance],
    candidates: str | Iterable[str | Candidate] = (),
    metrics: str | Iterable[str] = (),
    *,
    stages: int = 50,
    seed: int = 0,
    repeats: Repeats | str | None = None,
    masks: str | Path | None = None,
    journal: Journal | None = None,
    elsewhere: Elsewhere | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Return how good candidates are on some instances, beside maps that know nothing of a model.

    `candidates` are named as `pellucid.evaluate.candidates` says, by default every method that can
    explain such instances; `metrics` are names, by default deletion and insertion, or ``all``; both
    may be one text with commas. `stages` is the number of shares of a curve; `seed` names the
    random numbers, so that a report can be made again to the bit; `repeats`, ``few`` or ``all``,
    is how often an instance is explained again for max_sensitivity, randomization and seed, by
    default ``few`` of pictures; `masks` is a folder of masks, named as the pictures are. A
    `journal` keeps what is found, and knows what was found before; `elsewhere` judges instances in
    the place of this model. `on_done` is called after each instance. Raises SpecError, OutputError,
    and InstanceError for an instance that the model has no answer to.
    """
    judge = judge_of(
        model, candidates, metrics, stages=stages, seed=seed, repeats=repeats, masks=masks
    )
    averaged = _mean(judge)
    if averaged is not None:
        if elsewhere is not None:
            raise SpecError(
                f"'{averaged.name}': the mean is that of all instances, and several processes have "
                "some of them each",
                hint="judge in one process, or save the mean of some as mean.npy and name that",
            )
        records = [*records]
        judge = _averaged(judge, records)
    if journal is not None:
        journal.begin(plan_of(judge))
    found = Findings()
    for part in _parts(judge, _groups(records), journal, elsewhere, on_done):
        found.add(part)
    if not found.rows:
        raise InstanceError("there are no instances to judge explanations by")
    return evaluation_of(judge, found)


def judge_of(
    model: Explaining,
    candidates: str | Iterable[str | Candidate] = (),
    metrics: str | Iterable[str] = (),
    *,
    stages: int = 50,
    seed: int = 0,
    repeats: Repeats | str | None = None,
    masks: str | Path | None = None,
) -> Judge:
    """Return who judges instances as `evaluate` is asked to. Raises SpecError."""
    if stages < 1:
        raise SpecError(f"there cannot be {stages} stages of a curve", hint="choose 1 or more")
    model = one_output(model)
    modalities = {it.modality for it in model.metadata.inputs}
    if any(it.is_string for it in model.inputs):
        modalities.add(Modality.TEXT)  # or names of categories, which is found out
    named = candidates_of(_names(candidates), modalities, model.warn)
    settings = Settings.of(_repeats(repeats, modalities), stages=stages, seed=seed)
    return Judge(
        model=model,
        candidates=named,
        measures=chosen_measures(_names(metrics), masks=masks is not None),
        settings=settings,
        again=AgainOf(model, {it.name: it for it in named}, seed, settings.samples),
        masks=Masks.of_folder(masks),
    )


def _parts(
    judge: Judge,
    groups: Iterable[Group],
    journal: Journal | None,
    elsewhere: Elsewhere | None,
    on_done: Callable[[], None],
) -> Iterator[Findings]:
    """Yield what is found of each few instances, in their order, or was found before."""
    known: deque[tuple[int, str, Findings | None]] = deque()

    def missing() -> Iterator[Group]:
        for group in groups:
            first, key = group[0][0], key_of(group) if journal else ""
            before = journal.known(first, key) if journal else None
            known.append((first, key, before))
            if before is None:
                yield group

    def old() -> Iterator[Findings]:
        while known and (before := known[0][2]) is not None:
            known.popleft()
            yield told(before)

    def told(part: Findings) -> Findings:
        for _ in part.rows:
            on_done()
        return part

    answers = (elsewhere or partial(map, judge.judge))(missing())
    for part in answers:
        yield from old()
        first, key, _ = known.popleft()
        if journal is not None:
            journal.keep(first, key, part)
        yield told(part)
    yield from old()


def _repeats(written: Repeats | str | None, modalities: Collection[Modality]) -> Repeats:
    """Return how often is repeated. Raises SpecError."""
    if written is None:
        return Repeats.FEW if Modality.IMAGE in modalities else Repeats.ALL
    try:
        return Repeats(written)
    except ValueError:
        hint = f"choose {' or '.join(it.value for it in Repeats)}"
        raise SpecError(f"repeats cannot be '{written}'", hint=hint) from None


def _names(written: Any) -> list[Any]:
    """Return names that are written with commas, or one by one."""
    items = [written] if isinstance(written, str | Candidate) else list(written)
    found: list[Any] = []
    for it in items:
        found += [p.strip() for p in it.split(",") if p.strip()] if isinstance(it, str) else [it]
    return found


def _mean(judge: Judge) -> Candidate | None:
    """Return a candidate whose baseline is the mean of the instances."""
    means = (it for it in judge.candidates if it.settings.baseline == BaselineKind.MEAN.value)
    return next(means, None)


def _averaged(judge: Judge, records: Sequence[Instance]) -> Judge:
    """Return the same, the mean of all instances being what such candidates begin with.

    Where there is none, as of names, each of them will say why.
    """
    candidate, model = _mean(judge), judge.model
    if candidate is None or model.explainer.mean:
        return judge
    own = configured(model, candidate, unheard, seed=judge.settings.seed).explainer
    groups = [[records[i] for i in places] for places in same_shapes(records)]
    try:
        requests = [stack(group, model.inputs) for group in groups]
        numbers = [[it.index for it in group] for group in groups]
        mean = own.averaged(requests, numbers).mean
    except PellucidError:
        return judge
    model = replace(model, explainers=(replace(model.explainer, mean=mean),))
    return replace(judge, model=model, again=replace(judge.again, model=model))


def _groups(records: Iterable[Instance]) -> Iterator[list[tuple[int, Instance]]]:
    """Yield instances with their places, as many at a time as are explained together."""
    group: list[tuple[int, Instance]] = []
    elements = 0
    for number, record in enumerate(records):
        size = sum(prod(it.shape) for it in record.tensors.values())
        if group and (elements + size > TOGETHER or len(group) >= 64):
            yield group
            group, elements = [], 0
        group.append((number, record))
        elements += size
    if group:
        yield group
