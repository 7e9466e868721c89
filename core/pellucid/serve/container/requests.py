"""What a request to a custom container asks: predictions, and which of them are explained how."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.errors import SpecError, meant
from pellucid.inputs import kind_of
from pellucid.notices import Where

EXPLAIN = "explain"
"""The key of an instance, and of ``parameters``, that asks for an explanation."""
PARAMETERS = "parameters"


@dataclass(frozen=True, slots=True)
class Wishes:
    """A request without its wishes, and these.

    `document` is what is left: the request for predictions. `explained` has the places of the
    instances to explain, and `settings` the rest of ``parameters``: how.
    """

    document: Any
    explained: tuple[int, ...]
    settings: Mapping[str, object]


def wishes_of(document: object, names: Collection[str]) -> Wishes:
    """Return what a parsed request asks for; keys called as `names` are the model's own.

    ``parameters.explain`` speaks for all instances, ``explain`` of an instance for this one. Raises
    SpecError for what is neither true nor false, and for settings of nothing.
    """
    if not isinstance(document, dict):
        return Wishes(document, (), {})  # whoever reads it says what is wrong
    settings = _parameters(document.get(PARAMETERS))
    for_all = _flag(settings.pop(EXPLAIN, None), Where(path=f"{PARAMETERS}.{EXPLAIN}"))
    given = document.get("instances")
    instances = list(given) if isinstance(given, list) else [given]
    explained, told = [], for_all is not None
    for place, instance in enumerate(instances):
        wish = for_all
        if EXPLAIN not in names and isinstance(instance, dict) and EXPLAIN in instance:
            own = _flag(instance[EXPLAIN], Where(instance=place, path=EXPLAIN))
            wish, told = (for_all if own is None else own), True
            instances[place] = {k: v for k, v in instance.items() if k != EXPLAIN}
        if wish:
            explained.append(place)
    _refuse_typing_errors(settings)
    if settings and not told:
        raise SpecError(
            "say how to explain, but nothing is to be explained",
            where=Where(path=PARAMETERS),
            hint=f'add "{EXPLAIN}": true',
        )
    left = {key: value for key, value in document.items() if key != PARAMETERS}
    if "instances" in left:
        left["instances"] = instances if isinstance(given, list) else instances[0]
    return Wishes(left, tuple(explained), settings)


def _parameters(given: object) -> dict[str, object]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        what = f"must be an object, got {kind_of(given)}"
        raise SpecError(what, where=Where(path=PARAMETERS))
    return dict(given)


def _flag(value: object, where: Where) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise SpecError(f"must be true or false, got {kind_of(value)}", where=where)
    return value


def _refuse_typing_errors(settings: Mapping[str, object]) -> None:
    """Raise SpecError for a key that was meant to be ``explain``: settings have none like it."""
    for key in settings:
        hint = meant(key, (EXPLAIN,), cutoff=0.8)
        if hint:
            raise SpecError(f"unknown key '{key[:50]}'", where=Where(path=PARAMETERS), hint=hint)
