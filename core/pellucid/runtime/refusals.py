"""What to say of a model that no backend carries: what failed, whose fault it is, what works."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.errors import ModelError, NotDifferentiableError
from pellucid.model import Array
from pellucid.notices import Where
from pellucid.runtime.backends.base import CompileSpec
from pellucid.runtime.engine.failures import NoGradient, Unsupported, sentence

# Of a record that is parsed.
_LACKS = re.compile(r"Feature: (.+?) \(data type: (\w+)\) is required but could not be found")
# Of a row of CSV, as it numbers columns from 0.
_COLUMNS = re.compile(r"Expect (\d+) fields but have (\d+) in record")
_EMPTY = re.compile(r"Field (\d+) is required but missing in record")
_NO_NUMBER = re.compile(r"Field (\d+) in record \d+ is not a valid (\w+): (.*?)(?: \(at '|$)")
GRADIENTS = ("path_gradient", "gradients_reach")


@dataclass(frozen=True, slots=True)
class Failure:
    """How one backend failed, and at what: a kernel, or None while it was loaded.

    `loader` tells that it was loading the model as TensorFlow itself does.
    """

    error: Exception
    kernel: str | None = None
    loader: bool = False


def refused(error: Exception) -> str:
    """Return the sentence for values that the model does not take."""
    said = sentence(error)
    lacks = _LACKS.search(said)
    if lacks:
        return f"the record lacks the feature '{lacks[1]}' ({lacks[2]}), which the model requires"
    return _of_row(said) or f"the model cannot take this: {said}"


def _of_row(said: str) -> str | None:
    """Return the sentence for a row of CSV that does not fit, None if it is about none."""
    if columns := _COLUMNS.search(said):
        wants, has = columns.groups()
        return f"the row has {has} column{'s' * (has != '1')}, and the model takes {wants}"
    if empty := _EMPTY.search(said):
        return f"column {int(empty[1]) + 1} of the row is empty, and the model requires it"
    if wrong := _NO_NUMBER.search(said):
        return f"column {int(wrong[1]) + 1} of the row is '{wrong[3]}', which is no {wrong[2]}"
    return None


def check_rows(what: str, value: Array, rows: int) -> None:
    """Raise ModelError for a tensor that has no row for each of so many instances."""
    shape = list(np.shape(value))
    if shape[:1] != [rows]:
        raise ModelError(
            f"{what} has shape {shape} for {rows} instances: its first axis is not the batch"
        )


def blocked(compile_spec: CompileSpec, error: NoGradient) -> NotDifferentiableError:
    """Return the error that names the innermost operation that stops the gradients."""
    obstacles = compile_spec.obstacles()
    node, op = error.node, error.op
    for name in compile_spec.explained if error.feature is None else [error.feature]:
        found = obstacles.get(name)
        if found is not None and found.whole:
            node, op = found.node, found.op
            break
    if error.lacking:
        return NotDifferentiableError(
            f"TensorFlow has no gradient for operation '{node}' ({op}), which is between the "
            "explained inputs and the output",
            hint=compile_spec.way_out(),
        )
    return NotDifferentiableError(
        f"no gradient reaches '{error.feature}': operation '{node}' ({op}) on the way to the "
        "output is not differentiable",
        hint=compile_spec.way_out(),
    )


def carried_by_none(
    compile_spec: CompileSpec, failures: Sequence[Failure], kernel: str | None
) -> ModelError:
    """Return the error for a model that every backend has failed at.

    `kernel` is what was asked, None while the model was loaded. Where a backend computes the output
    and only the question fails, it is the question that the error is about; where each has failed
    to load the model, it is TensorFlow's fault only if TensorFlow's own loaders have failed.
    """
    where = Where(file=str(compile_spec.directory))
    asked = [it for it in failures if it.kernel == kernel] or list(failures)
    true = [it for it in asked if not isinstance(it.error, Unsupported)] or asked
    if kernel in GRADIENTS:
        what = f"no gradient can be taken of this model: {_reasons(true)}"
        return NotDifferentiableError(what, where=where, hint=compile_spec.way_out())
    if kernel is not None:
        what = f"TensorFlow fails when it runs this model: {_reasons(true)}"
        return ModelError(what, where=where)
    loading = [it for it in true if it.loader and not isinstance(it.error, Unsupported)]
    if loading:
        what = f"TensorFlow cannot run this model: {_reasons(loading)}"
    else:
        what = f"this cannot be computed of the model: {_reasons(true)}"
    return ModelError(what, where=where)


def _reasons(failures: Sequence[Failure]) -> str:
    return "; ".join(dict.fromkeys(sentence(it.error) for it in failures))
