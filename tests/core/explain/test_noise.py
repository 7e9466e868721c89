"""What is in the units of an input: SmoothGrad's noise and the blur, where nobody wrote them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.served import ServedFunction
from pellucid.explain.baselines import Baselines
from pellucid.explain.explainer import Explainer
from pellucid.explain.noise import noise_chosen, noise_warnings, with_noise_in_units
from pellucid.metadata.parameters import (
    ExplanationParameters,
    IntegratedGradients,
    SmoothGrad,
    Xrai,
)
from pellucid.metadata.spec import (
    Domain,
    Encoding,
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
)
from pellucid.model import FunctionModel

BYTES = Domain(minimum=0.0, maximum=255.0)
PICTURE = InputSpec(name="image", modality=Modality.IMAGE, domain=BYTES)
UNIT = InputSpec(name="unit", modality=Modality.IMAGE)
TABLE = InputSpec(name="table")
SPECS = (PICTURE, UNIT, TABLE)


def smooth(kind: Any = IntegratedGradients, **noise: Any) -> Any:
    return kind(smooth_grad=SmoothGrad(**noise))


@pytest.mark.parametrize("kind", [IntegratedGradients, Xrai])
def test_noise_that_nobody_wrote_is_a_tenth_of_the_range_and_said(kind: Any) -> None:
    method = with_noise_in_units(smooth(kind), SPECS)
    sigmas = {spec.name: method.smooth_grad.sigma(spec.name) for spec in SPECS}
    assert sigmas == {"image": 25.5, "unit": 0.1, "table": 0.1}
    assert str(noise_chosen(smooth(kind), SPECS)) == (
        "SmoothGrad's noise has the standard deviation 25.5 for 'image' (a tenth of its range, "
        "0..255), 0.1 for 'unit' (a tenth of its range, 0..1), 0.1 for 'table' (its range is not "
        "known); set another with noise_sigma=…"
    )
    assert list(noise_warnings(smooth(kind), SPECS)) == []


def test_noise_that_was_written_stays_and_is_warned_of_where_it_is_nothing() -> None:
    written = smooth(noise_sigma=0.1)
    assert with_noise_in_units(written, SPECS) == written
    assert noise_chosen(written, SPECS) is None
    assert [str(it) for it in noise_warnings(written, SPECS)] == [
        "SmoothGrad's noise of 0.1 is less than 1% of the range of 'image', 0..255, and smooths "
        "nothing; a tenth is usual: noise_sigma=25.5"
    ]
    apart = smooth(feature_noise_sigma=(("image", 20.0), ("unit", 0.001)))
    (warning,) = noise_warnings(apart, SPECS)
    assert "of 0.001 is less than 1% of the range of 'unit'" in str(warning)


def test_the_noise_is_what_the_model_is_asked_with() -> None:
    seen: list[float] = []

    def gradient(x: Any, target: Any) -> Any:
        seen.append(float(np.std(x["image"])))
        return {"image": np.ones_like(x["image"])}

    model = FunctionModel(
        lambda x: x["image"].sum((1, 2, 3))[:, None], gradient, frozenset({"image"})
    )
    chosen = Explainer(
        model=ServedFunction(model, (1,)),
        metadata=ExplanationMetadata(inputs=(PICTURE,), output=OutputSpec(name="y")),
        parameters=ExplanationParameters(method=smooth(noisy_sample_count=2)),
        input_keys={"image": "image"},
    )
    chosen.explain({"image": np.full((1, 32, 32, 3), 1.0)})
    assert np.mean(seen) == pytest.approx(25.5, rel=0.05)


# The blur is in pixels, and only pictures have any.


def baseline(spec: InputSpec, value: Any, *, encoded: bool) -> Any:
    method = IntegratedGradients(max_blur_sigma=1.5)
    made = Baselines(specs=(spec,), method=method, encoded=encoded, input_keys={})
    x = {spec.name: value}
    (found,) = made.made(None, x, x)  # type: ignore[arg-type]
    return made.blurs_nothing(x), found[spec.name]


@pytest.mark.parametrize(
    "more",
    [
        {"modality": Modality.TEXT},
        {"encoding": Encoding.CONCAT_EMBEDDING, "encoded_tensor_name": "e:0"},
        {"encoded_tensor_name": "e:0"},
    ],
)
def test_an_embedding_of_words_is_not_blurred(more: Any) -> None:
    value = np.random.default_rng(0).random((2, 10, 4))
    nothing, found = baseline(InputSpec(name="words", **more), value, encoded=True)
    assert nothing and not found.any()


def test_a_picture_with_channels_first_is_blurred_over_height_and_width() -> None:
    value = np.zeros((1, 3, 16, 20))
    value[0, 1, 8, 10] = 1.0
    nothing, found = baseline(InputSpec(name="x", modality=Modality.IMAGE), value, encoded=True)
    assert not nothing
    assert not found[0, [0, 2]].any() and found[0, 1].sum() == pytest.approx(1, abs=1e-3)
    assert found[0, 1, 8, 10] == pytest.approx(1 / (2 * np.pi * 1.5**2), rel=0.02)
    np.testing.assert_allclose(found[0, 1, 8, 7:14], found[0, 1, 5:12, 10])
