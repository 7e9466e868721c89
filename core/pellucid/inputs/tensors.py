"""A JSON value made into an array that fits an input.

A value is read strictly: it either is what the input wants or costs one sentence that names the
place, the input, what it wants and what was there. Nothing is guessed, cut or cast silently.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import Any

import numpy as np

from pellucid.errors import InstanceError, ModelError, meant
from pellucid.inputs.input_info import (
    BEYOND_BFLOAT16,
    FLOATS,
    INTEGERS,
    InputInfo,
    Missing,
    fits,
    is_missing,
    missing_hint,
    shape_text,
)
from pellucid.model import Array
from pellucid.notices import Hint, Where

MAX_RANK = 32
EXCHANGED = "its axes are exchanged: transpose it"

# Numbers as people write them: 1,5 and 1.234,5 and 10% and $10, with whatever minus.
_PLAIN = re.compile(r"\s*[-+]?\d+(\.\d*)?\s*$")
_DECORATED = re.compile(r"[-+\u2212]?\s*[$€£¥]?\s*\d[\d.,'\u2019\s]*\s*[%$€£¥]?")


def to_array(value: object, info: InputInfo, where: Where = Where()) -> Array:
    """Return one instance's value for one input as an array, without the batch axis.

    `value` is JSON (numbers, strings, booleans, nested lists, ``{"b64": …}`` at any depth) or a
    numpy array. Strings become an object array of UTF-8 bytes. A scalar is accepted where the input
    takes one value, [1], and the other way round. Raises `InstanceError` with its place in
    `where`; `ModelError` for a dtype that no request can carry.
    """
    if info.dtype not in ("string", "bool", *FLOATS, *INTEGERS):
        raise ModelError(
            f"input '{info.name}' is of type {info.dtype}, which a request cannot carry"
        )
    if isinstance(value, np.ndarray) and (ready := _ready(value, info)) is not None:
        return ready
    shape, leaves = _flatten(plain(value), info, where)
    if info.missing is Missing.BASELINE:
        leaves = _filled(leaves, shape, info, where)
    if info.is_string:
        flat = _strings(leaves, shape, info, where)
    else:
        flat = _numbers(leaves, shape, info, where)
    wanted = info.instance_shape
    if wanted is None or fits(shape, wanted):
        return flat.reshape(shape)
    if (shape, tuple(wanted)) in (((), (1,)), ((1,), ())):
        # "[n] against [n, 1]": one value is one value, however many brackets it wears.
        return flat.reshape([1] * len(wanted))
    got = f"a list of shape {shape_text(shape)}" if shape else f"a single value, {_say(leaves[0])}"
    nested = shape[:1] == (1,) and fits(shape[1:], wanted)
    hint = "leave out the outer list, one instance has no batch axis" if nested else ""
    if len(shape) == 2 and fits(shape[::-1], wanted):
        hint = EXCHANGED
    raise InstanceError(f"{_wants(info)}, got {got}", where=where, hint=hint)


def numbers_of(leaves: list[Any], info: InputInfo) -> Array:
    """Return JSON numbers as those of an input, [n]. Raises `InstanceError`."""
    return _numbers(leaves, (len(leaves),), info, Where())


def to_arrays(rows: Sequence[Sequence[object]], info: InputInfo) -> Array | None:
    """Return the values of n instances for k inputs that want the same, [k, n, …].

    `rows` are [n][k]; `info` is one of the inputs. None where any value is not simply what is
    wanted: `to_array` then says of each value what it means, or what is wrong with it.
    """
    if info.dtype not in ("string", "bool", *FLOATS, *INTEGERS) or info.instance_shape is None:
        return None
    if any(type(it) is np.ndarray for it in rows[0]):
        return _ready_rows(rows, info)
    try:
        shape, leaves = _flatten(rows, info, Where())
        lone = len(shape) == 2
        if lone and any(issubclass(kind, np.generic) for kind in set(map(type, leaves))):
            leaves = [plain(leaf) for leaf in leaves]
        if info.missing is Missing.BASELINE:
            leaves = _filled(leaves, shape, info, Where())
        make = _strings if info.is_string else _numbers
        flat = make(leaves, shape, info, Where())
    except InstanceError:
        return None
    inner, wanted = shape[2:], info.instance_shape
    if (inner, wanted) in (((), (1,)), ((1,), ())):
        inner = (1,) * len(wanted)
    elif not fits(inner, wanted):
        return None
    block = flat.reshape(*shape[:2], *inner)
    return np.ascontiguousarray(np.swapaxes(block, 0, 1))


def _ready_rows(rows: Sequence[Sequence[Any]], info: InputInfo) -> Array | None:
    """Return arrays [n][k] as one, [k, n, …], if each fits as it is."""
    columns, found = [*zip(*rows, strict=True)], list[Array]()
    cells = [*chain.from_iterable(columns)]
    for some in [cells] if len(_kinds(cells)) == 1 else columns:
        kinds = _kinds(some)
        ready = _ready(np.stack(some), info, 1) if len(kinds) == 1 and None not in kinds else None
        if ready is None:
            return None
        found.append(ready)
    return np.concatenate(found).reshape(len(columns), len(rows), *found[0].shape[1:])


def _kinds(values: Sequence[Any]) -> set[object]:
    return {(it.shape, it.dtype) if type(it) is np.ndarray else None for it in values}


def _ready(value: Array, info: InputInfo, axes: int = 0) -> Array | None:
    """Return an array of numbers that fits as it is, or None if it has to be looked at closely.

    A photo as an array would otherwise be taken apart into Python numbers and put together again,
    which costs more than to explain it. So many `axes` stand before those of an instance.
    """
    if info.is_string:
        return None
    if info.instance_shape is not None and not fits(value.shape[axes:], info.instance_shape):
        return None
    dtype = info.array_dtype
    real = info.dtype in FLOATS and value.dtype.kind in "fiu"
    if not real and not (
        np.can_cast(value.dtype, dtype, "safe") and dtype.kind == value.dtype.kind
    ):
        return None
    array = _cast(value, info)
    if not real or np.isfinite(array).all():
        return array
    return array if info.takes_nan and not np.isinf(array).any() else None


def plain(value: object) -> object:
    """Return numpy arrays and scalars as JSON values; anything else as it is."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def is_binary(value: object) -> bool:
    """Return whether a value is ``{"b64": "…"}``: "a JSON object with a single attribute"."""
    return isinstance(value, Mapping) and list(value) == ["b64"]


def check_names(
    given: Sequence[str], known: Mapping[str, InputInfo], where: Where, what: str
) -> None:
    """Raise `InstanceError` unless `given` are the known inputs, each once, in any order."""
    unknown = list(dict.fromkeys(name for name in given if name not in known))
    met = set[str]()
    for name in given:
        if name not in known:
            kind = "features" if what == "feature" else "inputs"
            listed = ", ".join(f"'{n}'" for n in known)
            hint: Hint | str = f"the {kind} are {listed}" if known else ""
            if known and {n for n, it in known.items() if not it.optional} <= set(given):
                if what == "column" and len(unknown) > 1:
                    listed = ", ".join(f"'{n}'" for n in unknown)
                    hint = Hint("leave a column out with {ignore_columns}")
                    raise InstanceError(f"unknown columns {listed}", where=where, hint=hint)
                hint = Hint("leave it out with {ignore_columns:{name}}", name=str(name))
                if what == "input" and str(name).casefold() == "id":  # a column is one by itself
                    hint = Hint("say that it is the id with {id_column:{name}}", name=str(name))
            hint = meant(str(name), [it for it in known if it not in given]) or hint
            if what == "column" and (whole := _whole_of(name, known)) is not None:
                hint = f"'{whole}' is one column, with a list in each cell, as \"[1, 2, 3]\""
            raise InstanceError(f"unknown {what} '{name}'", where=where, hint=hint)
        if name in met:
            raise InstanceError(f"{what} '{name}' is given twice", where=where)
        met.add(name)
    if missing := [n for n, it in known.items() if n not in met and not it.optional]:
        names = ", ".join(f"'{name}'" for name in missing)
        raise InstanceError(f"missing {what}{'s' * (len(missing) > 1)} {names}", where=where)


def _whole_of(title: str, known: Mapping[str, InputInfo]) -> str | None:
    """Return the input of several numbers of which a column, as ``x0`` or ``x[0]``, is one."""
    stem = re.sub(r"\W?\d+\W?$", "", title)
    return stem if stem in known and known[stem].instance_shape not in ((), (1,)) else None


def _flatten(value: object, info: InputInfo, where: Where) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of nested lists and all their leaves, level by level at the speed of C."""
    shape: list[int] = []
    level: list[Any] = [value]
    while level and (kinds := set(map(type, level))) & {list, tuple}:
        lengths = set(map(len, level)) if kinds <= {list, tuple} else set()
        if len(lengths) != 1:
            raise _ragged(level, shape, info, where)
        shape.append(lengths.pop())
        if len(shape) > MAX_RANK:
            what = f"{_wants(info)}, got lists more than {MAX_RANK} deep"
            raise InstanceError(what, where=where)
        level = list(chain.from_iterable(level))
    return tuple(shape), level


def _ragged(level: list[Any], shape: list[int], info: InputInfo, where: Where) -> InstanceError:
    def length(item: object) -> int | None:
        return len(item) if isinstance(item, list | tuple) else None

    first = length(level[0])
    odd = next(i for i, item in enumerate(level) if length(item) != first)

    def described(item: object) -> str:
        n = length(item)
        if n is None:
            return _say(item)
        return f"a list of {n} element{'' if n == 1 else 's'}"

    return InstanceError(
        f"{_wants(info)}, got a ragged list: {described(level[odd])} here, "
        f"{described(level[0])} at {_position(0, shape)}",
        where=where.below(_position(odd, shape)),
    )


def _position(flat_index: int, shape: Sequence[int]) -> str:
    """Return where a leaf is, as ``[1][0]``."""
    if not shape:
        return ""
    return "".join(f"[{int(i)}]" for i in np.unravel_index(flat_index, tuple(shape)))


def _wants(info: InputInfo) -> str:
    return f"input '{info.name}' is {info.wants}"


def _say(value: object) -> str:
    """Describe a JSON value in an error sentence, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{value if len(value) <= 40 else value[:37] + "..."}"'
    if isinstance(value, float) and not isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, int | float):
        text = repr(value)
        return text if len(text) <= 40 else text[:37] + "..."
    if isinstance(value, bytes) or is_binary(value):
        return "bytes"
    if isinstance(value, Mapping):
        keys = ", ".join(f"'{key}'" for key in list(value)[:3])
        return f"an object with the keys {keys}" if keys else "an empty object"
    return f"a {type(value).__name__}"


def _filled(leaves: list[Any], shape: tuple[int, ...], info: InputInfo, where: Where) -> list[Any]:
    """Return the leaves with the input's baseline in the place of those that are missing."""
    places = [i for i, leaf in enumerate(leaves) if is_missing(leaf)]
    if not places:
        return leaves
    if info.fill is None:
        raise InstanceError(
            f"{_wants(info)}, and what is missing has no baseline to stand in for it",
            where=where.below(_position(places[0], shape)),
            hint="give it a value; only an explained input has a baseline of its own",
        )
    fill = np.asarray(info.fill)
    try:
        values = np.broadcast_to(fill.reshape(()) if fill.size == 1 else fill, shape)
    except ValueError:  # the shape does not fit, which is said below
        return leaves
    found = list(leaves)
    for i in places:
        found[i] = values.ravel()[i].item()
    return found


def _strings(leaves: list[Any], shape: Sequence[int], info: InputInfo, where: Where) -> Array:
    flat = np.empty(len(leaves), dtype=object)
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, str):
            try:
                flat[i] = leaf.encode()
            except UnicodeEncodeError:
                what = "the string has a lone surrogate, so it is not valid Unicode"
                at = where.below(_position(i, shape))
                raise InstanceError(what, where=at) from None
        elif isinstance(leaf, bytes):
            flat[i] = leaf
        elif is_binary(leaf):
            flat[i] = _from_base64(leaf["b64"], where.below(_position(i, shape)))
        else:
            raise _wrong(leaves, i, "", shape, info, where)
    return flat


def to_bytes(value: object, where: Where) -> bytes:
    """Return what ``{"b64": …}`` holds. Raises `InstanceError`."""
    return _from_base64(value["b64"] if isinstance(value, Mapping) else value, where)


def _from_base64(text: object, where: Where) -> bytes:
    if not isinstance(text, str):
        raise InstanceError(f'"b64" must be a string, got {_say(text)}', where=where)
    if text.startswith("data:"):
        hint = "leave out what stands before the comma, and the comma"
        raise InstanceError('"b64" is a data: URL', where=where, hint=hint)
    if text[:2] in ("b'", 'b"'):
        raise InstanceError(
            "\"b64\" is Python's way of showing bytes, b'…'",
            where=where,
            hint="write the letters between the quotes alone (decode() does that)",
        )
    # The documentation's own examples lack the padding, and some clients use the URL-safe letters.
    letters = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InstanceError('"b64" is not valid base64', where=where) from None


def _numbers(leaves: list[Any], shape: Sequence[int], info: InputInfo, where: Where) -> Array:
    if info.takes_nan and None in leaves:
        leaves = [float("nan") if leaf is None else leaf for leaf in leaves]
    allowed = {bool} if info.dtype == "bool" else {int, float}
    if not set(map(type, leaves)) <= allowed:
        i = next(i for i, leaf in enumerate(leaves) if type(leaf) not in allowed)
        raise _wrong(leaves, i, "", shape, info, where)
    dtype = info.array_dtype
    if info.dtype == "bool":
        return np.array(leaves, dtype)
    if info.is_integer:
        limits = np.iinfo(dtype)
        low, high = int(limits.min), int(limits.max)
        if float in set(map(type, leaves)):
            for i, leaf in enumerate(leaves):
                if not float(leaf).is_integer():
                    raise _wrong(leaves, i, "", shape, info, where)
        if leaves and (min(leaves) < low or max(leaves) > high):
            i = next(i for i, leaf in enumerate(leaves) if not low <= leaf <= high)
            span = f", outside {low} to {high}"
            raise _wrong(leaves, i, span, shape, info, where)
        return np.array([int(leaf) for leaf in leaves], dtype)
    try:
        flat = _cast(np.array(leaves, np.float64), info)
    except OverflowError:  # an integer beyond every float
        i = next(i for i, leaf in enumerate(leaves) if not _is_double(leaf))
        raise _wrong(leaves, i, ", too large for it", shape, info, where) from None
    infinite = np.flatnonzero(np.isinf(flat) if info.takes_nan else ~np.isfinite(flat))
    for i in infinite.tolist():
        overflowed = isfinite(leaves[i])
        if overflowed or info.finite:
            note = ", too large for it" if overflowed else ", not a finite number"
            raise _wrong(leaves, i, note, shape, info, where)
    return flat


def _cast(values: Array, info: InputInfo) -> Array:
    """Return numbers in the type of an input, infinite where they are too large for it."""
    with np.errstate(over="ignore"):
        array = values.astype(info.array_dtype)
    if info.dtype == "bfloat16":
        array[np.abs(array) >= BEYOND_BFLOAT16] = np.inf
    return array


def _is_double(value: float) -> bool:
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _wrong(
    leaves: list[Any],
    i: int,
    note: str,
    shape: Sequence[int],
    info: InputInfo,
    where: Where,
) -> InstanceError:
    leaf = leaves[i]
    hint: Hint | str = ""
    if is_missing(leaf) and info.missing is not Missing.BASELINE:
        hint = missing_hint(info)
    elif isinstance(leaf, str) and _DECORATED.fullmatch(leaf.strip()) and not _PLAIN.match(leaf):
        hint = "a number is written with a point and nothing else, as in 1234.5"
    what = f"{_wants(info)}, got {_say(leaf)}{note}"
    return InstanceError(what, where=where.below(_position(i, shape)), hint=hint)
