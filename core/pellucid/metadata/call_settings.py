"""Settings of a call, over the parameters of a specification: what command line options say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from os import fspath
from pathlib import Path
from typing import Any, TypeVar

from pellucid.errors import SpecError, meant
from pellucid.metadata.example_spec import Examples
from pellucid.metadata.method import spelling_of
from pellucid.metadata.parameters import METHODS, CallSettings, ExplanationParameters, Setting
from pellucid.metadata.spec import Visualization
from pellucid.notices import Hint, Where

Record = TypeVar("Record", bound=Any)

SETTINGS: Mapping[str, Setting] = {
    it.name: it.metadata["setting"] for it in fields(CallSettings) if "setting" in it.metadata
}
"""The settings of methods by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOptions:
    """How a model is explained, over what its metadata say; None leaves something as it is.

    `settings` change `parameters`, by default the model's own; `visualization` takes the place of
    the metadata's, `seed` is the random seed.
    """

    settings: CallSettings = CallSettings()
    parameters: ExplanationParameters | None = None
    visualization: Visualization | None = None
    seed: int | None = None

    @classmethod
    def of(
        cls,
        *,
        parameters: ExplanationParameters | None = None,
        visualization: Visualization | None = None,
        seed: int | None = None,
        **settings: Any,
    ) -> ExplainOptions:
        """Return options by their names, those of the settings among them. Raises SpecError."""
        return cls(
            settings=call_settings(settings),
            parameters=parameters,
            visualization=visualization,
            seed=seed,
        )


def call_settings(options: Mapping[str, Any]) -> CallSettings:
    """Return settings by their names. Raises SpecError for a name that is none."""
    known = [it.name for it in fields(CallSettings)]
    for name in options:
        if name not in known:
            hints = (meant(name, known), f"the settings are {', '.join(known)}")
            raise SpecError(f"'{name}' is not a setting", hint="; ".join(filter(None, hints)))
    return CallSettings(**options)


def given_settings(settings: CallSettings) -> dict[str, Any]:
    """Return those of the settings that are set, by their names."""
    found = ((it.name, getattr(settings, it.name)) for it in fields(CallSettings))
    return {name: value for name, value in found if value is not None}


def with_settings(
    parameters: ExplanationParameters, settings: CallSettings
) -> ExplanationParameters:
    """Return the parameters with these settings. Raises SpecError for one out of range."""
    method = parameters.method
    if settings.method is not None and settings.method != method.name:
        method = _default_of(settings.method)
    method = _changed(method, settings)
    for name, value in _chosen(method):
        _check_range(name, value)
    method.check()
    result = replace(parameters, method=method)
    top_k = settings.top_k
    if top_k is None and settings.output_indices is None:
        counts = (it for it in fields(method) if spelling_of(it).counts_outputs)
        top_k = next((getattr(settings, str(spelling_of(it).setting)) for it in counts), None)
    if top_k is not None:
        if top_k < 1 and top_k != -1:
            raise _beyond("top_k", top_k, "1 or more, or -1 for all")
        result = replace(result, top_k=top_k, output_indices=None)
    if settings.output_indices is not None:
        indices = [(i,) if isinstance(i, int) else tuple(i) for i in settings.output_indices]
        result = replace(result, output_indices=tuple(indices))
    if settings.why_not is not None:
        result = replace(result, why_not=_label(settings.why_not))
    if result.why_not is not None and isinstance(result.method, Examples):
        what = "neighbours are those of the instance, whatever its label"
        raise SpecError(what, where=Where(path="why_not"), hint=Hint("choose another {method}"))
    return result


def _label(written: Any) -> str | tuple[int, ...]:
    """Return a label as it was named, or the index of it. Raises SpecError."""
    if isinstance(written, str):
        return written
    index = (written,) if isinstance(written, int) else tuple(written)
    if not all(isinstance(it, int) and not isinstance(it, bool) for it in index):
        what = f"{written!r} is neither the name of a label nor its index"
        raise SpecError(what, where=Where(path="why_not"))
    return index


def setting_names(record: Any) -> Iterator[str]:
    """Yield the names of the settings that a method, or its class, has."""
    for it in fields(record):
        spelling = spelling_of(it)
        if spelling.record is not None:
            yield from setting_names(spelling.record)
        elif spelling.setting is not None:
            yield spelling.setting


def _changed(record: Record, settings: CallSettings) -> Record:
    """Return a record with the settings that it has a field for."""
    changes: dict[str, Any] = {}
    for it in fields(record):
        spelling, before = spelling_of(it), getattr(record, it.name)
        if spelling.record is not None:
            if any(getattr(settings, name) is not None for name in setting_names(spelling.record)):
                changes[it.name] = _changed(before or spelling.record(), settings)
            continue
        value = None if spelling.setting is None else getattr(settings, spelling.setting)
        if value is not None:
            changes[it.name] = converted(str(spelling.setting), value)
            if spelling.instead_of is not None:
                changes[spelling.instead_of] = None
    return replace(record, **changes) if changes else record


def _chosen(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a method that are not None, by their names.

    What a document sets to 0, as no noise and no blur, is nothing to be judged here.
    """
    for it in fields(record):
        spelling, value = spelling_of(it), getattr(record, it.name)
        if spelling.record is not None and value is not None:
            yield from _chosen(value)
        elif spelling.setting is not None and value is not None:
            nothing = bool(spelling.keys) and isinstance(value, float) and value == 0
            yield from () if nothing else [(spelling.setting, value)]


def converted(name: str, value: Any) -> Any:
    """Return the value of a setting as its field has it. Raises SpecError."""
    kind = SETTINGS[name].kind
    if kind is float:
        return float(value)
    if issubclass(kind, Path):
        return fspath(value)
    if not issubclass(kind, Enum) or isinstance(value, kind):
        return value
    known = [str(it.value) for it in kind]
    if value not in known:
        raise _unknown(name, str(value), known)
    return kind(value)


def _check_range(name: str, value: Any) -> None:
    """Raise SpecError for what cannot be computed; what the services refused only warns."""
    setting = SETTINGS[name]
    if setting.least is not None and value < setting.least:
        raise _beyond(name, value, f"{setting.least} or more")
    if setting.above is not None and not value > setting.above:
        raise _beyond(name, f"{value:g}", f"above {setting.above:g}")


def _default_of(name: str) -> Any:
    """Return a method's default parameters by its name."""
    if name not in METHODS:
        raise _unknown("method", name, list(METHODS))
    return METHODS[name]()


def _unknown(name: str, value: str, known: Sequence[str]) -> SpecError:
    hints = (meant(value, known), f"choose one of {', '.join(known)}")
    where = Where(path=name)
    return SpecError(f"'{value}' is unknown", where=where, hint="; ".join(filter(None, hints)))


def _beyond(name: str, value: object, wanted: str) -> SpecError:
    return SpecError(f"{value} is out of range, must be {wanted}", where=Where(path=name))
