"""How good explanations are: every candidate explains every instance, and every metric judges it.

Instances are taken a few at a time: their maps are computed once, shared by all metrics and
forgotten, so that memory does not grow with their number; what stays is a number for each metric
and candidate, and the curves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import __version__
from pellucid.api.judging.again import Repeats, configured, movable
from pellucid.api.judging.masks import Masks
from pellucid.api.judging.subjects import (
    Explaining,
    elements_of,
    one_output,
    shown_picture,
    subject_of_record,
    values_of,
)
from pellucid.errors import InstanceError, PellucidError, PredictorError, SpecError
from pellucid.evaluate import (
    Candidate,
    Evaluation,
    Found,
    Judged,
    LeftOut,
    Measure,
    Provenance,
    Settings,
    Shown,
    Subject,
    Trial,
    candidates_of,
    chosen_measures,
    control,
    controls_of,
    leading,
)
from pellucid.evaluate import Instance as Row
from pellucid.explain import Explanation
from pellucid.inputs import Instance
from pellucid.metadata import ExplanationParameters, Modality, recorded
from pellucid.model import Array
from pellucid.notices import Message
from pellucid.predictor import remembering

TOGETHER = 2**20
"""So many elements of instances are explained together, and at most 64 instances."""
MOST_SHOWN = 12
"""So many instances are kept with their maps: those that candidates disagree on most."""


def evaluate(
    model: Explaining,
    records: Iterable[Instance],
    candidates: str | Iterable[str | Candidate] = (),
    metrics: str | Iterable[str] = (),
    *,
    stages: int = 50,
    seed: int = 0,
    masks: str | Path | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Return how good candidates are on some instances, beside maps that know nothing of a model.

    `candidates` are named as `pellucid.evaluate.candidates` says, by default every method that can
    explain such instances; `metrics` are names, by default deletion and insertion, or ``all``; both
    may be one text with commas. `stages` is the number of shares of a curve; `seed` names the
    random numbers, so that a report can be made again to the bit; `masks` is a folder of masks,
    named as the pictures are; `on_done` is called after each instance. Raises SpecError, and
    InstanceError for an instance that the model has no answer to.
    """
    if stages < 1:
        raise SpecError(f"there cannot be {stages} stages of a curve", hint="choose 1 or more")
    model = one_output(model)
    modalities = {it.modality for it in model.metadata.inputs}
    if any(it.is_string for it in model.inputs):
        modalities.add(Modality.TEXT)  # or names of categories, which is found out
    named = candidates_of(_names(candidates), modalities, model.warn)
    run = _Run(
        model=model,
        candidates=named,
        measures=chosen_measures(_names(metrics), masks=masks is not None),
        settings=Settings(stages=stages, seed=seed),
        repeats=Repeats(model, {it.name: it for it in named}, seed),
        masks=Masks.of_folder(masks),
    )
    for some in _groups(records):
        run.judge(some, on_done)
    if not run.rows:
        raise InstanceError("there are no instances to judge explanations by")
    return run.result()


def _names(written: Any) -> list[Any]:
    """Return names that are written with commas, or one by one."""
    items = [written] if isinstance(written, str | Candidate) else list(written)
    found: list[Any] = []
    for it in items:
        found += [p.strip() for p in it.split(",") if p.strip()] if isinstance(it, str) else [it]
    return found


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


@dataclass(kw_only=True)
class _Run:
    """A run over the instances: what was found so far."""

    model: Explaining
    candidates: Sequence[Candidate]
    measures: Sequence[Measure]
    settings: Settings
    repeats: Repeats
    masks: Masks
    rows: list[Row] = field(default_factory=list)
    values: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)
    curves: dict[str, dict[str, dict[int, Array]]] = field(default_factory=dict)
    missing: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    shown: list[Shown] = field(default_factory=list)
    failed: dict[str, dict[int, str]] = field(default_factory=dict)
    out: dict[str, str] = field(default_factory=dict)
    warned: dict[str, Counter[str]] = field(default_factory=dict)
    models: dict[str, Explaining] = field(default_factory=dict)
    several: bool = False
    baseline: str = ""
    kind: str = ""

    @remembering()
    def judge(self, some: Sequence[tuple[int, Instance]], on_done: Callable[[], None]) -> None:
        """Explain a few instances by all candidates, and judge their maps one by one."""
        explained = {it.name: self._explained(it, some) for it in self.candidates}
        for place, (number, record) in enumerate(some):
            subject, index, baseline = subject_of_record(
                self.model, record, number=number, seed=self.settings.seed
            )
            self.baseline, self.kind = self.baseline or baseline, subject.kind.value
            self.several = len(subject.scores) > 1
            labels = {name: found[place] for name, found in explained.items() if found}
            there = {name: it for name, it in labels.items() if it is not None}
            trial = self._trial(subject, record, index, there)
            name = next((it.labels[0].name for it in there.values()), None)
            self.rows.append(
                Row(
                    number=number, name=record.place, output=index, label=name,
                    score=subject.full, baseline_score=subject.empty,
                )
            )  # fmt: skip
            self._measure(trial)
            self._show(trial, record)
            on_done()

    def _explained(
        self, candidate: Candidate, some: Sequence[tuple[int, Instance]]
    ) -> list[Explanation | None]:
        """Return what a candidate says of each instance, None where it failed; [] where it is out.

        What is wrong with one instance is counted as its failure; what is wrong with the candidate
        itself leaves it out.
        """
        if candidate.name in self.out:
            return []
        try:
            if callable(candidate.described) and len(some) > 1:
                return self._each(candidate, some)
            model = self._configured(candidate, some[0][1])
            try:
                found = model.explain([record for _, record in some])
                return list(found)
            except InstanceError:
                if len(some) > 1:  # which one is found out one by one
                    return self._each(candidate, some)
                raise
        except InstanceError as error:
            self.failed.setdefault(candidate.name, {})[some[0][0]] = _told(error)
            return [None]
        except PredictorError:  # which is everybody's, and not the candidate's
            raise
        except PellucidError as error:
            self.out[candidate.name] = _told(error)
            return []

    def _each(
        self, candidate: Candidate, some: Sequence[tuple[int, Instance]]
    ) -> list[Explanation | None]:
        each = [it for one in some for it in self._explained(candidate, [one])]
        return [] if candidate.name in self.out else each

    def _configured(self, candidate: Candidate, record: Instance) -> Explaining:
        if candidate.name in self.models:
            return self.models[candidate.name]
        warned = self.warned.setdefault(candidate.name, Counter())

        def warn(said: Message) -> None:
            notice = getattr(said, "what", None)
            warned[said.sentence() if notice is None else str(notice)] += 1

        own = candidate.described_for(record)
        made = configured(self.model, candidate, warn, seed=self.settings.seed, described=own)
        if not callable(candidate.described):
            self.models[candidate.name] = made
        return made

    def _trial(
        self,
        subject: Subject,
        record: Instance,
        index: tuple[int, ...],
        explained: Mapping[str, Explanation],
    ) -> Trial:
        """Return the maps of an instance; who explains another output has failed."""
        maps: dict[str, Array] = {}
        errors: dict[str, float] = {}
        for name, explanation in explained.items():
            label = explanation.labels[0]
            if label.index != index:
                why = "explains another output than the model's highest"
                self.failed.setdefault(name, {})[subject.number] = why
                continue
            try:
                maps[name] = subject.elements(values_of(explanation, subject))
            except SpecError as error:
                self.out[name] = _told(error)
                continue
            if label.approx_error is not None:
                errors[name] = label.approx_error
        controls = controls_of(subject)
        maps |= controls
        request, ranges = movable(self.model, record, subject.picture)
        return Trial(
            subject=subject, maps=maps, controls=frozenset(controls), errors=errors,
            request=request, ranges=ranges, mask=self.masks.of(record, subject),
            again=self.repeats.of(subject, record, index),
        )  # fmt: skip

    def _measure(self, trial: Trial) -> None:
        number = trial.subject.number
        for measure in self.measures:
            reason = measure.refuses(trial)
            found = Found() if reason else measure.judge(trial, self.settings)
            for metric in measure.metrics:
                if reason:
                    self.missing[metric.name, "", reason] += 1
                    continue
                for name, value in found.values.get(metric.name, {}).items():
                    kept = self.values.setdefault(metric.name, {})
                    kept.setdefault(name, {})[number] = value
                for name, curve in found.curves.get(metric.name, {}).items():
                    curves = self.curves.setdefault(metric.name, {})
                    curves.setdefault(name, {})[number] = curve
            for (name, candidate), why in found.missing.items():
                self.missing[name, candidate, why] += 1

    def _show(self, trial: Trial, record: Instance) -> None:
        """Keep the maps of an instance if candidates disagree on it more than on others."""
        first = next(iter(leading(self.curves)), None)
        if first is None:
            return
        number = trial.subject.number
        found = self.values[first]
        names = [n for n in trial.maps if n not in trial.controls]
        numbers = [found[n][number] for n in names if number in found.get(n, {})]
        spread = float(np.ptp(numbers)) if numbers else 0.0
        if len(self.shown) == MOST_SHOWN and spread <= self.shown[-1].spread:
            return
        picture = trial.subject.picture
        shape = (-1,) if picture is None else picture.size
        maps = {n: it.reshape(shape).astype(np.float32) for n, it in trial.maps.items()}
        elements = [] if picture else elements_of(self.model, trial.subject, record)
        self.shown.append(
            Shown(
                number=number, spread=spread, maps=maps, elements=elements,
                picture=shown_picture(self.model, trial.subject),
            )
        )  # fmt: skip
        self.shown = sorted(self.shown, key=lambda it: (-it.spread, it.number))[:MOST_SHOWN]

    def result(self) -> Evaluation:
        """Return what was found. Raises SpecError where no candidate could explain anything."""
        there = [it for it in self.candidates if it.name not in self.out]
        if not there:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.out.items())
            raise SpecError(f"no candidate can explain these instances: {reasons}")
        left = [
            LeftOut(metric="", candidate=name, count=len(self.rows), reason=why)
            for name, why in self.out.items()
        ]
        left += [
            LeftOut(metric=metric, candidate=name, count=count, reason=why)
            for (metric, name, why), count in self.missing.items()
        ]
        controls = [it for it in self._names_found() if it not in {c.name for c in self.candidates}]
        metrics = [metric for measure in self.measures for metric in measure.metrics]
        return Evaluation(
            kind=self.kind,
            candidates=(*self._judged(there), *map(control, controls)),
            metrics=tuple(metrics),
            instances=tuple(self.rows),
            values={it.name: self._arrays(self.values.get(it.name, {})) for it in metrics},
            curves={metric: self._arrays(found) for metric, found in self.curves.items()},
            left_out=tuple(left),
            shown=tuple(self.shown),
            notes=tuple(self._notes(there)),
            provenance=self._provenance(),
        )

    def _arrays(self, found: Mapping[str, Mapping[int, Any]]) -> dict[str, Array]:
        """Return what was found of candidates as arrays [n, …], NaN where there is nothing."""
        made = {}
        for name, values in found.items():
            if name not in self.out:
                shape = np.shape(next(iter(values.values())))
                made[name] = np.full((len(self.rows), *shape), np.nan)
                for number, value in values.items():
                    made[name][number] = value
        return made

    def _names_found(self) -> list[str]:
        return list(dict.fromkeys(name for found in self.values.values() for name in found))

    def _judged(self, there: Sequence[Candidate]) -> Iterator[Judged]:
        short = {it.name: it.method.caption().split(",")[0] for it in there}
        for it in there:
            own = short[it.name]
            if [*short.values()].count(own) > 1:
                own = f"{own} ({it.name})"
            yield Judged(
                name=it.name,
                said=own,
                caption=it.method.caption(),
                settings=recorded(ExplanationParameters(method=it.method)),
                failed=self.failed.get(it.name, {}),
                warnings=[f"{said} ({n} ×)" for said, n in self.warned[it.name].items()],
            )

    def _notes(self, there: Sequence[Candidate]) -> Iterator[str]:
        labels = {(row.output, row.label) for row in self.rows}
        if len(labels) == 1 and len(self.rows) > 1 and self.several:
            ((index, name),) = labels
            label = f"'{name}'" if name else str(list(index))
            yield (
                f"All {len(self.rows)} instances have the label {label}: what is found of them "
                "need not hold for others."
            )
        for it in there:
            failed = self.failed.get(it.name, {})
            if failed:
                first = min(failed)
                yield (
                    f"{it.name} failed on {len(failed)} of {len(self.rows)} instances, which are "
                    f"left out of its pairs; the first is {self.rows[first].name}: {failed[first]}"
                )

    def _provenance(self) -> Provenance:
        output, asked = self.model.explainer.metadata.output.name, self.model.compiler.predictor
        return Provenance(
            program=__version__,
            tensorflow=self.model.compiler.tensorflow,
            model=str(self.model.directory) if asked is None else asked.name,
            fingerprint=self.model.fingerprint,
            output=output,
            why_not=self.model.explainer.parameters.rather_than,
            baseline=self.baseline,
            seed=self.settings.seed,
            stages=self.settings.stages,
        )


def _told(error: PellucidError) -> str:
    """Return what is wrong, without a hint: it would be one for a command that was not typed."""
    return replace(error.notice, hint=None).sentence()
