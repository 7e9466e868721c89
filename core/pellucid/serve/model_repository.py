"""The models that are served: their names and versions, and loading them anew when they change.

A model is loaded aside and takes the place of the old one when it is ready; one that cannot be
loaded leaves the old one where it is, and says so.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias

from pellucid.api import LoadedModel
from pellucid.errors import ModelError, PellucidError, SpecError, did_you_mean
from pellucid.inputs import GridReader
from pellucid.metadata import METADATA_FILE
from pellucid.notices import Message, Notice, Warn, Where
from pellucid.predictor import is_address
from pellucid.remote import address_of, check_installed, place_of
from pellucid.saved_model import MODEL_NAMES, Stamp, brought, model_file, stamp, stamp_of_address
from pellucid.serve.batcher import Batcher
from pellucid.serve.http_errors import HttpError
from pellucid.serve.limits import Limits
from pellucid.serve.warm_up import Sparing, warm

Load: TypeAlias = Callable[[Path], LoadedModel]
Policy: TypeAlias = Callable[[Sequence[int]], set[int]]
"""Which of the numbered versions that are there are served."""

ONLY_VERSION = "1"
"""What the version of a model directory without versions is called."""

MANY = 1000
"""The outputs of a model whose shape does not say how many it has."""

_NUMBER = re.compile(r"[0-9]{1,18}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in use; `generation` tells it from every other that this server loaded."""

    model: LoadedModel
    generation: int
    stamp: Stamp
    grids: GridReader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "grids", GridReader(self.model.inputs))

    @property
    def outputs(self) -> int:
        """How many outputs the explained tensors have, as far as their shapes say."""
        infos = self.model.compiler.signature.outputs
        first = next(iter(infos.values()))
        found = [infos.get(it.name, first) for it in self.model.metadata.outputs]
        shapes = (it.shape or (None, None) for it in found)
        return sum(math.prod(size or MANY for size in shape[1:]) for shape in shapes)


@dataclass(slots=True)
class Version:
    """One version of a model: where it is, and what of it is loaded.

    `seen` is what its directory looked like last, and `refused` what it looked like when it could
    not be loaded. Of one elsewhere, `source` is the address, and `directory` the copy in use; it is
    `lost` while the store does not answer.
    """

    name: str
    directory: Path
    source: str | None = None
    loaded: Loaded | None = None
    seen: Stamp = ()
    refused: Stamp | None = None
    lost: bool = False


@dataclass(slots=True)
class ModelEntry:
    """A name that is served, and its versions; the last in natural order is the default.

    With a `policy`, versions are folders with numbers, and it says which of them are served.
    """

    name: str
    root: Path
    versions: dict[str, Version] = field(default_factory=dict)
    policy: Policy | None = None

    @property
    def default(self) -> Version:
        """The newest version that is loaded, or the newest if none is yet."""
        newest = sorted(self.versions.values(), key=lambda v: _natural(v.name), reverse=True)
        return next((v for v in newest if v.loaded is not None), newest[0])

    @property
    def wanted(self) -> set[str]:
        """The versions that are to be loaded, whether anybody has asked for them or not.

        None is while no version is there: what was loaded last goes on answering.
        """
        if self.policy is None:
            return {max(self.versions, key=_natural)}
        there = numbered(self.root)
        return {there[number].name for number in self.policy(list(there))}


class ModelRepository:
    """The models of a server, by name.

    `load` loads a directory and is called on a thread of the device's. `say` is given what people
    should know; `on_reload` the model's name and whether it went well. A request may hold a model
    for so many `seconds`.
    """

    def __init__(
        self,
        models: Sequence[ModelEntry],
        load: Load,
        batcher: Batcher,
        *,
        say: Warn,
        on_reload: Callable[[str, bool], None] = lambda name, well: None,
        seconds: float = Limits().seconds,
    ) -> None:
        self.models = {model.name: model for model in models}
        self._load = load
        self._batcher = batcher
        self._say = say
        self._on_reload = on_reload
        self._sparing = Sparing(seconds)
        self._generations = itertools.count()
        self._loading = asyncio.Lock()

    @property
    def ready(self) -> bool:
        """Whether every model can answer."""
        return all(model.default.loaded is not None for model in self.models.values())

    def named(self, name: str) -> ModelEntry:
        """Return a model by its name. Raises HttpError."""
        if name not in self.models:
            known = list(self.models)
            hint = did_you_mean(name, known) or "; served here: " + ", ".join(known)
            raise HttpError(HTTPStatus.NOT_FOUND, f"there is no model '{name}'{hint}")
        return self.models[name]

    async def find(self, name: str, version: str | None) -> Loaded:
        """Return a model that answers requests. Raises HttpError if there is none, or not yet.

        A version other than the default is loaded when it is first asked for.
        """
        model = self.named(name)
        if version is not None and version not in model.versions:
            known = ", ".join(f"'{v}'" for v in sorted(model.versions, key=_natural))
            raise HttpError(
                HTTPStatus.NOT_FOUND, f"model '{name}' has no version '{version}'; it has {known}"
            )
        found = model.default if version is None else model.versions[version]
        if found.loaded is None and version is not None and model.default.loaded is not None:
            await self._load_now(model, found)
        if found.loaded is None:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE, f"model '{name}' is not ready yet", retry_after=1
            )
        return found.loaded

    async def load_all(self) -> None:
        """Load the default version of each model. Raises what the loading raises."""
        for model in self.models.values():
            for name in sorted(model.wanted, key=_natural, reverse=True):
                version = model.versions.get(name)
                if version is not None:
                    await self._handler(model, version, _stamp(version))
        self._sparing.begin()

    def close(self) -> None:
        """Leave the garbage collector as it was."""
        self._sparing.end()

    async def watch(self, seconds: float) -> None:
        """Look every so often for directories that changed, and load those anew."""
        while True:
            await asyncio.sleep(seconds)
            for model in self.models.values():
                await self._look(model)

    async def _look(self, model: ModelEntry) -> None:
        find_versions(model, self._say)
        wanted = model.wanted
        for version in list(model.versions.values()):
            used = version.name in wanted or (model.policy is None and version.loaded is not None)
            now = await self._looked_at(model, version)
            # A directory that is being written looks different each time: it is left alone.
            settled, version.seen = now == version.seen, now
            before = version.loaded.stamp if version.loaded is not None else None
            if used and now and settled and now not in (before, version.refused):
                await self._load_anew(model, version, now)
        if model.policy is not None:
            self._drop(model, wanted)

    def _drop(self, model: ModelEntry, wanted: set[str]) -> None:
        """Serve no more what the policy does not want, once all that it wants can answer."""
        found = [model.versions.get(name) for name in wanted]
        if not found or any(it is None or it.loaded is None for it in found):
            return
        for name in [it for it in model.versions if it not in wanted]:
            if model.versions.pop(name).loaded is not None:
                self._say(Notice(f"version {name} is served no more", Where(name=model.name)))
                self._sparing.changed()

    async def _looked_at(self, model: ModelEntry, version: Version) -> Stamp:
        if version.source is None:
            return _stamp(version)
        try:
            found = await asyncio.to_thread(stamp_of_address, version.source)
        except PellucidError as error:
            if not version.lost:
                what = "cannot be looked at for changes, and goes on answering as it is"
                self._say(error.notice.under(what).at(name=model.name))
            version.lost = True
            return ()
        version.lost = False
        return found

    async def _load_anew(self, model: ModelEntry, version: Version, now: Stamp) -> None:
        try:
            if version.source is not None:
                copy = await asyncio.to_thread(brought, version.source, lambda message: None)
                if copy == version.directory and version.loaded is not None:
                    version.loaded = replace(version.loaded, stamp=now)
                    return
                model.root = version.directory = copy
            await self._handler(model, version, now)
        except (PellucidError, OSError) as error:
            version.refused = now
            kept = "the one before goes on answering" if model.default.loaded else "nothing answers"
            what = f"changed, but cannot be loaded, {kept}"
            self._say(_reason(error).under(what).at(name=model.name))
            self._on_reload(model.name, False)
        else:
            what = f"loaded anew from {place_of(version.source or version.directory)}"
            self._say(Notice(what, Where(name=model.name)))
            self._on_reload(model.name, True)

    async def _load_now(self, model: ModelEntry, version: Version) -> None:
        async with self._loading:
            if version.loaded is not None:
                return
            try:
                await self._handler(model, version, _stamp(version))
            except (PellucidError, OSError) as error:
                place = f"{model.name}, version {version.name}"
                self._say(_reason(error).under("cannot be loaded").at(name=place))
                raise HttpError(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"version '{version.name}' of model '{model.name}' cannot be loaded",
                ) from error

    async def _handler(self, model: ModelEntry, version: Version, now: Stamp) -> None:
        if version.source is not None and version.loaded is None:
            said: list[Message] = []
            copy = await asyncio.to_thread(brought, version.source, said.append)
            model.root = version.directory = copy
            for message in said:
                self._say(message)

        def load() -> LoadedModel:
            loaded = self._load(version.directory)
            warm(loaded)
            return loaded

        loaded = await self._batcher.call(load)
        version.loaded = Loaded(loaded, next(self._generations), now)
        version.refused = None
        self._sparing.changed()


def model_entries(written: Sequence[str], say: Warn) -> list[ModelEntry]:
    """Return the models of ``[NAME[/VERSION]=]MODEL_DIR`` arguments, in their order.

    A directory without ``saved_model.pb`` whose sub-directories have one is a model with versions.
    One elsewhere is copied here when it is loaded. Raises ModelError and SpecError.
    """
    models: dict[str, ModelEntry] = {}
    for argument in written:
        label, path = _split(argument)
        source = None if is_address(path) else address_of(path, ModelError)
        if source is not None:
            check_installed(source)  # while there is somebody at a terminal to read it
        name, _, version = label.partition("/")
        for part in (name, *([version] if version else [])):
            check_name(part, path)
        if name in models and not (version and version not in models[name].versions):
            hint = f"name one of them: name={path}"
            raise SpecError(f"two models are called '{label}'", hint=hint)
        model = models.setdefault(name, ModelEntry(name, path))
        is_one = source is not None or is_address(path) or path.suffix == ".json"
        if version or is_one or _has_model(path):
            key = version or ONLY_VERSION
            model.versions[key] = Version(key, path, source)
        else:
            find_versions(model, say)
        if not model.versions:
            model_file(path)  # says what is there instead
    return list(models.values())


def check_name(name: str, path: Path) -> None:
    """Raise SpecError for what cannot be the name of a model or a version."""
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"'{name}' cannot be the name of a model: letters, digits, '.', '_' and '-' can",
            hint=f"write name={path}",
        )


def _stamp(version: Version) -> Stamp:
    """Return what its directory looks like; of a copy that is known once the store was asked."""
    return stamp(version.directory, METADATA_FILE) if version.source is None else ()


def _reason(error: PellucidError | OSError) -> Notice:
    return error.notice if isinstance(error, PellucidError) else Notice(str(error))


def _split(argument: str) -> tuple[str, Path]:
    label, equals, path = argument.partition("=")
    if equals and not Path(argument).exists():
        return label, Path(path)
    # DIR/model and DIR are both called DIR's name, as the sample models are laid out.
    directory = Path(os.path.abspath(argument))
    name = directory.parent.name if directory.name == "model" else directory.name
    return name, Path(argument)


def _has_model(directory: Path) -> bool:
    return any((directory / name).is_file() for name in MODEL_NAMES)


def numbered(root: Path) -> dict[int, Path]:
    """Return the folders with a model whose names are numbers, as TensorFlow Serving's are."""
    try:
        found = [it for it in root.iterdir() if _NUMBER.fullmatch(it.name) and _has_model(it)]
    except OSError:
        return {}
    return {int(it.name): it for it in sorted(found)}


def find_versions(model: ModelEntry, say: Warn) -> None:
    """Add the sub-directories that hold a model, if the directory itself does not."""
    if not model.root.is_dir() or any(v.directory == model.root for v in model.versions.values()):
        return
    inside = model.root.resolve()
    wanted = model.wanted if model.policy is not None else None
    for directory in sorted(model.root.iterdir()):
        if directory.name in model.versions or not _has_model(directory):
            continue
        if not _NAME.fullmatch(directory.name):
            continue
        if wanted is not None and directory.name not in wanted:
            continue
        if not directory.resolve().is_relative_to(inside):
            what = f"leads out of {model.root}, and is not served"
            say(Notice(what, Where(file=str(directory))))
            continue
        model.versions[directory.name] = Version(directory.name, directory)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which v9 comes before v10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts]
