"""An instance explained again: moved a little, by another seed, or by a model of random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from pellucid.api.judging.subjects import Explaining, values_of
from pellucid.errors import PellucidError
from pellucid.evaluate import Candidate, Picture, Subject
from pellucid.inputs import Instance
from pellucid.metadata import (
    ExplainOptions,
    ExplanationMetadata,
    ExplanationParameters,
    call_settings,
    given_settings,
)
from pellucid.model import Array
from pellucid.notices import Message, Warn

FEWEST = 2
"""Fewer samples than a pair have no spread."""


def unheard(notice: Message) -> None:
    """Say nothing."""


def with_baselines(model: Explaining, metadata: ExplanationMetadata) -> Explaining:
    """Return the model with the baselines of metadata, and none of a call."""
    explainers = tuple(replace(it, baseline=None) for it in model.explainers)
    return replace(model, explainers=explainers).described(metadata)


def configured(
    model: Explaining,
    candidate: Candidate,
    warn: Warn,
    *,
    seed: int,
    index: tuple[int, ...] | None = None,
    share: float = 0.0,
    described: ExplanationMetadata | None = None,
) -> Explaining:
    """Return the model that explains as a candidate does: one output, by its `index` if given.

    A `share` of the weights are drawn anew, by the same seed. `described` are metadata whose
    baselines take the place of all others.
    """
    if described is not None:
        model = with_baselines(model, described)
    compiler = model.compiler.reinitialised(share, seed) if share else model.compiler
    outputs = model.explainer.parameters
    if index:
        outputs = replace(outputs, top_k=None, output_indices=(index,))
    parameters = replace(
        candidate.parameters or ExplanationParameters(),
        top_k=outputs.top_k,
        output_indices=outputs.output_indices,
        why_not=outputs.why_not,
    )
    options = ExplainOptions(settings=candidate.settings, parameters=parameters, seed=seed)
    return replace(model, warn=warn, compiler=compiler).configured(options)


@dataclass(frozen=True)
class AgainOf:
    """What explains instances again, by candidate; what cannot be made is not tried twice.

    `samples` is how many a repeat draws at most, 0 for no limit.
    """

    model: Explaining
    candidates: Mapping[str, Candidate]
    seed: int
    samples: int = 0
    _known: dict[tuple[str, float], str] = field(default_factory=dict)

    @cached_property
    def quiet(self) -> Explaining:
        """The model that says nothing: all has been said when it explained the first time."""
        return replace(self.model, pixels=self.model.pixels.heard_by(unheard, unheard))

    def repeated(self, name: str, elements: int) -> Candidate:
        """Return the candidate as it is repeated: itself, unless it draws too many samples."""
        candidate = self.candidates[name]
        method, effort = candidate.method, candidate.method.effort
        few = effort is None or not self.samples or method.cost(elements, 1) <= self.samples
        if effort is None or few or not method.sampled or method.tolerance is not None:
            return candidate

        def of(count: int) -> Candidate:
            given = {**given_settings(candidate.settings), effort.setting: count}
            return replace(candidate, settings=call_settings(given))

        each = of(FEWEST).method.cost(elements, 1) / FEWEST
        return of(max(FEWEST, int(self.samples / each)))

    def of(self, subject: Subject, record: Instance, index: tuple[int, ...]) -> AgainOne:
        """Return what explains one instance again."""
        return AgainOne(self, subject, record, index)

    def maps(
        self,
        name: str,
        records: Sequence[Instance],
        subject: Subject,
        index: tuple[int, ...],
        *,
        seed: int | None = None,
        share: float = 0.0,
    ) -> Array | str:
        """Return the maps of some instances of one output, [r, p], or why there are none."""
        if (name, share) in self._known:
            return self._known[name, share]
        candidate = self.repeated(name, subject.count)
        try:
            model = configured(
                self.quiet, candidate, unheard,
                seed=self.seed if seed is None else seed, index=index, share=share,
                described=candidate.described_for(records[0]),
            )  # fmt: skip
        except PellucidError as error:
            self._known[name, share] = replace(error.notice, hint=None).sentence()
            return self._known[name, share]
        try:
            found = model.explain(list(records))
            return np.stack([subject.elements(values_of(it, subject)) for it in found])
        except PellucidError as error:  # of this instance, it may be
            return replace(error.notice, hint=None).sentence()


@dataclass(frozen=True)
class AgainOne:
    """One instance, to be explained again."""

    repeats: AgainOf
    subject: Subject
    record: Instance
    index: tuple[int, ...]
    _plain: dict[str, Array | str] = field(default_factory=dict)

    def plain(self, candidate: str) -> Array | str | None:
        """Return the map that repeats are compared with, [p]; None for the one that is judged."""
        whole = self.repeats.candidates[candidate]
        if self.repeats.repeated(candidate, self.subject.count) is whole:
            return None
        if candidate not in self._plain:
            self._plain[candidate] = self._one(
                self.repeats.maps(candidate, [self.record], self.subject, self.index)
            )
        return self._plain[candidate]

    def changed(self, candidate: str, inputs: Mapping[str, Array]) -> Array | str:
        """Return the maps of changed inputs [r, …] for the same output, [r, p]."""
        count = len(next(iter(inputs.values())))
        records = [
            replace(
                self.record,
                tensors={**self.record.tensors, **{name: it[i] for name, it in inputs.items()}},
            )
            for i in range(count)
        ]
        return self.repeats.maps(candidate, records, self.subject, self.index)

    def seeded(self, candidate: str, seed: int) -> Array | str | None:
        """Return the map with another random seed, [p]; None where the method draws nothing."""
        method = self.repeats.candidates[candidate].method
        if not getattr(method, "sampled", False) and getattr(method, "smooth_grad", None) is None:
            return None
        return self._one(self.repeats.maps(
            candidate, [self.record], self.subject, self.index, seed=seed
        ))  # fmt: skip

    def reinitialised(self, candidate: str, share: float) -> Array | str:
        """Return the map after a share of the weights was drawn anew, from the output down, [p]."""
        return self._one(self.repeats.maps(
            candidate, [self.record], self.subject, self.index, share=share
        ))  # fmt: skip

    @staticmethod
    def _one(found: Array | str) -> Array | str:
        return found if isinstance(found, str) else np.asarray(found[0])


def movable(
    model: Explaining, record: Instance, picture: Picture | None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the inputs that may be moved a little, and the range of each: its domain's, if known.

    Without one, a number ranges as far as it is from zero.
    """
    infos = {it.name: it for it in model.inputs}
    request, ranges = {}, {}
    for spec in model.explainer.metadata.inputs:
        key = model.explainer.input_keys.get(spec.name, "")
        if key not in infos or not infos[key].is_float or key not in record.tensors:
            continue
        value = record.tensors[key]
        domain = spec.domain or infos[key].domain
        request[key] = value
        if picture is not None:
            ranges[key] = np.asarray(picture.high - picture.low)
        elif domain is not None and domain.minimum is not None and domain.maximum is not None:
            ranges[key] = np.asarray(domain.maximum - domain.minimum)
        else:
            ranges[key] = np.abs(np.nan_to_num(value))
    return request, ranges
