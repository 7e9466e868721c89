"""Two models explain the same instances, the same class of each, and are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeAlias

import numpy as np

from pellucid import __version__
from pellucid.api import LoadedModel, block_size, named_after, refuse_means
from pellucid.comparison.agreement import Agreement, agreement, share_moved
from pellucid.comparison.diff.answers import Answers
from pellucid.comparison.diff.matching import Classes, Matched, match
from pellucid.comparison.diff.pictured import Pictured, pictured
from pellucid.comparison.diff.result import Compared, Diff, Failed, Made, Side
from pellucid.comparison.elements import shares_of
from pellucid.errors import InstanceError, SpecError
from pellucid.explain import Explanation, LabelAttribution
from pellucid.inputs import Instance, stack
from pellucid.metadata import Examples, Nested, recorded
from pellucid.model import Array
from pellucid.notices import Where

MOST_SHOWN = 12
"""Instances that are looked at: those whose attribution moved furthest."""

Read: TypeAlias = Instance | InstanceError
"""An instance as a model reads it, or why it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One input: what it is called, and what each of the models reads, in their order."""

    name: str
    read: tuple[Read, ...]


def diff(
    models: Sequence[LoadedModel],
    inputs: Iterable[Given],
    *,
    on_done: Callable[[], None] = lambda: None,
) -> Diff:
    """Return how two models differ on some instances: in what they say, and why.

    `models` are the first, the second, and controls: other trainings of the first, which differ
    from it by chance. All explain the class that the first one says, matched by name, each as its
    own parameters say. `inputs` are read for each model as `match` says; `on_done` is called
    after each. Raises SpecError where models have no input in common, or explain by examples,
    and InstanceError where there is no instance.
    """
    for model in models:
        if isinstance(model.parameters.method, Examples):
            what = "explains by nearest examples, which are no attributions to compare"
            raise SpecError(what, where=Where(file=str(model.directory)))
        refuse_means(model, "a comparison")
    first, *others = map(_one_class, models)
    runs = [_Run(first=first, second=it, matched=match(first, it)) for it in others]
    size, count = block_size(first.inputs, first.parameters.method), 0
    waiting = iter(inputs)
    while block := list(islice(waiting, size)):
        ours = _explained(first, [it.read[0] for it in block])
        for place, run in enumerate(runs, 1):
            run.take(count, block, ours, [it.read[place] for it in block])
        count += len(block)
        for _ in block:
            on_done()
    if not count:
        raise InstanceError("there are no instances to compare models on")
    found, *controls = [run.result() for run in runs]
    return replace(found, controls=tuple(controls))


def _one_class(model: LoadedModel) -> LoadedModel:
    """Return the model with one class of its first output that is explained."""
    parameters = replace(model.parameters, top_k=None)
    if parameters.output_indices is not None:
        parameters = replace(parameters, output_indices=parameters.output_indices[:1])
    return replace(
        model, explainers=(replace(model.explainer, parameters=parameters),), progress=False
    )


def _explained(model: LoadedModel, records: Sequence[Read]) -> list[Explanation | InstanceError]:
    """Return the explanation of each instance, or why there is none."""
    there = [it for it in records if isinstance(it, Instance)]
    made: Iterator[Explanation | InstanceError]
    try:
        made = iter(model.explain(there) if there else ())
    except InstanceError as error:
        if len(there) == 1:
            made = iter([error])
        else:  # which one it is, is found out one by one
            made = iter([_explained(model, [it])[0] for it in there])
    return [it if isinstance(it, InstanceError) else next(made) for it in records]


@dataclass(frozen=True, slots=True)
class _Theirs:
    """What the second model says by itself, and of the first one's class, if it has that."""

    own: Explanation
    label: LabelAttribution | None


@dataclass(kw_only=True)
class _Run:
    """The comparison of two models, as far as it has come."""

    first: LoadedModel
    second: LoadedModel
    matched: Matched
    instances: list[Compared] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    shown: list[Pictured] = field(default_factory=list)
    answers: Answers | None = None

    def take(
        self,
        start: int,
        block: Sequence[Given],
        ours: Sequence[Explanation | InstanceError],
        records: Sequence[Read],
    ) -> None:
        """Compare a block of instances that the first model has explained."""
        theirs = self._theirs(block, ours, records)
        for place, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            number, name = start + place, block[place].name
            if isinstance(mine, InstanceError) or isinstance(other, InstanceError):
                self.failed.append(_failed(number, name, mine, other))
            elif other.label is None:
                why = f"the second model has no class '{mine.labels[0].called}'"
                self.failed.append(Failed(number=number, name=name, who="class", why=why))
            else:
                read = block[place].read[0], records[place]
                self._compare(number, name, read, (mine, other.own), other.label)

    def _theirs(
        self,
        block: Sequence[Given],
        ours: Sequence[Explanation | InstanceError],
        records: Sequence[Read],
    ) -> list[_Theirs | InstanceError]:
        """Return what the second model says of the class that the first one says.

        It is asked for its own label first, which nearly always is the same; where it is not, it is
        asked once more.
        """
        result: list[_Theirs | InstanceError] = []
        again: dict[tuple[int, ...], list[int]] = {}
        for i, own in enumerate(_explained(self.second, records)):
            mine = ours[i]
            if isinstance(own, InstanceError) or isinstance(mine, InstanceError):
                result.append(own if isinstance(own, InstanceError) else _Theirs(own, None))
                continue
            classes = self._classes(mine, own, block[i].read[0], records[i])
            wanted, (label,) = classes.theirs_of(mine.labels[0].index), own.labels
            result.append(_Theirs(own, None if wanted is None else label))
            if wanted is not None and wanted != label.index:
                again.setdefault(wanted, []).append(i)
        for index, places in again.items():
            model = self.second.configured(output_indices=[index])
            found = _explained(replace(model, progress=False), [records[i] for i in places])
            for i, it in zip(places, found, strict=True):
                before = result[i]
                assert isinstance(before, _Theirs)
                if isinstance(it, InstanceError):
                    result[i] = it
                else:
                    result[i] = replace(before, label=it.labels[0])
        return result

    def _classes(self, mine: Explanation, own: Explanation, *read: Read) -> Classes:
        """Return which classes are the same, as the first answers tell."""
        if self.answers is None:
            logits = self.first.compiler.logits and self.second.compiler.logits
            self.answers = Answers(
                classes=Classes(
                    ours=mine.prediction.shape,
                    theirs=own.prediction.shape,
                    our_names=_names(self.first, read[0]),
                    their_names=_names(self.second, read[1]),
                ),
                middle=0.0 if logits else None,
            )
        return self.answers.classes

    def _compare(
        self,
        number: int,
        name: str,
        read: tuple[Read, Read],
        explained: tuple[Explanation, Explanation],
        label: LabelAttribution,
    ) -> None:
        """Compare what is said of one instance: `label` is the second model's of the same class."""
        (record, their_record), (mine, own) = read, explained
        assert isinstance(record, Instance) and isinstance(their_record, Instance)
        assert self.answers is not None
        first, features = mine.labels[0], self.matched.features
        halves = (
            (named_after(self.first.metadata, [record]), record, mine, first),
            (named_after(self.second.metadata, [their_record]), their_record, own, label),
        )
        shares, theirs = (
            shares_of(explanation, one, metadata, read.value)
            for metadata, read, explanation, one in halves
        )
        theirs = {self.matched.named(element): share for element, share in theirs.items()}
        alike = _alike(first, label, features)
        row = Compared(
            number=number,
            name=name,
            first=_side(first, first, shares),
            second=_side(own.labels[0], label, theirs),
            flipped=False,
            answers=self.answers.take(mine.prediction, own.prediction),
            cosine=alike.cosine,
            rank=alike.rank,
            largest=alike.largest,
            moved=share_moved(shares, theirs),
        )
        self.instances.append(row)
        full = len(self.shown) == MOST_SHOWN
        if np.isfinite(row.moved) and not (full and row.moved <= self.shown[-1].moved):
            self.shown.append(pictured(number, row.moved, *halves, self.matched))
            self.shown.sort(key=lambda it: (-it.moved, it.number))
            del self.shown[MOST_SHOWN:]

    def result(self) -> Diff:
        """Return what was found."""
        parameters = self.first.parameters
        return Diff(
            instances=tuple(self._answered()),
            measured=self.answers is not None and self.answers.measured,
            failed=tuple(self.failed),
            notes=tuple(self._notes()),
            shown=tuple(self.shown),
            made=Made(
                program=__version__,
                tensorflow=self.first.compiler.tensorflow,
                first=str(self.first.directory),
                second=str(self.second.directory),
                fingerprints=(self.first.fingerprint, self.second.fingerprint),
                method=parameters.method.caption(None),
                settings=recorded(parameters),
                seed=self.first.explainer.seed,
            ),
        )

    def _answered(self) -> Iterator[Compared]:
        """Yield the instances, with what is known once all answers are."""
        if self.answers is None:
            return
        for it, flip, (one, other) in zip(
            self.instances, self.answers.flips, self.answers.sides, strict=True
        ):
            first = replace(it.first, label=f"{it.first.label}{one}")
            second = replace(it.second, label=f"{it.second.label}{other}")
            yield replace(it, flipped=flip, first=first, second=second)

    def _notes(self) -> Iterator[str]:
        yield from (f"{it}." for it in self.matched.said)
        if self.answers is not None and self.answers.classes.said:
            yield f"{self.answers.classes.said}."
        captions = [it.parameters.method.caption(None) for it in (self.first, self.second)]
        if recorded(self.first.parameters) != recorded(self.second.parameters):
            yield f"The models are explained in different ways: {captions[0]}, and {captions[1]}."
        if self.first.fingerprint and self.first.fingerprint == self.second.fingerprint:
            yield "Both directories hold the same model, to the bit."


def _names(model: LoadedModel, record: Read) -> Nested | Array | None:
    assert isinstance(record, Instance)
    return model.explainer.names(stack([record], model.inputs))


def _failed(number: int, name: str, *found: object) -> Failed:
    """Return that one model failed, or both, and why."""
    errors = {who: it for who, it in zip(("first", "second"), found, strict=True)
              if isinstance(it, InstanceError)}  # fmt: skip
    who = "both" if len(errors) == 2 else next(iter(errors))
    notice = replace(next(iter(errors.values())).notice, hint=None)
    if str(notice.where).startswith(name):  # it is said once, and exactly
        name, notice = str(notice.where), replace(notice, where=Where())
    return Failed(number=number, name=name, who=who, why=notice.sentence())


def _side(own: LabelAttribution, label: LabelAttribution, shares: Mapping[str, float]) -> Side:
    return Side(
        label=own.called, index=own.index, score=label.score, baseline_score=label.baseline_score,
        approx_error=label.approx_error, shares=shares,
    )  # fmt: skip


def _alike(
    first: LabelAttribution, second: LabelAttribution, features: Mapping[str, str]
) -> Agreement:
    """Return how far all attributions agree; NaN where they differ in shape."""
    named = {features.get(name, name): it for name, it in second.features.items()}
    ours = first.features
    if ours.keys() != named.keys() or any(ours[it].shape != named[it].shape for it in ours):
        nan = float("nan")
        return Agreement(cosine=nan, rank=nan, largest=nan)
    one, other = (
        np.concatenate([np.asarray(it[name], np.float64).ravel() for name in ours])
        for it in (ours, named)
    )
    return agreement(one, other)
