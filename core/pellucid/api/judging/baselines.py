"""Which baseline? Those that people use, judged side by side on somebody's own instances.

A metric that puts a baseline in the place of what is taken away favours maps that were made from
the same one. So pictures are judged by ROAD, which fills holes from what is around them, and what
is no picture by deletion and insertion towards rows of the data, drawn at random, and averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from pellucid.api.judging.advice import PRINTED, BaselineAdvice
from pellucid.api.judging.again import with_baselines
from pellucid.api.judging.evaluation import evaluate
from pellucid.api.judging.subjects import Explaining, one_output, picture_of
from pellucid.errors import SpecError
from pellucid.evaluate import Candidate, Evaluation, candidate_of
from pellucid.explain import choose_baseline
from pellucid.inputs import Instance, stack
from pellucid.metadata import ExplanationMetadata, Modality
from pellucid.model import Array

NEAREST = 5
"""From so many examples an instance is explained; the attributions are averaged."""
EXAMPLES = 1000
"""So many examples are searched, the first ones."""
DRAWN = 5
"""Towards so many rows explanations of what is no picture are judged."""
TOGETHER = 64

NO_JUDGES = {
    "completeness": "attributions add up from whichever baseline, or nearly, and that says nothing "
    "of where they are",
    "seed": "it says whether enough was sampled",
    "max_sensitivity": "what stands still need not be right",
    "randomization": "no end of it is the better one",
    "randomization_ssim": "no end of it is the better one",
}
"""Metrics of methods that say nothing of a baseline, and why."""

AS_IT_IS, NEAR = "as it is", "nearest"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """A baseline to try: what a call is asked for, or what metadata say of an instance's."""

    name: str
    written: Any = None
    described: ExplanationMetadata | Callable[[Instance], ExplanationMetadata] | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)
    line: Mapping[str, Any] | None = None


def suggest_baseline(
    model: Explaining,
    records: Sequence[Instance],
    *,
    method: str = "ig",
    examples: Iterable[Instance] | None = None,
    metrics: str | Sequence[str] = (),
    stages: int = 20,
    seed: int = 0,
    on_done: Callable[[], None] = lambda: None,
) -> BaselineAdvice:
    """Return which baseline explains the instances best by `method`, beside those people use.

    They are 0, black and white, and both; the mean of the `examples`, or else of the instances; a
    blurred picture; noise; and the `NEAREST` examples of another label, from each of which the
    instance is explained. `metrics` are by default ``road`` for pictures, else ``insertion`` and
    ``deletion``; the first decides. `on_done` is called after each instance that is judged. Raises
    SpecError where nothing has a baseline of numbers, and InstanceError.
    """
    names = metrics.split(",") if isinstance(metrics, str) else metrics
    for name in (it.strip() for it in names):
        if name in NO_JUDGES:
            raise SpecError(
                f"'{name}' is no judge of baselines: {NO_JUDGES[name]}",
                hint="choose road for pictures, or insertion and deletion",
            )
    model = one_output(model)
    made = _Made(model, records, list(islice(examples or (), EXAMPLES)), seed)
    picture = made.picture
    by = metrics or (("road",) if picture else ("insertion", "deletion"))
    candidates = [_candidate(method, it, picture=picture) for it in made.references]

    def judged(towards: Explaining) -> Evaluation:
        return evaluate(towards, records, candidates, by, stages=stages, seed=seed, on_done=on_done)

    if picture:
        found = judged(model)
    else:
        found = _averaged([judged(it) for it in made.rows()])
    return _advice(found, made)


def _candidate(method: str, reference: _Reference, *, picture: bool) -> Candidate:
    plain = candidate_of(method, {Modality.IMAGE} if picture else ())
    settings = plain.settings
    if reference.written is not None:
        settings = replace(settings, baseline=reference.written)
    return replace(plain, name=reference.name, settings=settings, described=reference.described)


def _averaged(found: Sequence[Evaluation]) -> Evaluation:
    """Return one evaluation of several, each towards another row: the means of the numbers.

    Normalised numbers are left out: towards a row that the model takes for the instance, they are
    divided by nearly nothing.
    """
    metrics = tuple(it for it in found[0].metrics if not it.name.endswith("_normalised"))
    values = {
        metric.name: {
            name: np.mean([it.values[metric.name][name] for it in found], axis=0)
            for name in found[0].values.get(metric.name, {})
        }
        for metric in metrics
    }
    return replace(found[0], metrics=metrics, values=values, curves={}, shown=())


def _advice(found: Evaluation, made: _Made) -> BaselineAdvice:
    metric = next(it.name for it in found.metrics if it.better is not None)
    before, ranked = made.before, found.ranking(metric)
    if not ranked:
        reasons = [*found.notes, *(it.reason for it in found.left_out if it.metric == metric)]
        why = "; ".join(dict.fromkeys(reasons)) or "it has no number for these inputs"
        raise SpecError(f"no baseline could be judged by {metric}: {why}")
    leader = ranked[0]
    ahead = found.ahead(metric, leader, before)
    sure = ahead.sure and ahead.low is not None and ahead.low > 0
    return BaselineAdvice(
        evaluation=found,
        before=before,
        leader=leader,
        best=leader if sure and leader != before else None,
        metric=metric,
        ahead=ahead,
        arrays={it.name: it.arrays for it in made.references if it.arrays},
        lines={it.name: it.line for it in made.references if it.line is not None},
        notes=made.notes,
    )


@dataclass
class _Made:
    """The baselines that there are for some instances, with the numbers that they are made of."""

    model: Explaining
    records: Sequence[Instance]
    examples: Sequence[Instance]
    seed: int
    notes: list[str] = field(default_factory=list)

    @property
    def metadata(self) -> ExplanationMetadata:
        return self.model.explainer.metadata

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The inputs of the signature that have numbers which may move, by feature."""
        explainer = self.model.explainer
        keys = {it.name: explainer.input_keys.get(it.name, "") for it in self.metadata.inputs}
        infos = {it.name: it for it in self.model.inputs}
        found = {
            name: key
            for name, key in keys.items()
            if key in infos and (infos[key].is_float or self.picture)
        }
        others = [f"'{name}'" for name in keys if name not in found]
        if found and others:
            it = "it has its" if len(others) == 1 else "they have their"
            self.notes.append(
                f"Baselines are those of {', '.join(map(repr, found))}: {', '.join(others)} "
                f"{'holds' if len(others) == 1 else 'hold'} no floating point numbers, and "
                f"{it} own in each of them."
            )
        if not found:
            raise SpecError(
                "no explained input is a picture or holds floating point numbers, of which "
                "baselines could be made"
            )
        return found

    @cached_property
    def picture(self) -> bool:
        """Whether the one explained input is a picture."""
        x = self._asked.encode(self._stacked(self.records[:1]))
        specs = [it for it in self.metadata.inputs if it.name in x]
        return picture_of(self.model, specs, x) is not None

    @cached_property
    def before(self) -> str:
        """What the baseline is called that the model has without advice."""
        return AS_IT_IS if self._written else "zero"

    @cached_property
    def references(self) -> list[_Reference]:
        """The baselines, what the model has first."""
        return list(self._references())

    def _references(self) -> Iterator[_Reference]:
        names = list(self.inputs)
        if self._written:
            yield _Reference(name=AS_IT_IS, described=self.metadata)
        yield _Reference(name="zero", written="zero", line=self._line(0))
        if self.picture:
            spec = next(it for it in self.metadata.inputs if it.name == names[0])
            low, high = spec.domain.range if spec.domain else (0.0, 1.0)
            if low != 0:
                yield self._values("black", {names[0]: np.asarray(low)}, self._line(low))
            yield self._values("white", {names[0]: np.asarray(high)}, self._line(high))
            ends = [{names[0]: np.asarray(low)}, {names[0]: np.asarray(high)}]
            yield _Reference(
                name="black and white",
                described=self._several(ends),
                line={names[0]: {"input_baselines": [low, high]}},
            )
            yield _Reference(name="blur", written="blur")
        mean = self._mean
        if mean is not None:
            lines = {n: {"input_baselines": [_printed(it)]} for n, it in mean.items()}
            yield self._values("mean", mean, lines)
        noise = {n: {"input_baselines": [{"random": {"seed": self.seed}}]} for n in names}
        if self.picture or self._has_ranges:
            yield _Reference(name="noise", written="noise", line=noise)
        else:
            self.notes.append("Noise is left out: no domain tells how far the numbers range.")
        if self.examples:
            yield _Reference(name=NEAR, described=self._near)
        else:
            self.notes.append("The nearest examples are left out: no training examples are given.")

    def rows(self) -> Iterator[Explaining]:
        """Yield the model whose elements, when they are taken away, become those of a row drawn."""
        records = self.examples or self.records
        random = np.random.default_rng([self.seed, len(records)])
        drawn = random.permutation(len(records))[:DRAWN]
        what = "examples" if self.examples else "instances"
        self.notes.append(
            f"What is taken away becomes what {len(drawn)} of the {what} have, drawn with seed "
            f"{self.seed}; numbers are means over them."
        )
        for place in np.sort(drawn).tolist():
            block = self._stacked([records[place]])
            values = {name: block[key][0] for name, key in self.inputs.items()}
            yield with_baselines(self.model, choose_baseline(values, self.metadata)[1])

    @cached_property
    def _written(self) -> bool:
        return any(it.input_baselines or it.encoded_baselines for it in self.metadata.inputs)

    @property
    def _has_ranges(self) -> bool:
        return all(it.domain is not None for it in self.metadata.inputs if it.name in self.inputs)

    @cached_property
    def _asked(self) -> Any:
        output = self.metadata.output
        return self.model.compiler.of(output).model(gradients=False)

    def _stacked(self, records: Sequence[Instance]) -> dict[str, Array]:
        found: dict[str, Array] = self._asked.preprocess(stack(records, self.model.inputs))
        return found

    def _blocks(self, records: Sequence[Instance]) -> Iterator[dict[str, Array]]:
        for start in range(0, len(records), TOGETHER):
            yield self._stacked(records[start : start + TOGETHER])

    @cached_property
    def _mean(self) -> dict[str, Array] | None:
        """The mean of the examples, or else of the instances, by feature, None where none is."""
        records = self.examples or self.records
        what = "examples" if self.examples else "instances"
        if len(records) < 2:
            self.notes.append(f"The mean is left out: there are fewer than two {what}.")
            return None
        totals: dict[str, Any] = {}
        try:
            for block in self._blocks(records):
                for name, key in self.inputs.items():
                    total = np.nansum(block[key], axis=0, dtype=np.float64)
                    totals[name] = totals[name] + total if name in totals else total
        except ValueError:
            self.notes.append(f"The mean is left out: the {what} differ in size.")
            return None
        self.notes.append(f"The mean is that of the {len(records)} {what}.")
        return {name: np.asarray(it / len(records)) for name, it in totals.items()}

    def _values(
        self, name: str, values: Mapping[str, Array], line: Mapping[str, Any] | None
    ) -> _Reference:
        return _Reference(name=name, written=dict(values), arrays=values, line=line)

    def _line(self, value: float) -> dict[str, Any]:
        return {name: {"input_baselines": [value]} for name in self.inputs}

    def _several(self, values: Sequence[Mapping[str, Array]]) -> ExplanationMetadata:
        """Return metadata with several baselines, which are averaged."""
        each = [choose_baseline(dict(it), self.metadata)[1] for it in values]
        inputs = (
            replace(one[0], input_baselines=tuple(b for it in one for b in it.input_baselines))
            for one in zip(*(it.inputs for it in each), strict=True)
        )
        return replace(self.metadata, inputs=tuple(inputs))

    def _near(self, record: Instance) -> ExplanationMetadata:
        """Return metadata whose baselines are the nearest examples of another label."""
        tensors, labels = self._searched
        block = self._stacked([record])
        label = int(self._labels(block)[0])
        distance = np.zeros(len(labels))
        for name, key in self.inputs.items():
            scale = np.where(self._spread[name] > 0, self._spread[name], 1.0)
            gap = (tensors[name] - block[key]) / scale
            distance += np.square(gap.reshape(len(labels), -1)).sum(axis=1)
        unlike = labels != label
        if unlike.any():
            distance[~unlike] = np.inf
        places = np.argsort(distance, kind="stable")
        places = places[np.isfinite(distance[places])][:NEAREST]
        return self._several([{n: it[k] for n, it in tensors.items()} for k in places])

    @cached_property
    def _searched(self) -> tuple[dict[str, Array], Array]:
        """The examples, [m, …] by feature, and what the model says of each, [m]."""
        blocks = list(self._blocks(self.examples))
        labels = np.concatenate([self._labels(it) for it in blocks])
        tensors = {
            name: np.concatenate([np.asarray(it[key]) for it in blocks])
            for name, key in self.inputs.items()
        }
        kinds = "of another label" if len(set(labels.tolist())) > 1 else "of whatever label"
        self.notes.append(
            f"'{NEAR}' explains from the {NEAREST} nearest of {len(labels)} examples {kinds}, by "
            "the distance in standard deviations, and takes the mean; metadata cannot say so."
        )
        return tensors, labels

    @cached_property
    def _spread(self) -> dict[str, Array]:
        """The standard deviations, […], by feature; pictures have one for all pixels."""
        tensors, _ = self._searched
        if self.picture:
            return {name: np.asarray(np.std(it)) for name, it in tensors.items()}
        return {name: np.std(it, axis=0) for name, it in tensors.items()}

    def _labels(self, block: Mapping[str, Array]) -> Array:
        prediction = np.asarray(self._asked.predict(self._asked.encode(block)))
        found: Array = prediction.reshape(len(prediction), -1).argmax(axis=1)
        return found


def _printed(value: Array) -> Any:
    """Return a baseline as metadata have it, or the file that it is to be written to."""
    numbers = [float(f"{it:.6g}") for it in value.ravel()[: PRINTED + 1]]
    if len(numbers) <= PRINTED:
        return numbers if len(numbers) > 1 else numbers[0]
    return {"file": "baseline.npy"}
