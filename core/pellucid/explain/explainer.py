"""From instances to explanations: everything between a model and a response.

An `Explainer` is planned once, from a specification and a model, and called many times. It picks
the outputs, makes the baselines, asks the method, and says what each feature contributed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.examples import ExampleSearch, Neighbor
from pellucid.explain.baselines import Baselines, mean_of
from pellucid.explain.chosen_baseline import BaselineKind, ChosenBaseline
from pellucid.explain.dispatch import attribute, check_finite
from pellucid.explain.features import Companions, Labels, sparse_of
from pellucid.explain.held import (
    GradientFacts,
    RecordLists,
    any_nan,
    held_notice,
    refuse_lost,
    refuse_missing,
    refuse_step,
    without_gradient,
)
from pellucid.explain.jumps import elsewhere
from pellucid.explain.noise import with_noise_in_units
from pellucid.explain.quality import restless, warnings_of
from pellucid.explain.results import Explanation, all_numbers, given_rows, rows_of
from pellucid.explain.series import windows_said
from pellucid.explain.served_model import ServedModel
from pellucid.explain.targets import (
    Asked,
    Contrast,
    Outputs,
    check_scores,
    contrast_of,
    placed,
    targets_of,
)
from pellucid.explain.texts import (
    Apart,
    LookedUp,
    Texts,
    TokenReader,
    Tokens,
    answered,
    behind_said,
    cuts_of,
    find_texts,
    read_of,
    starts_said,
    tokens_in,
    unseen_said,
)
from pellucid.metadata import (
    Attributing,
    Examples,
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Nested,
)
from pellucid.methods import baseline_scores
from pellucid.model import Array, Attribution, ContrastModel, Model, Tensors
from pellucid.notices import Hint, Notice

MIXED_ROWS = Notice(
    "the model's answer to one row depends on the rows beside it, as with batch statistics or a "
    "condition on the whole batch: each row was asked alone"
)
NOTHING_BLURRED = Notice(
    "no explained input is a picture, so that the baseline is not a blurred one"
)
# The instance itself has been taken by then.
CHANGED = "the method puts a baseline in the place of parts of it, or goes from one to the other"


def _rows_of(tensors: Tensors) -> Iterator[Tensors]:
    """Yield tensors [n, …] row by row, each [1, …]."""
    for i in range(len(next(iter(tensors.values())))):
        yield {name: value[i : i + 1] for name, value in tensors.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """A model and what is to be explained of one of its outputs.

    `input_keys` says which key of the signature's inputs each feature is, where it is one, and
    `companions` which others belong to it, `records` which features have no tensor;
    `explicit` is false for metadata that were inferred: a feature without a gradient is then held
    instead of refused. `seed` names the random numbers; `examples` finds neighbours; `baseline` is
    what a call chose instead of the metadata's, `mean` that of the call, where it is asked for;
    `tokens` cuts texts as the model does.
    """

    model: ServedModel
    metadata: ExplanationMetadata
    parameters: ExplanationParameters = field(default_factory=ExplanationParameters)
    input_keys: Mapping[str, str] = field(default_factory=dict)
    companions: Mapping[str, Companions] = field(default_factory=dict)
    records: RecordLists = RecordLists()
    explicit: bool = True
    seed: int = 0
    examples: ExampleSearch | None = None
    baseline: ChosenBaseline | None = None
    mean: Tensors = field(default_factory=dict)
    tokens: TokenReader | None = None

    def explain(self, request: Tensors, numbers: Sequence[int] | None = None) -> list[Explanation]:
        """Return one explanation for each row of a request's arrays, [n, …].

        `numbers` are the instances' places in the whole run: they name the noise that each one
        draws, and the instance in a message. Raises InstanceError, NotDifferentiableError.
        """
        n = len(next(iter(request.values())))
        numbers = list(range(n)) if numbers is None else list(numbers)
        if n > 1 and self._one_by_one:
            return self._alone(request, numbers)
        method = self.parameters.method
        try:
            if self._gradients:
                refuse_missing(request)
            inputs = self.model.preprocess(request)
            x = self.model.encode(inputs)
            if self._gradients:
                refuse_missing(x)  # which may have been in a record
            prediction = self.model.predict(x)
            if isinstance(method, Examples):
                return self._like(x, prediction, self._neighbors(request, method))
            names = self.names(request)
            contrast = self.contrast(prediction, names)
            chosen = targets_of(prediction, self.parameters, contrast)
        except InstanceError as error:
            raise placed(error, numbers) from error
        outputs = Outputs(self.metadata.output.name, prediction, names, contrast)
        asked = outputs.asked(x, inputs, chosen, numbers)
        needed = chosen if contrast is None else [np.append(c, contrast.target) for c in chosen]
        ranked = self.parameters.output_indices is None
        check_scores(
            prediction, needed, outputs.called, numbers, ranked=ranked, lost=any_nan(request)
        )
        try:
            return self._explanations(method, asked, outputs)
        except Apart:
            return self._alone(request, numbers)

    def _like(
        self, x: Tensors, prediction: Array, near: Sequence[tuple[Neighbor, ...]]
    ) -> list[Explanation]:
        """Return the explanations of instances by what they are like."""
        names = [spec.name for spec in self.metadata.inputs if spec.name in x]
        scores = np.asarray(prediction, np.float64).reshape(len(prediction), -1)
        general = self._of_the_model(x, scores)
        return [
            Explanation(
                prediction=said,
                labels=(),
                inputs={name: x[name][i, ...] for name in names},
                warnings=general,
                general=general,
                neighbors=found,
            )
            for i, (said, found) in enumerate(zip(prediction, near, strict=True))
        ]

    def _explanations(
        self, method: Attributing, asked: Asked, outputs: Outputs
    ) -> list[Explanation]:
        """Return what a method says of each instance. Raises Apart where it must go alone."""
        x, inputs, specs = asked.x, asked.inputs, self.metadata.inputs
        n, shape = len(outputs.prediction), outputs.prediction.shape[1:]
        attribution, baselines, leaping, texts = self._attribution(method, asked, outputs.called)
        explained = [s.name for s in specs if s.name in x]
        lost, beside, said = self._held(method, attribution, explained)
        said = [*texts.said, *said, *[NOTHING_BLURRED] * baselines.blurs_nothing(x)]
        if asked.contrast is not None and self._ranks_several:
            called = asked.contrast.called
            said.append(Notice(f"{called} is what others are compared with, and left out"))
        general = (*self._of_the_model(x, asked.scores), *said, *windows_said(specs, x, method))
        from_what = baselines.said(x) or starts_said(self._behind)
        facts, noise = self._facts, baselines.may_be_noise(x)
        axes: dict[str, int | None] = {
            name: inputs[key].ndim - 1 for name, key in self.input_keys.items() if key in inputs
        }
        made = Labels(
            self.metadata, attribution, shape, outputs.names, axes,
            gradients=self._gradients, contrast=asked.contrast,
        )  # fmt: skip
        seen, given = rows_of(x, explained, n), given_rows(inputs, self.input_keys, n)
        numbers_alone = made.as_they_are is not None and not texts.cuts
        tabular = numbers_alone and all_numbers(specs, seen[0].arrays, given[0].arrays)
        result = []
        for i, places in enumerate(asked.places):
            read = read_of(self.tokens, inputs, i)
            sparse, tokens = sparse_of(self.companions, inputs, i), self._tokens(read, inputs, x, i)
            labels = tuple(made.made(j, sparse, tokens) for j in places)
            notices = warnings_of(labels, method, facts, [leaping[j] for j in places], noise=noise)
            result.append(
                Explanation(
                    prediction=outputs.prediction[i], labels=labels, inputs=seen[i], given=given[i],
                    warnings=(*general, *notices, *unseen_said(read)), general=general,
                    held=(*lost, *beside), baseline=from_what,
                    words=texts.cuts[i] if texts.cuts else cuts_of(tokens),
                    tabular=tabular and not tokens,
                )
            )  # fmt: skip
        return result

    def _held(
        self, method: Attributing, attribution: Attribution, explained: Sequence[str]
    ) -> tuple[list[str], list[str], list[Notice]]:
        """Return the features that have no values, inputs that are no feature, and what is said."""
        unreached = self._without_gradient()
        out = {*unreached, *(name for name in explained if name not in attribution.values)}
        lost, beside = [it for it in explained if it in out], self._beside()
        held = held_notice(lost, beside, method, explicit=self.explicit, unreached=unreached)
        return lost, beside, [] if held is None else [held]

    @property
    def _ranks_several(self) -> bool:
        asked = self.parameters
        return asked.output_indices is None and asked.top_k not in (None, 1)

    def _alone(self, request: Tensors, numbers: Sequence[int]) -> list[Explanation]:
        ones = zip(_rows_of(request), numbers, strict=True)
        return [self.explain(one, [number])[0] for one, number in ones]

    def _attribution(
        self, method: Attributing, asked: Asked, named: Callable[[int], str]
    ) -> tuple[Attribution, Baselines, list[Hint | None], Texts]:
        """Return what the method says of what is asked, and the baselines it was asked with.

        With them come, for outputs that change at their baseline alone, which is better, and the
        texts that were taken apart.
        """
        x, row, target, numbers = asked.x, asked.row, asked.target, asked.numbers
        specs = [spec for spec in self.metadata.inputs if spec.name in x]
        baselines = self._baselines(method, specs)
        lost = self._without_gradient()
        stepped = len(lost) == len(self.metadata.inputs)
        if self.explicit and not stepped:
            refuse_lost(lost, specs, self.model)
        rows = [numbers[i] for i in row]
        try:
            n = len(asked.scores)
            taken = slice(None) if len(row) == n == 1 else row  # a copy of a picture may be large
            ends = {name: value[taken] for name, value in x.items()}
            made = baselines.made(self.model, x, asked.inputs)
            starts = [{k: v[taken] if len(v) == n else v for k, v in b.items()} for b in made]
            texts = find_texts(specs, x, made, method.text_parts, numbers, explicit=self.explicit)
            cuts = [texts.cuts[i] for i in row] if texts.cuts else ()
            model: Model = self.model
            if asked.contrast is not None:
                model = ContrastModel(model, asked.contrast.target)
            score, instances = asked.score, row.tolist()
            attribution, texts = answered(
                lambda chosen: attribute(
                    model, ends, starts, target, self.metadata, chosen,
                    score=score, cuts=cuts, seed=self.seed, numbers=rows, instances=instances,
                ),
                with_noise_in_units(method, specs), texts, several=n > 1,
            )  # fmt: skip
        except baseline_scores.BaselineError as error:
            refusal = baselines.refused(error, x, named(error.target), words=bool(texts.cuts))
            raise placed(refusal, rows) from error
        except InstanceError as error:
            raise placed(error, rows, CHANGED) from error
        check_finite(attribution, rows)
        if stepped:
            refuse_step(attribution, self.model)
        leaping: list[Hint | None] = [None] * len(row)
        if self._gradients:
            seen = bool(baselines.pictures(x))
            leaping = elsewhere(model, ends, starts, attribution, pictures=seen, several=n > 1)
        return attribution, baselines, leaping, texts.of(attribution.values)

    @property
    def _one_by_one(self) -> bool:
        """Whether texts or lists are as long for the model as each instance has them.

        Together they would be as long as the longest, and some models say otherwise then.
        """
        if self.model.varying:
            return True
        return self._gradients and self.tokens is not None and self.tokens.varying

    def _tokens(
        self, read: Mapping[str, LookedUp], inputs: Tensors, x: Tensors, i: int
    ) -> dict[str, Tokens]:
        """Return the words of an instance that are explained at their embeddings."""
        explained = read.keys() & self.model.differentiable if read and self._gradients else ()
        texts = {name: inputs[self.input_keys[name]][i, ...].ravel()[0] for name in explained}
        return tokens_in(read, texts, {name: x[name].shape[1] for name in texts})

    @property
    def _behind(self) -> list[InputSpec]:
        """The features that gradients explain at tensors behind them, unasked."""
        unasked = self.metadata.inputs if self._gradients and not self.explicit else ()
        return [it for it in unasked if it.encoded_tensor_name is not None]

    def notes(self) -> list[Notice]:
        """Return what is worth knowing of how features are explained, if nobody wrote it."""
        behind = behind_said(self._behind, "" if self.baseline is None else self.baseline.said)
        return behind if self._gradients else [*behind, *self.records.said(self.metadata.inputs)]

    def _baselines(self, method: Attributing, specs: Sequence[InputSpec]) -> Baselines:
        return Baselines(
            specs=specs,
            method=method,
            encoded=self._gradients,
            input_keys=self.input_keys,
            moved=self._moved([spec.name for spec in specs]),
            absent=self.model.absent,
            chosen=self.baseline,
            mean=self.mean,
            seed=self.seed,
        )

    def _moved(self, names: Sequence[str]) -> frozenset[str]:
        """Return the features that the method moves from the baseline to the instance."""
        return self.model.differentiable if self._gradients else frozenset(names)

    def averaged(self, requests: Sequence[Tensors], numbers: Sequence[Sequence[int]]) -> Explainer:
        """Return the same, the mean of all rows of some requests being its baseline, if asked for.

        `numbers` are those of `explain`, for each request. Raises InstanceError, and SpecError
        where there is one row only, or where rows differ in shape.
        """
        if self.baseline is None or self.baseline.kind is not BaselineKind.MEAN or self.mean:
            return self
        found = []
        for request, places in zip(requests, numbers, strict=True):
            try:
                for part in _rows_of(request) if self._one_by_one else [request]:
                    found.append(self.model.encode(self.model.preprocess(part)))
            except InstanceError as error:
                raise placed(error, places) from error
        explained = [spec.name for spec in self.metadata.inputs if spec.name in found[0]]
        mean = mean_of(found, self._moved(explained))
        said = f"the mean of {sum(map(len, numbers))} instances"
        return replace(self, mean=mean, baseline=replace(self.baseline, said=said))

    def _neighbors(self, request: Tensors, method: Examples) -> list[tuple[Neighbor, ...]]:
        if self.examples is None:
            raise SpecError("there are no examples to find neighbours among")
        return self.examples.neighbors(request, method)

    @property
    def _gradients(self) -> bool:
        return self.parameters.method.uses_gradients

    def _without_gradient(self) -> list[str]:
        """Return the features that have no gradient, where the method takes gradients."""
        if not self._gradients:
            return []
        return without_gradient(self.model, self.metadata.inputs)

    def _beside(self) -> list[str]:
        """Return the inputs that the output depends on, and that belong to no feature."""
        known = set(self.input_keys.values())
        known |= {key for it in self.companions.values() for key in it.keys}
        beside = [key for key in self.model.held if key not in known]
        return self.records.held(beside, self.metadata.inputs, follow=not self._gradients)

    @property
    def _facts(self) -> GradientFacts:
        if not self._gradients:
            return GradientFacts()
        return GradientFacts(obstacles=self.model.obstacles, squasher=self.model.squasher)

    def contrast(self, prediction: Array, names: Nested | Array | None) -> Contrast | None:
        """Return what the outputs of a prediction [n, …] are compared with, None if they are not.

        Raises SpecError.
        """
        shape = prediction.shape[1:]
        return contrast_of(self.parameters, shape, names, self.metadata.output.name)

    def names(self, request: Tensors) -> Nested | Array | None:
        """Return what the outputs are called: those of the metadata, or of the model itself."""
        mapping = self.metadata.output.index_name_mapping
        if mapping is not None:
            return mapping
        names = self.model.display_names(request)
        return None if names is None else names[0] if len(names) else None

    def _of_the_model(self, x: Tensors, scores: Array) -> tuple[Notice, ...]:
        mixed = (MIXED_ROWS,) if self.model.mixes_rows else ()
        return (*restless(self.model, x, scores), *mixed)
