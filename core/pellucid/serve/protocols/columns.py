"""TensorFlow Serving's columnar format: an array for each input, and one for each output.

"inputs": a bare array for a model with one input, or an object of arrays by name; the first axis of
each counts the instances. "outputs" is a bare array where the model has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.errors import InstanceError
from pellucid.inputs import GridReader, InputInfo, is_binary, kind_of, parse_json
from pellucid.model import Rows
from pellucid.notices import Where


def rows_of(request: Mapping[str, Any], inputs: Sequence[InputInfo]) -> dict[str, Any]:
    """Return a request in columns as one in rows. Raises InstanceError."""
    given = request["inputs"]
    rest = {key: value for key, value in request.items() if key != "inputs"}
    if isinstance(given, Rows):  # that were read already
        return {**rest, "instances": given}
    if not isinstance(given, Mapping) or is_binary(given):
        if len(inputs) > 1:
            names = ", ".join(it.name for it in inputs)
            raise InstanceError(
                f"is one array, and the model has several inputs: {names}",
                where=Where(path="inputs"),
            )
        if not isinstance(given, list):
            raise InstanceError(
                f"must be a list, an entry for each instance, got {kind_of(given)}",
                where=Where(path="inputs"),
            )
        return {**rest, "instances": given}
    lengths: dict[str, int] = {}
    for name, column in given.items():
        if not isinstance(column, list):
            raise InstanceError(
                f"must be a list, an entry for each instance, got {kind_of(column)}",
                where=Where(path=f"inputs.{name}"),
            )
        lengths[name] = len(column)
    if len({*lengths.values()}) > 1:
        said = ", ".join(f"'{name}' {count}" for name, count in lengths.items())
        raise InstanceError(
            f"columns must have as many entries as there are instances, and have: {said}",
            where=Where(path="inputs"),
        )
    rows = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    return {**rest, "instances": rows}


def from_grid(body: memoryview, grids: GridReader, *, columnar: bool) -> dict[str, Any] | None:
    """Return a request whose rows, or one column, were read as a grid; None if they are none."""
    found = grids.read(body)
    document = None if found is None else parse_json(found[0])
    if found is None or not isinstance(document, dict):
        return None
    (name,) = found[1]
    key, given = "instances", document.get("instances")
    if columnar and given is None:
        key, given = "inputs", document.get("inputs")
        given = given.get(name) if isinstance(given, dict) and len(given) == 1 else given
    return {**document, key: found[1]} if given == [] else None


def columns_of(rows: Sequence[Any]) -> dict[str, Any]:
    """Return predictions, a value or an object of outputs for each instance, in columns."""
    if rows and all(isinstance(row, dict) and not is_binary(row) for row in rows):
        return {"outputs": {name: [row[name] for row in rows] for name in rows[0]}}
    return {"outputs": list(rows)}
