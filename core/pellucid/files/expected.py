"""Documents that the program wrote and reads back: anybody may have changed them since."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

DAMAGED = (
    ValueError,  # JSON and UTF-8 among them
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,  # nested too deeply, encrypted, compressed in some way
    MemoryError,
    EOFError,
    SyntaxError,  # in the head of an array, as the next
    TokenError,
    BadZipFile,
    zlib.error,
    struct.error,
)
"""What reading a damaged file of ours may raise."""


def expect(value: Any, form: Any, place: str = "it") -> None:
    """Raise ValueError unless a value of JSON is of a form.

    A form is a type (float takes integers, too), a list ``[form]``, an object ``{"key": form}`` or
    ``{str: form}``, or a tuple of forms, of which one has to fit; a key ``"key?"`` may be missing,
    and other keys may be there.

    >>> expect({"a": [1]}, {"a": [int], "b?": (str, None)})
    >>> expect({"a": ["1"]}, {"a": [int]})
    Traceback (most recent call last):
    ValueError: it.a[0] is not of the type it has to be
    """
    if isinstance(form, tuple):
        if not any(one is type(value) for one in form) and not any(
            _fits(value, one) for one in form
        ):
            raise ValueError(f"{place} is not of the type it has to be")
    elif isinstance(form, list) and isinstance(value, list):
        if {*map(type, value)} <= _types(form[0]) or _are_alike(value, form[0]):
            return  # as most are, where there are many
        for number, item in enumerate(value):
            expect(item, form[0], f"{place}[{number}]")
    elif isinstance(form, Mapping) and isinstance(value, Mapping):
        for key, inner in form.items():
            if key is str and {*map(type, value.values())} <= _types(inner):
                continue
            for name in value if key is str else [key.removesuffix("?")]:
                if name in value:
                    expect(value[name], inner, f"{place}.{name}")
                elif not key.endswith("?"):
                    raise ValueError(f"{place} has no {name}")
    elif not isinstance(form, type) or not _is_one(value, form):
        raise ValueError(f"{place} is not of the type it has to be")


def _are_alike(values: list[Any], form: Any) -> bool:
    """Whether many objects are certainly of a form, of which they all are the same alternative."""
    if isinstance(form, tuple):
        return any(_are_alike(values, one) for one in form)
    if not isinstance(form, Mapping) or str in form or {*map(type, values)} != {dict}:
        return False
    for key, inner in form.items():
        name = key.removesuffix("?")
        found = [it[name] for it in values if name in it]
        if len(found) < len(values) and name == key:
            return False
        if not {*map(type, found)} <= _types(inner) and not _are_alike(found, inner):
            return False
    return True


def _types(form: Any) -> frozenset[type]:
    """Return the types of the values that are of a form whatever is in them."""
    if isinstance(form, tuple):
        return frozenset[type]().union(*map(_types, form))
    if form is None:
        return frozenset((type(None),))
    if not isinstance(form, type) or form is object:
        return frozenset()
    return frozenset((int, float)) if form is float else frozenset((form,))


def _fits(value: Any, form: Any) -> bool:
    if form is None:
        return value is None
    try:
        expect(value, form)
    except ValueError:
        return False
    return True


def _is_one(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind in (bool, object)
    return isinstance(value, (int, float) if kind is float else kind)
