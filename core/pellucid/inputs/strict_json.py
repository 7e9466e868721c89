"""The JSON of requests: strict, and every fault with its place."""

from __future__ import annotations

import json

from pellucid.errors import InstanceError


def parse_json(
    text: str | bytes, source: str | None, *, first_line: int = 1, index: int | None = None
) -> object:
    """Return the value of JSON text; no key may be written twice.

    Raises InstanceError with the place: `first_line` is the line of `source` that the text begins
    on, `index` the instance that it is.
    """
    prefix = f"{source}: " if source else ""
    if isinstance(text, bytes):
        text = decode_text(text, source or "the request")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InstanceError(f"{prefix}empty, expected JSON", index)

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                line = f"{source}:{first_line}: " if first_line > 1 and source else prefix
                raise InstanceError(f"{line}the key '{key}' is written twice in one object", index)
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        at = f"{source}:{line}:{error.colno}" if source else f"line {line}, column {error.colno}"
        raise InstanceError(f"{at}: not JSON: {error.msg}", index) from None
    except RecursionError:
        raise InstanceError(f"{prefix}lists are nested too deeply", index) from None
    except ValueError as error:  # a number of more than 4300 digits
        raise InstanceError(f"{prefix}not JSON: {error}", index) from None


def kind_of(value: object) -> str:
    """Return what a JSON value is, for a sentence."""
    names = {dict: "an object", list: "a list", tuple: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), "a number" if isinstance(value, int | float) else "something")


def decode_text(data: bytes, source: str) -> str:
    """Return UTF-8 text. Raises InstanceError with the byte that is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InstanceError(
            f"{source}: not UTF-8 text (byte 0x{data[error.start]:02x} at offset {error.start})"
        ) from None
