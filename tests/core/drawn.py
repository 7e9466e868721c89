"""Explanations made by hand, for the tests of what is drawn of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.api.explanations import Explanations
from pellucid.explain.results import Explanation, LabelAttribution
from pellucid.inputs.readers import Instance
from pellucid.metadata.parameters import ExplanationParameters, IntegratedGradients, Method
from pellucid.metadata.spec import (
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
    Visualization,
)


def label(values: dict[str, Any], *, name: str = "cat", index: int = 0, **given: Any) -> Any:
    arrays = {key: np.asarray(value, float) for key, value in values.items()}
    total = sum(float(value.sum()) for value in arrays.values())
    return LabelAttribution(
        **{
            "output": "subject",
            "index": (index,),
            "name": name,
            "score": 0.25 + total,
            "baseline_score": 0.25,
            "values": arrays,
            "features": arrays,
            "approx_error": 0.0,
            **given,
        }
    )


def explanations(
    specs: list[InputSpec],
    inputs: dict[str, Any],
    labels: list[Any],
    *,
    method: Method = IntegratedGradients(),
    value: object = None,
    source: str | None = None,
    given: dict[str, Any] | None = None,
) -> Explanations:
    """One instance, explained for some labels."""
    explanation = Explanation(
        prediction=np.array([each.score for each in labels]),
        labels=tuple(labels),
        inputs={name: np.asarray(array) for name, array in inputs.items()},
        given={name: np.asarray(array) for name, array in (given or inputs).items()},
    )
    return Explanations(
        items=(explanation,),
        instances=(Instance(value, {}, 0, source),),
        metadata=ExplanationMetadata(
            inputs=tuple(replace(spec, tensor_name=f"{spec.name}:0") for spec in specs),
            output=OutputSpec(name="subject", tensor_name="subject:0"),
        ),
        parameters=ExplanationParameters(method=method),
    )


def of_a_picture(
    attribution: Any, *, names: tuple[str, ...] = ("cat",), method: Any = None, **settings: Any
) -> Explanations:
    """A picture of noise [8, 10, 3] with this attribution, the same for each of the labels."""
    image = np.random.default_rng(3).uniform(0, 1, (8, 10, 3)).astype(np.float32)
    spec = InputSpec(name="image", modality=Modality.IMAGE, visualization=Visualization(**settings))
    labels = [label({"image": attribution}, name=n, index=i) for i, n in enumerate(names)]
    return explanations([spec], {"image": image}, labels, method=method or IntegratedGradients())
