"""Instances as what candidates are judged by: their elements, and the model to ask about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import numpy as np

from pellucid.api.calls import naming
from pellucid.api.explanations import Explanations
from pellucid.errors import InstanceError
from pellucid.evaluate import Kind, Picture, Subject, subject_of
from pellucid.explain import (
    Baselines,
    Explainer,
    Explanation,
    PixelWatch,
    element_name,
    element_names,
    find_texts,
    is_picture,
    targets_of,
)
from pellucid.inputs import InputInfo, Instance, shown_picture, stack
from pellucid.metadata import (
    Attributing,
    ExplainOptions,
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Modality,
    TextParts,
    is_channels_first,
)
from pellucid.methods.texts import Cut, TextModel
from pellucid.model import Array, ContrastModel, Model, Tensors
from pellucid.notices import Warn

if TYPE_CHECKING:
    from pellucid.api.predicting import AnyCompiler

WORDS = TextParts("words", None, False)
# What a method wants for a baseline is its own: candidates are judged by the model's.
PLAIN = cast(Attributing, ExplanationParameters().method)


class Explaining(Protocol):
    """A loaded model, as far as it is judged here."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def directory(self) -> Path: ...
    @property
    def inputs(self) -> tuple[InputInfo, ...]: ...
    @property
    def explainer(self) -> Explainer: ...
    @property
    def explainers(self) -> tuple[Explainer, ...]: ...
    @property
    def metadata(self) -> ExplanationMetadata: ...
    @property
    def compiler(self) -> AnyCompiler: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...
    @property
    def warn(self) -> Warn: ...
    @property
    def pixels(self) -> PixelWatch: ...
    def configured(self, options: ExplainOptions) -> Explaining:
        """Return the same model, explained in another way."""
        ...

    def described(self, metadata: ExplanationMetadata) -> Explaining:
        """Return the same model with what other metadata say of its inputs."""
        ...

    def explain(self, instances: Any) -> Explanations:
        """Return an explanation for each instance."""
        ...


def one_output(model: Explaining) -> Explaining:
    """Return the model with the one output that is judged: of the first tensor, the first index."""
    first = model.explainers[0]
    indices, why_not = first.parameters.output_indices, first.parameters.why_not
    parameters = ExplanationParameters(top_k=1, why_not=why_not)
    if indices is not None:
        parameters = ExplanationParameters(output_indices=indices[:1], why_not=why_not)
    one = replace(first, parameters=parameters)
    return replace(model, explainers=(one,), progress=False)


def subject_of_record(
    model: Explaining, record: Instance, *, number: int, seed: int
) -> tuple[Subject, tuple[int, ...], str]:
    """Return an instance with its elements, the index of its output, and the baseline in words.

    Raises InstanceError.
    """
    explainer = model.explainer
    asked = model.compiler.of(explainer.metadata.output).model(gradients=False)
    with naming([record]):
        inputs = asked.preprocess(stack([record], model.inputs))
        x = asked.encode(inputs)
        prediction = asked.predict(x)
        contrast = explainer.contrast(prediction, explainer.names(stack([record], model.inputs)))
        target = int(targets_of(prediction, explainer.parameters, contrast)[0][0])
        scored: Model = asked if contrast is None else ContrastModel(asked, contrast.target)
        score = float(scored.outputs(x)[0, target])
        if not np.isfinite(score):
            raise InstanceError(f"the model's output is {score}, which nothing can be judged by")
        specs = [it for it in explainer.metadata.inputs if it.name in x]
        baselines = _baselines(explainer, specs)
        start = baselines.made(asked, x, inputs)[0]
        texts = find_texts(specs, x, [start], WORDS, [number], explicit=explainer.explicit)
        cuts = texts.cuts[0] if texts.cuts else {}
        found = subject_of(
            _of_words(scored, x, cuts),
            {**x, **_there(cuts, True)},
            {**start, **_there(cuts, False)},
            target,
            number=number,
            kind=_kind(specs, cuts),
            picture=None if cuts else picture_of(model, specs, x),
            groups={it.name: it.group_name for it in specs if it.group_name},
            seed=seed,
        )
        if not np.isfinite(found.empty):
            raise InstanceError(
                f"the score of the baseline is {found.empty}, which nothing can be judged by"
            )
    shape = prediction.shape[1:]
    index = tuple(int(i) for i in np.unravel_index(target, shape)) if shape else ()
    return found, index, baselines.said(x) or baselines.named(0, x)


def _baselines(explainer: Explainer, specs: Sequence[InputSpec]) -> Baselines:
    """Return the baselines that elements are replaced by, of the inputs themselves."""
    return Baselines(
        specs=specs,
        method=PLAIN,
        encoded=False,
        input_keys=explainer.input_keys,
        moved=frozenset(it.name for it in specs),
        chosen=explainer.baseline,
        mean=explainer.mean,
        seed=explainer.seed,
        absent=explainer.model.absent,
    )


def picture_of(model: Explaining, specs: Sequence[InputSpec], x: Tensors) -> Picture | None:
    """Return how the one explained feature holds a picture, None if it is not one picture."""
    if len(specs) != 1:
        return None
    (spec,) = specs
    shape = x[spec.name].shape[1:]
    if not is_picture(spec, shape, encoded=False) or x[spec.name].dtype == object:
        return None
    axis: int | None = 2 if len(shape) == 3 else None
    if is_channels_first(shape):
        axis = 0
    size = shape[1:] if axis == 0 else shape[:2]
    known = {it.name: it.domain for it in model.inputs}
    domain = spec.domain or known.get(model.explainer.input_keys.get(spec.name, ""))
    low, high = domain.range if domain else (0.0, 1.0)
    return Picture(feature=spec.name, size=size, channels=axis, low=low, high=high)


def subject_picture(model: Explaining, subject: Subject) -> Array | None:
    """Return the picture that an instance shows, uint8 [h, w, 3], None if it is none."""
    if subject.picture is None:
        return None
    (spec,) = (it for it in model.explainer.metadata.inputs if it.name == subject.picture.feature)
    return shown_picture(spec, subject.game.x[spec.name][0])


def values_of(explanation: Explanation, subject: Subject) -> dict[str, Array]:
    """Return the attributions of an explanation's first label, of texts word by word.

    The parts that a method took a text apart into need not be those that are taken away here: what
    a part got goes to the words that it stands in, by the letters that it has of each.
    """
    label = explanation.labels[0]
    values = dict(label.values)
    asked = subject.game.model
    for name, own in (asked.cuts if isinstance(asked, TextModel) else {}).items():
        parts, given = explanation.words.get(name), label.features.get(name)
        if parts is None or given is None or len(parts.spans) > given.size:
            continue
        totals = np.zeros(len(own.spans))
        for (first, last), value in zip(parts.spans, given.ravel().tolist(), strict=False):
            letters = np.array([max(0, min(last, b) - max(first, a)) for a, b in own.spans], float)
            if letters.any():
                totals += value * letters / letters.sum()
        values[name] = totals
    return values


def elements_of(model: Explaining, subject: Subject, record: Instance) -> list[str]:
    """Return what the elements of a table or a text are called."""
    names = [""] * subject.count
    asked = subject.game.model
    cuts = asked.cuts if isinstance(asked, TextModel) else {}
    several = len(subject.game.players.owners) > 1
    groups = {it.name: it.group_name for it in model.metadata.inputs if it.group_name}
    for name, owner in subject.game.players.owners.items():
        shape = np.shape(subject.game.x[name])[1:]
        flat = np.broadcast_to(owner, shape).ravel()
        own: Sequence[str] | None = record.names
        if name in cuts:
            own = cuts[name].words
        elif own is None or len(own) != len(flat):
            own = element_names(model.metadata, name, np.zeros(shape))
        for place, number in enumerate(flat.tolist()):
            if name in groups:
                names[number] = groups[name]
            elif own is not None and len(flat) > 1:
                names[number] = f"{name}: {own[place]}" if several else own[place]
            else:
                names[number] = element_name(name, np.unravel_index(place, shape), len(flat))
    return names


def _kind(specs: Sequence[InputSpec], cuts: Mapping[str, Cut]) -> Kind:
    if cuts or any(it.modality is Modality.TEXT for it in specs):
        return Kind.TEXT
    return Kind.TABLE


def _of_words(model: Model, x: Tensors, cuts: Mapping[str, Cut]) -> Model:
    if not cuts:
        return model
    shapes = {name: np.shape(x[name])[1:] for name in cuts}
    return TextModel(model=model, cuts=cuts, shapes=shapes)


def _there(cuts: Mapping[str, Cut], whole: bool) -> dict[str, Array]:
    """Return texts of which all parts are there, or none."""
    return {name: np.full((1, len(it.spans)), whole) for name, it in cuts.items()}
