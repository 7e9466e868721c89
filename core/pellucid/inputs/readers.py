"""Requests, JSON Lines, CSV and image files made into instances: the one door for data.

Every reader takes the model's inputs and yields `Instance` records whose tensors fit them; nothing
behind this door checks again. A wrong instance costs one sentence, an `InstanceError` that says
where it is; with `on_error` the reader passes that sentence on and goes on with the next instance.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from pellucid.errors import InstanceError, meant
from pellucid.inputs.csv import Row, open_table
from pellucid.inputs.files import EMPTY, json_form, lines_of, looks_binary, read_bytes
from pellucid.inputs.images import decode_picture, image_input_of, to_tensor
from pellucid.inputs.strict_json import decode_text, kind_of, parse_json
from pellucid.inputs.tensors import InputInfo, check_names, is_binary, plain, shape_text, to_array
from pellucid.model import Array
from pellucid.notices import Notice, Warn, Where

__all__ = [
    "InputInfo",
    "Instance",
    "Request",
    "read_csv",
    "read_data",
    "read_file",
    "read_image",
    "read_jsonl",
    "read_request",
    "read_request_values",
    "read_value",
    "stack",
]

OnError: TypeAlias = Callable[[InstanceError], None]

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".webp", ".tif", ".tiff")
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: what was said, and the arrays that it means.

    `value` is JSON, as given (the name of an image file); `tensors` maps every input to an array
    without the batch axis (strings: object arrays of bytes); `index` counts from 0 within its file
    or request, wrong instances included; `source` is the file; `image` is the picture at its own
    resolution, 8-bit RGB, lying as the model sees it, and `encoded` the bytes of its file; `beside`
    is what else was asked for by name, such as an ``id``.
    """

    value: object
    tensors: dict[str, Array]
    index: int = 0
    source: str | None = None
    image: Image.Image | None = None
    extras: Mapping[str, object] = field(default_factory=dict)
    encoded: bytes | None = None

    @property
    def where(self) -> Where:
        """Where it comes from: a picture's file, or a place in a request."""
        if self.image is not None and self.source is not None:
            return Where(name=self.source, instance=self.index)
        return Where(file=self.source or "", instance=self.index)

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


def read_request(
    document: object,
    inputs: Sequence[InputInfo],
    *,
    source: str | None = None,
    on_error: OnError | None = None,
    extras: Collection[str] = (),
) -> Request:
    """Return a request, ``{"instances": [value | list | object, …], …}``, JSON text or parsed.

    "Instances can include named inputs (as objects) or can contain only unlabeled values." One bare
    object for `instances` is read as a list of one and costs a warning. Keys of `beside` are set
    aside, unless they are inputs. Raises `InstanceError` with the path, as
    ``instances[3].image[0]``.
    """
    values, rest, warnings = read_request_values(document, source)
    split = [_aside(value, inputs, extras) for value in values]
    values = [value for value, _ in split]
    named = [isinstance(value, Mapping) and not is_binary(value) for value in values]

    def convert(index: int) -> Instance:
        where = Where(file=source or "", instance=index)
        if named[index] != named[0]:
            raise InstanceError(
                f"{'names its inputs' if named[index] else 'does not name its inputs'}, unlike "
                "instances[0]",
                where=where,
                hint="all instances must have the same keys",
            )
        tensors = _tensors(values[index], inputs, where)
        return Instance(values[index], tensors, index, source, extras=split[index][1])

    instances = tuple(_each(convert, range(len(values)), on_error))
    return Request(instances=instances, parameters=rest, warnings=warnings)


def read_request_values(
    document: object, source: str | None = None
) -> tuple[Sequence[object], Mapping[str, object], tuple[Notice, ...]]:
    """Return the values of a request's instances, its other keys, and warnings.

    Raises `InstanceError` for what is no request, or one without instances.
    """
    where = Where(file=source or "")
    parsed = parse_json(document, where) if isinstance(document, str | bytes) else document
    if not isinstance(parsed, Mapping):
        what = f'a request is an object, {{"instances": […]}}, got {kind_of(parsed)}'
        raise InstanceError(what, where=where)
    if "instances" not in parsed:
        keys = [key for key in parsed if isinstance(key, str)]
        hint = meant("instances", keys, asked="is it")
        raise InstanceError("the request has no key 'instances'", where=where, hint=hint)
    values = plain(parsed["instances"])
    warnings: tuple[Notice, ...] = ()
    if isinstance(values, Mapping):
        values = [values]
        warnings = (
            Notice("'instances' is one bare object; read as a list of one instance", where),
        )
    if not isinstance(values, list | tuple):
        raise InstanceError(f"'instances' must be a list, got {kind_of(values)}", where=where)
    if not values:
        what = "'instances' is an empty list, there is nothing to explain"
        raise InstanceError(what, where=where)
    rest = {key: value for key, value in parsed.items() if key != "instances"}
    return values, rest, warnings


def read_jsonl(
    lines: Iterable[str],
    inputs: Sequence[InputInfo],
    *,
    source: str | None = None,
    on_error: OnError | None = None,
    extras: Collection[str] = (),
) -> Iterator[Instance]:
    """Yield one instance for each line of JSON; blank lines are skipped.

    Keys of `beside` are set aside, unless they are inputs.
    """

    def convert(item: tuple[int, tuple[int, str]]) -> Instance:
        index, (number, line) = item
        where = Where(file=source or "", line=number, instance=index)
        value, aside = _aside(parse_json(line.rstrip(), where), inputs, extras)
        tensors = _tensors(value, inputs, where)
        return Instance(value, tensors, index, source, extras={"line": number, **aside})

    filled = ((number, line) for number, line in enumerate(lines, 1) if line.strip("\ufeff \t\r\n"))
    return _each(convert, enumerate(filled), on_error)


def read_csv(
    lines: Iterable[str],
    inputs: Sequence[InputInfo],
    *,
    source: str | None = None,
    on_error: OnError | None = None,
    extras: Collection[str] = (),
) -> Iterator[Instance]:
    """Yield one instance for each row of a table whose first row names the columns.

    Each column is an input (several numbers in one cell are written as a JSON list), or the columns
    in order are the elements of the model's single vector input, and then the first row may be
    missing if it is all numbers. Columns of `beside` are set aside, unless they are inputs. Blank
    rows are skipped. Raises `InstanceError` with the line.
    """
    table = open_table(lines, inputs, source, extras)

    def convert(item: tuple[int, Row]) -> Instance:
        index, row = item
        value = table.value(row, index)
        tensors = _tensors(value, inputs, table.where(row[0], index))
        aside = {"line": row[0], **table.extras(row)}
        return Instance(value, tensors, index, source, extras=aside)

    return _each(convert, enumerate(table.rows), on_error)


def read_image(
    picture: str | PathLike[str] | bytes,
    inputs: Sequence[InputInfo],
    image_input: str | None = None,
    *,
    values: Mapping[str, object] | None = None,
    index: int = 0,
    source: str | None = None,
) -> Instance:
    """Return the instance that a PNG, JPEG, BMP, GIF, WebP or TIFF file is for this model.

    A string input gets the file's bytes, a numeric one the resized and scaled pixels (see
    `images.to_tensor`). `image_input` says which input, where several could hold a picture;
    `values` are the other inputs, as in a request. EXIF orientation is applied to pixels; a model
    that decodes the bytes itself does not apply it, so its `image` is left as it lies in the file.
    `source` is the name that messages and the instance have, by default the path.
    """
    if source is None and not isinstance(picture, bytes):
        source = fspath(picture)
    where = Where(name=source or "the picture", instance=index)
    info = image_input_of(inputs, image_input, where)
    data = picture if isinstance(picture, bytes) else read_bytes(picture)
    decoded = decode_picture(data, where, upright=not info.is_string)
    others = [other for other in inputs if other.name != info.name]
    given = dict(values or {})
    check_names(list(given), {other.name: other for other in others}, where, "input")
    tensors = {o.name: to_array(given[o.name], o, where.below(o.name)) for o in others}
    if info.is_string:
        held = np.empty(1, dtype=object)
        held[0] = data
        tensors[info.name] = held.reshape([1] * len(info.instance_shape or ()))
    else:
        tensors[info.name] = to_tensor(decoded, info)
    value: object = source if source else {"b64": base64.b64encode(data).decode()}
    if given:
        value = {info.name: value, **given}
    return Instance(value, tensors, index, source, decoded, encoded=data)


def read_value(value: object, inputs: Sequence[InputInfo], where: Where) -> Instance:
    """Return the instance that one value of a request is. Raises InstanceError, in `where`."""
    tensors = _tensors(value, inputs, where)
    return Instance(value, tensors, where.instance or 0, where.file or None)


def read_file(
    path: str | PathLike[str],
    inputs: Sequence[InputInfo],
    *,
    image_input: str | None = None,
    on_error: OnError | None = None,
    warn: Warn | None = None,
    settings: Callable[[Mapping[str, object]], None] | None = None,
    extras: Collection[str] = (),
) -> Iterator[Instance]:
    """Yield the instances in a file: a request (.json), JSON Lines, CSV, or a picture.

    The suffix decides, else the content. A ``.json`` file may also hold one instance a line, as
    gcloud's ``--json-instances`` takes. JSON Lines and CSV are read as they are needed, so that a
    file may be larger than the memory. `warn` is given the request's warnings, `settings` what else
    is in a request, before its instances come; keys of `beside` are set aside, unless they are
    inputs. Raises `InstanceError` for a file that is missing, empty, a directory or not UTF-8.
    """
    source = fspath(path)
    suffix = Path(path).suffix.lower()
    if suffix in _LINES:
        read = read_csv if suffix == ".csv" else read_jsonl
        lines = lines_of(path, source)
        return read(lines, inputs, source=source, on_error=on_error, extras=extras)
    data = read_bytes(path)
    if suffix in IMAGE_SUFFIXES or (suffix not in _TEXT_SUFFIXES and looks_binary(data)):
        return _each(lambda p: read_image(p, inputs, image_input), [path], on_error)
    return read_data(
        data,
        inputs,
        source=source,
        suffix=suffix,
        on_error=on_error,
        warn=warn,
        settings=settings,
        extras=extras,
    )


def read_data(
    data: bytes,
    inputs: Sequence[InputInfo],
    *,
    source: str,
    suffix: str = "",
    on_error: OnError | None = None,
    warn: Warn | None = None,
    settings: Callable[[Mapping[str, object]], None] | None = None,
    extras: Collection[str] = (),
) -> Iterator[Instance]:
    """Yield the instances in the content of a file, or of stdin: see `read_file`."""
    where = Where(file=source)
    if not data.strip():
        raise InstanceError(EMPTY, where=where)
    if suffix not in _TEXT_SUFFIXES and looks_binary(data):
        return _each(lambda d: read_image(d, inputs), [data], on_error)
    text = decode_text(data, where)
    if suffix == ".csv":
        lines = io.StringIO(text, newline="")
        return read_csv(lines, inputs, source=source, on_error=on_error, extras=extras)
    if suffix not in (".jsonl", ".ndjson"):
        kind = json_form(text, inputs, extras)
        if kind == "request":
            request = read_request(text, inputs, source=source, on_error=on_error, extras=extras)
            for warning in request.warnings:
                if warn is not None:
                    warn(warning)
            if settings is not None and request.parameters:
                settings(request.parameters)
            return iter(request.instances)
        if kind is None and suffix != ".json":
            what = "cannot tell what this is: neither JSON, nor a picture, nor named .csv"
            raise InstanceError(what, where=where)
    return read_jsonl(io.StringIO(text), inputs, source=source, on_error=on_error, extras=extras)


def stack(instances: Sequence[Instance], inputs: Sequence[InputInfo]) -> dict[str, Array]:
    """Return one array [n, …] for each input; the instances must agree in shape."""
    batch: dict[str, Array] = {}
    for info in inputs:
        arrays = [instance.tensors[info.name] for instance in instances]
        for instance, array in zip(instances, arrays, strict=True):
            if array.shape != arrays[0].shape:
                raise InstanceError(
                    f"input '{info.name}' has shape {shape_text(array.shape)}, "
                    f"instances[{instances[0].index}] has {shape_text(arrays[0].shape)}",
                    where=Where(instance=instance.index),
                    hint="one batch needs one shape",
                )
        if not arrays:
            raise InstanceError("there are no instances")
        batch[info.name] = np.stack(arrays)
    return batch


_LINES = frozenset((".jsonl", ".ndjson", ".csv"))
_TEXT_SUFFIXES = _LINES | {".json"}


def _each(
    convert: Callable[[Any], Instance], items: Iterable[Any], on_error: OnError | None
) -> Iterator[Instance]:
    for item in items:
        try:
            instance = convert(item)
        except InstanceError as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            yield instance


def _aside(
    value: Any, inputs: Sequence[InputInfo], names: Collection[str]
) -> tuple[Any, dict[str, object]]:
    """Return an instance's value without the keys `names`, and what stood under these."""
    if not isinstance(value, Mapping):
        return value, {}
    found = {n: value[n] for n in names if n in value and n not in [i.name for i in inputs]}
    return ({k: v for k, v in value.items() if k not in found} if found else value), found


def _tensors(value: object, inputs: Sequence[InputInfo], where: Where) -> dict[str, Array]:
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
