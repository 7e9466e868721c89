"""What is known of TensorFlow's operations without TensorFlow: outputs, gradients, callees.

``operations.txt`` is made of TensorFlow's own registries by ``tests/make_operations.py``,
which says how a line is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

TRAINABLE = frozenset(
    ["float16", "bfloat16", "float32", "float64", "complex64", "complex128", "resource", "variant"]
)
"""The types that a gradient passes through; handles are passed through to what they hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A line of the table: `gradient` is ``none``, ``stop``, ``zero``, or a sign for each input."""

    name: str
    outputs: tuple[tuple[str, str], ...]
    gradient: str
    calls: tuple[str, ...]

    @property
    def flows(self) -> tuple[str, ...]:
        """The sign of each input, ``y``, ``n`` or ``?T``, with a ``*`` for any number of inputs."""
        known = self.gradient in ("none", "stop", "zero")
        return () if known or not self.gradient else tuple(self.gradient.split(","))


@cache
def table_version() -> tuple[str, int]:
    """Return the TensorFlow that the table is of, and the version of the graphs that it reads."""
    _, _, tensorflow, *_, graphs = _text().partition("\n")[0].split()
    return tensorflow.rstrip(","), int(graphs)


@cache
def operation(name: str) -> Operation | None:
    """Return what is known of an operation, None if TensorFlow has none of that name."""
    line = _lines().get(name)
    if line is None:
        return None
    outputs, gradient, calls, *_ = [*line.split("\t"), "", "", ""]
    return Operation(
        name=name,
        outputs=tuple((it.partition(":")[0], it.partition(":")[2]) for it in _listed(outputs)),
        gradient=gradient,
        calls=_listed(calls),
    )


def names() -> frozenset[str]:
    """Return the names of all operations that TensorFlow has."""
    return _names()


@cache
def _names() -> frozenset[str]:
    return frozenset(_lines())


@cache
def _lines() -> dict[str, str]:
    pairs = (line.partition("\t") for line in _text().splitlines()[1:])
    return {name: rest for name, _, rest in pairs}


@cache
def _text() -> str:
    from importlib.resources import files

    return (files("pellucid.saved_model") / "operations.txt").read_text("utf-8")


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split(",")) if words else ()


def output_types(op: str, attributes: Mapping[str, Any], type_name: Any) -> tuple[str, ...]:
    """Return the types of a node's outputs, () where they are not known.

    `attributes` are the node's AttrValue messages; `type_name` gives the name of a type's number.
    """
    known = operation(op)
    if known is None:
        return ()
    found: list[str] = []
    for _, written in known.outputs:
        many, star, kind = written.rpartition("*")
        if star and not many:
            if kind not in attributes:
                return tuple(found)
            found += [type_name(number) for number in attributes[kind].list.type]
            continue
        count = attributes[many].i if many in attributes else 1 if not many else 0
        found += [_type(kind, attributes, type_name)] * min(max(count, 0), _MOST_OUTPUTS)
    return tuple(found)


_MOST_OUTPUTS = 100_000


def _type(written: str, attributes: Mapping[str, Any], type_name: Any) -> str:
    attr, equals, default = written.removeprefix("@").partition("=")
    if attr == written:
        return written
    if attr in attributes:
        return str(type_name(attributes[attr].type))
    return default if equals else "unknown"


def output_place(op: str, attributes: Mapping[str, Any], output: str) -> int | None:
    """Return the place of the first tensor of a named output among all of the node's outputs."""
    known = operation(op)
    place = 0
    for name, written in known.outputs if known else ():
        if name == output:
            return place
        many, star, kind = written.rpartition("*")
        attr = many or kind
        if star and attr not in attributes:
            return None
        counted = attributes[attr].i if many else len(attributes[attr].list.type) if star else 1
        place += min(max(counted, 0), _MOST_OUTPUTS)
    return None
