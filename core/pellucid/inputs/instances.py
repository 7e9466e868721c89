"""Instances: what was said, and the arrays that it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

import numpy as np
from PIL import Image

from pellucid.errors import InstanceError, meant, memory_for
from pellucid.inputs.by_column import arrays_of, many, parts_of
from pellucid.inputs.columns import CARRIED, ID, TRUTH, Beside
from pellucid.inputs.images import holds_picture, to_tensor
from pellucid.inputs.input_info import InputInfo, shape_text
from pellucid.inputs.picture_files import decode_picture, picture_notes
from pellucid.inputs.records.example import with_records
from pellucid.inputs.series import TIME, read_times, times_notes
from pellucid.inputs.strict_json import kind_of
from pellucid.inputs.tensors import check_names, is_binary, to_array, to_bytes
from pellucid.model import Array, TensorsOfRow
from pellucid.notices import Message, Notice, Where

OnError: TypeAlias = Callable[[InstanceError], None]
Made = TypeVar("Made")


def unheard(notice: Message) -> None:
    """Say nothing."""


def each(
    convert: Callable[[Any], Instance], items: Iterable[Any], on_error: OnError | None
) -> Iterator[Instance]:
    """Yield what is made of each item; what is wrong with one is passed on, or raised."""

    def converted(some: Sequence[Any]) -> Iterator[Instance | InstanceError]:
        for item in some:
            yield tried(convert, item)

    return each_of_some(converted, items, 1, on_error)


def each_of_some(
    convert: Callable[[Sequence[Any]], Iterable[Instance | InstanceError]],
    items: Iterable[Any],
    size: int,
    on_error: OnError | None,
) -> Iterator[Instance]:
    """Yield what is made of each item, `size` of them being converted together: see `each`."""
    for some in _some(items, size):
        for found in convert(some):
            if not isinstance(found, InstanceError):
                yield found
            elif on_error is None:
                raise found
            else:
                on_error(found)


Said: TypeAlias = tuple[object, Where, Mapping[str, object]]
"""(The value of an instance, its place, what is kept beside it.)"""


def each_said(
    read: Callable[[Any], Said],
    items: Iterable[Any],
    inputs: Sequence[InputInfo],
    on_error: OnError | None,
) -> Iterator[Instance]:
    """Yield the instance that is read of each item: see `each`."""

    def converted(some: Sequence[Any]) -> Iterator[Instance | InstanceError]:
        yield from made_of([tried(read, it) for it in some], inputs)

    return each_of_some(converted, items, many(inputs), on_error)


def made_of(
    said: Iterable[Said | InstanceError], inputs: Sequence[InputInfo]
) -> Iterator[Instance | InstanceError]:
    """Yield the instance that each is, or what is wrong with it."""
    for wrong, group in groupby(said, lambda it: isinstance(it, InstanceError)):
        if wrong:
            yield from (it for it in group if isinstance(it, InstanceError))
        else:
            found = [it for it in group if not isinstance(it, InstanceError)]
            values, wheres, extras = ([*it] for it in zip(*found, strict=True))
            yield from instances_of(values, inputs, wheres, extras)


def _some(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield items in lists of a size, and what was read before reading failed."""
    found: list[Any] = []
    try:
        for item in items:
            found.append(item)
            if len(found) == size:
                yield found
                found = []
    except InstanceError:
        yield found
        raise
    yield found


def tried(convert: Callable[..., Made], *given: Any) -> Made | InstanceError:
    """Return what is made of something, or what is wrong with it."""
    try:
        return convert(*given)
    except InstanceError as error:
        return error


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: what was said, and the arrays that it means.

    `value` is JSON, as given (the name of an image file); `tensors` maps every input to an array
    without the batch axis (strings: object arrays of bytes); `index` counts from 0 within its file
    or request, wrong instances included; `source` is the file; `image` is the picture at its own
    resolution, 8-bit RGB, lying as the model sees it, and `encoded` the bytes of its file; `extras`
    is what else was asked for by name, such as an ``id``; `notes` are about what was taken of it,
    `pictures` the inputs of numbers that were made of pictures, and `names` what a table calls the
    elements of its one input.
    """

    value: object
    tensors: Mapping[str, Array]
    index: int = 0
    source: str | None = None
    image: Image.Image | None = None
    extras: Mapping[str, object] = field(default_factory=dict)
    encoded: bytes | None = None
    notes: tuple[Notice, ...] = ()
    pictures: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        shapes = (
            f"{name!r}: {'strings' if it.dtype == object else it.dtype} {shape_text(it.shape)}"
            for name, it in [*self.tensors.items()][:20]
        )
        return f"Instance({self.place}, {{{', '.join(shapes)}}})"

    @property
    def id(self) -> str | None:
        """What it is called by its table or request, if by anything."""
        given = self.extras.get(ID)
        return None if given is None else str(given)

    @property
    def truth(self) -> str | None:
        """Its true label, as it is written beside it; None where there is none."""
        given = self.extras.get(TRUTH)
        return None if given is None else str(given)

    @property
    def columns(self) -> Mapping[str, object]:
        """What was asked to go along with its explanation, by the names of columns."""
        found: Mapping[str, object] = self.extras.get(CARRIED, {})  # type: ignore[assignment]
        return found

    @property
    def where(self) -> Where:
        """Where it comes from: a picture's file, or a place in a request."""
        if self.image is not None and self.source is not None:
            return Where(name=self.source, instance=self.index)
        return Where(file=self.source or "", instance=self.index, name=self.id or "")

    @property
    def place(self) -> str:
        """Where it comes from, for people."""
        return str(self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request body: its instances, and every other key as `parameters`."""

    instances: tuple[Instance, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()


def stack(instances: Sequence[Instance], inputs: Sequence[InputInfo]) -> dict[str, Array]:
    """Return one array [n, …] for each input; the instances must agree in shape."""
    if not instances:
        raise InstanceError("there are no instances")
    parts = parts_of([instance.tensors for instance in instances])
    batch: dict[str, Array] = {}
    for info in inputs:
        arrays = [part(info.name) for _, part in parts]
        first = arrays[0].shape[1:]
        for (place, _), array in zip(parts, arrays, strict=True):
            if array.shape[1:] != first:
                raise InstanceError(
                    f"input '{info.name}' has shape {shape_text(array.shape[1:])}, "
                    f"instances[{instances[0].index}] has {shape_text(first)}",
                    where=Where(instance=instances[place].index),
                    hint="one batch needs one shape",
                )
        batch[info.name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return batch


def same_shapes(instances: Sequence[Instance]) -> Iterator[list[int]]:
    """Yield the places of instances whose tensors agree in shape, so that they can be stacked."""
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    known: dict[int, tuple[tuple[int, ...], ...]] = {}  # of those that were converted together
    for place, instance in enumerate(instances):
        tensors = instance.tensors
        block = id(tensors.arrays if isinstance(tensors, TensorsOfRow) else tensors)
        if block not in known:
            known[block] = tuple(tensors[name].shape for name in sorted(tensors))
        groups.setdefault(known[block], []).append(place)
    yield from groups.values()


def set_aside(
    value: Any, inputs: Sequence[InputInfo], beside: Beside, where: Where
) -> tuple[Any, dict[str, object]]:
    """Return an instance's value without what stands beside the inputs, and what is kept of that.

    Raises InstanceError for an instance without its id, or its times.
    """
    if beside == Beside():
        return value, {}
    named = isinstance(value, Mapping) and not is_binary(value)
    roles = [(beside.id, "the id"), (beside.time, "the time"), (beside.truth, "the truth")]
    roles += [(it, "a column to keep") for it in beside.carried]
    for key, role in roles:
        if key is not None and not named:
            raise InstanceError(
                f"is no object with a key '{key}', which was to be {role}", where=where
            )
        if key is not None and key not in value:
            what = f"has no key '{key}', which was to be {role}"
            raise InstanceError(what, where=where, hint=meant(key, [str(it) for it in value]))
    if not named:
        return value, {}
    known = {info.name for info in inputs}
    kept = {n: value[n] for n in beside.kept if n in value and n not in known}
    if beside.id is not None:
        kept[ID] = value[beside.id]
    if beside.truth is not None:
        kept[TRUTH] = value[beside.truth]
    if beside.carried:
        kept[CARRIED] = {name: value[name] for name in beside.carried}
    if beside.time is not None:
        cells = value[beside.time] if isinstance(value[beside.time], list) else [value[beside.time]]
        places = [where.below(f"{beside.time}[{i}]") for i in range(len(cells))]
        kept[TIME] = read_times(cells, beside.time, places)
    # What was to be left out is: an input of that name is then said to be missing.
    apart = (beside.names - known) | {*beside.ignored, beside.truth}
    return ({k: v for k, v in value.items() if k not in apart} if apart else value), kept


def instances_of(
    values: Sequence[object],
    inputs: Sequence[InputInfo],
    wheres: Sequence[Where],
    extras: Sequence[Mapping[str, object]],
) -> Iterator[Instance | InstanceError]:
    """Yield the instance that each value is, or what is wrong with it: see `instance_of`.

    Small ones are converted together; those that have to be looked at one by one are found by
    halves.
    """
    if many(inputs) > 1:
        yield from _halved(values, inputs, wheres, extras)
        return
    for value, where, aside in zip(values, wheres, extras, strict=True):
        yield tried(instance_of, value, inputs, where, aside)


def _halved(
    values: Sequence[object],
    inputs: Sequence[InputInfo],
    wheres: Sequence[Where],
    extras: Sequence[Mapping[str, object]],
) -> Iterator[Instance | InstanceError]:
    timed = any(TIME in it for it in extras)
    arrays = None if timed else arrays_of(values, inputs)
    if arrays is not None:
        for row, (value, where, aside) in enumerate(zip(values, wheres, extras, strict=True)):
            source, index = where.file or None, where.instance or 0
            yield Instance(value, TensorsOfRow(arrays, row), index, source, extras=aside)
    elif len(values) == 1:
        yield tried(instance_of, values[0], inputs, wheres[0], extras[0])
    else:
        middle = len(values) // 2
        for half in (slice(middle), slice(middle, None)):
            yield from _halved(values[half], inputs, wheres[half], extras[half])


def instance_of(
    value: object,
    inputs: Sequence[InputInfo],
    where: Where,
    extras: Mapping[str, object] | None = None,
) -> Instance:
    """Return the instance that a value of a request is: the one that `where` tells.

    ``{"b64": …}`` for a picture of numbers is the file of one, decoded as the file would be.
    """
    if extras and ID in extras:
        where = replace(where, name=str(extras[ID]))
    said = value
    if any(info.record is not None for info in inputs):
        value = with_records(value, inputs, where)
    named = isinstance(value, Mapping) and not is_binary(value)
    given = dict(value) if named and isinstance(value, Mapping) else {}
    if not named and len(inputs) == 1:
        given = {inputs[0].name: value}
    pictures: dict[str, tuple[Image.Image, bytes]] = {}
    for info in inputs:
        encoded = given.get(info.name)
        if info.is_string or not is_binary(encoded) or not holds_picture(info):
            continue
        at = where.below(info.name) if named else where
        data = to_bytes(encoded, at)
        picture = decode_picture(data, at)
        pictures[info.name] = picture, data
        with memory_for(at):
            given[info.name] = to_tensor(picture, info)
    index, source = where.instance or 0, where.file or None
    if not pictures:
        tensors = tensors_of(value, inputs, where)
        notes = tuple(_times_fit((extras or {}).get(TIME), tensors, where))
        return Instance(said, tensors, index, source, extras=extras or {}, notes=notes)
    tensors = tensors_of(given, inputs, where)
    lone = next(iter(pictures.values())) if len(pictures) == 1 else (None, None)
    return Instance(
        said, tensors, index, source, lone[0],
        extras=extras or {}, encoded=lone[1], pictures=tuple(pictures),
        notes=tuple(note for _, data in pictures.values() for note in picture_notes(data)),
    )  # fmt: skip


def _times_fit(times: Any, tensors: Mapping[str, Array], where: Where) -> Iterator[Notice]:
    """Yield what is odd about the times of an instance. Raises InstanceError if they do not fit."""
    if times is None:
        return
    steps = {name: it.shape[0] for name, it in tensors.items() if it.ndim}
    count = len(times["at"])
    if count not in steps.values():
        listed = ", ".join(f"'{name}' has {many}" for name, many in steps.items())
        raise InstanceError(f"has {count} times, and {listed} steps", where=where)
    yield from times_notes(times, where)


def tensors_of(value: object, inputs: Sequence[InputInfo], where: Where) -> dict[str, Array]:
    """Return one instance's arrays, by input."""
    if isinstance(value, Mapping) and not is_binary(value):
        check_names(list(value), {info.name: info for info in inputs}, where, "input")
        return {
            info.name: to_array(value[info.name], info, where.below(info.name)) for info in inputs
        }
    if len(inputs) != 1:
        names = ", ".join(f"'{info.name}'" for info in inputs)
        raise InstanceError(
            f"the model has {len(inputs)} inputs, so an instance must be an object with the keys "
            f"{names}; got {kind_of(value)}",
            where=where,
        )
    return {inputs[0].name: to_array(value, inputs[0], where)}
