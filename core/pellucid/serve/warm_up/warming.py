"""What a model is asked before it is served."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace

from pellucid.api import LoadedModel
from pellucid.errors import PellucidError
from pellucid.inputs import InputInfo, Instance, read_request

_FEW = {"step_count": 4, "max_steps": 4, "path_count": 2, "max_paths": 4, "num_samples": 20}
"""What a model is warmed up with, at most, by the fields of methods."""


def warm(model: LoadedModel) -> None:
    """Compile what requests need, so that the first does not wait, nor any other thread does it.

    What is compiled is the same for few steps, samples or paths as for many.
    """
    if model.compiler.predictor is not None:
        return  # nothing is compiled, and the predictor need not be there yet
    for gradients in (True, False):
        with contextlib.suppress(PellucidError):  # whoever asks for it will be told
            model.compiler.model(gradients=gradients)
    with contextlib.suppress(PellucidError):  # zeros are no instance for every model
        briefly(model).explain([_blank(model.inputs)])


def briefly(model: LoadedModel) -> LoadedModel:
    """Return the same model, explained by as little as its method can do with."""
    method = model.parameters.method
    few = {
        it.name: min(getattr(method, it.name), _FEW[it.name])
        for it in fields(method)
        if it.name in _FEW
    }
    noisy = getattr(method, "smooth_grad", None)
    if noisy is not None:
        few["smooth_grad"] = replace(noisy, noisy_sample_count=1)
    parameters = replace(model.parameters, method=replace(method, **few))
    explainers = (replace(it, parameters=parameters) for it in model.explainers)
    return replace(model, explainers=tuple(explainers))


def _blank(inputs: Sequence[InputInfo]) -> Instance:
    values = {}
    for info in inputs:
        value: object = "" if info.is_string else False if info.dtype == "bool" else 0
        for size in reversed(info.instance_shape or ()):
            value = [value] * (1 if size is None else size)
        values[info.name] = value
    return read_request({"instances": [values]}, inputs).instances[0]
