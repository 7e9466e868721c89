"""Requests, JSON Lines, CSV and image files made into instances: the one door for data.

Every reader takes the model's inputs and yields `Instance` records whose tensors fit them; nothing
behind this door checks again. A wrong instance costs one sentence, an `InstanceError` that says
where it is; with `on_error` the reader passes that sentence on and goes on with the next instance.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from pellucid.errors import InstanceError, meant, memory_for
from pellucid.inputs.arrays import ARRAY_SUFFIXES, array_values
from pellucid.inputs.columns import Beside
from pellucid.inputs.csv import SEPARATED
from pellucid.inputs.files import (
    CLASSIFIED,
    EMPTY,
    TEXT,
    json_form,
    lines_of,
    looks_binary,
    read_bytes,
    suffix_of,
    takes_texts,
    text_in,
)
from pellucid.inputs.images import image_input_of, to_tensor
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.instances import (
    Instance,
    OnError,
    Request,
    Said,
    each,
    each_said,
    instance_of,
    set_aside,
    stack,
    unheard,
)
from pellucid.inputs.parquet import PARQUET
from pellucid.inputs.picture_files import decode_picture, picture_notes
from pellucid.inputs.records import is_tfrecord
from pellucid.inputs.strict_json import decode_text, kind_of, parse_json
from pellucid.inputs.tables import open_table_file, read_csv, read_table, read_tfrecord
from pellucid.inputs.tensors import check_names, is_binary, plain, to_array
from pellucid.model import Rows, TensorsOfRow
from pellucid.notices import Notice, Warn, Where
from pellucid.remote import place_of

__all__ = [
    "InputInfo",
    "Instance",
    "OnError",
    "Request",
    "read_arrays",
    "read_csv",
    "read_data",
    "read_file",
    "read_image",
    "read_jsonl",
    "read_request",
    "read_request_values",
    "stack",
]

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".webp", ".tif", ".tiff")
)


def read_request(
    document: object,
    inputs: Sequence[InputInfo],
    *,
    source: str | None = None,
    on_error: OnError | None = None,
    beside: Beside = Beside(),
) -> Request:
    """Return a request, ``{"instances": [value | list | object, …], …}``, JSON text or parsed.

    "Instances can include named inputs (as objects) or can contain only unlabeled values." One bare
    object for `instances` is read as a list of one and costs a warning. What is `beside` the inputs
    is set aside. Raises `InstanceError` with the path, as
    ``instances[3].image[0]``. In the place of values there may be `Rows` of what they are.
    """
    if isinstance(document, Mapping) and isinstance(rows := document.get("instances"), Rows):
        others = {key: value for key, value in document.items() if key != "instances"}
        count = len(next(iter(rows.values())))
        made = (Instance(None, TensorsOfRow(rows, row), row, source) for row in range(count))
        return Request(instances=tuple(made), parameters=others)
    values, rest, warnings = read_request_values(document, source)
    named = [isinstance(value, Mapping) and not is_binary(value) for value in values]

    def read(index: int) -> Said:
        where = Where(file=source or "", instance=index)
        if named[index] != named[0]:
            raise InstanceError(
                f"{'names its inputs' if named[index] else 'does not name its inputs'}, unlike "
                "instances[0]",
                where=where,
                hint="all instances must have the same keys",
            )
        value, aside = set_aside(values[index], inputs, beside, where)
        return value, where, aside

    instances = tuple(each_said(read, range(len(values)), inputs, on_error))
    return Request(instances=instances, parameters=rest, warnings=warnings)


def read_request_values(
    document: object, source: str | None = None
) -> tuple[Sequence[object], Mapping[str, object], tuple[Notice, ...]]:
    """Return the values of a request's instances, its other keys, and warnings.

    Raises `InstanceError` for what is no request, or one without instances.
    """
    where = Where(file=source or "")
    parsed = parse_json(document, where) if isinstance(document, str | bytes) else document
    if isinstance(parsed, list):  # as pandas writes it, with orient="records"
        parsed = {"instances": parsed}
    if not isinstance(parsed, Mapping):
        what = 'a request is an object, {"instances": […]}, or a list of instances, got '
        raise InstanceError(what + kind_of(parsed), where=where)
    parsed = _classified(parsed)
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


def _classified(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request as TensorFlow Serving's classify and regress take it with instances.

    Features that all examples share stand apart.
    """
    examples = request.get(CLASSIFIED)
    if "instances" in request or not isinstance(examples, list):
        return request
    shared = request.get("context") or {}
    found = [{**shared, **it} if isinstance(it, Mapping) else it for it in examples]
    rest = {k: v for k, v in request.items() if k not in (CLASSIFIED, "context")}
    return {"instances": found, **rest}


def read_jsonl(
    lines: Iterable[str],
    inputs: Sequence[InputInfo],
    *,
    source: str | None = None,
    on_error: OnError | None = None,
    beside: Beside = Beside(),
) -> Iterator[Instance]:
    """Yield one instance for each line of JSON; blank lines are skipped.

    What is `beside` the inputs is set aside.
    """

    def read(item: tuple[int, tuple[int, str]]) -> Said:
        index, (number, line) = item
        where = Where(file=source or "", line=number, instance=index)
        value, aside = set_aside(parse_json(line.rstrip(), where), inputs, beside, where)
        return value, where, {"line": number, **aside}

    filled = ((number, line) for number, line in enumerate(lines, 1) if line.strip("\ufeff \t\r\n"))
    return each_said(read, enumerate(filled), inputs, on_error)


def read_image(
    picture: str | PathLike[str] | bytes,
    inputs: Sequence[InputInfo],
    image_input: str | None = None,
    *,
    values: Mapping[str, object] | None = None,
    index: int = 0,
    source: str | None = None,
) -> Instance:
    """Return the instance that a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF file is for this model.

    A string input gets the file's bytes, a numeric one the resized and scaled pixels (see
    `images.to_tensor`). `image_input` says which input, where several could hold a picture;
    `values` are the other inputs, as in a request. EXIF orientation is applied to pixels; a model
    that decodes the bytes itself does not apply it, so its `image` is left as it lies in the file.
    `source` is the name that messages and the instance have, by default the path.
    """
    if source is None and not isinstance(picture, bytes):
        source = place_of(picture)
    where = Where(name=source or "the picture", instance=index)
    info = image_input_of(inputs, image_input, where)
    data = picture if isinstance(picture, bytes) else read_bytes(picture)
    decoded = decode_picture(data, where, upright=not info.is_string)
    notes = () if info.is_string else picture_notes(data)
    others = [other for other in inputs if other.name != info.name]
    given = dict(values or {})
    check_names(list(given), {other.name: other for other in others}, where, "input")
    tensors = {o.name: to_array(given[o.name], o, where.below(o.name)) for o in others}
    if info.is_string:
        held = np.empty(1, dtype=object)
        held[0] = data
        tensors[info.name] = held.reshape([1] * len(info.instance_shape or ()))
    else:
        with memory_for(where):
            tensors[info.name] = to_tensor(decoded, info)
    value: object = source if source else {"b64": base64.b64encode(data).decode()}
    if given:
        value = {info.name: value, **given}
    pictures = () if info.is_string else (info.name,)
    return Instance(
        value, tensors, index, source, decoded, encoded=data, notes=notes, pictures=pictures
    )


def read_arrays(
    path: str | PathLike[str], inputs: Sequence[InputInfo], *, on_error: OnError | None = None
) -> Iterator[Instance]:
    """Yield the instances in a ``.npy`` or ``.npz`` file: see `arrays.array_values`."""
    source = place_of(path)

    def read(item: tuple[int, object]) -> Said:
        index, value = item
        return value, Where(file=source, instance=index), {}

    return each_said(read, enumerate(array_values(path, inputs)), inputs, on_error)


def read_file(
    path: str | PathLike[str],
    inputs: Sequence[InputInfo],
    *,
    image_input: str | None = None,
    on_error: OnError | None = None,
    warn: Warn | None = None,
    settings: Callable[[Mapping[str, object]], None] | None = None,
    beside: Beside = Beside(),
    note: Warn = unheard,
) -> Iterator[Instance]:
    """Yield the instances in a file: a request (.json), JSON Lines, CSV, arrays, or a picture.

    The suffix decides, else the content; text may be compressed, ``.csv.gz``. A ``.txt`` file is
    one text, for a model whose one input is that. A ``.json`` file may
    also hold one instance a line, as gcloud's ``--json-instances`` takes. JSON Lines, CSV and
    arrays are read as they are needed, so that a file may be larger than the memory. `warn` is
    given the request's warnings, `settings` what else is in a request, before its instances come;
    `note` is told what was found of a table's columns; what is `beside` the inputs is set aside.
    Raises `InstanceError` for a file that is missing, empty, a directory or not UTF-8.
    """
    source = place_of(path)
    suffix = suffix_of(path)
    if suffix in ARRAY_SUFFIXES:
        return read_arrays(path, inputs, on_error=on_error)
    if is_tfrecord(path):
        return read_tfrecord(path, inputs, on_error=on_error)
    if suffix in (*SEPARATED, PARQUET):
        table = open_table_file(path, inputs, source, beside)
        return read_table(table, inputs, on_error=on_error, note=note)
    if suffix in _LINES:
        lines = lines_of(path, source)
        return read_jsonl(lines, inputs, source=source, on_error=on_error, beside=beside)
    data = read_bytes(path)
    if suffix in IMAGE_SUFFIXES or (suffix not in _TEXT_SUFFIXES and looks_binary(data)):
        return each(lambda p: read_image(p, inputs, image_input), [path], on_error)
    return read_data(
        data,
        inputs,
        source=source,
        suffix=suffix,
        on_error=on_error,
        warn=warn,
        settings=settings,
        beside=beside,
        note=note,
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
    beside: Beside = Beside(),
    note: Warn = unheard,
) -> Iterator[Instance]:
    """Yield the instances in the content of a file, or of stdin: see `read_file`."""
    where = Where(file=source)
    # A text may be empty, as an answer that nobody gave.
    if not data.strip() and not (suffix == TEXT and takes_texts(inputs)):
        raise InstanceError(EMPTY, where=where)
    if suffix not in _TEXT_SUFFIXES and looks_binary(data):
        return each(lambda d: read_image(d, inputs), [data], on_error)
    text = decode_text(data, where)
    if suffix in SEPARATED:
        return read_csv(
            io.StringIO(text, newline=""), inputs, source=source, on_error=on_error, beside=beside,
            separator=SEPARATED[suffix], note=note,
        )  # fmt: skip
    whole = text_in(text, suffix, inputs, where)
    if whole is not None:
        at = Where(file=source, instance=0)
        return each(lambda it: instance_of(it, inputs, at), [whole], on_error)
    if suffix not in (".jsonl", ".ndjson"):
        kind = json_form(text, inputs, beside.names)
        if kind == "request":
            request = read_request(text, inputs, source=source, on_error=on_error, beside=beside)
            for warning in request.warnings:
                if warn is not None:
                    warn(warning)
            if settings is not None and request.parameters:
                settings(request.parameters)
            return iter(request.instances)
        if kind is None and suffix != ".json":
            what = "cannot tell what this is: neither JSON, nor a picture, nor named .csv"
            raise InstanceError(what, where=where)
    return read_jsonl(io.StringIO(text), inputs, source=source, on_error=on_error, beside=beside)


_LINES = frozenset((".jsonl", ".ndjson", *SEPARATED))
_TEXT_SUFFIXES = _LINES | {".json"}
