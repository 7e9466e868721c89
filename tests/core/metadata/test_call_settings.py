"""Settings of a call, whichever method they are for: found, converted, bounded, kept apart."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid.errors import SpecError
from pellucid.metadata import (
    Examples,
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    Method,
    Players,
    Quadrature,
    Query,
    SampledShapley,
    Segmentation,
    SmoothGrad,
    Xrai,
    call_settings,
    with_settings,
)


def chosen(before: Method = IntegratedGradients(), /, **settings: Any) -> Method:
    parameters = ExplanationParameters(method=before)
    return with_settings(parameters, call_settings(settings)).method


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, IntegratedGradients()),
        ({"steps": 9, "quadrature": "midpoint"}, IntegratedGradients(step_count=9, quadrature=Quadrature.MIDPOINT)),
        ({"tolerance": 0.1, "max_steps": 90}, IntegratedGradients(tolerance=0.1, max_steps=90)),
        ({"noisy_samples": 5}, IntegratedGradients(smooth_grad=SmoothGrad(noisy_sample_count=5))),
        ({"noise_sigma": 0.5}, IntegratedGradients(smooth_grad=SmoothGrad(noise_sigma=0.5))),
        ({"blur_sigma": 20, "paths": 7}, IntegratedGradients(max_blur_sigma=20.0)),
        ({"method": "xrai", "steps": 7, "quadrature": "midpoint"}, Xrai(step_count=7)),
        ({"method": "sampled-shapley", "paths": 8, "max_steps": 90}, SampledShapley(path_count=8, max_paths=90)),
        ({"method": "sampled-shapley", "players": Players.REGIONS}, SampledShapley(players=Players.REGIONS)),
        ({"method": "lime", "samples": 9, "segmentation": "slic"}, Lime(num_samples=9, segmentation_alg=Segmentation.SLIC)),
        ({"method": "examples", "neighbors": 3, "index": "i.npz", "query": "fast"}, Examples(neighbor_count=3, index="i.npz", query=Query.FAST)),
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_goes_to_the_field_that_it_names(
    settings: dict[str, Any], expected: Method
) -> None:
    assert chosen(**settings) == expected


def test_what_is_not_set_stays_as_it_was() -> None:
    before = Xrai(step_count=7, max_blur_sigma=2.0)
    assert chosen(before, method="xrai", tolerance=0.1) == Xrai(
        step_count=7, max_blur_sigma=2.0, tolerance=0.1
    )
    assert chosen(before, method="integrated-gradients") == IntegratedGradients()


def test_one_noise_takes_the_place_of_that_of_each_feature() -> None:
    before = IntegratedGradients(smooth_grad=SmoothGrad(feature_noise_sigma=(("x", 1.0),)))
    smooth = SmoothGrad(noise_sigma=0.2, feature_noise_sigma=None)
    assert chosen(before, noise_sigma=0.2) == IntegratedGradients(smooth_grad=smooth)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 0}, "steps: 0 is out of range, must be 1 or more"),
        ({"noisy_samples": 0}, "noisy_samples: 0 is out of range, must be 1 or more"),
        ({"tolerance": -0.5}, "tolerance: -0.5 is out of range, must be above 0"),
        ({"noise_sigma": -1.0}, "noise_sigma: -1 is out of range, must be above 0"),
        ({"tolerance": 0.1, "max_steps": 2}, "max_steps: 2 is out of range, must be 3 or more"),
        ({"method": "lime", "samples": 1}, "samples: 1 is out of range, must be 2 or more"),
        (
            {"quadrature": "midpiont"},
            "quadrature: 'midpiont' is unknown; did you mean 'midpoint'?; choose one of "
            "gauss-legendre, midpoint, trapezoid",
        ),
        (
            {"tolerance": 0.1, "noisy_samples": 2},
            "tolerance: cannot be kept with noisy samples, which do not end at the instance; leave "
            "out one of the two",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_computed_costs_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        chosen(**settings)
    assert str(caught.value) == sentence


def test_a_document_may_say_that_there_is_no_noise() -> None:
    before = IntegratedGradients(smooth_grad=SmoothGrad(noise_sigma=0.0), max_blur_sigma=0.0)
    assert chosen(before, steps=50) == before
