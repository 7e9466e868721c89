"""A baseline that a call chooses in the place of the metadata's: a word, numbers, or a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import SpecError, meant, refuse_remote
from pellucid.files import read_text
from pellucid.metadata import (
    Baseline,
    CallSettings,
    DomainBaseline,
    ExplanationMetadata,
    ExplanationParameters,
    FileBaseline,
    RandomBaseline,
    ValueBaseline,
)
from pellucid.model import Array
from pellucid.notices import Hint, Where

SETTING = Where(path="baseline")
PICTURES = (".png", ".jpg", ".jpeg")
FILES = (".npy", ".npz", *PICTURES, ".json")


class BaselineKind(Enum):
    """Baselines that depend on what is explained, or need no numbers."""

    ZERO = "zero"
    MEAN = "mean"
    BLUR = "blur"
    NOISE = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBaseline:
    """What a call wants for a baseline: a kind, or the values in the metadata; `said` names it."""

    kind: BaselineKind | None = None
    said: str

    @property
    def made(self) -> bool:
        """Whether it is made of what is explained, or drawn, so that people should be told."""
        return self.kind not in (None, BaselineKind.ZERO)


def choose_baseline(
    written: Any, metadata: ExplanationMetadata
) -> tuple[ChosenBaseline, ExplanationMetadata]:
    """Return what a call wants for a baseline, and the metadata with the values it has written.

    `written` is one of ``zero``, ``mean``, ``blur`` and ``noise``; a number, nested lists or an
    array; a file of FILES, as in metadata; or a mapping of inputs to any of these but the words.
    Text may be any of these as JSON. Raises SpecError.
    """
    if isinstance(written, str | BaselineKind):
        word = written.value if isinstance(written, BaselineKind) else written
        if word in _KINDS:
            return ChosenBaseline(kind=BaselineKind(word), said=word), metadata
    if isinstance(written, str):
        written = _parsed(written)
    if isinstance(written, str | PathLike):
        name = fspath(written)
        said = Path(name).name
        written = _of_file(Path(name), metadata)
    else:
        said = "as written in the call"
    names = [spec.name for spec in metadata.inputs]
    if isinstance(written, Mapping) and not {*written} & {"file", "random"}.difference(names):
        values = {name: _value(item) for name, item in written.items()}
    elif len(names) == 1:
        values = {names[0]: _value(written)}
    elif isinstance(written, int | float):
        values = {name: _value(written) for name in names}
    else:
        listed = ", ".join(f"'{name}'" for name in names)
        raise SpecError(
            f"is one value, and the inputs are {listed}",
            where=SETTING,
            hint="give an object of inputs, or a .npz file of arrays that are named after them",
        )
    for name in values:
        if name not in names:
            listed = ", ".join(f"'{it}'" for it in names)
            hint = meant(name, names) or f"they are {listed}"
            raise SpecError(f"'{name}' is not an input", where=SETTING, hint=hint)
    inputs = (
        replace(spec, input_baselines=(values[spec.name],), encoded_baselines=())
        if spec.name in values
        # All inputs that have baselines have as many.
        else replace(spec, input_baselines=(), encoded_baselines=())
        for spec in metadata.inputs
    )
    return ChosenBaseline(said=said), replace(metadata, inputs=tuple(inputs))


def without_blur(
    parameters: ExplanationParameters, baseline: ChosenBaseline, settings: CallSettings
) -> ExplanationParameters:
    """Return parameters whose blur, which is a baseline, gives way to the one that was chosen.

    Raises SpecError where the call itself asks for both.
    """
    if baseline.kind is BaselineKind.BLUR:
        return parameters
    if settings.blurs:
        what = f"'{baseline.said}' and a blurred picture are two baselines"
        raise SpecError(
            what, where=SETTING, hint=Hint("choose {baseline:blur}, or drop {blur_sigma}")
        )
    return replace(parameters, method=parameters.method.without_blur())


_KINDS = [it.value for it in BaselineKind]


def _parsed(text: str) -> Any:
    """Return text as JSON where it is numbers or an object, else as it is: a path."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(found, str) or found is None else found


def _of_file(path: Path, metadata: ExplanationMetadata) -> Any:
    """Return what a file says: itself, where it is an array or a picture. Raises SpecError."""
    refuse_remote(path, SpecError)
    if not path.is_file():
        words = ", ".join(_KINDS)
        near = meant(str(path), _KINDS)
        what = f"there is no file '{path}'" if path.suffix else f"'{path}' is no baseline"
        hint = "; ".join(
            filter(None, (near, f"choose {words}, a number, or a file ({', '.join(FILES)})"))
        )
        raise SpecError(what, where=SETTING, hint=hint)
    suffix = path.suffix.lower()
    if suffix not in FILES:
        what = f"'{path}' is no baseline"
        raise SpecError(what, where=SETTING, hint=f"the files are {', '.join(FILES)}")
    try:
        if suffix == ".json":
            return json.loads(read_text(path, "utf-8"))
        if suffix == ".npz":
            return _arrays(path, [spec.name for spec in metadata.inputs])
    except (OSError, ValueError, EOFError) as error:
        what = f"'{path}' cannot be read: {error}"
        raise SpecError(what, where=SETTING) from error
    return {"file": str(path)}


def _arrays(path: Path, names: list[str]) -> Any:
    with np.load(path, allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    lone = len(found) == 1 and len(names) == 1
    return next(iter(found.values())) if lone else found


def _value(item: Any) -> Baseline:
    """Return a baseline as metadata have it. Raises SpecError."""
    if isinstance(item, np.ndarray):
        return _numbers(item)
    match item:
        case {"file": str(name), **others} if not others:
            return FileBaseline(path=str(Path(name).absolute()))
        case {"random": {**options}, **others} if not others:
            seed = options.get("seed", 0)
            if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0:
                return RandomBaseline(seed=seed)
        case "min" | "max":
            return DomainBaseline(end=item)
    if isinstance(item, str | PathLike) and Path(item).is_file():
        return FileBaseline(path=str(Path(item).absolute()))
    if isinstance(item, str):
        if item in _KINDS:
            raise SpecError(f"'{item}' is for all inputs, not for one", where=SETTING)
        return ValueBaseline(item)
    try:
        return _numbers(np.asarray(item))
    except ValueError:
        return _numbers(np.asarray(None))


def _numbers(array: Array) -> Baseline:
    if array.dtype.kind not in "fiubSU" or not array.size:
        what = "must be a number, lists of one length at each depth, or a file"
        raise SpecError(what, where=SETTING)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise SpecError("is not finite", where=SETTING)
    return ValueBaseline(_nested(array.tolist()))


def _nested(value: Any) -> Any:
    return tuple(_nested(it) for it in value) if isinstance(value, list) else value
