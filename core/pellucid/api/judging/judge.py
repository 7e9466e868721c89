"""A few instances judged: every candidate explains them, and every metric judges their maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pellucid.api.judging.again import AgainOf, configured, movable
from pellucid.api.judging.findings import Findings
from pellucid.api.judging.masks import Masks
from pellucid.api.judging.subjects import (
    Explaining,
    elements_of,
    subject_of_record,
    subject_picture,
    values_of,
)
from pellucid.errors import InstanceError, PellucidError, PredictorError, SpecError
from pellucid.evaluate import (
    Candidate,
    Found,
    Measure,
    Settings,
    Shown,
    Subject,
    Trial,
    controls_of,
    leading,
)
from pellucid.evaluate import Instance as Row
from pellucid.explain import Explanation
from pellucid.inputs import Instance
from pellucid.model import Array
from pellucid.notices import Message
from pellucid.predictor import remembering
from pellucid.runtime import recalling


@dataclass(kw_only=True)
class Judge:
    """Explains instances by all candidates and judges their maps.

    `found` is what was found of the instances that are judged now: nothing of them depends on what
    was judged before.
    """

    model: Explaining
    candidates: Sequence[Candidate]
    measures: Sequence[Measure]
    settings: Settings
    again: AgainOf
    masks: Masks
    found: Findings = field(default_factory=Findings)
    models: dict[str, Explaining] = field(default_factory=dict)

    @remembering()
    @recalling()
    def judge(self, some: Sequence[tuple[int, Instance]]) -> Findings:
        """Return what is found of a few instances, which are explained together."""
        self.found, self.models = Findings(), {}
        explained = {it.name: self._explained(it, some) for it in self.candidates}
        for place, (number, record) in enumerate(some):
            subject, index, baseline = subject_of_record(
                self.model, record, number=number, seed=self.settings.seed
            )
            self.found.baseline = self.found.baseline or baseline
            self.found.kind, self.found.several = subject.kind.value, len(subject.scores) > 1
            labels = {name: found[place] for name, found in explained.items() if found}
            there = {name: it for name, it in labels.items() if it is not None}
            trial = self._trial(subject, record, index, there)
            name = next((it.labels[0].name for it in there.values()), None)
            self.found.rows.append(
                Row(
                    number=number, name=record.place, output=index, label=name,
                    score=subject.full, baseline_score=subject.empty,
                )
            )  # fmt: skip
            self._measure(trial)
            self._show(trial, record)
        return self.found

    def _explained(
        self, candidate: Candidate, some: Sequence[tuple[int, Instance]]
    ) -> list[Explanation | None]:
        """Return what a candidate says of each instance, None where it failed; [] where it is out.

        What is wrong with one instance is counted as its failure; what is wrong with the candidate
        itself leaves it out.
        """
        if candidate.name in self.found.out:
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
            self.found.failed.setdefault(candidate.name, {})[some[0][0]] = _told(error)
            return [None]
        except PredictorError:  # which is everybody's, and not the candidate's
            raise
        except PellucidError as error:
            self.found.out[candidate.name] = _told(error)
            return []

    def _each(
        self, candidate: Candidate, some: Sequence[tuple[int, Instance]]
    ) -> list[Explanation | None]:
        each = [it for one in some for it in self._explained(candidate, [one])]
        return [] if candidate.name in self.found.out else each

    def _configured(self, candidate: Candidate, record: Instance) -> Explaining:
        if candidate.name in self.models:
            return self.models[candidate.name]
        warned = self.found.warned.setdefault(candidate.name, Counter())

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
                self.found.failed.setdefault(name, {})[subject.number] = why
                continue
            try:
                maps[name] = subject.elements(values_of(explanation, subject))
            except SpecError as error:
                self.found.out[name] = _told(error)
                continue
            if label.approx_error is not None:
                errors[name] = label.approx_error
        controls = controls_of(subject)
        maps |= controls
        request, ranges = movable(self.model, record, subject.picture)
        return Trial(
            subject=subject, maps=maps, controls=frozenset(controls), errors=errors,
            request=request, ranges=ranges, mask=self.masks.of(record, subject),
            again=self.again.of(subject, record, index),
        )  # fmt: skip

    def _measure(self, trial: Trial) -> None:
        number = trial.subject.number
        for measure in self.measures:
            reason = measure.refuses(trial)
            found = Found() if reason else measure.judge(trial, self.settings)
            for metric in measure.metrics:
                if reason:
                    self.found.missing[metric.name, "", reason] += 1
                    continue
                for name, value in found.values.get(metric.name, {}).items():
                    kept = self.found.values.setdefault(metric.name, {})
                    kept.setdefault(name, {})[number] = value
                for name, curve in found.curves.get(metric.name, {}).items():
                    curves = self.found.curves.setdefault(metric.name, {})
                    curves.setdefault(name, {})[number] = curve
            for (name, candidate), why in found.missing.items():
                self.found.missing[name, candidate, why] += 1

    def _show(self, trial: Trial, record: Instance) -> None:
        """Keep the maps of an instance if candidates disagree on it more than on others."""
        first = next(iter(leading(self.found.curves)), None)
        if first is None:
            return
        number = trial.subject.number
        found = self.found.values[first]
        names = [n for n in trial.maps if n not in trial.controls]
        numbers = [found[n][number] for n in names if number in found.get(n, {})]
        spread = float(np.ptp(numbers)) if numbers else 0.0
        if not self.found.shows(spread):
            return
        picture = trial.subject.picture
        shape = (-1,) if picture is None else picture.size
        maps = {n: it.reshape(shape).astype(np.float32) for n, it in trial.maps.items()}
        elements = [] if picture else elements_of(self.model, trial.subject, record)
        self.found.show(
            Shown(
                number=number, spread=spread, maps=maps, elements=elements,
                picture=subject_picture(self.model, trial.subject),
            )
        )  # fmt: skip


def _told(error: PellucidError) -> str:
    """Return what is wrong, without a hint: it would be one for a command that was not typed."""
    return replace(error.notice, hint=None).sentence()
