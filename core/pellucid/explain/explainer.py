"""From instances to explanations: everything between a model and a response.

An `Explainer` is planned once, from a specification and a model, and called many times. It picks
the outputs, makes the baselines, asks the method, and says what each feature contributed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from pellucid.errors import InstanceError, NotDifferentiableError, SpecError
from pellucid.examples import ExampleSearch, Neighbor
from pellucid.explain.baselines import BaselineMaker
from pellucid.explain.chosen_baseline import SETTING, BaselineKind, ChosenBaseline
from pellucid.explain.dispatch import attribute, check_finite, check_moving
from pellucid.explain.features import (
    Companions,
    Sparse,
    feature_attributions,
    is_image,
)
from pellucid.explain.jumps import another_baseline, jumps
from pellucid.explain.quality import warnings_of
from pellucid.explain.results import Explanation, LabelAttribution
from pellucid.explain.targets import name_at, targets_of
from pellucid.metadata import (
    Examples,
    ExplanationMetadata,
    ExplanationParameters,
    Nested,
)
from pellucid.model import Array, Attribution, Model, Tensors
from pellucid.notices import Hint, Notice, Where


class ServedModel(Model, Protocol):
    """A `Model` that also takes requests: from a request's arrays to what it explains."""

    def preprocess(self, request: Tensors) -> Tensors:
        """Return the inputs of the signature for those of the request."""
        ...

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands, explained and held, for the inputs of the signature."""
        ...

    def predict(self, x: Tensors) -> Array:
        """Return the output in its own shape, [n, …]."""
        ...

    def display_names(self, request: Tensors) -> Array | None:
        """Return the names of the outputs, [n, …], from the model itself, if it has them."""
        ...

    @property
    def backend(self) -> str:
        """The name of the way the model is run."""
        ...

    def way_out(self) -> Hint | None:
        """Return what to do where no gradient reaches what is explained."""
        ...

    @property
    def random_ops(self) -> tuple[str, ...]:
        """The ops that make the model answer differently each time."""
        ...

    @property
    def mixes_rows(self) -> bool:
        """Whether an answer depends on the rows beside it, so that each row is asked alone."""
        ...


MIXED_ROWS = Notice(
    "the model's answer to one row depends on the rows beside it, as with batch statistics or a "
    "condition on the whole batch: each row was asked alone"
)
# The instance itself has been taken by then.
CHANGED = "the method puts a baseline in the place of parts of it, or goes from one to the other"


def _placed(error: InstanceError, numbers: Sequence[int], why: str = "") -> InstanceError:
    """Return an error with the place of its instance, if it is known and not said already."""
    row = 0 if len(set(numbers)) == 1 else error.row
    if row is None or error.where.instance is not None:
        return error
    return (error.under(why) if why else error).at(instance=numbers[row])


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """A model and what is to be explained of it.

    `input_keys` says which key of the signature's inputs each feature is, where it is one, and
    `companions` which others belong to it;
    `explicit` is false for metadata that were inferred: a feature without a gradient is then held
    instead of refused. `seed` names the random numbers; `examples` finds neighbours; `baseline` is
    what a call chose instead of the metadata's, `mean` that of the call, where it is asked for.
    """

    model: ServedModel
    metadata: ExplanationMetadata
    parameters: ExplanationParameters = field(default_factory=ExplanationParameters)
    input_keys: Mapping[str, str] = field(default_factory=dict)
    companions: Mapping[str, Companions] = field(default_factory=dict)
    explicit: bool = True
    seed: int = 0
    examples: ExampleSearch | None = None
    baseline: ChosenBaseline | None = None
    mean: Tensors = field(default_factory=dict)

    def explain(self, request: Tensors, numbers: Sequence[int] | None = None) -> list[Explanation]:
        """Return one explanation for each row of a request's arrays, [n, …].

        `numbers` are the instances' places in the whole run: they name the noise that each one
        draws, and the instance in a message. Raises InstanceError, NotDifferentiableError.
        """
        n = len(next(iter(request.values())))
        numbers = list(range(n)) if numbers is None else list(numbers)
        try:
            inputs = self.model.preprocess(request)
            x = self.model.encode(inputs)
            prediction = self.model.predict(x)
            near = self._neighbors(request)
        except InstanceError as error:
            raise _placed(error, numbers) from error
        scores = np.asarray(prediction, np.float64).reshape(n, -1)
        self._check(scores, numbers)
        method = self.parameters.method
        if isinstance(method, Examples):
            return [
                Explanation(
                    prediction=prediction[i],
                    labels=(),
                    inputs={s.name: x[s.name][i] for s in self.metadata.inputs if s.name in x},
                    warnings=self._of_the_model(x, scores),
                    neighbors=near[i],
                )
                for i in range(n)
            ]
        chosen = targets_of(prediction, self.parameters)
        row = np.repeat(np.arange(n), [len(c) for c in chosen])
        if self._gradients:
            self._refuse_held()
        rows = [numbers[i] for i in row]
        target = np.concatenate(chosen).astype(np.int64)
        try:
            starts, from_what = self._baselines(x, inputs)
            ends = {name: value[row] for name, value in x.items()}
            starts = [{k: v[row] if len(v) == n else v for k, v in b.items()} for b in starts]
            attribution = attribute(
                self.model,
                ends,
                starts,
                target,
                self.metadata,
                method,
                score=scores[row, target],
                seed=self.seed,
                numbers=rows,
            )
        except InstanceError as error:
            raise _placed(error, rows, CHANGED) from error
        check_finite(attribution, rows)
        if self._gradients:
            check_moving(attribution)
        names = self._names(request)
        axes: dict[str, int | None] = {
            name: inputs[key].ndim - 1 for name, key in self.input_keys.items() if key in inputs
        }
        explained = [s.name for s in self.metadata.inputs if s.name in x]
        of_the_model = self._of_the_model(x, scores)
        held = self._held()
        elsewhere = self._elsewhere(ends, starts, attribution, n)
        result = []
        for i in range(n):
            labels = tuple(
                self._label(attribution, int(j), prediction, names, axes, self._sparse(inputs, i))
                for j in np.flatnonzero(row == i)
            )
            warnings = (
                *of_the_model,
                *warnings_of(
                    labels,
                    self.parameters.method,
                    held,
                    [elsewhere[j] for j in np.flatnonzero(row == i)],
                ),
            )
            result.append(
                Explanation(
                    prediction=prediction[i],
                    labels=labels,
                    inputs={name: x[name][i] for name in explained},
                    given={
                        name: inputs[key][i]
                        for name, key in self.input_keys.items()
                        if key in inputs and len(inputs[key]) == n
                    },
                    warnings=warnings,
                    baseline=from_what,
                )
            )
        return result

    def _elsewhere(
        self, ends: Tensors, starts: Sequence[Tensors], attribution: Attribution, n: int
    ) -> list[Hint | None]:
        """Return, for the rows that change at their baseline alone, which one to choose instead."""
        if not self._gradients or attribution.approx_error is None:
            return [None] * len(attribution.target)
        pictures = any(is_image(v.shape[1:]) for v in attribution.values.values())
        hint = another_baseline(pictures=pictures, several=n > 1)
        found = jumps(self.model, ends, starts, attribution)
        return [hint if it else None for it in found]

    def _neighbors(self, request: Tensors) -> list[tuple[Neighbor, ...]]:
        method = self.parameters.method
        if not isinstance(method, Examples):
            return []
        if self.examples is None:
            raise SpecError("there are no examples to find neighbours among")
        return self.examples.neighbors(request, method)

    @property
    def _gradients(self) -> bool:
        return self.parameters.method.uses_gradients

    def _held(self) -> list[str]:
        """Return the features that have no gradient, where the method takes gradients."""
        if not self._gradients:
            return []
        reached = self.model.differentiable
        return [spec.name for spec in self.metadata.inputs if spec.name not in reached]

    def _baselines(self, x: Tensors, inputs: Tensors) -> tuple[list[dict[str, Array]], str]:
        maker = BaselineMaker(
            model=self.model,
            specs=self.metadata.inputs,
            method=self.parameters.method,
            input_keys=self.input_keys,
            reached=self._moved(x),
            chosen=self.baseline,
            mean=self.mean,
            seed=self.seed,
        )
        return maker.make(x, inputs)

    def _moved(self, x: Tensors) -> frozenset[str]:
        """Return the features that the method moves from the baseline to the instance."""
        if self._gradients:
            return self.model.differentiable
        return frozenset(spec.name for spec in self.metadata.inputs if spec.name in x)

    def averaged(self, requests: Sequence[Tensors]) -> Explainer:
        """Return the same, the mean of all rows of some requests being its baseline, if asked for.

        Raises SpecError where there is one row only, or where rows differ in shape.
        """
        if self.baseline is None or self.baseline.kind is not BaselineKind.MEAN or self.mean:
            return self
        count = sum(len(next(iter(it.values()))) for it in requests)
        if count < 2:
            raise SpecError(
                "the mean of one instance is that instance",
                where=SETTING,
                hint=Hint("explain several at a time, or choose {baseline:noise}"),
            )
        found = [self.model.encode(self.model.preprocess(request)) for request in requests]
        mean = {}
        for name in sorted(self._moved(found[0])):
            values = [it[name] for it in found]
            if values[0].dtype.kind not in "fiu":
                continue  # which is said when it is needed
            if len({value.shape[1:] for value in values}) > 1:
                what = f"the instances of '{name}' differ in shape, so that they have no mean"
                raise SpecError(what, where=SETTING, hint=Hint("choose {baseline:noise}"))
            mean[name] = np.sum([v.sum(axis=0, dtype=np.float64) for v in values], axis=0) / count
        said = f"the mean of {count} instances"
        return replace(self, mean=mean, baseline=replace(self.baseline, said=said))

    def _label(
        self,
        attribution: Attribution,
        j: int,
        prediction: Array,
        names: Nested | Array | None,
        axes: dict[str, int | None],
        sparse: Mapping[str, Sparse],
    ) -> LabelAttribution:
        shape = prediction.shape[1:]
        target = int(attribution.target[j])
        index = tuple(int(i) for i in np.unravel_index(target, shape)) if shape else ()
        error = attribution.approx_error
        values = {name: value[j] for name, value in attribution.values.items()}
        return LabelAttribution(
            index=index,
            name=name_at(names, index),
            score=float(attribution.score[j]),
            baseline_score=float(attribution.baseline_score[j]),
            values=values,
            ranks={name: rank[j] for name, rank in attribution.ranks.items()},
            segments={name: patches[j] for name, patches in attribution.segments.items()},
            diagnostics={name: float(value[j]) for name, value in attribution.diagnostics.items()},
            features=feature_attributions(
                self.metadata.inputs, values, axes, encoded=self._gradients, sparse=sparse
            ),
            approx_error=None if error is None or np.isnan(error[j]) else float(error[j]),
            evaluations=None
            if attribution.evaluations is None
            else int(attribution.evaluations[j]),
        )

    def _sparse(self, inputs: Tensors, i: int) -> dict[str, Sparse]:
        def of(key: str | None) -> Array | None:
            return None if key is None or key not in inputs else inputs[key][i]

        return {
            name: Sparse(indices=of(keys.indices), weights=of(keys.weights))
            for name, keys in self.companions.items()
        }

    def _names(self, request: Tensors) -> Nested | Array | None:
        mapping = self.metadata.output.index_name_mapping
        if mapping is not None:
            return mapping
        names = self.model.display_names(request)
        return None if names is None else names[0] if len(names) else None

    # What would make an explanation worthless

    def _check(self, scores: Array, numbers: Sequence[int]) -> None:
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(bad):
            i = int(bad[0])
            raise InstanceError(
                f"the model's output is not finite ({scores[i][~np.isfinite(scores[i])][0]}), "
                "which nothing can explain",
                where=Where(instance=numbers[i]),
            )

    def _refuse_held(self) -> None:
        """Refuse a feature that was asked for and has no gradient."""
        reached = self.model.differentiable
        lost = [s for s in self.metadata.inputs if s.name not in reached]
        if lost and self.explicit:
            names = ", ".join(
                f"'{s.name}' ({s.encoded_tensor_name or s.tensor_name})" for s in lost
            )
            raise NotDifferentiableError(
                f"no gradient reaches {names}, so integrated gradients cannot explain it",
                hint=self.model.way_out(),
            )

    def _of_the_model(self, x: Tensors, scores: Array) -> tuple[Notice, ...]:
        return (*self._randomness(x, scores), *((MIXED_ROWS,) if self.model.mixes_rows else ()))

    def _randomness(self, x: Tensors, scores: Array) -> tuple[Notice, ...]:
        # A few draws may be the same by chance, as those of a dropout of four numbers are.
        if not self.model.random_ops or all(
            np.array_equal(self.model.outputs(x), scores) for _ in range(5)
        ):
            return ()
        ops = ", ".join(self.model.random_ops)
        return (
            Notice(
                f"the model answers differently each time ({ops}), as with augmentation or dropout "
                "left on, or a state that each call changes: the attributions are those of one "
                "draw, and need not add up"
            ),
        )
