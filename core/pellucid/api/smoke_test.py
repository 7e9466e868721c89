"""A trial of a model: it is loaded, and one instance is explained, the baseline itself.

What only running tells: weights that are damaged inside, operations that refuse their inputs,
outputs without a batch axis.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np

from pellucid.api.loaded_model import LoadedModel
from pellucid.api.loading import load
from pellucid.errors import DependencyError, PellucidError
from pellucid.explain import baseline_array, is_image, zero
from pellucid.inputs import InputInfo, shape_text
from pellucid.linter import Linted
from pellucid.metadata import RULES
from pellucid.model import Array
from pellucid.problems import Problem, Severity
from pellucid.saved_model import MODEL_NAMES

_SIDE = 64
_DECODERS = frozenset(["DecodeJpeg", "DecodeAndCropJpeg", "DecodePng", "DecodeImage", "DecodeBmp"])


def smoke_test(
    linted: Linted, signature: str | None = None, tags: Sequence[str] | None = None
) -> Linted:
    """Return what was found at one path, and whether explaining fails, MD140.

    Where there are errors already, no model, or nothing that says what to explain, nothing is run.
    Raises DependencyError without TensorFlow.
    """
    directory = linted.path if linted.path.is_dir() else linted.path.parent
    models = [directory / name for name in MODEL_NAMES if (directory / name).is_file()]
    unknown = linted.text is None and linted.inferred is None
    if unknown or not models or any(it.severity is Severity.ERROR for it in linted.problems):
        return linted
    metadata = None if linted.path.is_dir() else linted.path
    what = "the model cannot be loaded"
    try:
        model = load(
            directory, metadata=metadata, signature=signature, tags=tags, warn=lambda message: None
        )
        instance = baseline_instance(model)
        what = f"a baseline instance ({_described(model, instance)}) cannot be explained"
        model.explain([instance])
    except DependencyError:
        raise
    except PellucidError as error:
        rule = RULES["MD140"]
        # The one instance is said already, and the directory is that of the file.
        where = error.where
        if where.instance is not None:
            where = replace(where, instance=None)
        if where.file == str(directory):
            where = replace(where, file="")
        reason = replace(error.notice, where=where).under(what)
        problem = Problem(
            message=reason.what,
            hint=reason.hint,
            severity=rule.severity,
            code=rule.code,
            rule=rule.name,
            file=str(models[0]),
        )
        return replace(linted, problems=(*linted.problems, problem))
    return replace(linted, notes=(*linted.notes, "a baseline instance was explained"))


def baseline_instance(model: LoadedModel) -> dict[str, Array]:
    """Return an instance that is the first baseline of each feature, and 0 where there is none.

    Axes of any size have 1, those of a picture 64. Where the model decodes pictures, a string is a
    black one; a probability to keep what dropout would drop is 1, as models divide by it.
    """
    keys = model.explainer.input_keys
    meta_graph = model.compiler.meta_graph
    bodies = [meta_graph.nodes, *(it.nodes for it in meta_graph.functions.values())]
    ops = frozenset[str]().union(*(nodes.ops for nodes in bodies))
    specs = {keys[it.name]: it for it in model.metadata.inputs if it.name in keys}
    instance = {}
    for info in model.inputs:
        spec, shape = specs.get(info.name), _shape(info)
        dtype = info.array_dtype
        value = zero(shape, dtype)
        if info.is_string and ops & _DECODERS:
            value = np.full(shape, _black_picture(ops), object)
        elif info.is_float and not shape and "keep" in info.name:
            value = np.ones(shape, dtype)
        elif spec is not None and spec.input_baselines:
            value = baseline_array(spec.input_baselines[0], shape, dtype, spec)
        instance[info.name] = value
    return instance


def _shape(info: InputInfo) -> tuple[int, ...]:
    shape = info.instance_shape or ()
    sides = 2 if info.is_float and len(shape) == 3 and is_image(shape) else 0
    return tuple(
        (_SIDE if axis < sides else 1) if size is None else size for axis, size in enumerate(shape)
    )


def _black_picture(ops: frozenset[str]) -> bytes:
    from PIL import Image

    data = BytesIO()
    jpeg = ops & {"DecodeJpeg", "DecodeAndCropJpeg"}
    Image.new("RGB", (_SIDE, _SIDE)).save(data, "JPEG" if jpeg else "PNG")
    return urlsafe_b64encode(data.getvalue()) if "DecodeBase64" in ops else data.getvalue()


def _described(model: LoadedModel, instance: dict[str, Any]) -> str:
    parts = (f"'{it.name}' {it.dtype} {shape_text(instance[it.name].shape)}" for it in model.inputs)
    return ", ".join(parts)
