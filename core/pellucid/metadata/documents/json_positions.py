"""Strict JSON, and where in the text each key and value stands.

`load` is the quick way and knows no places; `read` is the slow one, used only when there is
something to point at. Lines and columns are counted from 1, columns in characters.
"""

from __future__ import annotations

import json
import json.decoder
import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeAlias

Path: TypeAlias = "tuple[str | int, ...]"
Span: TypeAlias = "tuple[int, int]"

# The scanner that json.loads uses; the type stubs do not list it.
_scan_string: Callable[[str, int, bool], tuple[str, int]] = vars(json.decoder)["scanstring"]
_SPACE = re.compile(r"[ \t\n\r]*")
_COMMENT = re.compile(r"//|/\*|#")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[-+]?[A-Za-z_][A-Za-z_0-9]*")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_INTEGER = 4000
DEEPEST = 200
NOT_A_NUMBER = "MD003"
"""The rule of what JSON has no number for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFault:
    """A fault of the text itself: `code` is that of its rule, `path` is where it was met."""

    code: str
    message: str
    path: Path
    offset: int


class Place(NamedTuple):
    """A place in a text, from 1; `end_column` is behind its last character, if that is known."""

    line: int
    column: int
    end_column: int | None = None


@dataclass(slots=True)
class JsonSource:
    """A text as JSON: its value (None after a syntax error), faults and the span of each part.

    `left` counts, by their codes, the faults that are not among `faults`.
    """

    text: str
    value: Any = None
    faults: list[JsonFault] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    keys: dict[Path, Span] = field(default_factory=dict)
    values: dict[Path, Span] = field(default_factory=dict)
    _line_ends: list[int] = field(default_factory=list)

    def line_column(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset."""
        if not self._line_ends:
            self._line_ends = [-1, *(it.start() for it in re.finditer("\n", self.text))]
        line = bisect_left(self._line_ends, offset)
        return line, offset - self._line_ends[line - 1]

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where a value stands, or its key; where it is not there, the nearest parent."""
        if key and path in self.keys:
            return self.place_of(self.keys[path])
        while path and path not in self.values:
            path = path[:-1]
        return self.place_of(self.values.get(path, (0, 0)))

    def place_of_fault(self, fault: JsonFault) -> Place:
        """Return where a fault is: the key or value that starts there, or a single character."""
        for spans in (self.keys, self.values):
            span = spans.get(fault.path, (0, 0))
            if span[0] == fault.offset:
                return self.place_of(span)
        return self.place_of((fault.offset, fault.offset))

    def place_of(self, span: Span) -> Place:
        """Return the place of a part of the text."""
        start, end = span
        line, column = self.line_column(start)
        # An object is pointed at by its brace; nothing is pointed at over several lines.
        whole = end > start and self.text[start] != "{" and "\n" not in self.text[start:end]
        return Place(line, column, column + end - start if whole else None)


class _RefusedError(Exception):
    """The quick way met something that only the slow way can describe."""


class _JsonSyntaxError(Exception):
    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def load(text: str, most: int | None = None) -> tuple[Any, JsonSource | None]:
    """Return the value of a text, and its source if anything in it is at fault.

    `most` is as in `read`.
    """
    if text.startswith("\ufeff") or _ESCAPED_SURROGATE.search(text):
        source = read(text, most)
        return source.value, source if source.faults else None
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
    except (_RefusedError, ValueError, RecursionError):
        source = read(text, most)
        return source.value, source
    return value, None


def read(text: str, most: int | None = None) -> JsonSource:
    """Read a text slowly, keep the place of every key and value, and collect its faults.

    At most `most` faults of a kind are kept, all if it is None.
    """
    source = JsonSource(text=text.removeprefix("\ufeff"))
    if len(source.text) < len(text):
        message = "the file starts with a byte order mark; save it as UTF-8 without"
        source.faults.append(JsonFault(code="MD004", message=message, path=(), offset=0))
    reader = _Reader(source, most)
    try:
        source.value, end = reader.value(reader.space(0), ())
        end = reader.space(end)
        if end < len(source.text):
            raise _JsonSyntaxError("there is more after the end of the document", end)
    except _JsonSyntaxError as fault:
        source.value = None
        source.faults.append(
            JsonFault(code="MD001", message=str(fault), path=(), offset=fault.offset)
        )
    return source


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _RefusedError
    return made


def _refuse(_: str) -> NoReturn:
    raise _RefusedError


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _RefusedError
    return number


class _Reader:
    def __init__(self, source: JsonSource, most: int | None) -> None:
        self.source = source
        self.most = most
        self.kept: Counter[str] = Counter()
        self.text = source.text

    def space(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        end = found.end() if found else at
        if _COMMENT.match(self.text, end):
            raise _JsonSyntaxError("a comment is not JSON; remove it", end)
        return end

    def value(self, at: int, path: Path) -> tuple[Any, int]:
        if len(path) > DEEPEST:
            raise _JsonSyntaxError(f"lists and objects are nested more than {DEEPEST} deep", at)
        start = self.text[at : at + 1]
        made: Any
        if start == "{":
            made, end = self.object(at, path)
        elif start == "[":
            made, end = self.array(at, path)
        elif start == '"':
            made, end = self.string(at, path)
        else:
            made, end = self.scalar(at, path)
        self.source.values[path] = (at, end)
        return made, end

    def items(self, at: int, close: str) -> Iterator[int]:
        """Yield where each item starts; the caller moves `self.end` behind it."""
        self.end = self.space(at + 1)
        if self.text[self.end : self.end + 1] == close:
            self.end += 1
            return
        while True:
            yield self.end
            comma = self.space(self.end)
            sign = self.text[comma : comma + 1]
            if sign == close:
                self.end = comma + 1
                return
            if sign != ",":
                raise _JsonSyntaxError(f"expected ',' or '{close}'{self.found(comma)}", comma)
            self.end = self.space(comma + 1)
            if self.text[self.end : self.end + 1] == close:
                raise _JsonSyntaxError(f"a comma before '{close}' is not JSON; remove it", comma)

    def object(self, at: int, path: Path) -> tuple[dict[str, Any], int]:
        made: dict[str, Any] = {}
        for start in self.items(at, "}"):
            if self.text[start : start + 1] != '"':
                raise _JsonSyntaxError(f"expected a key in double quotes{self.found(start)}", start)
            key, end = self.string(start, path)
            here = (*path, key)
            colon = self.space(end)
            if self.text[colon : colon + 1] != ":":
                raise _JsonSyntaxError(f"expected ':' after the key{self.found(colon)}", colon)
            if key in made:
                first = self.source.line_column(self.source.keys[here][0])[0]
                self.fault("MD002", f"the key is there already, in line {first}", here, start)
            self.source.keys[here] = (start, end)
            made[key], self.end = self.value(self.space(colon + 1), here)
        return made, self.end

    def array(self, at: int, path: Path) -> tuple[list[Any], int]:
        made: list[Any] = []
        for start in self.items(at, "]"):
            value, self.end = self.value(start, (*path, len(made)))
            made.append(value)
        return made, self.end

    def string(self, at: int, path: Path) -> tuple[str, int]:
        try:
            made, end = _scan_string(self.text, at + 1, True)
        except json.JSONDecodeError as error:
            what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at").removesuffix(":")
            raise _JsonSyntaxError(what.replace(" starting", ""), error.pos) from error
        if any("\ud800" <= sign <= "\udfff" for sign in made):
            raise _JsonSyntaxError("half of a surrogate pair is not a character; write both", at)
        return made, end

    def scalar(self, at: int, path: Path) -> tuple[Any, int]:
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self.text.startswith(word, at):
                return value, at + len(word)
        number = _NUMBER.match(self.text, at)
        if number and not _WORD.match(self.text, at):
            text = number[0]
            if not number[1] and not number[2] and len(text) <= _LONGEST_INTEGER:
                return int(text), number.end()
            made = float(text)
            if math.isinf(made):
                short = text if len(text) <= 20 else text[:20] + "…"
                self.fault(NOT_A_NUMBER, f"{short} has no finite value", path, at)
                made = 0.0
            return made, number.end()
        constant = _WORD.match(self.text, at)
        if constant and constant[0].lstrip("+-") in ("NaN", "Infinity"):
            self.fault(NOT_A_NUMBER, f"{constant[0]} is not JSON; write a number", path, at)
            return 0, constant.end()
        raise _JsonSyntaxError(f"expected a value{self.found(at)}", at)

    def fault(self, code: str, message: str, path: Path, offset: int) -> None:
        if self.most is not None and self.kept[code] >= self.most:
            self.source.left[code] += 1
            return
        self.kept[code] += 1
        self.source.faults.append(JsonFault(code=code, message=message, path=path, offset=offset))

    def found(self, at: int) -> str:
        if at >= len(self.text):
            return ", the text ends here"
        word = _WORD.match(self.text, at)
        sign = word[0][:20] if word else self.text[at]
        return f", found {sign!r}" if sign.isprintable() else f", found U+{ord(sign[0]):04X}"


def path_text(path: Path) -> str:
    """Return a path as people write it: ``inputs.x.input_baselines[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(text: str) -> str:
    """Return a text from a document in quotes, on one line and not endless."""
    text = text if len(text) <= 80 else text[:79] + "…"
    return f"'{printable(text)}'"


def printable(text: str) -> str:
    """Return a text on one line, with what cannot be printed as Python writes it."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
