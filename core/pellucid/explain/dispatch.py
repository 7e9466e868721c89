"""The one place that knows every method: from parameters to the function that carries them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NoReturn

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.explain.features import is_picture
from pellucid.explain.series import series_labels
from pellucid.explain.texts import is_string, lime_of_strings, shapley_of_words
from pellucid.inputs import shown_picture
from pellucid.metadata import (
    Attributing,
    ExplanationMetadata,
    InputSpec,
    IntegratedGradients,
    Lime,
    Modality,
    Players,
    SampledShapley,
    Segmentation,
    Xrai,
)
from pellucid.methods import (
    baseline_scores,
    integrated_gradients,
    lime,
    sampled_shapley,
    superpixels,
    xrai,
)
from pellucid.methods.texts import Cut, Sampling
from pellucid.model import Array, Attribution, HoldingModel, Model, Tensors
from pellucid.notices import Hint, Where


def attribute(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    metadata: ExplanationMetadata,
    method: Attributing,
    *,
    score: Array | None = None,
    cuts: Sequence[Mapping[str, Cut]] = (),
    seed: int,
    numbers: Sequence[int],
    instances: Sequence[int],
) -> Attribution:
    """Return what a method says of n rows, each one output of one instance.

    `score` [n] is that output, where it is known; `cuts` has the texts of each row that a method
    may take apart, by feature, if there are any; `numbers` are the instances' places in the whole
    run, which name random numbers and errors, and no instance: a server explains the first ones of
    several requests together. `instances` tells them apart; rows of one stand together. Raises
    SpecError for a method that cannot explain these inputs.
    """
    specs = [spec for spec in metadata.inputs if spec.name in x]
    match method:
        case IntegratedGradients():
            return integrated_gradients.integrated_gradients(
                model, x, baselines, target, method, score=score, seed=seed, numbers=numbers
            )
        case Xrai():
            # Neither a series nor [words, sizes] of an embedding is a picture.
            pictures = (it for it in specs if it.modality is not Modality.SERIES)
            images = {it.name: x[it.name] for it in pictures if not it.encoding.is_embedding}
            seen = model.differentiable & {it for it in images if images[it].ndim in (3, 4)}
            attribution, ranks = xrai.xrai(
                HoldingModel(model, seen) if seen else model, x, baselines, target, method,
                images=images, score=score, seed=seed, numbers=numbers,
            )  # fmt: skip
            return replace(attribution, ranks=ranks)
        case SampledShapley():
            return _shapley(
                model, x, baselines, target, specs, method, cuts,
                score=score, seed=seed, numbers=numbers, instances=instances,
            )  # fmt: skip
        case Lime():
            return _lime(
                model, x, baselines, target, specs, method, cuts,
                seed=seed, numbers=numbers, instances=instances,
            )  # fmt: skip
        case _:
            assert_never(method)


def _shapley(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    specs: Sequence[InputSpec],
    method: SampledShapley,
    cuts: Sequence[Mapping[str, Cut]],
    *,
    score: Array | None,
    seed: int,
    numbers: Sequence[int],
    instances: Sequence[int],
) -> Attribution:
    groups = {spec.name: spec.group_name for spec in specs if spec.group_name}
    regions = _regions(specs, x, instances) if method.players is Players.REGIONS else {}
    series = series_labels(specs, x, method.series_parts)
    if cuts:
        own = {name: np.stack([labels] * len(target)) for name, labels in series.items()}
        attribution = shapley_of_words(
            model, x, baselines, target, method, cuts,
            groups=groups, regions={**regions, **own}, score=score, seed=seed,
            numbers=numbers, instances=instances,
        )  # fmt: skip
    else:
        attribution = sampled_shapley.sampled_shapley(
            model, x, baselines, target, method,
            groups=groups, regions={**regions, **series}, score=score, seed=seed,
            numbers=numbers,
        )  # fmt: skip
    return replace(attribution, segments=regions)


def check_finite(attribution: Attribution, numbers: Sequence[int]) -> None:
    """Raise InstanceError for the first row whose attributions are not all finite numbers."""
    for name, values in attribution.values.items():
        if values.dtype.kind == "f":
            bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1)).tolist()
        elif values.dtype.kind == "O":
            bad = [row for row, value in enumerate(values) if not np.isfinite(value).all()]
        else:
            continue
        if bad:
            raise InstanceError(
                f"the attributions of '{name}' are not finite: the model overflows between the "
                "baseline and the instance",
                where=Where(instance=numbers[bad[0]]),
            )


def _lime(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    specs: Sequence[InputSpec],
    method: Lime,
    cuts: Sequence[Mapping[str, Cut]],
    *,
    seed: int,
    numbers: Sequence[int],
    instances: Sequence[int],
) -> Attribution:
    """Explain the outputs of each instance by one draw of samples: of its picture, or its strings.

    The values are the coefficient of the patch that each pixel is in, the baseline score that of
    the baseline. The coefficients need not add up to anything, so that there is no approx_error;
    `r_squared` and `stability` take its place.
    """
    images = [s for s in specs if is_picture(s, x[s.name].shape[1:], encoded=False)]
    strings = [s.name for s in specs if is_string(s, x[s.name])]
    if strings and not images:
        sampling = Sampling(method.num_samples, method.mask, method.bag_of_words)
        attribution = lime_of_strings(
            model, x, baselines[0], target, sampling, cuts or [{}] * len(target), strings,
            seed=seed, numbers=numbers, instances=instances,
        )  # fmt: skip
        baseline_scores.check_baseline(attribution.baseline_score, 0, target)
        return attribution
    if len(images) != 1:
        raise SpecError(
            "LIME explains one image, or texts, and the explained inputs are "
            + ", ".join(f"'{s.name}' {list(x[s.name].shape[1:])}" for s in specs),
            hint=Hint("use {method:sampled-shapley}"),
        )
    return _lime_of_pictures(
        model, x, baselines[0], target, images[0], method,
        seed=seed, numbers=numbers, instances=instances,
    )  # fmt: skip


def _lime_of_pictures(
    model: Model,
    x: Tensors,
    baseline: Tensors,
    target: Array,
    spec: InputSpec,
    method: Lime,
    *,
    seed: int,
    numbers: Sequence[int],
    instances: Sequence[int],
) -> Attribution:
    heats, errors, segments, r_squared, stability = [], [], [], [], []
    for _, group in groupby(range(len(target)), lambda row: instances[row]):
        rows = list(group)
        one = {name: value[rows[:1]] for name, value in x.items()}
        picture = shown_picture(spec, one[spec.name][0])
        patches = superpixels.superpixels(picture, method.segmentation_alg)
        try:
            (found,) = lime.lime(
                model, one, spec.name, [patches], method,
                labels=target[rows].tolist(), seed=seed, numbers=[numbers[rows[0]]],
            )  # fmt: skip
        except InstanceError as error:
            error.row = rows[0]
            raise
        heats.append(found.heat())
        errors.append(found.heat_errors())
        segments += [patches] * len(rows)
        r_squared.append(found.r_squared)
        stability.append(found.stability)
    everything = np.arange(len(target))
    score = model.outputs(x)[everything, target]
    start = {spec.name: np.broadcast_to(baseline[spec.name], x[spec.name].shape)}
    baseline_score = model.outputs({**x, **start})[everything, target]
    baseline_scores.check_baseline(baseline_score, 0, target)
    return Attribution(
        values={spec.name: np.concatenate(heats)},
        errors={spec.name: np.concatenate(errors)},
        score=score,
        baseline_score=baseline_score,
        target=target,
        approx_error=None,
        segments={spec.name: np.stack(segments)},
        flat=(x[spec.name] == method.hide_color).reshape(len(target), -1).all(axis=1),
        diagnostics={
            "r_squared": np.concatenate(r_squared),
            "stability": np.concatenate(stability),
        },
    )


def _regions(
    specs: Sequence[InputSpec], x: Tensors, instances: Sequence[int]
) -> Mapping[str, Array]:
    """Return the patches of each picture, by slic: about a hundred players of about one size."""
    regions = {}
    for spec in specs:
        if is_picture(spec, x[spec.name].shape[1:], encoded=False):
            known: dict[int, Array] = {}
            for row, instance in enumerate(instances):
                if instance not in known:
                    known[instance] = superpixels.superpixels(
                        shown_picture(spec, x[spec.name][row]), Segmentation.SLIC
                    )
            regions[spec.name] = np.stack([known[instance] for instance in instances])
    if not regions:
        what = "regions are of pictures, and no explained input is one"
        raise SpecError(what, where=Where(path="players"))
    return regions


def assert_never(method: NoReturn) -> NoReturn:
    """Let the type checker name each method that has no case (`typing` has one from 3.11 on)."""
    raise AssertionError(f"no such method: {method}")
