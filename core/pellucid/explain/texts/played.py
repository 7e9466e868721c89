"""Shapley values of words: each instance's texts are cut into players of their own."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.metadata import SampledShapley
from pellucid.methods import baseline_scores, sampled_shapley
from pellucid.methods.texts import Cut, TextModel
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
    seed: int,
    numbers: Sequence[int],
    instances: Sequence[int],
) -> Attribution:
    """Return the Shapley values of n rows, `cuts` [n] having the texts of each.

    Of a text, the values are those of its parts, and their baseline is the empty text, or the text
    with a mask in the place of all parts; other features are as in `sampled_shapley`. `numbers` and
    `instances` are those of `attribute`: each text is asked once for all outputs of its instance.
    """
    parts = []
    for _, group in groupby(range(len(target)), lambda row: instances[row]):
        rows = list(group)
        found = cuts[rows[0]]
        one = {name: value[rows] for name, value in x.items()}
        asked = TextModel(
            model=model,
            cuts=found,
            shapes={name: np.shape(one[name])[1:] for name in found},
            mask=method.mask,
        )
        there = {name: np.ones((len(rows), len(it.spans)), bool) for name, it in found.items()}
        starts = [_of_rows({**it, **_without(there)}, rows) for it in baselines]
        own = {name: labels[rows[0]] for name, labels in (regions or {}).items()}
        try:
            part = sampled_shapley.sampled_shapley(
                asked, {**one, **there}, starts, target[rows], method,
                groups=groups, regions=own, seed=seed,
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


def _without(there: Tensors) -> dict[str, Array]:
    """Return texts of which no part is left."""
    return {name: np.zeros_like(value[:1]) for name, value in there.items()}


def _of_rows(tensors: Tensors, rows: Sequence[int]) -> dict[str, Array]:
    """Return some rows of tensors [n, …]; one row is for all."""
    return {name: value[rows] if len(value) > 1 else value for name, value in tensors.items()}
