"""Attributions of words: each instance's texts are cut into parts of their own."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata import SampledShapley
from pellucid.methods import baseline_scores, sampled_shapley
from pellucid.methods.texts import (
    Cut,
    Sampling,
    TextModel,
    lime_of_words,
    model_of_parts,
    parts,
)
from pellucid.model import Array, Attribution, Model, Tensors
from pellucid.notices import Hint, Where


def shapley_of_words(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    method: SampledShapley,
    cuts: Sequence[Mapping[str, Cut]],
    *,
    groups: Mapping[str, Hashable],
    regions: Mapping[str, Array] | None,
    score: Array | None = None,
    seed: int,
    numbers: Sequence[int],
    instances: Sequence[int],
) -> Attribution:
    """Return the Shapley values of n rows, `cuts` [n] having the texts of each.

    Of a text, the values are those of its parts, and their baseline is the empty text, or the text
    with a mask in the place of all parts; other features, and `score`, are as in `sampled_shapley`.
    `numbers` and `instances` are those of `attribute`: each text is asked once for all outputs of
    its instance.
    """
    parts = []
    for _, group in groupby(range(len(target)), lambda row: instances[row]):
        rows = list(group)
        found = cuts[rows[0]]
        one = {name: value[rows] for name, value in x.items()}
        shapes = {name: np.shape(one[name])[1:] for name in found}
        asked = TextModel(model=model, cuts=found, shapes=shapes, mask=method.mask)
        there = {name: np.ones((len(rows), len(it.spans)), bool) for name, it in found.items()}
        starts = [_of_rows({**it, **_without(there)}, rows) for it in baselines]
        known = None if score is None else score[rows]
        own = {name: labels[rows[0]] for name, labels in (regions or {}).items()}
        try:
            part = sampled_shapley.sampled_shapley(
                asked, {**one, **there}, starts, target[rows], method,
                groups=groups, regions=own, score=known, seed=seed,
            )  # fmt: skip
        except baseline_scores.BaselineError as refusal:
            refusal.row = rows[0]
            raise
        except SpecError as error:
            hint = Hint("cut texts into {split:sentences}, or take fewer {paths}")
            where = Where(instance=numbers[rows[0]])
            raise InstanceError(error.what, hint=hint, where=where) from None
        parts.append(part)
    return sampled_shapley.stacked(parts)


def lime_of_strings(
    model: Model,
    x: Tensors,
    baseline: Tensors,
    target: Array,
    sampling: Sampling,
    cuts: Sequence[Mapping[str, Cut]],
    strings: Sequence[str],
    *,
    seed: int,
    numbers: Sequence[int],
    instances: Sequence[int],
) -> Attribution:
    """Return LIME's coefficients for n rows: of the words of their texts, `cuts` [n].

    Of the features `strings`, those that are no text of an instance are in or out as a whole, and
    the baseline stands for them; the others are held. `numbers` and `instances` are those of
    `attribute`: one draw of samples explains all outputs of an instance.
    """
    found = []
    for _, group in groupby(range(len(target)), lambda row: instances[row]):
        rows = list(group)
        texts = {name: cut for name, cut in cuts[rows[0]].items() if name in strings}
        one = {name: value[rows[:1]] for name, value in x.items()}
        others = {name: baseline[name] for name in strings if name not in texts}
        whole = _of_rows(others, rows[:1])
        try:
            said = lime_of_words(
                model, one, texts, target[rows].tolist(), sampling,
                whole=whole, seed=seed, number=numbers[rows[0]],
            )  # fmt: skip
        except InstanceError as error:
            error.row = rows[0]
            raise
        nothing = {name: np.zeros((1, len(it.spans)), bool) for name, it in texts.items()}
        asked = model_of_parts(model, one, texts, sampling.mask)
        places = parts(texts, whole, bag=sampling.bag)
        part = Attribution(
            values=_placed(said.coefficients, places, whole),
            errors=_placed(said.errors, places, whole),
            score=said.scores,
            baseline_score=asked.outputs({**one, **whole, **nothing})[0, target[rows]],
            target=target[rows],
            approx_error=None,
            diagnostics={"r_squared": said.r_squared, "stability": said.stability},
        )
        found.append(part)
    return sampled_shapley.stacked(found)


def _placed(found: Array, places: Mapping[str, Array], whole: Tensors) -> dict[str, Array]:
    """Return what was found of each part, [k, p], as features [k, …]."""
    return {
        name: found[:, place].reshape(len(found), *_shape(whole.get(name), place))
        for name, place in places.items()
    }


def _shape(whole: Array | None, place: Array) -> tuple[int, ...]:
    """Return the shape of what a feature's values are given to: a string, or its parts."""
    return np.shape(place) if whole is None else np.shape(whole)[1:]


def _without(there: Tensors) -> dict[str, Array]:
    """Return texts of which no part is left."""
    return {name: np.zeros_like(value[:1]) for name, value in there.items()}


def _of_rows(tensors: Tensors, rows: Sequence[int]) -> dict[str, Array]:
    """Return some rows of tensors [n, …]; one row is for all."""
    return {name: value[rows] if len(value) > 1 else value for name, value in tensors.items()}
