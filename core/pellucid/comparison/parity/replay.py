"""A recorded request explained here, and both answers laid side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from pellucid.api import Explanations, LoadedModel
from pellucid.comparison.parity.fields import (
    Field,
    Tolerances,
    differing,
    masks,
    numbers,
    pictures,
    words,
)
from pellucid.comparison.recorded import Answer, AnsweredLabel, Exchange, parse_answer
from pellucid.comparison.recorded.answers import KSERVE
from pellucid.errors import InstanceError
from pellucid.explain import LabelAttribution
from pellucid.inputs import InputInfo, Instance, decode_picture, read_request
from pellucid.metadata import ExplainOptions, Visualization, call_settings
from pellucid.metadata.documents import OVERRIDES
from pellucid.model import Array
from pellucid.notices import Where

SPREAD = 4 * np.sqrt(2)
"""Two samples differ by more standard errors than that once in 15,000 elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One instance of a recorded request: how it is called, and what the service said of it.

    `labels` are those of the answer, or, of KServe's, `patches` int [k, h, w] and `indices`.
    """

    where: Where
    record: Instance
    request: Mapping[str, Any]
    form: str
    place: int
    inputs: tuple[InputInfo, ...]
    labels: tuple[AnsweredLabel, ...] = ()
    patches: Array | None = None
    indices: tuple[int, ...] = ()
    prediction: Any = None

    @property
    def name(self) -> str:
        return str(self.where)

    def read_for(self, model: LoadedModel) -> Case:
        """Return the same instance as a model reads it that takes pictures for something else."""
        if model.inputs == self.inputs:
            return self
        request = read_request(dict(self.request), model.inputs, beside=model.beside)
        return replace(self, record=request.instances[self.place], inputs=model.inputs)


def cases_of(exchange: Exchange, model: LoadedModel) -> list[Case]:
    """Return the instances of an exchange with their answers.

    Raises InstanceError for a request or an answer that cannot be read, for an answer that is an
    error, and for one of other instances than were asked for.
    """
    answer: Answer = parse_answer(exchange.response, exchange.where.below("response"))
    if answer.error:
        what = f"is answered by an error: {answer.error[:300]}"
        raise InstanceError(what, where=exchange.where)
    try:
        request = read_request(dict(exchange.request), model.inputs, beside=model.beside)
    except InstanceError as error:
        raise error.at(exchange.where.below("request")) from error
    records, count = request.instances, answer.count
    if answer.form == KSERVE and count == 1:
        records = records[:1]  # the protocol explains one instance and forgets the others
    if len(records) != count:
        what = f"asks for {len(records)} instances and is answered for {count}"
        raise InstanceError(what, where=exchange.where)
    if answer.predictions is not None and len(answer.predictions) != count:
        what = f"has {len(answer.predictions)} predictions for {count} instances"
        raise InstanceError(what, where=exchange.where.below("response.predictions"))
    said = answer.predictions or [None] * count
    found = []
    for i, record in enumerate(records):
        where = exchange.where if count == 1 else exchange.where.below(f"instances[{i}]")
        if answer.form == KSERVE:
            own = answer.masks[i]
            given: dict[str, Any] = {"patches": own.masks, "indices": own.labels}
        else:
            given = {"labels": answer.instances[i]}
        found.append(
            Case(
                where=where, record=record, request=exchange.request, form=answer.form, place=i,
                inputs=model.inputs, prediction=said[i], **given,
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A case with what is said of it here, and how the two compare."""

    case: Case
    fields: tuple[Field, ...]
    explanations: Explanations


def replay(
    model: LoadedModel,
    case: Case,
    tolerances: Tolerances,
    *,
    visualization: Visualization | None = None,
    explanations: Explanations | None = None,
) -> Replayed:
    """Explain the outputs of a recorded answer, with the settings of its request, and compare.

    `visualization` takes the place of that of the metadata; `explanations` are those that were made
    before, if only that is another. Raises PellucidError, whatever explaining raises.
    """
    if explanations is None:
        case = case.read_for(model)
        explanations = _explained(model, case)
    if case.form == KSERVE:
        fields = tuple(_of_masks(case, explanations))
    else:
        fields = tuple(_of_labels(case, explanations, tolerances, visualization or Visualization()))
    return Replayed(case=case, fields=fields, explanations=explanations)


def _explained(model: LoadedModel, case: Case) -> Explanations:
    request = {**case.request, "signature_name": None}
    if case.form == KSERVE:
        configured = model.as_kserve().requested(request)
        if case.indices:
            settings = call_settings({"top_labels": len(case.indices)})
            configured = configured.configured(ExplainOptions(settings=settings))
        return configured.explain([case.record])
    configured = model.requested(request)
    indices = [it.index for it in case.labels]
    if indices and None not in indices:
        shape = _output_shape(configured, case.record)
        wanted = [_fitting(it or (), shape) for it in indices]
        configured = configured.configured(
            ExplainOptions(settings=call_settings({"output_indices": wanted}))
        )
    return configured.explain([case.record])


def _output_shape(model: LoadedModel, record: Instance) -> tuple[int, ...]:
    said = model.predict([record])[0]
    if isinstance(said, Mapping):
        name = model.metadata.output.name
        said = said.get(name, next(iter(said.values())))
    return tuple(np.shape(said))


def _fitting(index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return an index with the axes of the output: one number is () and [0] and [0, 0]."""
    if len(index) != len(shape) and int(np.prod(shape)) == 1:
        return (0,) * len(shape)
    return index


def _of_masks(case: Case, explanations: Explanations) -> Iterator[Field]:
    found = explanations.kserve()["explanations"]
    yield words("top_labels", "label choice", list(case.indices), found["top_labels"])
    ours = dict(zip(found["top_labels"], found["masks"], strict=True))
    assert case.patches is not None
    for label, patches in zip(case.indices, case.patches, strict=True):
        if label in ours:
            yield masks(f"masks of {label}", patches, np.asarray(ours[label]))


def _of_labels(
    case: Case, explanations: Explanations, tolerances: Tolerances, visualization: Visualization
) -> Iterator[Field]:
    (explanation,) = explanations
    if case.prediction is not None:
        yield from _predictions(case.prediction, explanation.answer, tolerances)
    yield from _choice(case, explanation.prediction)
    said_of, ours_of = len(case.labels), len(explanation.labels)
    if case.labels and said_of != ours_of:
        yield differing("outputs", "label choice", f"{said_of} outputs", f"{ours_of} outputs")
    for said, label in zip(case.labels, explanation.labels, strict=False):
        at = label.called
        yield from _of_label(at, case, said, label, explanations, tolerances, visualization)


def _choice(case: Case, prediction: Array) -> Iterator[Field]:
    """Compare which outputs were explained, and in which order, with those that are the highest.

    Only where the request did not say which.
    """
    indices = [it.index for it in case.labels]
    if (
        not indices
        or None in indices
        or prediction.size < 2
        or any(it in case.request for it in OVERRIDES)
    ):
        return
    order = np.argsort(-np.asarray(prediction, np.float64).ravel(), kind="stable")[: len(indices)]
    ours = [tuple(int(i) for i in np.unravel_index(it, prediction.shape)) for it in order.tolist()]
    yield words("labels", "label choice", _listed(indices), _listed(ours))


def _listed(indices: Sequence[tuple[int, ...] | None]) -> str:
    return "; ".join(",".join(map(str, it or ())) for it in indices)


def _predictions(said: Any, ours: Any, tolerances: Tolerances) -> Iterator[Field]:
    if isinstance(said, Mapping) and isinstance(ours, Mapping):
        lost = sorted({*said} ^ {*ours})
        if lost:
            yield differing("prediction", "names", sorted(said), sorted(ours))
        for name in said:
            if name in ours:
                yield from _prediction(f"prediction.{name}", said[name], ours[name], tolerances)
        return
    if isinstance(said, Mapping):
        said = next(iter(said.values())) if len(said) == 1 else said
    if isinstance(ours, Mapping):
        ours = next(iter(ours.values())) if len(ours) == 1 else ours
    yield from _prediction("prediction", said, ours, tolerances)


def _prediction(path: str, said: Any, ours: Any, tolerances: Tolerances) -> Iterator[Field]:
    try:
        recorded = np.asarray(said, np.float64)
        own = np.asarray(ours, np.float64)
    except (TypeError, ValueError):
        return  # texts, which no attribution is of
    yield numbers(path, "prediction", recorded, own, tolerances)


def _of_label(
    at: str,
    case: Case,
    said: AnsweredLabel,
    label: LabelAttribution,
    explanations: Explanations,
    tolerances: Tolerances,
    visualization: Visualization,
) -> Iterator[Field]:
    yield from _of_scores(at, said, label, tolerances)
    theirs = {*said.features, *said.pictures}
    if theirs != {*label.features}:
        yield differing(f"{at}: features", "names", sorted(theirs), sorted(label.features))
    # One share for all features: what is next to nothing in one of them is so altogether.
    sizes = [
        np.abs(it).max(initial=0.0) for it in (*said.features.values(), *label.features.values())
    ]
    for name, values in said.features.items():
        if name in label.features:
            own = np.asarray(label.features[name], np.float64)
            known = label.errors.get(name) if explanations.parameters.method.sampled else None
            yield numbers(
                f"{at}: {name}", "attribution", values, own, tolerances, scale=float(max(sizes)),
                error=0.0 if known is None else SPREAD * np.asarray(known, np.float64),
            )  # fmt: skip
    if said.pictures:
        yield from _of_pictures(at, case, said, label, explanations, tolerances, visualization)


def _of_scores(
    at: str, said: AnsweredLabel, label: LabelAttribution, tolerances: Tolerances
) -> Iterator[Field]:
    scale = max(abs(label.score), abs(label.baseline_score), abs(said.score or 0.0))
    for kind, recorded, ours in (
        ("score", said.score, label.score),
        ("baseline score", said.baseline_score, label.baseline_score),
    ):
        if recorded is not None:
            one, other = np.array(recorded), np.array(ours)
            yield numbers(f"{at}: {kind}", kind, one, other, tolerances, scale=scale)
    if said.approx_error is not None and label.approx_error is not None:
        pair = np.array(said.approx_error), np.array(label.approx_error)
        # It says how far each is from the truth, which need not be as far.
        yield numbers(f"{at}: error", "error", *pair, replace(tolerances, numbers=inf), scale=1.0)
    if said.name is not None and label.name is not None:
        yield words(f"{at}: label name", "name", said.name, label.name)
    if said.output is not None:
        yield words(f"{at}: output name", "name", said.output, label.output)


def _of_pictures(
    at: str,
    case: Case,
    said: AnsweredLabel,
    label: LabelAttribution,
    explanations: Explanations,
    tolerances: Tolerances,
    visualization: Visualization,
) -> Iterator[Field]:
    drawn = explanations.draw(0, label, own_size=False)
    for name, picture in said.pictures.items():
        if name in drawn:
            drawing = drawn[name]
            if visualization != Visualization():
                drawing = drawing.again(visualization)
            data, _ = drawing.encoded()
            ours_drawn = np.asarray(decode_picture(data, case.where))
            base = drawing.image if drawing.image.shape == picture.shape else None
            yield pictures(f"{at}: {name}", picture, ours_drawn, base, tolerances)
