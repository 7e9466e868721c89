"""Candidates: methods with their settings, by short names, or from a file with named parameters.

``ig``, ``ig:blur=20``, ``ig:steps=10``, ``ig:blur`` (a baseline), ``shapley:regions`` and
``lime:slic``: after the name of a method come its settings, by their names or the beginning of
these, a value that only one of its settings can have, or a kind of baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from pellucid.errors import InstanceError, SpecError, meant
from pellucid.explain import BaselineKind
from pellucid.inputs import Instance, parse_json
from pellucid.metadata import (
    METHODS,
    SETTINGS,
    CallSettings,
    Examples,
    ExplanationMetadata,
    ExplanationParameters,
    Method,
    Modality,
    call_settings,
    given_settings,
    setting_names,
    with_settings,
)
from pellucid.metadata.documents import parse_parameters, raise_errors, read_text
from pellucid.notices import Warn, Where

_KINDS = tuple(str(it.value) for it in BaselineKind)
PIXELS, MOST = 224 * 224, 1000
"""Of a method that draws more samples for a picture, as many are drawn as one begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A method that is judged: its `name` in the table, and what it is explained with.

    `settings` are those of a call, over `parameters` where these are given by a file. `described`
    are metadata with baselines of the candidate's own, or what returns those of an instance.
    `note` is what there is to say of its settings.
    """

    name: str
    settings: CallSettings = CallSettings()
    parameters: ExplanationParameters | None = None
    described: ExplanationMetadata | Callable[[Instance], ExplanationMetadata] | None = None
    note: str = ""

    def described_for(self, record: Instance) -> ExplanationMetadata | None:
        """Return the metadata that an instance is explained with, None for those of the model."""
        return self.described(record) if callable(self.described) else self.described

    @property
    def method(self) -> Method:
        """The method, with all of its settings."""
        return with_settings(self.parameters or ExplanationParameters(), self.settings).method


def short_names() -> dict[str, CallSettings]:
    """Return what candidates may be called: every name of a method that attributes."""
    found = {}
    for name, method in METHODS.items():
        if method.effort is not None:
            for preset, settings in {name: {}, **method.presets}.items():
                found[preset] = call_settings({"method": name, **settings})
    return found


def usual_candidates(modalities: Collection[Modality]) -> list[Candidate]:
    """Return the candidates where none are named: each method by its shortest name, and presets."""
    names, pictures = [], Modality.IMAGE in modalities
    for name, method in METHODS.items():
        only = method.explains_only
        if method.effort is None or (only and only.isdisjoint(modalities)):
            continue
        presets = sorted(method.presets, key=lambda it: len(method.presets[it]))
        plain = [it for it in presets if not method.presets[it]] or [name]
        names += [plain[0], *(it for it in presets if method.presets[it] and pictures)]
    return [candidate_of(name, modalities) for name in names]


def candidates_of(
    written: Iterable[str | Candidate],
    modalities: Collection[Modality] = (),
    warn: Warn = lambda notice: None,
) -> list[Candidate]:
    """Return candidates by what is written, each a name with settings or a JSON file of several.

    `modalities` are those of the inputs. Raises SpecError for what is no candidate, and where two
    have the same name.
    """
    found: list[Candidate] = []
    for it in written:
        if isinstance(it, Candidate):
            found.append(it)
        elif it.endswith(".json"):
            found += _of_file(Path(it), warn)
        else:
            found.append(candidate_of(it, modalities))
    names = [it.name for it in found]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"there are two candidates '{name}'", hint="name each of them once")
    return found or usual_candidates(modalities)


def candidate_of(written: str, modalities: Collection[Modality] = ()) -> Candidate:
    """Return the candidate that a name with settings means; of pictures, what is usual for them."""
    name, *parts = (it.strip() for it in written.split(":"))
    known = short_names()
    if name not in known:
        hints = (meant(name, list(known)), f"choose from {', '.join(known)}, or name a .json file")
        raise SpecError(f"'{name}' is not a method", hint="; ".join(filter(None, hints)))
    method = METHODS[str(known[name].method)]
    usual = method.for_images if Modality.IMAGE in modalities else {}
    settings: dict[str, Any] = {**usual, **given_settings(known[name])}
    for part in parts:
        key, value = _setting(method, part, written)
        settings[key] = value
    pictures = Modality.IMAGE in modalities and usual.items() <= settings.items()
    try:
        return _affordable(written, settings) if pictures else _made(written, settings)
    except SpecError as error:
        raise error.under(f"'{written}'") from error


def _made(written: str, settings: Mapping[str, Any]) -> Candidate:
    candidate = Candidate(name=written, settings=call_settings(settings))
    _ = candidate.method  # which judges the settings
    return candidate


def _affordable(written: str, settings: Mapping[str, Any]) -> Candidate:
    """Return a candidate for pictures that draws no more samples than is said to be much."""
    plain = _made(written, settings)
    method, effort = plain.method, plain.method.effort
    if effort is None or not method.sampled or effort.setting in settings:
        return plain
    if method.tolerance is not None or method.cost(PIXELS, 1) <= MOST:
        return plain
    fewer = _made(written, {**settings, effort.setting: effort.start})
    note = (
        f"'{written}' is judged as {fewer.method.caption()}, where an explanation is "
        f"{plain.method.caption()}: name {written}:{effort.setting}=N for another number."
    )
    return replace(fewer, note=note)


def _setting(method: type[Method], part: str, written: str) -> tuple[str, Any]:
    """Return which setting a part of a name means, and its value."""
    names = list(setting_names(method))
    key, equals, value = part.partition("=")
    if equals:
        options = [key] if key in names else [it for it in names if it.startswith(f"{key}_")]
        if key == "baseline":
            options = ["baseline"]
        if len(options) == 1 and value:
            return options[0], _value(options[0], value, written)
        what = f"'{written}': '{key}' is not one setting of {method.title}"
        raise SpecError(what, hint=f"it has {', '.join([*names, 'baseline'])}")
    holders = [it for it in names if _is_choice(it) and part in _choices(it)]
    if len(holders) == 1:
        return holders[0], part
    if part in _KINDS:
        return "baseline", part
    words = [word for it in names if _is_choice(it) for word in _choices(it)]
    raise SpecError(
        f"'{written}': '{part}' is no setting of {method.title}",
        hint=f"write name=value of {', '.join(names)}, or one of {', '.join([*words, *_KINDS])}",
    )


def _is_choice(name: str) -> bool:
    return issubclass(SETTINGS[name].kind, Enum)


def _choices(name: str) -> list[str]:
    return [str(it.value) for it in SETTINGS[name].kind]  # type: ignore[attr-defined]


def _value(name: str, value: str, written: str) -> Any:
    if name == "baseline" or SETTINGS[name].kind not in (int, float, bool):
        return value
    kind = SETTINGS[name].kind
    if kind is bool:
        if value not in ("true", "false"):
            raise SpecError(f"'{written}': {name} is true or false, and '{value}' is neither")
        return value == "true"
    try:
        return kind(value)
    except ValueError:
        what = f"'{written}': {name} is a number, and '{value}' is none"
        raise SpecError(what) from None


def _of_file(path: Path, warn: Warn) -> list[Candidate]:
    """Return the candidates of a file: an object of names and ExplanationParameters."""
    where = Where(file=str(path))
    try:
        document = parse_json(read_text(path), where)
    except InstanceError as error:  # which is of no instance here
        raise SpecError(error.what, where=error.where) from error
    if not isinstance(document, Mapping) or not document:
        hint = 'write {"name": {"integratedGradientsAttribution": {…}}, …}'
        raise SpecError("is no object of names and parameters", where=where, hint=hint)
    found = []
    for name, value in document.items():
        if not isinstance(value, Mapping):
            raise SpecError("is no object of parameters", where=where.below(str(name)))
        parameters, problems = parse_parameters(value, file=str(path))
        raise_errors([replace(it, file=f"{path}: {name}") for it in problems], warn)
        if parameters is None or isinstance(parameters.method, Examples):
            raise SpecError("has no method that attributes", where=where.below(str(name)))
        found.append(Candidate(name=str(name), parameters=parameters))
    return found
