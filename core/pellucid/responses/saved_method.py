"""A method with its settings in an ``.npz`` file: what it takes to caption and draw again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import Enum
from typing import Any, TypeVar

from pellucid.metadata import METHODS, Method, spelling_of

Record = TypeVar("Record", bound=Any)


def written_method(method: Method) -> dict[str, Any]:
    """Return a method as JSON, by its name and its fields."""
    plain = asdict(method.saved())
    settings = {k: v.value if isinstance(v, Enum) else v for k, v in plain.items()}
    return {"name": method.name, "settings": settings}


def read_method(document: Mapping[str, Any]) -> Method:
    """Return a method from its name and settings; those of other versions are passed over."""
    return _record(METHODS[document["name"]], document["settings"])


def _record(kind: type[Record], settings: Mapping[str, Any]) -> Record:
    """Return a record from its fields as JSON has them; what is missing has its default."""
    made = {}
    for field in fields(kind):
        if field.name in settings:
            value, inner = settings[field.name], spelling_of(field).record
            if isinstance(field.default, Enum):
                value = type(field.default)(value)
            elif inner is not None and value is not None:
                value = _record(inner, value)
            made[field.name] = _tuples(value)
    record: Record = kind(**made)
    return record


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
