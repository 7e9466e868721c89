"""An instance is explained as it is alone, whoever is explained with it.

A server puts together what several people ask for, each of whom counts from 0; a batch cuts its
inputs into blocks. Neither may be seen in an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.inputs import Instance, read_request
from pellucid.methods.integrated_gradients import completeness_error
from pellucid.notices import Message
from places import SAMPLES

METHODS: Mapping[str, dict[str, Any]] = {
    "integrated gradients": {"method": "integrated-gradients"},
    "SmoothGrad": {"method": "integrated-gradients", "noisy_samples": 2, "noise_sigma": 0.1},
    "XRAI": {"method": "xrai", "steps": 5},
    "Shapley": {"method": "sampled-shapley", "paths": 1},
    "Shapley of regions": {"method": "sampled-shapley", "paths": 2, "players": "regions"},
    "LIME": {"method": "lime", "samples": 50, "segmentation": "slic"},
}


def silent(message: Message) -> None:
    """Digits that hardly change the output, and the like."""


def digits(count: int) -> list[Any]:
    """Pictures of boxes, each of which has its own place and size."""
    pictures = np.zeros((count, 28, 28), np.float32)
    for number, picture in enumerate(pictures):
        picture[2 + number : 14 + 2 * number, 6 + number : 14 + number] = 1
    return list(pictures)


def first_of_its_request(picture: Any, model: pellucid.LoadedModel) -> Instance:
    return read_request({"instances": [picture.tolist()]}, model.inputs).instances[0]


@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
def test_the_first_instances_of_several_requests_are_not_mixed_up(options: dict[str, Any]) -> None:
    model = pellucid.load(SAMPLES / "digits" / "model", warn=silent, top_k=2, **options)
    records = [first_of_its_request(picture, model) for picture in digits(3)]
    for record, together in zip(records, model.explain(records), strict=True):
        (alone,) = model.explain([record])
        for label, other in zip(alone.labels, together.labels, strict=True):
            found, expected = other.values["image"], label.values["image"]
            assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
            for name, patches in label.segments.items():
                np.testing.assert_array_equal(other.segments[name], patches)


@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
def test_the_company_moves_no_more_than_the_last_bits(options: dict[str, Any]) -> None:
    """Kernels for few rows round otherwise than those for many: the README says by how much."""
    model = pellucid.load(SAMPLES / "digits" / "model", warn=silent, **options)
    pictures = digits(6)
    (alone,) = model.explain(pictures[:1])
    for count in (2, 6):
        together = model.explain(pictures[:count])[0]
        for one, other in zip(alone.labels, together.labels, strict=True):
            values, others = one.values["image"], other.values["image"]
            assert np.abs(values - others).max() <= 1e-5 * np.abs(values).max()


def test_an_error_is_added_up_alike_for_one_row_and_for_several() -> None:
    """What the model says may differ in its last bits between one row and several; a sum may not."""
    draws = np.random.default_rng(3)
    values = {"a": draws.normal(size=(40, 9, 13)), "b": draws.normal(size=40)}
    difference = draws.normal(size=40)
    together = completeness_error(values, difference)
    for i in range(40):
        one = {name: value[[i]] for name, value in values.items()}
        assert completeness_error(one, difference[[i]]) == together[i]
